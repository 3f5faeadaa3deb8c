"""What ours is compared with: Prophet as it comes, and M4's Naive2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tasks.forecast.intervals import measure_radii
from tasks.forecast.models import SEED, silence_libraries
from tests.bench.cases import Case
from tests.bench.cpu import measure_cpu
from tests.bench.scores import Answer, Values, predict_naive2

if TYPE_CHECKING:
    import pandas as pd
    from prophet import Prophet

WINDOWS: Final = 3


def forecast_prophet(case: Case) -> Answer:
    """Forecast with Prophet's plain defaults and its own intervals of 1000 samples.

    Its 95 % interval is drawn after the clock has stopped: by default there is but one.
    """
    np.random.seed(SEED)  # Prophet draws from numpy's global generator
    started = measure_cpu()
    model, told = run_prophet(case)
    spent = measure_cpu() - started
    samples = model.predictive_samples(told[["ds"]])["yhat"]
    lower95, upper95 = np.percentile(samples, (2.5, 97.5), axis=1)
    values, lower80, upper80 = (told[c].to_numpy() for c in ("yhat", "yhat_lower", "yhat_upper"))
    return Answer(values, lower80, upper80, lower95, upper95, spent)


def run_prophet(case: Case) -> tuple[Prophet, pd.DataFrame]:
    """Fit and predict with Prophet's plain defaults; gives the model and its table."""
    silence_libraries()
    import pandas as pd  # noqa: PLC0415
    from prophet import Prophet  # noqa: PLC0415

    past, ahead = (pd.DataFrame({"ds": part}) for part in give_clock(case))
    model = Prophet()
    try:
        model.fit(past.assign(y=case.values).dropna(), seed=SEED)
        return model, model.predict(ahead)
    finally:
        if model.stan_backend is not None:
            model.stan_backend.cleanup()


def forecast_naive2(case: Case) -> Answer:
    """Forecast with Naive2; intervals are conformal, from the last three windows."""
    started, steps = measure_cpu(), len(case.truth)
    values = predict_naive2(case.values, season=case.season, steps=steps)
    cuts = [len(case.values) - number * steps for number in range(1, WINDOWS + 1)]
    errors = [
        predict_naive2(case.values[:cut], season=case.season, steps=steps)
        - case.values[cut : cut + steps]
        for cut in cuts
        if cut > 0 and np.isfinite(case.values[:cut]).any()
    ]
    past, cpu_s = np.array(errors).reshape(-1, steps), measure_cpu() - started
    return surround(values, past, day=case.season, cpu_s=cpu_s)


def surround(values: Values, errors: Values, *, day: int, cpu_s: float) -> Answer:
    """Put conformal intervals around values; none when no error is known (windows x targets)."""
    radii = np.full((2, len(values)), np.nan)
    if np.isfinite(errors).any():
        radii = measure_radii(errors, day=day)
    inner, outer = radii
    return Answer(values, values - inner, values + inner, values - outer, values + outer, cpu_s)


def give_clock(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Give the instants of the training part and those of the horizon, in microseconds."""
    rows = len(case.values)
    first = np.datetime64(case.first, "us")
    clock = first + np.arange(rows + len(case.truth)) * np.timedelta64(case.step, "us")
    return clock[:rows], clock[rows:]
