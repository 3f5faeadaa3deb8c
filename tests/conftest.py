"""Fixtures every test may ask for: real servers, started once per session when first needed."""

pytest_plugins = ["tests.fixtures.object_servers", "tests.fixtures.mongo_servers"]
