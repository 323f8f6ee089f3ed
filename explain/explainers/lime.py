"""LIME (Ribeiro, Singh and Guestrin 2016), on text-level coalitions."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import r2_score

from explain.errors import BudgetError
from explain.explainers.base import DEFAULT_BUDGET, Budget, Estimate, check_size, ends
from explain.games import Coalitions, Plan, Values

__all__ = ["Lime", "draw_neighbours", "held_out_rows", "kernel", "neighbour_distances"]

KERNEL_WIDTH = 25.0
"""Of LimeTextExplainer: distances are cosine distances times 100."""

MOST_DRAWS = 5_000
"""Neighbours that LimeTextExplainer draws by default."""

CELLS_AT_ONCE = 1_000_000
"""Features times neighbours that are drawn at a time."""

HELD_OUT_SHARE = 0.2
"""Share of the distinct neighbours that the fit does not see."""

FEWEST_EVALUATIONS = 16
"""Below that a linear model says nothing, unless these are all coalitions there are."""


@dataclass(frozen=True, slots=True)
class Lime:
    """The coefficients of a linear model fitted around the text.

    Neighbours are drawn as LimeTextExplainer draws them, the fit is
    ``lime.lime_base.LimeBase.explain_instance_with_data`` on all features. Its error is stated as
    weighted R2 on the fit and on neighbours that the fit did not see.

    Parameters
    ----------
    budget : int
        Distinct coalitions evaluated. Neighbours are drawn, with repeats as LIME draws them, until
        they hold that many distinct ones, at most 5,000.
    """

    name: ClassVar[str] = "lime"
    efficient: ClassVar[bool] = False

    budget: Budget = DEFAULT_BUDGET

    def plan(self, n_features: int, rng: np.random.Generator) -> Plan[Estimate]:
        """Return the coroutine that fits a game with `n_features` features.

        Raises
        ------
        BudgetError
            If the budget is below 16, or the features are too many.
        """
        check_size(self.name, n_features)
        if n_features == 0:
            empty, full = yield ends(0)
            return Estimate(np.zeros(0), float(empty), float(full))
        if self.budget < min(FEWEST_EVALUATIONS, 2**n_features):
            raise BudgetError(
                f"lime needs {FEWEST_EVALUATIONS} evaluations to fit anything, the budget is "
                f"{self.budget}; pass budget={FEWEST_EVALUATIONS} or more"
            )
        drawn = draw_neighbours(n_features, self.budget - 1, rng)
        values = yield np.vstack([ends(n_features)[:1], drawn])
        empty, neighbour_values = values[0], values[1:]
        held_out = held_out_rows(drawn)
        intercept, coefficients, r2 = _fit(drawn[~held_out], neighbour_values[~held_out])
        return Estimate(
            coefficients,
            empty_value=float(empty),
            full_value=float(neighbour_values[0]),
            diagnostics={
                "draws": len(drawn),
                "intercept": intercept,
                "r2": r2,
                "held_out_r2": _held_out_r2(
                    drawn[held_out], neighbour_values[held_out], intercept, coefficients
                ),
            },
        )


def draw_neighbours(n_features: int, budget: int, rng: np.random.Generator) -> Coalitions:
    """Return neighbours of the full coalition as LimeTextExplainer draws them.

    The first is the full coalition itself. The number of removed features is uniform over
    1 .. n_features, which ones uniform given that.

    Parameters
    ----------
    n_features : int
        Number of features, at least one.
    budget : int
        Number of distinct coalitions at which drawing stops.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    array, shape (n_draws, n_features), bool
    """
    drawn = ends(n_features)[1:]
    at_once = min(MOST_DRAWS, max(budget, CELLS_AT_ONCE // n_features))
    while True:
        _, first_seen = np.unique(drawn, axis=0, return_index=True)
        if len(first_seen) > budget:
            return drawn[: np.sort(first_seen)[budget]]
        if len(drawn) >= MOST_DRAWS:
            return drawn[:MOST_DRAWS]
        removed = rng.integers(1, n_features + 1, size=at_once)
        ranks = rng.random((at_once, n_features)).argsort(axis=1).argsort(axis=1)
        drawn = np.vstack([drawn, ranks >= removed[:, None]])


def held_out_rows(drawn: Coalitions) -> NDArray[np.bool_]:
    """Return which of the drawn neighbours are kept from the fit, shape (n_draws,).

    The distinct coalitions that were drawn last are held out, each with all its repeats; never the
    full one, which was drawn first.
    """
    _, first_seen, number = np.unique(drawn, axis=0, return_index=True, return_inverse=True)
    n_held_out = int(len(first_seen) * HELD_OUT_SHARE)
    last = np.argsort(first_seen)[len(first_seen) - n_held_out :]
    held_out: NDArray[np.bool_] = np.isin(number, last)
    return held_out


def neighbour_distances(neighbours: Coalitions) -> NDArray[np.float64]:
    """Return 100 times the cosine distance of each coalition to the full one.

    For zeros and ones that is ``1 - sqrt(kept / n)``; the empty coalition is at distance 1.
    """
    kept = neighbours.mean(axis=1, dtype=np.float64)
    distances: NDArray[np.float64] = 100 * (1 - np.sqrt(kept))
    return distances


def kernel(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return LIME's exponential kernel ``sqrt(exp(-d^2 / 25^2))``."""
    return np.sqrt(np.exp(-(distances**2) / KERNEL_WIDTH**2))


def _fit(neighbours: Coalitions, values: Values) -> tuple[float, NDArray[np.float64], float | None]:
    """Return intercept, coefficients, and weighted R2 of LimeBase on all features."""
    from lime.lime_base import LimeBase

    intercept, pairs, score, _ = LimeBase(kernel).explain_instance_with_data(
        neighbours.astype(np.float64),
        values[:, None],
        neighbour_distances(neighbours),
        label=0,
        num_features=neighbours.shape[1],
        feature_selection="none",
    )
    coefficients = np.zeros(neighbours.shape[1])
    for feature, coefficient in pairs:
        coefficients[feature] = coefficient
    return float(intercept), coefficients, float(score) if np.ptp(values) > 0 else None


def _held_out_r2(
    neighbours: Coalitions, values: Values, intercept: float, coefficients: NDArray[np.float64]
) -> float | None:
    """Return weighted R2 on neighbours the fit did not see; None if there is nothing to explain."""
    if len(neighbours) < 2 or np.ptp(values) == 0:
        return None
    predicted = intercept + neighbours @ coefficients
    weights = kernel(neighbour_distances(neighbours))
    return float(r2_score(values, predicted, sample_weight=weights))
