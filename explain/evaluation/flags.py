"""What follows from a metric: it passes or is flagged by its whole interval, never by an estimate.

Where the interval holds the limit that is not resolved, and with too few instances there is no
verdict: two answers of their own.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from explain.record import Measure, Sentence

__all__ = [
    "FEWEST_COMPARED",
    "FEWEST_FOR_MEDIAN",
    "LEAST_SPREAD",
    "Answer",
    "Flag",
    "MetricResult",
    "answer_if",
    "at_least",
    "at_most",
    "better_than_random",
]

FEWEST_COMPARED = 8
"""Below that an interval over explanations is too wide to condemn a method, though not to show
that it is better than chance."""

LEAST_SPREAD = 0.5
"""Standard deviations between random rankings below which a gain over them is none."""

FEWEST_FOR_MEDIAN = 6
"""Below that not even all values hold the median between them with probability .95."""

Answer: TypeAlias = Literal["passed", "flagged", "not resolved", "too few", "not measured"]
"""What follows from a metric; ``not resolved``: its interval holds the limit; ``too few``: there is
no interval, or one of fewer instances than a verdict needs."""

NOT_RESOLVED = "Not certain, because the 95 % interval includes the limit: {what}"
TOO_FEW = "Too few instances for a verdict: {what}"
TOO_FEW_OF = "Too few instances for a verdict, which needs at least {fewest}: {what}"
"""What is said of a metric before its sentence, where it neither passes nor is flagged."""


@dataclass(frozen=True, slots=True)
class Flag:
    """What one metric says of a method or an attribution.

    Attributes
    ----------
    name : str
        The metric.
    answer : {"passed", "flagged", "not resolved", "too few", "not measured"}
        What follows.
    sentence : str
        Why: what was measured and the bar it was held to, or why it was not measured.
    fatal : bool
        Whether a flag means D whatever else holds.
    severe : bool
        Whether a flag means C at best.
    is_needed : bool
        Whether there can be no A unless it passed or was flagged.
    fewest : int or None
        Instances that a verdict needs; None where any number of them has an interval.
    """

    name: str
    answer: Answer
    sentence: str
    fatal: bool = False
    severe: bool = False
    is_needed: bool = False
    fewest: int | None = None

    @property
    def full_sentence(self) -> str:
        """The sentence, after the reason for which there is no verdict where there is none."""
        if not self.sentence or self.answer not in ("not resolved", "too few"):
            return self.sentence
        if self.answer == "not resolved":
            return Sentence(NOT_RESOLVED, what=self.sentence)
        if self.fewest is None:
            return Sentence(TOO_FEW, what=self.sentence)
        return Sentence(TOO_FEW_OF, fewest=self.fewest, what=self.sentence)


@dataclass(frozen=True, slots=True)
class MetricResult:
    """One number that a metric gives of a method, and what it is held against.

    Attributes
    ----------
    name : str
        What is measured, in a reader's words.
    measure : Measure or None
        The number; None if it was not measured.
    against : Measure or str or None
        What random values reach, or the bar in words.
    flag : Flag or None
        What follows for the grade; None for what is only reported.
    """

    name: str
    measure: Measure | None
    against: Measure | str | None
    flag: Flag | None


def answer_if(flagged: bool) -> Answer:
    """Return the answer of what is known without an error."""
    return "flagged" if flagged else "passed"


def at_least(measure: Measure | None, bar: float, enough: float | None = None) -> Answer:
    """Return whether a number certainly is what is wanted, or certainly is not.

    Parameters
    ----------
    measure : Measure or None
        The number with its interval.
    bar : float
        It is flagged where all of the interval is below.
    enough : float, optional
        It passes where none of the interval is below; `bar` by default.
    """
    return _answer(measure, 1, bar, bar if enough is None else enough)


def at_most(measure: Measure | None, allowed: float, enough: float | None = None) -> Answer:
    """Return the same of a number that is to be small."""
    return _answer(measure, -1, allowed, allowed if enough is None else enough)


def _answer(measure: Measure | None, better: Literal[1, -1], bar: float, enough: float) -> Answer:
    """Return the answer of a number of which more is better, or less."""
    if measure is None or measure.value is None:
        return "not measured"
    if measure.lower is None or measure.upper is None:
        return "too few"
    worst, best = sorted((better * measure.lower, better * measure.upper))
    if best < better * bar:
        return "flagged"
    return "passed" if worst >= better * enough else "not resolved"


def better_than_random(gain: Measure, negligible: float) -> Answer:
    """Return whether a gain over random values is certain, or certainly negligible at most."""
    if gain.value is None:
        return "not measured"
    if gain.lower is None or gain.upper is None or gain.n < FEWEST_FOR_MEDIAN:
        return "too few"
    if gain.lower > 0:
        return "passed"
    if gain.n < FEWEST_COMPARED:
        return "too few"
    return "flagged" if gain.upper < negligible else "not resolved"
