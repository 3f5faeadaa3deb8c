"""Documents say what the frames say, and nothing that is not a number."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import bson
import polars as pl
import pytest
from bson.codec_options import CodecOptions
from hypothesis import given
from hypothesis import strategies as st

from tasks.common.errors import TerminalError
from tasks.common.mongo import Document
from tasks.common.results import Forecasted
from tasks.common.settings import Settings
from tasks.upsert.documents import encode_observations, forecast_documents, hash_document
from tests.unit.upsert.frames import DEMAND, WIND, forecasted, observations, transformed

AWARE = CodecOptions(tz_aware=True)


def read(frame: pl.DataFrame, raw_units: dict[str, str] | None = None) -> list[Document]:
    """Give the documents that are made of a frame, as a reader gets them."""
    encoded = encode_observations(frame, raw_units or {})
    return [bson.decode(body, AWARE) for _, _, body, _ in encoded]


def test_an_observation_is_named_after_station_and_utc_instant():
    (document,) = read(observations([8.5]), {"air_temperature": "degF"})
    assert document["_id"] == "infoclimat:00052|2019-11-04T00:00:00Z"
    assert document["station"] == {"id": "infoclimat:00052", "network": "infoclimat"}
    assert document["metadata"]["source_line"] == 1


def test_observations_within_one_second_keep_names_of_their_own():
    frame = observations([8.5]).with_columns(pl.col("at") + timedelta(milliseconds=250))
    (document,) = read(frame)
    assert document["_id"].endswith("T00:00:00.250Z")


def test_the_raw_value_is_kept_where_the_source_has_another_unit():
    (converted,) = read(observations([10.0]), {"air_temperature": "degF"})
    (as_is,) = read(observations([10.0]), {"air_temperature": "degC"})
    expected = {"value": 10.0, "unit": "degC", "flag": 1}
    assert as_is["measurements"]["air_temperature"] == expected
    raw = {"raw": 50.0, "raw_unit": "degF"}
    assert converted["measurements"]["air_temperature"] == expected | raw


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_has_no_key(value: float | None):
    (document,) = read(observations([value]), {"air_temperature": "degF"})
    assert document["measurements"] == {}


def test_a_value_beyond_the_bounds_shows_its_raw_value_and_no_other():
    frame = observations([85.0]).with_columns(
        air_temperature=pl.lit(None, pl.Float64), air_temperature__flag=pl.lit(4, pl.UInt8)
    )
    (document,) = read(frame, {"air_temperature": "degC"})
    refused = {"value": None, "unit": "degC", "flag": 4, "raw": 185.0, "raw_unit": "degC"}
    assert document["measurements"]["air_temperature"] == refused


def test_a_raw_value_that_is_not_a_number_is_left_out():
    frame = observations([10.0]).with_columns(air_temperature__raw=pl.lit(math.nan))
    (document,) = read(frame, {"air_temperature": "degF"})
    assert "raw" not in document["measurements"]["air_temperature"]


def test_values_without_a_raw_column_are_as_they_were_delivered():
    frame = observations([10.0]).drop("air_temperature__raw")
    told = [read(frame, {"air_temperature": unit}) for unit in ("degC", "K")]
    values = [document["measurements"]["air_temperature"] for (document,) in told]
    assert values[0] == {"value": 10.0, "unit": "degC", "flag": 1}
    assert values[1]["raw"] == 10.0


def test_texts_that_come_as_enum_give_the_same_document():
    plain = observations([10.0, 11.0])
    texts = ("station_id", "rev", "source_id", "source_key")
    coded = plain.cast({name: pl.Enum(plain[name].unique().sort()) for name in texts})
    assert read(coded) == read(plain)


def test_a_frame_without_variables_still_gives_its_rows():
    bare = observations([1.0, 2.0]).drop(pl.selectors.starts_with("air_temperature"))
    assert [document["measurements"] for document in read(bare)] == [{}, {}]


@given(st.floats(-40, 50), st.datetimes(timezones=st.just(UTC)))
def test_the_hash_survives_the_way_through_bson(value: float, at: datetime):
    document = {"at": at, "value": value, "line": 7, "empty": {}}
    stored = bson.decode(bson.encode(document | {"_id": "a", "rev": "1"}), AWARE)
    assert hash_document(stored) == hash_document(document)


def tell(made: Forecasted) -> list[Document]:
    return forecast_documents(transformed(), made, settings=Settings())


def test_the_hash_ignores_durations_and_nothing_else():
    _, slow = tell(forecasted(seconds=9.0))
    _, fast = tell(forecasted(seconds=1.0))
    _, other = tell(forecasted(demand=6000.1))
    assert slow["seconds"] != fast["seconds"]
    assert slow["hash"] == fast["hash"] != other["hash"]


def test_a_published_series_holds_its_points_and_how_it_was_made():
    documents = {d["series_id"]: d for d in tell(forecasted())}
    demand = documents[DEMAND]
    assert len(demand["valid_at"]) == len(demand["lower95"]) == 24
    assert (demand["unit"], demand["published"]) == ("MW", "combination")
    assert demand["members"][1] == {
        "name": "naive_364d", "mae": None, "weight": 0.0, "failure": "no history of 364 days",
        "values": [],
    }  # fmt: skip


def test_the_terms_of_the_headline_and_the_chance_of_rain_are_stored():
    made = forecasted()
    (first, *rest) = made.outcomes
    terms = {"trend": (1.5,) * 24, "residuals": (-0.5,) * 24}
    told = replace(
        made,
        outcomes=(replace(first, components=terms), *rest),
        points=made.points.with_columns(probability=pl.lit(0.25)),
    )
    wet, dry = (
        next(d for d in tell(one) if d["series_id"] == first.series_id) for one in (told, made)
    )
    stored = bson.decode(bson.encode(wet))
    assert stored["components"] == {name: list(term) for name, term in terms.items()}
    assert stored["probability"] == [0.25] * 24
    assert ("probability" in dry, hash_document(stored)) == (False, wet["hash"])


def test_a_withheld_series_says_why_and_has_no_points():
    documents = {d["series_id"]: d for d in tell(forecasted())}
    assert documents[WIND]["reason"] == "the newest value is 20 days old"
    assert documents[WIND]["valid_at"] == documents[WIND]["value"] == []


def test_a_forecast_that_is_not_a_number_is_never_stored():
    with pytest.raises(TerminalError, match=rf"{DEMAND} has a value"):
        tell(forecasted(demand=math.inf))
