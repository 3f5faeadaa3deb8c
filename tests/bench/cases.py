"""Cases: a history, and what then happened. Read from M4's format, or cut from columns of a CSV."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from tasks.common.errors import ConfigurationError
from tests.bench.scores import Values

DAY: Final = timedelta(days=1)
FREQUENCIES: Final = {
    "hourly": (timedelta(hours=1), 24),
    "daily": (DAY, 1),
    "weekly": (7 * DAY, 1),
}
"""Step and season, as M4 defines them."""

START: Final = datetime(1970, 1, 5)  # noqa: DTZ001
"""M4 published no dates that could be used: every series begins on this Monday."""

SHORT_DAYS: Final = 56
LONG_DAYS: Final = 1825
LEAST_KNOWN: Final = 0.5
"""An origin whose history or truth is known to a lesser share is left out."""


@dataclass(frozen=True, slots=True)
class Case:
    """One history and the truth that followed it.

    Attributes:
        values: training part, one per step, oldest first; NaN is a gap.
        truth: what followed without a hole; its length is the horizon; NaN unknown.
        first: instant of the first value, without a zone: whatever clock the file keeps.
        season: steps of the season that M4's scores count in.
    """

    id: str
    values: Values
    truth: Values
    step: timedelta
    first: datetime
    season: int


@dataclass(frozen=True, slots=True)
class Cut:
    """How a CSV's columns are cut into cases.

    Attributes:
        horizon: steps to forecast.
        origins: of each column, spread evenly.
        history_days: before each origin; None is 56, or 1825 for a step of a day or more.
    """

    step: timedelta
    horizon: int
    origins: int
    history_days: int | None = None

    @property
    def season(self) -> int:
        """Count the steps of a day; 1 for a step of a day or more, as M4 does."""
        return max(1, DAY // self.step)

    @property
    def history(self) -> int:
        """Count the steps of history."""
        days = self.history_days or (SHORT_DAYS if self.step < DAY else LONG_DAYS)
        return max(1, days * DAY // self.step)


def read_m4(path: Path, frequency: str) -> list[Case]:
    """Read the cases of a file of id, split (train or test) and values joined by `;`; gz too.

    Raises:
        ConfigurationError: no such file, another format, or an id without one of its splits.
    """
    frame = _read_strings(path)
    if frame.width != 3 or frame.columns[:2] != ["id", "split"]:
        msg = f"{path} has columns {', '.join(frame.columns)}: M4's are id, split and values."
        raise ConfigurationError(msg)
    step, season = FREQUENCIES[frequency]
    splits: dict[str, dict[str, Values]] = {}
    for name, split, text in frame.iter_rows():
        splits.setdefault(name, {})[split] = _parse_values(text, f"{path}, {name}, {split}")
    for name, parts in splits.items():
        if set(parts) != {"train", "test"}:
            msg = f"{path} has {', '.join(parts)} of {name}: give one train and one test row."
            raise ConfigurationError(msg)
    return [Case(n, p["train"], p["test"], step, START, season) for n, p in splits.items()]


def read_csv(path: Path, *, time: str, columns: Sequence[str], cut: Cut) -> list[Case]:
    """Cut columns of a CSV, all that hold a number when none is named, into cases; gz too.

    Times with an offset become UTC. Rows of one step, such as the repeated hour of autumn, are
    averaged; a missing step is a gap.

    Raises:
        ConfigurationError: no such file or column, no readable time, or too few values.
    """
    frame = _read_strings(path)
    columns = columns or list_numeric(frame.drop(time, strict=False))
    missing = [name for name in (time, *columns) if name not in frame.columns]
    if missing:
        listed = ", ".join(frame.columns)
        msg = f"{path} has no column {missing[0]!r}: choose among {listed}."
        raise ConfigurationError(msg)
    first, places = _place_times(frame[time], cut.step, where=f"{path}, column {time}")
    numbers = [pl.col(name).cast(pl.Float64, strict=False).fill_nan(None) for name in columns]
    table = frame.select(*numbers, place=places).drop_nulls("place").group_by("place").mean()
    steps = table["place"].to_numpy()
    cases = []
    for name in columns:
        values = np.full(int(steps.max()) + 1, np.nan)
        values[steps] = table[name].fill_null(np.nan).to_numpy()
        cases += cut_column(values, where=f"{path.name}:{name}", first=first, cut=cut)
    return cases


def list_numeric(frame: pl.DataFrame) -> list[str]:
    """List the columns that hold a number."""
    numbers = frame.select(pl.all().cast(pl.Float64, strict=False).is_not_null().any())
    return [name for name, holds in zip(numbers.columns, numbers.row(0), strict=True) if holds]


def cut_column(values: Values, *, where: str, first: datetime, cut: Cut) -> list[Case]:
    """Cut one column into cases at origins that are spread evenly over its known span.

    Raises:
        ConfigurationError: its known span holds no such origins.
    """
    known = np.flatnonzero(np.isfinite(values))
    begin, end = (int(known[0]), int(known[-1]) + 1) if known.size else (0, 0)
    span, first = values[begin:end], first + begin * cut.step
    # A span that holds no full history is cut from its half on: some history is better than none.
    earliest, latest = min(cut.history, len(span) // 2), len(span) - cut.horizon
    if latest - earliest < cut.origins - 1 or earliest < cut.horizon:
        msg = (
            f"{where} holds {len(span)} steps between its first and last value: {cut.origins} "
            f"origins with {cut.horizon} steps before and after each need more; ask for less."
        )
        raise ConfigurationError(msg)
    origins = np.linspace(earliest, latest, cut.origins).round().astype(int)
    cases = [_cut_one(span, int(o), where=where, first=first, cut=cut) for o in origins]
    kept = [case for case in cases if _is_known(case.values) and _is_known(case.truth)]
    if not kept:
        msg = f"{where} has too many gaps: no origin has half its history and truth known."
        raise ConfigurationError(msg)
    return kept


def pick_cases(cases: list[Case], limit: int | None) -> list[Case]:
    """Pick so many cases, evenly spread; all without a limit."""
    if limit is None or limit >= len(cases):
        return cases
    return [cases[place] for place in np.linspace(0, len(cases) - 1, limit).round().astype(int)]


def parse_step(text: str) -> timedelta:
    """Read a step such as 15m, 1h, 1d or 1w.

    Raises:
        ConfigurationError: it is written otherwise.
    """
    units = {"m": timedelta(minutes=1), "min": timedelta(minutes=1), "h": timedelta(hours=1)}
    units |= {"d": DAY, "w": 7 * DAY}
    found = re.fullmatch(r"([1-9]\d*)(m|min|h|d|w)", text)
    if found is None:
        msg = f"--step is {text!r}: give a number and m, h, d or w, such as 15m, 1h, 1d or 1w."
        raise ConfigurationError(msg)
    return int(found[1]) * units[found[2]]


def _cut_one(values: Values, origin: int, *, where: str, first: datetime, cut: Cut) -> Case:
    start = max(0, origin - cut.history)
    name = f"{where}@{first + origin * cut.step:%Y-%m-%dT%H:%M}"
    truth = values[origin : origin + cut.horizon]
    return Case(name, values[start:origin], truth, cut.step, first + start * cut.step, cut.season)


def _is_known(values: Values) -> bool:
    return bool(np.isfinite(values).mean() >= LEAST_KNOWN)


def _read_strings(path: Path) -> pl.DataFrame:
    if not path.is_file():
        msg = f"There is no file {path}: give the path of a CSV, plain or gz."
        raise ConfigurationError(msg)
    try:
        return pl.read_csv(path, infer_schema=False)
    except PolarsError as error:
        msg = f"{path} is no CSV with a header ({str(error).splitlines()[0]}): give one."
        raise ConfigurationError(msg) from None


def _parse_values(text: str | None, where: str) -> Values:
    try:
        return np.array((text or "").split(";"), dtype=float)
    except ValueError as error:
        msg = f"{where}: {error}; give numbers joined by semicolons."
        raise ConfigurationError(msg) from None


def _place_times(texts: pl.Series, step: timedelta, *, where: str) -> tuple[datetime, pl.Series]:
    """Give the first instant, and how many whole steps later each row is; null unreadable."""
    try:
        at = texts.str.to_datetime(time_unit="us", strict=False)
    except PolarsError:
        at = pl.Series([None], dtype=pl.Datetime("us"))
    first = at.dt.replace_time_zone(None).min()
    if not isinstance(first, datetime):
        sample = texts.drop_nulls().head(1).to_list()
        msg = f"{where} holds no time that can be read, such as {sample}: write ISO times."
        raise ConfigurationError(msg)
    since = at.dt.replace_time_zone(None) - first
    return first, since.dt.total_microseconds() // (step // timedelta(microseconds=1))
