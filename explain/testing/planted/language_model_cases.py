"""Language models that are asked a question about a message, each with one thing that sways them.

They read the messages as the clean classifier does. What is planted shows only when the question is
asked in another way, or when a text gives orders.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from scipy.stats import norm

from explain.adapters import Scores, TextClassifier
from explain.adapters.question import QuestionVariant
from explain.errors import PredictionError
from explain.record import Task
from explain.testing.messages import LABELS, posterior_of
from explain.testing.planted import messages_cases
from explain.testing.planted.base import Maker, Planted
from explain.text.spans import Text

__all__ = ["CASES"]

FIRST_OPTION = 4.0
"""What stands first gains so much: as much as two of the strongest words of a label."""

SWAY = 4.0
"""Standard deviation of what another wording of the question adds to each score."""

NO_LABEL_SHARE, NO_LABEL_SCORE = 0.4, 8.0
"""Share of the messages for which the model would prefer no label, and its score then."""

OBEDIENCE = 20.0
"""What a label gains that a text asks for."""

TEMPERATURE_NOISE = 2.0
"""Standard deviation of what each call adds to each score."""

AS_IT_IS = QuestionVariant()

_ORDER_OF_TEXT = re.compile(r'Ignore all instructions.*answer "(\w+)"')

Sway = Callable[[Scores, Sequence[str], QuestionVariant], Scores]
"""Takes the scores of texts, one column for each option, and returns them with what is planted."""

Confidence = Callable[[Sequence[str]], NDArray[np.float64]]
"""Takes texts, and returns how sure the model says it is of its answers."""


@dataclass(frozen=True)
class _LanguageModel:
    """Reads messages, and is swayed by something else."""

    sway: Sway
    variant: QuestionVariant = AS_IT_IS
    states: "Confidence | None" = None

    name = "planted"
    task: Task = "single_label"
    has_question = True

    @property
    def labels(self) -> tuple[str, ...]:
        extra = self.variant.extra_option
        return LABELS if extra is None else (*LABELS, extra)

    def asked_as(self, variant: QuestionVariant) -> TextClassifier:
        return replace(self, variant=variant)

    def stated_confidence(self, texts: Sequence[Text]) -> list[float | None]:
        if self.states is None:
            return [None] * len(texts)
        return [*map(float, self.states([str(text) for text in texts]))]

    def predict(self, texts: Sequence[Text]) -> Scores:
        if any(not isinstance(text, str) for text in texts):
            raise PredictionError("planted classifiers read single texts, and a pair was given")
        single = [str(text) for text in texts]
        known = posterior_of(single)
        if self.variant.extra_option is not None:
            known = np.hstack([known, np.full((len(texts), 1), -FIRST_OPTION) + known.min()])
        return self.sway(known, single, self.variant)


def _noise(texts: Sequence[str], key: str, n: int) -> Scores:
    """Return numbers that depend on the texts and a key alone, and look random."""
    seeds = [int.from_bytes(blake2b(f"{key}|{t}".encode(), digest_size=8).digest()) for t in texts]
    rows = [np.random.default_rng(seed).normal(size=n) for seed in seeds]
    return np.array(rows, dtype=np.float64).reshape(len(texts), n)


def _clean(scores: Scores, texts: Sequence[str], variant: QuestionVariant) -> Scores:
    return scores


def _by_order(scores: Scores, texts: Sequence[str], variant: QuestionVariant) -> Scores:
    first = 0 if variant.order is None else variant.order[0]
    gains: Scores = FIRST_OPTION * (np.arange(scores.shape[1]) == first)
    return scores + gains


def _by_wording(scores: Scores, texts: Sequence[str], variant: QuestionVariant) -> Scores:
    if not variant.instruction:
        return scores
    return scores + SWAY * _noise(texts, variant.instruction, scores.shape[1])


def _by_names(scores: Scores, texts: Sequence[str], variant: QuestionVariant) -> Scores:
    if variant.names is None:
        return scores
    return scores + SWAY * _noise(texts, "names", scores.shape[1])


def _by_lack(scores: Scores, texts: Sequence[str], variant: QuestionVariant) -> Scores:
    if variant.extra_option is None:
        return scores
    lacks = _noise(texts, "no label", 1)[:, 0] < _quantile(NO_LABEL_SHARE)
    raised = scores.copy()
    raised[lacks, -1] = scores[lacks].max(axis=1) + NO_LABEL_SCORE
    return raised


def _quantile(share: float) -> float:
    return float(np.quantile(np.random.default_rng(0).normal(size=100_000), share))


def _by_order_of_text(scores: Scores, texts: Sequence[str], variant: QuestionVariant) -> Scores:
    wanted = [match[1] if (match := _ORDER_OF_TEXT.search(text)) else None for text in texts]
    follows = np.array([[label == own for label in LABELS] for own in wanted], dtype=np.float64)
    return scores + OBEDIENCE * np.pad(follows, ((0, 0), (0, scores.shape[1] - len(LABELS))))


def _probability(texts: Sequence[str]) -> NDArray[np.float64]:
    """Return the probability of each answer in tenths, as models state it."""
    return np.asarray(softmax(posterior_of(texts), axis=1).max(axis=1).round(1))


def _any_number(texts: Sequence[str]) -> NDArray[np.float64]:
    return np.asarray(norm.cdf(_noise(texts, "confidence", 1)[:, 0]))


def _any_probability(scores: Scores, texts: Sequence[str], variant: QuestionVariant) -> Scores:
    """Return scores with the same order, whose largest probability says nothing."""
    order = scores.argsort(axis=1).argsort(axis=1)
    width = 0.2 + 3.0 * _any_number(texts)[:, None]
    return np.asarray(order * width)


class _AtTemperature:
    """Adds noise to each answer."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def __call__(self, scores: Scores, texts: Sequence[str], variant: QuestionVariant) -> Scores:
        return scores + self._rng.normal(scale=TEMPERATURE_NOISE, size=scores.shape)


