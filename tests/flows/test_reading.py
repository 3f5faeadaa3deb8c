"""Reading as a person does, by command, on a real server: data on stdout, remarks on stderr."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from pymongo import MongoClient
from pymongo.database import Database

from flows.console import app
from tasks.common.errors import ConfigurationError, PipelineError, TerminalError
from tasks.common.mongo import Document
from tasks.common.results import Forecasted
from tasks.common.settings import Settings
from tasks.upsert.pointer import read_pointer
from tasks.upsert.run import write_run
from tests.flows.command import Ran, run_module, type_line
from tests.shell import ROOT, documented, make_checkout
from tests.unit.upsert.frames import AS_OF, DEMAND, WIND, forecasted, processed, transformed

WEEK = timedelta(days=7)
TERMS = {"trend": tuple(range(24)), "weekly": (0.5,) * 24, "holidays": (-0.25,) * 24}


@dataclass(frozen=True)
class Told:
    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()


Ask = Callable[..., Told]
Type = Callable[[str], Ran]


@pytest.fixture
def configured(
    mongo_settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> dict[str, str]:
    """Configure the database of this test, and nothing else."""
    assert mongo_settings.mongodb_uri is not None
    place = {
        "MONGODB_URI": mongo_settings.mongodb_uri.get_secret_value(),
        "MONGODB_DATABASE": mongo_settings.mongodb_database,
    }
    monkeypatch.chdir(tmp_path)
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    return place


@pytest.fixture
def ask(configured: object, capfdbinary: pytest.CaptureFixture[bytes]) -> Ask:  # noqa: ARG001 - order
    """Run a command of `python -m flows.forecast`."""

    def run(*words: str) -> Told:
        capfdbinary.readouterr()
        code = app(words, exit_on_error=False, result_action="return_value")
        captured = capfdbinary.readouterr()
        return Told(code, captured.out, captured.err.decode())

    return run


@pytest.fixture
def typed(configured: dict[str, str], tmp_path: Path) -> Type:
    """Type a line of the documents in a checkout."""
    make_checkout(tmp_path)
    return lambda line: type_line(line, cwd=tmp_path, **configured)


def publish(db: Database[Document], forecast: Forecasted) -> str:
    history = transformed(as_of=forecast.as_of)
    nothing = processed().fetch
    return write_run(db, history, forecast, fetch=nothing, settings=Settings()).run_id


def explained(forecast: Forecasted, *, series_id: str = DEMAND) -> Forecasted:
    """Give the forecast with Prophet's terms, under another name if wanted."""
    demand, wind = forecast.outcomes
    values = ((5000.0,) * 24, (5500.0,) * 24)
    said = zip(("prophet", "lags"), (0.7, 0.3), values, strict=True)
    part = demand.members[0]
    members = [replace(part, name=name, weight=share, values=own) for name, share, own in said]
    members.append(demand.members[1])
    named = replace(demand, series_id=series_id, members=tuple(members), components=TERMS)
    points = forecast.points.with_columns(pl.lit(series_id).alias("series_id"))
    return replace(forecast, points=points, outcomes=(named, wind))


def test_a_table_shows_local_time_and_utc_in_100_columns(
    mongo_database: Database[Document], ask: Ask
):
    publish(mongo_database, forecasted())
    told = ask("latest", DEMAND)
    assert "Wed 2019-11-06 22:00  2019-11-06 21:00Z  6,000" in told.text
    assert max(map(len, told.text.splitlines())) <= 100


def test_the_run_is_the_one_of_the_pointer(mongo_database: Database[Document], typed: Type):
    publish(mongo_database, forecasted(demand=5000.0))
    later = publish(mongo_database, forecasted(as_of=AS_OF + WEEK))
    publish(mongo_database, replace(forecasted(as_of=AS_OF + 2 * WEEK), pattern="rte:*"))
    line = documented(
        ".venv/bin/python -m flows.forecast latest rte:32:electricity_demand --format json"
    )
    told = json.loads(typed(line).out)
    assert told["run_id"] == later
    assert told["series"][0]["value"][0] == 6000.0


