"""A run that somebody should look at: the cause, and the series or objects concerned."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb
from typing import Final, cast

from tasks.common.accounts import SeriesOutcome, is_troubled
from tasks.common.errors import PipelineError
from tasks.common.settings import redact_uri
from tasks.report.document import RunReport
from tasks.report.migration import MigrationReport
from tasks.report.text import fence

RUNBOOK: Final = "docs/how-to/handle-a-degraded-run.md"
_TASKS: Final = Path(__file__).parents[1]
_SHOWN: Final = 20


@dataclass(frozen=True)
class Trouble:
    """Why somebody should look at a run.

    Attributes:
        cause: the verdict, or the error that ended the run; no password in it.
        place: step and line of the code the error came from, empty for a verdict.
        concerned: series or objects with their reasons; empty when all of them are.
    """

    cause: str
    place: str = ""
    concerned: tuple[tuple[str, str], ...] = ()


def find_trouble(told: RunReport | MigrationReport | None, error: object, message: str) -> Trouble:
    """Tell the trouble of a run by its report, else by its error, else by what Prefect says."""
    if told is not None:
        return Trouble(told.verdict, concerned=tuple(_list_concerned(told)))
    if not isinstance(error, BaseException) or not str(error):
        return Trouble(redact_uri(message))
    cause = str(error) if isinstance(error, PipelineError) else f"{type(error).__name__}: {error}"
    return Trouble(redact_uri(cause), _find_place(error))


def render_trouble(trouble: Trouble) -> str:
    """Give it as markdown; every text from outside is fenced."""
    lines = [fence(trouble.cause), ""]
    if trouble.place:
        lines += [f"In {fence(trouble.place)}.", ""]
    for name, why in trouble.concerned[:_SHOWN]:
        lines.append(f"- {fence(name)}: {fence(why)}")
    lines += [_count_rest(trouble), "", f"What to do: {fence(RUNBOOK)}."]
    return "\n".join(lines) + "\n"


def write_notice(trouble: Trouble, link: str | None) -> str:
    """Give it as plain text for a message, without what chat programs take for orders."""
    lines = [trouble.cause, trouble.place and f"In {trouble.place}."]
    lines += [f"- {name}: {why}" for name, why in trouble.concerned[:_SHOWN]]
    flat = (" ".join(line.split()).translate(_INERT) for line in (*lines, _count_rest(trouble)))
    return "\n".join([*filter(None, flat), *([link] if link else [])])


_INERT: Final = str.maketrans({**dict(zip("<>{}`", "()()'", strict=True)), "@": "(at)"})
"""`<!channel>`, `@everyone` and `{{secret}}` call people, or fill in what a webhook keeps."""


def _count_rest(trouble: Trouble) -> str:
    if not trouble.concerned:
        return "It concerns the whole run, no single series or object."
    rest = len(trouble.concerned) - _SHOWN
    return f"And {rest:,} more." if rest > 0 else ""


def _list_concerned(told: RunReport | MigrationReport) -> Iterator[tuple[str, str]]:
    if isinstance(told, MigrationReport):
        for account in told.objects:
            if account.fate in ("differs", "refused", "left"):
                yield account.key, account.reason or account.fate
        return
    for one in told.series:
        if is_troubled(cast("SeriesOutcome", one)):  # by the same words: status, members' failures
            yield one.series_id, one.reason
    yield from ((one.key, one.reason or "rejected rows") for one in told.input.problems)


def _find_place(error: BaseException) -> str:
    """Give the last line of our own that the error passed."""
    frames = extract_tb(error.__traceback__)
    ours = [one for one in frames if Path(one.filename).is_relative_to(_TASKS)]
    if not ours:
        return ""
    path = Path(ours[-1].filename).relative_to(_TASKS.parent)
    return f"{path.as_posix()}:{ours[-1].lineno} {ours[-1].name}"
