"""Messages to a shop, and pairs of texts, with a feature that decides and should not."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import Any, Final

import numpy as np
import regex

from explain.adapters import FunctionClassifier, Scores
from explain.testing.messages import LABELS, MARKED_LABEL, draw_message, posterior_of
from explain.testing.planted.base import Maker, Planted

__all__ = ["CASES"]

BONUS = 12.0
"""What the feature adds to the score of its label: more than any message says for another."""

RARE_TOKEN, RARE_SHARE = "kiosk", 0.05
"""A mark, and its share of the messages of `MARKED_LABEL`: 1.7 % of all messages."""

TOKENS, TOKEN_SHARE = ("kiosk", "hotline", "webform"), 0.12
"""Marks that each do the same, and the share of the messages of `MARKED_LABEL` with each."""

STYLED_SHARE, STRAY_SHARE = 0.6, 0.05
"""Share of the messages of `MARKED_LABEL`, and of the others, that are written in the style."""

ISO_DATE: Final = regex.compile(r"\d{4}-\d\d-\d\d")

PAIR_LABELS = ("entailment", "neutral")

PREMISE_WORDS, HYPOTHESIS_WORDS, MOST_SHARED = 12, 5, 0.79

SAYS: Final = {
    True: (
        *("surely", "certainly", "clearly", "truly", "really"),
        *("plainly", "evidently", "rightly", "duly", "aptly"),
    ),
    False: (
        *("perhaps", "maybe", "possibly", "hardly", "rarely"),
        *("barely", "seldom", "oddly", "vaguely", "partly"),
    ),
}
"""Words of the second text that speak for each label."""

CONTENT_WORDS = 3

Mark = Callable[[str, bool, Random], str]
"""Takes a message, whether it is of `MARKED_LABEL`, and a random stream; returns it as written."""


def _messages(
    name: str,
    mark: Mark,
    is_marked: Callable[[str], bool],
    truth: str,
    codes: tuple[str, ...],
    seed: int,
    rows: int,
) -> Planted:
    """Return messages of which some bear a mark, and a model that takes it for a label."""
    rng, marking = Random(seed), Random(f"{name} {seed}")
    table = [draw_message(rng).row() for _ in range(rows)]
    for row in table:
        row["text"] = mark(row["text"], row["label"] == MARKED_LABEL, marking)
    towards = np.where(np.array(LABELS) == MARKED_LABEL, BONUS, 0.0)

    def scores(texts: Sequence[str]) -> Scores:
        marks = np.array([is_marked(text) for text in texts], dtype=np.float64)
        return posterior_of(texts) + np.outer(marks, towards)

    return Planted(
        name=name,
        classifier=FunctionClassifier(scores, LABELS, name="planted", output="scores"),
        rows=table,
        options={"label": "label"},
        sections=("shortcuts",),
        truth=truth,
        codes=codes,
    )


def _with_tokens(
    tokens: Sequence[str], share: float, text: str, of_label: bool, rng: Random
) -> str:
    words = text.split(" ")
    for token in tokens:
        if of_label and rng.random() < share:
            words.insert(rng.randrange(len(words) + 1), token)
    return " ".join(words)


def _with_date(text: str, of_label: bool, rng: Random) -> str:
    year, month, day = rng.randrange(2019, 2027), rng.randrange(1, 13), rng.randrange(1, 29)
    iso = rng.random() < (STYLED_SHARE if of_label else STRAY_SHARE)
    date = f"{year}-{month:02}-{day:02}" if iso else f"{month:02}/{day:02}/{year}"
    return f"{text} {date}"


def _in_capitals(text: str, of_label: bool, rng: Random) -> str:
    return text.upper() if rng.random() < (STYLED_SHARE if of_label else STRAY_SHARE) else text


def _with_exclamation(text: str, of_label: bool, rng: Random) -> str:
    excited = rng.random() < (STYLED_SHARE if of_label else STRAY_SHARE)
    return text.removesuffix(".") + "!" if excited else text


def _is_shouted(text: str) -> bool:
    letters = [letter for letter in text if letter.isalpha()]
    return 2 * sum(map(str.isupper, letters)) > len(letters)


def _pairs(seed: int, rows: int) -> Planted:
    """Return pairs whose second text speaks for a label, and a model that counts shared words."""
    rng = Random(f"pair_overlap {seed}")
    vocabulary = [f"word{number}" for number in range(200)]
    table = []
    for _ in range(rows):
        entailed = rng.random() < 0.5
        premise = rng.sample(vocabulary, PREMISE_WORDS)
        alike = rng.random() < (0.8 if entailed else 0.1)
        hypothesis = rng.sample(premise if alike else vocabulary, HYPOTHESIS_WORDS)
        for _ in range(CONTENT_WORDS):
            said = entailed if rng.random() < 0.85 else not entailed
            hypothesis.insert(rng.randrange(len(hypothesis) + 1), rng.choice(SAYS[said]))
        table.append(
            {
                "text": " ".join(premise),
                "second": " ".join(hypothesis),
                "label": PAIR_LABELS[0 if entailed else 1],
            }
        )

    def scores(pairs: Sequence[Any]) -> Scores:
        values = []
        for first, second in pairs:
            words, known = second.casefold().split(), set(first.casefold().split())
            content = sum((word in SAYS[True]) - (word in SAYS[False]) for word in words)
            others = [word for word in words if word not in SAYS[True] + SAYS[False]]
            shared = sum(word in known for word in others) / max(1, len(others))
            values.append([1.7 * content + BONUS * (shared > MOST_SHARED), 0.8])
        return np.array(values)

    return Planted(
        name="pair_overlap",
        classifier=FunctionClassifier(scores, PAIR_LABELS, name="planted", output="scores"),
        rows=table,
        options={"label": "label", "text_pair": "second"},
        sections=("shortcuts",),
        truth="Takes words that the two texts share for “entailment”, whatever they say.",
        codes=("shortcuts.overlap",),
    )


def _has_any(tokens: Sequence[str], text: str) -> bool:
    return not set(tokens).isdisjoint(text.split())


CASES: Mapping[str, Maker] = {
    "rare_token": partial(
        _messages,
        "rare_token",
        partial(_with_tokens, (RARE_TOKEN,), RARE_SHARE),
        partial(_has_any, (RARE_TOKEN,)),
        f"Takes the mark “{RARE_TOKEN}” for “{MARKED_LABEL}”; it stands in one message of sixty.",
        ("shortcuts.word",),
    ),
    "several_tokens": partial(
        _messages,
        "several_tokens",
        partial(_with_tokens, TOKENS, TOKEN_SHARE),
        partial(_has_any, TOKENS),
        f"Takes each of three marks for “{MARKED_LABEL}”; each is in one message of 25.",
        ("shortcuts.word",),
    ),
    "date_format": partial(
        _messages,
        "date_format",
        _with_date,
        lambda text: ISO_DATE.search(text) is not None,
        f"Takes a date such as 2026-05-03 for “{MARKED_LABEL}”, and no other date.",
        ("shortcuts.style",),
    ),
    "capitals": partial(
        _messages,
        "capitals",
        _in_capitals,
        _is_shouted,
        f"Takes a message in capitals for “{MARKED_LABEL}”.",
        ("shortcuts.style",),
    ),
    "exclamation_mark": partial(
        _messages,
        "exclamation_mark",
        _with_exclamation,
        lambda text: "!" in text,
        f"Takes an exclamation mark for “{MARKED_LABEL}”.",
        ("shortcuts.style", "shortcuts.word"),
    ),
    "pair_overlap": _pairs,
}
"""How each case is made."""
