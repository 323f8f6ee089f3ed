"""A text as a cooperative game: coalitions of features in, scores of masked texts out."""

import hashlib
import json
from collections.abc import Generator
from dataclasses import dataclass
from numbers import Integral
from typing import Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from explain.adapters import Scores, Task, TextClassifier, TokenizedClassifier
from explain.adapters.scores import log_odds_of
from explain.errors import CapabilityError, ConfigurationError, nearest
from explain.record import Scale, Target
from explain.text.editing import without_features
from explain.text.spans import Segmentation, Text, text_of

__all__ = [
    "AttributionRequest",
    "Coalitions",
    "Delete",
    "MaskToken",
    "MaskedTextGame",
    "Masker",
    "ObservedValues",
    "Plan",
    "Values",
    "default_masker",
    "make_target",
    "target_values",
]

Coalitions: TypeAlias = NDArray[np.bool_]
"""Coalitions, shape (n_coalitions, n_features); True = kept."""

Values: TypeAlias = NDArray[np.float64]
"""Values v(S), shape (n_coalitions,), in the unit of the target's scale."""

Coalition: TypeAlias = NDArray[np.bool_]
"""One coalition, shape (n_features,); True = kept."""

T = TypeVar("T", covariant=True)


@dataclass(frozen=True, slots=True)
class ObservedValues:
    """Values of coalitions, and how exactly each is known.

    Attributes
    ----------
    values : array, shape (n_coalitions,), float64
        v(S), in the unit of the target's scale.
    variances : array, shape (n_coalitions,), float64
        Variance of each value, in squared units: zero where it is known exactly.
    """

    values: Values
    variances: Values

    @classmethod
    def exactly(cls, values: Values) -> "ObservedValues":
        """Return values that are known exactly."""
        return cls(values, np.zeros(len(values)))

    @property
    def exact(self) -> bool:
        """Whether every value is known exactly."""
        return not self.variances.any()


_SCALES: dict[Task, Scale] = {
    "single_label": "log_odds",
    "multi_label": "logit",
    "regression": "value",
}

Plan: TypeAlias = Generator[Coalitions, ObservedValues, T]
"""A method as a coroutine: it yields coalitions, is sent their values, and returns its result."""


class Masker(Protocol):
    """Makes the text of a coalition: features that are not kept are removed."""

    @property
    def name(self) -> str:
        """What stands in for a removed feature, as the record says it."""

    def __call__(self, segmentation: Segmentation, kept: Coalition) -> Text:
        """Return the text that keeps the features where `kept` is True."""


@dataclass(frozen=True, slots=True)
class MaskToken:
    """Puts the model's mask token in the place of each removed feature.

    A space parts it from its neighbours only where they would be cut into words differently.
    """

    token: str

    @property
    def name(self) -> str:
        """The mask token."""
        return self.token

    def __call__(self, segmentation: Segmentation, kept: Coalition) -> Text:
        """Return the text with each removed feature replaced by the mask token."""
        if kept.all():
            return text_of(segmentation.parts)
        return without_features(segmentation, kept.tolist(), self.token)


@dataclass(frozen=True, slots=True)
class Delete:
    """Deletes each removed feature, and of the white space around it all but one."""

    name: str = "delete"

    def __call__(self, segmentation: Segmentation, kept: Coalition) -> Text:
        """Return the text without the removed features."""
        if kept.all():
            return text_of(segmentation.parts)
        return without_features(segmentation, kept.tolist())


@dataclass(frozen=True, slots=True)
class AttributionRequest:
    """A text cut into features, and the number of its prediction that is to be explained.

    Attributes
    ----------
    segmentation : Segmentation
        The text and its features.
    target : Target
        What is explained.
    scores : array, shape (n_labels,)
        What the model says of the text as it is.
    seed : int
        Seed of the random stream.
    """

    segmentation: Segmentation
    target: Target
    scores: NDArray[np.float64]
    seed: int = 0

    def rng(self) -> np.random.Generator:
        """Return the random stream of (seed, text) from its start, whatever else runs beside it.

        It is the same for all methods and targets, so that they ask for the same texts.
        """
        key = json.dumps([self.seed, self.segmentation.parts])
        return np.random.default_rng(list(hashlib.sha256(key.encode()).digest()))


