"""Directions: 350 and 10 degrees are near each other, so they are forecast by two components."""

from dataclasses import replace
from typing import Final

import numpy as np

from tasks.forecast.train import Method, Train, Values

TURN: Final = 360.0


def predict_circle(train: Train, inner: Method) -> Values:
    """Forecast a direction in degrees, 0 <= x < 360, from its sine and cosine.

    Raises:
        ValueError: as the inner member.
    """
    radians = np.radians(train.values)
    east, north = (inner.tell(replace(train, values=wave(radians))) for wave in (np.sin, np.cos))
    return np.degrees(np.arctan2(east, north)) % TURN


def turn_towards(directions: Values, reference: Values) -> Values:
    """Add whole turns until each direction lies within half a turn of its reference.

    Then they can be averaged and subtracted like other numbers; NaN stays.
    """
    return reference + (directions - reference + TURN / 2) % TURN - TURN / 2
