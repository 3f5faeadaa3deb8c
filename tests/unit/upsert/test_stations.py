"""A station's document remembers."""

import math
from datetime import timedelta

import pytest

from tasks.common.mongo import Document
from tasks.upsert.stations import station_documents
from tests.unit.upsert.frames import AS_OF, STATION, stations

WEEK = timedelta(days=7)


@pytest.fixture
def known() -> dict[str, Document]:
    """The station as the first run stores it."""
    documents, _ = station_documents(stations(), {}, as_of=AS_OF)
    return {document["_id"]: document for document in documents}


def test_a_place_is_stored_longitude_first(known: dict[str, Document]):
    assert known[STATION]["location_geo"] == {"type": "Point", "coordinates": [3.10, 50.57]}
    assert known[STATION]["previous_locations"] == []


def test_equal_content_keeps_its_version_in_later_weeks(known: dict[str, Document]):
    (again,), notes = station_documents(stations(), known, as_of=AS_OF + WEEK)
    assert again == known[STATION]
    assert notes == []


def test_a_station_that_moved_keeps_its_earlier_place(known: dict[str, Document]):
    (moved,), notes = station_documents(stations(50.60), known, as_of=AS_OF + WEEK)
    earlier = {"location_geo": known[STATION]["location_geo"], "moved_before": AS_OF + WEEK}
    assert moved["previous_locations"] == [earlier]
    assert moved["rev"] > known[STATION]["rev"]
    assert "moved 3.3 km" in notes[0]


def test_a_station_surveyed_anew_has_not_moved(known: dict[str, Document]):
    (surveyed,), notes = station_documents(stations(50.5708), known, as_of=AS_OF + WEEK)
    assert (surveyed["previous_locations"], notes) == ([], [])
    assert surveyed["location_geo"]["coordinates"] == [3.10, 50.5708]


def test_what_is_no_longer_told_stays_known(known: dict[str, Document]):
    (again,), _ = station_documents(stations(None, None), known, as_of=AS_OF + WEEK)
    assert again["location_geo"] == known[STATION]["location_geo"]


@pytest.mark.parametrize(
    ("latitude", "longitude"), [(120.0, 3.0), (3.0, 181.0), (math.nan, 3.0), (50.0, math.inf)]
)
def test_a_place_outside_the_globe_is_noted_and_left_out(latitude: float, longitude: float):
    (document,), notes = station_documents(stations(latitude, longitude), {}, as_of=AS_OF)
    assert "location_geo" not in document
    assert str(latitude) in notes[0]


def test_a_correction_within_one_issue_time_wins_over_the_first(known: dict[str, Document]):
    (corrected,), _ = station_documents(stations(50.5708), known, as_of=AS_OF)
    (twice,), _ = station_documents(stations(50.5709), {STATION: corrected}, as_of=AS_OF)
    assert known[STATION]["rev"] < corrected["rev"] < twice["rev"]


def test_an_older_week_run_again_does_not_win(known: dict[str, Document]):
    (older,), notes = station_documents(stations(50.60), known, as_of=AS_OF - WEEK)
    assert older["rev"] < known[STATION]["rev"]
    assert notes == []