class MaskedTextGame:
    """v(S): the target's value of the text that keeps the features S.

    Parameters
    ----------
    segmentation : Segmentation
        The text and its features.
    masker : Masker
        Makes the text of a coalition.
    target : Target
        The number of the prediction that is the value.
    """

    def __init__(self, segmentation: Segmentation, masker: Masker, target: Target) -> None:
        self.segmentation = segmentation
        self.masker = masker
        self.target = target

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self.segmentation)

    def texts(self, coalitions: Coalitions) -> list[Text]:
        """Return the text of each coalition."""
        return [self.masker(self.segmentation, kept) for kept in coalitions]

    def observe(self, scores: Scores, noise: float | Values = 0.0) -> ObservedValues:
        """Return the target's value of each row of scores, with its variance.

        Parameters
        ----------
        scores : array, shape (n_texts, n_labels)
            What the model says of the texts.
        noise : float or array, shape (n_texts,)
            Variance of a value from answer to answer, in squared units of the target's scale.
        """
        return ObservedValues(
            target_values(scores, self.target), noise + _rounding_variances(scores, self.target)
        )


def target_values(scores: Scores, target: Target) -> Values:
    """Return the target's value of each row of scores, shape (n_texts,).

    On the scale ``log_odds`` it is ``z_c - logsumexp(z_others)``, the log-odds of the softmax
    probability; probabilities saturate, log-odds do not. Otherwise it is the score itself. Of
    rounded probabilities it is the middle of the log-odds that round to p_c, which are capped at
    half a step from 0 and 1: near the cap ``log p_c/(1-p_c)`` itself would be too small.
    """
    if target.decimals is not None:
        low, high = _log_odds_range(scores, target, target.decimals)
        return (low + high) / 2
    if target.scale != "log_odds":
        return scores[:, target.index]
    return log_odds_of(scores, target.index)


def _log_odds_range(scores: Scores, target: Target, decimals: int) -> tuple[Values, Values]:
    """Return the smallest and the largest log-odds that round to what each row shows.

    They are those of half a step down and up, within half a step of 0 and 1: what shows as 0 or 1
    is one value, the cap. Of several labels only its own is looked at: a sum of others that are
    rounded too is off by more.
    """
    target_scores, half_step = scores[:, target.index], 0.5 * 10.0**-decimals
    p = expit(target_scores) if target.scale == "logit" else np.exp(target_scores)
    low, high = (np.clip(p + step, half_step, 1 - half_step) for step in (-half_step, half_step))
    return logit(low), logit(high)


def _rounding_variances(scores: Scores, target: Target) -> Values:
    """Return the variance of the value of each row that its rounding leaves, shape (n_texts,).

    The value lies anywhere between two ends, so it is that of a uniform distribution.
    """
    if target.decimals is None:
        return np.zeros(len(scores))
    low, high = _log_odds_range(scores, target, target.decimals)
    return (high - low) ** 2 / 12


def make_target(
    model: TextClassifier, scores: NDArray[np.float64], label: str | int | None
) -> Target:
    """Return the target that is explained for a text with the given scores.

    Parameters
    ----------
    model : TextClassifier
        The model, for its labels and task.
    scores : array, shape (n_labels,)
        The scores of the text.
    label : str, int or None
        A label, the index of one, or None for the predicted one.

    Raises
    ------
    ConfigurationError
        If there is no such label.
    """
    if label is None:
        index = int(np.argmax(scores))
    elif isinstance(label, str):
        if label not in model.labels:
            raise ConfigurationError(
                f"{model.name} has no label {label!r}; {nearest(label, model.labels)}"
            )
        index = model.labels.index(label)
    elif (
        isinstance(label, Integral)
        and not isinstance(label, bool)
        and 0 <= int(label) < len(model.labels)
    ):
        index = int(label)
        if (digits := str(index)) in model.labels and digits != model.labels[index]:
            raise ConfigurationError(
                f"{digits} is a label of {model.name}, and the index of {model.labels[index]!r}; "
                f"pass the label as a text: {digits!r} or {model.labels[index]!r}"
            )
    else:
        raise ConfigurationError(
            f"{model.name} has {len(model.labels)} labels, so no label {label!r}; "
            f"pass a name, or 0 to {len(model.labels) - 1}"
        )
    return Target(label=model.labels[index], index=index, scale=_SCALES[model.task])


def default_masker(model: TextClassifier, name: str | None = None) -> Masker:
    """Return the masker called ``mask_token`` or ``delete``; by default the former if possible.

    Raises
    ------
    CapabilityError
        If a mask token is asked of a model that has none.
    ConfigurationError
        If there is no masker of that name.
    """
    token = model.mask_token if isinstance(model, TokenizedClassifier) else None
    if name not in (None, "mask_token", "delete"):
        raise ConfigurationError(
            f"there is no masker {name!r}; {nearest(str(name), ['mask_token', 'delete'])}"
        )
    if name == "mask_token" and token is None:
        raise CapabilityError(f"{model.name} has no mask token; pass masker='delete'")
    return Delete() if token is None or name == "delete" else MaskToken(token)
