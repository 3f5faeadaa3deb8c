"""The documents of MongoDB: observations and forecasts, with their version and content hash.

No NaN and no infinity is ever stored; a value that was not measured has no key (QARTOD flag 9).
Instants are BSON dates in UTC.
"""

import math
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from importlib.metadata import version
from typing import Final

import bson
import polars as pl
from polars import selectors as cs

from tasks.common.accounts import SeriesOutcome
from tasks.common.contracts import VARIABLES, Flag
from tasks.common.errors import TerminalError
from tasks.common.mongo import Document
from tasks.common.results import Forecasted, Transformed
from tasks.common.scores import QUANTILES
from tasks.common.settings import Settings
from tasks.upsert.encoding import Encoded, encode_table, hash_content

SCHEMA_VERSION: Final = 1
"""Raised when the shape of documents changes; readers accept this one and the one before."""

MODEL_PACKAGES: Final = ("prophet", "statsforecast", "scikit-learn", "polars")
"""Packages whose version decides numbers; recorded with every forecast."""

_SERIES: Final = ("station_id", "variable", "unit", "step_minutes", "licence")
_DATA: Final = (
    *("expected", "present", "gaps", "longest_gap_h", "newest_at", "freshness_h"),
    *("suspect", "failed"),
)
_OUTSIDE_HASH: Final = frozenset({"_id", "run_id", "rev", "hash", "seconds", "data", "provenance"})


def hash_document(document: Document) -> str:
    """Hash what a document says: its BSON without name, version and durations.

    BSON survives the round trip through MongoDB unchanged, so a stored document read back hashes
    the same.
    """
    said = {key: value for key, value in document.items() if key not in _OUTSIDE_HASH}
    return hash_content(bson.encode(said))


def encode_observations(rows: pl.DataFrame, raw_units: Mapping[str, str]) -> list[Encoded]:
    """Give one document per row of OBSERVATIONS.

    Args:
        rows: OBSERVATIONS of one source.
        raw_units: the source's unit per variable; the raw value is kept where it differs from
            the canonical unit.
    """
    return encode_table(_prepare(rows), partial(_describe_observations, raw_units))


def _prepare(rows: pl.DataFrame) -> pl.DataFrame:
    """Add names, and null what is not a number; naive instants are UTC to BSON."""
    numbers = rows.select(cs.float()).columns
    return rows.with_columns(
        cs.enum().cast(pl.String),
        cs.datetime().dt.replace_time_zone(None).dt.cast_time_unit("ms"),
        *(pl.when(pl.col(name).is_finite()).then(name).alias(name) for name in numbers),
        cs.ends_with("__flag").fill_null(int(Flag.NOT_EVALUATED)),
        pl.col("station_id").cast(pl.String).str.split(":").list.first().alias("network"),
        name_observations(rows).alias("_id"),
    )


def _describe_observations(raw_units: Mapping[str, str], told: Document) -> Document:
    return {
        "station": {"id": told["station_id"], "network": told["network"]},
        "timestamp": told["at"],
        "measurements": _measurements(told, raw_units),
        "metadata": {
            "source": told["source_id"],
            "source_key": told["source_key"],
            "source_line": told["line"],
            "extracted_at": told["extracted_at"],
            "maturity": told["maturity"],
        },
        "schema_version": SCHEMA_VERSION,
    }


def name_observations(rows: pl.DataFrame) -> pl.Series:
    """Give the `_id` of every row of OBSERVATIONS: station and UTC instant."""
    instants = rows["at"].dt.replace_time_zone(None).dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")
    return rows["station_id"].cast(pl.String) + "|" + instants


