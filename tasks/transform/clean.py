"""Checks of values: possible at all, isolated spikes, sensors that stand still.

A value gets one flag. FAIL and MISSING are facts of the value alone; SUSPECT depends on its
neighbours, so it is judged anew (`flag_suspects`) wherever rows were added or taken away.
"""

from dataclasses import dataclass

import polars as pl

from tasks.common.contracts import VARIABLES, Flag, Variable, variables_of

_NOTHING = pl.Series("row", [], dtype=pl.UInt32)


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

    Missing and impossible values are stepped over: the neighbours of a value are the nearest
    possible ones of its station.

    Args:
        frame: `x` and `x__flag`; one row per station and instant, sorted by both.
    """
    rules = {name: VARIABLES[name] for name in variables_of(frame)}
    rows = frame.select("station_id", "at", row=pl.int_range(pl.len(), dtype=pl.UInt32))
    complete = _Values.of(rows)
    flags = []
    for name, rule in rules.items():
        if rule.max_step is None and rule.frozen_hours is None:
            continue
        if frame[name].null_count():
            values = _Values.of(rows.with_columns(x=frame[name]).drop_nulls("x"))
        else:
            values = _Values(complete.rows.with_columns(x=frame[name]), complete.steps)
        suspects = pl.concat([_find_spikes(values, rule), _find_frozen(values, rule)])
        flags.append(_mark(frame[f"{name}__flag"], suspects))
    return frame.with_columns(flags)


@dataclass(frozen=True)
class _Values:
    """Values of one variable without nulls, sorted by station and time.

    `rows`: row (in the frame that is judged), place (in this one), station_id, at, hours (since
    the station's previous value, null at its first), x. `steps`: station_id, step in hours.
    """

    rows: pl.DataFrame
    steps: pl.DataFrame

    @classmethod
    def of(cls, rows: pl.DataFrame) -> "_Values":
        hours = pl.col("at").diff().dt.total_microseconds() / 3.6e9
        same = pl.col("station_id") == pl.col("station_id").shift(1)
        placed = rows.with_row_index("place").with_columns(hours=pl.when(same).then(hours))
        steps = placed.group_by("station_id").agg(step=pl.col("hours").median()).drop_nulls()
        return cls(placed.with_columns(root=pl.col("hours").sqrt()), steps)


def _mark(flags: pl.Series, suspects: pl.Series) -> pl.Series:
    unjudged = flags.set(flags == Flag.SUSPECT, int(Flag.PASS))
    return unjudged.scatter(suspects, int(Flag.SUSPECT)) if suspects.len() else unjudged


def _find_spikes(values: _Values, rule: Variable) -> pl.Series:
    """Give the rows of lone values that leap away from both neighbours, and back.

    Weather wanders, so what is credible grows with the root of time: `max_step` within an hour,
    0.29 of it within five minutes, 1.7 of it within three hours.
    """
    if rule.max_step is None:
        return _NOTHING
    leaps = values.rows.select(
        "row", "place", leap=pl.col("x").diff(), limit=rule.max_step * pl.col("root")
    ).filter(pl.col("leap").abs() > pl.col("limit"))
    followed = pl.col("place").shift(-1) == pl.col("place") + 1
    returns = pl.col("leap") * pl.col("leap").shift(-1) < 0
    return leaps.filter(followed & returns)["row"]


def _find_frozen(values: _Values, rule: Variable) -> pl.Series:
    """Give the rows of runs of one value that last longer than `frozen_hours`.

    A run lasts as many of its station's own steps as it has values: hours without any value
    neither lengthen nor end it. Values of `frozen_at` may stand still.
    """
    if rule.frozen_hours is None or values.steps.is_empty():
        return _NOTHING
    longest = values.steps.select(pl.col("step").max()).item()
    fewest = int(rule.frozen_hours / longest) + 1
    if not _may_stand(values.rows.gather_every(max(1, fewest // 2)), rule):
        return _NOTHING
    changed = (pl.col("x") != pl.col("x").shift(1)).fill_null(value=True)
    count = pl.col("place").shift(-1, fill_value=values.rows.height) - pl.col("place")
    runs = (
        values.rows.filter(changed | pl.col("hours").is_null())
        .with_columns(count=count)
        .filter(pl.col("count") >= fewest, ~pl.col("x").is_in(rule.frozen_at))
        .join(values.steps, on="station_id")
        .filter(pl.col("count") * pl.col("step") > rule.frozen_hours)
    )
    places = runs.select(pl.int_ranges("place", pl.col("place") + pl.col("count")).explode())
    return values.rows["row"].gather(places.to_series().drop_nulls())


def _may_stand(sample: pl.DataFrame, rule: Variable) -> bool:
    # A run of n values holds two neighbours of every sample at most n/2 apart: where no two
    # neighbours agree, no run can be that long. Saves the search on nearly every healthy series.
    agree = (pl.col("x") == pl.col("x").shift(1)) & ~pl.col("x").is_in(rule.frozen_at)
    same = pl.col("station_id") == pl.col("station_id").shift(1)
    return bool(sample.select((agree & same).any()).item())
