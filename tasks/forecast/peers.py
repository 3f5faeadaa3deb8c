"""Statsforecast's models. The only file that knows the library, which is loaded when it is used."""

import sys
from dataclasses import dataclass
from importlib.util import find_spec, module_from_spec
from typing import Literal

import numpy as np

from tasks.forecast.train import Train, Values

Model = Literal["mstl", "dot", "ces"]


@dataclass(frozen=True, slots=True)
class Peer:
    """One of statsforecast's models, with seasons in days.

    MSTL takes every season of which there are two cycles, the others the shortest.
    """

    model: Model
    seasons: tuple[int, ...]


def _skip_door() -> None:
    """Let the library's models be imported without its own door.

    `import statsforecast` opens fugue, and with it pyarrow, for clusters that are not ours. The
    image leaves them out: 170 MB.
    """
    spec = find_spec("statsforecast")
    if spec is not None:
        sys.modules.setdefault("statsforecast", module_from_spec(spec))


def predict_peer(train: Train, peer: Peer) -> Values:
    """Forecast by one of statsforecast's models, gaps filled from a season ago.

    Raises:
        ValueError: less than half of the values is known, or no finite result.
    """
    _skip_door()
    from statsforecast import models  # noqa: PLC0415

    per_day = train.steps_per_day
    values = train.fill_gaps(peer.seasons[-1])
    fitting = [s * per_day for s in peer.seasons if 2 * s * per_day < len(values)] or [1]
    match peer.model:
        case "mstl":
            level = models.AutoETS(model="ZZN")
            model = models.MSTL(season_length=fitting, trend_forecaster=level)
        case "ces":
            model = models.AutoCES(season_length=fitting[0])
        case "dot":
            model = models.DynamicOptimizedTheta(season_length=fitting[0])
    ahead = np.asarray(model.forecast(y=values, h=len(train.future))["mean"], dtype=float)
    if not np.isfinite(ahead).all():
        msg = "the forecast is not finite"
        raise ValueError(msg)
    return ahead