def test_files_hold_every_point_and_nothing_else(
    mongo_database: Database[Document], typed: Type, tmp_path: Path
):
    run_id = publish(mongo_database, forecasted())
    one = documented(
        ".venv/bin/python -m flows.forecast latest 'rte:*' --format csv --output demand.csv"
    )
    all_ = documented(
        ".venv/bin/python -m flows.forecast latest '*' --format parquet --output forecasts.parquet"
    )
    told = [typed(line) for line in (one, all_)]
    assert [(ran.code, ran.out) for ran in told] == [(0, ""), (3, "")]  # one series is withheld
    demand = pl.read_csv(tmp_path / "demand.csv")
    for frame in (demand, pl.read_parquet(tmp_path / "forecasts.parquet")):
        assert (frame.shape, set(frame["run_id"])) == ((24, 13), {run_id})


def test_instants_in_csv_are_iso_and_utc(mongo_database: Database[Document], ask: Ask):
    publish(mongo_database, forecasted())
    row = ask("latest", DEMAND, "--format", "csv").text.splitlines()[1]
    assert row.startswith(f"{DEMAND},2019-11-06T21:00:00Z,6000.0,5900.0,6100.0,5800.0,6200.0,,MW")


def test_a_full_disk_is_told_in_one_line(
    mongo_database: Database[Document], configured: dict[str, str], tmp_path: Path
):
    publish(mongo_database, forecasted())
    words = ("latest", DEMAND, "--format", "csv", "--output", "/dev/full")
    told = run_module("flows.forecast", *words, cwd=tmp_path, **configured)
    assert (told.code, told.out) == (1, "")
    assert told.err == "OSError: [Errno 28] No space left on device\n"


def test_a_file_without_a_folder_is_refused(mongo_database: Database[Document], ask: Ask):
    publish(mongo_database, forecasted())
    with pytest.raises(ConfigurationError, match="no folder"):
        ask("latest", DEMAND, "--output", "no/such/file")


def test_a_withheld_series_is_said_to_be_and_exits_3(mongo_database: Database[Document], ask: Ask):
    publish(mongo_database, forecasted())
    told = ask("latest", WIND, "--format", "json")
    assert (told.code, json.loads(told.out)["series"][0]["value"]) == (3, [])
    assert f"{WIND}: the newest value is 20 days old" in told.err


def test_a_forecast_that_is_over_is_said_to_be(mongo_database: Database[Document], ask: Ask):
    publish(mongo_database, forecasted())
    assert "It ended Thu 2019-11-07 22:00 Europe/Paris" in ask("latest", DEMAND).err
    ahead = forecasted(as_of=datetime.now(UTC).replace(microsecond=0))
    publish(mongo_database, ahead)
    assert ask("latest", DEMAND).err == ""


@pytest.mark.parametrize(
    "series",
    [
        "rte:32:electricty_demand",
        "$where",
        "$ne",
        "{'$ne': ''}",
        "rte.32.electricity_demand",
        ".*",
        "rte:[",
        "a\0b",
        "\udcff",
        "",
    ],
)
def test_a_series_that_is_not_there_is_told_with_near_names(
    mongo_database: Database[Document], ask: Ask, series: str
):
    publish(mongo_database, forecasted())
    with pytest.raises(ConfigurationError, match=r"No series of run .*did you mean") as told:
        ask("latest", series)
    assert DEMAND in str(told.value)


@pytest.mark.parametrize("name", ["a:$where:b.c", "a:$ne", "a:[b]:c", "a:\0:c", "a:\x1b[31m<b>:c"])
def test_a_series_of_any_name_is_read_by_it(
    mongo_database: Database[Document], ask: Ask, name: str
):
    publish(mongo_database, explained(forecasted(), series_id=name))
    told = json.loads(ask("latest", name, "--format", "json").out)
    assert [one["series_id"] for one in told["series"]] == [name]
    table = ask("latest", name).text
    assert "\x1b" not in table
    assert "\0" not in table


