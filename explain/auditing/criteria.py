"""Acceptance criteria: frozen and hashed before anything is scored, judged by intervals after.

A verdict never rests on a point estimate. A criterion *passes* where the whole 95 % interval lies
on the accepted side of its threshold, *fails* where the whole interval lies on the other side, and
is *inconclusive* in between, with too few instances, without an interval, or where nothing was
measured. Because each gating criterion is one more chance of a wrong verdict, their p-values are
adjusted for their number (Holm 1979): a gating criterion passes or fails only where its adjusted
p-value is at most .05. All criteria that were frozen as gating count, measured or not. What a row
without an answer cannot be counted in does not pass either where many rows have none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from math import erfc, inf, sqrt

from explain.checks import CHECKS, Check
from explain.checks.base.guarded import MOST_LOST
from explain.checks.unanswered import UNANSWERED
from explain.errors import ConfigurationError, nearest
from explain.record import (
    Z95,
    Criterion,
    FrozenCriteria,
    IntervalsFigure,
    JudgedCriterion,
    Measure,
    Section,
    Verdict,
)
from explain.record.wording import percent
from explain.statistics.adjustments import holm

__all__ = ["Criterion", "FrozenCriteria", "check_metrics", "judge"]

ALPHA = 0.05
"""Chance that any of the gating verdicts is wrong; a 95 % interval is its other side."""

_SHARE = (0.0, 1.0)
_DIFFERENCE = (-1.0, 1.0)
_SIZE = (0.0, inf)

RANGES = {
    "AUPRC": _SHARE,
    "AUROC": _SHARE,
    "Brier score": _SHARE,
    "Hamming loss": _SHARE,
    "Matthews correlation": _DIFFERENCE,
    "R2": (-inf, 1.0),
    "Spearman correlation": _DIFFERENCE,
    "accuracy": _SHARE,
    "becomes * by exchanging *": _SHARE,
    "becomes * by inserting *": _SHARE,
    "becomes * by padding": _SHARE,
    "calibration error (debiased)": _SHARE,
    "calibration gap": _DIFFERENCE,
    "change of the predicted probability, *": _DIFFERENCE,
    "confidence minus accuracy": _DIFFERENCE,
    "false-positive rate, *": _SHARE,
    "flip rate, *": _SHARE,
    "flip rate, * swapped": _SHARE,
    "flips, *": _SHARE,
    "impact ratio, *": _SIZE,
    "largest change of a probability, *": _SHARE,
    "log loss": _SIZE,
    "macro-F1": _SHARE,
    "mean absolute error": _SIZE,
    "mean squared error": _SIZE,
    "micro-F1": _SHARE,
    "precision of *": _SHARE,
    "prediction kept without *": _SHARE,
    "rank correlation of length and *": _DIFFERENCE,
    "recall of *": _SHARE,
    "selection rate, *": _SHARE,
    "shortcuts": _SIZE,
    "slope of the scores": (-inf, inf),
    "subset accuracy": _SHARE,
    "suspected label errors": _SHARE,
    "labels that contradict their texts": _SHARE,
    "texts cut at the model's limit": _SHARE,
    "texts that are almost the same as another": _SHARE,
    "texts that are in the training data": _SHARE,
    "texts that are labelled more than once, with conflicting labels": _SHARE,
    "texts that repeat an earlier one exactly": _SHARE,
    "tokens that the model does not know": _SHARE,
    "true-positive rate, *": _SHARE,
}
"""Lowest and highest value of each metric of `explain.checks.CHECKS`, by its name there."""

ANSWERED_ONLY = (
    "AUPRC",
    "AUROC",
    "Brier score",
    "R2",
    "Spearman correlation",
    "calibration error (debiased)",
    "calibration gap",
    "confidence minus accuracy",
    "false-positive rate, *",
    "log loss",
    "mean absolute error",
    "mean squared error",
    "slope of the scores",
)
"""Metrics that leave out the rows without an answer; in all others these are wrong."""


def check_metrics(criteria: Sequence[Criterion], checks: Sequence[Check]) -> None:
    """Check that each criterion asks for what a chosen check measures, and can be missed.

    Raises
    ------
    ConfigurationError
        If there is no such metric, its check was not chosen, or the threshold is out of range.
    """
    known = [metric for check in checks for metric in check.metrics]
    for criterion in criteria:
        name = criterion.metric
        found = [metric for metric in known if fnmatchcase(name, metric)]
        if not found:
            raise ConfigurationError(_unknown(name, known))
        if name in found and "*" in name:
            raise ConfigurationError(
                f"the criterion {name!r} stands for many metrics; write one criterion for each"
            )
        _check_threshold(criterion, *RANGES.get(found[0], (-inf, inf)))


def _unknown(name: str, known: Sequence[str]) -> str:
    for check in CHECKS.values():
        if any(fnmatchcase(name, metric) for metric in check.metrics):
            return (
                f"the criterion {name!r} needs the check {check.id!r}, which is not chosen; "
                "choose it, or leave the criterion out"
            )
    if not known:
        return f"no chosen check measures the metric {name!r} of a criterion, nor any other"
    return f"no chosen check measures the metric {name!r} of a criterion; {nearest(name, known)}"


def _check_threshold(criterion: Criterion, low: float, high: float) -> None:
    asked = f"{criterion.comparator} = {criterion.threshold:g}"
    if not low <= criterion.threshold <= high:
        raise ConfigurationError(
            f"the criterion {criterion.metric!r} asks for {asked}, which is out of range; "
            f"it lies between {low:g} and {high:g}"
        )
    if low == criterion.at_least or high == criterion.at_most:
        raise ConfigurationError(
            f"the criterion {criterion.metric!r} asks for {asked}, which any model meets; "
            f"it lies between {low:g} and {high:g}"
        )


# ── Verdicts ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What one criterion alone would be judged by."""

    side: Verdict
    reason: str
    measure: Measure | None = None
    section: str | None = None
    p_value: float | None = None


