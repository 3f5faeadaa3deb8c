"""Objects of the processed layer into MongoDB, each accounted for by what stands there after."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Final

import polars as pl
from pymongo.database import Database
from tenacity import retry, retry_if_result, stop_after_delay, wait_exponential

from tasks.common.accounts import WriteCounts
from tasks.common.migration import Account, Fate, Fetched, Item, Plan, open_account
from tasks.common.mongo import Document, retried
from tasks.upsert.documents import encode_observations, hash_document
from tasks.upsert.encoding import Encoded, Version
from tasks.upsert.ledger import LEASE_S, enter, enter_file, read_ledger, take_lease
from tasks.upsert.observations import list_versions
from tasks.upsert.write import Batch, withdraw_documents

_SHOWN: Final = 20
_ROWS: Final = 50_000


def mark_known(db: Database[Document], plan: Plan) -> Plan:
    """Mark what the ledger has, where it may be passed over, and put the rest in order.

    Files of which rows were withdrawn come first, and bring all files of their month along:
    what the withdrawn rows had displaced is then written after them.
    """
    known = read_ledger(db, [item.entry for item in plan.items]) if plan.may_skip else set()
    partial = [item for item in plan.items if _is_partial(item)]
    due = {_name_month(item) for item in partial if item.entry not in known}
    items = [
        replace(item, is_known=item.entry in known and _name_month(item) not in due)
        for item in sorted(plan.items, key=lambda item: not _is_partial(item))
    ]
    return replace(plan, items=tuple(items))


def _is_partial(item: Item) -> bool:
    return item.file is not None and bool(item.file.withdrawn)


def _name_month(item: Item) -> tuple[str, str]:
    return (item.file.source_id, item.file.month) if item.file else (item.key, "")


def load_batch(
    db: Database[Document], plan: Plan, batch: Sequence[Fetched], *, lease_s: float = LEASE_S
) -> tuple[Account, ...]:
    """Load objects, or only compare them, and account for each.

    Safe to repeat: equal documents are left alone, and the ledger gets an object only when a
    majority holds its last batch. Those that another run is loading come last.

    Raises:
        TerminalError: MongoDB refused a document.
        PyMongoError: the set gave no answer for two minutes.
    """
    if plan.mode == "verify":
        return tuple(_account_for(db, plan, one, 0) for one in batch)
    is_held = {one: not take_lease(db, one.entry, plan.run, lease_s) for one in _items(batch)}
    accounts = []
    for one in sorted(batch, key=lambda one: is_held[one.item]):
        _await_lease(db, one.item.entry, plan.run, lease_s)
        is_done = is_held[one.item] and plan.may_skip and read_ledger(db, [one.item.entry])
        account = None if is_done else _account_for(db, plan, one, lease_s)
        accounts.append(account or open_account(one.item, "known"))
        take_lease(db, one.item.entry, plan.run, 0)
    return tuple(accounts)


def _items(batch: Sequence[Fetched]) -> list[Item]:
    return [one.item for one in batch]


def _await_lease(db: Database[Document], name: str, run: str, seconds: float) -> None:
    """Wait for a lease, not longer than a dead holder's lasts: two loads harm nobody."""
    retry(
        retry=retry_if_result(lambda is_taken: not is_taken),
        wait=wait_exponential(multiplier=0.05, max=1),
        stop=stop_after_delay(seconds),
        retry_error_callback=lambda _: False,
    )(take_lease)(db, name, run, seconds)


def _read_settled(batch: Batch) -> Mapping[str, Version]:
    """Read a batch back; a new primary may show an older majority for a moment.

    Only what is missing or older is looked for again: a newer version is no difference.
    """

    def lags(stored: Mapping[str, Version]) -> bool:
        wanted = batch.wanted
        return stored != wanted and any(stored.get(k, ("", "")) < v for k, v in wanted.items())

    return retry(
        retry=retry_if_result(lags),
        wait=wait_exponential(multiplier=0.05, max=1),
        stop=stop_after_delay(10),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else {},
    )(batch.read_back)()


def _account_for(db: Database[Document], plan: Plan, one: Fetched, lease_s: float) -> Account:
    if one.reason:
        return open_account(one.item, "refused", one)
    started, counts, reckoning = perf_counter(), WriteCounts(), Reckoning()
    for documents in _list_batches(db, plan, one, reckoning):
        batch = Batch(db["observations"], documents)
        if plan.mode == "verify":
            stored = _read_content(db, list(batch.wanted))
            same = sum(stored.get(key) == version for key, version in batch.wanted.items())
            duplicate = len(documents) - same
            counts += WriteCounts(len(documents), unchanged=same, duplicate=duplicate)
        else:
            counts += batch.write()
            stored = _read_settled(batch)
            take_lease(db, one.item.entry, plan.run, lease_s)
        reckoning.compare(batch.wanted, stored)
    fate = "differs" if reckoning.differing else "verified" if plan.mode == "verify" else "loaded"
    account = reckoning.close(one, fate, counts, perf_counter() - started)
    if fate == "loaded" and one.item.kind != "quarantine":
        _enter(db, one)
    return account


