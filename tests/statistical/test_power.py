"""An effect that is called detectable is found in 80 % of samples of that size."""

import numpy as np
import pytest
from scipy import stats

from explain.record import Measure
from explain.statistics.intervals import mean
from explain.statistics.power import (
    detectable_mean,
)


@pytest.mark.parametrize("n", [50, 200, 1_000])
@pytest.mark.parametrize("bar", [0.0, 0.02])
def test_a_detectable_mean_is_found_in_four_of_five_samples(n: int, bar: float) -> None:
    rng, level = np.random.default_rng(n), 0.0025
    found = detectable_mean(mean("", rng.normal(0, 0.4, n).tolist(), "proportion"), bar, level)
    assert found is not None
    times, hits = 1_000, 0
    for _ in range(times):
        sample = rng.normal(found, 0.4, n)
        measure = mean("", sample.tolist(), "proportion")
        hits += (
            float(stats.ttest_1samp(sample, 0).pvalue) <= level
            and measure.lower is not None
            and measure.lower > bar
        )
    assert hits / times == pytest.approx(0.8, abs=0.09)  # the spread of one sample of 50 varies
    assert detectable_mean(Measure(name="m", value=0.1, n=1), bar, level) is None
