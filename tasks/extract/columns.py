"""Which column of an object plays which part: names compared after folding."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

import polars as pl

from tasks.extract.blocks import Batch
from tasks.extract.declaration import Source

EXTRACTED_AT: Final = ("_airbyte_extracted_at", "_airbyte_emitted_at")
"""Airbyte's extraction instant: destination-s3 from 1.0.0, and before."""

LINE: Final = "@line"
"""Column a parser adds: where in its object a record stands."""

STATION_KEY: Final = "@station"
"""Column a parser adds when the station is the key of a JSON object of lists."""


@lru_cache(maxsize=4096)
def fold(text: str) -> str:
    """Fold a name: no accents, no case, `_`, `-` and blanks alike; Airbyte's flattening undone.

    >>> fold("_airbyte_data.Code INSEE_Région"), fold("TMin (°C)")
    ('code insee region', 'tmin (°c)')
    """
    plain = unicodedata.normalize("NFKD", text.removeprefix("_airbyte_data.").strip("\ufeff"))
    letters = "".join(letter for letter in plain if not unicodedata.combining(letter))
    letters = letters.replace("\ufffd", "?").replace("\u2019", "'").casefold()
    return re.sub(r"[-_\s]+", " ", letters).strip()


def is_same(delivered: str, declared: str) -> bool:
    """Compare two folded texts; each `?` in the delivered one stands for any one character.

    >>> is_same("donn?es d?finitives", "donnees definitives")
    True
    """
    if "?" not in delivered or len(delivered) != len(declared):
        return delivered == declared
    return all(one in ("?", other) for one, other in zip(delivered, declared, strict=True))


def contains(delivered: str, declared: str) -> bool:
    """Tell whether a folded text contains another, with `?` as in `is_same`."""
    width = len(declared)
    windows = (delivered[at : at + width] for at in range(len(delivered) - width + 1))
    return any(is_same(window, declared) for window in windows)


def list_roles(source: Source) -> dict[str, tuple[str, ...]]:
    """List what is looked for: role to declared names. A variable's role is its own name."""
    time = source.time
    texts = {"@instant": time.instant, "@date": time.date, "@clock": time.clock}
    roles = {role: rule.columns for role, rule in texts.items() if rule}
    roles |= {"@extracted_at": EXTRACTED_AT, "@generation": ("_airbyte_generation_id",)}
    roles |= {"@changes": ("_airbyte_meta",), "@sheet": ("_ab_sheet_name",)}
    roles["@station"] = (*source.station.columns, STATION_KEY)
    if source.maturity:
        roles["@maturity"] = source.maturity.columns
    return roles | {name: rule.columns for name, rule in source.fields.items()}


def list_paths(source: Source) -> dict[str, str]:
    """List the roles whose columns hold JSON, and where in it they are."""
    time = source.time
    rules = {"@instant": time.instant, "@date": time.date, "@clock": time.clock, **source.fields}
    return {role: rule.path for role, rule in rules.items() if rule and rule.path}


@dataclass(frozen=True)
class Columns:
    """The columns found: per role its headers, the preferred first; and those nobody declared.

    `paths` are those of roles whose columns hold JSON.
    """

    found: dict[str, tuple[str, ...]]
    unknown: tuple[str, ...]
    paths: dict[str, str]

    @property
    def names(self) -> list[str]:
        """Give the headers of all roles."""
        return [header for headers in self.found.values() for header in headers]

    def make_batch(self, frame: pl.DataFrame) -> Batch:
        """Name columns by the roles they play; of several for one role, the first non-null."""
        texts = {role: pl.coalesce(headers) for role, headers in self.found.items()}
        inner = {role: texts[role].str.json_path_match(path) for role, path in self.paths.items()}
        roles = [text.alias(role) for role, text in (texts | inner).items()]
        frame = frame.select(*roles, pl.col(LINE).cast(pl.UInt32).alias("line"))
        return Batch(frame, unknown=self.unknown)


def find_columns(headers: Iterable[str], source: Source) -> Columns:
    """Give each declared role its headers, in the order of the declared names."""
    folded = {header: fold(header) for header in headers if header != LINE}
    found = {role: tuple(_find(folded, names)) for role, names in list_roles(source).items()}
    used = {header for headers in found.values() for header in headers}
    known = [fold(pattern) for pattern in source.ignore]
    unknown = [
        header
        for header, name in folded.items()
        if header not in used
        and name
        and not name.startswith("airbyte ")
        and not _is_known(name, known)
    ]
    found = {role: headers for role, headers in found.items() if headers}
    paths = {role: path for role, path in list_paths(source).items() if role in found}
    return Columns(found, tuple(unknown), paths)


def _find(folded: dict[str, str], names: tuple[str, ...]) -> Iterator[str]:
    for declared in dict.fromkeys(map(fold, names)):
        yield from (header for header, name in folded.items() if is_same(name, declared))


def _is_known(name: str, patterns: list[str]) -> bool:
    return name.startswith("ab ") or any(
        fnmatchcase(name, pattern) or is_same(name[: len(stem)], stem)
        for pattern in patterns
        if (stem := pattern.rstrip("*"))
    )
