"""Error against cost, on SST-2 sentences of which the model has scored every coalition.

Usage: python bench_games.py [TEXTS]. The exact games are kept in a temporary folder. Shapley
values are compared with the exact ones, LIME with the fit of all coalitions, each weighted by how
often LIME draws it and by its kernel: what LIME converges to.
"""

import hashlib
import sys
import tempfile
import warnings
from collections.abc import Callable, Generator
from importlib.util import find_spec
from math import comb
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from captum.attr import KernelShap
from numpy.typing import NDArray
from shared import SHARED, machine, sentences

from explain.adapters.transformers import TransformersClassifier
from explain.attribution import AttributionSettings, make_requests
from explain.attribution.methods import Lime, Shap
from explain.attribution.methods.base import all_coalitions
from explain.attribution.methods.lime import kernel, neighbour_distances
from explain.attribution.methods.shap import exact_shapley_values
from explain.engine import Engine
from explain.engine.games import MaskedTextGame, ObservedValues, target_values

TEXTS = 31
SHORTEST, LONGEST = 8, 14
LONG_SHARE = 8
"""Every so many texts has over 12 words: all its coalitions take up to a minute."""

BUDGETS = (32, 64, 128, 256, 512)
LIME_DRAWS = (*BUDGETS, 1_024, 5_000)
SEEDS = 1
Array: TypeAlias = NDArray[np.float64]
Solver: TypeAlias = Callable[[Array, int, int], tuple[Array, Array | None, int]]
"""Takes all values, budget and seed; returns values, standard errors and distinct evaluations."""


def whole_games(n_texts: int) -> list[Array]:
    """Return v of all coalitions of each text, from the temporary folder where it is there."""
    folder = Path(tempfile.gettempdir()) / "explain-exact-games"
    folder.mkdir(exist_ok=True)
    model = TransformersClassifier.from_folder(SHARED / "models/sst2-minilm")
    engine, setting = Engine(model), AttributionSettings.of(model)
    texts = [text for text in sentences(400) if SHORTEST <= len(text.split()) <= LONGEST]
    questions = make_requests(engine, texts, setting)
    short = [q for q in questions if SHORTEST <= len(q.segmentation) <= 12]
    long = [q for q in questions if 12 < len(q.segmentation) <= LONGEST]
    n_long = n_texts // LONG_SHARE
    games = []
    for question in short[: n_texts - n_long] + long[:n_long]:
        name = hashlib.sha256(question.segmentation.parts[0].encode()).hexdigest()[:16]
        path = folder / f"{name}.npy"
        if not path.exists():
            game = MaskedTextGame(question.segmentation, setting.masker, question.target)
            scores = engine.score(game.texts(all_coalitions(game.n_features)))
            np.save(path, target_values(np.array(scores), question.target))
        games.append(np.load(path))
    return games


def recording_game(values: Array) -> tuple[Callable[[NDArray[np.bool_]], Array], set[int]]:
    """Return v as a function, and the set of what it is asked, which grows."""
    bits = 1 << np.arange(len(values).bit_length() - 1)
    seen: set[int] = set()

    def v(kept: NDArray[np.bool_]) -> Array:
        index = np.asarray(kept, dtype=bool) @ bits
        seen.update(index.tolist())
        return values[index]

    return v, seen


def run_method(explainer: Shap | Lime, values: Array, seed: int) -> tuple[Array, Array | None, int]:
    v, seen = recording_game(values)
    plan: Generator = explainer.plan(len(values).bit_length() - 1, np.random.default_rng(seed))
    kept = next(plan)
    while True:
        try:
            kept = plan.send(ObservedValues.exactly(v(kept)))
        except StopIteration as done:
            return done.value.values, done.value.standard_errors, len(seen)


def shap_by(algorithm: str) -> Solver:
    return lambda values, budget, seed: run_method(
        Shap(algorithm, tolerance=1e-12, budget=budget), values, seed
    )


def to_tolerance(explainer: Shap | Lime) -> Solver:
    return lambda values, _, seed: run_method(explainer, values, seed)


def captum_kernel(values: Array, budget: int, seed: int) -> tuple[Array, None, int]:
    v, seen = recording_game(values)
    torch.manual_seed(seed)
    found = KernelShap(lambda x: torch.tensor(v(x.numpy() > 0.5))).attribute(
        torch.ones(1, len(values).bit_length() - 1),
        n_samples=budget,
        perturbations_per_eval=budget,
    )
    return found[0].double().numpy(), None, len(seen)


