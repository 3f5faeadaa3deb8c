"""A setting that cannot be carried out says so in one sentence, without secrets."""

import pytest

from tasks.common.errors import ConfigurationError
from tasks.common.settings import load_settings, redact_uri


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
