"""Every line for mongosh that the documents show, in a real mongosh on a real server."""

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from pymongo.database import Database

from tasks.common.mongo import Document
from tasks.common.scores import SCORES
from tasks.common.settings import Settings
from tasks.upsert.recall import write_scores
from tasks.upsert.run import write_run
from tests.deployment.engine import ROOT, give_up
from tests.deployment.stand_ins import MONGOSH
from tests.unit.upsert.frames import AS_OF, DEMAND, forecasted, transformed

pytestmark = pytest.mark.mongosh

Ask = Callable[[str], str]
OLDER = "processed/weather_data_20260218_194202.json"


def list_blocks() -> list[tuple[str, str]]:
    """List what the documents show for mongosh, by page."""
    found = []
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        blocks = re.findall(r"^```js\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
        found += [(page.name, block) for block in blocks]
    return found


def find_block(page: str, word: str) -> str:
    (block,) = (block for name, block in list_blocks() if name == page and word in block)
    return block


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Install mongosh by npm into a folder of its own, about half a minute."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        give_up("there is no Node and npm to install mongosh with")
    folder = tmp_path_factory.mktemp("mongosh")
    wanted = ("--silent", "--no-fund", "--no-audit", "--ignore-scripts", f"--prefix={folder}")
    done = subprocess.run([npm, "install", *wanted, MONGOSH], check=False, capture_output=True)
    if done.returncode:
        give_up(f"npm cannot install {MONGOSH}: {done.stderr.decode()[-300:]}")
    return [node, str(folder / "node_modules/mongosh/bin/mongosh.js")]


@pytest.fixture
def ask(
    program: list[str], mongo_settings: Settings, mongo_database: Database[Document], tmp_path: Path
) -> Ask:
    """Run a block on a database that holds two runs, scores, and what a migration loaded."""
    for as_of in (AS_OF, AS_OF.replace(day=13)):
        history = transformed(as_of=as_of)
        forecast = forecasted(as_of=as_of, demand=6000.0 + as_of.day)
        write_run(mongo_database, history, forecast, fetch=lambda _: b"", settings=mongo_settings)
    row: Document = dict.fromkeys(SCORES.names(), 0.5) | {"run_id": "r", "series_id": DEMAND}
    rows = [
        row | {"issue_at": AS_OF.replace(day=day), "bucket": bucket, "points": 168}
        for day, bucket in ((6, "next week"), (13, "next week"), (13, "D+1"))
    ]
    write_scores(mongo_database, pl.DataFrame(rows, schema=SCORES), as_of=AS_OF)
    for key in (OLDER, "processed/other.json"):
        mongo_database["observations"].insert_one({"metadata": {"source_key": key}})
        mongo_database["migration_files"].insert_one({"_id": f"{key}|etag", "key": key})
    uri = mongo_settings.mongodb_uri
    assert uri is not None
    address = uri.get_secret_value().replace("/?", f"/{mongo_database.name}?")

    def run(block: str) -> str:
        command = [*program, "--quiet", "--json=relaxed", address, "--eval", block]
        done = subprocess.run(
            command,
            env=os.environ | {"HOME": str(tmp_path)},
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_no_block_of_the_documents_is_left_out():
    pages = Counter(page for page, _ in list_blocks())
    assert pages == {"collections.md": 2, "migrate-to-mongodb.md": 1, "read-forecasts.md": 1}


@pytest.mark.parametrize("page", ["read-forecasts.md", "collections.md"])
def test_the_newest_forecast_is_read_through_the_pointer(ask: Ask, page: str):
    told = json.loads(ask(find_block(page, "db.forecasts")))
    assert (told["series_id"], told["value"][0]) == (DEMAND, 6013)
    assert told["run_id"].startswith("2019-W46-")


def test_scores_come_newest_first(ask: Ask):
    lines = find_block("collections.md", "db.scores").strip()
    told = json.loads(ask(f"{lines}.toArray()"))  # --json takes no cursor
    assert [one["issue_at"]["$date"][:10] for one in told] == ["2019-11-13", "2019-11-06"]
    assert {one["bucket"] for one in told} == {"next week"}


def test_a_migrated_object_is_taken_out_and_no_other(ask: Ask, mongo_database: Database[Document]):
    done = json.loads(ask(find_block("migrate-to-mongodb.md", "deleteMany")))
    assert done["deletedCount"] == 1
    assert [one["key"] for one in mongo_database["migration_files"].find()] == [
        "processed/other.json"
    ]
    left = mongo_database["observations"].distinct("metadata.source_key")
    assert left == ["processed/other.json"]
