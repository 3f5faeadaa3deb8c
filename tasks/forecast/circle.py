"""Directions: 350 and 10 degrees are near each other, so they are forecast by two components."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from tasks.forecast.combine import Forecasts, combine
from tasks.forecast.train import Method, Train, Values

TURN: Final = 360.0


def predict_circle(train: Train, inner: Method) -> Values:
    """Forecast a direction in degrees, 0 <= x < 360, from its sine and cosine.

    Raises:
        ValueError: as the inner member.
    """
    radians = np.radians(train.values)
    east, north = (inner.tell(replace(train, values=wave(radians))) for wave in (np.sin, np.cos))
    return wrap_turn(np.degrees(np.arctan2(east, north)))


def wrap_turn(degrees: Values) -> Values:
    """Give the same directions as 0 <= x < 360; NaN stays."""
    return degrees % TURN % TURN  # -1e-15 % 360 is 360


def average_directions(directions: Forecasts, weights: Mapping[str, float]) -> Values:
    """Average those that have a weight as arrows, -180 <= x <= 180; NaN where one of them is.

    It does as `combine` does for other numbers, and errors of directions are directions, too.
    """
    radians = {name: np.radians(directions[name]) for name in weights}
    east, north = (
        combine({name: wave(angle) for name, angle in radians.items()}, weights)
        for wave in (np.sin, np.cos)
    )
    return np.degrees(np.arctan2(east, north))


def turn_towards(directions: Values, reference: Values) -> Values:
    """Add whole turns until each direction lies within half a turn of its reference.

    Then they can be subtracted like other numbers; NaN stays.
    """
    return reference + (directions - reference + TURN / 2) % TURN - TURN / 2
