"""How a stored forecast came about, and one of its values taken apart."""

import math
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from tasks.common.errors import ConfigurationError
from tasks.common.mongo import Document
from tasks.common.scores import QUANTILES

_SERIES: Final = ("series_id", "station_id", "variable", "unit", "step_minutes", "licence")
_DATA: Final = ("trained_from", "trained_to", "trained_rows", "windows", "temperature")
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
    the step apart that this instant lies in, and every member tells its own value there.

    Raises:
        ConfigurationError: the forecast does not reach there.
    """
    step = None if at is None else find_step(document, at)
    provenance = document.get("provenance", {"git_sha": run.get("git_sha")})
    told = {
        "series": _take(document, _SERIES),
        "result": _take(document, (name for name in document if name not in _APART)),
        "data": _take(document, _DATA) | document.get("data", {}),
        "members": list(_tell_members(document, step)),
        "run": _take(run, _RUN),
        "made by": provenance | {"versions": document["models"]},
    }
    return told if step is None else {"value": explain_step(document, step)} | told


def _tell_members(document: Document, step: int | None) -> Iterator[Document]:
    seconds = document.get("seconds", {})
    for one in sorted(document["members"], key=lambda one: -one["weight"]):
        member = {name: value for name, value in one.items() if name != "values"}
        own = {"value": one["values"][step]} if step is not None and one.get("values") else {}
        yield own | member | {"seconds": seconds.get(one["name"])}


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
    """Take one step of a forecast apart: what was published, its members, and Prophet's terms.

    `combined` is `value` again, from what each member said and its weight. Forecasts from before
    members' values were stored have none.
    `terms` sum to `prophet`, in the scale of the fit; `log` tells that this is log(1 + x), and
    `prophet_value` is in the unit of the series. `prophet_weight` is its part in the combination.
    """
    terms = {name: values[number] for name, values in document.get("components", {}).items()}
    told: Document = {"at": document["valid_at"][number]}
    told |= {name: document[name][number] for name in QUANTILES} | _combine(document, number)
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


def _combine(document: Document, number: int) -> Document:
    weighed = [
        (member["weight"], member["values"][number])
        for member in document["members"]
        if member["weight"] and member.get("values")
    ]
    if not weighed:
        return {}
    if document["unit"] != "degree":
        how = "the sum of every member's value times its weight"
        return {"combined": math.fsum(weight * value for weight, value in weighed), "by": how}
    east, north = (
        math.fsum(weight * wave(math.radians(value)) for weight, value in weighed)
        for wave in (math.sin, math.cos)
    )
    how = "the direction of the members' arrows, each as long as its weight"
    turned = math.degrees(math.atan2(east, north)) % 360 % 360  # -1e-15 % 360 is 360
    return {"combined": turned, "by": how}
