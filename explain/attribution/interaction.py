"""Which features of a text act together: "not" and "good"."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import comb

from explain.adapters import wrap
from explain.attribution import AttributionSettings, TargetSpec, make_requests
from explain.attribution.game_model import GameModel, Limits, ReadOut, learn
from explain.attribution.methods.base import (
    ADAPTIVE_BUDGET,
    EXACT_EVALUATIONS,
    Budget,
    Seconds,
    Tolerance,
    all_coalitions,
    check_size,
    empty_and_full,
    ended_with_all,
)
from explain.engine import Engine
from explain.engine.games import MaskedTextGame, Masker, Plan, Values
from explain.engine.repeats import ask_again
from explain.errors import ExplainError
from explain.record import Diagnostics, EndedBy, Interaction, Interactions
from explain.text.redaction import redacted_record
from explain.text.spans import Text

__all__ = ["exact_interactions", "interactions"]


@dataclass(frozen=True, slots=True)
class _GameInteractions:
    """The interactions of one game, in the order of ``numpy.triu_indices``."""

    pairs: ReadOut
    ended_by: EndedBy
    rounds: int


def interactions(
    model: object,
    text: Text,
    *,
    target: TargetSpec = None,
    unit: str = "word",
    masker: str | Masker | None = None,
    seed: int = 0,
    tolerance: Tolerance = 0.1,
    budget: Budget = ADAPTIVE_BUDGET,
    seconds: Seconds | None = None,
) -> Interactions:
    """Return the Shapley interaction index of each pair of features of a text.

    I_ij is the mean over coalitions S without i and j of v(S+i+j) - v(S+i) - v(S+j) + v(S), with
    the weights of Shapley values (Grabisch and Roubens 1999): what two features add together
    beyond what each adds alone. Up to 256 coalitions are enumerated, and the index is exact; else
    it is read from the game model that `shap` fits, with its standard errors.

    Parameters
    ----------
    model : TextClassifier, or anything that `explain.wrap` takes without labels
        The model.
    text : str, or pair of str
        The text.
    target, unit, masker, seed
        As for `explain.attribute`; the unit ``auto`` is refused.
    tolerance : float
        Largest standard error, relative to the largest absolute interaction; of a text whose words
        seem to add up, relative to the largest Shapley value.
    budget : int
        Evaluations, the empty and the full coalition included; four at least.
    seconds : float or None
        Wall-clock seconds after which no further values are asked for.

    Raises
    ------
    AdapterError
        If the model cannot be used, or fails on the text.
    BudgetError
        If the features are too many, or the budget is below four.
    ConfigurationError
        If a name or value is unknown.
    """
    engine = Engine(wrap(model))
    settings = AttributionSettings.of(engine.classifier, unit=unit, masker=masker, seed=seed)
    limits = Limits(tolerance, budget, seconds)
    request = make_requests(engine, [text], settings, [target])[0]
    if isinstance(request, ExplainError):
        raise request
    ask_again(engine, [request], settings.masker, seed)
    target_of_game = engine.precision.with_decimals(request.target)
    game = MaskedTextGame(request.segmentation, settings.masker, target_of_game)
    outcome = engine.run(
        [game], [_plan(game.n_features, limits, replace(request, seed=seed).rng())]
    )[0]
    result = outcome.unwrap()
    record = Interactions(
        parts=request.segmentation.parts,
        spans=request.segmentation.spans,
        target=target_of_game,
        parameters={"unit": unit, **asdict(limits)},
        removal=settings.masker.name,
        pairs=_by_size(result.pairs, game.n_features),
        evaluations=outcome.evaluations,
        seed=seed,
        diagnostics=Diagnostics(
            ended_by=result.ended_by,
            rounds=result.rounds,
            at_cap=None if target_of_game.cap is None else outcome.n_capped,
        ),
        unread=request.segmentation.unread,
        repeats=engine.precision.repeats(target_of_game),
    )
    return redacted_record(record)[0]


def _by_size(pairs: ReadOut, n_features: int) -> tuple[Interaction, ...]:
    """Return the interactions of all pairs, the largest first."""
    first, second = np.triu_indices(n_features, 1)
    return tuple(
        Interaction(
            first=int(first[place]),
            second=int(second[place]),
            value=float(pairs.values[place]),
            standard_error=float(pairs.errors[place]),
        )
        for place in np.argsort(-np.abs(pairs.values), kind="stable")
    )


def exact_interactions(values: Values) -> NDArray[np.float64]:
    """Return the Shapley interaction index of all pairs from the values of all coalitions.

    Parameters
    ----------
    values : array, shape (2**n_features,)
        v(S), where bit i of the index says that feature i is kept.

    Returns
    -------
    array, shape (n_features * (n_features - 1) / 2,)
        In the order of ``numpy.triu_indices(n_features, 1)``.
    """
    indices = []
    for both, first_only, second_only, neither, weights in _discrete_derivatives(
        len(values).bit_length() - 1
    ):
        together, apart = values[both] + values[neither], values[first_only] + values[second_only]
        indices.append(weights @ (together - apart))
    return np.array(indices, dtype=np.float64)


def _exact_variances(variances: Values) -> NDArray[np.float64]:
    """Return the variances of exact interactions from those of all coalitions."""
    return np.array(
        [
            weights**2 @ sum(variances[coalitions] for coalitions in of_pair)
            for *of_pair, weights in _discrete_derivatives(len(variances).bit_length() - 1)
        ],
        dtype=np.float64,
    )


def _discrete_derivatives(n_features: int) -> Iterator[tuple[NDArray[Any], ...]]:
    """Yield of each pair the coalitions with both, with either alone, with neither, and weights."""
    index = np.arange(2**n_features)
    sizes = np.bitwise_count(index)
    weights = _size_weights(n_features)
    for i, j in zip(*np.triu_indices(n_features, 1), strict=True):
        first_bit, second_bit = 1 << int(i), 1 << int(j)
        without = index[(index & (first_bit | second_bit)) == 0]
        yield (
            without | first_bit | second_bit,
            without | first_bit,
            without | second_bit,
            without,
            weights[sizes[without]],
        )


def _size_weights(n_features: int) -> NDArray[np.float64]:
    """Return |S|! (n-|S|-2)! / (n-1)! for each size of a coalition without two features."""
    sizes = np.arange(max(n_features - 1, 0))
    return 1 / ((n_features - 1) * comb(n_features - 2, sizes)) if len(sizes) else np.zeros(0)


def _plan(n_features: int, limits: Limits, rng: np.random.Generator) -> Plan[_GameInteractions]:
    check_size("interactions", n_features)
    if n_features < 2:
        yield empty_and_full(n_features)
        return _GameInteractions(ReadOut(np.zeros(0), np.zeros(0)), "exact", 1)
    if 2**n_features <= min(limits.budget, EXACT_EVALUATIONS):
        observed = yield all_coalitions(n_features)
        errors = np.sqrt(_exact_variances(observed.variances))
        return _GameInteractions(
            ReadOut(exact_interactions(observed.values), errors), ended_with_all(observed), 1
        )
    learned_game = yield from learn(n_features, rng, limits, GameModel.interactions)
    return _GameInteractions(learned_game.read_out, learned_game.ended_by, learned_game.rounds)
