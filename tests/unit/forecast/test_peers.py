import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys
sys.modules |= dict.fromkeys(("fugue", "triad", "pyarrow"))  # None: not there

import numpy as np
from tasks.forecast.peers import Peer, predict_peer
from tests.unit.forecast.series import give_train

train = give_train(np.sin(np.arange(240) * np.pi / 12), future=24)
print([len(predict_peer(train, Peer(name, (1,)))) for name in ("mstl", "ces", "dot")])
"""


def test_the_models_come_without_what_the_image_leaves_out():
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "[24, 24, 24]\n", done.stderr
