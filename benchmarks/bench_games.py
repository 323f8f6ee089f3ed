"""Error of Shapley values against their cost, on games of which every coalition is known."""

from collections.abc import Generator

import numpy as np
from shared import SHARED, machine

from explain.explainers import Estimate, Shap

BUDGETS = (32, 64, 128, 256, 512)
SEEDS = 3
ALGORITHMS = ("gaussian_process", "kernel", "permutation", "partition")


def solve(algorithm: str, values: np.ndarray, budget: int, seed: int) -> Estimate:
    """Return what an algorithm makes of a game within a budget."""
    n = len(values).bit_length() - 1
    shap = Shap(algorithm, tolerance=1e-12, budget=budget)
    plan: Generator = shap.plan(n, np.random.default_rng(seed))
    kept = next(plan)
    while True:
        try:
            kept = plan.send(values[kept @ (1 << np.arange(n))])
        except StopIteration as done:
            return done.value


def main() -> None:
    games = [np.load(path) for path in sorted((SHARED / "games").glob("*.npz"))]
    print(machine())
    print("relative L2 error to the exact values (share of values inside their 90 % interval)")
    for name, chosen in (("9-12", lambda n: n <= 12), ("14-15", lambda n: n > 12)):
        print(f"\n{name} features: evaluations", *BUDGETS, sep="\t")
        some = [game for game in games if chosen(len(game["shapley"]))]
        for algorithm in ALGORITHMS:
            row = []
            for budget in BUDGETS:
                errors, inside = [], []
                for game in some:
                    for seed in range(SEEDS):
                        truth = game["shapley"]
                        found = solve(algorithm, game["values"].astype(float), budget, seed)
                        off = found.values - truth
                        errors.append(np.linalg.norm(off) / np.linalg.norm(truth))
                        if found.standard_errors is not None:
                            inside += list(np.abs(off) <= 1.645 * found.standard_errors + 1e-12)
                cover = f" ({np.mean(inside):.2f})" if inside else ""
                row.append(f"{np.mean(errors):.3f}{cover}")
            print(algorithm, *row, sep="\t", flush=True)


if __name__ == "__main__":
    main()