def judge(
    criteria: Sequence[Criterion], sections: Sequence[Section], checks: Sequence[Check]
) -> tuple[JudgedCriterion, ...]:
    """Return each criterion with what the run measured and its verdict.

    The p-value of a threshold t is two-sided. For a proportion with Wilson's interval it is that of
    the score test, which the interval inverts: ``z = (p - t) / sqrt(t (1 - t) / n)``. For any other
    interval it is that of a normal estimate whose standard error is the distance from the value to
    the end of the interval on the side of t, divided by 1.96. Where the interval decides, the
    p-value is at most .05 whatever rounding does.

    Parameters
    ----------
    criteria : sequence of Criterion
        As they were frozen.
    sections : sequence of Section
        All that was measured. A criterion finds its measure by name and slice, first in the
        sections of the checks that declare the metric.
    checks : sequence of Check
        The checks that ran.
    """
    found = [_evidence(criterion, sections, checks) for criterion in criteria]
    gating = [number for number, criterion in enumerate(criteria) if criterion.gating]
    p_values = [found[number].p_value for number in gating]
    adjusted = dict(
        zip(gating, holm([1.0 if p is None else p for p in p_values]).tolist(), strict=True)
    )
    return tuple(
        _judged(criterion, evidence, adjusted.get(number), len(gating))
        for number, (criterion, evidence) in enumerate(zip(criteria, found, strict=True))
    )


def _judged(
    criterion: Criterion, found: _Evidence, adjusted: float | None, n_gating: int
) -> JudgedCriterion:
    verdict, reason = found.side, found.reason
    if verdict != "inconclusive" and adjusted is not None and adjusted > ALPHA:
        verdict = "inconclusive"
        reason += (
            f", but no longer with p adjusted for {n_gating} gating criteria "
            f"({adjusted:.2g} instead of {found.p_value:.2g}, more than {ALPHA:g})"
        )
    return JudgedCriterion.model_validate(
        {
            **criterion.stated(),
            "measured": found.measure,
            "section": found.section,
            "p_value": found.p_value,
            "adjusted_p_value": None if found.p_value is None else adjusted,
            "verdict": verdict,
            "reason": reason,
        }
    )


