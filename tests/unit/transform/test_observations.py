"""Of many objects one observation per station and instant remains: the most final one."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.common.contracts import OBSERVATION_KEYS
from tasks.common.results import SourceFacts
from tasks.transform.observations import Observed, build_observations, group_parts
from tests.unit.transform.given import AS_OF, FACTS, Landed, at, extracted, readings

FEW = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NOON = at("10-07 12:00")
EARLIER = AS_OF - timedelta(days=7)


def observe(
    folder: Path, *objects: Landed, facts: SourceFacts = FACTS, sequence: int = 1
) -> list[Observed]:
    made = extracted(folder, *objects, sources=(facts,))
    groups = group_parts(made.parts, made.sources)
    observed = (
        build_observations(parts, facts, month, sequence=sequence)
        for (_, month), parts in groups.items()
    )
    return [month for month in observed if month.received]


def test_an_observation_has_its_value_what_was_delivered_and_a_flag(tmp_path: Path):
    (made,) = observe(tmp_path, Landed("a", readings([NOON], {"air_temperature": [56.2]})))
    row = made.frame.row(0, named=True)
    assert row["air_temperature"] == pytest.approx(13.4444, abs=1e-4)
    assert (row["air_temperature__raw"], row["air_temperature__flag"]) == (56.2, 1)
    assert made.frame.columns[: len(OBSERVATION_KEYS)] == list(OBSERVATION_KEYS)
    assert row["rev"] == "00|00000000|20241106T210000.000000Z|0001|000001"


def test_what_was_delivered_is_told_apart_only_where_it_differs(tmp_path: Path):
    instants = [NOON, NOON + timedelta(hours=1)]
    (as_is,) = observe(tmp_path, Landed("a", readings(instants, {"relative_humidity": [80, 81]})))
    (refused,) = observe(
        tmp_path, Landed("a", readings(instants, {"relative_humidity": [80, 181]}))
    )
    assert "relative_humidity__raw" not in as_is.frame.columns
    assert refused.frame["relative_humidity__raw"].to_list() == [80, 181]
    assert refused.frame["relative_humidity"].to_list() == [80, None]


VERSIONS: list[dict[str, Any]] = [
    {"maturity": 0, "generation": 8, "extracted_at": AS_OF},
    {"maturity": 1, "generation": 1, "extracted_at": EARLIER},
    {"maturity": 1, "generation": 2, "extracted_at": EARLIER},
    {"maturity": 1, "generation": 2, "extracted_at": AS_OF},
]
"""From the weakest to the strongest."""


@pytest.mark.parametrize("weaker", [0, 1, 2])
def test_maturity_beats_generation_beats_extraction(tmp_path: Path, weaker: int):
    # The stronger comes under the smaller key: only its version can make it win.
    strong = readings([NOON], {"wind_speed": [2.0]}, **VERSIONS[weaker + 1])
    weak = readings([NOON], {"wind_speed": [1.0]}, **VERSIONS[weaker])
    (made,) = observe(tmp_path, Landed("a", strong), Landed("b", weak))
    assert made.frame["wind_speed__raw"].to_list() == [2.0]
    assert (made.received, made.frame.height) == (2, 1)


@FEW
@given(order=st.permutations(range(4)))
def test_the_order_of_objects_changes_nothing(tmp_path: Path, order: list[int]):
    objects = [
        Landed(
            f"object-{place}",
            readings(
                [NOON + timedelta(minutes=5 * n) for n in (place, place + 1)],
                {"wind_speed": [place, place + 10]},
                station=f"wu:{'AB'[place % 2]}",
                **version,
            ),
        )
        for place, version in enumerate(VERSIONS)
    ]
    (expected,) = observe(tmp_path, *objects)
    (made,) = observe(tmp_path, *(objects[place] for place in order))
    assert made.frame.equals(expected.frame)
    assert made.frame.select("station_id", "at").is_unique().all()


def test_observations_are_sorted_by_station_and_instant(tmp_path: Path):
    mixed = pl.concat(
        readings([NOON - timedelta(hours=n)], {"wind_speed": [n]}, station=f"wu:{name}")
        for n in range(3)
        for name in "CAB"
    )
    (made,) = observe(tmp_path, Landed("a", mixed))
    assert made.frame.equals(made.frame.sort("station_id", "at"))


def test_variables_that_only_some_objects_hold_are_missing_in_the_others(tmp_path: Path):
    objects = [
        Landed("a", readings([NOON], {"wind_speed": [1.0]})),
        Landed("b", readings([NOON + timedelta(hours=1)], {"relative_humidity": [80.0]})),
    ]
    (made,) = observe(tmp_path, *objects)
    assert made.frame["wind_speed__flag"].to_list() == [1, 9]
    assert made.frame["relative_humidity__flag"].to_list() == [9, 1]


def test_stamps_at_the_end_of_steps_move_to_their_start_across_months(tmp_path: Path):
    facts = replace(FACTS, label="end", step=timedelta(minutes=30))
    instants = [at("10-31 23:30"), at("11-01 00:00"), at("11-01 00:30")]
    frame = readings(instants, {"wind_speed": [1.0, 2.0, 3.0]})
    october, november = observe(tmp_path, Landed("a", frame), facts=facts)
    assert october.frame["at"].to_list() == [at("10-31 23:00"), at("10-31 23:30")]
    assert november.frame["at"].to_list() == [at("11-01 00:00")]
    assert october.received + november.received == 3


def test_a_raised_revision_makes_a_newer_version(tmp_path: Path):
    landed = Landed("a", readings([NOON], {"wind_speed": [1.0]}))
    revisions = [observe(tmp_path, landed, facts=replace(FACTS, revision=n)) for n in (2, 10)]
    older, newer = (made.frame["rev"].item() for (made,) in revisions)
    assert older < newer


def test_a_later_reading_of_the_same_extraction_is_a_newer_version_and_a_revision_outranks_it(
    tmp_path: Path,
):
    landed = Landed("a", readings([NOON], {"wind_speed": [1.0]}))
    raised = replace(FACTS, revision=2)
    readings_ = [(FACTS, 9), (FACTS, 10), (raised, 1)]
    made = [observe(tmp_path, landed, facts=f, sequence=n)[0] for f, n in readings_]
    revs = [one.frame["rev"].item() for one in made]
    assert revs == sorted(set(revs))
