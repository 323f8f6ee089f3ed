"""The texts that a finding about a shortcut is about."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import AuditContext
from explain.checks.shortcuts.text_styles import STYLES, length_ranges
from explain.record import Finding
from explain.text.words import words

__all__ = ["texts_of_shortcut"]

Members: TypeAlias = NDArray[np.bool_]
Tokens: TypeAlias = tuple[str, ...]


def texts_of_shortcut(finding: Finding, context: AuditContext) -> Members:
    """Return which instances have what a finding says, shape (n_sets, n_instances).

    A length has a set for each number of words; what is no feature of single texts has none.
    """
    sets = _SETS.get(finding.code)
    members = sets(finding.subject, context) if sets else []
    return np.array(members, dtype=np.bool_).reshape(-1, len(context.instances))


def _tokens(parts: Sequence[str]) -> list[str]:
    return [parts[s.part][s.start : s.end].casefold() for s in words(parts)]


def _with_words(surface: str, context: AuditContext) -> list[list[bool]]:
    """Return which texts hold words in a row, whatever their capitals and white space."""
    wanted = "\0".join(["", *_tokens([surface.rstrip("…")]), ""])
    texts = ["\0".join(["", *_tokens(instance.parts), ""]) for instance in context.instances]
    return [[wanted in text for text in texts]]


def _with_both_words(subject: str, context: AuditContext) -> list[list[bool]]:
    wanted = set(subject.split(" "))
    return [[wanted <= set(_tokens(instance.parts)) for instance in context.instances]]


def _written_so(name: str, context: AuditContext) -> list[list[bool]]:
    return [
        [style.holds(instance.parts[-1]) for instance in context.instances]
        for style in STYLES
        if style.name == name
    ]


def _longer_than_any(_: str, context: AuditContext) -> list[Members]:
    lengths = np.array(list(map(len, context.words)))
    return [lengths > length for length in np.unique(lengths)[:-1]]


def _with_word_at_its_place(subject: str, context: AuditContext) -> list[list[bool]]:
    word, _, end = subject.rpartition(" at the ")
    place = 0 if end == "start" else -1
    tokens = (
        [token for token in _tokens(instance.parts[-1:]) if any(map(str.isalnum, token))]
        for instance in context.instances
    )
    return [[bool(of_text) and of_text[place] == word for of_text in tokens]]


def _of_length(subject: str, context: AuditContext) -> list[Members]:
    lengths = np.array(list(map(len, context.words)))
    return [
        (lengths >= low) & (lengths <= high)
        for low, high in length_ranges(lengths)
        if subject == f"{low} to {high} words"
    ]


_SETS: Final[Mapping[str, Callable[[str, AuditContext], Sequence[Sequence[bool] | Members]]]] = {
    "shortcuts.word": _with_words,
    "shortcuts.source_mark": _with_words,
    "shortcuts.order": _with_both_words,
    "shortcuts.style": _written_so,
    "shortcuts.position": _with_word_at_its_place,
    "shortcuts.length": _longer_than_any,
    "shortcuts.length_range": _of_length,
}
