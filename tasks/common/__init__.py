"""What every room may use: a closed list of ten modules."""
