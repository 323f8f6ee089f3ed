"""Grades: how far the explanations of a method, and each of them, can be relied on.

The rules are few. D: something fatal is wrong: the method does not find a single planted word, its
ranking does no better than random ones, or it did not converge. Otherwise A, B or C: each flag
costs one grade, down to C. An error that is not stated keeps from A. What was not measured
costs nothing else, but is said. An attribution is graded no better than its method.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from explain.intervals import proportion
from explain.metrics.positive_control import LEAST_RECALL, Kind, Recall
from explain.record import Attribution, Grade, Measure, MethodTrust
from explain.wording import percent

__all__ = [
    "FEWEST_COMPARED",
    "KIND_NAMES",
    "Reading",
    "Verdict",
    "faithfulness_verdict",
    "grade",
    "graded",
    "method_trust",
    "own_verdicts",
    "recall_verdict",
    "shared_readings",
]

MOST_GAP = 0.05
MOST_ERROR = 0.1
LEAST_R2 = 0.5

_LIMITS = {
    "completeness": f"gap at most {percent(MOST_GAP)}",
    "convergence": "it converged",
    "standard errors": f"largest at most {MOST_ERROR} of the largest value",
    "held-out R²": f"at least {LEAST_R2}",
}
"""The bar of each of `own_verdicts`, in a reader's words."""

FEWEST_COMPARED = 8
"""Below that an interval over explanations is too wide to condemn a method."""

_GRADES: tuple[Grade, ...] = ("A", "B", "C", "D")

KIND_NAMES: dict[Kind, str] = {
    "token": "planted word",
    "context": "planted pair",
    "order": "planted ordered pair",
}
"""The kinds of planted rules, in a reader's words."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one metric says of a method or an attribution.

    Attributes
    ----------
    name : str
        The metric.
    flagged : bool or None
        Whether it failed; None if it was not measured.
    sentence : str
        Why: what was measured and the bar it was held to, or why it was not measured.
    fatal : bool
        Whether a flag means D whatever else holds.
    needed : bool
        Whether without it there can be no A.
    """

    name: str
    flagged: bool | None
    sentence: str
    fatal: bool = False
    needed: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """One number that a metric gives of a method, and what it is held against.

    Attributes
    ----------
    name : str
        What is measured, in a reader's words.
    measure : Measure or None
        The number; None if it was not measured.
    against : Measure or str or None
        What random values reach, or the bar in words.
    verdict : Verdict or None
        What follows for the grade; None for what is only reported.
    """

    name: str
    measure: Measure | None
    against: Measure | str | None
    verdict: Verdict | None


def grade(verdicts: Sequence[Verdict]) -> tuple[Grade, tuple[str, ...]]:
    """Return the grade and the sentences of all verdicts that are no pass, the worst first.

    Examples
    --------
    >>> grade([Verdict("completeness", True, "The gap is 9 %, the limit 5 %.")])
    ('B', ('The gap is 9 %, the limit 5 %.',))
    """
    flags = [v for v in verdicts if v.flagged]
    unknown = [v for v in verdicts if v.flagged is None]
    level = min(len(flags), 2)
    if any(v.needed for v in unknown):
        level = max(level, 1)
    if any(v.fatal for v in flags):
        level = 3
    said = [*sorted(flags, key=lambda v: not v.fatal), *sorted(unknown, key=lambda v: not v.needed)]
    return _GRADES[level], tuple(dict.fromkeys(v.sentence for v in said))


def method_trust(
    method: str, verdicts: Sequence[Verdict], measures: Sequence[Measure]
) -> MethodTrust:
    """Return what a record says of a method."""
    found, reasons = grade(verdicts)
    return MethodTrust(method=method, grade=found, reasons=reasons, measures=tuple(measures))


def graded(
    attribution: Attribution,
    trust: MethodTrust,
    *,
    verdicts: Sequence[Verdict] = (),
    quality: Sequence[Measure] = (),
) -> Attribution:
    """Return the attribution with its grade, which is never better than that of its method.

    Parameters
    ----------
    attribution : Attribution
        The attribution.
    trust : MethodTrust
        What was found of its method.
    verdicts : sequence of Verdict
        What metrics say of it beyond what it says of itself, see `own_verdicts`.
    quality : sequence of Measure
        What they measured.
    """
    own, reasons = grade([*own_verdicts(attribution), *verdicts])
    if own < trust.grade:
        own = trust.grade
        reasons = (f"{attribution.method} has grade {own} on this model.", *reasons)
    return attribution.model_copy(
        update={"grade": own, "reasons": reasons, "quality": (*attribution.quality, *quality)}
    )


