"""How a stored forecast came about, and one of its values taken apart."""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from tasks.common.errors import ConfigurationError
from tasks.common.mongo import Document
from tasks.common.scores import QUANTILES

_SERIES: Final = ("series_id", "station_id", "variable", "unit", "step_minutes", "licence")
_DATA: Final = ("trained_from", "trained_to", "trained_rows", "windows")
_RUN: Final = (
    *("_id", "verdict", "reasons", "issue_at", "horizon_end", "completed_at", "published_at"),
    *("input_hash", "sequence", "manifest_key", "output", "config_hash", "configuration"),
)
_APART: Final = frozenset(
    {*_SERIES, *_DATA, *_RUN, *QUANTILES, "valid_at", "probability", "components", "members"}
    | {"seconds", "data", "provenance", "models", "run_id", "rev", "hash", "schema_version"}
)
_LOGARITHMIC: Final = ("wind_speed", "wind_speed_of_gust")
_DAY_MINUTES: Final = 1440


def explain_forecast(run: Document, document: Document, at: datetime | None = None) -> Document:
    """Give blocks of names and values: result, data, members, run, and what it was made by.

    Whatever else a forecast says of itself stands in `result`. With `at`, the first block takes
    the step apart that this instant lies in.

    Raises:
        ConfigurationError: the forecast does not reach there.
    """
    seconds = document.get("seconds", {})
    members = [one | {"seconds": seconds.get(one["name"])} for one in document["members"]]
    provenance = document.get("provenance", {"git_sha": run.get("git_sha")})
    told = {
        "series": _take(document, _SERIES),
        "result": _take(document, (name for name in document if name not in _APART)),
        "data": _take(document, _DATA) | document.get("data", {}),
        "members": sorted(members, key=lambda one: -one["weight"]),
        "run": _take(run, _RUN),
        "made by": provenance | {"versions": document["models"]},
    }
    return told if at is None else {"value": explain_step(document, find_step(document, at))} | told


def _take(document: Document, names: Iterable[str]) -> Document:
    return {name: document[name] for name in names if name in document}


def find_step(document: Document, at: datetime) -> int:
    """Find the step of a forecast that an instant lies in.

    Raises:
        ConfigurationError: the forecast does not reach there.
    """
    starts, step = document["valid_at"], timedelta(minutes=document["step_minutes"] or 60)
    for number, start in enumerate(starts):
        if start <= at < start + step:
            return number
    reach = "nowhere, since it was withheld"
    if starts:
        reach = f"from {starts[0]:%Y-%m-%d %H:%M}Z to {starts[-1] + step:%Y-%m-%d %H:%M}Z"
    msg = (
        f"The forecast of {document['series_id']} does not hold {at.isoformat()}: it goes {reach}; "
        "name an instant within."
    )
    raise ConfigurationError(msg)


def explain_step(document: Document, number: int) -> Document:
    """Take one step of a forecast apart: what was published, and Prophet's terms.

    `terms` sum to `prophet`, in the scale of the fit; `log` tells that this is log(1 + x), and
    `prophet_value` is in the unit of the series. `prophet_weight` is its part in the combination.
    """
    terms = {name: values[number] for name, values in document.get("components", {}).items()}
    told: Document = {"at": document["valid_at"][number]}
    told |= {name: document[name][number] for name in QUANTILES}
    if not terms:
        return told
    log = document["variable"] in _LOGARITHMIC and document["step_minutes"] < _DAY_MINUTES
    prophet = math.fsum(terms.values())
    weights = {member["name"]: member["weight"] for member in document["members"]}
    return told | {
        "terms": terms,
        "prophet": prophet,
        "log": log,
        "prophet_value": math.expm1(prophet) if log else prophet,
        "prophet_weight": weights.get("prophet", 0.0),
    }
