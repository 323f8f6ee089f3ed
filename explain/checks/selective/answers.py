"""Answers by their confidence: what is wrong among the most confident ones."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from explain.checks.base.labelled_rows import LabelledRows
from explain.checks.selective.metrics import AURC, ERROR_AUROC
from explain.record import Measure
from explain.statistics.bootstrap import infinitesimal_jackknife
from explain.statistics.intervals import effective_size
from explain.statistics.ranks import roc_area

__all__ = ["FEWEST_OF_EACH", "Answers"]

DIGITS = 9
"""Digits of a confidence that count."""

NO_ANSWER = -1.0
"""Confidence of a row without an answer: it is let through last."""

FEWEST_OF_EACH = 15
"""Right and wrong answers below which no interval of AUROC or AURC holds: with about ten errors
those of AURC held the true value in 93 of 100 simulated tables."""


@dataclass(frozen=True)
class Answers:
    """Answers with their confidence; rows that got none are wrong, and least confident.

    Attributes
    ----------
    confidence : array, shape (n_rows,), float64
        Probability of what is answered; of several labels the product of their probabilities.
    right : array, shape (n_rows,), bool
        Whether the whole answer is right.
    clusters : array, shape (n_rows,), int64, or None
        Which rows belong together, counted from zero; None if each stands alone.
    """

    confidence: NDArray[np.float64]
    right: NDArray[np.bool_]
    clusters: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, sample: LabelledRows) -> "Answers":
        """Return the answers to the labelled rows."""
        context, given = sample.context, sample.predicted[: len(sample.rows)]
        if context.model.task == "multi_label":
            probabilities = context.probabilities[sample.rows]
            confidence = np.where(given, probabilities, 1 - probabilities).prod(axis=1)
            right = (sample.predicted == sample.truth).all(axis=1)
            right[len(sample.rows) :] = False
        else:
            confidence, right = context.confidence[sample.rows], sample.right
        missing = np.full(len(sample.unanswered), NO_ANSWER)
        return cls(np.concatenate([confidence.round(DIGITS), missing]), right, sample.clusters)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.right)

    @property
    def has_answer(self) -> NDArray[np.bool_]:
        """Which rows got an answer."""
        return self.confidence > NO_ANSWER

    def among(self, members: NDArray[np.bool_]) -> "Answers":
        """Return the answers to some of the rows."""
        clusters = (
            None
            if self.clusters is None
            else np.unique(self.clusters[members], return_inverse=True)[1]
        )
        return Answers(self.confidence[members], self.right[members], clusters)

    @cached_property
    def is_ranked(self) -> bool:
        """Whether there are right and wrong answers enough to compare them."""
        right = self.right[self.has_answer]
        return bool(min(right.sum(), (~right).sum()) >= FEWEST_OF_EACH)

    def aurc(self) -> Measure:
        """Return the mean error of the k most confident rows, over k from 1 to n.

        The area under the risk-coverage curve (El-Yaniv and Wiener 2010). Rows of equal confidence
        come in random order, of which it is the expectation.
        """
        n = len(self)
        levels, level, size = np.unique(-self.confidence, return_inverse=True, return_counts=True)
        # A wrong row of rank r adds 1/k to the error of the k most confident, for k = r to n.
        from_rank = np.cumsum(1 / np.arange(n, 0, -1))[::-1] / n
        ends = np.cumsum(size)
        sums = np.concatenate([[0.0], np.cumsum(from_rank)])
        weight = ((sums[ends] - sums[ends - size]) / size)[level]
        wrong = (~self.right).astype(np.float64)
        value = float(weight @ wrong)
        # A row more pushes all that are less confident down by one rank.
        errors = np.bincount(level, weights=wrong, minlength=len(levels))
        pushed = np.cumsum((errors / ends)[::-1])[::-1]
        influence = weight * wrong - value / n + (wrong.mean() - pushed[level]) / n
        if not self.is_ranked:
            return Measure(name=AURC.title, value=value, n=n, unit="coefficient")
        return infinitesimal_jackknife(
            AURC.title, value, influence, "coefficient", clusters=self.clusters
        )

    def auroc(self) -> Measure:
        """Return how often a right answer is more confident than a wrong one, ties counting half.

        It has no interval where there are few of either.
        """
        ranked = self.among(self.has_answer)
        n = len(ranked)
        if ranked.right.all() or not ranked.right.any():
            return Measure(name=ERROR_AUROC.title, value=None, n=n, unit="coefficient")
        value, influence = roc_area(ranked.right, ranked.confidence)
        if not self.is_ranked:
            return Measure(name=ERROR_AUROC.title, value=value, n=n, unit="coefficient")
        return infinitesimal_jackknife(
            ERROR_AUROC.title, value, influence, "coefficient", clusters=ranked.clusters
        )

    def implied_auroc(self) -> float:
        """Return the same of a model whose answers are right as often as their confidence says."""
        p = np.sort(self.confidence[self.has_answer])
        levels, size = np.unique(p, return_counts=True)
        right, wrong = levels * size, (1 - levels) * size
        below = np.cumsum(wrong) - wrong / 2
        pairs = right.sum() * wrong.sum()
        return float(right @ below / pairs) if pairs > 0 else 0.5

    def effective_counts(self) -> tuple[float, float]:
        """Return wrong answers and answers, as many independent ones as would vary as much.

        Of clusters they need not be whole numbers (Korn and Graubard 1998).
        """
        n, wrong = len(self), ~self.right
        if self.clusters is None or not n:
            return float(wrong.sum()), float(n)
        effective = effective_size(wrong, self.clusters)
        return float(wrong.mean()) * effective, effective
