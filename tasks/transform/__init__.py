"""From readings to one trusted history in canonical units."""
