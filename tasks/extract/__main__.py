"""Try a source on files: what would be read, kept and rejected, and in which units.

Exit codes: 0 something was read, 1 nothing was readable, 2 wrong usage or configuration.
"""

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
from cyclopts import App, CycloptsError, Parameter
from rich.console import Console
from rich.table import Table

from tasks.common.errors import ConfigurationError, PipelineError
from tasks.common.objects import ObjectRef
from tasks.common.settings import load_settings
from tasks.extract.catalogue import load_sources, match_source
from tasks.extract.declaration import Source
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
    *files: Path,
    source: str | None = None,
    first_day: str | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Read FILES by their sources and say what was read, kept and rejected.

    Args:
        files: Files as Airbyte or a download left them.
        source: Id of the source, whatever the path says; default: by the globs of the sources.
        first_day: Local date of the first record, for files that carry times without a date.
        json: Print one JSON document instead of tables.
    """
    settings, day = load_settings(), _parse_day(first_day)
    sources = load_sources(settings.sources_dir)
    refs = [_refer(path) for path in _check_files(files)]
    chosen = [(ref, _choose_source(ref.key, sources, source)) for ref in refs]
    unread = [(ref, one) for ref, one in chosen if one is not None]
    if not unread:
        msg = f"No source matches {files[0]}; name one with --source: {', '.join(sources)}."
        raise ConfigurationError(msg)
    harvest = harvest_objects(unread, _fetch, settings, first_day=day)
    unmatched = [settle(ref, None, "unmatched") for ref, one in chosen if one is None]
    told = summarise(harvest, sources, unmatched)
    if json:
        sys.stdout.buffer.write(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
    else:
        _print_tables(told)
    return 0 if told["kept"] else 1


def _parse_day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        msg = f"--first-day is {text!r}, which is no date; write it as YYYY-MM-DD."
        raise ConfigurationError(msg) from None


def _check_files(files: tuple[Path, ...]) -> tuple[Path, ...]:
    missing = next((path for path in files if not path.is_file()), None)
    if missing is not None or not files:
        fault = f"{missing} is no file" if missing else "No file is named"
        msg = f"{fault}; give the paths of files to read."
        raise ConfigurationError(msg)
    return files


def _refer(path: Path) -> ObjectRef:
    stat = path.stat()
    modified_at = datetime.fromtimestamp(stat.st_mtime, UTC)
    return ObjectRef(path.resolve().as_posix(), "", stat.st_size, modified_at)


def _fetch(ref: ObjectRef) -> bytes:
    return Path(ref.key).read_bytes()


def _choose_source(key: str, sources: dict[str, Source], source_id: str | None) -> Source | None:
    if source_id is None:
        return match_source(key, sources.values())
    if source_id not in sources:
        msg = f"--source is {source_id!r}, which is no source; use one of {', '.join(sources)}."
        raise ConfigurationError(msg)
    return sources[source_id]


def _print_tables(told: dict[str, Any]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 140)
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
