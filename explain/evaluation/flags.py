"""What follows from a metric: it passes or is flagged by its whole interval, never by an estimate.

Between the two the instances are too few to tell, which is an answer of its own.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from explain.record import Measure, Sentence

__all__ = [
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
"""Below that an interval over explanations is too wide to condemn a method."""

LEAST_SPREAD = 0.5
"""Standard deviations between random rankings below which a gain over them is none."""

Answer: TypeAlias = Literal["passed", "flagged", "too few", "not measured"]
"""What follows from a metric; ``too few``: the interval lies on both sides of what is asked for."""

TOO_FEW = "Too few instances to be certain: {what}"
"""What is said of a metric whose interval lies on both sides of its limit."""


@dataclass(frozen=True, slots=True)
class Flag:
    """What one metric says of a method or an attribution.

    Attributes
    ----------
    name : str
        The metric.
    answer : {"passed", "flagged", "too few", "not measured"}
        What follows.
    sentence : str
        Why: what was measured and the bar it was held to, or why it was not measured.
    fatal : bool
        Whether a flag means D whatever else holds.
    severe : bool
        Whether a flag means C at best.
    is_needed : bool
        Whether there can be no A unless it passed or was flagged.
    """

    name: str
    answer: Answer
    sentence: str
    fatal: bool = False
    severe: bool = False
    is_needed: bool = False

    @property
    def full_sentence(self) -> str:
        """The sentence, after the caution that the instances are too few where they are."""
        if self.answer == "too few" and self.sentence:
            return Sentence(TOO_FEW, what=self.sentence)
        return self.sentence


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
    return "passed" if worst >= better * enough else "too few"


def better_than_random(gain: Measure, negligible: float) -> Answer:
    """Return whether a gain over random values is certain, or certainly negligible at most."""
    if gain.value is None:
        return "not measured"
    if gain.lower is None or gain.upper is None or gain.n < FEWEST_COMPARED:
        return "too few"
    if gain.lower > 0:
        return "passed"
    return "flagged" if gain.upper < negligible else "too few"
