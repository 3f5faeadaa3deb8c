"""Files into cases: what is history, what is truth, and what is refused."""

import gzip
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.common.errors import ConfigurationError
from tests.bench.cases import Cut, cut_column, parse_step, pick_cases, read_csv, read_m4

HOUR = timedelta(hours=1)
FIRST = datetime(2024, 1, 1)  # noqa: DTZ001
M4 = "id,split,values(;-separated)\nH1,train,1;2;3\nH1,test,4;5\nH2,test,7\nH2,train,6;6.5\n"


def write(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def write_hours(path: Path, hours: int) -> Path:
    rows = [f"{FIRST + place * HOUR},{place},{place % 7}," for place in range(hours)]
    return write(path, "\n".join(["ds,a,b,empty", *rows]))


@pytest.mark.parametrize("name", ["m4.csv", "m4.csv.gz"])
def test_a_file_of_m4_is_a_case_per_id(tmp_path: Path, name: str):
    first, second = read_m4(write(tmp_path / name, M4), "hourly")
    assert (first.id, first.values.tolist(), first.truth.tolist()) == ("H1", [1, 2, 3], [4, 5])
    assert (second.values.tolist(), second.step, second.season) == ([6, 6.5], HOUR, 24)


def test_weeks_and_days_have_no_season_for_m4(tmp_path: Path):
    path = write(tmp_path / "m4.csv", M4)
    assert [read_m4(path, name)[0].season for name in ("weekly", "daily")] == [1, 1]


def test_columns_are_cut_into_history_and_truth(tmp_path: Path):
    path = write_hours(tmp_path / "load.csv.gz", 400)
    cases = read_csv(path, time="ds", columns=["a", "b"], cut=Cut(HOUR, 12, 3, 5))
    assert len(cases) == 6
    assert cases[0].values.tolist() == list(range(120))
    assert cases[0].truth.tolist() == list(range(120, 132))
    assert cases[2].truth[-1] == 399
    assert cases[2].first == FIRST + (399 - 12 - 119) * HOUR


def test_without_a_choice_every_column_with_numbers_is_taken(tmp_path: Path):
    path = write_hours(tmp_path / "load.csv", 400)
    cases = read_csv(path, time="ds", columns=[], cut=Cut(HOUR, 12, 1, 5))
    assert [case.id.split("@")[0] for case in cases] == ["load.csv:a", "load.csv:b"]


def test_a_repeated_hour_is_averaged_and_a_missing_one_is_a_gap(tmp_path: Path):
    times = ["00:00", "01:00", "02:00", "02:00", "04:00", "05:00", "06:00", "07:00"]
    rows = [f"2024-10-27 {at},{place}" for place, at in enumerate(times)]
    path = write(tmp_path / "autumn.csv", "\n".join(["at,mw", *rows]))
    (case,) = read_csv(path, time="at", columns=["mw"], cut=Cut(HOUR, 2, 1, 1))
    known = np.concatenate([case.values, case.truth])
    assert known[:3].tolist() == [0, 1, 2.5]
    assert np.isnan(known[3])


def test_times_with_an_offset_become_utc(tmp_path: Path):
    rows = [f"2024-10-27T{hour:02}:00+02:00,{hour}" for hour in range(9)]
    path = write(tmp_path / "offset.csv", "\n".join(["ds,mw", *rows]))
    (case,) = read_csv(path, time="ds", columns=["mw"], cut=Cut(HOUR, 2, 1, 1))
    assert case.first == datetime(2024, 10, 26, 22)  # noqa: DTZ001


@given(
    hours=st.integers(40, 200),
    edges=st.tuples(st.integers(0, 20), st.integers(0, 20)),
    horizon=st.integers(1, 8),
    origins=st.integers(1, 5),
)
def test_every_case_is_one_unbroken_piece_of_the_known_span(
    hours: int, edges: tuple[int, int], horizon: int, origins: int
):
    values = np.arange(hours + sum(edges), dtype=float)
    values[: edges[0]] = np.nan
    values[len(values) - edges[1] :] = np.nan
    cases = cut_column(values, where="x", first=FIRST, cut=Cut(HOUR, horizon, origins, 1))
    assert len({case.id for case in cases}) == origins
    for case in cases:
        piece = np.concatenate([case.values, case.truth])
        assert (np.diff(piece) == 1).all()
        assert len(case.truth) == horizon
        assert (case.first - FIRST) / HOUR == piece[0]


def test_an_origin_that_knows_too_little_is_left_out():
    values = np.arange(300.0)
    values[150:260] = np.nan
    cases = cut_column(values, where="x", first=FIRST, cut=Cut(HOUR, 24, 6, 2))
    assert 0 < len(cases) < 6
    assert all(np.isfinite(case.truth).mean() >= 0.5 for case in cases)


def test_a_limit_picks_evenly(tmp_path: Path):
    path = write_hours(tmp_path / "load.csv", 400)
    cases = read_csv(path, time="ds", columns=["a"], cut=Cut(HOUR, 12, 9, 2))
    assert [cases.index(case) for case in pick_cases(cases, 3)] == [0, 4, 8]
    assert pick_cases(cases, 20) == cases


@pytest.mark.parametrize(
    ("text", "minutes"), [("15m", 15), ("30min", 30), ("1h", 60), ("1d", 1440), ("2w", 20160)]
)
def test_a_step_is_a_number_and_a_unit(text: str, minutes: int):
    assert parse_step(text) == timedelta(minutes=minutes)


def read_bad_csv(folder: Path, *, columns: str = "a", hours: int = 400) -> None:
    path = write_hours(folder / "load.csv", hours)
    read_csv(path, time="ds", columns=[columns], cut=Cut(HOUR, 48, 4, 5))


BAD = {
    "no file": (lambda d: read_m4(d / "none.csv", "hourly"), "There is no file"),
    "no test": (
        lambda d: read_m4(write(d / "m.csv", "id,split,v\nW1,train,1;2\n"), "weekly"),
        "has train of W1: give one train and one test row",
    ),
    "no number": (
        lambda d: read_m4(write(d / "m.csv", "id,split,v\nW1,train,1;x\n"), "weekly"),
        "W1, train: could not convert",
    ),
    "no M4": (lambda d: read_m4(write(d / "m.csv", "ds,y\n1,2\n"), "weekly"), "has columns ds, y"),
    "empty": (lambda d: read_m4(write(d / "m.csv", ""), "weekly"), "is no CSV with a header"),
    "no column": (lambda d: read_bad_csv(d, columns="c"), "no column 'c': choose among ds, a"),
    "empty column": (lambda d: read_bad_csv(d, columns="empty"), "holds 0 steps"),
    "too short": (lambda d: read_bad_csv(d, hours=90), "holds 90 steps"),
    "no time": (
        lambda d: read_csv(
            write(d / "t.csv", "ds,a\nsoon,1\n"), time="ds", columns=["a"], cut=Cut(HOUR, 1, 1)
        ),
        "no time that can be read, such as",
    ),
    "no step": (lambda _: parse_step("hourly"), "--step is 'hourly': give a number and"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_is_told_in_one_sentence(tmp_path: Path, name: str):
    read, words = BAD[name]
    with pytest.raises(ConfigurationError, match=words) as told:
        read(tmp_path)
    assert str(told.value).count("\n") == 0
