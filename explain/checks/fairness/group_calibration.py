"""How much too sure of itself the model is on each group."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from explain.checks.base import AuditContext
from explain.checks.base.section_part import Part
from explain.checks.fairness.group_outcomes import GroupOutcomes
from explain.checks.fairness.grouped_rows import GroupedRows
from explain.checks.fairness.metrics import CALIBRATION_GAP
from explain.record import Finding, Measure, Sentence, Table
from explain.statistics.bootstrap import CONFIDENCE
from explain.statistics.intervals import mean

__all__ = ["Overconfidence", "compare_calibration"]

LARGE_CALIBRATION_GAP = 0.1
"""Difference of confidence minus accuracy that matters: a tenth of the scale."""

FEWEST_FOR_MEANS = 30
"""Rows from which a mean of differences, which are far from normal, is tested by Welch's t."""


@dataclass(frozen=True, eq=False)
class Overconfidence:
    """A group on which the model may be more over-confident than elsewhere.

    Attributes
    ----------
    members : array, shape (n_rows,), bool
        Which rows are in the group.
    p, least : float
        Welch's one-sided p-value, and the smallest that it could have been.
    is_large : bool
        Whether the whole interval of the difference is beyond `LARGE_CALIBRATION_GAP`.
    finding : Finding
        What is said if it is.
    """

    members: NDArray[np.bool_]
    p: float
    is_large: bool
    finding: Finding
    least: float = 0.0


def compare_calibration(
    groups: GroupedRows, outcomes: GroupOutcomes, context: AuditContext
) -> tuple[Part, list[Overconfidence]]:
    """Return the over-confidence of each group: the mean confidence less the accuracy."""
    confidence = np.concatenate([context.confidence, np.zeros(len(context.unanswered))])
    labelled = outcomes.is_labelled & outcomes.has_answer
    excess = confidence - ~outcomes.is_wrong
    gaps: dict[int, Measure] = {}
    claims = []
    for g in groups.listed_groups:
        inside, rest = groups.sides(g)
        of_group, of_rest = (excess[labelled & side] for side in (inside, rest))
        gaps[g] = mean(CALIBRATION_GAP.title, of_group.tolist(), "coefficient", groups.condition(g))
        if min(len(of_group), len(of_rest)) >= FEWEST_FOR_MEANS:
            claims.append(_claim(inside, gaps[g], of_group, of_rest))
    table = Table(
        title=Sentence("Calibration, by {columns:and}", columns=groups.columns),
        columns=(*groups.columns, "confidence minus accuracy"),
        rows=tuple((*groups.names[g], gaps[g]) for g in gaps),
        note=groups.note(
            Sentence(
                "Above zero, the model is over-confident. Groups of {fewest} rows or more are "
                "tested.",
                fewest=FEWEST_FOR_MEANS,
            ),
            unanswered="They have no confidence and are left out.",
        ),
    )
    return Part(measures=tuple(gaps.values()), tables=(table,)), claims


def _claim(
    members: NDArray[np.bool_],
    gap: Measure,
    group_gaps: NDArray[np.float64],
    rest_gaps: NDArray[np.float64],
) -> Overconfidence:
    with warnings.catch_warnings():
        # It warns of values that are nearly all the same, as of a constant model.
        warnings.simplefilter("ignore", RuntimeWarning)
        test = stats.ttest_ind(group_gaps, rest_gaps, equal_var=False, alternative="greater")
        lower = float(test.confidence_interval(CONFIDENCE).low)
    return Overconfidence(
        members,
        float(np.nan_to_num(test.pvalue, nan=1.0)),
        lower > LARGE_CALIBRATION_GAP,
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
