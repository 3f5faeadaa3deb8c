"""Which objects of the lake are to be read: all that a source explains and no manifest lists."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

from tasks.common.manifests import read_manifests
from tasks.common.objects import ObjectRef, ObjectStore
from tasks.common.results import ObjectOutcome
from tasks.extract.catalogue import hash_source, match_source
from tasks.extract.declaration import Source

OWN_PREFIXES: Final = ("processed/", "forecasts/v1/", "quarantine/", "reports/", "logs/")
"""What the pipeline writes itself, where lake and output are one."""

Known = frozenset[tuple[str, str, str | None]]
"""(key, etag, hash of the source's declaration) of every object that need not be read again."""


class Landing(NamedTuple):
    """The lake's objects: those to read, each with its source, and those already settled."""

    unread: tuple[tuple[ObjectRef, Source], ...]
    settled: tuple[ObjectOutcome, ...]


def read_known(output: ObjectStore) -> Known:
    """Collect the inputs of every manifest.

    Raises:
        TerminalError: a manifest is unreadable; without it every object would be read again.
    """
    return frozenset(
        (one.key, one.etag, one.source_hash)
        for manifest in read_manifests(output)
        for one in manifest.inputs
        if one.sha256  # else its bytes could not be had: they are worth another try
    )


def survey(refs: Iterable[ObjectRef], sources: Mapping[str, Source], known: Known) -> Landing:
    """Sort the lake's objects, in the order of their keys.

    Neither name nor time orders or identifies an object, but (key, ETag): nothing is taken for
    "the newest file", and an object that arrived late is read all the same.

    Raises:
        ConfigurationError: two sources claim one object with equal right.
    """
    hashes = {id_: hash_source(source) for id_, source in sources.items()}
    unread: list[tuple[ObjectRef, Source]] = []
    settled: list[ObjectOutcome] = []
    for ref in refs:
        if ref.key.startswith(OWN_PREFIXES) or any(s.startswith(".") for s in ref.key.split("/")):
            continue
        source = match_source(ref.key, sources.values())
        if source is None:
            settled.append(settle(ref, None, "unmatched"))
        elif (ref.key, ref.etag, hashes[source.id]) in known:
            settled.append(settle(ref, source, "known"))
        else:
            unread.append((ref, source))
    return Landing(tuple(unread), tuple(settled))


def settle(
    ref: ObjectRef,
    source: Source | None,
    status: Literal["read", "quarantined", "unmatched", "known"],
) -> ObjectOutcome:
    """Account for an object; of one that is read, hash and counts follow."""
    return ObjectOutcome(
        key=ref.key,
        etag=ref.etag,
        size=ref.size,
        sha256=None,
        source_id=source.id if source else None,
        source_hash=hash_source(source) if source else None,
        status=status,
    )
