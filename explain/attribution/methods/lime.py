"""LIME (Ribeiro, Singh and Guestrin 2016), on text-level coalitions."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import comb
from sklearn.metrics import r2_score

from explain.attribution.game_model import RESOLUTION, GameModel, Limits, SizeWeights, learn
from explain.attribution.game_model.symmetric import mean_products
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
from explain.engine.games import Coalitions, Plan, Values
from explain.errors import BudgetError, ConfigurationError
from explain.record import Diagnostics

__all__ = ["Lime", "draw_neighbours", "held_out_rows", "kernel", "neighbour_distances"]

KERNEL_WIDTH = 25.0
"""Of LimeTextExplainer: distances are cosine distances times 100."""

MOST_DRAWS = 5_000
"""Neighbours that LimeTextExplainer draws by default."""

DRAWS_AT_ONCE = 400
CELLS_AT_ONCE = 1_000_000
"""Neighbours, and features times neighbours, that are drawn at a time."""

HELD_OUT_SHARE = 0.2
"""Share of the distinct neighbours that the fit does not see."""

FIT_DRAWS = 200
"""Neighbours on which R2 of the limit is stated; the game model takes long to score 5,000."""

FRESH_NEIGHBOURS = 16
"""Neighbours scored only to see how well the fit predicts them."""

FEWEST_EVALUATIONS = 16
"""Below that a linear model says nothing, unless these are all coalitions there are."""


@dataclass(frozen=True, slots=True)
class Lime:
    """The coefficients of a linear model fitted around the text.

    Neighbours are distributed and weighted as in LimeTextExplainer. Fidelity is stated as weighted
    R2 on neighbours, and on some that the fit did not see.

    Parameters
    ----------
    algorithm : {"auto", "sampling"}
        ``auto`` gives what LIME converges to as its draws become many: the weighted least squares
        fit of all coalitions, which is exact up to 256 of them and else read from a game model
        (`explain.attribution.game_model`) with its standard errors. ``sampling`` draws neighbours,
        lets the classifier score them and ``lime.lime_base.LimeBase.explain_instance_with_data``
        fit them on all features; it estimates no error.
    tolerance : float
        Largest standard error, relative to the largest absolute coefficient, at which ``auto``
        stops to ask: at 2.5 % it is nearer to the limit than 5,000 draws are.
    budget : int
        Distinct coalitions evaluated. ``sampling`` draws, with repeats as LIME draws them, until
        there are that many distinct ones, at most 5,000 draws.
    seconds : float or None
        Wall-clock seconds after which ``auto`` asks no further; None for no limit.
    """

    name: ClassVar[str] = "lime"
    title: ClassVar[str] = "LIME"
    efficient: ClassVar[bool] = False
    signed: ClassVar[bool] = True
    is_null: ClassVar[bool] = False

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
            empty, full = (yield empty_and_full(0)).values
            exact = Diagnostics(ended_by="exact")
            return Estimate(np.zeros(0), float(empty), float(full), np.zeros(0), exact)
        if self.budget < min(FEWEST_EVALUATIONS, 2**n_features):
            raise BudgetError(
                f"lime needs {FEWEST_EVALUATIONS} evaluations to fit anything, the budget is "
                f"{self.budget}; pass budget={FEWEST_EVALUATIONS} or more"
            )
        if self.algorithm == "sampling":
            return (yield from self._fit_samples(n_features, rng))
        if 2**n_features <= min(self.budget, EXACT_EVALUATIONS):
            return (yield from _fit_all(n_features))
        return (yield from self._fit_game_model(n_features, rng))

    def _fit_game_model(self, n_features: int, rng: np.random.Generator) -> Plan[Estimate]:
        """Read the limit from the game model, and look at fresh neighbours."""
        # A stream of its own: the first one is the design that all methods of a text share.
        neighbours = draw_neighbours(n_features, FIT_DRAWS, rng.spawn(1)[0])
        size_weights = _limit(n_features)
        n_fresh = min(FRESH_NEIGHBOURS, self.budget // 4)
        limits = Limits(self.tolerance, self.budget - n_fresh, self.seconds)
        learned_game = yield from learn(
            n_features, rng, limits, lambda model: model.features(size_weights)
        )
        model, coefficients = learned_game.model, learned_game.read_out.values
        values = model.score(neighbours)
        intercept = _intercept(neighbours, values, coefficients)
        fresh = _unscored(neighbours, model, n_fresh)
        diagnostics = Diagnostics(
            algorithm="game model",
            ended_by=learned_game.ended_by,
            rounds=learned_game.rounds,
            intercept=intercept,
            r2=_weighted_r2(neighbours, values, intercept, coefficients),
            held_out_r2=_weighted_r2(fresh, (yield fresh).values, intercept, coefficients),
        )
        return Estimate(
            coefficients,
            model.empty_value,
            model.full_value,
            learned_game.read_out.errors,
            diagnostics,
        )

    def _fit_samples(self, n_features: int, rng: np.random.Generator) -> Plan[Estimate]:
        """Fit neighbours that the classifier scores, a fifth of them held out."""
        neighbours = draw_neighbours(n_features, self.budget - 1, rng)
        values = (yield np.vstack([empty_and_full(n_features)[:1], neighbours])).values
        empty, neighbour_values = values[0], values[1:]
        held_out = held_out_rows(neighbours)
        intercept, coefficients, r2 = _fit(neighbours[~held_out], neighbour_values[~held_out])
        return Estimate(
            coefficients,
            empty_value=float(empty),
            full_value=float(neighbour_values[0]),
            diagnostics=Diagnostics(
                algorithm="sampling",
                ended_by="budget",
                draws=len(neighbours),
                intercept=intercept,
                r2=r2,
                held_out_r2=_weighted_r2(
                    neighbours[held_out], neighbour_values[held_out], intercept, coefficients
                ),
            ),
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
    neighbours = empty_and_full(n_features)[1:]
    at_once = min(MOST_DRAWS, max(budget, min(DRAWS_AT_ONCE, CELLS_AT_ONCE // n_features)))
    while True:
        _, first_seen = np.unique(neighbours, axis=0, return_index=True)
        if len(first_seen) > budget:
            return neighbours[: np.sort(first_seen)[budget]]
        if len(neighbours) >= MOST_DRAWS:
            return neighbours[:MOST_DRAWS]
        n_removed = rng.integers(1, n_features + 1, size=at_once)
        keys = rng.random((at_once, n_features))
        last_removed = np.take_along_axis(np.sort(keys), n_removed[:, None] - 1, axis=1)
        neighbours = np.vstack([neighbours, keys > last_removed])


def held_out_rows(neighbours: Coalitions) -> NDArray[np.bool_]:
    """Return which of the drawn neighbours are kept from the fit, shape (n_draws,).

    The distinct coalitions that were drawn last are held out, each with all its repeats; never the
    full one, which was drawn first.
    """
    _, first_seen, number = np.unique(neighbours, axis=0, return_index=True, return_inverse=True)
    n_held_out = int(len(first_seen) * HELD_OUT_SHARE)
    last = np.argsort(first_seen)[len(first_seen) - n_held_out :]
    held_out: NDArray[np.bool_] = np.isin(number, last)
    return held_out


def _fit_all(n_features: int) -> Plan[Estimate]:
    """Fit all coalitions, each weighted by how often it is drawn and by its kernel."""
    coalitions = all_coalitions(n_features)
    observed = yield coalitions
    values = observed.values
    n_kept = coalitions.sum(axis=1)
    weights = _size_weights(n_features)[n_kept] / comb(n_features, n_kept)
    root = np.sqrt(weights)
    design = np.column_stack([np.ones(len(coalitions)), coalitions]) * root[:, None]
    ended_by = ended_with_all(observed)
    intercept, *coefficients = np.linalg.lstsq(design, values * root, rcond=None)[0].tolist()
    return Estimate(
        np.array(coefficients),
        float(values[0]),
        float(values[-1]),
        _fit_errors(design, root, observed.variances),
        Diagnostics(
            algorithm=ended_by,
            ended_by=ended_by,
            intercept=intercept,
            r2=_r2(values, intercept + coalitions @ np.array(coefficients), weights),
        ),
    )


def _fit_errors(
    design: NDArray[np.float64], root: NDArray[np.float64], variances: Values
) -> NDArray[np.float64]:
    """Return the standard errors of a weighted fit's coefficients, from those of its values."""
    if not variances.any():
        return np.zeros(design.shape[1] - 1)
    operator = np.linalg.pinv(design) * root
    errors: NDArray[np.float64] = np.sqrt(operator[1:] ** 2 @ variances)
    return errors


