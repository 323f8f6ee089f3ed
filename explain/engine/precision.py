"""How exactly a model's answers are known: whether it repeats itself, and rounds."""

from dataclasses import dataclass

import numpy as np
from scipy.special import polygamma

from explain.adapters import Scores
from explain.engine.games import Values, target_values
from explain.record import Repeats, Target

__all__ = ["Precision"]

ROUNDING = 5e-5
"""Relative to one and the largest score: what float32 leaves of a score in another batch, with room
for deep networks (1e-5 is what `explain.testing` allows)."""


@dataclass(frozen=True, slots=True)
class Precision:
    """What is known of how exactly a model answers; by default that it does.

    Attributes
    ----------
    answers : tuple of array, shape (n_answers, n_labels), float64
        All scores of each text that was asked again, the first ones first.
    decimals : int or None
        Decimals of its probabilities, if they are rounded.
    by_batch : bool
        Whether nothing but the company of a text changes its answer, so that texts are scored alone
        and then are known exactly.
    is_sampled : bool
        Whether scores are logarithms of counts, which say themselves how far they are known.
    """

    answers: tuple[Scores, ...] = ()
    decimals: int | None = None
    by_batch: bool = False
    is_sampled: bool = False

    def with_decimals(self, target: Target) -> Target:
        """Return the target with what the model shows of it."""
        if self.decimals is None or target.scale == "value":
            return target
        return target.model_copy(update={"decimals": self.decimals})

    def repeats(self, target: Target) -> Repeats | None:
        """Return how far the value of a target changes when nothing does; None if never asked.

        Noise of a probability p is noise over p (1 - p) of its log-odds, so that texts with small
        and with large values are looked at apart, and the noisier half is what is stated.
        """
        if not self.answers:
            return None
        values = [target_values(scores, target) for scores in self.answers]
        allowed = [ROUNDING * max(1.0, float(np.abs(scores).max())) for scores in self.answers]
        differences = sum(
            int((np.abs(answers[1:] - answers[0]) > most).sum())
            for answers, most in zip(values, allowed, strict=True)
        )
        by_size = sorted(values, key=lambda answers: abs(float(answers.mean())))
        half = len(by_size) // 2
        halves = [
            _pooled_variance(half_values)
            for half_values in (by_size[:half], by_size[half:])
            if half_values
        ]
        variance, degrees_of_freedom = max(halves)
        return Repeats(
            texts=len(values),
            answers=sum(len(answers) - 1 for answers in values),
            differences=differences,
            sigma=float(np.sqrt(variance)) if differences and not self.by_batch else 0.0,
            degrees_of_freedom=degrees_of_freedom,
            scored_alone=self.by_batch,
        )

    def sampling_variances(self, scores: Scores, target: Target) -> Values:
        """Return the variance that counts leave of the value of each row, shape (n_texts,).

        Of the log-odds of a probability of posterior Beta(a, b) it is psi'(a) + psi'(b).
        """
        if not self.is_sampled:
            return np.zeros(len(scores))
        counts = np.exp(scores)
        own = counts[:, target.index]
        return np.asarray(polygamma(1, own) + polygamma(1, counts.sum(axis=1) - own))

    def noise(self, target: Target) -> float:
        """Return the variance of a value from answer to answer, in squared units of the target."""
        repeats = self.repeats(target)
        return 0.0 if repeats is None else repeats.sigma**2


def _pooled_variance(values: list[Values]) -> tuple[float, int]:
    """Return the variance within texts, and its degrees of freedom."""
    degrees_of_freedom = sum(len(answers) - 1 for answers in values)
    squares = sum(float(((answers - answers.mean()) ** 2).sum()) for answers in values)
    return squares / degrees_of_freedom, degrees_of_freedom
