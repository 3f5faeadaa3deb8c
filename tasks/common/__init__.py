"""What every room may use: a closed list of modules, held by a law of the tests."""
