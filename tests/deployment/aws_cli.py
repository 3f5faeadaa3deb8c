"""The lines of a page that call the AWS command line, typed as they stand, against moto."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.deployment.engine import ROOT
from tests.fixtures.object_servers import ACCESS_KEY, REGION, SECRET_KEY


def type_block(page: str, word: str, folder: Path, endpoint: str, **told: str) -> dict[str, Any]:
    """Type the one block of a how-to that holds a word, in a folder, and give what AWS answered."""
    text = (ROOT / "docs/how-to" / page).read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    (block,) = [block for block in blocks if word in block]
    place = {"AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": REGION, "AWS_PAGER": ""}
    keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    inherited["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{inherited['PATH']}"  # our aws
    done = subprocess.run(
        ["bash", "-euc", block],
        cwd=folder,
        env=inherited | place | keys | told,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
