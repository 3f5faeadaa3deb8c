"""From frames to MongoDB, idempotently, and the publishing of a run."""
