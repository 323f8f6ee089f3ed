"""What a model may decide about a text, and claims that its decisions differ between people."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.adapters import Scores
from explain.checks.base import LEVEL, AuditContext
from explain.errors import ConfigurationError, nearest
from explain.record import SEVERITIES, Finding, Measure, Sentence
from explain.statistics.adjustments import benjamini_hochberg
from explain.statistics.comparisons import newcombe

__all__ = [
    "Decision",
    "TestedClaim",
    "adjust_together",
    "decisions",
    "difference",
    "distinct_findings",
    "possible_decisions",
]


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision that may fall more often on some people than on others.

    Attributes
    ----------
    column : int
        Column of the label in the scores.
    label : str
        Its name.
    holds : bool
        Whether the decision is that the label holds, or that it does not.
    value : bool
        Whether the label is the value of a regression, and to hold is to lie above the median.
    """

    column: int
    label: str
    holds: bool = True
    value: bool = False

    @property
    def name(self) -> str:
        """What the decision is called in tables."""
        if self.value:
            return "above the median" if self.holds else "below the median"
        return self.label if self.holds else Sentence("not {label}", label=self.label)

    @property
    def verb(self) -> str:
        """What the model does to a text, in passive voice."""
        if self.value:
            return Sentence("scored {decision}", decision=self.name)
        return Sentence("classified as {decision}", decision=self.name)


@dataclass(frozen=True, slots=True)
class TestedClaim:
    """A difference between people that was tested.

    Attributes
    ----------
    p : float
        Probability of as large a difference where there is none.
    large : bool
        Whether the interval lies beyond what is of practical importance.
    topic : tuple of str
        Claims of one topic say the same; the strongest is kept.
    finding : Finding
        The claim in a sentence.
    least : float
        The smallest p that could have come out: of few rows, or of few hits, it is not small.
    """

    p: float
    large: bool
    topic: tuple[str, ...]
    finding: Finding
    least: float = 0.0


def possible_decisions(context: AuditContext, favourable: str | None) -> tuple[Decision, ...]:
    """Return the decisions to compare: about the favourable label, or else about every label.

    Raises
    ------
    ConfigurationError
        If the model has no such label.
    """
    labels, task = context.model.labels, context.model.task
    if favourable is not None and favourable not in labels:
        raise ConfigurationError(
            f"the model has no label {favourable!r} to be favourable; {nearest(favourable, labels)}"
        )
    columns = [i for i, label in enumerate(labels) if favourable in (None, label)]
    # Of labels that exclude each other, one falls more rarely only where another falls more often.
    both = task != "single_label" or favourable is not None
    return tuple(
        Decision(i, labels[i], holds, task == "regression")
        for i in columns
        for holds in ((True, False) if both else (True,))
    )


def decisions(
    context: AuditContext, scores: Scores, choices: Sequence[Decision]
) -> NDArray[np.float64]:
    """Return which decisions fall on each text, shape (n_texts, n_choices), NaN where it failed.

    A label holds that the model gives. A value holds that is above the median of the table (the
    scoring rate of New York City's Local Law 144).
    """
    columns = [decision.column for decision in choices]
    failed = np.isnan(scores).any(axis=1)
    if context.model.task == "regression":
        hold = (scores > np.median(context.scores, axis=0))[:, columns]
    else:
        hold = context.rule.holds(np.nan_to_num(scores))[:, columns]
    made = np.where(hold == np.array([decision.holds for decision in choices]), 1.0, 0.0)
    made[failed] = np.nan
    return made


def difference(first: Measure, second: Measure, name: str) -> Measure:
    """Return the first share minus the second, with the interval that follows from theirs.

    The square-and-add interval of Newcombe (1998, method 10); of clustered shares it takes the
    intervals of those (Fay and Graubard 2001 reason alike).
    """
    n = first.n + second.n
    ends = (first.value, first.lower, first.upper, second.value, second.lower, second.upper)
    if None in ends:
        return Measure(name=name, value=None, n=n)
    p, p_low, p_high, q, q_low, q_high = (float(end or 0) for end in ends)
    lower, upper = newcombe(p, (p_low, p_high), q, (q_low, q_high))
    return Measure(
        name=name,
        value=p - q,
        lower=lower,
        upper=upper,
        n=n,
        method="Newcombe",
    )


def adjust_together(
    p_values: Sequence[float], least_p_values: Sequence[float]
) -> NDArray[np.float64]:
    """Return p-values adjusted for their number (Benjamini and Hochberg 1995).

    A test that could not reach `LEVEL` whatever the model did says nothing, and is not counted
    (Tarone 1990; Gilbert 2005): a hundred tiny groups cost a large one nothing.
    """
    p, least = np.asarray(p_values, dtype=np.float64), np.asarray(least_p_values)
    return benjamini_hochberg(np.where(least <= LEVEL, p, np.nan))


def distinct_findings(
    claims: Sequence[TestedClaim], adjusted: Sequence[float] | NDArray[np.float64]
) -> tuple[Finding, ...]:
    """Return the findings of the claims that stand up, the most severe first, each topic once."""
    standing = [
        claim for claim, p in zip(claims, adjusted, strict=True) if p <= LEVEL and claim.large
    ]
    standing.sort(key=lambda claim: (SEVERITIES.index(claim.finding.severity), claim.p))
    topics: set[str] = set()
    findings = []
    for claim in standing:
        if not topics.intersection(claim.topic):
            findings.append(claim.finding)
        topics.update(claim.topic)
    return tuple(findings)
