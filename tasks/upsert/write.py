"""The one write path to MongoDB: any order, any repetition, the same final documents.

Every document carries `rev` (a string that orders versions; the higher wins) and `hash` (of its
content; breaks ties). What is stored is read first, since a duplicate-key error costs seven times
a read; new documents are inserted, older ones replaced under a guard, equal ones left alone.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final, cast

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import ReplaceOne
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError
from tenacity import retry, retry_if_result, stop_after_delay, wait_exponential

from tasks.common.accounts import WriteCounts
from tasks.common.errors import TerminalError
from tasks.common.mongo import DUPLICATE_KEY, Document, retried
from tasks.upsert.encoding import BATCH_DOCUMENTS, Bson, Encoded, Version, uncollected

_STAMP: Final = ("_id", "rev", "hash")
_MOST_SPANS: Final = 8


def write_documents(collection: Collection[Document], documents: Iterable[Document]) -> WriteCounts:
    """Store documents that have `_id`, `rev` and `hash`, as `write_batches` does."""
    encoded = (
        (d["_id"], version_of(d), bson.encode(d), bson.encode({key: d[key] for key in _STAMP}))
        for d in documents
    )
    return write_batches(collection, iter(lambda: list(islice(encoded, BATCH_DOCUMENTS)), []))


def write_batches(
    collection: Collection[Document], batches: Iterable[Sequence[Encoded]]
) -> WriteCounts:
    """Store documents; the counts close.

    Of two versions of one `_id` the greater (rev, hash) stays, in whatever order, however often
    and by however many writers they arrive; the lesser counts as duplicate. Every batch is
    acknowledged by a majority before it counts.

    Raises:
        TerminalError: MongoDB refused a document.
        PyMongoError: the set gave no answer for two minutes.
    """
    total = WriteCounts()
    for batch in batches:
        total += Batch(collection, batch).write()
    return total.check(collection.name)


def version_of(document: Document) -> Version:
    """Give what orders two versions of one document."""
    return document["rev"], document["hash"]


class Batch:
    """Documents of one batch, and what was stored before anything was written.

    Attributes:
        received: number of the documents.
        wanted: the version of every document, by `_id`.
    """

    def __init__(self, collection: Collection[Document], documents: Sequence[Encoded]) -> None:
        """Keep the greatest version of each document; nothing is read or written yet."""
        self._collection = collection
        self.received = len(documents)
        self._bodies: dict[str, Bson] = {}
        self._stamps: dict[str, Bson] = {}
        self.wanted: dict[str, Version] = {}
        self._before: dict[str, Version] | None = None
        self._stands: dict[str, Version] = {}
        for name, version, body, stamp in documents:
            if name not in self.wanted or version > self.wanted[name]:
                self._bodies[name], self._stamps[name], self.wanted[name] = body, stamp, version

    @retried
    @uncollected()
    def write(self) -> WriteCounts:
        """Write what is newer. A repetition after a lost answer counts its own earlier writes."""
        stored, wanted = {} if self._is_new() else self._read_versions(), self.wanted
        if self._before is None:
            self._before = stored
            if stored == wanted:
                self._stands = stored
                duplicate = self.received - len(stored)
                return WriteCounts(self.received, unchanged=len(stored), duplicate=duplicate)
        own = [k for k, v in stored.items() if v == wanted[k] and self._before.get(k) != v]
        new = [k for k in wanted if k not in stored]
        newer = [k for k, v in stored.items() if v < wanted[k]]
        raced = self._insert(new)
        replaced = self._replace([*newer, *raced])
        own_inserted = sum(key not in self._before for key in own)
        stale = sum(wanted[key] < version for key, version in stored.items())
        self._stands = {} if new or newer else stored
        return WriteCounts(
            received=self.received,
            inserted=len(new) - len(raced) + own_inserted,
            modified=replaced + len(own) - own_inserted,
            unchanged=sum(wanted[k] == v for k, v in stored.items()) - len(own),
            duplicate=self.received - len(wanted) + stale + len(newer) + len(raced) - replaced,
        )

    def read_back(self) -> dict[str, Version]:
        """Give what MongoDB holds of the batch, read after anything was written.

        A new primary may show an older majority for a moment: what is missing or older is looked
        for again. A newer version is no difference.
        """
        settled = retry(
            retry=retry_if_result(self._lags),
            wait=wait_exponential(multiplier=0.05, max=1),
            stop=stop_after_delay(10),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else {},
        )(self._read_versions)
        return self._stands or settled()

    def _lags(self, stored: dict[str, Version]) -> bool:
        wanted = self.wanted
        return stored != wanted and any(stored.get(k, ("", "")) < v for k, v in wanted.items())

    def _is_new(self) -> bool:
        """Tell that nothing is stored between the names of any station, as where a file is new."""
        names, spans, start = sorted(self.wanted), [], 0
        while start < len(names) and len(spans) < _MOST_SPANS:
            station = names[start].rpartition("|")[0]
            end = bisect_right(names, f"{station}|~", lo=start + 1)
            spans.append({"_id": {"$gte": names[start], "$lte": names[end - 1]}})
            start = end
        if start < len(names) or not spans:
            return False
        return self._collection.find_one({"$or": spans}, {"_id": 1}) is None

    @retried
    @uncollected()
    def _read_versions(self) -> dict[str, Version]:
        """Read what is stored of the batch; equal bytes need no decoding."""
        names = sorted(self.wanted)
        found = self._collection.find_raw_batches(
            {"_id": {"$in": names}},
            dict.fromkeys(_STAMP, 1),
            sort=[("_id", 1)],
            batch_size=len(names) + 1,
        )
        told = b"".join(cast("Iterable[bytes]", found))
        if told == b"".join(self._stamps[name] for name in names):
            return self.wanted
        return {document["_id"]: version_of(document) for document in bson.decode_all(told)}

    def _insert(self, names: Sequence[str]) -> list[str]:
        """Insert; give those that another writer inserted in between."""
        if not names:
            return []
        try:
            self._collection.insert_many(map(self._wrap, names), ordered=False)
        except BulkWriteError as error:
            self._refuse(error, names)
            if error.details["writeConcernErrors"]:
                raise
            return [names[e["index"]] for e in error.details["writeErrors"]]
        return []

    def _replace(self, names: Sequence[str]) -> int:
        """Replace what is older, and only that; give how many were."""
        if not names:
            return 0
        operations = [ReplaceOne(self._older(name), self._wrap(name)) for name in names]
        try:
            return self._collection.bulk_write(operations, ordered=False).matched_count
        except BulkWriteError as error:
            self._refuse(error, names)
            raise

    def _wrap(self, name: str) -> RawBSONDocument:
        return RawBSONDocument(self._bodies[name])

    def _older(self, name: str) -> Document:
        """Match what is stored only while it is older (no upsert: that would race to 11000)."""
        rev, content = self.wanted[name]
        return {"_id": name, "$or": [{"rev": {"$lt": rev}}, {"rev": rev, "hash": {"$lt": content}}]}

    def _refuse(self, error: BulkWriteError, names: Sequence[str]) -> None:
        """Raise when the server refused a document for any reason but a lost race."""
        refused = [e for e in error.details["writeErrors"] if e["code"] != DUPLICATE_KEY]
        if refused:
            msg = (
                f"MongoDB refused {len(refused)} of {self.received} documents of "
                f"{self._collection.name}, first {names[refused[0]['index']]!r}: code "
                f"{refused[0]['code']}, {refused[0]['errmsg']}; mend their cause and run again."
            )
            raise TerminalError(msg) from None
