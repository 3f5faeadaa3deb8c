"""What a run stands on when nothing is configured: an embedded MongoDB and a demo lake."""

import hashlib
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from deployments.local.demo import fill_lake, read_demo
from deployments.local.mongod import running_mongod
from tasks.common.errors import ConfigurationError
from tasks.common.schedule import find_due
from tasks.common.settings import Settings, load_settings, runs_on_ecs

LOCAL: Final = Path(".local")
"""Everything the project keeps on a laptop, below the working directory."""


@contextmanager
def prepared_ground(
    lake: str | None, *, dry_run: bool, say: Callable[[str], None]
) -> Generator[datetime | None]:
    """Start what is not configured, saying so, and end it afterwards.

    Yields the issue time of the demo lake when that is what will be read, else None. A lake named
    by `lake` gets a database of its own: simulated and real data never meet in one.
    """
    settings = load_settings()
    demo_ends = None if lake or runs_on_ecs() else _prepare_demo(settings, say)
    needs_database = settings.mongodb_uri is None and not dry_run
    with _serving_mongodb(lake, say) if needs_database else nullcontext():
        yield demo_ends


@contextmanager
def stored_ground(lake: str | None, *, say: Callable[[str], None]) -> Generator[Settings]:
    """Serve what an earlier run stored, to be read: the embedded MongoDB if nothing is configured.

    Yields the settings, which name that MongoDB.

    Raises:
        ConfigurationError: nothing is configured, and nothing was ever run here.
    """
    settings, folder = load_settings(), LOCAL / _name_database(lake)
    if settings.mongodb_uri is None and not (folder / "data").is_dir():
        msg = (
            f"MONGODB_URI is not set, and no embedded MongoDB is in {folder}: run "
            "`python -m flows.forecast` here first, or name the replica set in MONGODB_URI."
        )
        raise ConfigurationError(msg)
    with _serving_mongodb(lake, say) if settings.mongodb_uri is None else nullcontext():
        yield load_settings()


@contextmanager
def _serving_mongodb(lake: str | None, say: Callable[[str], None]) -> Generator[None]:
    with running_mongod(LOCAL / _name_database(lake)) as uri:
        say(f"MongoDB: MONGODB_URI is not set, so an embedded one serves at {uri}.")
        os.environ["MONGODB_URI"] = uri
        try:
            yield
        finally:
            del os.environ["MONGODB_URI"]


def _name_database(lake: str | None) -> str:
    if lake is None:
        return "mongo"
    place = lake if "://" in lake else str(Path(lake).resolve())
    return f"mongo-{hashlib.sha256(place.encode()).hexdigest()[:8]}"


def _prepare_demo(settings: Settings, say: Callable[[str], None]) -> datetime | None:
    """Fill the default lake with demo data if it is empty; give the demo's issue time."""
    if settings.lake_uri != Settings.model_fields["lake_uri"].default:
        return None
    folder = Path(settings.lake_uri)
    if not any(folder.glob("[!.]*")):
        try:
            fill_lake(folder, as_of=find_due(datetime.now(UTC)))
        except OSError as error:
            msg = (
                f"LAKE_URI is not set, and no demo lake can be written to {folder.absolute()} "
                f"({error.strerror}): name a lake in LAKE_URI, or run where you may write."
            )
            raise ConfigurationError(msg) from error
    demo = read_demo(folder)
    if demo is not None:
        say(
            f"Lake: LAKE_URI is not set, so {folder} serves, with simulated data up to "
            f"{demo.as_of:%Y-%m-%d %H:%M} UTC."
        )
    return demo.as_of if demo else None
