"""Every setting of the project, once: environment variable, default, meaning.

`python -m tasks.common.settings` prints env.example; a law test keeps them equal.
"""

import json
import os
import re
import sys
import textwrap
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal
from urllib.request import urlopen

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from tasks.common.errors import ConfigurationError

_ECS_METADATA = "ECS_CONTAINER_METADATA_URI_V4"
_PASSWORD = re.compile(r"//.*@")  # greedy: a password may hold @ or / unescaped


def _check_mongodb_uri(uri: SecretStr) -> SecretStr:
    if not uri.get_secret_value().startswith("mongodb://"):
        msg = "must start with mongodb:// (a replica set's members, by name)"
        raise ValueError(msg)
    if uri.get_secret_value().partition("?")[0].count("@") > 1:
        msg = "has more than one @ before its options; write those of the password as %40"
        raise ValueError(msg)
    return uri


def _check_runner(runner: str) -> str:
    if runner == "dask" and find_spec("prefect_dask") is None:
        msg = "needs the extra `dask`, which is not installed; install it, or choose local"
        raise ValueError(msg)
    return runner


class Settings(BaseSettings):
    """Settings from the environment, or from `.env` in the working directory.

    An empty variable counts as unset. Build it inside a task, never pass it between tasks: it
    holds the database's password.
    """

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    lake_uri: str = Field(
        default=".local/lake",
        description="Where Airbyte lands raw objects: a folder, or s3://bucket/prefix.",
        examples=["s3://example-production-raw"],
    )
    output_uri: str | None = Field(
        default=None,
        description="Where processed/, quarantine/ and reports/ go. Default: the lake itself; "
        "a local lake whose permissions forbid writing is only read; .local/output/ is used.",
        examples=["s3://example-production-processed"],
    )
    sources_dir: Path | None = Field(
        default=None,
        description="A folder of further source files (*.yaml); one of a shipped id replaces it.",
    )
    s3_endpoint_url: str | None = Field(
        default=None, description="S3 server other than AWS, for example http://127.0.0.1:8333."
    )
    aws_region: str = Field(
        default="eu-west-3",
        description="Region of the buckets and of everything else on AWS; nothing guesses it.",
    )
    aws_profile: str | None = Field(
        default=None,
        description="Profile of ~/.aws; on ECS leave it empty: the task role serves.",
        examples=["default"],
    )
    aws_credentials_block: str | None = Field(
        default=None, description="Name of a Prefect AwsCredentials block to use instead."
    )
    mongodb_uri: Annotated[SecretStr, AfterValidator(_check_mongodb_uri)] | None = Field(
        default=None,
        description="Replica set to write to. Unset: `python -m flows.forecast` starts an "
        "embedded one. Set: nothing is ever started.",
        examples=[
            "mongodb://127.0.0.1:27017/?replicaSet=rs0",
            "mongodb://USER:PASSWORD@"
            + ",".join(f"mongo-{number}.mongo.internal" for number in (1, 2, 3))
            + "/?replicaSet=rs0&tls=true",
        ],
    )
    mongodb_ca: str | None = Field(
        default=None,
        description="Certificate (PEM, not a file) of the only authority that MongoDB's may come "
        "from; on ECS it comes out of a secret. Unset: the system's, or tlsCAFile in the URI.",
    )
    mongodb_database: str = Field(default="forecast_2_0", description="Name of the database.")
    forecast_workers: int | None = Field(
        default=None, ge=1, description="Processes that fit models. Default: one per core."
    )
    forecast_runner: Annotated[Literal["local", "dask"], AfterValidator(_check_runner)] = Field(
        default="local",
        description="Where models are fitted: local, on this machine; or dask, on a Dask cluster "
        "(docs/how-to/scale-out.md).",
    )
    dask_address: str | None = Field(
        default=None,
        pattern=r"^(tcp|tls)://.+:\d+$",
        description="Scheduler for FORECAST_RUNNER=dask. Unset: a temporary cluster of "
        "FORECAST_WORKERS processes on this machine.",
        examples=["tcp://127.0.0.1:8786", "tls://scheduler.internal:8786"],
    )
    stale_after_hours: float = Field(
        default=48, gt=0, description="A series whose newest value is older is labelled stale."
    )
    withhold_after_days: float = Field(
        default=14, gt=0, description="A series whose newest value is older is not forecast."
    )
    max_rejected_percent: float = Field(
        default=1.0, ge=0, le=100, description="More rejected records make the run DEGRADED."
    )
    max_degraded_series_percent: float = Field(
        default=10.0,
        ge=0,
        le=100,
        description="More stale, withheld or failed series make the run DEGRADED.",
    )
    max_object_mib: int = Field(
        default=2048, ge=1, description="Largest decompressed object that is read."
    )
    max_line_mib: int = Field(default=64, ge=1, description="Longest line that is parsed.")
    environment: Literal["dev", "staging", "production"] = Field(
        default="dev", description="Named in reports and metrics."
    )
    cluster: str = Field(
        default="ecs", pattern=r"^[!-~]{1,255}$", description="Dimension `cluster` of the metrics."
    )
    metrics: Literal["auto", "stdout", "off"] = Field(
        default="auto",
        description="CloudWatch metrics as JSON lines (EMF) on standard output: auto, on ECS only; "
        "stdout, always; off.",
    )
    notification_block: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9-]+/[a-z0-9-]+$",
        description="Prefect notification block, by type/name, that is told of a run that is "
        "DEGRADED, FAILED or crashed.",
        examples=["slack-webhook/operations"],
    )
    git_sha: str = Field(default="unknown", description="Revision recorded in every run.")
    image: str | None = Field(
        default=None, description="Image this runs in, recorded in every run; set by its build."
    )
    image_digest: str | None = Field(
        default=None,
        pattern=r"^sha256:[0-9a-f]{64}$",
        description="Digest of that image. Unset: as ECS or the name of the image tell it.",
    )


