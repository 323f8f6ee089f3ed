"""Asks a model the same texts again, past every cache, before anything is explained.

A model that repeats itself is asked a handful of texts. Where an answer differs, more texts are
asked more often, in one batch and alone: what always answers the same to a text alone is asked
alone from then on, and anything else is noise, which goes into the errors of what is explained.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import chain
from math import ceil
from typing import TypeAlias

import numpy as np
from scipy.special import expit

from explain.adapters import Describable, Scores, TextClassifier
from explain.adapters.rounding import RoundedClassifier, are_enough, decimals_of
from explain.engine import Engine, Row
from explain.engine.games import AttributionRequest, Masker
from explain.engine.precision import Precision
from explain.errors import PredictionError
from explain.record import Target
from explain.text.spans import Text, text_of

__all__ = ["ask_again"]

FEW_REQUESTS = 4
"""Requests whose texts are asked again at first, each with four coalitions."""

FEW_TEXTS_ALONE = 2
"""Texts that are asked again alone at first: what depends on its batch shows in one."""

MORE_TEXTS = 24
MORE_ANSWERS = 72
"""Texts and answers from which a standard deviation is known to 8 %, once some answer differs."""

HALF_PRECISION = ("float16", "bfloat16")
"""Whose rounding depends on the batch, but is too small to score texts one by one for it."""

_Answer: TypeAlias = tuple[Text, Row]

MORE_FOR_ROUNDING = 64
"""Texts that are scored where rounding is suspected, to tell it from a model of few answers."""


def ask_again(
    engine: Engine, requests: Sequence[AttributionRequest], masker: Masker | None, seed: int
) -> None:
    """Find out whether a model repeats itself, and rounds; tell the engine.

    A failure on a text is left to whoever needs that text. Counts of answers state their own noise,
    so that such a model is not asked again.

    Parameters
    ----------
    engine : Engine
        The way to the model; its `precision` is set, and repeats are counted as evaluations.
    requests : sequence of AttributionRequest
        What is to be explained.
    masker : Masker or None
        What stands in for a removed feature; None where nothing is removed.
    seed : int
        Seed of the texts, beyond the first ones, and of their batches.
    """
    if not requests or engine.precision.is_sampled:
        return
    rng = np.random.default_rng([seed, *b"repeats"])
    places = np.linspace(0, len(requests) - 1, min(FEW_REQUESTS, len(requests)))
    probe_requests = [requests[place] for place in places.round().astype(int).tolist()]
    first = _scores_by_text(engine, _first_texts(probe_requests, masker))
    draw_more = cache(partial(_random_texts, probe_requests, masker, rng))
    decimals = engine.precision.decimals
    if decimals is None and _shows_probabilities(engine.classifier):
        rows = [*(request.scores for request in requests), *first.values()]
        decimals = _decimals(engine, rows, draw_more)
    answers_again = _score_again(
        engine, [[*reversed(first)], *([text] for text in [*first][:FEW_TEXTS_ALONE])]
    )
    engine.precision = Precision(_repeated_scores(first.items(), answers_again), decimals)
    targets = {request.target for request in requests}
    if not _differ(engine.precision.answers, engine, targets):
        return
    more = _scores_by_text(engine, [*first, *draw_more()][:MORE_TEXTS])
    shuffled = [[*more][place] for place in rng.permutation(len(more)).tolist()]
    answers_together, answers_alone = list[_Answer](), list[_Answer]()
    for _ in range(max(2, ceil(MORE_ANSWERS / (2 * len(more))))):
        answers_together += _score_again(engine, [shuffled])
        answers_alone += _score_again(engine, [[text] for text in more])
    by_batch = not (
        _differ(_repeated_scores(answers_together), engine, targets)
        or _differ(_repeated_scores(answers_alone), engine, targets)
        or _is_half_precision(engine.classifier)
    )
    engine.precision = replace(
        engine.precision,
        answers=_repeated_scores(more.items(), answers_again, answers_together, answers_alone),
        by_batch=by_batch,
    )
    if by_batch:
        engine.score_alone()


def _first_texts(requests: Iterable[AttributionRequest], masker: Masker | None) -> list[Text]:
    """Return each text with all features, with none, with one alone, and without that one."""
    texts: list[Text] = []
    for request in requests:
        segmentation = request.segmentation
        texts.append(text_of(segmentation.parts))
        if masker is not None:
            is_first = np.arange(len(segmentation)) == 0
            texts += [
                masker(segmentation, kept) for kept in (is_first & False, is_first, ~is_first)
            ]
    return texts


def _random_texts(
    requests: Sequence[AttributionRequest], masker: Masker | None, rng: np.random.Generator
) -> list[Text]:
    """Return distinct texts of which features were removed at random, each request in turn."""
    if masker is None:
        return []
    texts: dict[Text, None] = {}
    for number in range(MORE_FOR_ROUNDING):
        segmentation = requests[number % len(requests)].segmentation
        texts[masker(segmentation, rng.random(len(segmentation)) < rng.random())] = None
    return list(texts)


def _scores_by_text(engine: Engine, texts: Sequence[Text]) -> dict[Text, Row]:
    """Return the scores of those distinct texts that have some, as the engine gives them."""
    distinct = list(dict.fromkeys(texts))
    rows = zip(distinct, engine.score(distinct), strict=True)
    return {text: row for text, row in rows if not isinstance(row, PredictionError)}


def _score_again(engine: Engine, batches: Iterable[Sequence[Text]]) -> list[_Answer]:
    """Return the scores of each text of each batch that has some, past the cache."""
    return [
        (text, row)
        for batch in batches
        for text, row in zip(batch, engine.score_again(batch), strict=True)
        if not isinstance(row, PredictionError)
    ]


def _repeated_scores(*answers: Iterable[_Answer]) -> tuple[Scores, ...]:
    """Return all scores of each text that was answered twice or more."""
    of_text: dict[Text, list[Row]] = {}
    for text, row in chain(*answers):
        of_text.setdefault(text, []).append(row)
    return tuple(np.array(rows) for rows in of_text.values() if len(rows) > 1)


def _differ(answers: tuple[Scores, ...], engine: Engine, targets: Iterable[Target]) -> bool:
    """Tell whether some answer to a text differs from the first, by more than rounding."""
    precision = replace(engine.precision, answers=answers)
    repeats_of_targets = (precision.repeats(precision.with_decimals(target)) for target in targets)
    return any(repeats is not None and repeats.differences > 0 for repeats in repeats_of_targets)


def _is_half_precision(model: TextClassifier) -> bool:
    return isinstance(model, Describable) and model.describe().facts.get("dtype") in HALF_PRECISION


def _shows_probabilities(model: TextClassifier) -> bool:
    return isinstance(model, RoundedClassifier) and model.shows_probabilities


def _decimals(
    engine: Engine, rows: list[Row], draw_more: Callable[[], Sequence[Text]]
) -> int | None:
    """Return the decimals of the model's probabilities; None if it shows more than four."""
    if decimals_of(_probabilities(engine, rows)) is None:
        return None
    # A few values may have fewer decimals than the model shows.
    probabilities = _probabilities(engine, [*rows, *_scores_by_text(engine, draw_more()).values()])
    return decimals_of(probabilities) if are_enough(probabilities) else None


def _probabilities(engine: Engine, rows: list[Row]) -> Row:
    scores = np.concatenate(rows)
    return np.exp(scores) if engine.classifier.task == "single_label" else expit(scores)
