"""What the game model learns of a game that is a table of numbers."""

import numpy as np

from explain.attribution.game_model import GameModel, LearnedGame, Limits, learn
from explain.attribution.methods.base import all_coalitions
from explain.engine.games import Values
from tests.helpers.plans import run_plan, table_game

__all__ = ["TIGHT", "learn_game", "mixed_game"]

TIGHT = 1e-9
"""A tolerance that no game reaches, so that the budget ends the run."""


def learn_game(values: Values, budget: int, seed: int = 0, tolerance: float = TIGHT) -> LearnedGame:
    """Return what is learned within so many evaluations."""
    n = len(values).bit_length() - 1
    plan = learn(n, np.random.default_rng(seed), Limits(tolerance, budget), GameModel.shapley)
    return run_plan(plan, table_game(values))


def mixed_game(n: int, rng: np.random.Generator) -> Values:
    """Return a game of a few effects of each order, as classifiers have them."""
    kept = all_coalitions(n)
    values = kept @ rng.normal(0, 1, n)
    for order, size in ((2, 0.5), (3, 0.3)):
        for _ in range(n):
            some = rng.choice(n, order, replace=False)
            values = values + rng.normal(0, size) * kept[:, some].all(axis=1)
    return np.asarray(values, dtype=np.float64)
