"""Which of the numbers beside an answer tells right answers from wrong ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit, logit

from explain.checks.language_model.metrics import NUMBER_AUROC, NUMBER_BRIER
from explain.record import Measure, Sentence, Table
from explain.statistics.intervals import mean

__all__ = [
    "FEWEST",
    "PROBABILITY",
    "SHARE",
    "STATED_CONFIDENCE",
    "AnswerNumber",
    "NumberComparison",
    "numbers_table",
    "of_same_answers",
    "worse_number",
]

FEWEST = 10
"""Right answers, and wrong ones, below which no number is judged."""

MARGIN = 0.05
"""Difference of two AUROCs that does not matter: half of what separates an acceptable from an
excellent one (.7 and .8, Hosmer & Lemeshow 2000)."""

LEVEL = 0.05

PROBABILITY = Sentence("probability of the answer")
SHARE = Sentence("share of the answers to a text")
STATED_CONFIDENCE = Sentence("stated confidence")
"""A confidence that is stated is a margin, an entropy or a product with some models, and no
probability: it has no Brier score."""


@dataclass(frozen=True, slots=True)
class AnswerNumber:
    """A number that stands beside each answer and says how sure the model is.

    Attributes
    ----------
    title : Sentence
        What it is called.
    values : array, shape (n_answers,)
        From 0 to 1; NaN where an answer has none.
    is_right : array, shape (n_answers,), bool
        Whether the answer is right.
    """

    title: Sentence
    values: NDArray[np.float64]
    is_right: NDArray[np.bool_]

    @property
    def places(self) -> NDArray[np.bool_]:
        """Which answers have it, shape (n_answers,)."""
        return np.isfinite(self.values)

    @property
    def can_be_judged(self) -> bool:
        """Whether enough answers that have it are right, and enough are wrong."""
        n_right = int(self.is_right[self.places].sum())
        return min(n_right, int(self.places.sum()) - n_right) >= FEWEST

    @property
    def auroc(self) -> Measure:
        """Chance that of a right and a wrong answer the right one has the higher number.

        Equal numbers count as half. With the interval of DeLong et al. (1988) on the scale of the
        logit, which keeps it within 0 and 1 (Qin & Hotilovac 2008). Where the number separates all
        m pairs of one right and one wrong answer, such a sample has at most the probability
        AUROC^m, which bounds it. No interval where all numbers are equal.
        """
        values, is_right = self.values[self.places], self.is_right[self.places]
        area, error = _mean_and_error(_placements(values, is_right), is_right)
        lower: float | None = None
        upper: float | None = None
        if 0 < area < 1 and error > 0:
            half = stats.norm.ppf(1 - LEVEL / 2) * error / (area * (1 - area))
            lower, upper = (float(expit(logit(area) + end)) for end in (-half, half))
        elif not 0 < area < 1:
            n_pairs = min(is_right.sum(), (~is_right).sum())
            reach = 1 - float((LEVEL / 2) ** (1 / n_pairs))
            lower, upper = max(area - reach, 0.0), min(area + reach, 1.0)
        return Measure(
            name=NUMBER_AUROC.name(number=self.title),
            value=area,
            lower=lower,
            upper=upper,
            n=len(values),
            method="DeLong",
            unit=NUMBER_AUROC.unit,
        )

    @property
    def brier(self) -> Measure | None:
        """Mean square of the number minus 1 for right and 0 for wrong answers (Brier 1950).

        None of a number that is no probability.
        """
        if self.title == STATED_CONFIDENCE:
            return None
        squares = (self.values[self.places] - self.is_right[self.places]) ** 2
        name = NUMBER_BRIER.name(number=self.title)
        return mean(name, squares.tolist(), NUMBER_BRIER.unit, within=(0.0, 1.0))


@dataclass(frozen=True, slots=True)
class NumberComparison:
    """Two numbers of which one tells right answers from wrong ones clearly better."""

    better: AnswerNumber
    worse: AnswerNumber

    @property
    def difference(self) -> float:
        """How far their AUROCs are apart for certain, at least `MARGIN`."""
        difference, error = _difference(self)
        return max(MARGIN, difference - float(stats.norm.ppf(1 - LEVEL / 2)) * error)

    @property
    def p_value(self) -> float:
        """How probable such a difference is if the true one is `MARGIN` at most."""
        difference, error = _difference(self)
        if error <= 0:
            return float(difference <= MARGIN)
        return float(stats.norm.sf((difference - MARGIN) / error))


def worse_number(numbers: Sequence[AnswerNumber]) -> NumberComparison | None:
    """Return the two numbers that differ most for certain; None if no two do.

    Of the same answers, by the paired test of DeLong et al. (1988) against `MARGIN`, with the level
    divided by the number of tests (two for each pair).
    """
    tests = [NumberComparison(*pair) for pair in permutations(numbers, 2)]
    clearest = min(tests, key=lambda comparison: comparison.p_value, default=None)
    if clearest is None or clearest.p_value * len(tests) > LEVEL:
        return None
    return clearest


def of_same_answers(numbers: Sequence[AnswerNumber]) -> list[AnswerNumber]:
    """Return the numbers of those answers that have them all; none if these cannot be judged."""
    if not numbers:
        return []
    shared = np.logical_and.reduce([number.places for number in numbers])
    same = [
        AnswerNumber(number.title, number.values[shared], number.is_right[shared])
        for number in numbers
    ]
    return same if same[0].can_be_judged else []


def numbers_table(numbers: Sequence[AnswerNumber]) -> tuple[Table, ...]:
    """Return how well each number ranks the answers, and how near it is to how often they hold."""
    no_probability = Sentence("not a probability")
    rows = [(number.title, number.auroc, number.brier or no_probability) for number in numbers]
    if not rows:
        return ()
    return (
        Table(
            title="Which number to trust",
            columns=("number", "AUROC of right answers", "Brier score"),
            rows=tuple(rows),
            note="AUROC is the share of pairs of a right and a wrong answer in which the right one "
            "has the higher number; equal numbers count as half. 0.5 is as good as a coin. A Brier "
            "score is 0 for a probability that is always sure and right, and 0.25 for one that is "
            "always 0.5.",
        ),
    )


def _difference(comparison: NumberComparison) -> tuple[float, float]:
    """Return the difference of two AUROCs of the same answers, and its standard error."""
    better, worse = comparison.better, comparison.worse
    placed = [_placements(number.values, number.is_right) for number in (better, worse)]
    return _mean_and_error(placed[0] - placed[1], better.is_right)


def _placements(values: NDArray[np.float64], is_right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return for each right answer the share of wrong ones below it, and the other way round."""
    right, wrong = np.sort(values[is_right]), np.sort(values[~is_right])
    placed = np.empty(len(values))
    placed[is_right] = _share_below(wrong, values[is_right])
    placed[~is_right] = 1 - _share_below(right, values[~is_right])
    return placed


def _share_below(ordered: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of ordered numbers below each value; of equal ones half."""
    sides = [np.searchsorted(ordered, values, side) for side in ("left", "right")]
    return np.asarray((sides[0] + sides[1]) / (2 * len(ordered)))


def _mean_and_error(
    placed: NDArray[np.float64], is_right: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return the mean of placements, which is an area, and its standard error."""
    groups = placed[is_right], placed[~is_right]
    variance = sum(group.var(ddof=1) / len(group) for group in groups)
    return float(groups[0].mean()), float(np.sqrt(variance))
