"""Credentials that come from a Prefect block instead of the environment."""

from collections.abc import Iterator

import pytest
from prefect.testing.utilities import prefect_test_harness
from prefect_aws import AwsCredentials
from pydantic import SecretStr

from tasks.common.errors import ConfigurationError
from tasks.common.objects import open_store
from tests.fixtures.object_servers import S3Server


@pytest.fixture
def prefect_api(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PREFECT_LOGGING_TO_API_ENABLED", "false")
    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.mark.usefixtures("prefect_api")
@pytest.mark.xdist_group("prefect")
def test_a_block_of_prefect_replaces_the_environment(
    s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
    secret = SecretStr(s3_server.secret_key)
    block = AwsCredentials(aws_access_key_id=s3_server.access_key, aws_secret_access_key=secret)
    block.save("lake")
    store = open_store(s3_server.uri, s3_server.settings(aws_credentials_block="lake"))
    assert store.put_if_absent("key", b"body")
    with pytest.raises(ConfigurationError, match=r"'no-such'.* correct AWS_CREDENTIALS_BLOCK\.$"):
        open_store(s3_server.uri, s3_server.settings(aws_credentials_block="no-such"))