def test_what_readers_were_given_at_an_instant_is_remembered(
    mongo_database: Database[Document], ask: Ask
):
    first = publish(mongo_database, forecasted())
    between = datetime.now(UTC).isoformat()
    second = publish(mongo_database, forecasted(as_of=AS_OF + WEEK))
    ask("rollback")
    after = datetime.now(UTC).isoformat()

    def read(as_of: str) -> str:
        return json.loads(ask("latest", DEMAND, "--format", "json", "--as-of", as_of).out)["run_id"]

    turned = read_pointer(mongo_database)["turns"][1]["at"].isoformat()
    assert [read(at) for at in (between, turned, after)] == [first, second, first]


def test_a_week_that_was_computed_afterwards_is_read_by_its_issue_time(
    mongo_database: Database[Document], ask: Ask, typed: Type
):
    first = publish(mongo_database, forecasted())
    publish(mongo_database, forecasted(as_of=AS_OF + WEEK))
    line = documented(
        ".venv/bin/python -m flows.forecast latest rte:32:electricity_demand "
        "--as-of 2019-11-08T09:00+01:00"
    )
    told = typed(line)
    assert told.out.startswith(f"Run {first} ")
    assert "readers were given nothing" in told.err
    with pytest.raises(TerminalError, match="No run was published or issued by 2019-11-01"):
        ask("latest", DEMAND, "--as-of", "2019-11-01T00:00+01:00")


def test_an_explanation_tells_where_the_numbers_come_from(
    mongo_database: Database[Document], ask: Ask, typed: Type
):
    run_id = publish(mongo_database, explained(forecasted()))
    told = json.loads(ask("explain", DEMAND, "--format", "json").out)
    assert (told["run"]["_id"], told["run"]["input_hash"]) == (run_id, "1234567890abcdef")
    assert told["data"]["trained_rows"] == 17_520
    assert told["members"][0] == {
        "name": "prophet", "mae": 120.0, "weight": 0.7, "seconds": 1.5, "failure": None,
    }  # fmt: skip
    assert {"prophet", "polars"} <= set(told["made by"]["versions"])
    line = documented(".venv/bin/python -m flows.forecast explain rte:32:electricity_demand")
    text = typed(line).out
    assert "no history of 364 days" in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_value_is_the_sum_of_prophets_terms(mongo_database: Database[Document], ask: Ask):
    publish(mongo_database, explained(forecasted()))
    words = ("explain", DEMAND, "--at", "2019-11-07T01:30+01:00")
    value = json.loads(ask(*words, "--format", "json").out)["value"]
    assert (value["at"], value["prophet_value"]) == ("2019-11-07T00:00:00Z", 3.25)
    assert value["terms"] == {"trend": 3, "weekly": 0.5, "holidays": -0.25}
    assert "terms trend" in ask(*words).text


def test_a_value_is_what_its_members_say_by_their_weights(
    mongo_database: Database[Document], ask: Ask, typed: Type
):
    publish(mongo_database, explained(forecasted()))
    words = ("explain", DEMAND, "--at", "2019-11-07T01:30+01:00")
    told = json.loads(ask(*words, "--format", "json").out)
    assert [(one["name"], one.get("value"), one["weight"]) for one in told["members"]] == [
        *(("prophet", 5000.0, 0.7), ("lags", 5500.0, 0.3), ("naive_364d", None, 0.0))
    ]
    assert told["value"]["combined"] == pytest.approx(0.7 * 5000 + 0.3 * 5500)
    line = documented(
        ".venv/bin/python -m flows.forecast explain rte:32:electricity_demand "
        "--at 2019-11-08T09:00+01:00"
    )
    text = typed(line.replace("2019-11-08T09:00", "2019-11-07T01:30")).out
    assert re.search(r"lags +value 5,500, mae 120, weight 0.3", text)


def test_directions_are_combined_through_north(mongo_database: Database[Document], ask: Ask):
    publish(mongo_database, explained(forecasted()))
    turned = {"unit": "degree", "members.0.values": [350.0] * 24, "members.1.values": [20.0] * 24}
    mongo_database["forecasts"].update_one({"series_id": DEMAND}, {"$set": turned})
    words = ("explain", DEMAND, "--at", "2019-11-06T21:00Z", "--format", "json")
    assert json.loads(ask(*words).out)["value"]["combined"] == pytest.approx(358.88, abs=0.01)


