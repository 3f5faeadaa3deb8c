"""Try a source on files: what would be read, kept and rejected, and in which units.

Exit codes: 0 something was read, 1 nothing was readable, 2 wrong usage or configuration.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import polars as pl
from cyclopts import App, CycloptsError, Parameter
from cyclopts.types import ExistingFile
from rich.console import Console
from rich.table import Table

from tasks.common.accounts import Tally
from tasks.common.contracts import VARIABLES, keep_latest, series_id, variables_of
from tasks.common.errors import ConfigurationError, PipelineError
from tasks.common.objects import ObjectRef
from tasks.common.results import ObjectOutcome
from tasks.common.settings import load_settings
from tasks.extract.catalogue import load_sources, match_source
from tasks.extract.declaration import Source
from tasks.extract.harvest import Harvest, harvest_objects
from tasks.extract.landing import settle

_SAMPLE_ROWS: Final = 20

app = App(
    name="python -m tasks.extract",
    help="Dry-run the declared sources on files; nothing is written anywhere.\n\n"
    "Examples: python -m tasks.extract eCO2mix_RTE_Hauts-de-France_2019.xls\n\n"
    "python -m tasks.extract week.jsonl --source wunderground --first-day 2024-10-01 --json",
    version_flags=[],
)


@app.default
def inspect_files(
    file: ExistingFile,
    /,
    *files: ExistingFile,
    source: str | None = None,
    first_day: date | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Read FILES by their sources and say what was read, kept and rejected.

    Args:
        file: A file as Airbyte or a download left it.
        files: More of them.
        source: Id of the source, whatever the path says; default: by the globs of the sources.
        first_day: Local date of the first record (YYYY-MM-DD), where only times are carried.
        json: Print one JSON document instead of tables.
    """
    settings = load_settings()
    sources = load_sources(settings.sources_dir)
    if source not in (None, *sources):
        msg = f"--source is {source!r}, which is no source; use one of {', '.join(sources)}."
        raise ConfigurationError(msg)
    refs = [_refer(path) for path in (file, *files)]
    named = sources[source] if source else None
    chosen = [(ref, named or match_source(ref.key, sources.values())) for ref in refs]
    unread = [(ref, one) for ref, one in chosen if one]
    if not unread:
        msg = f"No source matches {file}; name one with --source: {', '.join(sources)}."
        raise ConfigurationError(msg)
    harvest = harvest_objects(unread, _fetch, settings, first_day=first_day)
    unmatched = [settle(ref, None, "unmatched") for ref, one in chosen if not one]
    told = summarise(harvest, sources, unmatched)
    if json:
        options = orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
        sys.stdout.buffer.write(orjson.dumps(told, option=options))
    else:
        _print_tables(told)
    return 0 if told["kept"] else 1


def _refer(path: Path) -> ObjectRef:
    stat = path.stat()
    modified_at = datetime.fromtimestamp(stat.st_mtime, UTC)
    return ObjectRef(path.resolve().as_posix(), "", stat.st_size, modified_at)


def _fetch(ref: ObjectRef) -> bytes:
    return Path(ref.key).read_bytes()


def summarise(
    harvest: Harvest, sources: Mapping[str, Source], unmatched: Iterable[ObjectOutcome]
) -> dict[str, Any]:
    """Give the document of `--json`; read = kept + blank + duplicate + rejected.

    Of two files that hold one station's instant, the later version is kept, as in transform.
    """
    merged = dict(_merge(harvest))
    tally = sum((one.tally for one in harvest.outcomes), Tally())
    kept = sum(frame.height for frame in merged.values())
    tally = replace(tally, kept=kept, duplicate=tally.duplicate + tally.kept - kept)
    series = [one for name, frame in merged.items() for one in _list_series(frame, sources[name])]
    return {
        **asdict(tally.check("the files")),
        "series": dict(sorted(series)),
        "cells": dict(harvest.cells),
        "objects": [
            {"key": one.key, "source": one.source_id, "status": one.status, "reason": one.reason}
            for one in (*harvest.outcomes, *unmatched)
        ],
        "zones": {name: sources[name].time.zone for name in merged},
        "quarantine": harvest.quarantine.head(_SAMPLE_ROWS).to_dicts(),
    }


def _merge(harvest: Harvest) -> Iterator[tuple[str, pl.DataFrame]]:
    for name in sorted({part.source_id for part in harvest.parts}):
        read = [pl.read_ipc(part.path) for part in harvest.parts if part.source_id == name]
        yield name, keep_latest(pl.concat(read, how="diagonal"))


def _list_series(frame: pl.DataFrame, source: Source) -> Iterator[tuple[str, dict[str, Any]]]:
    first, last = pl.col("at").min().alias("first"), pl.col("at").max().alias("last")
    for name in variables_of(frame):
        units = {"unit": VARIABLES[name].unit, "source_unit": source.fields[name].unit}
        spans = (
            frame.drop_nulls(name).group_by("station_id").agg(pl.len().alias("rows"), first, last)
        )
        for span in spans.iter_rows(named=True):
            yield series_id(span.pop("station_id"), name), span | units


def _print_tables(told: dict[str, Any]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 140, markup=False)
    counts = ("read", "kept", "blank", "duplicate", "rejected")
    console.print(", ".join(f"{name} {told[name] or 0}" for name in counts))
    for one in told["objects"]:
        told_of = (one["source"], one["status"], one["reason"])
        console.print(f"{Path(one['key']).name}: {', '.join(filter(None, told_of))}")
    console.print(f"unreadable cells: {told['cells'] or 'none'}; zones: {told['zones']}")
    table = Table("series", "values", "first, last", "unit", "delivered in", box=None)
    for name, facts in told["series"].items():
        span = f"{facts['first']:%Y-%m-%dT%H:%M} {facts['last']:%Y-%m-%dT%H:%M}"
        table.add_row(name, str(facts["rows"]), span, facts["unit"], facts["source_unit"])
    console.print(table)


def main(words: list[str]) -> int:
    """Run the command; errors become one sentence and an exit code."""
    try:
        return app(words, result_action="return_value", exit_on_error=False)
    except CycloptsError:
        return 2  # cyclopts has printed what is wrong
    except PipelineError as error:
        Console(stderr=True).print(str(error), markup=False, highlight=False)
        return 2 if isinstance(error, ConfigurationError) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
