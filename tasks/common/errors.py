"""The project's exceptions, drawn once.

    PipelineError
    ├── ConfigurationError   the operator's words are wrong: nothing was started, exit 2
    ├── TransientError       the world may be better in a moment: Prefect retries the task
    └── TerminalError        trying again cannot help: the run fails, exit 1
        ├── CorruptObjectError   an object is not the bytes that were listed
        ├── OversizedObjectError an object would not fit the declared bounds
        └── UnbalancedCountsError  a report that does not close

Messages are one sentence: what is wrong, where, the value got, the rule, the remedy.
"""

from typing import Protocol


class PipelineError(Exception):
    """Anything this project raises on purpose; its text is fit for an operator's eyes."""


class ConfigurationError(PipelineError):
    """A setting, a source file or a command line that cannot be carried out."""


class TransientError(PipelineError):
    """A fault of the moment (a lost connection, a throttled request): worth another try."""


class TerminalError(PipelineError):
    """A fault that another try cannot mend."""


class CorruptObjectError(TerminalError):
    """An object whose bytes are not those the listing or the manifest promised."""


class OversizedObjectError(TerminalError):
    """An object beyond the declared bounds: decompressed size, or length of one line."""


class UnbalancedCountsError(TerminalError):
    """Counts that do not close: rows appeared or vanished between two steps."""


class FailedState(Protocol):
    """What is needed of Prefect's state, which this module must not import."""

    def result(self, raise_on_failure: bool = True) -> object:
        """Give the exception of a failed run."""
        ...


def is_worth_retrying(_task: object, _task_run: object, state: FailedState) -> bool:
    """Tell Prefect whether a failed task run deserves its remaining retries.

    Only `TransientError` and time-outs do; a parsing or configuration error fails at once.
    Meant for `retry_condition_fn`.
    """
    failure = state.result(raise_on_failure=False)
    return isinstance(failure, TransientError | TimeoutError)
