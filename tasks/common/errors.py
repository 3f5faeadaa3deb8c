"""The project's exceptions, drawn once.

    PipelineError
    ├── ConfigurationError   the operator's words are wrong: nothing was started, exit 2
    ├── TransientError       the world may be better in a moment: Prefect retries the task
    └── TerminalError        trying again cannot help: the run fails, exit 1
        ├── CorruptObjectError   an object is not the bytes that were listed
        ├── MissingObjectError   an object that is not there
        ├── OversizedObjectError an object would not fit the declared bounds
        └── UnbalancedCountsError  a report that does not close

Messages are one sentence: what is wrong, where, the value got, the rule, the remedy.
"""

import re
from typing import Any, Final, Protocol


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


class MissingObjectError(TerminalError):
    """An object that was removed since it was listed, or was never written."""


class OversizedObjectError(TerminalError):
    """An object beyond the declared bounds: decompressed size, or length of one line."""


class UnbalancedCountsError(TerminalError):
    """Counts that do not close: rows appeared or vanished between two steps."""


_STORE_FAULTS: Final[dict[str, tuple[type[PipelineError], str]]] = {
    "AlreadyExists": (TransientError, "another writer holds the key, so try again"),
    "NoSuchBucket": (ConfigurationError, "create the bucket or correct the URI"),
    "block document": (ConfigurationError, "save it in Prefect or correct AWS_CREDENTIALS_BLOCK"),
    "RequestTimeTooSkewed": (ConfigurationError, "set the clock of this machine"),
    "HeaderMalformed|Redirect|configured region": (ConfigurationError, "correct AWS_REGION"),
    "SignatureDoesNotMatch|AccessKeyId|InvalidToken|ExpiredToken|Unauthenticated": (
        ConfigurationError,
        "check AWS_ACCESS_KEY_ID and its secret, AWS_PROFILE or AWS_CREDENTIALS_BLOCK",
    ),
    r"PermissionDenied|code: 40[13]|os error (1|13|30)\)": (
        ConfigurationError,
        "grant this user or role the right to list, read and write there",
    ),
    r"(os error |Errno )(27|28|122)\b": (
        TerminalError,
        "the disk or a quota is full, so free some space",
    ),
    r"InvalidPath|ValueError|Unicode|/#|loop|os error 40\)": (
        ConfigurationError,
        "rename or move away what cannot be the name of an object",
    ),
    "FileNotFound": (MissingObjectError, "it was removed or never written, so list again"),
    r"os error \d|code: 4(?!08|09|29)": (TerminalError, "mend what it says and run again"),
    "": (TransientError, "if this lasts, check S3_ENDPOINT_URL and the network"),
}
"""Words of an object store (class of the error, S3's code, errno): what they mean, the remedy."""


def explain_store_fault(error: Exception, doing: str) -> PipelineError:
    """Turn an object store's error into one sentence of the right kind, without its secrets.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    """
    text = f"{type(error).__name__}: {error}"
    kind, remedy = next(found for words, found in _STORE_FAULTS.items() if re.search(words, text))
    # AWS repeats the session token in the body of ExpiredToken: only the code is quoted of a body.
    code = re.search(r"<Code>(\w+)", text)
    line = text.split("\n", 1)[0].split("<", 1)[0].strip()
    detail = code[1] if code else line.rpartition("credential provider: ")[2]
    return kind(f"Cannot {doing} ({detail}): {remedy}.")


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


RETRIED: Final[dict[str, Any]] = {
    "retries": 3,
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": is_worth_retrying,
}
"""What every task that meets the world is made with; each room says how long it waits."""
