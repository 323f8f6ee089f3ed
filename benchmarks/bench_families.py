"""Do the 90 % intervals of `shap` hold on games of unlike kinds? By family and number of features.

Usage: PYTHONPATH=. python benchmarks/bench_families.py [GAMES].
Default options: a tolerance of 5 %, a budget of 512.
"""

import sys

import numpy as np

from tests.helpers.families import FAMILIES
from tests.helpers.game_outcomes import shap_on_family

GAMES = 20
SIZES = (15, 30, 60)


def main(n_games: int) -> None:
    """Print a row for each family and number of features."""
    print("| family | features | covered | error | largest error / stated | evaluations |")
    print("| --- | --- | --- | --- | --- | --- |")
    for family in FAMILIES:
        for n in SIZES:
            games = [shap_on_family(family, n, seed)[0] for seed in range(n_games)]
            covered = np.concatenate([game.is_covered for game in games])
            error, largest, stated, evaluations = np.mean(
                [(game.error, game.largest, game.stated_error, game.evaluations) for game in games],
                axis=0,
            )
            print(
                f"| {family.__name__} | {n} | {covered.mean():.2f} | {error:.3f} | "
                f"{largest:.3f} / {stated:.3f} | {evaluations:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else GAMES)
