import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.forecast.residuals import continue_residuals


def test_a_slow_decay_is_continued():
    noise = np.random.default_rng(1).normal(0, 0.1, 600)
    residuals = np.zeros(600)
    for place in range(1, 600):
        residuals[place] = 0.9 * residuals[place - 1] + noise[place]
    residuals[-1] = residuals[-2] = residuals[-3] = 1.0
    ahead = continue_residuals(residuals, 24, 24)
    assert 0.6 < ahead[0] < 1.1
    assert abs(ahead[-1]) < abs(ahead[0])


def test_too_many_gaps_continue_as_nothing():
    residuals = np.full(500, np.nan)
    residuals[::50] = 1.0
    assert not continue_residuals(residuals, 10, 24).any()


@given(st.integers(0, 2**32), st.floats(0.5, 1e6), st.floats(0, 0.6))
def test_it_never_exceeds_three_times_the_largest(seed: int, scale: float, gaps: float):
    generator = np.random.default_rng(seed)
    residuals = np.cumsum(generator.normal(0, scale, 400))
    residuals[generator.random(400) < gaps] = np.nan
    ahead = continue_residuals(residuals, 300, 24)
    assert np.abs(ahead).max() <= 3 * np.nanmax(np.abs(residuals)) * (1 + 1e-9)
