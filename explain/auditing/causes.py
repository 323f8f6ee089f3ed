"""Which finding explains another: texts with a shortcut are often a slice of their own."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from explain.checks import AuditContext
from explain.checks.base.phrases import read_corpus
from explain.checks.shortcuts.members import texts_of_shortcut
from explain.checks.slices.candidates import (
    Slice,
    declared_slices,
    slices_by_word,
    traits_of_texts,
)
from explain.record import Finding, Section

__all__ = ["with_causes"]

AGREEMENT = 0.8
"""Correlation (phi) of two sets of texts from which they are the same for a reader: of a hundred
texts, half of them in each, ten are in one alone."""

SHORTCUTS, SLICES = "shortcuts", "slices"


def with_causes(sections: Sequence[Section], context: AuditContext) -> list[Section]:
    """Return the sections, with the shortcut that explains it on each finding about slices.

    Where a feature of texts predicts both the label and how often the model is right, the model is
    worse in the texts with the feature, or in those without it, because it follows the feature.
    The checks do not know each other, so it is here that their findings are put together.
    """
    shortcuts = [f for s in sections if s.id == SHORTCUTS for f in s.findings]
    if not shortcuts or not any(s.id == SLICES and s.findings for s in sections):
        return list(sections)
    members = {f.id: texts_of_shortcut(f, context) for f in shortcuts}
    slices = list(_slices(context))
    return [
        section.model_copy(
            update={
                "findings": tuple(_with_cause(f, slices, members) for f in section.findings),
            }
        )
        if section.id == SLICES
        else section
        for section in sections
    ]


def _slices(context: AuditContext) -> Iterator[Slice]:
    """Yield the slices that the check of slices looks at, of the rows that were scored."""
    yield from declared_slices(context.slices, context.instances)[0]
    yield from traits_of_texts(context.instances, context.words)
    yield from slices_by_word(read_corpus(context.instances, context.words))


def _with_cause(
    finding: Finding, slices: Sequence[Slice], members: dict[str, NDArray[np.bool_]]
) -> Finding:
    """Return a finding about slices with the shortcut that agrees best with one of them."""
    named = f", {finding.subject}, "
    own = [s.members for s in slices if f", {s.condition}, " in named]
    agreements = {
        cause: max((abs(_phi(texts, s)) for texts in sets for s in own), default=0.0)
        for cause, sets in members.items()
    }
    best = max(agreements, key=lambda cause: agreements[cause], default=None)
    if best is None or agreements[best] < AGREEMENT:
        return finding
    return finding.model_copy(update={"cause": best})


def _phi(first_set: NDArray[np.bool_], second_set: NDArray[np.bool_]) -> float:
    """Return the correlation of two sets of the same rows; zero if one holds all or none."""
    if len(set(first_set.tolist())) < 2 or len(set(second_set.tolist())) < 2:
        return 0.0
    return float(np.corrcoef(first_set, second_set)[0, 1])
