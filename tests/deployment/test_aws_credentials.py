"""Secrets are filled once, renewed on purpose, and never shown: against a moto server."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from cryptography import x509

from deployments.aws.credentials import MEMBERS, USERS, Vault, app
from tasks.common.settings import Settings
from tests.fixtures.object_servers import REGION

pytestmark = pytest.mark.aws
PREFIX = "forecast-staging"
PLACES = (
    *("ca", "ca-key", "keyfile"),
    *(f"certificate-{member}" for member in MEMBERS),
    *(f"uri-{user}" for user in USERS),
)


@pytest.fixture
def vault(moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    """Give places as Terraform makes them: with a name and without a value."""
    given = {"ENDPOINT_URL": moto_endpoint, "REGION": REGION, "DEFAULT_REGION": REGION}
    keys = {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test"}
    for name, value in (given | keys).items():
        monkeypatch.setenv(f"AWS_{name}", value)
    client: Any = boto3.client("secretsmanager")
    for place in PLACES:
        client.create_secret(Name=f"{PREFIX}/{place}")
    yield Vault(PREFIX)
    for place in PLACES:
        client.delete_secret(SecretId=f"{PREFIX}/{place}", ForceDeleteWithoutRecovery=True)


def run(*arguments: str) -> list[str]:
    return app([*arguments, "--prefix", PREFIX], exit_on_error=False, result_action="return_value")


def test_every_place_is_filled_once(vault: Vault):
    assert sorted(run("fill")) == sorted(PLACES)
    before = {place: vault.read(place) for place in PLACES}
    assert run("fill") == []
    assert {place: vault.read(place) for place in PLACES} == before


def test_each_user_has_a_password_of_its_own_in_a_uri_the_settings_accept(vault: Vault):
    run("fill")
    uris = [Settings(mongodb_uri=vault.read(f"uri-{user}")).mongodb_uri for user in USERS]
    passwords = {uri.get_secret_value().split(":")[2].partition("@")[0] for uri in uris if uri}
    assert len(passwords) == len(USERS)
    assert {len(password) for password in passwords} == {48}


def test_a_renewed_certificate_is_of_the_same_authority_and_of_the_members_name(vault: Vault):
    run("fill")
    old, authority = vault.read("certificate-mongo-2"), vault.read("ca")
    assert run("renew") == [f"certificate-{member}" for member in MEMBERS]
    assert vault.read("certificate-mongo-2") != old
    assert vault.read("ca") == authority
    made = x509.load_pem_x509_certificate((vault.read("certificate-mongo-2") or "").encode())
    made.verify_directly_issued_by(x509.load_pem_x509_certificate((authority or "").encode()))
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mongo-2.mongo.internal", "localhost"]


def test_a_rotated_password_is_another_one(vault: Vault):
    run("fill")
    old = vault.read("uri-pipeline")
    assert run("rotate", "pipeline") == ["uri-pipeline"]
    assert vault.read("uri-pipeline") != old


def test_the_command_names_what_it_wrote_and_shows_no_value(vault: Vault):
    ran = subprocess.run(
        [sys.executable, "-m", "deployments.aws.credentials", "fill", "--prefix", PREFIX],
        cwd=Path(__file__).parents[2],
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.splitlines() == [f"written: {place}" for place in run_order(vault)]
    assert "mongodb://" not in ran.stdout


def run_order(vault: Vault) -> list[str]:
    assert vault.read("keyfile")
    return [
        *("ca-key", "ca", "keyfile"),
        *(f"certificate-{member}" for member in MEMBERS),
        *(f"uri-{user}" for user in USERS),
    ]
