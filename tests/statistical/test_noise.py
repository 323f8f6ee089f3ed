"""Intervals hold where the model's answers are noisy, or rounded."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from explain.attribution.game_model import GameModel, LearnedGame, Limits, ReadOut, learn
from explain.attribution.interaction import exact_interactions
from explain.attribution.methods.shap import exact_shapley_values
from explain.engine.games import ObservedValues, Values
from tests.helpers.plans import table_game
from tests.helpers.search import seeds

NOISES = [0.1, *(pytest.param(sd, marks=pytest.mark.nightly) for sd in (0.05, 0.2, 0.5))]


@pytest.fixture(scope="module")
def games(shared: Path) -> list[Values]:
    paths = sorted((shared / "games").glob("*.npz"))
    found = [np.load(path)["values"].astype(float) for path in paths]
    return [values for values in found if len(values) <= 2**12]


def heard(
    values: Values, sd: float, seed: int, read: Callable[[GameModel], ReadOut], limits: Limits
) -> LearnedGame:
    """Return what is learned of a game where each value comes with noise."""
    v, n = table_game(values), len(values).bit_length() - 1
    noise = np.random.default_rng(seed)
    plan = learn(n, np.random.default_rng(seed), limits, read)
    kept = next(plan)
    while True:
        noisy = v(kept) + sd * noise.normal(size=len(kept))
        try:
            kept = plan.send(ObservedValues(noisy, np.full(len(kept), sd**2)))
        except StopIteration as done:
            learned: LearnedGame = done.value
            return learned


@pytest.mark.parametrize(
    "sd", [0.1, *(pytest.param(sd, marks=pytest.mark.nightly) for sd in (0.05, 0.2, 0.5))]
)
@pytest.mark.parametrize(
    ("read", "truth_of"),
    [(GameModel.shapley, exact_shapley_values), (GameModel.interactions, exact_interactions)],
)
def test_intervals_cover_under_noise(
    games: list[Values],
    sd: float,
    read: Callable[[GameModel], ReadOut],
    truth_of: Callable[[Values], Values],
) -> None:
    covered = []
    for values in games:
        truth = truth_of(values)
        for seed in seeds(3, 1):
            found = heard(values, sd, seed, read, Limits(1e-9, 128)).read_out
            covered.append(np.abs(found.values - truth) <= 1.645 * found.errors)
    assert np.concatenate(covered).mean() >= 0.85


def test_noise_that_is_next_to_nothing_changes_next_to_nothing(games: list[Values]) -> None:
    for values in games[:4]:
        limits = Limits(1e-9, 96)
        exact, noisy = (
            heard(values, sd, 0, GameModel.shapley, limits).read_out for sd in (0.0, 1e-9)
        )
        scale = np.abs(exact.values).max()
        np.testing.assert_allclose(noisy.values, exact.values, atol=0.01 * scale)
        np.testing.assert_allclose(noisy.errors, exact.errors, atol=0.01 * scale)
