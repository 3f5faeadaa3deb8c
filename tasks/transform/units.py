"""Units: from what a source delivers to the canonical unit of each variable."""

from collections.abc import Mapping

import polars as pl

from tasks.common.contracts import VARIABLES, convert_factor, variables_of


def convert_units(frame: pl.DataFrame, units: Mapping[str, str]) -> pl.DataFrame:
    """Give every variable `x` in its canonical unit, beside `x__raw` as it was delivered.

    Null and non-finite values stay what they are. A variable delivered in its canonical unit
    shares its memory with its raw column.

    Args:
        frame: READINGS, or any wide frame of variables.
        units: the source's declared unit per variable.

    Raises:
        ConfigurationError: a unit is unknown or of another dimension.
    """
    names = variables_of(frame)
    return frame.with_columns(
        *(pl.col(name).alias(f"{name}__raw") for name in names),
        *(_convert(name, units[name]) for name in names),
    )


def _convert(name: str, unit: str) -> pl.Expr:
    slope, intercept = convert_factor(unit, VARIABLES[name].unit)
    scaled = pl.col(name) if slope == 1 else pl.col(name) * slope
    return scaled if intercept == 0 else scaled + intercept
