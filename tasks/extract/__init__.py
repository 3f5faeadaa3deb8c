"""From landed objects to readings in declared units."""
