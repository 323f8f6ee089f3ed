"""Shapley values (Shapley 1953; Lundberg and Lee 2017)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import factorial
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from explain.attribution.game_model import GameModel, Limits, learn
from explain.attribution.methods.base import (
    ADAPTIVE_BUDGET,
    EXACT_EVALUATIONS,
    Budget,
    Estimate,
    Seconds,
    Tolerance,
    all_coalitions,
    check_size,
    empty_and_full,
    ended_with_all,
)
from explain.attribution.methods.callbacks_as_plans import GameFunction, as_plan
from explain.engine.games import Plan, Values
from explain.errors import BudgetError, ConfigurationError
from explain.record import Diagnostics

__all__ = ["Shap", "balanced_tree", "exact_shapley_values"]

Algorithm: TypeAlias = Literal[
    "auto", "exact", "gaussian_process", "kernel", "permutation", "partition"
]
FloatArray: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shap:
    """Shapley values: the average marginal contribution of a feature over all orders.

    Parameters
    ----------
    algorithm : {"auto", "exact", "gaussian_process", "kernel", "permutation", "partition"}
        ``exact`` enumerates all coalitions. ``gaussian_process`` asks in rounds and stops as soon
        as the standard errors allow it (`explain.attribution.game_model`). ``auto`` is ``exact`` up
        to 256 coalitions that the budget allows, else ``gaussian_process``. The others run the shap
        package's explainers on the same game; they state no error. Partition converges to Owen
        values of a balanced tree over the text, which are another quantity than Shapley values.
    tolerance : float
        Largest standard error, relative to the largest absolute value, at which
        ``gaussian_process`` stops to ask.
    budget : int
        Evaluations, the empty and the full coalition included.
    seconds : float or None
        Wall-clock seconds after which ``gaussian_process`` asks no further; None for no limit.
    """

    name: ClassVar[str] = "shap"
    title: ClassVar[str] = "SHAP"
    efficient: ClassVar[bool] = True
    signed: ClassVar[bool] = True
    is_null: ClassVar[bool] = False

    algorithm: Algorithm = "auto"
    tolerance: Tolerance = 0.05
    budget: Budget = ADAPTIVE_BUDGET
    seconds: Seconds | None = None

    def plan(self, n_features: int, rng: np.random.Generator) -> Plan[Estimate]:
        """Return the coroutine that estimates the values of a game with `n_features` features.

        Raises
        ------
        BudgetError
            If the budget is too small for the algorithm, or the features are too many.
        ConfigurationError
            If `seconds` are set for an algorithm that cannot stop early.
        """
        check_size(self.name, n_features)
        if self.seconds is not None and self.algorithm not in ("auto", "gaussian_process"):
            raise ConfigurationError(
                f"shap with algorithm={self.algorithm!r} cannot stop after seconds; "
                "leave seconds out or pass algorithm='auto'"
            )
        algorithm = self._resolve(n_features)
        if algorithm == "exact":
            return (yield from _exact(n_features))
        if algorithm == "gaussian_process":
            return (yield from self._from_game_model(n_features, rng))
        empty, full = (yield empty_and_full(n_features)).values
        seed = int(rng.integers(2**32))
        run = partial(_PACKAGE[algorithm], n_features, self.budget, seed)
        values = yield from as_plan(run, seed)
        return Estimate(
            values,
            empty_value=float(empty),
            full_value=float(full),
            diagnostics=Diagnostics(algorithm=algorithm, ended_by="budget"),
        )

    def _from_game_model(self, n_features: int, rng: np.random.Generator) -> Plan[Estimate]:
        limits = Limits(self.tolerance, self.budget, self.seconds)
        learned_game = yield from learn(n_features, rng, limits, GameModel.shapley)
        return Estimate(
            learned_game.read_out.values,
            learned_game.model.empty_value,
            learned_game.model.full_value,
            learned_game.read_out.errors,
            Diagnostics(
                algorithm="gaussian_process",
                ended_by=learned_game.ended_by,
                rounds=learned_game.rounds,
            ),
        )

    def _resolve(self, n_features: int) -> Algorithm:
        """Return the algorithm that runs, or refuse one that the budget does not allow."""
        needed: dict[Algorithm, int] = {
            "exact": 2**n_features,
            "gaussian_process": 4,
            # With fewer the regression of the package is singular.
            "kernel": 2 * n_features + 2,
            "permutation": 2 * n_features + 1,
            "partition": 4,
        }
        # A game of one feature or none has one answer, which no sampling is needed for.
        algorithm = "exact" if n_features <= 1 else self.algorithm
        if algorithm == "auto":
            exact = needed["exact"] <= min(self.budget, EXACT_EVALUATIONS)
            algorithm = "exact" if exact else "gaussian_process"
        if needed[algorithm] > self.budget:
            raise BudgetError(
                f"shap with algorithm={algorithm!r} needs {needed[algorithm]:,} evaluations for "
                f"{n_features} features, the budget is {self.budget:,}; "
                f"pass budget={needed[algorithm]} or algorithm='auto'"
            )
        return algorithm


def exact_shapley_values(values: Values) -> FloatArray:
    """Return the Shapley values of a game from its values of all coalitions.

    Parameters
    ----------
    values : array, shape (2**n_features,)
        v(S), where bit i of the index says that feature i is kept.

    Returns
    -------
    array, shape (n_features,)
        phi_i = sum over S without i of |S|! (n-|S|-1)! / n! (v(S + i) - v(S)).
    """
    return np.array(
        [
            weights @ (values[with_it] - values[without])
            for with_it, without, weights in _gains(len(values).bit_length() - 1)
        ],
        dtype=np.float64,
    )


def _exact_variances(variances: Values) -> FloatArray:
    """Return the variances of exact Shapley values from those of all coalitions."""
    return np.array(
        [
            weights**2 @ (variances[with_it] + variances[without])
            for with_it, without, weights in _gains(len(variances).bit_length() - 1)
        ],
        dtype=np.float64,
    )


def _gains(n: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]]:
    """Yield of each feature the coalitions with it, the same without it, and their weights."""
    index = np.arange(2**n)
    sizes = np.bitwise_count(index)
    weights = np.array([factorial(s) * factorial(n - s - 1) / factorial(n) for s in range(n)])
    for feature in range(n):
        without = index[(index >> feature) & 1 == 0]
        yield without | (1 << feature), without, weights[sizes[without]]


def balanced_tree(n_features: int) -> FloatArray:
    """Return a balanced binary tree over neighbouring features as a linkage matrix.

    Returns
    -------
    array, shape (n_features - 1, 4)
        Each row joins two clusters: their numbers, its height and its size
        (as in `scipy.cluster.hierarchy`).
    """
    rows: list[tuple[float, float, float, float]] = []

    def join(start: int, end: int) -> int:
        if end - start == 1:
            return start
        middle = (start + end) // 2
        left, right = join(start, middle), join(middle, end)
        rows.append((left, right, end - start, end - start))
        return n_features + len(rows) - 1

    join(0, n_features)
    return np.array(rows, dtype=np.float64)


def _exact(n_features: int) -> Plan[Estimate]:
    observed = yield all_coalitions(n_features)
    ended_by = ended_with_all(observed)
    return Estimate(
        exact_shapley_values(observed.values),
        empty_value=float(observed.values[0]),
        full_value=float(observed.values[-1]),
        standard_errors=np.sqrt(_exact_variances(observed.variances)),
        diagnostics=Diagnostics(algorithm=ended_by, ended_by=ended_by),
    )


def _kernel(n_features: int, budget: int, seed: int, game: GameFunction) -> FloatArray:
    import shap

    explainer = shap.KernelExplainer(game, np.zeros((1, n_features)))
    values: FloatArray = explainer.shap_values(
        np.ones(n_features), nsamples=budget - 2, l1_reg=False, silent=True
    )
    return values


def _permutation(n_features: int, budget: int, seed: int, game: GameFunction) -> FloatArray:
    import shap

    masker = shap.maskers.Independent(np.zeros((1, n_features)))
    explainer = shap.explainers.Permutation(game, masker, seed=seed)
    # The package evaluates ten rows a call unless told otherwise.
    explanation = explainer(
        np.ones((1, n_features)), max_evals=budget, batch_size=budget, silent=True
    )
    values: FloatArray = explanation.values[0]
    return values


def _partition(n_features: int, budget: int, seed: int, game: GameFunction) -> FloatArray:
    import shap

    masker = shap.maskers.Partition(np.zeros((1, n_features)), clustering=balanced_tree(n_features))
    explainer = shap.explainers.Partition(game, masker)
    # The package evaluates in pairs, and would overshoot an odd number.
    even = budget - budget % 2
    explanation = explainer(np.ones((1, n_features)), max_evals=even, silent=True)
    values: FloatArray = explanation.values[0]
    return values


_PACKAGE: dict[Algorithm, Callable[[int, int, int, GameFunction], Any]] = {
    "kernel": _kernel,
    "permutation": _permutation,
    "partition": _partition,
}
