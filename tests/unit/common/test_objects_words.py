"""What an object store says becomes one sentence of the kind that decides about retries."""

import pytest
from obstore.exceptions import GenericError, PermissionDeniedError, UnauthenticatedError

from tasks.common.errors import (
    ConfigurationError,
    MissingObjectError,
    PipelineError,
    TerminalError,
    TransientError,
    explain_store_fault,
)

# As obstore 0.12 words them: its own sentence, then S3's answer, then a debug dump.
HTTP = "Generic S3 error: Error performing GET http://127.0.0.1:1/raw/x in 1ms - "
REFUSED = f"{HTTP}Server returned non-2xx status code: "
LOCAL = "Generic LocalFileSystem error: Unable to "
DUMP = "\n\nDebug source:\nGeneric {\n    store: S3,\n}"


@pytest.mark.parametrize(
    ("error", "kind", "remedy"),
    [
        (GenericError(f"{REFUSED}503 Service Unavailable: "), TransientError, "if this lasts"),
        (GenericError(f"{REFUSED}429 Too Many Requests: "), TransientError, "if this lasts"),
        (GenericError(f"{REFUSED}408 Request Timeout: "), TransientError, "if this lasts"),
        (GenericError(f"{HTTP}HTTP error: error sending request"), TransientError, "network"),
        (GenericError(f"{REFUSED}400 Bad Request: <Code>BadDigest</Code>"), TerminalError, "mend"),
        (
            GenericError(f"{REFUSED}403 Forbidden: <Code>RequestTimeTooSkewed</Code>"),
            ConfigurationError,
            "clock",
        ),
        (
            GenericError(f"{REFUSED}400 Bad Request: <Code>AuthorizationHeaderMalformed</Code>"),
            ConfigurationError,
            "AWS_REGION",
        ),
        (
            GenericError(
                f"{HTTP}Received redirect without LOCATION, this normally indicates an "
                "incorrectly configured region"
            ),
            ConfigurationError,
            "AWS_REGION",
        ),
        (PermissionDeniedError(f"{REFUSED}403 Forbidden: "), ConfigurationError, "grant"),
        (GenericError(f"{REFUSED}403 Forbidden: "), ConfigurationError, "grant"),
        (UnauthenticatedError(f"{REFUSED}401 Unauthorized: "), ConfigurationError, "AWS_PROFILE"),
        (FileNotFoundError(f"{REFUSED}404 Not Found: "), MissingObjectError, "list again"),
        (
            GenericError(f"{LOCAL}copy data to file: No space left on device (os error 28)"),
            TerminalError,
            "free some space",
        ),
        (
            GenericError(f"{LOCAL}open file /lake/x: Read-only file system (os error 30)"),
            ConfigurationError,
            "grant",
        ),
        (
            GenericError(f"{LOCAL}open file /lake/x/y: Not a directory (os error 20)"),
            TerminalError,
            "mend",
        ),
        (
            GenericError("Filenames containing trailing '/#\\d+/' are not supported: x#1"),
            ConfigurationError,
            "rename",
        ),
    ],
    ids=lambda value: str(value)[-40:] if isinstance(value, Exception) else "",
)
def test_words_decide_the_kind_and_the_remedy(
    error: Exception, kind: type[PipelineError], remedy: str
):
    explained = explain_store_fault(type(error)(f"{error}{DUMP}"), "read 'x' in s3://raw")
    assert type(explained) is kind
    said = str(explained)
    assert said.startswith("Cannot read 'x' in s3://raw (")
    assert remedy in said
    assert "\n" not in said


def test_a_session_token_in_the_answer_is_not_repeated():
    body = "<Error><Code>ExpiredToken</Code><Token-0>FwoGZXIvYXdzE</Token-0></Error>"
    explained = explain_store_fault(GenericError(f"{REFUSED}400 Bad Request: {body}"), "list lake")
    assert type(explained) is ConfigurationError
    assert str(explained).startswith("Cannot list lake (ExpiredToken): check AWS_ACCESS_KEY_ID")
