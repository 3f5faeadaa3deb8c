"""MongoDB as the whole project sees it: one safe client, its indexes, its errors in words.

Writes are acknowledged by a majority, so that an election loses none of them; reads see only
what a majority holds. `serverSelectionTimeoutMS` stays above the time of an election (10 s), or
a failover would look like an outage.
"""

import ssl
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from tempfile import NamedTemporaryFile
from typing import Any, Final

import pymongo
from pymongo import ASCENDING, DESCENDING, GEOSPHERE, IndexModel, MongoClient
from pymongo.database import Database
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
)
from pymongo.errors import ConfigurationError as PyMongoConfigurationError
from pymongo.uri_parser import parse_uri
from tenacity import retry, retry_if_exception, stop_after_delay, wait_exponential

from tasks.common.errors import ConfigurationError, PipelineError, TerminalError, TransientError
from tasks.common.settings import Settings

Document = dict[str, Any]

SAFE: Final[Document] = {
    "w": "majority",
    "readConcernLevel": "majority",
    "retryWrites": True,
    "tz_aware": True,
    "appname": "forecast_pipeline",
}
"""Not negotiable: these win over the URI."""

DEFAULTS: Final[Document] = {
    "serverSelectionTimeoutMS": 30_000,
    "connectTimeoutMS": 10_000,
    # Without it a silently cut link blocks a write for ever; one batch takes about a second.
    "socketTimeoutMS": 120_000,
    "compressors": "zstd",
    "maxPoolSize": 10,
}
"""Taken where the URI says nothing."""

INDEXES: Final[dict[str, list[IndexModel]]] = {
    "observations": [
        IndexModel([("station.id", ASCENDING), ("timestamp", ASCENDING)]),
        IndexModel([("station.network", ASCENDING), ("timestamp", ASCENDING)]),
    ],
    "stations": [IndexModel([("location_geo", GEOSPHERE)])],
    "forecasts": [
        IndexModel([("run_id", ASCENDING), ("series_id", ASCENDING)]),
        IndexModel([("series_id", ASCENDING), ("issue_at", DESCENDING)]),
    ],
    "forecast_runs": [IndexModel([("issue_at", DESCENDING)])],
    "scores": [IndexModel([("series_id", ASCENDING), ("issue_at", DESCENDING)])],
    "migration_leases": [IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=3600)],
}
"""2dsphere stands on `stations` alone: on every observation it costs three quarters of the speed
of loading, and `$geoWithin` over observations is 150 times slower than over stations."""

DUPLICATE_KEY: Final = 11000
_UNSATISFIABLE_WRITE_CONCERN: Final = 100
_REFUSED_USER: Final = frozenset({11, 13, 18, 33, 8000})
_OUT_OF_DISK: Final = 14031


def is_retryable(error: BaseException) -> bool:
    """Tell whether a whole idempotent batch deserves another try.

    True for lost connections, elections and time-outs (all `AutoReconnect`), for whatever the
    server labels so, and for writes that were applied but not acknowledged by a majority; never
    when a document was refused, nor when the set has too few members for the write concern (100).

    Source: measured on failpoints; `docs/explanation` and the MongoDB retryable writes spec.
    """
    if isinstance(error, BulkWriteError):
        refused = any(e["code"] != DUPLICATE_KEY for e in error.details["writeErrors"])
        unsure = [e["code"] for e in error.details["writeConcernErrors"]]
        return bool(unsure) and not refused and _UNSATISFIABLE_WRITE_CONCERN not in unsure
    if isinstance(error, WriteConcernError):
        return error.code != _UNSATISFIABLE_WRITE_CONCERN
    if isinstance(error, AutoReconnect):
        return True
    return isinstance(error, PyMongoError) and error.has_error_label("RetryableWriteError")


retried = retry(
    retry=retry_if_exception(is_retryable),
    wait=wait_exponential(multiplier=0.1, max=2),
    stop=stop_after_delay(120),
    reraise=True,
)
"""Decorator: call an idempotent function again until it returns, for two minutes at most."""


def locate_database(settings: Settings) -> str:
    """Name hosts and database for people: never a user, a password or an option.

    Raises:
        ConfigurationError: MONGODB_URI is unset or cannot be read.
    """
    nodes = _parse_uri(settings)["nodelist"]
    hosts = ",".join(f"{host}:{port}" for host, port in nodes)
    return f"mongodb://{hosts}/{settings.mongodb_database}"


