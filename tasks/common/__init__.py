"""What every room may use: a closed list of seven modules."""
