"""Grades: how far the explanations of a method, and each of them, can be relied on.

Nothing is judged by an estimate: a metric passes, or is flagged, where its whole interval lies on
one side of what is asked for. Otherwise it is not resolved, which is an answer of its own.

D: something fatal is certain: the method misses a single planted word or gets known values wrong,
its ranking does no better than random ones, or it did not converge. C at best: most of its
explanations are flagged, or its stated errors are too small on known values. Otherwise each flag
costs one grade, down to C. What is needed and was not measured, is not stated or cannot be told
keeps from A. Nothing else costs anything, but all of it is said. An attribution is graded no better
than its method.
"""

from collections import Counter
from collections.abc import Sequence

from explain.attribution.methods import Explainer
from explain.evaluation.flags import (
    FEWEST_COMPARED,
    LEAST_SPREAD,
    Answer,
    Flag,
    MetricResult,
    answer_if,
    at_least,
    at_most,
    better_than_random,
)
from explain.evaluation.planted_rules import Kind
from explain.evaluation.positive_control import LEAST_RECALL, Recall
from explain.record import Attribution, Grade, Measure, MethodTrust, Sentence, without_full_stop
from explain.statistics.intervals import proportion

__all__ = [
    "KIND_NAMES",
    "faithfulness_flag",
    "grade",
    "graded",
    "method_trust",
    "recall_flag",
    "self_reported_flags",
    "shared_results",
]

MOST_GAP = 0.05
MOST_ERROR = 0.1
LEAST_R2 = 0.5

MOST_AT_CAP = 0.1
"""Share of the texts whose log-odds a model's rounding may hide."""

ENOUGH_RECALL = 0.75
"""Lower end of the interval of 19 of 20: with so few texts no more can be asked for."""

MOST_FLAGGED = 0.5
"""Share of the explanations of a method that may be flagged."""

_LIMITS = {
    "completeness": Sentence("gap at most {limit:percent}", limit=MOST_GAP),
    "convergence": "it converged",
    "standard errors": Sentence(
        "largest at most {limit:percent} of the largest value", limit=MOST_ERROR
    ),
    "held-out R²": Sentence("at least {limit}", limit=LEAST_R2),
    "rounding": Sentence("at most {limit:percent} of the texts at the cap", limit=MOST_AT_CAP),
}
"""The bar of each of `self_reported_flags`, in a reader's words."""

_GRADES: tuple[Grade, ...] = ("A", "B", "C", "D")

KIND_NAMES: dict[Kind, str] = {
    "token": "planted word",
    "context": "planted pair",
    "order": "planted ordered pair",
}
"""The kinds of planted rules, in a reader's words."""


def grade(flags: Sequence[Flag]) -> tuple[Grade, tuple[str, ...]]:
    """Return the grade and the sentences of all flags that did not pass, the worst first.

    Examples
    --------
    >>> grade([Flag("completeness", "flagged", "The gap is 9 %, the limit 5 %.")])
    ('B', ('The gap is 9 %, the limit 5 %.',))
    """
    flagged = [flag for flag in flags if flag.answer == "flagged"]
    unknown = [flag for flag in flags if flag.answer not in ("passed", "flagged")]
    level = 2 if any(flag.severe for flag in flagged) else min(len(flagged), 2)
    if any(flag.is_needed for flag in unknown):
        level = max(level, 1)
    if any(flag.fatal for flag in flagged):
        level = 3
    ranked = [
        *sorted(flagged, key=lambda flag: (not flag.fatal, not flag.severe)),
        *sorted(unknown, key=lambda flag: not flag.is_needed),
    ]
    reasons = filter(None, (flag.full_sentence for flag in ranked))
    return _GRADES[level], tuple(dict.fromkeys(reasons))


def method_trust(
    method: Explainer, flags: Sequence[Flag], measures: Sequence[Measure]
) -> MethodTrust:
    """Return what a record says of a method."""
    found, reasons = grade(flags)
    return MethodTrust(
        method=method.name,
        title=method.title,
        grade=found,
        reasons=reasons,
        measures=tuple(measures),
    )


def graded(
    attribution: Attribution,
    trust: MethodTrust,
    *,
    flags: Sequence[Flag] = (),
    quality: Sequence[Measure] = (),
) -> Attribution:
    """Return the attribution with its grade, which is never better than that of its method.

    Parameters
    ----------
    attribution : Attribution
        The attribution.
    trust : MethodTrust
        What was found of its method.
    flags : sequence of Flag
        What metrics say of it beyond what it says of itself, see `self_reported_flags`.
    quality : sequence of Measure
        What they measured.
    """
    own, reasons = grade([*self_reported_flags(attribution), *flags])
    if own < trust.grade:
        own = trust.grade
        of_method = Sentence(
            "{method} has grade {grade} on this model; none of its explanations gets a better one.",
            method=trust.title,
            grade=own,
        )
        reasons = (of_method, *reasons)
    return attribution.model_copy(
        update={"grade": own, "reasons": reasons, "quality": (*attribution.quality, *quality)}
    )


