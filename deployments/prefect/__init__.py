"""Prefect deployments: pools, checks of prefect.yaml, automations."""
