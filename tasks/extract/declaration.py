"""The vocabulary in which a source is declared: one YAML file, no code.

Every key is described here; unknown keys, units, zones, variables and decoders are refused.
Columns are found by name after folding: accents and case do not count, `_`, `-` and blanks
are the same, and a `?` in the file stands for any one character (a spreadsheet's lost accent).
"""

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from tasks.common.contracts import VARIABLES, convert_factor
from tasks.common.errors import ConfigurationError
from tasks.extract.words import Capture, Format, JsonPath, Names, Separator, Variable, Zone


class Declared(BaseModel):
    """Frozen, and strict about keys: a misspelt key is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class FieldRule(Declared):
    """Where one variable is found and in which unit it is delivered."""

    columns: Names
    """Names the column has had, the preferred first."""
    path: JsonPath | None = None
    """JSONPath of the value in a column that holds JSON: `$.temperature_2m_mean[0]`."""
    unit: str
    """Unit of the delivered values; never taken from their text."""
    suffixes: tuple[str, ...] = ()
    """Texts that may follow a number ('°F'); a cell with another one is rejected as
    unexpected_suffix, since its unit is in doubt."""
    decode: Literal["number", "compass16", "resetting_counter"] = "number"
    """compass16: N, NNE, North, ... to degrees. resetting_counter: a total that starts anew at any
    hour, to increments; the first of an object is null."""


class TextRule(Declared):
    """Where a text is found."""

    columns: Names
    """Names the column has had, the preferred first."""
    path: JsonPath | None = None
    """JSONPath of the text in a column that holds JSON: `$.time[0]`."""
    formats: Annotated[tuple[Format, ...], Field(min_length=1)]
    """strftime formats. One is chosen for a whole object, the one that reads most of its texts, so
    that day and month are never swapped from row to row; of equals that under which the times lie
    closest together, then the first."""


class TimeRule(Declared):
    """Where the instant of a record comes from: the first of these that the object offers.

    An `instant` column; `date` and `clock` columns (`date` alone, which is its midnight, where no
    clock is declared); a `clock` column with the sheet's date; a `clock` column rolling over from
    the first day named by the object's key, else by `first_days`. Without any of them the object
    is quarantined (undated).
    """

    zone: Zone
    """IANA zone of times that carry no offset."""
    instant: TextRule | None = None
    """Column with date and time."""
    date: TextRule | None = None
    """Column with the local date."""
    clock: TextRule | None = None
    """Column with the local time."""
    sheets: tuple[Format, ...] = ()
    """Formats of a workbook's sheet names (or of _ab_sheet_name). A format counts only if the
    sheets are consecutive days under it: 011024 would else read both ways."""
    path: dict[Capture, Format] = {}
    """First days that keys name: regular expression with a group, and its format."""
    first_days: dict[str, dt.date] = {}
    """First day per glob on the key, for undated objects."""
    ambiguous: Literal["earliest", "latest", "by_order"] = "earliest"
    """Which of the two autumn hours a local time means; by_order: the second once the clock has
    gone back within the object."""
    label: Literal["start", "end"] = "start"
    """Whether a stamp marks the start or the end of its step."""

    @model_validator(mode="after")
    def _has_a_column(self) -> Self:
        if not (self.instant or self.date or self.clock):
            msg = "names no column; declare instant, or date and clock, or clock alone"
            raise ValueError(msg)
        return self


class StationRule(Declared):
    """Which station a record belongs to: exactly one of a constant, columns, or the key."""

    value: str | None = None
    """The one station of this source."""
    columns: tuple[str, ...] = ()
    """Columns that hold it."""
    path: Capture | None = None
    """Regular expression on the key; its group is the station."""
    map: dict[str, str] = {}
    """From delivered texts to ids; when given, a record of a text that is neither here nor an id of
    it is rejected (unknown_station)."""


class StationFacts(Declared):
    """What is known of a station."""

    name: str | None = None
    """Name for people."""
    latitude: float | None = Field(default=None, ge=-90, le=90)
    """Degrees north."""
    longitude: float | None = Field(default=None, ge=-180, le=180)
    """Degrees east."""
    elevation_m: float | None = None
    """Metres above sea level."""
    licence: str | None = None
    """Licence, if not the source's."""
    keys: tuple[str, ...] = ()
    """Globs on the key that mean this station when no id is in it."""


