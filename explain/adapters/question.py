"""Models that are asked a question with options, and the other ways in which it can be asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from explain.adapters.base import TextClassifier
from explain.text.spans import Text

__all__ = ["QuestionClassifier", "QuestionVariant", "StatesConfidence"]


@dataclass(frozen=True, slots=True)
class QuestionVariant:
    """A way to ask the same question; by default the way that the user chose.

    Attributes
    ----------
    order : tuple of int or None
        Columns of the labels in the order in which the options are shown.
    instruction : str
        A sentence before the question.
    names : tuple of str or None
        What the options are called in place of the labels, which become their descriptions.
    extra_option : str or None
        One more option, behind all others; its score is one more column.
    """

    order: tuple[int, ...] | None = None
    instruction: str = ""
    names: tuple[str, ...] | None = None
    extra_option: str | None = None


@runtime_checkable
class QuestionClassifier(TextClassifier, Protocol):
    """A classifier that puts a question to a language model."""

    @property
    def has_question(self) -> bool:
        """Whether it does; a classifier of several formats may not in all of them."""

    def asked_as(self, variant: QuestionVariant) -> TextClassifier:
        """Return the classifier that asks in another way; its columns are those of this one.

        Raises
        ------
        CapabilityError
            If the question cannot be asked in that way.
        """


@runtime_checkable
class StatesConfidence(Protocol):
    """A classifier whose answers say how sure the model is, beside their probabilities."""

    def stated_confidence(self, texts: Sequence[Text]) -> list[float | None]:
        """Return what the answer to each text says, from 0 to 1; None where it says nothing."""
