"""What a person sees while a flow runs: one line with the step, the fits and the time.

Without a terminal, or with JSON logs, Prefect's log lines are what is seen. Prefect's own variable
PREFECT_LOGGING_HANDLERS_CONSOLE_FORMATTER=json makes every one of them a JSON object.
"""

import logging
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from typing import Final

from prefect.logging.formatters import JsonFormatter
from prefect.logging.handlers import PrefectConsoleHandler
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

from tasks.forecast.task import listener
from tasks.forecast.work import How
from tasks.report.text import inert_text

stderr: Final = Console(
    # Without a terminal (a log, a pipe) lines still get the width the tables are made for.
    stderr=True, width=None if sys.stderr.isatty() else 100, markup=False, highlight=False,
)  # fmt: skip


@contextmanager
def watched(*, quiet: bool) -> Generator[None]:
    """Show what goes on meanwhile: nothing, one live line, or the log, whichever fits."""
    is_live = stderr.is_terminal and not quiet and not logs_json()
    consoles = {handler: handler.console for handler in _find_handlers()}
    for handler in consoles if quiet or is_live else ():
        # When quiet, the command itself tells the error that ended it.
        handler.setLevel(logging.CRITICAL + 1 if quiet else logging.WARNING)
        handler.console = stderr  # which keeps the live line below what it prints
    try:
        with _live_line() if is_live else nullcontext():
            yield
    finally:
        for handler, console in consoles.items():
            handler.console = console
            if quiet or is_live:  # Prefect still says goodbye when the process ends
                handler.setLevel(logging.WARNING)


def logs_json() -> bool:
    """Tell whether the console log is JSON."""
    return any(isinstance(handler.formatter, JsonFormatter) for handler in _find_handlers())


def _find_handlers() -> list[PrefectConsoleHandler]:
    handlers = logging.getLogger().handlers
    return [handler for handler in handlers if isinstance(handler, PrefectConsoleHandler)]


class _Steps(logging.Handler):
    """Hands on every log record of a step as `step: what it says`."""

    def __init__(self, show: Progress) -> None:
        super().__init__()
        self.show = show

    def emit(self, record: logging.LogRecord) -> None:
        step = getattr(record, "task_name", "")
        said = record.getMessage().replace("Finished in state Completed()", "done")
        description = inert_text(f"{step}: {said}").plain
        self.show.update(self.show.task_ids[0], description=description)


@contextmanager
def _live_line() -> Generator[None]:
    cut = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    label = TextColumn("{task.description}", markup=False, table_column=cut)
    columns = (SpinnerColumn(), TimeElapsedColumn(), BarColumn(16), label)
    with Progress(*columns, console=stderr, transient=True, expand=True) as progress:
        line = progress.add_task("starting", total=None)

        def listen(total: int, made: Counter[How]) -> None:
            counts = ", ".join(f"{count:,} {how}" for how, count in sorted(made.items()))
            told = f"forecast: {made.total():,} of {total:,} fits ({counts})"
            # Never quite full: a full bar stops rich's clock, and two more steps follow.
            progress.update(line, total=total, completed=made.total() - 0.5, description=told)

        steps, log = _Steps(progress), logging.getLogger("prefect.task_runs")
        token = listener.set(listen)
        log.addHandler(steps)
        try:
            yield
        finally:
            log.removeHandler(steps)
            listener.reset(token)
