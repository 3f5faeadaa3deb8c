"""Checks of values: possible at all, isolated spikes, sensors that stand still.

A value gets one flag. FAIL and MISSING are facts of the value alone; SUSPECT depends on its
neighbours, so it is judged anew (`flag_suspects`) wherever rows were added or taken away.
"""

from typing import Final

import polars as pl

from tasks.common.contracts import VARIABLES, Flag, variables_of

_FEWEST: Final = 6
"""Equal values in a row that never count as frozen, however long their steps are."""


def flag_values(frame: pl.DataFrame) -> pl.DataFrame:
    """Give every variable `x` its `x__flag`; what is impossible becomes null, its raw value stays.

    MISSING: nothing was delivered. FAIL: not finite, or outside the bounds of VARIABLES.
    SUSPECT: a spike or a frozen run, see `flag_suspects`. PASS: the rest.

    Args:
        frame: `x` in canonical units and `x__raw`; one row per station and instant, sorted by both.
    """
    names = variables_of(frame)
    possible = frame.with_columns(_keep_possible(name) for name in names)
    flagged = possible.with_columns(
        pl.when(pl.col(name).is_not_null())
        .then(pl.lit(Flag.PASS, pl.UInt8))
        .when(pl.col(f"{name}__raw").is_null())
        .then(pl.lit(Flag.MISSING, pl.UInt8))
        .otherwise(pl.lit(Flag.FAIL, pl.UInt8))
        .alias(f"{name}__flag")
        for name in names
    )
    return flag_suspects(flagged)


def _keep_possible(name: str) -> pl.Expr:
    # NaN compares as the greatest number, so it is outside as well.
    low, high = VARIABLES[name].low, VARIABLES[name].high
    return pl.when(pl.col(name).is_between(low, high)).then(pl.col(name))


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
    """Give, per variable that has any, the `row` of its suspects; no value may be null."""
    if not names or values.is_empty():
        return {}
    same = pl.col("station_id") == pl.col("station_id").shift(1)
    hours = pl.when(same).then(pl.col("at").diff().dt.total_microseconds() / 3.6e9)
    values = values.with_columns(hours=hours).with_columns(root=pl.col("hours").sqrt())
    steps = values.group_by("station_id").agg(step=pl.col("hours").median()).drop_nulls()
    if steps.is_empty():
        return {}
    # One pass asks of every variable whether there is anything to look for: mostly not.
    longest = steps.select(pl.col("step").max()).item()
    spiking = values.select(_is_spike(name).any().alias(name) for name in names)
    standing = values.select(_may_stand(name, longest).alias(name) for name in names)
    found = {}
    for name in names:
        rows = [values.filter(_is_spike(name))["row"]] if spiking[name].item() else []
        rows += [_find_frozen(values, name, steps)] if standing[name].item() else []
        if rows:
            found[name] = pl.concat(rows)
    return found


def _is_spike(name: str) -> pl.Expr:
    max_step = VARIABLES[name].max_step
    if max_step is None:
        return pl.lit(value=False)
    leap = pl.col(name).diff()
    too_far = leap.abs() > max_step * pl.col("root")
    return too_far & too_far.shift(-1) & (leap * leap.shift(-1) < 0)


def _may_stand(name: str, longest_step: float) -> pl.Expr:
    """Tell whether some run may be frozen: a sample that no such run slips through stands still."""
    rule = VARIABLES[name]
    if rule.frozen_hours is None:
        return pl.lit(value=False)
    # A run of n values holds four in a row of any sample that takes every (n // 4)th value.
    fewest = max(_FEWEST, int(rule.frozen_hours / longest_step) + 1)
    x, station = (pl.col(column).gather_every(fewest // 4) for column in (name, "station_id"))
    agrees = (x == x.shift(1)) & (station == station.shift(1)) & ~x.is_in(rule.frozen_at)
    return (agrees & agrees.shift(1) & agrees.shift(2)).any()


def _find_frozen(values: pl.DataFrame, name: str, steps: pl.DataFrame) -> pl.Series:
    rule, x = VARIABLES[name], pl.col(name)
    begins = pl.col("hours").is_null() | (x != x.shift(1)).fill_null(value=True)
    count = pl.col("place").shift(-1, fill_value=values.height) - pl.col("place")
    runs = (
        values.select("station_id", "hours", name)
        .with_row_index("place")
        .filter(begins)
        .with_columns(count=count)
        .filter(pl.col("count") >= _FEWEST, ~x.is_in(rule.frozen_at))
        .join(steps, on="station_id")
        .filter(pl.col("count") * pl.col("step") > (rule.frozen_hours or 0))
    )
    places = runs.select(pl.int_ranges("place", pl.col("place") + pl.col("count")).explode())
    return values["row"].gather(places.to_series().drop_nulls())