class RecordsRule(Declared):
    """Where the records lie inside a JSON answer."""

    path: str
    """Dotted path of a list of records, or of an object of lists by station. Where it is missing,
    what has a declared variable's column is a record itself."""
    ignore: tuple[str, ...] = ()
    """Keys of that object to pass over."""
    units: str | None = None
    """Path of an object that tells the unit of each column, after a comma ("mean wind speed,km/h").
    An answer that tells another one than the field's `suffixes` is rejected (unexpected_unit)."""
    stations: str | None = None
    """Path of a list of {id, name, latitude, longitude, elevation, license}; it overrides the
    declared stations."""

    @property
    def first(self) -> str:
        """Give the first step of the path."""
        return self.path.partition(".")[0]


class MaturityRule(Declared):
    """Which of two vintages of an observation is the more final."""

    columns: Names
    """Columns that name the vintage."""
    order: Names
    """Words found in them, from the least final to the most."""


class Source(Declared):
    """One source: which objects it explains, and what their columns mean."""

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    """Name of the source and of its file."""
    network: str = Field(pattern=r"^[a-z0-9_]+$")
    """First part of its station ids."""
    match: Names
    """Globs on object keys, case ignored; `*` crosses `/`, and a glob may match any tail of whole
    path segments. Where two sources match, the longer glob wins.
    The format is told by the content: JSON, delimited text, workbook or Parquet; plain, or in gz,
    zst or a zip of one file."""
    step: dt.timedelta = Field(gt=dt.timedelta(0))
    """Native step, ISO 8601 (PT5M, P1D)."""
    licence: str
    """Attribution to publish with every series."""
    revision: int = Field(default=1, ge=1, le=9999)
    """Raise it when the same text means another value."""
    records: RecordsRule | None = None
    """Only for nested JSON."""
    separators: tuple[Separator, ...] = Field(default=("\t", ";", ","), min_length=1)
    """Separators tried on delimited text."""
    decimal_comma: bool = False
    """Whether 18,92 is a number."""
    footer: tuple[str, ...] = ()
    """Globs of whole lines that are no records (a disclaimer)."""
    missing: tuple[str, ...] = ("", "-", "--", "---", "ND", "N/A", "null", "None")
    """Cell texts that mean: not measured; case ignored."""
    station: StationRule
    """Where the station comes from."""
    stations: dict[str, StationFacts] = {}
    """Facts by station id."""
    time: TimeRule
    """Where the instant comes from."""
    maturity: MaturityRule | None = None
    """Order of vintages."""
    fields: dict[Variable, FieldRule] = Field(min_length=1)
    """One entry per variable."""
    ignore: tuple[str, ...] = ()
    """Globs of known columns that are not read; others are reported as new."""

    @field_validator("fields")
    @classmethod
    def _check_units(cls, fields: dict[str, FieldRule]) -> dict[str, FieldRule]:
        for name, rule in fields.items():
            try:
                convert_factor(rule.unit, VARIABLES[name].unit)
            except ConfigurationError as error:
                fault = PydanticCustomError("unit", "{said}", {"said": str(error)})
                where = InitErrorDetails(type=fault, loc=(name, "unit"), input=rule.unit)
                raise ValidationError.from_exception_data("fields", [where]) from None
        return fields

    @field_validator("station")
    @classmethod
    def _check_station(cls, rule: StationRule) -> StationRule:
        given = [rule.value is not None, bool(rule.columns), rule.path is not None]
        if sum(given) != 1:
            msg = "needs exactly one of value, columns, path"
            raise ValueError(msg)
        return rule

    @field_validator("time")
    @classmethod
    def _check_clock(cls, rule: TimeRule, info: ValidationInfo) -> TimeRule:
        is_daily = info.data.get("step", dt.timedelta.max) >= dt.timedelta(days=1)
        if rule.date and not rule.clock and not is_daily:
            msg = "a date alone is of steps of a day or more; declare time.clock beside time.date"
            raise ValueError(msg)
        return rule
