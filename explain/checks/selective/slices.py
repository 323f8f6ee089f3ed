"""Slices in which a threshold of confidence lets too many wrong answers through."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import special

from explain.checks.base import LEVEL
from explain.checks.base.labelled_rows import LabelledRows
from explain.checks.selective.answers import Answers
from explain.checks.selective.metrics import LET_THROUGH, RISK
from explain.checks.selective.thresholds import Threshold, certified, measured_share, percent_of
from explain.checks.slices.candidates import Slice, declared_slices
from explain.record import Cell, Finding, Measure, Sentence, Table
from explain.statistics.adjustments import holm_where_testable

__all__ = ["SliceRisk", "findings_of", "slice_risks", "slices_of", "table_of_shares"]

PREDICTION = "prediction"
"""What slices by the answer of the model are called."""

TEST_LEVEL = LEVEL / 2
"""The other half is that of the test of all rows."""

SMALLEST_EXCESS = 0.02
"""Certain excess over the promised error that is a finding: of 100 answers that are let through,
two more are wrong than was promised."""

MOST_LISTED = 60

MOST_EVIDENCE = 5


@dataclass(frozen=True)
class SliceRisk:
    """What a threshold that was certified on all other rows does in a slice.

    Attributes
    ----------
    slice : Slice
        The slice.
    threshold : Threshold
        The threshold of the other rows.
    risk : Measure
        Share of wrong answers among those of the slice that are let through.
    p : float
        How often as many would be wrong, both if the promised error held and if the confidence of
        these answers were right; adjusted for all slices and errors.
    wrong_rows : tuple of int
        Numbers of the rows that are let through wrongly, most confident first.
    """

    slice: Slice
    threshold: Threshold
    risk: Measure
    p: float
    wrong_rows: tuple[int, ...]

    @property
    def excess(self) -> float:
        """By how much the promised error is exceeded for certain."""
        return max(0.0, (self.risk.lower or 0.0) - self.threshold.error)

    @property
    def is_broken(self) -> bool:
        """Whether the promise is broken for certain, by a margin that matters."""
        return self.p <= TEST_LEVEL and self.excess > SMALLEST_EXCESS


def slices_of(sample: LabelledRows) -> list[Slice]:
    """Return the slices by the named columns, by small groups, and by the answer of the model."""
    context = sample.context
    columns = list(context.slices)
    if sample.clusters is None:
        columns += context.group
    slices, _ = declared_slices(list(dict.fromkeys(columns)), sample.all_rows)
    if context.model.task == "single_label":
        given = sample.predicted
        slices += [
            Slice(
                PREDICTION,
                label,
                given[:, i],
                Sentence("texts classified as {label:quoted}", label=label),
            )
            for i, label in enumerate(context.model.labels)
            if given[:, i].any()
        ]
    return slices


def slice_risks(
    answers: Answers,
    chosen_on: NDArray[np.bool_],
    errors: Sequence[float],
    slices: Sequence[Slice],
) -> list[SliceRisk]:
    """Return what the thresholds of all other rows do in each slice, p-values adjusted together.

    The rows of a slice choose and certify nothing, so that all of them test it. A threshold of all
    rows would not do: where a slice has many confident errors there may be none.

    Parameters
    ----------
    answers : Answers
        All answers.
    chosen_on : array, shape (n_rows,), bool
        The half on which thresholds are chosen.
    errors : sequence of float
        Largest shares of wrong answers.
    slices : sequence of Slice
        The slices.
    """
    risks, least = [], []
    for one, error in product(slices, errors):
        others = ~one.members
        if not others.any():
            continue
        threshold = certified(answers.among(others), chosen_on[others], error)
        if isinstance(threshold, Threshold):
            among = one.members & (answers.confidence >= threshold.confidence)
            risks.append(_slice_risk(answers, threshold, one, among))
            expected = _expected_error(answers, threshold, among)
            least.append(expected ** answers.among(among).effective_counts()[1])
    adjusted, _ = holm_where_testable([risk.p for risk in risks], least, TEST_LEVEL)
    return [replace(risk, p=float(p)) for risk, p in zip(risks, adjusted, strict=True)]


def _expected_error(answers: Answers, threshold: Threshold, among: NDArray[np.bool_]) -> float:
    """Return the error that is promised, or the one that the confidence admits, if that is more."""
    doubts = 1 - answers.confidence[among]
    return max(threshold.error, float(doubts.mean())) if len(doubts) else 1.0


def _slice_risk(
    answers: Answers, threshold: Threshold, slice_: Slice, among: NDArray[np.bool_]
) -> SliceRisk:
    wrong, n = answers.among(among).effective_counts()
    rows = np.flatnonzero(among & ~answers.right)
    ranked = rows[np.argsort(-answers.confidence[rows], kind="stable")]
    name = RISK.name(error=percent_of(threshold.error))
    expected = _expected_error(answers, threshold, among)
    return SliceRisk(
        slice_,
        threshold,
        measured_share(name, ~answers.right, among, answers.clusters, slice_.condition),
        # P(at least so many wrong), also for numbers that are not whole.
        float(special.betainc(wrong, n - wrong + 1, expected)) if wrong > 0 else 1.0,
        tuple(ranked[:MOST_EVIDENCE].tolist()),
    )


def table_of_shares(
    answers: Answers,
    tested_on: NDArray[np.bool_],
    thresholds: Sequence[Threshold],
    slices: Sequence[Slice],
) -> Table:
    """Return what the thresholds of all rows let through in each slice."""
    rows: list[tuple[Cell, ...]] = []
    for threshold, one in product(thresholds, slices):
        members = one.members & tested_on
        above = answers.confidence >= threshold.confidence
        of = {"error": percent_of(threshold.error)}
        measures = (
            measured_share(name, hits, among, answers.clusters, one.condition)
            for name, hits, among in (
                (LET_THROUGH.name(**of), above, members),
                (RISK.name(**of), ~answers.right, members & above),
            )
        )
        rows.append((of["error"], one.condition, int(members.sum()), *measures))
    return Table(
        title="Slices at each threshold",
        columns=("at most wrong", "slice", "rows", "let through", "wrong among those"),
        rows=tuple(rows[:MOST_LISTED]),
        note=Sentence(
            "{shown} of {n} {n:row|rows}. Measured on the half of the table that certified the "
            "thresholds. The promised error is that of all rows together; a slice may have more.",
            shown=min(len(rows), MOST_LISTED),
            n=len(rows),
        ),
    )


def findings_of(section: str, risks: Sequence[SliceRisk], sample: LabelledRows) -> list[Finding]:
    """Return a finding for each column in a slice of which a promise is certainly broken."""
    by_column: dict[str, list[SliceRisk]] = {}
    for risk in sorted(risks, key=lambda risk: (-risk.excess, risk.slice.condition)):
        if risk.is_broken:
            by_column.setdefault(risk.slice.column, []).append(risk)
    return [_finding(section, broken, sample) for broken in by_column.values()]


def _finding(section: str, broken_risks: Sequence[SliceRisk], sample: LabelledRows) -> Finding:
    worst = broken_risks[0]
    conditions = sorted({risk.slice.condition for risk in broken_risks})
    return Finding(
        code="selective.slice",
        subject=", ".join(conditions),
        claim=Sentence(
            "The model is sure of wrong answers on {texts}. On the other texts, at most "
            "{error:percent} of the answers with a confidence of at least {confidence:.9g} are "
            "wrong; there it is {risk} of {risk.n}.",
            texts=worst.slice.in_words,
            confidence=worst.threshold.confidence,
            error=worst.threshold.error,
            risk=worst.risk,
        ),
        severity="critical" if (worst.risk.lower or 0) > 1 / 2 else "major",
        size=worst.excess,
        measure=worst.risk,
        members=_members(broken_risks) if broken_risks[1:] else None,
        evidence=(
            section,
            *(sample.instances[row].id for row in worst.wrong_rows if row < len(sample.rows)),
        ),
        suggestion="Do not let the model decide alone there, whatever its confidence is. Send "
        "these texts to a person, or calibrate the model on labelled texts of this kind.",
    )


def _members(broken_risks: Sequence[SliceRisk]) -> Table:
    columns = ("slice", "at most wrong elsewhere", "confidence at least", "wrong", "adjusted p")
    return Table(
        title="Where confident answers are wrong",
        columns=columns,
        rows=tuple(
            (
                risk.slice.condition,
                percent_of(risk.threshold.error),
                Sentence("{confidence:.9g}", confidence=risk.threshold.confidence),
                risk.risk,
                risk.p,
            )
            for risk in broken_risks
        ),
    )
