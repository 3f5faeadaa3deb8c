"""Try a source on files: what would be read, kept and rejected, and in which units.

Exit codes: 0 something was read, 1 nothing was readable, 2 wrong usage or configuration.
"""

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
from cyclopts import App, CycloptsError, Parameter
from cyclopts.types import ExistingFile
from rich.console import Console
from rich.table import Table

from tasks.common.errors import ConfigurationError, PipelineError
from tasks.common.objects import ObjectRef
from tasks.common.settings import load_settings
from tasks.extract.catalogue import load_sources, match_source
from tasks.extract.harvest import harvest_objects
from tasks.extract.landing import settle
from tasks.extract.summary import summarise

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
        sys.stdout.buffer.write(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
    else:
        _print_tables(told)
    return 0 if told["kept"] else 1


def _refer(path: Path) -> ObjectRef:
    stat = path.stat()
    modified_at = datetime.fromtimestamp(stat.st_mtime, UTC)
    return ObjectRef(path.resolve().as_posix(), "", stat.st_size, modified_at)


def _fetch(ref: ObjectRef) -> bytes:
    return Path(ref.key).read_bytes()


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
        span = f"{facts['first'][:16]} {facts['last'][:16]}"
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