def load_settings() -> Settings:
    """Read the settings.

    Raises:
        ConfigurationError: a value breaks its rule; names variable, value and rule.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]).upper()
        shown = "(hidden)" if "MONGODB" in name else repr(first["input"])
        msg = f"Setting {name} is {shown}: {first['msg']}; see env.example."
        raise ConfigurationError(msg) from None


def redact_uri(uri: str) -> str:
    """Give a URI without user and password.

    >>> redact_uri("mongodb://u:p@mongo-1:27017/?replicaSet=rs0")
    'mongodb://mongo-1:27017/?replicaSet=rs0'
    """
    return _PASSWORD.sub("//", uri)


def runs_on_ecs() -> bool:
    """Tell whether this process is an ECS task (the agent sets its metadata address)."""
    return _ECS_METADATA in os.environ


def add_image_digest(settings: Settings) -> Settings:
    """Add the digest of the image: as set, as its name ends, or as the agent of ECS knows it.

    Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-response.html
    """
    digest = settings.image_digest or (settings.image or "").partition("@")[2]
    if not digest and runs_on_ecs():
        with (
            suppress(OSError, ValueError),  # provenance is worth no run
            urlopen(os.environ[_ECS_METADATA], timeout=2) as answer,  # noqa: S310 - set by ECS
        ):
            digest = json.load(answer).get("ImageID")
    return settings.model_copy(update={"image_digest": digest or None})


def render_example() -> str:
    """Give env.example: every setting with its meaning and default, one block each."""
    blocks = ["# Copy to .env. Every line is optional; an empty value counts as unset."]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else field.default
        words = textwrap.fill(
            field.description or "", 96, initial_indent="# ", subsequent_indent="# "
        )
        examples = [f"# {name.upper()}={example}" for example in field.examples or ()]
        blocks.append("\n".join([words, *examples, f"{name.upper()}={default}"]))
    return "\n\n".join(blocks) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render_example())
