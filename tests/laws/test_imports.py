"""The law of imports, as pyproject.toml states it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_room_keeps_the_law_of_imports():
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_a_pure_module_loads_without_prefect_or_prophet():
    rooms = sorted((ROOT / "tasks").rglob("*.py"))
    pure = [p for p in rooms if p.stem not in ("task", "__init__", "__main__")]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in pure]
    program = "; ".join(
        [
            "import importlib, sys",
            f"[importlib.import_module(name) for name in {names!r}]",
            "heavy = {'prefect', 'prophet', 'pandas', 'matplotlib'} & set(sys.modules)",
            "sys.exit(str(heavy) if heavy else 0)",
        ]
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
