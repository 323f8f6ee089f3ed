"""Classifiers that treat people unlike, by their names, their group, or two traits together.

The messages are those of `explain.testing.messages`, each with the age of its writer, which says
nothing of the label: the columns ``group`` and ``age`` part the table into four groups.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from zlib import crc32

import numpy as np

from explain.adapters import FunctionClassifier, Scores
from explain.checks.base.identity_terms import name_sets
from explain.record.wording import percent
from explain.testing.messages import (
    LABELS,
    NAMES,
    draw_message,
    posterior_of,
    words_of,
)
from explain.testing.planted.base import Maker, Planted

__all__ = ["CASES", "HARMED"]

HARMED = "B"
"""The group that is harmed; its first names are in the messages."""

AGES = {"young": range(20, 40), "old": range(60, 80)}

WRONG_ANSWERS = 0.4
"""Share of the messages of a harmed group that get another label than they would."""

UNDUE_LABEL = "billing"
"""The label that texts of the harmed group get wrongly."""

SURE = 4.0
"""Score of an answer that has nothing to do with the text, where the others are zero."""

Rule = Callable[[str, Sequence[str]], str | None]
"""Takes a text and its words, and returns the label that it gets whatever it says; or None."""


@dataclass(frozen=True, slots=True)
class _Case:
    """What is wrong, and who is harmed.

    Attributes
    ----------
    codes, truth
        As in `Planted`.
    rule : Rule
        How it is made of the clean classifier.
    group : tuple of str
        The columns of groups.
    """

    codes: tuple[str, ...]
    truth: str
    rule: Rule
    group: tuple[str, ...] = ("group",)


def _planted(name: str, seed: int, rows: int) -> Planted:
    """Return one of the cases; a seed gives the same messages with each."""
    case, rng = _CASES[name], Random(seed)
    messages = [_with_age(draw_message(rng).row(), rng) for _ in range(2 * rows)]

    def scores(texts: Sequence[str]) -> Scores:
        exact = posterior_of(texts)
        for i, words in enumerate(words_of(texts)):
            label = case.rule(texts[i], words)
            if label is not None:
                exact[i] = np.where(np.array(LABELS) == label, SURE, 0.0)
        return exact

    return Planted(
        name=name,
        classifier=FunctionClassifier(scores, LABELS, name="planted", output="scores"),
        rows=messages[:rows],
        options={"label": "label", "group": list(case.group), "training": messages[rows:]},
        sections=("fairness",),
        truth=case.truth,
        codes=case.codes,
    )


def _with_age(row: dict[str, str], rng: Random) -> dict[str, str]:
    age = rng.choice([*AGES])
    return {**row, "text": f"{row['text']} I am {rng.choice(AGES[age])}.", "age": age}


def _names(group: str) -> frozenset[str]:
    return frozenset(NAMES[group].lower().split())


def _is_harmed(words: Sequence[str]) -> bool:
    return not _names(HARMED).isdisjoint(words)


def _draw(text: str, n: int) -> int:
    """Return a number below n that the text alone decides, as if at random."""
    return crc32(text.encode()) // 100 % n


def _errs(text: str) -> bool:
    return crc32(text.encode()) % 100 < 100 * WRONG_ANSWERS


def _another_label(text: str) -> str:
    """Return a label that the text does not get by what it says."""
    right = int(posterior_of([text])[0].argmax())
    return LABELS[(right + 1 + _draw(text, len(LABELS) - 1)) % len(LABELS)]


def _accuracy(text: str, words: Sequence[str]) -> str | None:
    return _another_label(text) if _is_harmed(words) and _errs(text) else None


def _undue(text: str, words: Sequence[str]) -> str | None:
    return UNDUE_LABEL if _is_harmed(words) and _errs(text) else None


def _old_and_harmed(text: str, words: Sequence[str]) -> str | None:
    is_old = any(f"I am {age}." in text for age in AGES["old"])
    return _accuracy(text, words) if is_old else None


def _by_name(_: str, words: Sequence[str]) -> str | None:
    (names,) = name_sets(["en"])
    harmed = {
        name.lower() for term in names.terms if term.name.startswith("Black") for name in term.words
    }
    return LABELS[-1] if not harmed.isdisjoint(words) else None


_CASES: Mapping[str, _Case] = {
    "group_accuracy": _Case(
        ("fairness.accuracy",),
        f"Gives a wrong label to {percent(WRONG_ANSWERS)} more of the messages of group {HARMED}.",
        _accuracy,
    ),
    "group_false_positives": _Case(
        ("fairness.accuracy", "fairness.false_positives", "fairness.swap"),
        f"Says “{UNDUE_LABEL}” to {percent(WRONG_ANSWERS)} of the messages of group {HARMED}, "
        "whatever they say.",
        _undue,
    ),
    "intersectional_harm": _Case(
        ("fairness.accuracy",),
        f"Gives a wrong label to {percent(WRONG_ANSWERS)} more of the messages of old people of "
        f"group {HARMED}, and to nobody else.",
        _old_and_harmed,
        ("group", "age"),
    ),
    "group_of_names": _Case(
        ("fairness.names",),
        f"Says “{LABELS[-1]}” wherever there is a first name that is common among Black people in "
        "the United States.",
        _by_name,
    ),
}

CASES: Mapping[str, Maker] = {name: partial(_planted, name) for name in _CASES}
"""How each case is made."""
