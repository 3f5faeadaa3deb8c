"""A small run by hand: one demand series with a model, one hostile station without."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from tasks.common.accounts import Member, SeriesOutcome, Tally, WriteCounts
from tasks.common.contracts import HISTORY, POINTS, QUARANTINE
from tasks.common.results import Extracted, Forecasted, ObjectOutcome, Transformed, Written

AS_OF = datetime(2019, 10, 23, 20, tzinfo=UTC)  # a Wednesday, 22:00 in Paris
DEMAND = "rte:32:electricity_demand"
HOSTILE = "evil:<script>|`:air_temperature"


def give_extracted(tally: Tally | None = None) -> Extracted:
    counts = tally or Tally(100, 90, 6, 1, {"bad_json": 3})
    return Extracted(
        as_of=AS_OF,
        lake="lake",
        output="lake",
        sources={},
        parts=(),
        objects=(
            ObjectOutcome("raw/a.jsonl", "e", 1, "00", "a", "h", "read", counts),
            ObjectOutcome("raw/[b].gz", "e", 1, "00", "b", "h", "quarantined", reason="cut short"),
            ObjectOutcome("raw/c.jsonl", "e", 1, None, "a", "h", "known"),
        ),
        stations=pl.DataFrame(),
        quarantine=pl.DataFrame(schema=QUARANTINE),
        cells={"not_a_number": 2},
        scratch=Path(),
    )


def give_transformed(tally: Tally | None = None, week: Tally | None = None) -> Transformed:
    counts = tally or Tally(100, 90, 6, 1, {"bad_json": 3})
    series = pl.DataFrame(
        {
            "series_id": [DEMAND, HOSTILE],
            "station_id": ["rte:32", "evil:<script>|`"],
            "variable": ["electricity_demand", "air_temperature"],
            "unit": ["MW", "degC"],
            "step_minutes": [60, 60],
            "expected": [100, 10],
            "present": [96, 5],
            "gaps": [4, 5],
            "longest_gap_h": [1.0, 5.0],
            "newest_at": [AS_OF - timedelta(hours=1), AS_OF - timedelta(days=30)],
            "freshness_h": [1.0, 720.0],
            "suspect": [0, 1],
            "failed": [0, 0],
            "licence": ["RTE, Licence Ouverte", "<i>none</i>"],
        }
    )
    return Transformed(
        as_of=AS_OF,
        history=pl.DataFrame(schema=HISTORY),
        series=series,
        gaps=pl.DataFrame(),
        stations=pl.DataFrame(
            {"station_id": ["rte:32", "evil:<script>|`"], "name": ["Hauts-de-France", None]}
        ),
        files=(),
        manifest_key="m",
        tally=counts,
        observations=90,
        input_hash="1" * 64,
        output="lake",
        week=week or counts,
    )


def give_forecasted() -> Forecasted:
    start = datetime(2019, 10, 23, 20, tzinfo=UTC)
    instants = [start + timedelta(hours=n) for n in range(266 + 1)]  # one hour more in autumn
    points = pl.DataFrame(
        {
            "series_id": [DEMAND] * len(instants),
            "at": instants,
            "value": [5000.0 + n for n in range(len(instants))],
            "lower80": 4900.0,
            "upper80": 5100.0,
            "lower95": 4800.0,
            "upper95": 5200.0,
            "probability": None,
        },
        schema=POINTS,
    )
    outcomes = (
        SeriesOutcome(
            DEMAND,
            "model",
            "The combination beat the better naive.",
            (Member("prophet", 200.0, 1.0, 3.0),),
            published="combination",
            naive="naive_364d",
            mae=200.0,
            naive_mae=250.0,
            skill=0.2,
            coverage80=0.8,
            coverage95=0.95,
        ),
        SeriesOutcome(HOSTILE, "withheld", "Newest value is 30 days old | <b>."),
    )
    return Forecasted(
        AS_OF, instants[-1] + timedelta(hours=1), points, outcomes, "2" * 64, seconds=12.0
    )


def give_written() -> Written:
    counts = {"forecasts": WriteCounts(2, 2)}
    return Written("2019-W43-22222222-11111111", counts, True, None, "mongodb://h/forecast_2_0")