def _measurements(told: Document, raw_units: Mapping[str, str]) -> Document:
    """Give the measured variables: {variable: {value, unit, flag, raw?, raw_unit?}}."""
    measured: Document = {}
    for variable in (name for name in VARIABLES if name in told):
        unit = VARIABLES[variable].unit
        raw_unit = raw_units.get(variable, unit)
        value = told[variable]
        # left out where every value is as it was delivered
        raw = told.get(f"{variable}__raw", value)
        if value is None and raw is None:
            continue
        # A value that the physical bounds refused is shown as raw only.
        measured[variable] = {"value": value, "unit": unit, "flag": told[f"{variable}__flag"]}
        if raw is not None and (raw_unit != unit or value is None):
            measured[variable] |= {"raw": raw, "raw_unit": raw_unit}
    return measured


def forecast_documents(
    transformed: Transformed, forecasted: Forecasted, *, settings: Settings
) -> list[Document]:
    """Give one document per outcome, sorted by series, not yet named after a run.

    `valid_at` and the quantiles are arrays of one length; both are empty for a withheld series.
    Outside the hash stand `seconds` (what the fits took), `data` (how good the series' data are)
    and `provenance`: the same numbers from a slower machine, or from another image or revision,
    are the same forecast, and what is stored first stays.

    Args:
        transformed: the history.
        forecasted: the forecasts of `transformed`.
        settings: tell the revision and the image of what computed them.

    Raises:
        TerminalError: a forecast is not a finite number.
    """
    facts = {row["series_id"]: row for row in transformed.series.iter_rows(named=True)}
    by_series = forecasted.points.sort("series_id", "at").partition_by("series_id", as_dict=True)
    models = {package: version(package) for package in MODEL_PACKAGES}
    origin = describe_origin(forecasted, settings)
    documents = []
    for outcome in sorted(forecasted.outcomes, key=lambda outcome: outcome.series_id):
        points = by_series.get((outcome.series_id,), forecasted.points.clear())
        known = facts.get(outcome.series_id, {})
        document = {
            "series_id": outcome.series_id,
            **{name: known.get(name) for name in _SERIES},
            "issue_at": forecasted.as_of,
            "horizon_end": forecasted.horizon_end,
            **_describe_outcome(outcome),
            "input_hash": transformed.input_hash,
            "config_hash": forecasted.config_hash,
            "models": models,
            **_to_arrays(points),
            "schema_version": SCHEMA_VERSION,
        }
        data = {name: known[name] for name in _DATA if name in known}
        told = {"hash": hash_document(document), "data": data, "provenance": origin}
        documents.append(document | told)
    return documents


def describe_origin(forecasted: Forecasted, settings: Settings) -> Document:
    """Tell what computed a run; null: not known, as outside an image."""
    return {
        "git_sha": settings.git_sha,
        "image": settings.image,
        "image_digest": settings.image_digest,
        "python": platform.python_version(),
        "seed": forecasted.configuration.get("seed"),
    }


def _describe_outcome(outcome: SeriesOutcome) -> Document:
    """Give the outcome as a document; durations apart, since they are not content."""
    said = dict(vars(outcome))  # dataclasses.asdict would copy every number of every member
    del said["series_id"]
    members = [
        {k: _keep_finite(v) for k, v in vars(m).items()} | {"values": list(m.values)}
        for m in said.pop("members")
    ]
    seconds = {"series": said.pop("seconds")} | {m["name"]: m.pop("seconds") for m in members}
    told = {name: _keep_finite(value) for name, value in said.items()}
    return told | {"members": members, "seconds": seconds}


def _to_arrays(points: pl.DataFrame) -> Document:
    for name in QUANTILES:
        if not points[name].is_finite().all():
            msg = (
                f"The forecast of {points['series_id'][0]} has a {name} that is not a finite "
                "number: this is a fault of the model, withhold the series and report it."
            )
            raise TerminalError(msg)
    instants: Sequence[datetime] = points["at"].dt.replace_time_zone(None).to_list()
    arrays = {name: points[name].to_list() for name in QUANTILES}
    if points["probability"].count():
        arrays["probability"] = points["probability"].to_list()
    return {"valid_at": instants} | arrays


def _keep_finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def cut_to_milliseconds(instant: datetime) -> datetime:
    """Cut an instant to what a BSON date holds."""
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
