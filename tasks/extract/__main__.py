"""Try a source on files: what would be read, kept and rejected, and in which units.

Exit codes: 0 something was read, 1 nothing was readable, 2 wrong usage or configuration.
"""

import sys
from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import polars as pl
from cyclopts import App, CycloptsError, Parameter
from rich.console import Console
from rich.table import Table

from tasks.common.accounts import Tally
from tasks.common.contracts import QUARANTINE
from tasks.common.errors import ConfigurationError, PipelineError
from tasks.common.results import ObjectOutcome
from tasks.common.settings import Settings, load_settings
from tasks.extract.catalogue import hash_source, load_sources, match_source
from tasks.extract.declaration import Source
from tasks.extract.harvest import read_body
from tasks.extract.identity import Origin
from tasks.extract.readings import ObjectReadings
from tasks.extract.summary import summarise

USAGE_EXIT: Final = 2
_stderr = Console(stderr=True)

app = App(
    name="python -m tasks.extract",
    help="Dry-run the declared sources on files; nothing is written anywhere.",
)


@app.default
def inspect_files(
    *files: Path,
    source: str | None = None,
    first_day: str | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Read FILES by their sources and say what was read, kept and rejected.

    Examples: `python -m tasks.extract eCO2mix_RTE_Hauts-de-France_2019.xls`;
    `python -m tasks.extract week.jsonl --source wunderground --first-day 2024-10-01 --json`

    Args:
        files: Files as Airbyte or a download left them.
        source: Id of the source, whatever the path says; default: by the globs of the sources.
        first_day: Local date of the first record, for files that carry times without a date.
        json: Print one JSON document instead of tables.
    """
    settings = load_settings()
    told = _inspect(files, settings, source_id=source, first_day=_parse_day(first_day))
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


def _inspect(
    files: tuple[Path, ...], settings: Settings, *, source_id: str | None, first_day: date | None
) -> dict[str, Any]:
    sources = load_sources(settings.sources_dir)
    chosen = [(path, _choose_source(path, sources, source_id)) for path in _check_files(files)]
    if not any(source for _, source in chosen):
        msg = f"No source matches {files[0]}; name one with --source: {', '.join(sources)}."
        raise ConfigurationError(msg)
    frames: defaultdict[str, list[pl.DataFrame]] = defaultdict(list)
    outcomes, quarantine, cells = [], [QUARANTINE.to_frame()], Counter[str]()
    for path, source in chosen:
        if source is None:
            outcomes.append(_outcome(path, None, None))
            continue
        readings = _read_file(path, source, settings, first_day)
        frames[source.id].append(readings.frame)
        quarantine.append(readings.quarantine)
        cells.update(readings.cells)
        outcomes.append(_outcome(path, source, readings))
    return summarise(outcomes, frames, sources, quarantine=pl.concat(quarantine), cells=cells)


def _check_files(files: tuple[Path, ...]) -> tuple[Path, ...]:
    missing = next((path for path in files if not path.is_file()), None)
    if missing is not None or not files:
        msg = f"{missing} is no file." if missing else "No file is named."
        raise ConfigurationError(f"{msg} Give the paths of files to read.")
    return files


def _choose_source(path: Path, sources: dict[str, Source], source_id: str | None) -> Source | None:
    if source_id is None:
        return match_source(path.resolve().as_posix(), sources.values())
    if source_id not in sources:
        msg = f"--source is {source_id!r}, which is no source; use one of {', '.join(sources)}."
        raise ConfigurationError(msg)
    return sources[source_id]


def _read_file(
    path: Path, source: Source, settings: Settings, first_day: date | None
) -> ObjectReadings:
    modified_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    origin = Origin(path.resolve().as_posix(), "", source.id, modified_at, first_day)
    return read_body(path.read_bytes(), source, origin, settings)


def _outcome(path: Path, source: Source | None, readings: ObjectReadings | None) -> ObjectOutcome:
    status = "unmatched"
    if readings is not None:
        status = "quarantined" if readings.is_whole_rejected else "read"
    return ObjectOutcome(
        key=str(path),
        etag="",
        size=path.stat().st_size,
        sha256=None,
        source_id=source.id if source else None,
        source_hash=hash_source(source) if source else None,
        status=status,
        tally=readings.tally if readings else Tally(),
        reason=readings.reason if readings else None,
    )


def _print_tables(told: dict[str, Any]) -> None:
    console = Console()
    counts = {name: told[name] for name in ("read", "kept", "blank", "duplicate", "rejected")}
    console.print(", ".join(f"{name} {value or 0}" for name, value in counts.items()))
    for one in told["objects"]:
        console.print(
            f"{one['key']}: {one['status']}, {one['source']}, {one['reason'] or 'as declared'}"
        )
    table = Table("series", "values", "first", "last", "unit", "delivered in")
    for name, facts in told["series"].items():
        table.add_row(
            name, *(str(facts[key]) for key in ("rows", "first", "last", "unit", "source_unit"))
        )
    console.print(table)
    for rule, count in told["cells"].items():
        console.print(f"unreadable cells: {count} {rule}")


def main() -> int:
    """Run the command; errors become one sentence and an exit code."""
    try:
        return app(result_action="return_value", exit_on_error=False)
    except CycloptsError:
        return USAGE_EXIT  # cyclopts has printed what is wrong
    except ConfigurationError as error:
        _stderr.print(str(error), markup=False, highlight=False)
        return USAGE_EXIT
    except PipelineError as error:
        _stderr.print(str(error), markup=False, highlight=False)
        return 1


if __name__ == "__main__":
    sys.exit(main())
