"""A first run without servers: embedded MongoDB and a demo lake."""
