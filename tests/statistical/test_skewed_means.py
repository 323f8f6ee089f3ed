"""The interval of a mean of skewed values covers what it says."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from explain.checks.explanations.words import weighed_words
from explain.statistics.skewed_means import mean_of_skewed
from tests.helpers.attributions import one_word_instances
from tests.helpers.search import NIGHTLY

Draw = Callable[[np.random.Generator, int], np.ndarray]

REPEATS = 4_000 if NIGHTLY else 250

DISTRIBUTIONS: Mapping[str, tuple[Draw, float]] = {
    "normal": (lambda rng, n: rng.normal(1, 1, n), 1.0),
    "uniform": (lambda rng, n: rng.random(n), 0.5),
    "laplace": (lambda rng, n: rng.laplace(0.5, 1, n), 0.5),
    "lognormal": (lambda rng, n: rng.lognormal(0, 0.5, n), float(np.exp(0.125))),
    "gamma": (lambda rng, n: -rng.gamma(2, 1, n), -2.0),
    "exponential": (lambda rng, n: rng.exponential(1, n), 1.0),
}


@pytest.mark.parametrize("n", [5, 50, 1_000] if not NIGHTLY else [5, 10, 20, 50, 200, 1_000])
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_intervals_cover_93_to_97_per_cent(name: str, n: int) -> None:
    draw, truth = DISTRIBUTIONS[name]
    rng = np.random.default_rng([n, *name.encode()])
    covered = 0
    for _ in range(REPEATS):
        measure = mean_of_skewed("mean", draw(rng, n).tolist(), "log_odds")
        assert measure.lower is not None
        assert measure.upper is not None
        covered += measure.lower <= truth <= measure.upper
    # Two standard errors of the simulation on either side.
    error = 2 * (0.06 / REPEATS) ** 0.5 * 0.97**0.5
    assert 0.93 - error <= covered / REPEATS <= 0.975 + error


def test_of_words_without_weight_one_in_twenty_is_listed() -> None:
    rng = np.random.default_rng(0)
    words = {f"w{number}": rng.normal(0, 1, 8).tolist() for number in range(1_000)}
    listed = sum(
        word.is_resolved("shap") for word in weighed_words(one_word_instances(words), "log_odds")
    )
    assert 25 <= listed <= 65
