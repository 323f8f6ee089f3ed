"""Which features of a text act together: "not" and "good"."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import comb

from explain.adapters import wrap
from explain.attribution import AttributionSettings, TargetSpec, ask
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
from explain.record import Interaction, Interactions
from explain.text.redaction import redacted_record
from explain.text.spans import Text

__all__ = ["exact_interactions", "interactions"]


@dataclass(frozen=True, slots=True)
class _Found:
    """The interactions of one game, in the order of ``numpy.triu_indices``."""

    pairs: ReadOut
    ended_by: str
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
        Largest standard error, relative to the largest absolute interaction.
    budget : int
        Evaluations, the empty and the full coalition included; four at least.
    seconds : float or None
        Wall-clock seconds after which no further question is asked.

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
    setting = AttributionSettings.of(engine.classifier, unit=unit, masker=masker, seed=seed)
    limits = Limits(tolerance, budget, seconds)
    question = ask(engine, [text], setting, [target])[0]
    if isinstance(question, ExplainError):
        raise question
    ask_again(engine, [question], setting.masker, seed)
    seen_target = engine.precision.seen(question.target)
    game = MaskedTextGame(question.segmentation, setting.masker, seen_target)
    outcome = engine.run(
        [game], [_plan(game.n_features, limits, replace(question, seed=seed).rng())]
    )[0]
    found = outcome.unwrap()
    record = Interactions(
        parts=question.segmentation.parts,
        spans=question.segmentation.spans,
        target=seen_target,
        parameters={"unit": unit, **asdict(limits)},
        removal=setting.masker.name,
        pairs=_by_size(found.pairs, game.n_features),
        evaluations=outcome.evaluations,
        seed=seed,
        diagnostics={
            "ended_by": found.ended_by,
            "rounds": found.rounds,
            **({} if seen_target.cap is None else {"at_cap": outcome.capped}),
        },
        unread=question.segmentation.unread,
        repeats=engine.precision.repeats(seen_target),
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
    found = []
    for both, one, other, neither, weights in _crossed(len(values).bit_length() - 1):
        together, apart = values[both] + values[neither], values[one] + values[other]
        found.append(weights @ (together - apart))
    return np.array(found, dtype=np.float64)


def _exact_variances(variances: Values) -> NDArray[np.float64]:
    """Return the variances of exact interactions from those of all coalitions."""
    return np.array(
        [
            weights**2 @ sum(variances[coalitions] for coalitions in of_pair)
            for *of_pair, weights in _crossed(len(variances).bit_length() - 1)
        ],
        dtype=np.float64,
    )


def _crossed(n_features: int) -> Iterator[tuple[NDArray[Any], ...]]:
    """Yield of each pair the coalitions with both, with either alone, with neither, and weights."""
    index = np.arange(2**n_features)
    sizes = np.bitwise_count(index)
    weights = _size_weights(n_features)
    for i, j in zip(*np.triu_indices(n_features, 1), strict=True):
        one, other = 1 << int(i), 1 << int(j)
        without = index[(index & (one | other)) == 0]
        yield (
            without | one | other,
            without | one,
            without | other,
            without,
            weights[sizes[without]],
        )


def _size_weights(n_features: int) -> NDArray[np.float64]:
    """Return |S|! (n-|S|-2)! / (n-1)! for each size of a coalition without two features."""
    sizes = np.arange(max(n_features - 1, 0))
    return 1 / ((n_features - 1) * comb(n_features - 2, sizes)) if len(sizes) else np.zeros(0)


def _plan(n_features: int, limits: Limits, rng: np.random.Generator) -> Plan[_Found]:
    check_size("interactions", n_features)
    if n_features < 2:
        yield empty_and_full(n_features)
        return _Found(ReadOut(np.zeros(0), np.zeros(0)), "exact", 1)
    if 2**n_features <= min(limits.budget, EXACT_EVALUATIONS):
        observed = yield all_coalitions(n_features)
        errors = np.sqrt(_exact_variances(observed.variances))
        return _Found(
            ReadOut(exact_interactions(observed.values), errors), ended_with_all(observed), 1
        )
    learned = yield from learn(n_features, rng, limits, GameModel.interactions)
    return _Found(learned.found, learned.ended_by, learned.rounds)
