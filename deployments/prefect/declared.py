"""What prefect.yaml may say, as a closed vocabulary: a key that is not here is a fault.

Prefect itself passes over unknown keys in silence, and reads an unset variable as empty text.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from prefect.client.schemas.schedules import CronSchedule
from prefect.utilities.templating import apply_values, find_placeholders
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tasks.common.errors import ConfigurationError

LOCAL_POOL: Final = "local"
"""Process pool of one machine; every other pool runs tasks on ECS."""

TAG: Final = "forecast-pipeline"
"""On every deployment: automations follow it, and deploy looks for what is no longer declared."""


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Schedule(_Closed):
    """When a deployment runs by itself; the slug keeps it one schedule over every deploy."""

    cron: str
    timezone: Annotated[str, Field(min_length=1)]  # Prefect takes an empty one for UTC
    slug: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    active: bool

    @model_validator(mode="after")
    def _check_cron_and_zone(self) -> "Schedule":
        CronSchedule(cron=self.cron, timezone=self.timezone)
        return self


class Limit(_Closed):
    """How many runs at once, and what becomes of one too many."""

    limit: Annotated[int, Field(ge=1)]
    collision_strategy: Literal["CANCEL_NEW", "ENQUEUE"]
    grace_period_seconds: Annotated[int, Field(ge=60, le=86_400)]


class Pool(_Closed):
    """Where a deployment runs, and on what."""

    name: Annotated[str, Field(min_length=1)]
    job_variables: dict[str, Any]


class Deployment(_Closed):
    """One deployment, its variables filled in."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    description: str
    entrypoint: Annotated[str, Field(pattern=r"^[\w./-]+\.py:\w+$")]
    version: str
    tags: Annotated[list[Literal["forecast-pipeline"]], Field(min_length=1)]
    work_pool: Pool
    schedules: tuple[Schedule, ...] = ()
    concurrency_limit: Limit | None = None
    parameters: dict[str, Any] = {}
    pull: list[dict[str, Any]] = []

    @property
    def on_ecs(self) -> bool:
        """Whether it runs as a task on ECS."""
        return self.work_pool.name != LOCAL_POOL

    @model_validator(mode="after")
    def _check_limit(self) -> "Deployment":
        if self.on_ecs and self.concurrency_limit is None:
            msg = "needs a concurrency_limit: the pool allows the sum of its deployments'"
            raise ValueError(msg)
        return self


def read_deployments(file: Path, names: Sequence[str]) -> tuple[list[Deployment], list[str]]:
    """Give the named deployments (all when none is), and a sentence on each that is none.

    Raises:
        ConfigurationError: the file is no YAML, or has no deployment of such a name.
    """
    by_name = _read_file(file)
    if unknown := set(names) - set(by_name):
        msg = f"{file} has no deployment {sorted(unknown)}: choose of {sorted(map(str, by_name))}."
        raise ConfigurationError(msg)
    read, faults = [], []
    for name in names or by_name:
        if said := _find_foreign(by_name[name]):
            faults.append(f"{name}: {said}: write dates in quotes, and no anchor within itself.")
            continue
        unset = sorted(v for v in _list_variables(by_name[name]) if not os.environ.get(v))
        if unset:
            faults.append(f"{name}: {', '.join(unset)} unset; give every variable a value.")
            continue
        try:
            read.append(Deployment.model_validate(apply_values(by_name[name], {})))
        except ValidationError as error:
            faults += [
                f"{name}: {'.'.join(map(str, fault['loc'])) or 'it'} is {fault['input']!r:.80}: "
                f"{fault['msg']}."
                for fault in error.errors(include_url=False)
            ]
    return read, faults


def _read_file(file: Path) -> dict[str, dict[str, Any]]:
    """Give what the file declares by name."""
    try:
        told = yaml.safe_load(file.read_text())["deployments"]
        by_name = {one["name"]: one for one in told}
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        msg = f"{file} cannot be read ({error!r}): it needs a list `deployments`, each with a name."
        raise ConfigurationError(msg) from None
    if not by_name:
        raise ConfigurationError(f"{file} declares no deployment: list one under `deployments`.")
    if len(by_name) < len(told):
        msg = f"{file} gives two deployments one name: rename one of {[d['name'] for d in told]}."
        raise ConfigurationError(msg)
    return by_name


def _find_foreign(declared: dict[str, Any]) -> str | None:
    """Say what YAML can tell and JSON, which Prefect speaks, cannot."""
    try:
        json.dumps(declared)
    except (TypeError, ValueError) as error:
        return str(error)
    return None


def _list_variables(declared: dict[str, Any]) -> set[str]:
    names = {placeholder.name for placeholder in find_placeholders(declared)}
    return {name.removeprefix("$") for name in names if name.startswith("$")}
