"""Nobody names an issue time on a Wednesday: the run takes the hour it was scheduled for."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prefect import flow

from tasks.extract.task import extract
from tests.flows.command import require_shared_data, type_line
from tests.shell import documented, make_checkout

TEMPERATURES = "temperature-quotidienne-regionale_HDF_2016-2023.csv"


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    folder = tmp_path / "lake"
    folder.mkdir()
    body = (require_shared_data() / "demand" / TEMPERATURES).read_bytes()
    (folder / TEMPERATURES).write_bytes(body)
    return folder


@pytest.mark.usefixtures("prefect_server")
def test_a_run_without_an_issue_time_takes_the_hour_of_its_start(lake: Path):
    @flow
    def probe() -> datetime:
        return extract(lake=str(lake)).as_of

    taken = probe()
    assert type(taken) is datetime  # not pendulum's: its arithmetic drops a zone it does not know
    assert (taken.tzinfo, taken.minute, taken.second, taken.microsecond) == (UTC, 0, 0, 0)
    assert timedelta(0) <= datetime.now(UTC) - taken < timedelta(hours=2)


def test_a_run_of_today_over_old_data_goes_to_its_end_and_says_why_it_failed(
    lake: Path, tmp_path: Path, mongodb_uri: str, database_name: str
):
    ran = type_line(
        documented(".venv/bin/python -m flows.forecast --deadline 10"),
        cwd=make_checkout(tmp_path),
        LAKE_URI=str(lake),
        MONGODB_URI=mongodb_uri,
        MONGODB_DATABASE=database_name,
    )
    assert ran.code == 1, ran.err
    assert ran.out.startswith("FAILED: none of 1 series could be published")
    assert "days old at the issue time" in " ".join(ran.out.split())
