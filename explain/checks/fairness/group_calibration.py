"""Accuracy of the groups of a column, and how much too sure of itself the model is on each."""

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from explain.checks.base import AuditContext
from explain.checks.base.decisions import TestedClaim
from explain.checks.base.metrics import ACCURACY
from explain.checks.base.section_part import Part
from explain.checks.fairness.grouped_rows import GroupedRows
from explain.checks.fairness.metrics import CALIBRATION_GAP
from explain.record import Finding, Measure, Sentence, Table
from explain.statistics.bootstrap import CONFIDENCE
from explain.statistics.intervals import mean

__all__ = ["compare_calibration"]

LARGE_CALIBRATION_GAP = 0.1
"""Difference of confidence minus accuracy that matters: a tenth of the scale."""


def compare_calibration(
    groups: GroupedRows, context: AuditContext, grouped: NDArray[np.bool_]
) -> Part:
    """Return accuracy and over-confidence: the mean confidence less the accuracy.

    Parameters
    ----------
    groups : GroupedRows
        The groups.
    context : AuditContext
        The audit.
    grouped : array, shape (n_rows,), bool
        Which rows have a group: first those with an answer, then those without.
    """
    failed = context.unanswered
    has_label = [*(context.labels >= 0), *(row.labels is not None for row in failed)]
    labelled = np.array(has_label, dtype=np.bool_)[grouped]
    no_answer = np.zeros(len(failed))
    right = np.concatenate([context.labels == context.predicted, no_answer])[grouped] == 1
    confidence = np.concatenate([context.confidence, no_answer])[grouped]
    shares, _ = groups.rates(ACCURACY.title, right, labelled)
    labelled &= groups.has_answer
    gaps: dict[int, Measure] = {}
    claims = []
    for g in shares:
        group_gaps, rest_gaps = (
            (confidence - right)[labelled & members]
            for members in (groups.member == g, groups.member != g)
        )
        gaps[g] = mean(
            CALIBRATION_GAP.title, group_gaps.tolist(), "coefficient", groups.condition(g)
        )
        if g in groups.comparable_groups and min(len(group_gaps), len(rest_gaps)) > 1:
            claims.append(_claim(gaps[g], group_gaps, rest_gaps))
    table = Table(
        title=Sentence("Accuracy and calibration, by {column}", column=groups.column),
        columns=(groups.column, "accuracy", "confidence minus accuracy"),
        rows=tuple((groups.names[g], shares[g], gaps[g]) for g in shares),
        note=groups.note(
            "Above zero, the model is over-confident.",
            unanswered="They count as wrong; they have no confidence, and the last column leaves "
            "them out.",
        ),
    )
    return Part(measures=(*shares.values(), *gaps.values()), tables=(table,), claims=tuple(claims))


def _claim(
    gap: Measure, group_gaps: NDArray[np.float64], rest_gaps: NDArray[np.float64]
) -> TestedClaim:
    with warnings.catch_warnings():
        # It warns of values that are nearly all the same, as of a constant model.
        warnings.simplefilter("ignore", RuntimeWarning)
        test = stats.ttest_ind(group_gaps, rest_gaps, equal_var=False, alternative="greater")
        lower = float(test.confidence_interval(CONFIDENCE).low)
    return TestedClaim(
        float(np.nan_to_num(test.pvalue, nan=1.0)),
        lower > LARGE_CALIBRATION_GAP,
        (f"calibration {gap.slice}",),
        Finding(
            code="fairness.over_confident",
            subject=gap.slice,
            claim=Sentence(
                "The model is more over-confident on texts with {group} than on other texts: its "
                "confidence minus its accuracy is {gap:points} ({gap.n} {gap.n:text|texts}), and "
                "{rest:points} on the others ({n_rest} {n_rest:text|texts}).",
                group=gap.slice,
                gap=gap,
                rest=float(rest_gaps.mean()),
                n_rest=len(rest_gaps),
            ),
            severity="major",
            size=gap.distance_from(float(rest_gaps.mean())),
            measure=gap,
            evidence=("fairness",),
            suggestion="Do not compare the probabilities of all groups with one threshold. "
            "Calibrate each group separately.",
        ),
    )
