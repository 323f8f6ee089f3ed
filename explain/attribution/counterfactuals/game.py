"""A text as a game whose value is how surely a label is given."""

import numpy as np
from scipy.special import logit

from explain.adapters import Scores
from explain.adapters.decision_rule import DecisionRule
from explain.attribution.counterfactuals.seen import Leads
from explain.engine.games import MaskedTextGame, Masker, ObservedValues, Values
from explain.record import Target
from explain.text.spans import Segmentation

__all__ = ["DecisionGame", "leads"]

LEAST = 1e-9
"""Lead where the rule decides otherwise than the distance says: ties, and rounding."""


class DecisionGame(MaskedTextGame):
    """The lead of a label in the text that keeps some features.

    Parameters
    ----------
    segmentation, masker, target
        As of `MaskedTextGame`.
    rule : DecisionRule
        How the answer follows from the scores.
    """

    def __init__(
        self, segmentation: Segmentation, masker: Masker, target: Target, rule: DecisionRule
    ) -> None:
        super().__init__(segmentation, masker, target)
        self.rule = rule

    def observe(self, scores: Scores, noise: float | Values = 0.0) -> ObservedValues:
        """Return the lead of the label in each row of scores; its noise is not looked at."""
        return ObservedValues.exactly(leads(scores, self.target.index, self.rule))


def leads(scores: Scores, column: int, rule: DecisionRule) -> Leads:
    """Return how surely a label is given: positive where it is, negative where it is not.

    The size is the distance in log-odds to where the answer changes. The sign is what the rule
    says.

    Parameters
    ----------
    scores : array, shape (n_texts, n_labels)
        What the model says of the texts, on the natural-log scale.
    column : int
        Column of the label.
    rule : DecisionRule
        How the answer follows from the scores.
    """
    shifted = scores.copy()
    for thresholded, threshold in rule.thresholds.items():
        shifted[:, thresholded] -= logit(threshold)
    margin = shifted[:, column]
    if rule.task == "single_label":
        margin = margin - np.delete(shifted, column, axis=1).max(axis=1)
    given = rule.holds(scores)[:, column]
    signed: Leads = np.where(given, np.maximum(margin, LEAST), np.minimum(margin, -LEAST))
    return signed
