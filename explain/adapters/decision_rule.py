"""From scores to answers: the most probable label, or what a decision threshold says."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, logsumexp

from explain.adapters.scores import Scores
from explain.errors import ConfigurationError, nearest
from explain.record import ModelDescription, Task

__all__ = ["DecisionRule", "thresholds_of"]

ROUNDING = 1e-9
"""Difference of two probabilities that is rounding: .7 as a logarithm and back is not quite .7."""


@dataclass(frozen=True)
class DecisionRule:
    """How the answer of a model follows from its scores.

    Of labels that exclude each other it is the most probable one; where one of them has a
    threshold, it is that one where its probability reaches the threshold, and otherwise the most
    probable of the others (of two labels that of FixedThresholdClassifier in scikit-learn). Of a
    multi-label model each label is given whose probability reaches its threshold, or is above .5
    where it has none.

    Attributes
    ----------
    task : {"single_label", "multi_label", "regression"}
        How the columns of the scores relate to each other.
    thresholds : mapping of int to float
        For columns of the scores, the probability from which on the label is given.
    """

    task: Task
    thresholds: Mapping[int, float] = field(default_factory=dict)

    @classmethod
    def of(cls, model: ModelDescription) -> "DecisionRule":
        """Return the rule by which a described model decides."""
        return cls(model.task, {model.labels.index(k): p for k, p in model.thresholds.items()})

    def holds(self, scores: Scores) -> NDArray[np.bool_]:
        """Return which labels are given to each text, shape (n_texts, n_labels)."""
        if self.task != "multi_label":
            given: NDArray[np.bool_] = self.answers(scores)[:, None] == np.arange(scores.shape[1])
            return given
        holds = scores > 0
        for column, threshold in self.thresholds.items():
            holds[:, column] = expit(scores[:, column]) >= threshold - ROUNDING
        return holds

    def answers(self, scores: Scores) -> NDArray[np.int64]:
        """Return the column of the one answer to each text, shape (n_texts,).

        Of a multi-label model it is the most probable label, which need not hold.
        """
        if self.task != "single_label" or not self.thresholds:
            return np.asarray(scores.argmax(axis=1))
        ((column, threshold),) = self.thresholds.items()
        reaches = expit(_log_odds(scores, column)) >= threshold - ROUNDING
        others = scores.copy()
        others[:, column] = -np.inf
        return np.where(reaches, column, others.argmax(axis=1))

    def cut(self, column: int, n_labels: int) -> float:
        """Return the log-odds of a label above which it is certainly the answer."""
        if column in self.thresholds:
            return float(logit(self.thresholds[column]))
        if self.task != "single_label" or not self.thresholds:
            return 0.0
        (threshold,) = self.thresholds.values()
        rest = -float(logit(threshold))
        return rest if n_labels == 2 else max(rest, 0.0)

    def leads(self, scores: Scores) -> NDArray[np.float64]:
        """Return how far each answer is from being another one, in log-odds, shape (n_texts,).

        Of a model with one score it is the size of that.
        """
        best = -np.sort(-scores, axis=1)
        if best.shape[1] == 1:
            return np.asarray(np.abs(best[:, 0]))
        if self.task != "single_label" or not self.thresholds:
            return np.asarray(best[:, 0] - best[:, 1])
        ((column, threshold),) = self.thresholds.items()
        distance = _log_odds(scores, column) - logit(threshold)
        others = -np.sort(-np.delete(scores, column, axis=1), axis=1)
        if others.shape[1] == 1:
            return np.asarray(np.abs(distance))
        among_others = others[:, 0] - others[:, 1]
        return np.where(distance < 0, np.minimum(-distance, among_others), distance)


def thresholds_of(
    threshold: float | Mapping[str, float] | None, task: Task, labels: tuple[str, ...]
) -> dict[str, float]:
    """Return the threshold of each label that has one.

    Parameters
    ----------
    threshold : float, mapping of str to float, or None
        The threshold of labels by name; or one number: of the second of two labels that exclude
        each other, as in scikit-learn, or of every label of a multi-label model.
    task : {"single_label", "multi_label", "regression"}
        How the labels relate to each other.
    labels : tuple of str
        Labels of the model.

    Raises
    ------
    ConfigurationError
        If there is no such label, or the model cannot decide by such a threshold.
    """
    if threshold is None:
        return {}
    if task == "regression":
        raise ConfigurationError("a regression states no probabilities; leave threshold out")
    if not isinstance(threshold, Mapping):
        if task == "single_label" and len(labels) != 2:
            raise ConfigurationError(
                f"threshold={threshold:g} is that of one label, and the model has {len(labels)}; "
                f"name the label: threshold={{{labels[0]!r}: {threshold:g}}}, or on the command "
                f"line --threshold '{labels[0]}={threshold:g}'"
            )
        named = labels if task == "multi_label" else labels[1:]
        return dict.fromkeys(named, threshold)
    for label in threshold:
        if label not in labels:
            raise ConfigurationError(
                f"threshold names {label!r}, which the model lacks; {nearest(label, labels)}"
            )
    if task == "single_label" and len(threshold) > 1:
        raise ConfigurationError(
            f"threshold names {len(threshold)} labels that exclude each other; name one of them: "
            "the others are then decided by the highest probability"
        )
    return {label: threshold[label] for label in labels if label in threshold}


def _log_odds(scores: Scores, column: int) -> NDArray[np.float64]:
    """Return the log-odds of one of the labels that exclude each other, shape (n_texts,)."""
    others = np.delete(scores, column, axis=1)
    return np.asarray(scores[:, column] - logsumexp(others, axis=1))
