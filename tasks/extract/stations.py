"""What is known of the stations that were read: declared, or described by the objects."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import polars as pl

from tasks.extract.declaration import Source

STATIONS: Final = pl.Schema(
    dict.fromkeys(["station_id", "network", "name"], pl.String)
    | dict.fromkeys(["latitude", "longitude", "elevation_m"], pl.Float64)
    | {"licence": pl.String}
)
"""One row per station; null where unknown."""


def list_stations(
    ids: Iterable[str], source: Source, described: Iterable[Mapping[str, Any]] = ()
) -> pl.DataFrame:
    """Give STATIONS of the given ids; what an object says of them overrides the declaration."""
    own = {f"{source.network}:{block.get('id')}": _read_block(block) for block in described}
    rows = []
    for station_id in ids:
        declared = source.stations.get(station_id.removeprefix(f"{source.network}:"))
        facts = declared.model_dump(exclude={"keys"}, exclude_none=True) if declared else {}
        row = {"station_id": station_id, "network": source.network, "licence": source.licence}
        rows.append(row | facts | own.get(station_id, {}))
    return pl.DataFrame(rows, schema=STATIONS)


def _read_block(block: Mapping[str, Any]) -> dict[str, Any]:
    facts = {
        "name": str(block["name"]) if block.get("name") else None,
        "latitude": _read_number(block.get("latitude")),
        "longitude": _read_number(block.get("longitude")),
        "elevation_m": _read_number(block.get("elevation")),
    }
    if isinstance(licence := block.get("license"), Mapping):
        told = (licence.get(word) for word in ("license", "source", "url"))
        facts["licence"] = ", ".join(str(word) for word in told if word)
    return {name: value for name, value in facts.items() if value is not None}


def _read_number(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None