def self_reported_flags(attribution: Attribution) -> list[Flag]:
    """Return what an attribution says of itself: gap, error, fit, convergence.

    The gap is relative to |v(N) - v(empty)|, or to the largest absolute value where that is larger;
    only methods that promise none are asked for it. A method states its error by standard errors,
    by a test of convergence, or by being exact.
    """
    flags = (report(attribution) for report in _SELF_REPORTS)
    return [flag for flag in flags if flag is not None]


def _completeness(attribution: Attribution) -> Flag | None:
    if not attribution.efficient:
        return None
    gap = _gap(attribution)
    sentence = Sentence(
        "The values do not add up to the change of the score: {gap:percent} is missing, and the "
        "limit is {limit:percent}.",
        gap=gap,
        limit=MOST_GAP,
    )
    return Flag("completeness", answer_if(gap > MOST_GAP), sentence)


def _convergence(attribution: Attribution) -> Flag | None:
    if (converged := attribution.diagnostics.converged) is None:
        return None
    failed = answer_if(not converged)
    return Flag("convergence", failed, "It did not converge.", fatal=True, is_needed=True)


def _stated_errors(attribution: Attribution) -> Flag | None:
    name = "standard errors"
    if (error := _error(attribution)) is not None:
        stated = Sentence(
            "The largest standard error is {error:percent} of the largest value; the limit is "
            "{limit:percent}.",
            error=error,
            limit=MOST_ERROR,
        )
        return Flag(name, answer_if(error > MOST_ERROR), stated, is_needed=True)
    if attribution.diagnostics.converged is not None:
        return None
    missing = Sentence(
        "{method} does not state the errors of its values.", method=attribution.method_title
    )
    return Flag(name, "not measured", missing, is_needed=True)


def _fit(attribution: Attribution) -> Flag | None:
    if (fit := attribution.diagnostics.held_out_r2) is None:
        return None
    return Flag(
        "held-out R²", answer_if(fit < LEAST_R2), _fit_sentence(attribution.method_title, fit)
    )


def _fit_sentence(method: str, fit: float) -> str:
    if fit <= 0:
        return Sentence(
            "The linear model of {method} does not predict the score of changed texts at all "
            "(R² {fit:.2f}; at least {limit} is required). Do not use it for this text.",
            method=method,
            fit=fit,
            limit=LEAST_R2,
        )
    return Sentence(
        "The linear model of {method} predicts {fit:percent} of the variance of the score on "
        "changed texts that it was not fitted to; at least {limit:percent} is required.",
        method=method,
        fit=fit,
        limit=LEAST_R2,
    )


def _rounding(attribution: Attribution) -> Flag | None:
    at_cap = attribution.diagnostics.at_cap
    if at_cap is None:
        return None
    share = at_cap / attribution.evaluations
    sentence = Sentence(
        "The model rounds its probabilities to {decimals} decimals. That hides the log-odds of "
        "{share:percent} of the texts; the limit is {limit:percent}.",
        decimals=attribution.target.decimals,
        share=share,
        limit=MOST_AT_CAP,
    )
    return Flag("rounding", answer_if(share > MOST_AT_CAP), sentence, severe=True)


_SELF_REPORTS = (_completeness, _convergence, _stated_errors, _fit, _rounding)
"""What an attribution can say of itself; the bar of each is in `_LIMITS`."""


def shared_results(attributions: Sequence[Attribution]) -> list[MetricResult]:
    """Return what the attributions of one method say of it: how many are flagged, and by what."""
    own = [self_reported_flags(attribution) for attribution in attributions]
    results = []
    for name in dict.fromkeys(flag.name for flags in own for flag in flags):
        same = [flag for flags in own for flag in flags if flag.name == name]
        known = [flag.answer == "flagged" for flag in same if flag.answer != "not measured"]
        first, title = same[0], Sentence("explanations flagged: {metric}", metric=name)
        if not known:
            results.append(MetricResult(title, None, None, first))
            continue
        share = proportion(title, sum(known), len(known))
        sentence = Sentence(
            "{flagged} of {n} {n:explanation|explanations} {flagged:misses|miss} the limit for "
            "{metric}; at most half may.",
            flagged=sum(known),
            n=len(known),
            metric=name,
        )
        results.append(
            MetricResult(
                title,
                share,
                Sentence("each: {limit}; of all: at most half", limit=_LIMITS[name]),
                Flag(
                    name,
                    at_most(share, MOST_FLAGGED),
                    sentence,
                    fatal=first.fatal,
                    is_needed=first.is_needed,
                ),
            )
        )
    return [*results, *_flagged_at_all(own)]


