"""What a record of the older system says, and in which units it really is.

A record is `{station: {id, network, ...}, timestamp, measurements: {name: {value, unit}},
metadata: {ingestion_timestamp}}`. Its units cannot be trusted: Weather Underground delivers
imperial values, which the older system labelled as metric without converting them. The rule:

- Every label must be the metric one of its field, or every label that has both an imperial one;
  anything else: `unknown_unit`. Imperial ones hold, unless the pressure is not 25 to 32.
- Under metric labels, pressure decides. 25 to 32 "hPa" exists nowhere on earth and is any
  weather in inHg: the whole record is imperial (inHg, degF, mph, inch) and is converted, unless
  it holds a length (visibility, snow) that could be miles or inches.
  850 to 1100 is hPa: the record is what it says, unless a temperature is above 50.
- Without pressure, InfoClimat's labels hold (its values always were metric), unless a
  temperature is above 50. All else is `unclear_units`.

Times are texts: with an offset they are what they say; without one they are the clock of their
network, UTC for InfoClimat, Europe/Paris for Weather Underground.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from tasks.transform.records import BROKEN

NETWORKS: Final = {
    "infoclimat": ("infoclimat", ZoneInfo("UTC")),
    "weatherunderground": ("wunderground", ZoneInfo("Europe/Paris")),
}
"""By the older system's name, in small letters without spaces: ours, and its clock."""

FIELDS: Final = {
    "temperature": ("air_temperature", "degC", "degF"),
    "dewpoint": ("dew_point_temperature", "degC", "degF"),
    "humidity": ("relative_humidity", "%", "%"),
    "pressure": ("air_pressure_at_mean_sea_level", "hPa", "inHg"),
    "wind_speed": ("wind_speed", "km h-1", "mph"),
    "wind_gust": ("wind_speed_of_gust", "km h-1", "mph"),
    "wind_direction": ("wind_from_direction", "degree", "degree"),
    "precipitation_rate": ("lwe_precipitation_rate", "mm h-1", "inch h-1"),
    "precipitation_1h": ("precipitation_amount_1h", "mm", "inch"),
    "precipitation_3h": ("precipitation_amount_3h", "mm", "inch"),
    "visibility": ("visibility_in_air", "m", "m"),
    "snow_depth": ("surface_snow_thickness", "cm", "cm"),
    "cloud_cover": ("cloud_area_fraction", "okta", "okta"),
    "weather_code": ("present_weather_code", "code", "code"),
    "uv_index": ("ultraviolet_index", "1", "1"),
    "solar_radiation": ("surface_downwelling_shortwave_flux_in_air", "W m-2", "W m-2"),
}  # fmt: skip
"""Field of the older system: variable, metric unit, imperial unit. `precipitation_accumulated` is
left out and counted: a counter since a reset that the record does not tell."""

_LABELS: Final = {
    "°C": "degC", "°F": "degF", "%": "%", "hPa": "hPa", "inHg": "inHg", "km/h": "km h-1",
    "mph": "mph", "degrees": "degree", "°": "degree", "mm": "mm", "in": "inch", "mm/h": "mm h-1",
    "in/h": "inch h-1", "m": "m", "cm": "cm", "octas": "okta", "omm_code": "code", "index": "1",
    "W/m²": "W m-2",
}  # fmt: skip
_NUMBER_END: Final = 1e300
_INHG: Final = (25.0, 32.0)
_HPA: Final = (850.0, 1100.0)
_HOTTEST_DEGC: Final = 50.0


_T = TypeVar("_T")


class Reading(NamedTuple):
    """A record that was understood.

    Attributes:
        is_imperial: its values are; else metric.
        was_mislabelled: its labels said otherwise.
        values: as delivered, by variable; all of them numbers.
        left_out: fields with a value that has no counterpart.
    """

    network: str
    station_id: str
    at: datetime
    ingested_at: datetime | None
    is_imperial: bool
    was_mislabelled: bool
    values: dict[str, float]
    left_out: tuple[str, ...]


class RecordError(ValueError):
    """A record that cannot be used: the rule it breaks, and why."""

    def __init__(self, rule: str, why: str) -> None:
        """Keep the rule beside the words."""
        super().__init__(why)
        self.rule = rule