def shapiq_kernel(values: Array, budget: int, seed: int) -> tuple[Array, None, int]:
    import shapiq

    v, seen = recording_game(values)
    n = len(values).bit_length() - 1
    method = shapiq.KernelSHAP(n=n, random_state=seed, pairing_trick=True)
    found = method.approximate(budget, lambda kept: v(kept) - values[0])
    return np.array([found[(i,)] for i in range(n)]), None, len(seen)


def lime_auto(values: Array, budget: int, seed: int) -> tuple[Array, Array | None, int]:
    return run_method(Lime(tolerance=1e-12, budget=budget), values, seed)


def lime_draws(values: Array, budget: int, seed: int) -> tuple[Array, None, int]:
    """Fit as many draws as the budget, whatever repeats among them, as LimeTextExplainer does."""
    from explain.attribution.methods.lime import _fit, draw_neighbours

    v, seen = recording_game(values)
    n = len(values).bit_length() - 1
    drawn = draw_neighbours(n, 10 * budget, np.random.default_rng(seed))[:budget]
    return _fit(drawn, v(drawn))[1], None, len(seen)


def lime_limit(values: Array) -> Array:
    """Return the weighted least squares fit of all coalitions."""
    n = len(values).bit_length() - 1
    kept = all_coalitions(n)[:-1]
    often = 1 / (n * np.array([comb(n, k) for k in range(n + 1)]))[kept.sum(axis=1)]
    root = np.sqrt(often * kernel(neighbour_distances(kept)))
    design = np.column_stack([np.ones(len(kept)), kept])
    fit = np.linalg.lstsq(design * root[:, None], values[:-1] * root, rcond=None)[0]
    return fit[1:]


def table(
    games: list[Array],
    truth: Callable[[Array], Array],
    solvers: dict[str, Solver],
    budgets: tuple[int, ...],
) -> None:
    print("", *budgets, sep="\t")
    for name, solve in solvers.items():
        row = []
        for budget in budgets:
            errors, inside, costs = [], [], []
            for values in games:
                exact = truth(values)
                for seed in range(SEEDS):
                    found, standard_errors, cost = solve(values, budget, seed)
                    off = found - exact
                    errors.append(np.linalg.norm(off) / np.linalg.norm(exact))
                    costs.append(cost)
                    if standard_errors is not None:
                        inside += list(np.abs(off) <= 1.645 * standard_errors + 1e-12)
            cover = f", {np.mean(inside):.2f}" if inside else ""
            row.append(f"{np.mean(errors):.3f} ({np.mean(costs):.0f}{cover})")
        print(name, *row, sep="\t", flush=True)


def main(n_texts: int = TEXTS) -> None:
    warnings.filterwarnings("ignore")
    games = whole_games(n_texts)
    sizes = [len(values).bit_length() - 1 for values in games]
    print(machine())
    print(f"{len(games)} games of {min(sizes)} to {max(sizes)} features, {SEEDS} seed each")
    print("relative L2 error (distinct evaluations, share of values inside their 90 % interval)")
    print("\nto the exact Shapley values, by budget")
    solvers = {
        "ours": shap_by("gaussian_process"),
        "shap Kernel": shap_by("kernel"),
        "shap Permutation": shap_by("permutation"),
        "shap Partition": shap_by("partition"),
        "captum KernelShap": captum_kernel,
    }
    if find_spec("shapiq"):
        solvers["shapiq KernelSHAP"] = shapiq_kernel
    table(games, exact_shapley_values, solvers, BUDGETS)
    print("\nto what LIME converges to, by budget (of lime: draws)")
    table(games, lime_limit, {"ours": lime_auto}, BUDGETS)
    table(games, lime_limit, {"lime": lime_draws}, LIME_DRAWS)
    print("\nat a tolerance")
    shap = {"shap, 5 %": to_tolerance(Shap("gaussian_process"))}
    table(games, exact_shapley_values, shap, (512,))
    lime = {f"lime, {p:g} %": to_tolerance(Lime(tolerance=p / 100)) for p in (5, 2, 1.6)}
    table(games, lime_limit, lime, (512,))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