def _size_weights(n_features: int) -> NDArray[np.float64]:
    """Return how much the coalitions of each size weigh together, shape (n_features + 1,).

    One is drawn as often as any other but the full one, and weighted by the kernel.
    """
    sizes = np.arange(n_features + 1) / n_features
    weights = kernel(100 * (1 - np.sqrt(sizes)))
    # The text itself is one of 5,000 neighbours, but the only one that keeps a lone feature.
    if n_features > 1:
        weights[-1] = 0
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def _limit(n_features: int) -> SizeWeights:
    """Return how values count in the coefficients that LIME converges to.

    For x in {-1, +1}^n with weights that depend on the size alone, E[prod of x_i over T] is a
    number m_|T|, and the covariances of the x_i are (1 - m_2) I + (m_2 - m_1^2) J, which has an
    inverse of the same form. A feature is x_i = 1 or -1, a step of two; LIME's is a step of one.
    """
    weights = _size_weights(n_features)
    share_kept = np.arange(n_features + 1) / n_features
    m1, m2 = mean_products(n_features)[1:3] @ weights
    shared = (m2 - m1**2) / (1 - m2 + n_features * (m2 - m1**2))
    together = shared * n_features * (2 * share_kept - 1 - m1)
    covariances = np.array(
        [(1 - share_kept) * (-1 - m1 - together), share_kept * (1 - m1 - together)]
    )
    return SizeWeights(2 / (1 - m2) * weights * covariances)


def _intercept(neighbours: Coalitions, values: Values, coefficients: NDArray[np.float64]) -> float:
    """Return the intercept that fits neighbours best."""
    weights = kernel(neighbour_distances(neighbours))
    return float(np.average(values - neighbours @ coefficients, weights=weights))


def _unscored(neighbours: Coalitions, model: GameModel, n_fresh: int) -> Coalitions:
    """Return the last distinct neighbours that the classifier has not scored."""
    _, last_seen = np.unique(neighbours[::-1], axis=0, return_index=True)
    in_turn = neighbours[::-1][np.sort(last_seen)]
    return in_turn[~model.is_scored(in_turn)][:n_fresh]


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


def _weighted_r2(
    neighbours: Coalitions, values: Values, intercept: float, coefficients: NDArray[np.float64]
) -> float | None:
    """Return R2 of a fit on neighbours, weighted by the kernel."""
    weights = kernel(neighbour_distances(neighbours))
    return _r2(values, intercept + neighbours @ coefficients, weights)


def _r2(values: Values, predicted: Values, weights: NDArray[np.float64]) -> float | None:
    """Return weighted R2; None if there is nothing to explain."""
    if len(values) < 2 or not _varies(values):
        return None
    return float(r2_score(values, predicted, sample_weight=weights))
