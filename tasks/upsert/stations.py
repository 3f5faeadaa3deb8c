"""Station documents: what is known of a station stays known, and a move is remembered."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import polars as pl
from pymongo.database import Database

from tasks.common.accounts import WriteCounts
from tasks.common.mongo import Document
from tasks.upsert.documents import SCHEMA_VERSION, hash_document
from tasks.upsert.write import write_documents

MOVED_M: Final = 100.0
"""A station found farther than this from its stored place has moved; nearer, it was surveyed."""

_EARTH_RADIUS_M: Final = 6_371_008.8


def write_stations(
    db: Database[Document], stations: pl.DataFrame, *, as_of: datetime
) -> tuple[WriteCounts, tuple[str, ...]]:
    """Store what is known of the stations; give counts, and sentences for the operator."""
    ids = stations["station_id"].to_list()
    stored = {document["_id"]: document for document in db["stations"].find({"_id": {"$in": ids}})}
    documents, notes = station_documents(stations, stored, as_of=as_of)
    return write_documents(db["stations"], documents), tuple(notes)


def station_documents(
    stations: pl.DataFrame, stored: Mapping[str, Document], *, as_of: datetime
) -> tuple[list[Document], list[str]]:
    """Give one document per station; equal content keeps the stored version.

    `location_geo` is a GeoJSON point [longitude, latitude]; a place outside the globe is left out
    and noted. A station that moved keeps its earlier place in `previous_locations` with the
    issue time at which the move was noticed.

    Args:
        stations: as extracted, one row per station.
        stored: what MongoDB holds, by `_id`.
        as_of: issue time of the run; orders two versions of one station.
    """
    documents: list[Document] = []
    notes: list[str] = []
    for row in stations.iter_rows(named=True):
        earlier = stored.get(row["station_id"], {})
        place, doubt = _locate(row)
        moved = _measure_move(earlier.get("location_geo"), place)
        if doubt is not None:
            notes.append(doubt)
        document = _compose(row, earlier, place=place, moved_at=as_of if moved else None)
        content = hash_document(document)
        rev = _next_rev(earlier, content, as_of)
        if moved is not None and rev > earlier["rev"]:
            notes.append(_tell_move(row["station_id"], moved, earlier["location_geo"], place))
        documents.append(document | {"rev": rev, "hash": content})
    return documents, notes


def _compose(
    row: Document, earlier: Document, *, place: Document | None, moved_at: datetime | None
) -> Document:
    """Merge what is said now with what is known: null means not known, never erased."""
    names = ("network", "name", "elevation_m", "licence")
    told = {name: row[name] if row[name] is not None else earlier.get(name) for name in names}
    location = place or earlier.get("location_geo")
    previous = list(earlier.get("previous_locations", []))
    if moved_at is not None:
        previous.append({"location_geo": earlier["location_geo"], "moved_before": moved_at})
    return {
        "_id": row["station_id"],
        **told,
        **({} if location is None else {"location_geo": location}),
        "previous_locations": previous,
        "schema_version": SCHEMA_VERSION,
    }


def _locate(row: Document) -> tuple[Document | None, str | None]:
    """Give the place as GeoJSON, or a sentence why there is none."""
    latitude, longitude = row["latitude"], row["longitude"]
    if latitude is None or longitude is None:
        return None, None
    # Written so that NaN fails too.
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        return None, (
            f"Station {row['station_id']} has latitude {latitude}, longitude {longitude}: "
            "the globe ends at 90 and 180 degrees, so it is stored without this place; "
            "correct its source file or swap the two."
        )
    return {"type": "Point", "coordinates": [longitude, latitude]}, None


def _measure_move(earlier: Document | None, place: Document | None) -> float | None:
    """Give the metres between two places when they are more than `MOVED_M`."""
    if earlier is None or place is None:
        return None
    metres = measure_distance_m(earlier["coordinates"], place["coordinates"])
    return metres if metres > MOVED_M else None


def measure_distance_m(start: list[float], end: list[float]) -> float:
    """Give the metres between two [longitude, latitude] along the great circle.

    Source: haversine formula on the mean radius of the earth (IUGG).

    >>> round(measure_distance_m([3.0, 50.0], [3.0, 51.0]))
    111195
    """
    lon1, lat1, lon2, lat2 = map(math.radians, (*start, *end))
    half = math.sin((lat2 - lat1) / 2) ** 2
    half += math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * _EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(half)))


def _tell_move(station_id: str, metres: float, earlier: Document, place: Document | None) -> str:
    now = (place or earlier)["coordinates"]
    return (
        f"Station {station_id} moved {metres / 1000:.1f} km, from {earlier['coordinates']} to "
        f"{now} (longitude, latitude); its earlier place is kept in previous_locations, and its "
        "history mixes both: check that they are one site."
    )


def _next_rev(earlier: Document, content: str, as_of: datetime) -> str:
    """Give the stored version for equal content, else one of this issue time, after the stored.

    A later issue time wins; within one, the later run (somebody corrected the source file).
    """
    if earlier.get("hash") == content:
        return earlier["rev"]
    stamp = f"{as_of.astimezone(UTC):%Y%m%dT%H%M%S.%f}Z"
    known, _, correction = earlier.get("rev", "|0").partition("|")
    return f"{stamp}|{int(correction) + 1 if known == stamp else 0:04d}"