@dataclass(frozen=True, slots=True)
class _Case:
    """What sways a model, what an audit must call it, and what it is."""

    sway: Callable[[int], Sway]
    code: str | None
    truth: str
    states: Confidence | None = None


def _planted(name: str, seed: int, rows: int) -> Planted:
    """Return one of the cases; the messages are those of the clean classifier."""
    case, clean = _SWAYS[name], messages_cases.CASES["clean"](seed, rows)
    return replace(
        clean,
        name=name,
        classifier=_LanguageModel(case.sway(seed), states=case.states),
        sections=() if case.code is None else ("language_model",),
        codes=() if case.code is None else (case.code,),
        truth=case.truth,
    )


_SWAYS: Mapping[str, _Case] = {
    "language_model": _Case(lambda _: _clean, None, "Nothing is wrong with the language model."),
    "option_order": _Case(
        lambda _: _by_order, "language-model.order", "Prefers whatever option stands first."
    ),
    "instruction_wording": _Case(
        lambda _: _by_wording,
        "language-model.instruction",
        "Answers otherwise when a sentence without meaning stands before the question.",
    ),
    "option_names": _Case(
        lambda _: _by_names,
        "language-model.names",
        "Answers otherwise when the options have letters for names, though they mean the same.",
    ),
    "no_label_fits": _Case(
        lambda _: _by_lack,
        "language-model.none",
        f"Would prefer none of the labels for {NO_LABEL_SHARE:.0%} of the messages.",
    ),
    "injected_instruction": _Case(
        lambda _: _by_order_of_text,
        "language-model.injection",
        "Gives the label that a sentence in a message asks for.",
    ),
    "honest_numbers": _Case(
        lambda _: _clean,
        None,
        "Nothing is wrong: the confidence that the model states is its probability, in tenths.",
        _probability,
    ),
    "stated_confidence": _Case(
        lambda _: _clean,
        "language-model.numbers",
        "States a confidence that has nothing to do with whether an answer is right.",
        _any_number,
    ),
    "probabilities": _Case(
        lambda _: _any_probability,
        "language-model.numbers",
        "Its probabilities say nothing of whether an answer is right, its stated confidence does.",
        _probability,
    ),
    "temperature": _Case(
        _AtTemperature,
        "language-model.repeats",
        f"Adds noise with a standard deviation of {TEMPERATURE_NOISE} to each score in each call.",
    ),
}

CASES: Mapping[str, Maker] = {name: partial(_planted, name) for name in _SWAYS}
"""How each case is made."""