def _list_batches(
    db: Database[Document], plan: Plan, one: Fetched, reckoning: "Reckoning"
) -> Iterator[list[Encoded]]:
    """Give the documents of the rows that count; versions that count no more are emptied first."""
    withdrawn = one.item.file.withdrawn if one.item.file else ()
    for rows, raw_units in read_rows(one.files):
        counting = rows
        if withdrawn:
            is_withdrawn = rows["source_key"].cast(pl.String).is_in(withdrawn)
            counting = rows.filter(~is_withdrawn)
            if plan.mode == "load":
                withdraw_documents(db["observations"], list_versions(rows.filter(is_withdrawn)))
        reckoning.instants += [*counting["at"].top_k(1), *counting["at"].bottom_k(1)]
        yield from encode_observations(counting, raw_units)


def _enter(db: Database[Document], one: Fetched) -> None:
    item = one.item
    if item.file is not None:
        enter_file(db, item.file)
        return
    facts = {"key": item.key, "etag": item.etag, "size": item.size}
    enter(db, item.entry, {**facts, "sha256": one.sha256, "rows": one.rows})


@retried
def _read_content(db: Database[Document], names: list[str]) -> dict[str, Version]:
    """Give versions; of a document that was changed by another hand, one that equals none."""
    found = db["observations"].find({"_id": {"$in": names}})
    return {d["_id"]: (d["rev"], d["hash"] if hash_document(d) == d["hash"] else "") for d in found}


def read_rows(files: Sequence[Path]) -> Iterator[tuple[pl.DataFrame, Mapping[str, str]]]:
    """Give OBSERVATIONS a bounded number of rows at a time, with the units of raw values."""
    for path in files:
        raw_units = json.loads(pl.read_parquet_metadata(path).get("raw_units", "{}"))
        for rows in pl.scan_parquet(path).collect_batches(chunk_size=_ROWS, maintain_order=True):
            yield rows, raw_units


@dataclass
class Reckoning:
    """What an object says against what MongoDB holds, document by document."""

    wanted: Counter[str] = field(default_factory=Counter)
    stored: Counter[str] = field(default_factory=Counter)
    checksum: int = 0
    checksum_stored: int = 0
    displaced: int = 0
    differing: list[str] = field(default_factory=list)
    instants: list[datetime] = field(default_factory=list)

    def compare(self, wanted: Mapping[str, Version], stored: Mapping[str, Version]) -> None:
        """Compare versions by `_id`; a newer one from elsewhere is no difference."""
        self.wanted.update(key.rpartition("|")[0] for key in wanted)
        self.stored.update(key.rpartition("|")[0] for key in stored)
        if stored != wanted:
            newer = {key for key, found in stored.items() if found > wanted[key] and found[1]}
            self.displaced += len(newer)
            wanted = {key: version for key, version in wanted.items() if key not in newer}
            stored = {key: version for key, version in stored.items() if key not in newer}
            differing = (key for key in wanted if stored.get(key) != wanted[key])
            self.differing += islice(differing, _SHOWN - len(self.differing))
        self.checksum += sum(int(content, 16) for _, content in wanted.values())
        self.checksum_stored += sum(int(content or "0", 16) for _, content in stored.values())

    def close(self, one: Fetched, fate: Fate, counts: WriteCounts, seconds: float) -> Account:
        """Give the account; records that never became a document are counted in."""
        rejected = sum(one.rejected.values())
        older = one.rows - rejected - counts.received
        counts += WriteCounts(rejected + older, duplicate=older, rejected=rejected)
        found = {
            "rows": counts.check(one.item.key),
            "stations": {
                name: (self.wanted[name], self.stored[name]) for name in sorted(self.wanted)
            },
            "checksum": f"{self.checksum % 2**128:032x}",
            "checksum_stored": f"{self.checksum_stored % 2**128:032x}",
            "displaced": self.displaced,
            "differing": self.differing,
            "first_at": min(self.instants, default=None),
            "last_at": max(self.instants, default=None),
            "seconds": round(seconds, 3),
        }
        if self.differing:
            found["reason"] = f"MongoDB differs, first in {self.differing[0]}"
        return open_account(one.item, fate, one).model_copy(update=found)
