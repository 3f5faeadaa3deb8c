"""What crosses between the steps of a migration: what is to be loaded, and what became of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date as day
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import polars as pl
from backports import zstd
from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass as checked_dataclass
from pydantic_core import to_json

from tasks.common.accounts import WriteCounts
from tasks.common.errors import ConfigurationError
from tasks.common.results import ProcessedFile

Kind = Literal["parquet", "older", "quarantine", "manifest"]
"""The project's own files; JSON of the older system; rows that a migration had rejected; a
manifest that cannot be read, and nobody knows of which files."""

Fate = Literal["planned", "known", "loaded", "verified", "differs", "refused", "left"]
Mode = Literal["load", "dry run", "verify"]

_BATCH_BYTES: Final = 64 * 1024 * 1024
_BATCH_OBJECTS: Final = 64


@dataclass(frozen=True)
class Selection:
    """Which objects: one key, a UTC day, the latest, all, rejected rows; else what is new."""

    key: str | None = None
    date: day | None = None
    latest: bool = False
    all: bool = False
    replay_quarantine: bool = False

    def check(self) -> "Selection":
        """Give itself.

        Raises:
            ConfigurationError: more than one is given.
        """
        _refuse_two(**vars(self))
        return self


def choose_mode(*, dry_run: bool, verify: bool) -> Mode:
    """Give the mode that the two switches ask for.

    Raises:
        ConfigurationError: both are on.
    """
    _refuse_two(dry_run=dry_run, verify=verify)
    return "dry run" if dry_run else "verify" if verify else "load"


def _refuse_two(**words: object) -> None:
    """Refuse two words of which one alone makes sense; the form and the command line call it."""
    given = [name.replace("_", " ") for name, value in words.items() if value]
    if len(given) > 1:
        msg = f"{' and '.join(given)} exclude each other: give one of them, or none."
        raise ConfigurationError(msg)


@dataclass(frozen=True, slots=True)
class Item:
    """One object of the processed layer, as listed.

    Attributes:
        stamp: YYYYMMDDTHHMMSSZ of its manifest or name; the greatest is the latest.
        file: what the manifest says of it; None for JSON.
        reason: why it is refused without being read.
    """

    key: str
    kind: Kind
    etag: str
    size: int
    modified_at: datetime
    stamp: str
    file: ProcessedFile | None = None
    is_known: bool = False
    reason: str | None = None

    @property
    def entry(self) -> str:
        """Name it in the ledger: by key and sha256 (of the manifest) or ETag."""
        return self.file.entry if self.file else f"{self.key}|{self.etag}"


@dataclass(frozen=True)
class Plan:
    """What a migration is about to do.

    Attributes:
        source: where objects are read.
        output: where quarantine and reports go.
        run: name of the run; holds the leases.
        items: all that were selected, in the order of loading.
        ignored: keys below processed/ that are of no known form.
        stations: what the manifests say of stations.
        may_skip: whether objects that the ledger has are passed over.
    """

    source: str
    output: str
    run: str
    started_at: datetime
    mode: Mode
    may_skip: bool
    items: tuple[Item, ...]
    ignored: tuple[str, ...]
    stations: pl.DataFrame
    database: str = ""

    def split_batches(self) -> list[tuple[Item, ...]]:
        """Give what is to be read, in batches small enough to be fetched ahead to the disk."""
        batches: list[list[Item]] = [[]]
        for item in (item for item in self.items if not item.is_known):
            size = item.size + sum(one.size for one in batches[-1])
            if batches[-1] and (size > _BATCH_BYTES or len(batches[-1]) == _BATCH_OBJECTS):
                batches.append([])
            batches[-1].append(item)
        return [tuple(batch) for batch in batches if batch and self.mode != "dry run"]


@dataclass(frozen=True)
class Fetched:
    """An object on the disk, its bytes verified; and, once it is converted, its OBSERVATIONS.

    Attributes:
        path: of its bytes; None: it was refused.
        reason: why it was refused.
        files: Parquet files of OBSERVATIONS, whose metadata tell the raw units.
        rows: records read; less those rejected they stand in `files`, duplicates once.
        rejected: records by rule; their original text is in quarantine.
        imperial: records whose metric labels hid imperial values; converted.
        left_out: values of quantities that have no counterpart, by name.
    """

    item: Item
    path: Path | None = None
    sha256: str | None = None
    reason: str | None = None
    files: tuple[Path, ...] = ()
    rows: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    quarantine_key: str | None = None
    imperial: int = 0
    left_out: dict[str, int] = field(default_factory=dict)


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Account:
    """What became of one object: received = the sum of all other counts."""

    # A dataclass with slots begins its schema with the fields that are a Field.
    key: str = Field(description="Of the object in the lake.")
    kind: Kind = Field()
    fate: Fate = Field(
        description="planned; known (the ledger has it); loaded; verified; differs; refused; "
        "left (the run ended before its turn)."
    )
    reason: str | None = None
    etag: str
    size: int
    sha256: str | None = None
    expected_rows: int | None = Field(None, description="What the manifest promises.")
    estimated_rows: int | None = Field(
        None, description="What the size of JSON suggests, until it is read."
    )
    rows: WriteCounts = Field(WriteCounts(), description="Records by what MongoDB made of them.")
    rejected: dict[str, int] = Field(default_factory=dict, description="Rejected records by rule.")
    quarantine_key: str | None = None
    error_rate: float = Field(0.0, description="Rejected over received, 0 to 1.")
    imperial: int = Field(0, description="Records converted that hid imperial values.")
    left_out: dict[str, int] = Field(default_factory=dict, description="Values left out, by name.")
    first_at: datetime | None = None
    last_at: datetime | None = None
    stations: dict[str, tuple[int, int]] = Field(
        default_factory=dict,
        description="Documents of each station: in the object, and read back from MongoDB.",
    )
    displaced: int = Field(0, description="Documents of which MongoDB holds a newer version.")
    checksum: str = Field("", description="Sum of content hashes modulo 2^128, in the object.")
    checksum_stored: str = Field("", description="The same documents, read back from MongoDB.")
    differing: list[str] = Field(default_factory=list, description="Not so in MongoDB; 20 of them.")
    differing_keys: list[str] = Field(default_factory=list, description="Of JSON lines: all these.")
    seconds: float = 0.0


_TOLD: Final = ("reason", "sha256", "rejected", "quarantine_key", "imperial", "left_out")


def open_account(item: Item, fate: Fate, fetched: Fetched | None = None) -> Account:
    """Give the account of an object of which nothing is stored yet."""
    told = fetched or Fetched(item, reason=item.reason)
    return Account(
        **{name: getattr(item, name) for name in ("key", "kind", "etag", "size")},
        **{name: getattr(told, name) for name in _TOLD},
        fate=fate,
        expected_rows=item.file.rows if item.file else None,
        rows=WriteCounts(received=told.rows, rejected=told.rows),
        error_rate=round(sum(told.rejected.values()) / max(told.rows, 1), 6),
    )


@dataclass(frozen=True)
class Migrated:
    """A migration that ended, of itself or by a failure.

    Attributes:
        packs: accounts of what was loaded, batch by batch, as `pack` makes them.
    """

    plan: Plan
    packs: Sequence[bytes]
    seconds: float
    failure: str = ""


_ACCOUNTS: Final = TypeAdapter(list[Account])


def pack(accounts: Iterable[Account]) -> bytes:
    """Give accounts as JSON in zstd: a tenth of the memory, and one object for Prefect to trace."""
    return zstd.compress(to_json(list(accounts)))


def unpack(packs: Iterable[bytes]) -> Iterator[Account]:
    """Give packed accounts one after another; memory holds those of one pack."""
    for one in packs:
        yield from _ACCOUNTS.validate_json(zstd.decompress(one))
