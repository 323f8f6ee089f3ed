"""What a method states of a game of a family, beside the truth."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from explain.attribution.methods import Shap
from explain.engine.games import Values
from tests.helpers.families import Family, Value
from tests.helpers.plans import run_and_record

__all__ = ["Z90", "GameOutcome", "compare_with_truth", "shap_on_family"]

MATTERS = 0.05
"""Share of the largest value from which on a value counts."""

Z90 = 1.645

DEFAULT = Shap()


@dataclass(frozen=True)
class GameOutcome:
    """What was stated of one game, beside the truth."""

    is_covered: np.ndarray
    error: float
    largest: float
    stated_error: float
    evaluations: int
    ended_by: str


def compare_with_truth(
    values: Values, errors: Values, truth: Values
) -> tuple[np.ndarray, float, float]:
    """Return which values that matter are covered, the largest error and the largest stated."""
    off, scale = np.abs(values - truth), np.abs(truth).max()
    covered = (off <= Z90 * errors + 1e-9)[np.abs(truth) >= MATTERS * scale]
    return covered, float(off.max() / scale), float(errors.max() / scale)


@cache
def shap_on_family(
    family: Family, n: int, seed: int, shap: Shap = DEFAULT
) -> tuple[GameOutcome, Value, Values]:
    v, truth = family(n, np.random.default_rng([n, seed]))
    estimate, coalitions = run_and_record(shap.plan(n, np.random.default_rng(seed)), v)
    assert estimate.standard_errors is not None
    covered, largest, stated = compare_with_truth(estimate.values, estimate.standard_errors, truth)
    error = float(np.linalg.norm(estimate.values - truth) / np.linalg.norm(truth))
    ended_by = str(estimate.diagnostics.ended_by)
    return GameOutcome(covered, error, largest, stated, len(coalitions), ended_by), v, truth
