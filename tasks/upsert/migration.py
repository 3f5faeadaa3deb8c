"""Objects of the processed layer into MongoDB, each accounted for by what stands there after."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from io import BytesIO
from itertools import chain
from time import perf_counter
from typing import Final

from pydantic_core import to_json
from pymongo.database import Database

from tasks.common.accounts import WriteCounts
from tasks.common.migration import Account, Fate, Fetched, Item, Plan, open_account
from tasks.common.mongo import Document, retried
from tasks.common.objects import ObjectStore
from tasks.upsert.documents import hash_document
from tasks.upsert.encoding import Version
from tasks.upsert.ledger import LEASE_S, await_lease, enter, read_ledger, take_lease
from tasks.upsert.observations import encode_file, find_span, withdraw_rows
from tasks.upsert.write import Batch

Db = Database[Document]

_SHOWN: Final = 20
_PART_BYTES: Final = 8 << 20


def mark_known(db: Db, plan: Plan) -> Plan:
    """Mark what the ledger has, where it may be passed over, and put the rest in order.

    Files of which rows were withdrawn come first, and bring all files of their month along:
    what the withdrawn rows had displaced is then written after them.
    """
    known = read_ledger(db, [item.entry for item in plan.items]) if plan.may_skip else set()
    due = {_name_month(i) for i in plan.items if _list_withdrawn(i) and i.entry not in known}
    ordered = sorted(plan.items, key=lambda item: not _list_withdrawn(item))
    items = (replace(i, is_known=i.entry in known and _name_month(i) not in due) for i in ordered)
    return replace(plan, items=tuple(items))


def _list_withdrawn(item: Item) -> tuple[str, ...]:
    return item.file.withdrawn if item.file else ()


def _name_month(item: Item) -> tuple[str, str]:
    return (item.file.source_id, item.file.month) if item.file else (item.key, "")


def load_batch(
    db: Db, plan: Plan, batch: Sequence[Fetched], *, store: ObjectStore, lease_s: float = LEASE_S
) -> tuple[Account, ...]:
    """Load objects, or only compare them, and account for each; `store` gets what differs, by name.

    Safe to repeat: equal documents are left alone, and the ledger gets an object only when a
    majority holds its last batch. Those that another run is loading come last; the accounts stand
    in the order of the batch.

    Raises:
        TerminalError: MongoDB refused a document.
        PyMongoError: the set gave no answer for two minutes.
    """
    if plan.mode == "verify":
        return tuple(_account_for(db, plan, one, store, 0) for one in batch)
    taken = perf_counter()
    held = [one for one in batch if not take_lease(db, one.item.entry, plan.run, lease_s)]
    accounts = {}
    for one in sorted(batch, key=lambda one: one in held):
        entry = one.item.entry
        if one in held or perf_counter() > taken + lease_s / 3:
            await_lease(db, entry, plan.run, lease_s)
        is_done = one in held and plan.may_skip and read_ledger(db, [entry])
        account = None if is_done else _account_for(db, plan, one, store, lease_s)
        accounts[one.item.key] = account or open_account(one.item, "known")
        take_lease(db, entry, plan.run, 0)
    return tuple(accounts[one.item.key] for one in batch)


def _account_for(db: Db, plan: Plan, one: Fetched, store: ObjectStore, lease_s: float) -> Account:
    if one.reason:
        return open_account(one.item, "refused", one)
    started, counts, reckoning = perf_counter(), WriteCounts(), Reckoning(store)
    withdrawn = _list_withdrawn(one.item)
    for path in one.files if plan.mode == "load" else ():
        withdraw_rows(db, path, withdrawn)
    for documents in chain.from_iterable(encode_file(path, withdrawn) for path in one.files):
        batch = Batch(db["observations"], documents)
        if plan.mode == "load":
            counts += batch.write()
            reckoning.compare(batch, batch.read_back())
            take_lease(db, one.item.entry, plan.run, lease_s)
        else:
            counts += reckoning.compare(batch, _read_content(db, list(batch.wanted)))
    fate = "differs" if reckoning.differing else "loaded" if plan.mode == "load" else "verified"
    if fate == "loaded" and one.item.kind != "quarantine":
        told = {"key": one.item.key, "size": one.item.size, "sha256": one.sha256, "rows": one.rows}
        enter(db, one.item.entry, **told, migration=plan.run)
    return reckoning.close(one, fate, counts, perf_counter() - started)


@retried
def _read_content(db: Db, names: list[str]) -> dict[str, Version]:
    """Give versions; of a document that was changed by another hand, one that equals none."""
    found = db["observations"].find({"_id": {"$in": names}})
    return {d["_id"]: (d["rev"], d["hash"] if hash_document(d) == d["hash"] else "") for d in found}


@dataclass
class Reckoning:
    """What an object says against what MongoDB holds, document by document."""

    store: ObjectStore
    wanted: Counter[str] = field(default_factory=Counter)
    stored: Counter[str] = field(default_factory=Counter)
    checksum: int = 0
    checksum_stored: int = 0
    displaced: int = 0
    differing: list[str] = field(default_factory=list)
    lines: BytesIO = field(default_factory=BytesIO)
    differing_keys: list[str] = field(default_factory=list)

    def compare(self, batch: Batch, stored: Mapping[str, Version]) -> WriteCounts:
        """Compare versions by `_id`, and count; a newer one from elsewhere is no difference."""
        wanted, differing = batch.wanted, []
        for count, keys in ((self.wanted, wanted), (self.stored, stored)):
            count.update(key.rpartition("|")[0] for key in keys)
        if stored != wanted:
            newer = {key for key, found in stored.items() if found > wanted[key] and found[1]}
            self.displaced += len(newer)
            wanted = {key: version for key, version in wanted.items() if key not in newer}
            stored = {key: version for key, version in stored.items() if key not in newer}
            differing = [key for key in wanted if stored.get(key) != wanted[key]]
            self.differing += differing[: _SHOWN - len(self.differing)]
            told = ({"_id": k, "lake": wanted[k], "mongodb": stored.get(k)} for k in differing)
            self.lines.writelines(to_json(line) + b"\n" for line in told)
            self.name_differing(_PART_BYTES)
        self.checksum += sum(int(content, 16) for _, content in wanted.values())
        self.checksum_stored += sum(int(content or "0", 16) for _, content in stored.values())
        same, missing = len(wanted) - len(differing), len(wanted) - len(stored)
        found = {"unchanged": same, "missing": missing, "altered": len(differing) - missing}
        return WriteCounts(batch.received, duplicate=batch.received - len(wanted), **found)

    def name_differing(self, least: int = 0) -> None:
        """Put the names of what differs, once there are more bytes of them than that."""
        if self.lines.tell() > least:
            digest = sha256(body := self.lines.getvalue()).hexdigest()
            self.differing_keys.append(f"reports/migration/differing_{digest[:16]}.jsonl")
            self.store.put_if_absent(self.differing_keys[-1], body)
            self.lines = BytesIO()

    def close(self, one: Fetched, fate: Fate, counts: WriteCounts, seconds: float) -> Account:
        """Give the account; records that never became a document are counted in."""
        self.name_differing()
        rejected = sum(one.rejected.values())
        older = one.rows - rejected - counts.received
        counts += WriteCounts(rejected + older, duplicate=older, rejected=rejected)
        withdrawn = _list_withdrawn(one.item)
        instants = [at for path in one.files for at in find_span(path, withdrawn)]
        found = {
            "rows": counts.check(one.item.key),
            "stations": {n: (self.wanted[n], self.stored[n]) for n in sorted(self.wanted)},
            "checksum": f"{self.checksum % 2**128:032x}",
            "checksum_stored": f"{self.checksum_stored % 2**128:032x}",
            **{name: getattr(self, name) for name in ("displaced", "differing", "differing_keys")},
            "first_at": min(instants, default=None),
            "last_at": max(instants, default=None),
            "seconds": round(seconds, 3),
        }
        if self.differing:
            found["reason"] = f"MongoDB differs from {one.item.key}, first {self.differing[0]!r}."
        return replace(open_account(one.item, fate, one), **found)
