"""The told counts against the project's own reader, by its public command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deployments.local.demo import DemoLake

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("season", ["autumn", "spring"])
def test_the_extract_command_counts_what_the_demo_tells(
    season: str, request: pytest.FixtureRequest
) -> None:
    lake: DemoLake = request.getfixturevalue(season)
    story = lake.story
    told = {
        kind: sum(one[kind] for one in story["objects"])
        for kind in story["objects"][0]
        if kind != "key"
    }
    (restated,) = (one["rows"] for one in story["defects"] if one["kind"] == "restated day")
    keys = [one["key"] for one in story["objects"]]
    done = subprocess.run(
        [sys.executable, "-m", "tasks.extract", *keys, "--json"],
        cwd=lake.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )
    read = json.loads(done.stdout)
    read["rejected"] = sum(read["rejected"].values())
    told |= {"kept": told["kept"] - restated, "duplicate": told["duplicate"] + restated}
    assert {kind: read[kind] for kind in told} == told
    assert len({name.rsplit(":", 1)[0] for name in read["series"]}) == 7
