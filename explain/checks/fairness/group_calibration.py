"""How much too sure of itself the model is on each group."""

import warnings
from collections.abc import Sequence
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
    not_favoured = labelled & ~outcomes.is_favoured
    excess = confidence - ~outcomes.is_wrong
    gaps: dict[int, Measure] = {}
    claims = []
    for g in groups.listed_groups:
        sides = groups.sides(g)
        of_group, of_rest = (excess[labelled & side] for side in sides)
        gaps[g] = mean(CALIBRATION_GAP.title, of_group.tolist(), "coefficient", groups.condition(g))
        less_favoured = [excess[not_favoured & side] for side in sides]
        if min(map(len, less_favoured)) >= FEWEST_FOR_MEANS:
            tests = [_welch(of_group, of_rest), _welch(*less_favoured)]
            claims.append(_claim(sides[0], gaps[g], of_rest, tests))
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


def _welch(of_group: NDArray[np.float64], of_rest: NDArray[np.float64]) -> tuple[float, float]:
    """Return Welch's one-sided p-value, and the lower end of the interval of the difference."""
    with warnings.catch_warnings():
        # It warns of values that are nearly all the same, as of a constant model.
        warnings.simplefilter("ignore", RuntimeWarning)
        test = stats.ttest_ind(of_group, of_rest, equal_var=False, alternative="greater")
        lower = float(test.confidence_interval(CONFIDENCE).low)
    return float(np.nan_to_num(test.pvalue, nan=1.0)), lower


def _claim(
    members: NDArray[np.bool_],
    gap: Measure,
    of_rest: NDArray[np.float64],
    tests: Sequence[tuple[float, float]],
) -> Overconfidence:
    """Return the claim; it must hold in each test, so also without who is wrongly favoured."""
    return Overconfidence(
        members,
        max(p for p, _ in tests),
        all(lower > LARGE_CALIBRATION_GAP for _, lower in tests),
        Finding(
            code="fairness.over_confident",
            subject=gap.slice,
            claim=Sentence(
                "The model is more over-confident on texts with {group} than on other texts: its "
                "confidence minus its accuracy is {gap:points} ({gap.n} {gap.n:text|texts}), and "
                "{rest:points} on the others ({n_rest} {n_rest:text|texts}).",
                group=gap.slice,
                gap=gap,
                rest=float(of_rest.mean()),
                n_rest=len(of_rest),
            ),
            severity="major",
            size=gap.distance_from(float(of_rest.mean())),
            measure=gap,
            evidence=("fairness",),
            suggestion="Do not compare the probabilities of all groups with one threshold. "
            "Calibrate each group separately.",
        ),
    )
