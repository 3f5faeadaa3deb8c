"""Where a forecast comes from: the state of its data, and what computed it.

Both stand outside the document's hash: the same numbers from another machine, image or revision
are the same forecast, and what is stored first stays.
"""

import platform
from collections.abc import Iterable, Iterator
from typing import Final

from tasks.common.mongo import Document
from tasks.common.results import Forecasted, Transformed
from tasks.common.settings import Settings

_DATA: Final = (
    *("expected", "present", "gaps", "longest_gap_h", "newest_at", "freshness_h"),
    *("suspect", "failed"),
)


def describe_origin(forecasted: Forecasted, settings: Settings) -> Document:
    """Tell what computed a run; null: not known, as outside an image."""
    return {
        "git_sha": settings.git_sha,
        "image": settings.image,
        "image_digest": settings.image_digest,
        "python": platform.python_version(),
        "seed": forecasted.configuration.get("seed"),
    }


def add_provenance(
    documents: Iterable[Document],
    transformed: Transformed,
    forecasted: Forecasted,
    *,
    settings: Settings,
) -> Iterator[Document]:
    """Add to each forecast `data`, as in `Transformed.series`, and `provenance`."""
    origin = describe_origin(forecasted, settings)
    rows = {row["series_id"]: row for row in transformed.series.iter_rows(named=True)}
    for document in documents:
        row = rows.get(document["series_id"], {})
        data = {name: row[name] for name in _DATA if name in row}
        yield document | {"data": data, "provenance": origin}
