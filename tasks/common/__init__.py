"""What every room may use: a closed list of six modules."""