def read_record(said: object) -> Reading:
    """Understand one record.

    Raises:
        RecordError: it breaks a rule.
    """
    if said is BROKEN:
        raise RecordError("bad_json", "it is no JSON")
    station, measured = _get(said, "station", dict), _get(said, "measurements", dict)
    id_, named = _get(station, "id", str), _get(station, "network", str)
    known = NETWORKS.get(named.replace(" ", "").casefold())
    if known is None or not id_.strip() or not id_.isprintable():
        raise RecordError("unknown_station", f"network {named!r} and id {id_!r} name no station")
    network, clock = known
    values, labels, left_out = _read_values(measured)
    system = _find_system(values, labels, network=network)
    if not values:
        raise RecordError("blank", "it holds no value")
    at = _find_instant(_get(said, "timestamp", object), clock)
    told = said.get("metadata") if isinstance(said, dict) else None
    stamp = told.get("ingestion_timestamp") if isinstance(told, dict) else None
    ingested = _find_instant(stamp, ZoneInfo("UTC")) if stamp else None
    names = {FIELDS[field][0]: value for field, value in values.items()}
    return Reading(network, f"{network}:{id_.strip()}", at, ingested, *system, names, left_out)


def _get(said: object, name: str, kind: type[_T]) -> _T:
    value = said.get(name) if isinstance(said, dict) else None
    if value is None and name == "timestamp":
        raise RecordError("undated", "it has no timestamp")
    if not isinstance(value, kind):
        raise RecordError("other_schema", f"its {name} is not what the older system wrote")
    return value


def _read_values(measured: dict) -> tuple[dict[str, float], dict[str, str], tuple[str, ...]]:
    """Give values and units by field, and the fields that are left out."""
    values, labels, left_out = {}, {}, []
    for field, cell in measured.items():
        told = cell if isinstance(cell, dict) else {"value": cell}
        value = told.get("value")
        if value is None:
            continue
        if type(value) not in (int, float) or not abs(value) < _NUMBER_END:
            raise RecordError("bad_value", f"{field} is {str(value)[:40]!r}, not a number")
        if field not in FIELDS:
            left_out.append(field)
            continue
        values[field] = float(value)
        labels[field] = _LABELS.get(str(told.get("unit")), "")
    return values, labels, tuple(left_out)


def _find_system(
    values: Mapping[str, float], labels: Mapping[str, str], *, network: str
) -> tuple[bool, bool]:
    """Tell whether a record is imperial, and whether its labels hid it."""
    pressure = values.get("pressure")
    is_inches = pressure is not None and _INHG[0] <= pressure <= _INHG[1]
    is_told = all(labels[field] == FIELDS[field][2] for field in values)
    if is_told and (is_inches or pressure is None):
        return any(FIELDS[field][1] != FIELDS[field][2] for field in values), False
    for field in () if is_told else values:
        if labels[field] != FIELDS[field][1]:
            why = f"{field} is labelled neither like the rest nor {FIELDS[field][1]}"
            raise RecordError("unknown_unit", why)
    hottest = max(values.get(name, 0.0) for name in ("temperature", "dewpoint"))
    if is_inches and not values.keys() & {"visibility", "snow_depth"}:
        return True, True
    is_metric = network == "infoclimat" if pressure is None else _HPA[0] <= pressure <= _HPA[1]
    if is_told or not is_metric or hottest > _HOTTEST_DEGC:
        why = f"pressure {pressure}, temperature up to {hottest:g} and the labels tell no units"
        raise RecordError("unclear_units", why)
    return False, False


def _find_instant(text: object, zone: ZoneInfo) -> datetime:
    stamp = text.get("$date") if isinstance(text, dict) else text
    try:
        instant = datetime.fromisoformat(stamp if isinstance(stamp, str) and stamp[10:] else "")
    except ValueError:
        raise RecordError("bad_timestamp", f"{str(stamp)[:40]!r} is no ISO instant") from None
    if not 1970 <= instant.year <= 2200:
        raise RecordError("bad_timestamp", f"the year {instant.year} is not of our time")
    if instant.tzinfo is None:
        before, after = (instant.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
        if before != after and before is not None and after is not None:
            rule = "ambiguous_local_time" if before > after else "nonexistent_local_time"
            raise RecordError(rule, f"{stamp} is no single instant of {zone.key}")
        instant = instant.replace(tzinfo=zone)
    return instant.astimezone(UTC)
