"""A text as a cooperative game: coalitions of features in, scores of masked texts out."""

import hashlib
import json
from collections.abc import Generator
from dataclasses import dataclass
from numbers import Integral
from typing import Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from explain.adapters import Scores, Task, TextClassifier, TokenizedClassifier
from explain.editing import without
from explain.errors import CapabilityError, ConfigurationError, nearest
from explain.record import Scale, Target
from explain.spans import Segmentation, Text, text_of

__all__ = [
    "Coalitions",
    "Delete",
    "MaskToken",
    "MaskedTextGame",
    "Masker",
    "Plan",
    "Question",
    "Values",
    "default_masker",
    "make_target",
    "target_values",
]

Coalitions: TypeAlias = NDArray[np.bool_]
"""Coalitions, shape (n_coalitions, n_features); True = kept."""

Values: TypeAlias = NDArray[np.float64]
"""Values v(S), shape (n_coalitions,), in the unit of the target's scale."""

Kept: TypeAlias = NDArray[np.bool_]
"""One coalition, shape (n_features,); True = kept."""

T = TypeVar("T", covariant=True)

_SCALES: dict[Task, Scale] = {
    "single_label": "log_odds",
    "multi_label": "logit",
    "regression": "value",
}

Plan: TypeAlias = Generator[Coalitions, Values, T]
"""A method as a coroutine: it yields coalitions, is sent their values, and returns its result."""


class Masker(Protocol):
    """Makes the text of a coalition: features that are not kept are removed."""

    @property
    def name(self) -> str:
        """What stands in for a removed feature, as the record says it."""

    def __call__(self, segmentation: Segmentation, kept: Kept) -> Text:
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

    def __call__(self, segmentation: Segmentation, kept: Kept) -> Text:
        """Return the text with each removed feature replaced by the mask token."""
        if kept.all():
            return text_of(segmentation.parts)
        return without(segmentation, kept.tolist(), self.token)


@dataclass(frozen=True, slots=True)
class Delete:
    """Deletes each removed feature, and of the white space around it all but one."""

    name: str = "delete"

    def __call__(self, segmentation: Segmentation, kept: Kept) -> Text:
        """Return the text without the removed features."""
        if kept.all():
            return text_of(segmentation.parts)
        return without(segmentation, kept.tolist())


@dataclass(frozen=True, slots=True)
class Question:
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

    def values(self, scores: Scores) -> Values:
        """Return the target's value of each row of scores, shape (n_texts,)."""
        return target_values(scores, self.target)


def target_values(scores: Scores, target: Target) -> Values:
    """Return the target's value of each row of scores, shape (n_texts,).

    On the scale ``log_odds`` it is ``z_c - logsumexp(z_others)``, the log-odds of the softmax
    probability; probabilities saturate, log-odds do not. Otherwise it is the score itself.
    """
    own = scores[:, target.index]
    if target.scale != "log_odds":
        return own
    others: Values = np.logaddexp.reduce(np.delete(scores, target.index, axis=1), axis=1)
    return own - others


def make_target(
    model: TextClassifier, scores: NDArray[np.float64], wanted: str | int | None
) -> Target:
    """Return the target that is explained for a text with the given scores.

    Parameters
    ----------
    model : TextClassifier
        The model, for its labels and task.
    scores : array, shape (n_labels,)
        The scores of the text.
    wanted : str, int or None
        A label, the index of one, or None for the predicted one.

    Raises
    ------
    ConfigurationError
        If there is no such label.
    """
    if wanted is None:
        index = int(np.argmax(scores))
    elif isinstance(wanted, str):
        if wanted not in model.labels:
            raise ConfigurationError(
                f"{model.name} has no label {wanted!r}; {nearest(wanted, model.labels)}"
            )
        index = model.labels.index(wanted)
    elif (
        isinstance(wanted, Integral)
        and not isinstance(wanted, bool)
        and 0 <= int(wanted) < len(model.labels)
    ):
        index = int(wanted)
        if (named := str(index)) in model.labels and named != model.labels[index]:
            raise ConfigurationError(
                f"{named} is a label of {model.name}, and the index of {model.labels[index]!r}; "
                f"pass the label as a text: {named!r} or {model.labels[index]!r}"
            )
    else:
        raise ConfigurationError(
            f"{model.name} has {len(model.labels)} labels, so no label {wanted!r}; "
            f"pass a name, or 0 to {len(model.labels) - 1}"
        )
    return Target(label=model.labels[index], index=index, scale=_SCALES[model.task])


def default_masker(model: TextClassifier, wanted: str | None = None) -> Masker:
    """Return the masker called ``mask_token`` or ``delete``; by default the former if possible.

    Raises
    ------
    CapabilityError
        If a mask token is asked of a model that has none.
    ConfigurationError
        If there is no masker of that name.
    """
    token = model.mask_token if isinstance(model, TokenizedClassifier) else None
    if wanted not in (None, "mask_token", "delete"):
        raise ConfigurationError(
            f"there is no masker {wanted!r}; {nearest(str(wanted), ['mask_token', 'delete'])}"
        )
    if wanted == "mask_token" and token is None:
        raise CapabilityError(f"{model.name} has no mask token; pass masker='delete'")
    return Delete() if token is None or wanted == "delete" else MaskToken(token)
