"""The texts that a finding about slices is about."""

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import AuditContext
from explain.checks.slices.candidates import (
    WORD,
    WORDS,
    Slice,
    declared_slices,
    traits_of_texts,
)
from explain.record import Finding

__all__ = ["texts_of_slices"]


def texts_of_slices(finding: Finding, context: AuditContext) -> list[NDArray[np.bool_]]:
    """Return which instances are in each slice that a finding's subject names.

    Slices of words are made for those words alone; those that the search tried are not cut again.
    """
    conditions = f", {finding.subject}, "
    columns = dict.fromkeys((*context.slices, *context.group))
    slices: list[Slice] = declared_slices(
        [column for column in columns if f", {column} = " in conditions], context.instances
    )[0]
    slices += traits_of_texts(context.instances, context.words)
    members = [s.members for s in slices if f", {s.condition}, " in conditions]
    return [*members, *_texts_with_words(conditions, context)]


def _texts_with_words(conditions: str, context: AuditContext) -> Iterator[NDArray[np.bool_]]:
    """Yield which instances hold the word, or the two, of each condition on words."""
    if f", {WORD} = " not in conditions and f", {WORDS} = " not in conditions:
        return
    tokens = [
        {instance.parts[s.part][s.start : s.end].casefold() for s in spans}
        for instance, spans in zip(context.instances, context.words, strict=True)
    ]
    vocabulary = sorted(set().union(*tokens))
    sets = [{word} for word in vocabulary if f", {WORD} = {word}, " in conditions]
    firsts = [word for word in vocabulary if f", {WORDS} = {word} + " in conditions]
    seconds = [word for word in vocabulary if f" + {word}, " in conditions]
    sets += [{*pair} for pair in product(firsts, seconds)
             if f", {WORDS} = {' + '.join(pair)}, " in conditions]  # fmt: skip
    for words in sets:
        yield np.array([words <= of_text for of_text in tokens])
