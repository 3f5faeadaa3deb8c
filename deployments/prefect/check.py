"""Faults of prefect.yaml, found without a network, before any of it is applied."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from prefect.exceptions import MissingFlowError, ScriptError
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import validate
from prefect.workers.process import ProcessWorker

from deployments.prefect.declared import Deployment, read_deployments
from deployments.prefect.place import load_place
from tasks.common.errors import ConfigurationError
from tasks.common.settings import Settings, load_settings

_MIB_OF_CPU: Final = {
    256: (512, 1024, 2048),
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
    8192: range(16384, 61440 + 1, 4096),
    16384: range(32768, 122880 + 1, 8192),
}
"""Memory in MiB that Fargate sells with so much CPU.

Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
"""

_IMAGE: Final = re.compile(r"^[^\s:@]+(:\d+)?(/[^\s:@]+)*:(?P<tag>[\w.-]+)(@sha256:[0-9a-f]{64})?$")
_SECRET: Final = re.compile(r"PASSWORD|SECRET|TOKEN|_KEY$|AUTH_STRING|MONGODB_URI")
_CREDENTIALS: Final = re.compile(r"://[^/\s]*:[^/\s]*@")


def check(file: Path, names: Sequence[str]) -> tuple[list[Deployment], list[str]]:
    """Give the deployments, and a sentence on each fault; without faults they can be applied.

    Raises:
        ConfigurationError: the file or a name is wrong as a whole.
    """
    deployments, faults = read_deployments(file, names)
    for one in deployments:
        found = [*_check_flow(one, file.parent), *([] if one.on_ecs else _check_process(one))]
        faults += (f"{one.name}: {fault}" for fault in found)
    on_ecs = [one for one in deployments if one.on_ecs]
    if on_ecs:
        faults += _check_tasks(on_ecs)
    return deployments, faults


def load_flow(one: Deployment, folder: Path) -> Flow[..., Any]:
    """Import a deployment's flow as a run does: a module that does not load raises ScriptError."""
    path, _, function = one.entrypoint.rpartition(":")
    return load_flow_from_entrypoint(f"{folder / path}:{function}", use_placeholder_flow=False)


def _check_flow(one: Deployment, folder: Path) -> Iterator[str]:
    try:
        flow = load_flow(one, folder)
    except (ScriptError, MissingFlowError, OSError) as error:
        cause = error.__cause__ or error
        yield f"entrypoint {one.entrypoint!r} does not load ({cause!r}): correct it."
        return
    known = parameter_schema(flow).model_dump()
    for name in one.parameters.keys() - known["properties"].keys():
        yield f"parameter {name!r} is none of the flow's: {_hint(name, known['properties'])}"
    for fault in validate(one.parameters, known, ignore_required=True):
        yield f"parameter {fault.json_path.removeprefix('$.')}: {fault.message}."


def _check_process(one: Deployment) -> Iterator[str]:
    variables = ProcessWorker.get_default_base_job_template()["variables"]
    yield from _check_words(one.work_pool.job_variables, variables)


def _check_tasks(deployments: Sequence[Deployment]) -> Iterator[str]:
    try:
        place, settings = load_place(), load_settings()
        variables = place.fill_template()["variables"]
    except ConfigurationError as error:
        yield str(error)
        return
    for one in deployments:
        told = one.work_pool.job_variables
        if one.work_pool.name != place.ecs_work_pool:
            yield (
                f"{one.name}: pool {one.work_pool.name!r} is not one that bootstrap makes: "
                f"it is {place.ecs_work_pool!r} (ECS_WORK_POOL) or local."
            )
        found = list(_check_words(told, variables))
        if not found:  # else what follows would trip over a value of the wrong type
            found += _check_environment(told.get("env") or {})
            found += _check_size(told, variables["properties"])
            found += _check_image(str(told.get("image")), settings)
        yield from (f"{one.name}: {fault}" for fault in found)
    families = Counter(str(one.work_pool.job_variables.get("family") or "") for one in deployments)
    for family, count in families.items():
        if not family or count > 1:
            yield f"family {family!r} serves {count} deployments: give each one of its own."


def _check_words(told: dict[str, Any], variables: dict[str, Any]) -> Iterator[str]:
    properties = variables["properties"]
    for key in told.keys() - properties.keys():
        yield f"job variable {key!r} is not in the pool's template: {_hint(key, properties)}"
    for fault in validate(told, variables):
        yield f"job variable {fault.json_path.removeprefix('$.')}: {fault.message}."


def _check_environment(env: dict[object, object]) -> Iterator[str]:
    known = {name.upper() for name in Settings.model_fields}
    for name, value in ((str(key), value) for key, value in env.items()):
        if _SECRET.search(name) or _CREDENTIALS.search(str(value)):
            yield f"env {name} would show a secret to all who see the run: give its ARN in secrets."
        elif name not in known and not name.startswith("PREFECT_"):
            yield f"env {name} is no setting: {_hint(name, known)}"


def _check_size(told: dict[str, Any], properties: dict[str, Any]) -> Iterator[str]:
    cpu, memory = (told.get(name, properties[name]["default"]) for name in ("cpu", "memory"))
    sold = _MIB_OF_CPU.get(cpu, ())
    if sold and isinstance(memory, int) and memory not in sold:
        steps = f"{sold[0]} to {sold[-1]}, in steps of {sold[1] - sold[0]}"
        yield f"memory {memory} does not go with cpu {cpu}: Fargate sells {steps} MiB."


def _check_image(image: str, settings: Settings) -> Iterator[str]:
    found = _IMAGE.match(image)
    tag = found["tag"] if found else ""
    try:
        datetime.strptime(tag, "v%Y%m%d-%H%M")  # noqa: DTZ007 - only whether it is one
    except ValueError:
        if not (tag == "latest" and settings.environment == "dev"):
            yield (
                f"image {image!r} has the tag {tag!r}: give one that never moves, such as "
                f"v20261118-2000 (latest serves where ENVIRONMENT is dev)."
            )


def _hint(word: str, known: Sequence[str] | set[str] | dict[str, Any]) -> str:
    near = get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"choose of {sorted(known)}."
