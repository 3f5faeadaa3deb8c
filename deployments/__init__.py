"""Where the pipeline runs: local, Prefect, AWS."""
