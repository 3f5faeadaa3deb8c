"""What was fitted is not fitted again: fits named by everything that decides their numbers.

A run that was killed finds its own fits, the next week those of this one. Equal names mean equal
bits, so it is never a question of age; restated data or another configuration are other names.
"""

import ast
import hashlib
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from tasks.common import contracts
from tasks.common.errors import CorruptObjectError, MissingObjectError, PipelineError
from tasks.common.objects import ObjectStore
from tasks.forecast.backtest import Fit, Job
from tasks.forecast.members import choose_members

FOLDER: Final = "forecasts/v1/fits/"
KEPT: Final = timedelta(weeks=10)
"""How far from a run's date its backtest looks for fits."""
LIBRARIES: Final = (
    *("prophet", "statsforecast", "coreforecast", "scikit-learn", "holidays"),
    *("numpy", "pandas", "scipy"),
)
"""Their versions decide the numbers too."""

FITS: Final = pl.Schema(
    {
        "name": pl.String,
        "values": pl.List(pl.Float64),
        "seconds": pl.Float64,
        "terms": pl.List(pl.String),
        "components": pl.List(pl.List(pl.Float64)),
    }
)
"""FITS: one row per fit that succeeded, sorted by name."""


@cache
def name_code() -> str:
    """Name what decides the numbers, whatever is given: this room, bounds and zone, libraries.

    That a change in any file of the room forgets all fits costs one first week; a list of what
    counts would be forgotten to be kept.
    """
    paths = [*sorted(Path(__file__).parent.glob("*.py")), Path(contracts.__file__)]
    libraries = " ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return f"code {hash_code(path.read_bytes() for path in paths)} {libraries}"


def hash_code(sources: Iterable[bytes]) -> str:
    """Hash programs without their comments and their layout."""
    code = "".join(ast.dump(ast.parse(source)) for source in sources)
    return hashlib.sha256(code.encode()).hexdigest()[:12]


def name_fit(job: Job) -> str:
    """Hash everything that decides the numbers of a job."""
    method, train = choose_members(job.kind, job.train.step)[job.member], job.train
    said = f"{name_code()} {method.describe()} {train.step} {job.lead} {len(train.values)}"
    digest = hashlib.sha256(said.encode())
    arrays = [train.values, train.clock[:1], train.clock[-1:], train.future]
    if train.weather is not None:
        arrays += [train.weather.days, train.weather.values]
        if (supply := train.weather.supply) is not None:
            arrays += [supply.days, supply.values]
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class FitStore:
    """Fits beside the processed layer, in one folder per issue date.

    It saves time, so what is wrong with it costs time and no run.

    Attributes:
        issued_on: date of the run; those ten weeks around it are recalled.
        read_only: a dry run keeps nothing.
        faults: why it fails, if it does. Nothing is tried after the first: a store that does not
            answer takes minutes to say so.
    """

    store: ObjectStore
    issued_on: date
    read_only: bool = False
    faults: list[str] = field(default_factory=list)

    def recall(self, wanted: Collection[str]) -> dict[str, Fit]:
        """Give those of some names that earlier runs fitted."""
        known: dict[str, Fit] = {}
        near = range(-KEPT.days, KEPT.days + 1)
        folders = tuple(f"{FOLDER}issued={self.issued_on + timedelta(days=day)}/" for day in near)
        try:
            for ref in self.store.list_objects(FOLDER):
                if ref.key.startswith(folders) and ref.key.endswith(".parquet"):
                    with suppress(CorruptObjectError, MissingObjectError, PolarsError):
                        known |= _read_fits(self.store.get_bytes(ref.key), wanted)
        except PipelineError as error:
            self.faults.append(str(error))
        return known

    def keep(self, fits: Mapping[str, Fit]) -> None:
        """Keep those that succeeded; a failure may not repeat."""
        good = {name: fit for name, fit in sorted(fits.items()) if fit.values is not None}
        if good and not self.read_only and not self.faults:
            digest = hashlib.sha256("".join(good).encode()).hexdigest()[:16]
            key = f"{FOLDER}issued={self.issued_on}/{digest}.parquet"
            try:
                self.store.put_if_absent(key, _write_fits(good))
            except PipelineError as error:
                self.faults.append(str(error))


def _write_fits(fits: Mapping[str, Fit]) -> bytes:
    rows = [
        (name, fit.values, fit.seconds, [*fit.components], [*fit.components.values()])
        for name, fit in fits.items()
    ]
    buffer = BytesIO()
    pl.DataFrame(rows, schema=FITS, orient="row").write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def _read_fits(body: bytes, wanted: Collection[str]) -> dict[str, Fit]:
    frame = pl.read_parquet(body).select(FITS.names())
    mine = pl.Series([name in wanted for name in frame["name"]], dtype=pl.Boolean)
    return {
        name: Fit(
            np.array(values),
            seconds,
            None,
            {term: np.array(one) for term, one in zip(terms, parts, strict=True)},
        )
        for name, values, seconds, terms, parts in frame.filter(mine).iter_rows()
    }
