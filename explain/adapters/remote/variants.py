"""The question of an endpoint, asked in another way."""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from explain.adapters.base import PerTextClassifier
from explain.adapters.question import QuestionVariant
from explain.adapters.remote.kinds import Kind
from explain.adapters.scores import Row, Scores
from explain.errors import CapabilityError, EndpointError, PredictionError
from explain.record import Task
from explain.text.spans import Text

__all__ = ["ReorderedClassifier", "has_question", "kind_asked_as", "with_column"]

QUESTION_FIELDS = ("question", "template")
"""Fields of kinds that hold a question."""


def has_question(kind: Kind) -> bool:
    """Tell whether a wire format carries a question to a language model."""
    return any(hasattr(kind, name) for name in QUESTION_FIELDS)


def kind_asked_as(kind: Kind, variant: QuestionVariant) -> tuple[Kind, tuple[int, ...]]:
    """Return the format with its question asked in another way, and the column of each label.

    Raises
    ------
    CapabilityError
        If the question cannot be asked in that way.
    """
    options = _options(kind)
    names = kind.labels
    variant = _among_options(variant, len(names))
    changes: dict[str, Any] = {}
    if variant.instruction:
        name = next((name for name in QUESTION_FIELDS if hasattr(kind, name)), None)
        if name is None:
            raise CapabilityError("this kind of endpoint is asked no question")
        between = " " if name == "question" else "\n"
        changes[name] = variant.instruction + between + getattr(kind, name)
    if (variant.order, variant.names, variant.extra_option) != (None, None, None):
        if options is None:
            raise CapabilityError("the options stand in a text of your own, or have fixed names")
        if variant.names is not None:
            described = zip(variant.names, options.items(), strict=True)
            options = {new: _described(label, said) for new, (label, said) in described}
            names = variant.names
        shown = [names[column] for column in variant.order or range(len(names))]
        options = {name: options[name] for name in shown}
        if variant.extra_option is not None:
            options[variant.extra_option] = None
            names = (*names, variant.extra_option)
        changes["options"] = options
    if not is_dataclass(kind) or not {*changes} <= {field.name for field in fields(kind)}:
        raise CapabilityError("this kind of endpoint cannot be asked in another way")
    varied: Kind = replace(kind, **changes)
    return varied, tuple(map(varied.labels.index, names))


def with_column(columns: tuple[int, ...], place: int, column: int) -> tuple[int, ...]:
    """Return columns with one more at a place."""
    return (*columns[:place], column, *columns[place:])


def _among_options(variant: QuestionVariant, n_options: int) -> QuestionVariant:
    """Return a way to ask without labels that are no option: refusals have a label of their own."""
    order, new_names = variant.order, variant.names
    return replace(
        variant,
        order=None if order is None else tuple(c for c in order if c < n_options),
        names=None if new_names is None else new_names[:n_options],
    )


def _options(kind: Kind) -> dict[str, str | None] | None:
    """Return the options with their descriptions; None where they are no names that can change."""
    options: Any = getattr(kind, "options", None)
    if not options or not all(isinstance(option, str) for option in options):
        return None
    named = dict(options) if isinstance(options, dict) else dict.fromkeys(options)
    return named if tuple(named) == kind.labels else None


def _described(label: str, description: str | None) -> str:
    return label if description is None else f"{label}: {description}"


class ReorderedClassifier:
    """A classifier with its columns in another order.

    Parameters
    ----------
    inner : PerTextClassifier
        The classifier.
    columns : tuple of int
        Its columns in their new order.
    """

    def __init__(self, inner: PerTextClassifier, columns: tuple[int, ...]) -> None:
        self._inner = inner
        self._columns = list(columns)
        self.name = inner.name
        self.task: Task = inner.task
        self.labels = tuple(inner.labels[column] for column in columns)

    @property
    def texts_per_call(self) -> int:
        """Most texts that one request carries."""
        return self._inner.texts_per_call

    @property
    def end_error(self) -> EndpointError | None:
        """Why nothing more is asked; None while it is."""
        return self._inner.end_error

    def predict(self, texts: Sequence[Text]) -> Scores:
        """Return the scores of texts, shape (n_texts, n_labels)."""
        return np.asarray(self._inner.predict(texts)[:, self._columns])

    def predict_each(
        self, texts: Sequence[Text], *, fresh: bool = False
    ) -> list[Row | PredictionError]:
        """Return the scores of each text; see `PerTextClassifier`."""
        rows = self._inner.predict_each(texts, fresh=fresh)
        return [row if isinstance(row, PredictionError) else row[self._columns] for row in rows]
