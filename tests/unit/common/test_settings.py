"""A setting that cannot be carried out says so in one sentence, without secrets."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tasks.common.errors import ConfigurationError
from tasks.common.settings import Settings, add_image_digest, load_settings, redact_uri


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MONGODB_URI", "")
    assert load_settings().mongodb_uri is None


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("FORECAST_WORKERS", "many", "Setting FORECAST_WORKERS is 'many'"),
        ("ENVIRONMENT", "moon", "Setting ENVIRONMENT is 'moon'"),
        ("MONGODB_URI", "http://u:secret@h", r"MONGODB_URI is \(hidden\): .*mongodb://"),
        ("MONGODB_URI", "mongodb://u:se@secret@h", r"MONGODB_URI is \(hidden\): .*%40"),
    ],
)
def test_a_bad_value_is_named_with_its_rule(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
):
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=said) as caught:
        load_settings()
    assert "secret" not in str(caught.value)


def test_a_redacted_uri_keeps_hosts_and_loses_the_password():
    shown = redact_uri("mongodb://user:p%40ss@a:1,b:2/?replicaSet=rs0")
    assert shown == "mongodb://a:1,b:2/?replicaSet=rs0"


def test_the_digest_of_the_image_is_as_set_or_as_its_name_ends():
    digest, other = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
    named = Settings(image=f"registry/forecast:v1@{digest}")
    assert add_image_digest(named).image_digest == digest
    assert add_image_digest(named.model_copy(update={"image_digest": other})).image_digest == other
    assert add_image_digest(Settings(image="forecast:v1")).image_digest is None


@pytest.mark.parametrize(
    ("body", "digest"),
    [
        ('{"ImageID": "sha256:cafe", "DockerId": "1"}', "sha256:cafe"),
        ("{}", None),
        ("<html>", None),
    ],
)
def test_on_ecs_the_agent_knows_the_digest(
    monkeypatch: pytest.MonkeyPatch, body: str, digest: str | None
):
    class Agent(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keep it out of the output of the tests."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Agent) as agent:
        Thread(target=agent.serve_forever).start()
        monkeypatch.setenv(
            "ECS_CONTAINER_METADATA_URI_V4", f"http://127.0.0.1:{agent.server_port}/v4/1"
        )
        found = add_image_digest(Settings()).image_digest
        agent.shutdown()
    assert found == digest
    assert add_image_digest(Settings()).image_digest is None  # nobody answers any more
