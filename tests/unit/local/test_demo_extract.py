"""The told counts against the project's own reader, by its public command."""

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from deployments.local.demo import fill_lake

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("as_of", ["2026-04-08T22:00+02:00", "2026-11-04T22:00+01:00"])
def test_the_extract_command_counts_what_the_demo_tells(as_of: str, tmp_path: Path) -> None:
    fill_lake(tmp_path, as_of=datetime.fromisoformat(as_of), weeks=2, demand_years=1)
    story = json.loads((tmp_path / ".demo" / "demo.json").read_text(encoding="utf-8"))
    told = {
        kind: sum(one[kind] for one in story["objects"])
        for kind in story["objects"][0]
        if kind != "key"
    }
    (restated,) = (one["rows"] for one in story["defects"] if one["kind"] == "restated day")
    keys = [one["key"] for one in story["objects"]]
    done = subprocess.run(
        [sys.executable, "-m", "tasks.extract", *keys, "--json"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )
    read = json.loads(done.stdout)
    read["rejected"] = sum(read["rejected"].values())
    told |= {"kept": told["kept"] - restated, "duplicate": told["duplicate"] + restated}
    assert {kind: read[kind] for kind in told} == told
    assert len({name.rsplit(":", 1)[0] for name in read["series"]}) == 7
