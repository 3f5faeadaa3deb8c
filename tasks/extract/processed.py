"""Which objects of the processed layer a migration is about, and their bytes on the disk.

The older system wrote `processed/weather_data_YYYYMMDD_HHMMSS.json`, and before that
`processed/YYYY/MM/DD/...`; this project writes Parquet files that manifests name.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from tasks.common.errors import ConfigurationError, TerminalError
from tasks.common.manifests import STATIONS, list_files, list_stations, sift_manifests
from tasks.common.migration import Fetched, Item, Plan, Selection
from tasks.common.objects import ObjectRef, ObjectStore
from tasks.common.results import ProcessedFile
from tasks.extract.harvest import make_scratch

PROCESSED: Final = "processed/"
_REJECTED: Final = "quarantine/migration/"
_OLDER: Final = re.compile(
    r"processed/(?:weather_data_(\d{8})_(\d{6})|(\d{4})/(\d\d)/(\d\d)/.+)\.(?:json|jsonl|ndjson)"
    r"(?:\.gz|\.zst)?"
)


def list_processed(store: ObjectStore, plan: Plan) -> Plan:
    """Fill a plan with all that can be migrated, sorted by the instant in its name, then by key.

    Raises:
        ConfigurationError: there is nothing below processed/.
    """
    refs = {ref.key: ref for ref in store.list_objects(PROCESSED)}
    if not refs:
        msg = (
            f"{store.uri} holds nothing below {PROCESSED}: name the lake with --lake, or let "
            "python -m flows.forecast write its processed layer first."
        )
        raise ConfigurationError(msg)
    manifests, broken = sift_manifests(store)
    items = [_describe_own(file, refs.get(file.key)) for file in list_files(manifests)]
    items += [_describe_json(ref) for ref in refs.values() if _OLDER.fullmatch(ref.key)]
    items += [
        Item(ref.key, "manifest", ref.etag, ref.size, ref.modified_at, "", reason=str(error))
        for ref, error in broken.items()
    ]
    known = {item.key for item in items}
    return replace(
        plan,
        items=tuple(sorted(items, key=lambda item: (item.stamp, item.key))),
        ignored=tuple(k for k in refs if k not in known and not k.startswith(f"{PROCESSED}v1/")),
        stations=list_stations(manifests, STATIONS.to_frame()),
    )


def list_rejected(store: ObjectStore, plan: Plan) -> Plan:
    """Fill a plan with the rows that migrations put to quarantine, by object."""
    items = (_describe_json(ref) for ref in store.list_objects(_REJECTED))
    return replace(plan, items=tuple(items))


def _describe_own(file: ProcessedFile, ref: ObjectRef | None) -> Item:
    stamp = file.key.rpartition("/")[2].partition("-")[0]
    # One that is missing is found out when it is fetched.
    etag, modified_at = (ref.etag, ref.modified_at) if ref else ("", file.last_at)
    return Item(file.key, "parquet", etag, file.size, modified_at, stamp, file)


def _describe_json(ref: ObjectRef) -> Item:
    older = _OLDER.fullmatch(ref.key)
    day, time, *parts = older.groups("") if older else ("", "")
    stamp = f"{day}{''.join(parts)}T{time or '000000'}Z"
    kind = "older" if older else "quarantine"
    return Item(ref.key, kind, ref.etag, ref.size, ref.modified_at, stamp)


def select(plan: Plan, wanted: Selection) -> Plan:
    """Keep the items that are wanted, and what could hold some of them, had it not to be refused.

    Raises:
        ConfigurationError: the key or the day that is named has none.
    """
    newest = max((item.stamp for item in plan.items), default="")
    chosen = tuple(
        item
        for item in plan.items
        if wanted.key in (None, item.key)
        and (item.reason or (_is_of(item, wanted) and (not wanted.latest or item.stamp == newest)))
    )
    if not chosen and (wanted.key or wanted.date):
        msg = (
            f"No object of the processed layer is {wanted.key or f'of {wanted.date}'}: a dry run "
            f"of all lists the {len(plan.items)} that there are."
        )
        raise ConfigurationError(msg)
    return replace(plan, items=chosen)


def _is_of(item: Item, wanted: Selection) -> bool:
    """Tell whether an item holds rows of the UTC day, or was written on it."""
    if wanted.date is None:
        return True
    if item.file is not None:
        return item.file.first_at.date() <= wanted.date <= item.file.last_at.date()
    return item.stamp.startswith(f"{wanted.date:%Y%m%d}")


def fetch_items(store: ObjectStore, items: Sequence[Item]) -> tuple[Fetched, ...]:
    """Bring objects to a folder of their own on the disk, verified; a bad one stops no other.

    Raises:
        ConfigurationError, TransientError: the store does not answer.
        TerminalError: there is no room for the folder.
    """
    folder = make_scratch()  # loading removes it before the process ends
    return tuple(_fetch(store, item, folder / f"{n}") for n, item in enumerate(items))


def _fetch(store: ObjectStore, item: Item, path: Path) -> Fetched:
    promised = item.file.sha256 if item.file else None
    listed = ObjectRef(item.key, item.etag, item.size, item.modified_at)
    if item.reason or not item.size:
        empty = f"Object {item.key!r} is empty: have it written anew."
        return Fetched(item, reason=item.reason or empty)
    try:
        return Fetched(item, path, store.download(item.key, path, sha256=promised, listed=listed))
    except TerminalError as error:
        path.unlink(missing_ok=True)
        return Fetched(item, reason=str(error))
