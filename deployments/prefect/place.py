"""Where runs take place: what the work pool is told once, so that no deployment repeats it."""

import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from prefect.utilities.schema_tools.validation import validate
from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tasks.common.errors import ConfigurationError

_TEMPLATE: Final = Path(__file__).with_name("base-job-template.json")

Names = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(lambda text: text.split(",") if isinstance(text, str) else text),
]
"""Names in one variable, separated by commas."""


class Place(BaseSettings):
    """The pool of one environment and what its tasks run in; from the environment only.

    An empty variable counts as unset.
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)

    ecs_work_pool: str = Field(description="Name of the work pool.")
    ecs_work_pool_type: Literal["ecs", "ecs:push"] = Field(
        default="ecs", description="ecs: a worker starts tasks; ecs:push: Prefect Cloud does."
    )
    ecs_cluster: str = Field(description="Cluster that tasks run in.")
    ecs_vpc_id: str = Field(pattern=r"^vpc-\w+$", description="Its VPC.")
    ecs_subnets: Names = Field(description="Subnets, separated by commas; one a zone.")
    ecs_security_groups: Names = Field(description="Security groups that MongoDB lets in.")
    ecs_assign_public_ip: Literal["ENABLED", "DISABLED"] = Field(
        default="DISABLED", description="ENABLED in public subnets without NAT or endpoints."
    )
    ecs_cpu_architecture: Literal["X86_64", "ARM64"] = Field(
        default="X86_64", description="What the image was built for."
    )
    ecs_execution_role_arn: str = Field(description="Role that fetches image and secrets.")
    ecs_log_group: str = Field(description="Log group of the runs.")
    aws_credentials_block: str | None = Field(
        default=None, description="AwsCredentials block; ecs:push needs one, a worker none."
    )
    prefect_api_key_secret_arn: str = Field(
        default="", description="Secret with PREFECT_API_KEY: Prefect Cloud with a worker."
    )
    prefect_api_auth_string_secret_arn: str = Field(
        default="", description="Secret with PREFECT_API_AUTH_STRING: a server of your own."
    )

    def fill_template(self) -> dict[str, Any]:
        """Give the pool's base job template, with this place as defaults of its variables.

        Raises:
            ConfigurationError: a default breaks the template's own rule for it.
        """
        template = json.loads(_TEMPLATE.read_text())
        properties = template["variables"]["properties"]
        told = self.model_dump(mode="json", exclude={"ecs_work_pool", "ecs_work_pool_type"})
        defaults = {name.removeprefix("ecs_"): value for name, value in told.items()}
        for name in defaults.keys() & properties.keys():
            properties[name]["default"] = defaults[name]
        rules = {name: rule for name, rule in properties.items() if name in defaults}
        for fault in validate(defaults, {"type": "object", "properties": rules}):
            msg = f"Variable {fault.json_path.removeprefix('$.').upper()}: {fault.message}."
            raise ConfigurationError(msg)
        return template


class Alerts(BaseSettings):
    """Where automations tell what they saw."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)

    alert_webhook_url: SecretStr | None = Field(
        default=None,
        description="Incoming webhook of Slack, Mattermost or Google Chat: POST with a text.",
    )


def load_place() -> Place:
    """Read the place.

    Raises:
        ConfigurationError: a variable is unset or breaks its rule; all of them are named.
    """
    try:
        return Place()
    except ValidationError as error:
        said = [
            f"{str(fault['loc'][0]).upper()} is unset"
            if fault["type"] == "missing"
            else f"{str(fault['loc'][0]).upper()} is {fault['input']!r}: {fault['msg']}"
            for fault in error.errors(include_url=False)
        ]
        msg = f"The work pool's place is not told: {'; '.join(said)}; see deploy-on-ecs.md."
        raise ConfigurationError(msg) from None