def _evidence(
    criterion: Criterion, sections: Sequence[Section], checks: Sequence[Check]
) -> _Evidence:
    declaring = {c.id for c in checks if any(fnmatchcase(criterion.metric, m) for m in c.metrics)}
    ordered = sorted(sections, key=lambda section: section.id not in declaring)
    known = [(section.id, measure) for section in ordered for measure in _measures(section)]
    wanted = (criterion.metric, criterion.slice)
    for section, measure in known:
        if (measure.name, measure.slice) == wanted:
            side, reason = _side(criterion, measure)
            if side == "pass" and (lost := _lost(criterion, sections)):
                return _Evidence("inconclusive", lost, measure, section)
            return _Evidence(side, reason, measure, section, _p_value(criterion, measure, side))
    skipped = [
        f"{section.title}: {section.skipped}"
        for section in ordered
        if section.id in declaring and section.skipped is not None
    ]
    return _Evidence("inconclusive", _missing(criterion, skipped, [m for _, m in known]))


def _lost(criterion: Criterion, sections: Sequence[Section]) -> str:
    """Return that too many rows are not in a measure for it to pass, empty if they are not."""
    if not any(fnmatchcase(criterion.metric, metric) for metric in ANSWERED_ONLY):
        return ""
    shares = [
        measure
        for section in sections
        if section.id == UNANSWERED
        for measure in _measures(section)
        if measure.slice in ("all", criterion.slice)
    ]
    worst = max(shares, key=lambda share: share.value or 0, default=None)
    if worst is None or (worst.value or 0) <= MOST_LOST:
        return ""
    return f"{percent(worst.value)} of the rows got no answer and are not in this number"


def _missing(criterion: Criterion, skipped: Sequence[str], known: Sequence[Measure]) -> str:
    """Return why there is no such measure."""
    if skipped:
        return f"not measured. {'; '.join(skipped)}"
    slices = {measure.slice for measure in known if measure.name == criterion.metric}
    if slices:
        return f"not measured on {criterion.slice!r}{_closest(criterion.slice, slices)}"
    names = {measure.name for measure in known if measure.slice == criterion.slice}
    return f"not measured on this model and table{_closest(criterion.metric, names)}"


def _closest(name: str, known: set[str]) -> str:
    close = get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _measures(section: Section) -> Iterator[Measure]:
    yield from section.measures
    for table in section.tables:
        for row in table.rows:
            yield from (cell for cell in row if isinstance(cell, Measure))
    for figure in section.figures:
        if isinstance(figure, IntervalsFigure):
            yield from figure.measures


def _side(criterion: Criterion, measure: Measure) -> tuple[Verdict, str]:
    """Return on which side of the threshold the whole interval lies, and that in words."""
    threshold, minimum = criterion.threshold, criterion.minimum_n
    if measure.value is None:
        return "inconclusive", "undefined: there is no instance to measure it on"
    if minimum is not None and measure.n < minimum:
        return "inconclusive", f"n = {measure.n:,} is below the minimum of {minimum:,}"
    if measure.lower is None or measure.upper is None:
        return "inconclusive", "it has no interval"
    whole = "the whole 95 % interval lies"
    if criterion.comparator == "at_least":
        accepted, refused = measure.lower >= threshold, measure.upper < threshold
        words: tuple[str, str] = ("at or above", "below")
    else:
        accepted, refused = measure.upper <= threshold, measure.lower > threshold
        words = ("at or below", "above")
    if accepted:
        return "pass", f"{whole} {words[0]} {threshold:g}"
    if refused:
        return "fail", f"{whole} {words[1]} {threshold:g}"
    return "inconclusive", f"{threshold:g} lies inside the 95 % interval"


def _p_value(criterion: Criterion, measure: Measure, side: Verdict) -> float | None:
    value, lower, upper = measure.value, measure.lower, measure.upper
    if value is None or lower is None or upper is None:
        return None
    if criterion.minimum_n is not None and measure.n < criterion.minimum_n:
        return None
    threshold = criterion.threshold
    if measure.method == "Wilson" and 0 <= threshold <= 1:
        error = sqrt(threshold * (1 - threshold) / measure.n)
    else:
        error = abs(value - (lower if threshold < value else upper)) / Z95
    p = erfc(abs(value - threshold) / error / sqrt(2)) if error else 1.0
    if side == "inconclusive":
        return p
    return min(p, ALPHA) if error else 0.0