def test_a_wind_is_explained_in_the_scale_of_its_fit(mongo_database: Database[Document], ask: Ask):
    publish(mongo_database, explained(forecasted(), series_id=WIND + "_of_gust"))
    document = {"variable": "wind_speed", "step_minutes": 60}
    mongo_database["forecasts"].update_many({}, {"$set": document})
    words = ("explain", WIND + "_of_gust", "--at", "2019-11-06T21:00Z", "--format", "json")
    value = json.loads(ask(*words).out)["value"]
    assert value["log"]
    assert value["prophet_value"] == pytest.approx(math.expm1(0.25))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((DEMAND, "--at", "2019-12-01T00:00Z"), "goes from 2019-11-06 21:00Z to 2019-11-07 21:00Z"),
        ((WIND, "--at", "2019-11-07T00:00Z"), "goes nowhere, since it was withheld"),
        (("*",), "matches 2 series"),
        ((DEMAND, "--at", "noon"), "--at is 'noon'"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_cannot_be_explained_is_told(
    mongo_database: Database[Document], ask: Ask, words: tuple[str, ...], said: str
):
    publish(mongo_database, forecasted())
    with pytest.raises(ConfigurationError, match=said.replace("*", "\\*")):
        ask("explain", *words)


def test_a_rollback_says_what_it_did_and_what_readers_see(
    mongo_database: Database[Document], ask: Ask, typed: Type
):
    first = publish(mongo_database, forecasted())
    second = publish(mongo_database, forecasted(as_of=AS_OF + WEEK))
    said = typed(documented(".venv/bin/python -m flows.forecast rollback")).out
    assert f"Rolled back: readers are given run {first}, issued Wed 2019-11-06 22:00" in said
    assert f"`rollback --to {second}` gives it to readers again" in said
    assert ask("rollback", "--to", first).text.startswith("Nothing was done")
    line = documented(".venv/bin/python -m flows.forecast rollback --to 2019-W45-2342a2eb-aa3a8f87")
    again = typed(line.replace("2019-W45-2342a2eb-aa3a8f87", second)).out
    assert f"readers are given run {second}" in again


def test_the_name_of_a_run_gives_a_terminal_no_orders(mongo_database: Database[Document], ask: Ask):
    run_id, odd = publish(mongo_database, forecasted()), "$a \x1b[31m[/b]"
    for name, key in (("forecast_runs", "_id"), ("forecasts", "run_id")):
        for one in list(mongo_database[name].find({key: run_id})):
            renamed = one | {"_id": odd + one["_id"].removeprefix(run_id), key: odd}
            mongo_database[name].insert_one(renamed)
    told = ask("rollback", "--to", odd).text + ask("latest", DEMAND).text
    assert told.count("run $a \ufffd[31m[/b]") + told.count("Run $a \ufffd[31m[/b]") == 2
    assert "\x1b" not in told


@pytest.mark.parametrize("command", [("latest", "*"), ("explain", "*"), ("rollback",)])
def test_before_the_first_run_it_says_so(ask: Ask, command: tuple[str, ...]):
    with pytest.raises(PipelineError, match=r"nothing was published yet|nothing to roll back"):
        ask(*command)


def test_with_nothing_configured_and_nothing_run_no_database_is_started(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.delenv("MONGODB_URI")
    with pytest.raises(ConfigurationError, match=r"no embedded MongoDB is in \.local/mongo: run"):
        ask("latest", "*")
    assert not (tmp_path / ".local").exists()


@pytest.mark.usefixtures("configured")
def test_the_python_of_the_how_to_reads_the_forecast_as_it_stands(
    mongo_database: Database[Document], capsys: pytest.CaptureFixture[str]
):
    publish(mongo_database, forecasted())
    page = (ROOT / "docs/how-to/read-forecasts.md").read_text()
    (program,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    names: dict[str, MongoClient] = {}
    exec(program, names)  # noqa: S102 - it is ours
    names["client"].close()
    assert capsys.readouterr().out.splitlines()[0] == "2019-11-06 21:00Z 6000 MW (5900 to 6100)"
