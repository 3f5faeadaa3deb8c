"""Checks of values: possible at all, isolated spikes, sensors that stand still.

A value gets one flag. FAIL and MISSING are facts of the value alone; SUSPECT depends on its
neighbours, so it is judged anew (`flag_suspects`) wherever rows were added or taken away.
"""

import math
from collections.abc import Mapping
from typing import Final

import polars as pl

from tasks.common.contracts import VARIABLES, Flag, convert_factor, variables_of

_FEWEST: Final = 6
"""Equal values in a row that never count as frozen, however long their steps are."""


def convert_units(frame: pl.DataFrame, units: Mapping[str, str]) -> pl.DataFrame:
    """Give every variable `x` in its canonical unit, beside `x__raw` as it was delivered.

    Null and non-finite values stay what they are.

    Args:
        frame: READINGS, or any wide frame of variables.
        units: the source's declared unit per variable.

    Raises:
        ConfigurationError: a unit is unknown or of another dimension.
    """
    names = variables_of(frame)
    raw = (pl.col(name).alias(f"{name}__raw") for name in names)
    return frame.with_columns(*raw, *(_convert(name, units[name]) for name in names))


def _convert(name: str, unit: str) -> pl.Expr:
    slope, intercept = convert_factor(unit, VARIABLES[name].unit)
    scaled = pl.col(name) if slope == 1 else pl.col(name) * slope
    return scaled if intercept == 0 else scaled + intercept


def flag_values(frame: pl.DataFrame) -> pl.DataFrame:
    """Give every variable `x` its `x__flag`; what is impossible becomes null.

    MISSING: nothing was delivered. FAIL: not finite, or outside the bounds of VARIABLES.
    SUSPECT: a spike or a frozen run, see `flag_suspects`. PASS: the rest.

    Args:
        frame: `x` in canonical units; one row per station and instant, sorted by both.
    """
    names = variables_of(frame)
    sound = frame.select(_is_possible(name).all(ignore_nulls=False).alias(name) for name in names)
    spoilt = [name for name in names if not sound[name].item()]
    passed = pl.lit(Flag.PASS, pl.UInt8)
    return flag_suspects(
        frame.with_columns(
            *(passed.alias(f"{name}__flag") for name in names if name not in spoilt),
            *(_judge(name, passed).alias(f"{name}__flag") for name in spoilt),
            *(pl.when(_is_possible(name)).then(pl.col(name)) for name in spoilt),
        )
    )


def _is_possible(name: str) -> pl.Expr:
    # NaN compares as the greatest number, so it is outside as well.
    return pl.col(name).is_between(VARIABLES[name].low, VARIABLES[name].high)


def _judge(name: str, passed: pl.Expr) -> pl.Expr:
    missing, failed = (pl.lit(flag, pl.UInt8) for flag in (Flag.MISSING, Flag.FAIL))
    delivered = pl.when(_is_possible(name)).then(passed).otherwise(failed)
    return pl.when(pl.col(name).is_null()).then(missing).otherwise(delivered)


def flag_suspects(frame: pl.DataFrame) -> pl.DataFrame:
    """Flag SUSPECT, from scratch, whatever is a spike or belongs to a frozen run.

    A spike is a lone value that leaps away from both neighbours, and back. Weather wanders, so
    what is credible grows with the root of time: `max_step` within an hour, 0.29 of it within
    five minutes, 1.7 of it within three hours.

    A frozen run is one value for longer than `frozen_hours`. It lasts as many of its station's
    own steps as it has values: hours without any value neither lengthen nor end it. Values of
    `frozen_at` may stand still.

    Missing and impossible values are stepped over: the neighbours of a value are the nearest
    possible ones of its station.

    Args:
        frame: `x` and `x__flag`; one row per station and instant, sorted by both.
    """
    rules = [(name, VARIABLES[name]) for name in variables_of(frame)]
    checked = [name for name, rule in rules if rule.max_step or rule.frozen_hours]
    whole = [name for name in checked if frame[name].null_count() == 0]
    keys = frame.select("station_id", "at", row=pl.int_range(pl.len(), dtype=pl.UInt32))
    suspects = _find_suspects(keys.hstack(frame.select(whole)), whole)
    for name in sorted(set(checked) - set(whole)):
        suspects |= _find_suspects(keys.with_columns(frame[name]).drop_nulls(name), [name])
    flags = [_mark(frame[f"{name}__flag"], suspects.get(name)) for name in checked]
    return frame.with_columns(flags)


