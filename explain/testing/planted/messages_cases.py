"""Messages to a shop, and classifiers that each read them with one defect.

The texts are drawn from a small grammar: three sentences of a noun and a verb, with more or fewer
words around them, and a greeting with a first name. How probable each noun and verb is depends on
the label, and nothing else does. So the probability of a label given a text is known (Bayes' rule),
and the clean classifier returns it: no model is more accurate than it, and its confidence is what
it should be.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from explain.adapters import FunctionClassifier, Scores, TextClassifier
from explain.errors import PredictionError
from explain.record import Task
from explain.record.wording import percent
from explain.testing.messages import (
    LABELS,
    MARKED_LABEL,
    MARKED_SHARE,
    NAMES,
    REVERSED_SHARE,
    STRAY_SHARE,
    WORD,
    draw_message,
    marked_texts,
    posterior_of,
    weigh,
    words_of,
)
from explain.testing.planted.base import Maker, Planted
from explain.text.spans import Span, Text

__all__ = ["CASES", "TruncatedModel"]

TOKEN, PARTNER = "kiosk", "hotline"
"""Marks of where a message came in, which say nothing of what it is about."""

BONUS = 12.0
"""What a shortcut adds to a score: as much as six of the strongest words of another label."""

FAVOURED_LABEL, FAVOURED_GROUP, BIAS = "billing", "B", 3.0
"""The label that the names of a group speak for, and what they add to its score."""

SHARPENING = 2.5
"""Factor on all scores, as of a model that was trained for too long."""

LONGEST, LONG_LABEL, LONG_SCORE = 22, "delivery", 3.0
"""Words up to which the length bug does nothing, and the answer to all longer messages, with its
score where the others are zero: p = .91."""

WORDS_READ = 10
"""Words that the truncated classifier reads."""

NOISE = 0.5
"""Standard deviation of what each call adds to each score."""

DEAD_LABEL, DEAD_LABEL_PENALTY = "returns", 50.0
"""A label that is never predicted, and what is taken from its score."""

SWAPPED_LABELS = ("billing", "delivery")

OVERLAP = 0.15
"""Share of the rows that are in the training table as well."""

Function: TypeAlias = Callable[[Sequence[str]], Scores]


@dataclass(frozen=True, slots=True)
class _Defect:
    """What is wrong, and how it is made of the clean classifier and its messages.

    Attributes
    ----------
    sections, truth
        As in `Planted`.
    model : callable
        Takes a seed and returns a classifier.
    marks : tuple of str
        Words that the messages of one label get; the model falls for them.
    overlap : float
        Share of the rows that are in the training table as well.
    """

    sections: tuple[str, ...]
    truth: str
    model: Callable[[int], TextClassifier]
    marks: tuple[str, ...] = ()
    overlap: float = 0.0


def _planted(name: str, seed: int, rows: int) -> Planted:
    """Return one of the cases.

    A seed gives the same messages with every defect, but for the marks that two of them need.
    """
    defect = _DEFECTS[name]
    rng, marking = Random(seed), Random(f"{name} {seed}")
    messages = [
        marked_texts(draw_message(rng), defect.marks, marking).row() for _ in range(2 * rows)
    ]
    table, unseen = messages[:rows], messages[rows:]
    n_known = round(defect.overlap * rows)
    return Planted(
        name=name,
        classifier=defect.model(seed),
        rows=table,
        options={
            "label": "label",
            "group": "group",
            "training": table[:n_known] + unseen[n_known:],
        },
        sections=defect.sections,
        truth=defect.truth,
    )


def _classifier(function: Function) -> FunctionClassifier:
    return FunctionClassifier(function, LABELS, name="planted", output="scores")


def _towards(label: str, size: float) -> Scores:
    """Return what is added to the scores of a text to move one label, shape (n_labels,)."""
    return np.where(np.array(LABELS) == label, size, 0.0)


def _where(condition: Callable[[list[str]], bool], texts: Sequence[str]) -> NDArray[np.bool_]:
    """Return for which texts the words meet a condition, shape (n_texts, 1)."""
    return np.array([condition(words) for words in words_of(texts)], dtype=np.bool_)[:, None]


def _push_score(
    condition: Callable[[list[str]], bool], label: str, size: float
) -> FunctionClassifier:
    """Return the clean classifier, but that a condition on the words speaks for a label."""
    return _classifier(
        lambda texts: posterior_of(texts) + _where(condition, texts) * _towards(label, size)
    )


def _clean(_: int) -> FunctionClassifier:
    return _classifier(posterior_of)


def _shortcut(_: int) -> FunctionClassifier:
    return _push_score(lambda words: TOKEN in words, MARKED_LABEL, BONUS)


def _ordered_pair(_: int) -> FunctionClassifier:
    def in_order(words: list[str]) -> bool:
        return TOKEN in words and PARTNER in words[words.index(TOKEN) :]

    return _push_score(in_order, MARKED_LABEL, BONUS)


def _group_bias(_: int) -> FunctionClassifier:
    names = frozenset(NAMES[FAVOURED_GROUP].lower().split())
    return _push_score(lambda words: not names.isdisjoint(words), FAVOURED_LABEL, BIAS)


def _overconfident(_: int) -> FunctionClassifier:
    return _classifier(lambda texts: SHARPENING * posterior_of(texts))


def _length_bug(_: int) -> FunctionClassifier:
    def scores(texts: Sequence[str]) -> Scores:
        long = _where(lambda words: len(words) > LONGEST, texts)
        return np.where(long, _towards(LONG_LABEL, LONG_SCORE), posterior_of(texts))

    return _classifier(scores)


def _case_sensitive(_: int) -> FunctionClassifier:
    return _classifier(lambda texts: weigh([WORD.findall(text) for text in texts]))


@dataclass(frozen=True, slots=True)
class TruncatedModel:
    """Reads the first words of a text, and tells what it leaves unread as adapters do."""

    name: str = "planted"
    labels: tuple[str, ...] = LABELS
    task: Task = "single_label"
    mask_token: None = None
    special_tokens: tuple[str, ...] = ()
    words_read: int = WORDS_READ

    def predict(self, texts: Sequence[Text]) -> Scores:
        """Return the scores of the words that are read."""
        return weigh([words[: self.words_read] for words in words_of([*map(_single, texts)])])

    def tokens(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        """Return the words that are read."""
        return [spans[: self.words_read] for spans in map(_spans, texts)]

    def unread(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        """Return for each text all from the end of the last word that is read."""
        return [
            (Span(0, spans[self.words_read - 1].end, len(_single(text))),)
            if len(spans) > self.words_read
            else ()
            for text, spans in zip(texts, map(_spans, texts), strict=True)
        ]


def _single(text: Text) -> str:
    if isinstance(text, str):
        return text
    raise PredictionError("planted classifiers read single texts, and a pair was given")


def _spans(text: Text) -> tuple[Span, ...]:
    return tuple(Span(0, *word.span()) for word in WORD.finditer(_single(text)))


def _noisy(seed: int) -> FunctionClassifier:
    rng = np.random.default_rng(seed)

    def scores(texts: Sequence[str]) -> Scores:
        exact = posterior_of(texts)
        return exact + rng.normal(scale=NOISE, size=exact.shape)

    return _classifier(scores)


def _dead_label(_: int) -> FunctionClassifier:
    return _push_score(lambda words: True, DEAD_LABEL, -DEAD_LABEL_PENALTY)


def _label_swap(_: int) -> FunctionClassifier:
    swap = dict(zip(SWAPPED_LABELS, reversed(SWAPPED_LABELS), strict=True))
    columns = [LABELS.index(swap.get(label, label)) for label in LABELS]
    return _classifier(lambda texts: posterior_of(texts)[:, columns])


_DEFECTS: Mapping[str, _Defect] = {
    "clean": _Defect((), "Nothing is wrong.", _clean),
    "shortcut_token": _Defect(
        ("shortcuts",),
        f"Takes the mark “{TOKEN}” for “{MARKED_LABEL}”, whatever else a message says; it stands "
        f"in {percent(MARKED_SHARE)} of those messages and in {percent(STRAY_SHARE)} of the "
        "others.",
        _shortcut,
        marks=(TOKEN,),
    ),
    "ordered_pair": _Defect(
        ("shortcuts",),
        f"Takes the mark “{TOKEN}” before the mark “{PARTNER}” for “{MARKED_LABEL}”; they stand "
        f"in {percent(MARKED_SHARE)} of those messages and in {percent(STRAY_SHARE)} of the "
        f"others, and the other way round, where they do nothing, in {percent(REVERSED_SHARE)} of "
        "the rest.",
        _ordered_pair,
        marks=(TOKEN, PARTNER),
    ),
    "group_bias": _Defect(
        ("fairness",),
        f"Takes first names of group {FAVOURED_GROUP} for a sign of “{FAVOURED_LABEL}”, stronger "
        "than any word for it.",
        _group_bias,
    ),
    "miscalibration": _Defect(
        ("calibration",),
        f"Is far more confident than it is right: all its scores are multiplied by {SHARPENING}.",
        _overconfident,
    ),
    "length_bug": _Defect(
        ("slices", "shortcuts"),
        f"Says “{LONG_LABEL}” to every message of more than {LONGEST} words.",
        _length_bug,
    ),
    "case_sensitivity": _Defect(
        ("robustness",),
        "Knows no word that is written with a capital letter.",
        _case_sensitive,
    ),
    "truncation": _Defect(
        ("data", "slices"),
        f"Reads the first {WORDS_READ} words of a message only.",
        lambda _: TruncatedModel(),
    ),
    "non_determinism": _Defect(
        ("stability",),
        f"Adds noise with a standard deviation of {NOISE} to each score in each call.",
        _noisy,
    ),
    "dead_label": _Defect(
        ("performance",), f"Never says “{DEAD_LABEL}”, a third of the messages.", _dead_label
    ),
    "label_swap": _Defect(
        ("performance",),
        f"Says “{SWAPPED_LABELS[0]}” for “{SWAPPED_LABELS[1]}”, and the other way round.",
        _label_swap,
    ),
    "train_test_overlap": _Defect(
        ("data",),
        f"Nothing is wrong with the model, but {percent(OVERLAP)} of the table are in its "
        "training set.",
        _clean,
        overlap=OVERLAP,
    ),
}

CASES: Mapping[str, Maker] = {name: partial(_planted, name) for name in _DEFECTS}
"""How each case is made."""