def _flagged_at_all(flags_of_each: Sequence[Sequence[Flag]]) -> list[MetricResult]:
    """Return how many explanations are flagged by whatever it is."""
    flagged = sum(any(flag.answer == "flagged" for flag in flags) for flags in flags_of_each)
    if not flagged:
        return []
    title = "explanations flagged by anything"
    share = proportion(title, flagged, len(flags_of_each))
    counts = Counter(f.name for flags in flags_of_each for f in flags if f.answer == "flagged")
    is_said_already = flagged == max(counts.values())
    sentence = Sentence(
        "{flagged} of {n} {n:explanation|explanations} {flagged:misses|miss} at least one "
        "limit; at most half may.",
        flagged=flagged,
        n=len(flags_of_each),
    )
    answer = at_most(share, MOST_FLAGGED)
    flag = Flag("flagged", answer, "" if is_said_already else sentence, severe=True)
    return [MetricResult(title, share, "at most half", flag)]


def recall_flag(recall: Recall) -> Flag:
    """Return what the positive control says of a method; a single word that it misses is fatal."""
    rule = KIND_NAMES[recall.kind]
    name = Sentence("positive control, {rule}", rule=rule)
    if recall.reason is not None:
        sentence = Sentence(
            "We could not measure whether it finds the {rule}: {reason}.",
            rule=rule,
            reason=without_full_stop(recall.reason),
        )
        answer: Answer = "not measured"
    else:
        sentence = Sentence(
            "It put the {rule} first in {hits} of {n} {n:text|texts}; at least {limit:percent} is "
            "required.",
            rule=rule,
            hits=recall.hits,
            n=recall.n,
            limit=LEAST_RECALL,
        )
        share = proportion(name, recall.hits, recall.n)
        answer = at_least(share, LEAST_RECALL, ENOUGH_RECALL)
    return Flag(
        name,
        answer,
        sentence,
        fatal=recall.kind == "token",
        is_needed=recall.kind == "token",
    )


def faithfulness_flag(measure: Measure | None, spread: float, subject: str, *, fatal: bool) -> Flag:
    """Return what comprehensiveness minus that of random rankings says of a method or attribution.

    Parameters
    ----------
    measure : Measure or None
        The difference with its interval; None if it was not measured.
    spread : float
        Standard deviation between random rankings; a gain of less than half of it is none.
    subject : str
        Whose ranking it is, in the middle of a sentence: ``this ranking``.
    fatal : bool
        Whether no gain over random means D: so for a method, not for one attribution.
    """
    name = "comprehensiveness"
    if measure is None or measure.value is None:
        sentence = Sentence(
            "We could not measure whether {subject} is better than random ones.", subject=subject
        )
        return Flag(name, "not measured", sentence, fatal, is_needed=True)
    answer = better_than_random(measure, LEAST_SPREAD * spread)
    return Flag(
        name,
        answer,
        _gain_sentence(measure, subject),
        fatal,
        is_needed=True,
        fewest=FEWEST_COMPARED,
    )


def _gain_sentence(gain: Measure, subject: str) -> str:
    if gain.lower is None:
        return Sentence(
            "Removing the top features of {subject} moves the score by {gain.value:+.2f} more "
            "than removing random ones ({gain.n} compared).",
            subject=subject,
            gain=gain,
        )
    return Sentence(
        "Removing the top features of {subject} moves the score by {gain.value:+.2f} more than "
        "removing random ones (95 % interval {gain.lower:+.2f} to {gain.upper:+.2f}, {gain.n} "
        "compared).",
        subject=subject,
        gain=gain,
    )


def _gap(attribution: Attribution) -> float:
    total = abs(attribution.full_value - attribution.empty_value)
    largest = max([total, *map(abs, attribution.values)])
    return abs(attribution.completeness_gap) / largest if largest else 0.0


def _error(attribution: Attribution) -> float | None:
    """Return the largest standard error over the largest absolute value; None if not stated."""
    errors = attribution.standard_errors
    if errors is None:
        return 0.0 if attribution.diagnostics.ended_by == "exact" else None
    worst = max(errors, default=0.0)
    largest = max(map(abs, attribution.values), default=0.0)
    if not largest:
        return float("inf") if worst else 0.0
    return worst / largest
