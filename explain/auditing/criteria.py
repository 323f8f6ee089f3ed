"""Acceptance criteria: frozen and hashed before anything is scored, judged by intervals after.

A verdict never rests on a point estimate. A criterion *passes* where the whole 95 % interval lies
on the accepted side of its threshold, *fails* where the whole interval lies on the other side, and
is *inconclusive* in between, with too few instances, without an interval, or where nothing was
measured. Because each gating criterion is one more chance of a wrong verdict, their p-values are
adjusted for their number (Holm 1979): a gating criterion passes or fails only where its adjusted
p-value is at most .05. All criteria that were frozen as gating count, measured or not. What a row
without an answer cannot be counted in does not pass either where many rows have none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import erfc, inf, sqrt

from explain.checks import CHECKS, Check
from explain.checks.base.guarded import MOST_LOST
from explain.checks.unanswered import UNANSWERED
from explain.errors import ConfigurationError, nearest
from explain.record import (
    Z95,
    Criterion,
    FrozenCriteria,
    JudgedCriterion,
    Measure,
    MetricSpec,
    Section,
    Sentence,
    Verdict,
    join_sentences,
)
from explain.statistics.adjustments import holm
from explain.statistics.power import rows_to_settle

__all__ = ["Criterion", "FrozenCriteria", "check_metrics", "judge"]

MIXED = ("endpoint.model-changed", "endpoint.drift")
"""Findings after which no number is one model's, so that no criterion can be judged."""

ALPHA = 0.05
"""Chance that any of the gating verdicts is wrong; a 95 % interval is its other side."""


def check_metrics(criteria: Sequence[Criterion], checks: Sequence[Check]) -> None:
    """Check that each criterion asks for what a chosen check measures, and can be missed.

    Raises
    ------
    ConfigurationError
        If there is no such metric, its check was not chosen, or the threshold is out of range.
    """
    chosen = [metric for check in checks for metric in check.metrics]
    for criterion in criteria:
        metric = next((metric for metric in chosen if metric.id == criterion.metric), None)
        if metric is None:
            raise ConfigurationError(_unknown(criterion.metric, chosen))
        if set(criterion.of) != set(metric.fields):
            raise ConfigurationError(_unlike(criterion, metric))
        _check_threshold(criterion, metric)


def _unknown(name: str, metrics: Sequence[MetricSpec]) -> str:
    for check in CHECKS.values():
        if any(name == metric.id for metric in check.metrics):
            return (
                f"the criterion {name!r} needs the check {check.id!r}, which is not chosen; "
                "choose it, or leave the criterion out"
            )
    if not metrics:
        return f"no chosen check measures the metric {name!r} of a criterion, nor any other"
    titled = next((metric.id for metric in metrics if metric.title == name), None)
    hint = f"write {titled!r}" if titled else nearest(name, [metric.id for metric in metrics])
    return f"no chosen check measures the metric {name!r} of a criterion; {hint}"


def _unlike(criterion: Criterion, metric: MetricSpec) -> str:
    wanted = ", ".join(f'{field} = "..."' for field in metric.fields)
    stated = ", ".join(criterion.of) or "nothing"
    say = f"write of = {{ {wanted} }}" if wanted else "leave it out"
    return f"the criterion {criterion.metric!r} says in `of` {stated}; {say}"


