"""Do the 90 % intervals of `shap` hold on games of unlike kinds? By family and number of features.

Usage: PYTHONPATH=. python benchmarks/bench_families.py [GAMES].
Default options: a tolerance of 5 %, a budget of 512.
"""

import sys

import numpy as np

from explain.explainers import Estimate, Shap
from explain.games import Observed, Plan
from tests.statistical.families import FAMILIES, Family, Value

GAMES = 20
SIZES = (15, 30, 60)
MATTERS = 0.05
"""Share of the largest value from which on a value counts."""

Z90 = 1.645


def main(n_games: int) -> None:
    """Print a row for each family and number of features."""
    print("| family | features | covered | error | largest error / stated | evaluations |")
    print("| --- | --- | --- | --- | --- | --- |")
    for family in FAMILIES:
        for n in SIZES:
            found = [_measure(family, n, seed) for seed in range(n_games)]
            covered = np.concatenate([one[0] for one in found])
            error, largest, stated, evaluations = np.mean([one[1:] for one in found], axis=0)
            print(
                f"| {family.__name__} | {n} | {covered.mean():.2f} | {error:.3f} | "
                f"{largest:.3f} / {stated:.3f} | {evaluations:.0f} |",
                flush=True,
            )


def _measure(family: Family, n: int, seed: int) -> tuple[np.ndarray, float, float, float, int]:
    """Return what of one game is covered, and four numbers relative to its largest value."""
    v, shapley = family(n, np.random.default_rng([n, seed]))
    estimate, evaluations = _play(Shap().plan(n, np.random.default_rng(seed)), v)
    assert estimate.standard_errors is not None
    off, scale = np.abs(estimate.values - shapley), np.abs(shapley).max()
    counts = np.abs(shapley) >= MATTERS * scale
    return (
        (off <= Z90 * estimate.standard_errors + 1e-9)[counts],
        float(np.linalg.norm(off) / np.linalg.norm(shapley)),
        float(off.max() / scale),
        float(estimate.standard_errors.max() / scale),
        evaluations,
    )


def _play(plan: Plan[Estimate], v: Value) -> tuple[Estimate, int]:
    """Return what a plan returns on a game, and how many coalitions it asked for."""
    evaluations, kept = 0, next(plan)
    while True:
        evaluations += len(kept)
        try:
            kept = plan.send(Observed.exactly(np.asarray(v(kept), dtype=np.float64)))
        except StopIteration as done:
            return done.value, evaluations


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else GAMES)
