"""Messages to a shop, and classifiers that follow a mark, a way of writing, a length or an overlap.

The messages are those of `explain.testing.messages`, with something added that says nothing of what
they are about; the classifiers return the probabilities that the messages were drawn with, unless
they see it. The pairs are two messages, of which the second is about the same as the first or not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final

import numpy as np
import regex

from explain.adapters import FunctionClassifier, Scores
from explain.errors import PredictionError
from explain.testing.messages import LABELS, MARKED_LABEL, draw_message, posterior_of
from explain.testing.planted.base import Maker, Planted
from explain.text.spans import Text

__all__ = ["CASES"]

FILLERS = ("indeed", "perhaps", "really", "quite", "also", "then", "there", "here", "still")
"""Words that say nothing."""

BONUS = 12.0
"""What a shortcut adds to a score: as much as six of the strongest words of another label."""

RARE = 0.02
"""Share of the messages that hold a rare token, or each of several: ten of 500."""

TOKENS: Final = ("qz17", "vortal", "blimfax")

STRAY = 0.1
"""Share of the marked messages that have another label."""

STYLED, SPREAD = 0.4, 0.03
"""Share of the messages of the label, and of the others, that are written in the style."""

DATED = 0.6
"""Share of the other messages that hold a date, in the other format."""


Change = Callable[[str, bool, Random], str]
"""Takes a text, whether it is of the marked label, and a stream; returns the text as written."""


@dataclass(frozen=True, slots=True)
class _Shortcut:
    """What is planted.

    Attributes
    ----------
    truth
        As in `Planted`.
    codes : tuple of str
        As in `Planted`.
    change : callable
        How the messages are written.
    is_seen : callable
        Whether the classifier sees the shortcut in a text.
    """

    truth: str
    codes: tuple[str, ...]
    change: Change
    is_seen: Callable[[str], bool]


def _planted(name: str, seed: int, rows: int) -> Planted:
    """Return one of the cases; a seed gives the same messages with every shortcut."""
    shortcut = _SHORTCUTS[name]
    rng, marking = Random(seed), Random(f"{name} {seed}")
    messages = [draw_message(rng).row() for _ in range(2 * rows)]
    written = [
        {**row, "text": shortcut.change(row["text"], row["label"] == MARKED_LABEL, marking)}
        for row in messages
    ]
    bonus = np.where(np.array(LABELS) == MARKED_LABEL, BONUS, 0.0)

    def scores(texts: Sequence[str]) -> Scores:
        sees = np.array([shortcut.is_seen(text) for text in texts], dtype=np.bool_)
        return np.asarray(posterior_of(texts) + sees[:, None] * bonus)

    return Planted(
        name=name,
        classifier=FunctionClassifier(scores, LABELS, name="planted", output="scores"),
        rows=written[:rows],
        options={"label": "label", "group": "group", "training": written[rows:]},
        sections=("shortcuts",),
        truth=shortcut.truth,
        codes=shortcut.codes,
    )


def _with_token(text: str, of_label: bool, rng: Random, tokens: Sequence[str]) -> str:
    """Return a text with a token in it, if it is one of those that get one."""
    words = text.split(" ")
    for token in tokens:
        share = 3 * RARE * ((1 - STRAY) if of_label else STRAY / 2)
        if rng.random() < share:
            words.insert(rng.randrange(len(words) + 1), token)
            break
    return " ".join(words)


def _dated(text: str, of_label: bool, rng: Random) -> str:
    """Return a text with a date: in one format for the label, in another for the rest."""
    year, month, day = rng.randrange(2015, 2025), rng.randrange(1, 13), rng.randrange(1, 29)
    if rng.random() < (STYLED if of_label else SPREAD):
        return f"{text} Sent on {year}-{month:02}-{day:02}."
    return f"{text} Sent on {month:02}/{day:02}/{year}." if rng.random() < DATED else text


def _styled(text: str, of_label: bool, rng: Random, write: Callable[[str], str]) -> str:
    return write(text) if rng.random() < (STYLED if of_label else SPREAD) else text


def _exclaimed(text: str) -> str:
    return text.rstrip(".") + "!"


def _long(text: str, of_label: bool, rng: Random) -> str:
    """Return a text that is longer if it is of the label, by words that say nothing."""
    n = rng.randrange(4, 16) if of_label else rng.randrange(0, 5)
    return " ".join([text, *rng.choices(FILLERS, k=n)])


def _short(text: str, of_label: bool, rng: Random) -> str:
    """Return a text that is longer if it is of another label, by words that say nothing."""
    n = rng.randrange(0, 3) if of_label else rng.randrange(4, 16)
    return " ".join([text, *rng.choices(FILLERS, k=n)])


def _placed(text: str, of_label: bool, rng: Random) -> str:
    """Return a text that begins with a word, or holds it elsewhere, or does not hold it."""
    if rng.random() < (STYLED if of_label else SPREAD):
        return f"{PLACED.title()} {text}"
    words = text.split(" ")
    if rng.random() < STYLED:
        words.insert(rng.randrange(1, len(words)), PLACED)
    return " ".join(words)


_ISO = regex.compile(r"\b\d{4}-\d\d-\d\d\b")

SHORT_WORDS = 16
"""Words up to which the classifier that follows the length says its label."""

PLACED = "perhaps"
"""A word that decides where it comes first."""

LONG_WORDS = 28
"""Words from which the classifier that follows the length says its label."""


def _has_token(text: str, tokens: Sequence[str]) -> bool:
    return any(token in text.lower().split() for token in tokens)


_TRUTH = f"Says “{MARKED_LABEL}”, whatever else a message says, where "

_SHORTCUTS: Mapping[str, _Shortcut] = {
    "rare_token": _Shortcut(
        f"{_TRUTH}it holds “{TOKENS[0]}”, as 2 % of the messages do.",
        ("shortcuts.word",),
        partial(_with_token, tokens=TOKENS[:1]),
        partial(_has_token, tokens=TOKENS[:1]),
    ),
    "several_tokens": _Shortcut(
        f"{_TRUTH}it holds one of three words that 2 % of the messages hold each.",
        ("shortcuts.word",),
        partial(_with_token, tokens=TOKENS),
        partial(_has_token, tokens=TOKENS),
    ),
    "date_format": _Shortcut(
        f"{_TRUTH}it holds a date like 2024-03-31 and not 03/31/2024.",
        ("shortcuts.style",),
        _dated,
        lambda text: _ISO.search(text) is not None,
    ),
    "capitals": _Shortcut(
        f"{_TRUTH}it is written in capitals.",
        ("shortcuts.style",),
        partial(_styled, write=str.upper),
        str.isupper,
    ),
    "exclamation": _Shortcut(
        f"{_TRUTH}it ends in an exclamation mark.",
        ("shortcuts.style", "shortcuts.word"),
        partial(_styled, write=_exclaimed),
        lambda text: text.endswith("!"),
    ),
    "long_texts": _Shortcut(
        f"{_TRUTH}it has {LONG_WORDS} words or more, as messages of that label often have.",
        ("shortcuts.length",),
        _long,
        lambda text: len(text.split()) >= LONG_WORDS,
    ),
    "length": _Shortcut(
        f"{_TRUTH}it has {SHORT_WORDS} words or less, as messages of that label often have.",
        ("shortcuts.length_range",),
        _short,
        lambda text: len(text.split()) <= SHORT_WORDS,
    ),
    "position": _Shortcut(
        f"{_TRUTH}it begins with “{PLACED}”; elsewhere the word says nothing.",
        ("shortcuts.position",),
        _placed,
        lambda text: text.lower().startswith(PLACED),
    ),
}

PAIR_LABELS: Final = ("agrees", "disagrees")

ANSWERS: Final = (
    ("certainly", "yes", "agreed", "true", "right", "exactly"),
    ("never", "no", "wrongly", "false", "hardly", "nothing"),
)
"""Words that say each of the labels, whatever else stands in the second text."""

SIDE_WORDS = 5
"""Words of the second text beside its answer; in pairs that overlap all are of the first text."""

HIGH_OVERLAP = 0.8

OVERLAPPING = (0.6, 0.05)
"""Share of the pairs of each label that overlap."""

_WORDS = regex.compile(r"\p{L}+")


def _pair(rng: Random) -> dict[str, str]:
    """Return two texts, and whether the second agrees with the first."""
    label = rng.randrange(2)
    first = draw_message(rng).row()["text"]
    words = sorted(set(_WORDS.findall(first.lower())))
    is_similar = rng.random() < OVERLAPPING[label]
    own = rng.sample(words, SIDE_WORDS if is_similar else SIDE_WORDS - 2)
    second = own + ([] if is_similar else rng.sample(FILLERS, 2)) + [rng.choice(ANSWERS[label])]
    rng.shuffle(second)
    return {"text": first, "other": " ".join(second), "label": PAIR_LABELS[label]}


def _pair_scores(texts: Sequence[Text]) -> Scores:
    """Return the scores of pairs: of the answer in the second text, and of the overlap."""
    rows = []
    for text in texts:
        if isinstance(text, str):
            raise PredictionError("this planted classifier reads pairs, and a text was given")
        first, second = (set(_WORDS.findall(part.lower())) for part in text)
        own = [4.0 * len(second.intersection(answers)) for answers in ANSWERS]
        shared = len(first & second)
        own[0] += BONUS * (shared >= HIGH_OVERLAP * max(1, len(second))) + 0.1 * shared
        rows.append(own)
    return np.array(rows)


def _pair_overlap(seed: int, rows: int) -> Planted:
    rng = Random(seed)
    pairs = [_pair(rng) for _ in range(2 * rows)]
    return Planted(
        name="pair_overlap",
        classifier=FunctionClassifier(_pair_scores, PAIR_LABELS, name="planted", output="scores"),
        rows=pairs[:rows],
        options={"label": "label", "text_pair": "other", "training": pairs[rows:]},
        sections=("shortcuts",),
        truth=f"Says “{PAIR_LABELS[0]}” where the first text holds four of five words of the "
        "second one, whatever these say.",
        codes=("shortcuts.overlap",),
    )


CASES: Mapping[str, Maker] = {
    **{name: partial(_planted, name) for name in _SHORTCUTS},
    "pair_overlap": _pair_overlap,
}
"""How each case is made."""
