"""What data that cannot be forecast raises: it costs a member or a series, never the run."""

from typing import Final

from polars.exceptions import PolarsError

MEMBER_ERRORS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    PolarsError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What numpy, pandas, Polars, Prophet, cmdstanpy and Stan raise for data they cannot take."""


def tell_failure(error: BaseException) -> str:
    """Name the error's class and quote the beginning of its text, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