def _check_threshold(criterion: Criterion, metric: MetricSpec) -> None:
    low = -inf if metric.low is None else metric.low
    high = inf if metric.high is None else metric.high
    stated = f"{criterion.comparator} = {criterion.threshold:g}"
    if not low <= criterion.threshold <= high:
        raise ConfigurationError(
            f"the criterion {criterion.metric!r} asks for {stated}, which is out of range; "
            f"it lies between {low:g} and {high:g}"
        )
    if low == criterion.at_least or high == criterion.at_most:
        raise ConfigurationError(
            f"the criterion {criterion.metric!r} asks for {stated}, which any model meets; "
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
        All that was measured. A criterion finds its measure by the id of its metric and by slice.
    checks : sequence of Check
        The checks that ran.
    """
    metrics = {metric.id: metric for check in checks for metric in check.metrics}
    found = [_evidence(criterion, metrics[criterion.metric], sections) for criterion in criteria]
    gating = [number for number, criterion in enumerate(criteria) if criterion.gating]
    p_values = [found[number].p_value for number in gating]
    adjusted = dict(
        zip(gating, holm([1.0 if p is None else p for p in p_values]).tolist(), strict=True)
    )
    judged = tuple(
        _judgement(
            criterion, metrics[criterion.metric], evidence, adjusted.get(number), len(gating)
        )
        for number, (criterion, evidence) in enumerate(zip(criteria, found, strict=True))
    )
    codes = {finding.code for section in sections for finding in section.findings}
    return judged if codes.isdisjoint(MIXED) else tuple(map(_without_verdict, judged))


def _without_verdict(criterion: JudgedCriterion) -> JudgedCriterion:
    reason = "the model changed during the run, so that the numbers are those of two models"
    return criterion.model_copy(update={"verdict": "inconclusive", "reason": reason})


def _judgement(
    criterion: Criterion,
    metric: MetricSpec,
    evidence: _Evidence,
    adjusted: float | None,
    n_gating: int,
) -> JudgedCriterion:
    verdict, reason = evidence.side, evidence.reason
    if verdict != "inconclusive" and adjusted is not None and adjusted > ALPHA:
        verdict = "inconclusive"
        reason = Sentence(
            "{reason}, but no longer once p is adjusted for {n} gating criteria ({adjusted:.2g} "
            "instead of {p_value:.2g}; at most {alpha} is required)",
            reason=reason,
            n=n_gating,
            adjusted=adjusted,
            p_value=evidence.p_value,
            alpha=ALPHA,
        )
        reason = _with_rows_needed(reason, criterion, evidence.measure, ALPHA / n_gating)
    return JudgedCriterion.model_validate(
        {
            **criterion.statement(),
            "title": metric.name(**criterion.of),
            "measure": evidence.measure,
            "section": evidence.section,
            "p_value": evidence.p_value,
            "adjusted_p_value": None if evidence.p_value is None else adjusted,
            "verdict": verdict,
            "reason": reason,
        }
    )


def _evidence(criterion: Criterion, metric: MetricSpec, sections: Sequence[Section]) -> _Evidence:
    for section in sections:
        for measure in section.all_measures():
            if measure.measures(criterion.metric, criterion.slice, criterion.of):
                side, reason = _side(criterion, measure)
                if side == "pass" and (lost := _rows_without_answer(criterion, metric, sections)):
                    return _Evidence("inconclusive", lost, measure, section.id)
                p_value = _p_value(criterion, measure, side)
                return _Evidence(side, reason, measure, section.id, p_value)
    return _Evidence("inconclusive", _missing(criterion, sections))


def _rows_without_answer(
    criterion: Criterion, metric: MetricSpec, sections: Sequence[Section]
) -> str:
    """Return that too many rows are not in a measure for it to pass, empty if they are not."""
    if metric.counts_failures:
        return ""
    shares = [
        measure
        for section in sections
        if section.id == UNANSWERED
        for measure in section.all_measures()
        if measure.slice in ("all", criterion.slice)
    ]
    worst = max(shares, key=lambda share: share.value or 0, default=None)
    if worst is None or (worst.value or 0) <= MOST_LOST:
        return ""
    return Sentence(
        "{share.value:percent} of the rows got no answer and are not in this number", share=worst
    )


def _missing(criterion: Criterion, sections: Sequence[Section]) -> str:
    """Return why there is no such measure."""
    known = [measure for section in sections for measure in section.all_measures()]
    alike = [measure for measure in known if measure.metric == criterion.metric]
    if slices := {measure.slice for measure in alike if measure.of == criterion.of}:
        return _absent("on", criterion.slice, slices)
    check = criterion.metric.partition(".")[0]
    skipped = [
        Sentence("{title}: {reason}", title=section.title, reason=section.skipped)
        for section in sections
        if section.id == check and section.skipped is not None
    ]
    if skipped:
        return join_sentences("not measured.", join_sentences(*skipped, by="; "))
    for field, value in criterion.of.items():
        values = {measure.of.get(field, "") for measure in alike}
        if value not in values:
            return _absent(f"for the {field}", value, values)
    return "not measured on this model and table"


def _absent(where: str, name: str, known_names: set[str]) -> str:
    missing = Sentence("not measured {where} {name:quoted}", where=where, name=name)
    close = get_close_matches(name, sorted(known_names), n=1)
    if not close:
        return missing
    return Sentence("{missing}; did you mean {close:quoted}?", missing=missing, close=close[0])


def _side(criterion: Criterion, measure: Measure) -> tuple[Verdict, str]:
    """Return on which side of the threshold the whole interval lies, and that in words."""
    threshold, minimum = criterion.threshold, criterion.minimum_n
    if measure.value is None:
        return "inconclusive", "undefined: there is no instance to measure it on"
    if minimum is not None and measure.n < minimum:
        return "inconclusive", Sentence(
            "n = {n} is below the minimum of {minimum}", n=measure.n, minimum=minimum
        )
    if measure.lower is None or measure.upper is None:
        return "inconclusive", "it has no interval"
    if criterion.comparator == "at_least":
        accepted, refused = measure.lower >= threshold, measure.upper < threshold
        words: tuple[str, str] = ("at or above", "below")
    else:
        accepted, refused = measure.upper <= threshold, measure.lower > threshold
        words = ("at or below", "above")
    if accepted:
        return "pass", _whole(words[0], threshold)
    if refused:
        return "fail", _whole(words[1], threshold)
    inside = Sentence("{bar} lies inside the 95 % interval", bar=threshold)
    return "inconclusive", _with_rows_needed(inside, criterion, measure, ALPHA)


def _with_rows_needed(
    reason: str, criterion: Criterion, measure: Measure | None, level: float
) -> str:
    """Return a reason with the number of rows that would settle the criterion, if any does."""
    rows = measure and rows_to_settle(measure, criterion.threshold, level)
    if not rows:
        return reason
    return Sentence(
        "{reason}; about {rows} rows would settle it if the estimate stayed the same",
        reason=reason,
        rows=_two_digits(rows),
    )


def _two_digits(rows: int) -> int:
    """Return two digits of a number, rounded up: no estimate of it is more precise."""
    unit = int(10 ** max(0, len(str(rows)) - 2))
    return -(-rows // unit) * unit


def _whole(side: str, threshold: float) -> str:
    return Sentence("the whole 95 % interval lies {side} {bar}", side=side, bar=threshold)


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
