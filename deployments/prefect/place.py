"""Where runs take place: what the work pool is told once, so that no deployment repeats it."""

import json
from pathlib import Path
from typing import Any, Final, Literal

from prefect.utilities.schema_tools.validation import validate
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from tasks.common.errors import ConfigurationError

_TEMPLATE: Final = Path(__file__).with_name("base-job-template.json")


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
    vpc_id: str = Field(pattern=r"^vpc-\w+$", description="Its VPC.")
    subnet_ids: str = Field(description="Subnets, separated by commas; one a zone.")
    security_group_ids: str = Field(
        description="Security groups that MongoDB lets in, separated by commas."
    )
    assign_public_ip: Literal["ENABLED", "DISABLED"] = Field(
        default="DISABLED", description="ENABLED in public subnets without NAT or endpoints."
    )
    cpu_architecture: Literal["X86_64", "ARM64"] = Field(
        default="X86_64", description="What the image was built for."
    )
    execution_role_arn: str = Field(description="Role that fetches image and secrets.")
    aws_credentials_block: str | None = Field(
        default=None, description="AwsCredentials block; ecs:push needs one, a worker none."
    )
    prefect_api_secret_arn: str = Field(
        default="",
        description="Secret of PREFECT_API_KEY (Prefect Cloud) or PREFECT_API_AUTH_STRING (a "
        "server of your own); unset: the API asks for none.",
    )
    alert_webhook_url: SecretStr | None = Field(
        default=None,
        description="Where automations tell what they saw: incoming webhook of Slack, Mattermost "
        "or Google Chat, POST with a text.",
    )

    def fill_template(self, *, cloud: bool = False) -> dict[str, Any]:
        """Give the pool's base job template, with this place as defaults of its variables.

        Raises:
            ConfigurationError: a default breaks the template's own rule for it.
        """
        template = json.loads(_TEMPLATE.read_text())
        properties = template["variables"]["properties"]
        login = "prefect_api_key" if cloud else "prefect_api_auth_string"
        defaults = {
            "cluster": self.ecs_cluster,
            "vpc_id": self.vpc_id,
            "subnets": self.subnet_ids.split(","),
            "security_groups": self.security_group_ids.split(","),
            "assign_public_ip": self.assign_public_ip,
            "cpu_architecture": self.cpu_architecture,
            "execution_role_arn": self.execution_role_arn,
            f"{login}_secret_arn": self.prefect_api_secret_arn,
        }
        for name, value in defaults.items():
            properties[name]["default"] = value
        for fault in validate(defaults, {"type": "object", "properties": properties}):
            msg = f"The pool's {fault.json_path.removeprefix('$.')}: {fault.message}."
            raise ConfigurationError(msg)
        return template


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
