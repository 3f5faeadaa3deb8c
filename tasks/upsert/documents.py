"""The documents of MongoDB: observations and forecasts, with their version and content hash.

No NaN and no infinity is ever stored; a value that was not measured has no key (QARTOD flag 9).
Instants are BSON dates in UTC.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from hashlib import blake2b
from importlib.metadata import version
from typing import Final

import bson
import polars as pl
from polars import selectors as cs

from tasks.common.accounts import SeriesOutcome
from tasks.common.contracts import VARIABLES, Flag, variables_of
from tasks.common.errors import TerminalError
from tasks.common.mongo import Document
from tasks.common.results import Forecasted, Transformed

SCHEMA_VERSION: Final = 1
"""Raised when the shape of documents changes; readers accept this one and the one before."""

MODEL_PACKAGES: Final = ("prophet", "statsforecast", "polars")
"""Packages whose version decides numbers; recorded with every forecast."""

_OUTSIDE_HASH: Final = frozenset({"_id", "run_id", "rev", "hash", "seconds", "data", "provenance"})
_SLICE_ROWS: Final = 5000
_QUANTILES: Final = ("value", "lower80", "upper80", "lower95", "upper95")


def hash_document(document: Document) -> str:
    """Hash what a document says: its BSON without name, version and durations.

    BSON survives the round trip through MongoDB unchanged, so a stored document read back hashes
    the same.
    """
    return _hash({key: value for key, value in document.items() if key not in _OUTSIDE_HASH})


def _hash(content: Document) -> str:
    return blake2b(bson.encode(content), digest_size=16).hexdigest()


def observation_documents(frame: pl.DataFrame, raw_units: Mapping[str, str]) -> Iterator[Document]:
    """Give one document per row of OBSERVATIONS, in its order.

    Args:
        frame: OBSERVATIONS of one source.
        raw_units: the source's unit per variable; the raw value is kept where it differs from
            the canonical unit.
    """
    for rows in frame.iter_slices(_SLICE_ROWS):
        yield from _convert_slice(rows.with_columns(cs.enum().cast(pl.String)), raw_units)


def _convert_slice(rows: pl.DataFrame, raw_units: Mapping[str, str]) -> Iterator[Document]:
    # Columns zipped: three times as fast as to_dicts. Naive instants are UTC to BSON.
    measurements = _measurements(rows, raw_units)
    instants = rows["at"].dt.replace_time_zone(None)
    extracted = rows["extracted_at"].dt.replace_time_zone(None).to_list()
    columns = [rows[name].to_list() for name in ("source_id", "source_key", "line", "maturity")]
    stations = {
        key: {"id": key, "network": key.split(":")[0]} for key in rows["station_id"].unique()
    }
    ids = name_observations(rows)
    for key, station, at, rev, values, source, source_key, line, maturity, extracted_at in zip(
        ids, rows["station_id"], instants.to_list(), rows["rev"], measurements, *columns, extracted,
        strict=True,
    ):  # fmt: skip
        content = {
            "station": stations[station],
            "timestamp": at,
            "measurements": values,
            "metadata": {
                "source": source,
                "source_key": source_key,
                "source_line": line,
                "extracted_at": extracted_at,
                "maturity": maturity,
            },
            "schema_version": SCHEMA_VERSION,
        }
        yield {"_id": key, **content, "rev": rev, "hash": _hash(content)}


def name_observations(rows: pl.DataFrame) -> pl.Series:
    """Give the `_id` of every row of OBSERVATIONS: station and UTC instant."""
    instants = rows["at"].dt.replace_time_zone(None).dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")
    return rows["station_id"].cast(pl.String) + "|" + instants


def _measurements(rows: pl.DataFrame, raw_units: Mapping[str, str]) -> list[Document]:
    """Give, per row, the measured variables: {variable: {value, unit, flag, raw?, raw_unit?}}."""
    measured: list[Document] = [{} for _ in range(rows.height)]
    for variable in variables_of(rows):
        unit = VARIABLES[variable].unit
        raw_unit = raw_units.get(variable, unit)
        values = _finite(rows[variable]).to_list()
        flags = rows[f"{variable}__flag"].fill_null(int(Flag.NOT_EVALUATED)).to_list()
        raw_column = f"{variable}__raw"  # left out where every value is as it was delivered
        raws = _finite(rows[raw_column]).to_list() if raw_column in rows.columns else values
        for row, value, flag, raw in zip(measured, values, flags, raws, strict=True):
            if value is not None:
                row[variable] = {"value": value, "unit": unit, "flag": flag}
            elif raw is not None:  # refused by the physical bounds: shown, but not as a value
                row[variable] = {"value": None, "unit": unit, "flag": flag}
            if raw is not None and (raw_unit != unit or value is None):
                row[variable] |= {"raw": raw, "raw_unit": raw_unit}
    return measured


def _finite(values: pl.Series) -> pl.Series:
    return values.set(~values.is_finite(), None)


def forecast_documents(transformed: Transformed, forecasted: Forecasted) -> list[Document]:
    """Give one document per outcome, sorted by series, not yet named after a run.

    `valid_at` and the quantiles are arrays of one length; both are empty for a withheld series.
    `seconds` (what the fits took) stands outside the hash: another run may take longer.

    Raises:
        TerminalError: a forecast is not a finite number.
    """
    facts = {row["series_id"]: row for row in transformed.series.iter_rows(named=True)}
    by_series = forecasted.points.sort("series_id", "at").partition_by("series_id", as_dict=True)
    models = {package: version(package) for package in MODEL_PACKAGES}
    documents = []
    for outcome in sorted(forecasted.outcomes, key=lambda outcome: outcome.series_id):
        points = by_series.get((outcome.series_id,), forecasted.points.clear())
        document = {
            "series_id": outcome.series_id,
            **_describe_series(facts.get(outcome.series_id, {})),
            "issue_at": forecasted.as_of,
            "horizon_end": forecasted.horizon_end,
            **_describe_outcome(outcome),
            "input_hash": transformed.input_hash,
            "config_hash": forecasted.config_hash,
            "models": models,
            **_to_arrays(points),
            "schema_version": SCHEMA_VERSION,
        }
        documents.append(document | {"hash": hash_document(document)})
    return documents


def _describe_series(row: Mapping[str, object]) -> Document:
    names = ("station_id", "variable", "unit", "step_minutes", "licence")
    return {name: row.get(name) for name in names}


def _describe_outcome(outcome: SeriesOutcome) -> Document:
    """Give the outcome as a document; durations apart, since they are not content."""
    said = asdict(outcome)
    del said["series_id"]
    members = [{k: _keep_finite(v) for k, v in m.items()} for m in said.pop("members")]
    seconds = {"series": said.pop("seconds")} | {m["name"]: m.pop("seconds") for m in members}
    told = {name: _keep_finite(value) for name, value in said.items()}
    return told | {"members": members, "seconds": seconds}


def _to_arrays(points: pl.DataFrame) -> Document:
    for name in _QUANTILES:
        if not points[name].is_finite().all():
            msg = (
                f"The forecast of {points['series_id'][0]} has a {name} that is not a finite "
                "number: this is a fault of the model, withhold the series and report it."
            )
            raise TerminalError(msg)
    instants: Sequence[datetime] = points["at"].dt.replace_time_zone(None).to_list()
    arrays = {name: points[name].to_list() for name in _QUANTILES}
    if points["probability"].count():
        arrays["probability"] = points["probability"].to_list()
    return {"valid_at": instants} | arrays


def _keep_finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def cut_to_milliseconds(instant: datetime) -> datetime:
    """Cut an instant to what a BSON date holds."""
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
