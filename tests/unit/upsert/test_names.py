"""Names of runs, checksums, and what is said of a database that is wrongly named."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from pymongo.errors import AutoReconnect, BulkWriteError

from tasks.common.errors import ConfigurationError
from tasks.common.mongo import connect, is_retryable, locate_database
from tasks.common.settings import Settings
from tasks.upsert.publish import name_run, sum_hashes


@pytest.mark.parametrize(
    ("as_of", "week"),
    [
        pytest.param("2019-11-06T22:00+01:00", "2019-W45", id="a Wednesday"),
        pytest.param("2018-12-30T23:30+00:00", "2019-W01", id="Monday in Paris, Sunday in UTC"),
        pytest.param("2021-01-03T12:00+00:00", "2020-W53", id="week of the year before"),
    ],
)
def test_a_run_is_named_after_the_iso_week_in_paris(as_of: str, week: str):
    name = name_run(datetime.fromisoformat(as_of), "c" * 64, "1" * 64)
    assert name.startswith(f"{week}-cccccccc-")


def test_runs_are_told_apart_by_input_and_issue_time_whatever_its_zone():
    wednesday = datetime.fromisoformat("2019-11-06T22:00+01:00")
    issued = (wednesday, wednesday.astimezone(UTC), wednesday + timedelta(minutes=1))
    paris, utc, later = (name_run(one, "c" * 64, "1" * 64) for one in issued)
    assert paris == utc
    assert len({paris, later, name_run(wednesday, "c" * 64, "2" * 64)}) == 3


@given(st.lists(st.integers(0, 2**128 - 1).map("{:032x}".format)), st.randoms())
def test_a_checksum_does_not_depend_on_the_order(hashes: list[str], random: Random):
    shuffled = random.sample(hashes, len(hashes))
    assert sum_hashes(shuffled) == sum_hashes(hashes)


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("mongodb://u:s3cret/ss@mongo-1:27017/", id="password not encoded"),
        pytest.param("mongodb://u:s3cret@mongo-1:port/", id="port not a number"),
        pytest.param("mongodb://u:s3cret@mongo-1/?tls=perhaps", id="option"),
        pytest.param("mongodb://", id="no host"),
    ],
)
def test_a_uri_that_cannot_be_read_is_told_without_its_password(uri: str):
    settings = Settings(mongodb_uri=SecretStr(uri))
    with pytest.raises(ConfigurationError, match="MONGODB_URI") as caught, connect(settings):
        pass
    assert "s3cret" not in str(caught.value)
    assert "ss" not in str(caught.value).replace("password", "")


def test_a_missing_uri_names_the_setting(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MONGODB_URI", raising=False)
    with pytest.raises(ConfigurationError, match="MONGODB_URI is not set"):
        locate_database(Settings())


def test_a_database_is_named_by_its_hosts_only():
    uri = "mongodb://user:s3cret@mongo-1:27017,mongo-2:27018/admin?replicaSet=rs0"
    settings = Settings(mongodb_uri=SecretStr(uri), mongodb_database="wx")
    assert locate_database(settings) == "mongodb://mongo-1:27017,mongo-2:27018/wx"


@pytest.mark.parametrize(
    ("write_errors", "concern_errors", "expected"),
    [
        pytest.param([], [64], True, id="applied, not acknowledged"),
        pytest.param([11000], [64], True, id="lost race, not acknowledged"),
        pytest.param([], [100], False, id="too few members"),
        pytest.param([121], [64], False, id="document refused"),
        pytest.param([11000], [], False, id="lost race only"),
    ],
)
def test_a_batch_is_retried_only_when_its_fate_is_open(
    write_errors: list[int], concern_errors: list[int], *, expected: bool
):
    details = {
        "writeErrors": [{"code": code} for code in write_errors],
        "writeConcernErrors": [{"code": code} for code in concern_errors],
    }
    assert is_retryable(BulkWriteError(details)) is expected
    assert is_retryable(AutoReconnect("gone"))