def _parse_uri(settings: Settings) -> Document:
    if settings.mongodb_uri is None:
        msg = (
            "MONGODB_URI is not set: name the replica set to write to, for example "
            "mongodb://user:password@mongo-1:27017,mongo-2:27017/?replicaSet=rs0."
        )
        raise ConfigurationError(msg)
    try:
        return dict(parse_uri(settings.mongodb_uri.get_secret_value(), warn=False))
    except OSError as error:
        msg = (
            f"A file named in MONGODB_URI cannot be read ({error}): correct tlsCAFile and the like."
        )
        raise ConfigurationError(msg) from None
    except (InvalidURI, PyMongoConfigurationError, ValueError):
        # The driver's own words may quote a piece of an unescaped password.
        msg = (
            "MONGODB_URI (hidden) cannot be read: write mongodb://user:password@host:port,.../"
            "?replicaSet=name, with : / @ and % of user and password percent-encoded."
        )
        raise ConfigurationError(msg) from None


def _open_client(settings: Settings) -> MongoClient[Document]:
    named = {option.lower() for option in _parse_uri(settings)["options"]}
    defaults = {name: value for name, value in DEFAULTS.items() if name.lower() not in named}
    uri = settings.mongodb_uri.get_secret_value() if settings.mongodb_uri else ""
    try:
        with _name_authority(settings) as trusted:
            return MongoClient(uri, **SAFE, **defaults, **trusted)
    except (PyMongoConfigurationError, OSError) as error:
        # For example a tlsCAFile that is no certificate.
        msg = f"MONGODB_URI for {locate_database(settings)} cannot be used: {error}."
        raise ConfigurationError(msg) from None


@contextmanager
def _name_authority(settings: Settings) -> Generator[Document, None, None]:
    """Put MONGODB_CA into a file for as long as the driver reads it: while a client is made."""
    if settings.mongodb_ca is None:
        yield {}
        return
    with NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(settings.mongodb_ca)
        file.flush()
        yield {"tlsCAFile": file.name}


@contextmanager
def connect(settings: Settings) -> Generator[MongoClient[Document], None, None]:
    """Give a client that has reached the primary, and close it at the end.

    Open it inside a task, once; never hand it to another task or process. Any failure of
    MongoDB inside the block leaves it as one sentence of this project.

    Raises:
        ConfigurationError: MONGODB_URI is unset or wrong; user, password, rights or TLS refused.
        TransientError: no primary answers within the URI's time, or the connection was lost.
        TerminalError: MongoDB refused a command, or its disk is full.
    """
    client = _open_client(settings)
    try:
        client.admin.command("ping")
        yield client
    except PyMongoError as error:
        raise explain_failure(error, locate_database(settings)) from error
    finally:
        client.close()


@contextmanager
def open_database(
    settings: Settings, *, patience_s: float | None = None
) -> Generator[Database[Document], None, None]:
    """Give the project's database as `connect` gives a client; all of it within `patience_s`."""
    bound = nullcontext() if patience_s is None else pymongo.timeout(patience_s)
    with bound, connect(settings) as client:
        yield client[settings.mongodb_database]


@retried
def ensure_indexes(db: Database[Document]) -> None:
    """Create the indexes readers rely on; those that stand already are left alone."""
    for collection, indexes in INDEXES.items():
        db[collection].create_indexes(indexes)


def explain_failure(error: PyMongoError, where: str) -> PipelineError:
    """Turn a failure of the driver into one sentence with a remedy, and the right kind."""
    reason = str(error).split(", Timeout:")[0].split(", full error:")[0][:300]
    code = error.code if isinstance(error, OperationFailure) else None
    if code in _REFUSED_USER:
        remedy = "check user, password, authSource and the user's role (readWrite on this database)"
        return ConfigurationError(f"MongoDB at {where} refused the user ({reason}): {remedy}.")
    if "CERTIFICATE_VERIFY_FAILED" in reason or isinstance(error.__cause__, ssl.SSLError):
        remedy = "name the authority with tlsCAFile=... in MONGODB_URI, by the names it certifies"
        return ConfigurationError(f"MongoDB at {where} failed the TLS check ({reason}): {remedy}.")
    if code == _OUT_OF_DISK:
        return TerminalError(f"MongoDB at {where} has no disk space left: enlarge its volume.")
    if is_retryable(error):
        remedy = "check that its members run, resolve and listen from here, and whether tls=true"
        return TransientError(f"MongoDB at {where} does not answer ({reason}): {remedy} is due.")
    return TerminalError(f"MongoDB at {where} refused a command: {reason}.")