def own_verdicts(attribution: Attribution) -> list[Verdict]:
    """Return what an attribution says of itself: gap, error, fit, convergence.

    The gap is relative to |v(N) - v(empty)|, or to the largest absolute value where that is larger;
    only methods that promise none are asked for it. A method states its error by standard errors,
    by a test of convergence, or by being exact.
    """
    verdicts = []
    if attribution.efficient:
        gap = _gap(attribution)
        verdicts.append(
            Verdict(
                "completeness",
                gap > MOST_GAP,
                f"The values miss v(N) - v(empty) by {percent(gap)}; the limit is "
                f"{percent(MOST_GAP)}.",
            )
        )
    if (converged := attribution.diagnostics.get("converged")) is not None:
        verdicts.append(
            Verdict("convergence", not converged, "It did not converge.", fatal=True, needed=True)
        )
    if (error := _error(attribution)) is not None:
        verdicts.append(
            Verdict(
                "standard errors",
                error > MOST_ERROR,
                f"The largest standard error is {error:.2f} of the largest value; "
                f"the limit is {MOST_ERROR}.",
                needed=True,
            )
        )
    elif converged is None:
        verdicts.append(
            Verdict(
                "standard errors",
                None,
                f"{attribution.method} does not state the errors of its values.",
                needed=True,
            )
        )
    if (fit := _held_out_r2(attribution)) is not None:
        verdicts.append(
            Verdict(
                "held-out R²",
                fit < LEAST_R2,
                f"Its linear model explains {fit:.2f} of the variance of texts that it was not "
                f"fitted to; at least {LEAST_R2} is wanted.",
            )
        )
    return verdicts


def shared_readings(attributions: Sequence[Attribution]) -> list[Reading]:
    """Return what the attributions of one method say of it: each flag that most of them have."""
    own = [own_verdicts(attribution) for attribution in attributions]
    shared = []
    for name in dict.fromkeys(v.name for verdicts in own for v in verdicts):
        same = [v for verdicts in own for v in verdicts if v.name == name]
        known = [v.flagged for v in same if v.flagged is not None]
        first, title = same[0], f"explanations flagged: {name}"
        if not known:
            shared.append(Reading(title, None, None, first))
            continue
        sentence = f"{sum(known)} of {len(known)} explanations are flagged: {name}."
        shared.append(
            Reading(
                title,
                proportion(title, sum(known), len(known)),
                f"each: {_LIMITS[name]}; of all: at most half",
                Verdict(name, median(known) > 0.5, sentence, first.fatal, first.needed),
            )
        )
    return shared


def recall_verdict(recall: Recall) -> Verdict:
    """Return what the positive control says of a method; a single word that it misses is fatal."""
    rule = KIND_NAMES[recall.kind]
    if recall.flagged is None:
        sentence = f"Whether it finds the {rule} was not measured: {recall.reason}."
    else:
        sentence = (
            f"It put the {rule} first in {recall.hits} of {recall.n} texts; "
            f"at least {percent(LEAST_RECALL)} is wanted."
        )
    return Verdict(
        f"positive control, {rule}",
        recall.flagged,
        sentence.replace("..", "."),
        fatal=recall.kind == "token",
        needed=recall.kind == "token",
    )


def faithfulness_verdict(measure: Measure | None, subject: str, *, fatal: bool) -> Verdict:
    """Return what comprehensiveness minus that of random rankings says of a method or attribution.

    Parameters
    ----------
    measure : Measure or None
        The difference with its interval; None if it was not measured.
    subject : str
        Whose ranking it is, in the middle of a sentence: ``this ranking``.
    fatal : bool
        Whether no gain over random means D: so for a method, not for one attribution.
    """
    name = "comprehensiveness"
    if measure is None or measure.lower is None:
        sentence = f"Whether {subject} is better than random ones was not measured."
        return Verdict(name, None, sentence, fatal, needed=True)
    if measure.n < FEWEST_COMPARED:
        sentence = (
            f"Whether {subject} is better than random ones was not measured: "
            f"{measure.n} explanations are too few, {FEWEST_COMPARED} are needed."
        )
        return Verdict(name, None, sentence, fatal, needed=True)
    return Verdict(
        name,
        measure.lower <= 0,
        f"Removing the top features of {subject} moves the model by {measure.value:+.2f} more than "
        f"removing random ones; the 95 % interval begins at {measure.lower:+.2f}, not above 0.",
        fatal,
        needed=True,
    )


def _gap(attribution: Attribution) -> float:
    total = abs(attribution.full_value - attribution.empty_value)
    largest = max([total, *map(abs, attribution.values)])
    return abs(attribution.completeness_gap) / largest if largest else 0.0


def _error(attribution: Attribution) -> float | None:
    """Return the largest standard error over the largest absolute value; None if not stated."""
    errors = attribution.standard_errors
    if errors is None:
        return 0.0 if attribution.diagnostics.get("ended_by") == "exact" else None
    worst = max(errors, default=0.0)
    largest = max(map(abs, attribution.values), default=0.0)
    if not largest:
        return float("inf") if worst else 0.0
    return worst / largest


def _held_out_r2(attribution: Attribution) -> float | None:
    fit = attribution.diagnostics.get("held_out_r2")
    return float(fit) if isinstance(fit, int | float) and not isinstance(fit, bool) else None