def _mark(flags: pl.Series, rows: pl.Series | None) -> pl.Series:
    if flags.max() == Flag.PASS and rows is None:
        return flags
    unjudged = flags.set(flags == Flag.SUSPECT, int(Flag.PASS))
    return unjudged if rows is None else unjudged.scatter(rows, int(Flag.SUSPECT))


def _find_suspects(values: pl.DataFrame, names: list[str]) -> dict[str, pl.Series]:
    """Give the `row` of the suspects, per variable that has any; no value may be null."""
    same = pl.col("station_id") == pl.col("station_id").shift(1)
    hours = pl.when(same).then(pl.col("at").diff().dt.total_microseconds() / 3.6e9)
    values = values.with_columns(pl.col("station_id").set_sorted(), hours=hours)
    steps = values.group_by("station_id").agg(step=pl.col("hours").median()).drop_nulls()
    if not names or steps.is_empty():
        return {}
    values = values.with_columns(root=pl.col("hours").sqrt())
    # Cheap passes ask of every variable whether there is anything to look for: mostly not.
    leaps = values.select(_find_leaps(name) for name in names)
    standing = _may_stand(values.select(names), steps.select(pl.col("step").max()).item())
    found = {}
    for name in names:
        leap = leaps[name].item()
        places = [_pick_spikes(values[name], leap)] if len(leap) else []
        places += [_find_frozen(values, name, steps)] if standing[name].item() else []
        if places:
            found[name] = values["row"].gather(pl.concat(places))
    return found


def _find_leaps(name: str) -> pl.Expr:
    max_step = VARIABLES[name].max_step or math.inf
    too_far = pl.col(name).diff().abs() > max_step * pl.col("root")
    return too_far.arg_true().implode().alias(name)


def _pick_spikes(values: pl.Series, leaps: pl.Series) -> pl.Series:
    """Give the places of those leaps that are followed by one in the other direction."""
    leap = values.gather(leaps) - values.gather(leaps - 1)
    there_and_back = (leaps.shift(-1) == leaps + 1) & (leap * leap.shift(-1) < 0)
    return leaps.filter(there_and_back)


def _may_stand(values: pl.DataFrame, longest_step: float) -> pl.DataFrame:
    """Tell whether some run may be frozen: a sample that no such run slips through stands still."""
    hours = min(rule.frozen_hours for rule in VARIABLES.values() if rule.frozen_hours)
    # A run of n values holds four in a row of any sample that takes every (n // 4)th value.
    sample = values[:: max(_FEWEST, int(hours / longest_step) + 1) // 4]
    x = pl.all()
    return sample.select(((x == x.shift(1)) & (x == x.shift(2)) & (x == x.shift(3))).any())


def _find_frozen(values: pl.DataFrame, name: str, steps: pl.DataFrame) -> pl.Series:
    rule, x = VARIABLES[name], pl.col(name)
    begins = pl.col("hours").is_null() | (x != x.shift(1))
    runs = values.select(place=begins.arg_true())
    count = pl.col("place").shift(-1, fill_value=values.height) - pl.col("place")
    runs = runs.with_columns(count=count).filter(pl.col("count") >= _FEWEST)
    frozen = (
        runs.hstack(values.select("station_id", name)[runs["place"]])
        .filter(~x.is_in(rule.frozen_at))
        .join(steps, on="station_id")
        .filter(pl.col("count") * pl.col("step") > (rule.frozen_hours or math.inf))
    )
    places = pl.int_ranges("place", pl.col("place") + pl.col("count"), dtype=pl.UInt32)
    return frozen.select(places.explode()).to_series().drop_nulls()
