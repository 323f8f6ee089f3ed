"""The findings on slices: one for each column, the worst slice first."""

from collections.abc import Sequence

import numpy as np

from explain.checks.slices.candidates import WORD, WORDS
from explain.checks.slices.slice_tests import LARGE_GAP, Losses, TestedSlice
from explain.record import Cell, Finding, InstanceRecord, Sentence, Severity, Table, join_sentences

__all__ = ["columns_and_rows", "findings_of"]

SECTION = "slices"

MOST_FINDINGS = 5

MOST_EVIDENCE = 5

MOST_NAMED = 3
"""Slices that one sentence names; more of them stand in the table."""


def findings_of(
    tests: Sequence[TestedSlice], instances: Sequence[InstanceRecord], losses: Losses
) -> tuple[Finding, ...]:
    """Return a finding for each column with worse slices, the most severe first."""
    by_column: dict[str, list[TestedSlice]] = {}
    for test in tests:
        if not test.reason:
            column = WORD if test.slice.column == WORDS else test.slice.column
            by_column.setdefault(column, []).append(test)
    findings = [_finding(worse, instances, losses) for worse in by_column.values()]
    findings.sort(key=lambda finding: finding.rank)
    return tuple(findings[:MOST_FINDINGS])


def _finding(
    worse: Sequence[TestedSlice], instances: Sequence[InstanceRecord], losses: Losses
) -> Finding:
    """Return the finding on the slices of one column, the worst first."""
    worst = worse[0]
    wrong = np.flatnonzero(worst.slice.members & (losses.values > 0) & losses.has_answer)
    ranked = sorted(
        wrong.tolist(),
        key=lambda i: (-losses.values[i], -(instances[i].probability or 0), instances[i].id),
    )
    members = None
    if worse[1:]:
        columns, rows = columns_and_rows(worse)
        members = Table(title="The slices that are worse", columns=columns, rows=tuple(rows))
    return Finding(
        code="slices.worse",
        subject=", ".join(sorted(test.slice.condition for test in worse)),
        claim=join_sentences(
            _claim(worst), _confidence(worst, instances, losses), _more_slices(worse)
        ),
        severity=_severity(worst, losses),
        size=worst.gap.distance_from(0) if losses.task != "regression" else None,
        measure=worst.measure,
        members=members,
        evidence=(SECTION, *(instances[i].id for i in ranked[:MOST_EVIDENCE])),
        suggestion="Read the errors of these texts, and collect or correct labelled texts like "
        "them. Until it is better, do not let the model decide there alone.",
    )


def columns_and_rows(
    tests: Sequence[TestedSlice],
) -> tuple[tuple[str, ...], list[tuple[Cell, ...]]]:
    """Return the columns and rows of a table of slices beside the rest."""
    columns = ("slice", "rows", "in the slice", "in the rest", "worse by", "adjusted p")
    rows: list[tuple[Cell, ...]] = [
        (t.slice.condition, t.measure.n, t.measure, t.rest, t.gap, t.p_value) for t in tests
    ]
    return columns, rows


def _claim(test: TestedSlice) -> str:
    """Return how the model does in a slice, and in the rest."""
    template = (
        "The model is right on {inside} of the {inside.n} {texts}, and on "
        "{rest.value:percent} of the others."
    )
    if test.measure.unit == "coefficient":
        template = (
            "The mean squared error on the {inside.n} {texts} is {inside:.3g}; on the others it "
            "is {rest.value:.3g}."
        )
    return Sentence(template, inside=test.measure, texts=test.slice.in_words, rest=test.rest)


def _confidence(
    test: TestedSlice, instances: Sequence[InstanceRecord], losses: Losses
) -> Sentence | str:
    """Return how sure the model is in a slice, and in the rest; nothing if it has several labels.

    A model that is as unsure as it is wrong is right to be, and a threshold on confidence helps.
    """
    if losses.task != "single_label":
        return ""
    inside, rest = (side & losses.has_answer for side in test.sides)
    sure = np.array([instance.probability for instance in instances], dtype=np.float64)
    inside_sure, rest_sure = (float(sure[side[: len(sure)]].mean()) for side in (inside, rest))
    template = (
        "On average it is {inside:percent} sure of its answers there, and {rest:percent} of the "
        "others."
    )
    if inside_sure > (losses.measure(inside, "").upper or 1.0):
        template = (
            "Its confidence does not show it: on average it is {inside:percent} sure of its "
            "answers there, and {rest:percent} of the others."
        )
    return Sentence(template, inside=inside_sure, rest=rest_sure)


def _more_slices(worse: Sequence[TestedSlice]) -> str:
    others = [test.slice.in_words for test in worse[1:]]
    if not others:
        return ""
    return Sentence(
        "It is also worse on {others:or}."
        if len(others) < MOST_NAMED
        else "It is also worse in {n} more slices like this; the table lists them.",
        others=others,
        n=len(others),
    )


def _severity(test: TestedSlice, losses: Losses) -> Severity:
    """Return how severe it is on the rows that the model answered."""
    if losses.task == "regression":
        return "major"
    inside, rest = (side & losses.has_answer for side in test.sides)
    if (losses.measure(inside, "").upper or 0) < 1 / 2:
        return "critical"
    return "major" if (losses.gap(inside, rest, "").lower or 0) > LARGE_GAP else "minor"
