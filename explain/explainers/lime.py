"""LIME (Ribeiro, Singh and Guestrin 2016), on text-level coalitions."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from sklearn.metrics import r2_score

from explain.errors import BudgetError, ConfigurationError
from explain.explainers.base import (
    ADAPTIVE_BUDGET,
    EXACT_EVALUATIONS,
    Budget,
    Estimate,
    Seconds,
    Tolerance,
    check_size,
    ends,
    every,
)
from explain.game_model import RESOLUTION, GameModel, Limits, learn
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

ERROR_DRAWS = 400
"""Neighbours from whose fit the standard errors are taken; all 5,000 would cost seconds."""

FRESH_NEIGHBOURS = 24
"""Neighbours scored only to see how well the fit predicts them."""

FEWEST_EVALUATIONS = 16
"""Below that a linear model says nothing, unless these are all coalitions there are."""


@dataclass(frozen=True, slots=True)
class Lime:
    """The coefficients of a linear model fitted around the text.

    Neighbours are drawn as LimeTextExplainer draws them, the fit is
    ``lime.lime_base.LimeBase.explain_instance_with_data`` on all features. Its fidelity is stated
    as weighted R2 on the fit, and on neighbours that the fit did not see.

    Parameters
    ----------
    algorithm : {"auto", "sampling"}
        ``auto`` fits 5,000 neighbours, which a game model scores where the classifier has not
        (`explain.game_model`; all of them are known up to 256 coalitions). Its standard errors
        say how far it may be from the fit to the classifier's own scores of them. ``sampling``
        fits the neighbours that the classifier scores, and estimates no error.
    tolerance : float
        Largest standard error, relative to the largest absolute coefficient, at which ``auto``
        stops to ask.
    budget : int
        Distinct coalitions evaluated. ``sampling`` draws, with repeats as LIME draws them, until
        there are that many distinct ones, at most 5,000 draws.
    seconds : float or None
        Wall-clock seconds after which ``auto`` asks no further; None for no limit.
    """

    name: ClassVar[str] = "lime"
    efficient: ClassVar[bool] = False

    algorithm: Literal["auto", "sampling"] = "auto"
    tolerance: Tolerance = 0.05
    budget: Budget = ADAPTIVE_BUDGET
    seconds: Seconds | None = None

    def plan(self, n_features: int, rng: np.random.Generator) -> Plan[Estimate]:
        """Return the coroutine that fits a game with `n_features` features.

        Raises
        ------
        BudgetError
            If the budget is below 16, or the features are too many.
        ConfigurationError
            If `seconds` are set for ``sampling``, which cannot stop early.
        """
        check_size(self.name, n_features)
        if self.seconds is not None and self.algorithm == "sampling":
            raise ConfigurationError(
                "lime with algorithm='sampling' cannot stop after seconds; leave seconds out or "
                "pass algorithm='auto'"
            )
        if n_features == 0:
            empty, full = yield ends(0)
            return Estimate(
                np.zeros(0), float(empty), float(full), np.zeros(0), {"ended_by": "exact"}
            )
        if self.budget < min(FEWEST_EVALUATIONS, 2**n_features):
            raise BudgetError(
                f"lime needs {FEWEST_EVALUATIONS} evaluations to fit anything, the budget is "
                f"{self.budget}; pass budget={FEWEST_EVALUATIONS} or more"
            )
        if self.algorithm == "sampling":
            return (yield from self._sampled(n_features, rng))
        # A stream of its own: the first one is the design that all methods of a text share.
        drawn = draw_neighbours(n_features, MOST_DRAWS, rng.spawn(1)[0])
        if 2**n_features <= min(self.budget, EXACT_EVALUATIONS):
            return (yield from _enumerated(drawn))
        return (yield from self._modelled(drawn, rng))

    def _modelled(self, drawn: Coalitions, rng: np.random.Generator) -> Plan[Estimate]:
        """Fit neighbours that the game model scores, and look at fresh ones."""
        some = drawn[:ERROR_DRAWS]
        weights = _ridge_weights(some)
        n_fresh = min(FRESH_NEIGHBOURS, self.budget // 4)
        limits = Limits(self.tolerance, self.budget - n_fresh, self.seconds)
        learned = yield from learn(
            drawn.shape[1], rng, limits, lambda model: model.linear(weights, some)
        )
        model = learned.model
        values = model.score(drawn)
        intercept, coefficients, r2 = _fit(drawn, values)
        fresh = _unseen(drawn, model, n_fresh)
        diagnostics: dict[str, JsonValue] = {
            "algorithm": "game model",
            "ended_by": learned.ended_by,
            "rounds": learned.rounds,
            "draws": len(drawn),
            "intercept": intercept,
            "r2": r2,
            "held_out_r2": _held_out_r2(fresh, (yield fresh), intercept, coefficients),
        }
        return Estimate(
            coefficients, model.empty_value, model.full_value, learned.found.errors, diagnostics
        )

    def _sampled(self, n_features: int, rng: np.random.Generator) -> Plan[Estimate]:
        """Fit neighbours that the classifier scores, a fifth of them held out."""
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
                "algorithm": "sampling",
                "ended_by": "budget",
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


def _enumerated(drawn: Coalitions) -> Plan[Estimate]:
    """Fit the neighbours of a game of which all coalitions are known."""
    n_features = drawn.shape[1]
    values = yield every(n_features)
    intercept, coefficients, r2 = _fit(drawn, values[drawn @ (1 << np.arange(n_features))])
    return Estimate(
        coefficients,
        float(values[0]),
        float(values[-1]),
        np.zeros(n_features),
        {
            "algorithm": "exact",
            "ended_by": "exact",
            "draws": len(drawn),
            "intercept": intercept,
            "r2": r2,
        },
    )


def _ridge_weights(neighbours: Coalitions) -> NDArray[np.float64]:
    """Return the matrix that turns values of the neighbours into the coefficients of LimeBase.

    Its regression is a ridge with penalty one and a free intercept.
    """
    weights = kernel(neighbour_distances(neighbours))
    centred = neighbours - np.average(neighbours, axis=0, weights=weights)
    weighted = (centred * weights[:, None]).T
    gram = weighted @ centred + np.eye(neighbours.shape[1])
    return np.asarray(np.linalg.solve(gram, weighted), dtype=np.float64)


def _unseen(drawn: Coalitions, model: GameModel, n_fresh: int) -> Coalitions:
    """Return the last distinct neighbours that the classifier has not scored."""
    _, last_seen = np.unique(drawn[::-1], axis=0, return_index=True)
    in_turn = drawn[::-1][np.sort(last_seen)]
    return in_turn[~model.knows(in_turn)][:n_fresh]


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
    return float(intercept), coefficients, float(score) if _varies(values) else None


def _varies(values: Values) -> bool:
    """Return whether there is anything to explain beyond the rounding of float32."""
    return bool(np.ptp(values) > RESOLUTION * (1 + np.abs(values).max()))


def _held_out_r2(
    neighbours: Coalitions, values: Values, intercept: float, coefficients: NDArray[np.float64]
) -> float | None:
    """Return weighted R2 on neighbours the fit did not see; None if there is nothing to explain."""
    if len(neighbours) < 2 or not _varies(values):
        return None
    predicted = intercept + neighbours @ coefficients
    weights = kernel(neighbour_distances(neighbours))
    return float(r2_score(values, predicted, sample_weight=weights))
