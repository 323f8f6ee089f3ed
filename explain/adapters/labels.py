"""Names for the columns of a model: as a user may write them, and in place of the model's own."""

from collections.abc import Mapping, Sequence
from copy import copy
from operator import index
from typing import Any, TypeAlias

import numpy as np

from explain.adapters.base import TextClassifier
from explain.errors import AdapterError, ConfigurationError
from explain.record import Task

__all__ = ["Labels", "check_labels", "label_names", "new_names", "with_labels"]

Labels: TypeAlias = Sequence[str] | Mapping[int, str] | Mapping[str, int]
"""Names of columns: in their order, or with their numbers as ``id2label`` or ``label2id``."""

MOST_SHOWN = 5
"""Labels that an error message names."""

LONGEST_LABEL = 10_000
"""Characters of a label, which a report repeats hundreds of times. Sentences have hundreds."""


def check_labels(labels: Labels, task: Task) -> tuple[str, ...]:
    """Return the names of the columns, in the order of the columns.

    Raises
    ------
    AdapterError
        If there are too few for the task, one appears twice, or one has no end.
    ConfigurationError
        If their order is not known.
    """
    names = label_names(labels)
    fewest = 2 if task == "single_label" else 1
    if len(names) < fewest:
        raise AdapterError(
            f"a {task} classifier needs at least {fewest} labels, {len(names)} given; "
            "name one per column of the scores"
        )
    if duplicates := sorted({name for name in names if names.count(name) > 1}):
        raise AdapterError(
            f"the label {duplicates[0]!r} appears {names.count(duplicates[0])} times; "
            "labels must be distinct"
        )
    if (longest := max(map(len, names))) > LONGEST_LABEL:
        raise AdapterError(
            f"a label has {longest:,} characters, at most {LONGEST_LABEL:,} can be shown; pass "
            "labels= with shorter names"
        )
    return names


def label_names(labels: Labels) -> tuple[str, ...]:
    """Return the names of the columns, in the order of the columns.

    Parameters
    ----------
    labels : sequence of str, mapping of int to str or mapping of str to int
        A list, tuple or one-dimensional array of names; or ``id2label`` or ``label2id`` as
        transformers has them, whose numbers are the columns 0 to k - 1. Numbers may be strings of
        digits, as in JSON.

    Raises
    ------
    ConfigurationError
        If the order of the names is not known, or can be read in two ways.
    """
    if isinstance(labels, Mapping):
        return _names_of_mapping(labels)
    array = isinstance(labels, np.ndarray) and labels.ndim == 1
    if isinstance(labels, str | bytes) or not (array or isinstance(labels, Sequence)):
        raise ConfigurationError(
            f"labels is a {type(labels).__name__}, which has no order of columns; pass a list of "
            "names, one for each column, the first for column 0"
        )
    return tuple(map(str, labels))


def _names_of_mapping(labels: Mapping[Any, Any]) -> tuple[str, ...]:
    """Return the names of a mapping whose keys or else values are the numbers of the columns."""
    readings = {
        _in_order(columns, names)
        for columns, names in ((labels.keys(), labels.values()), (labels.values(), labels.keys()))
    } - {None}
    if len(readings) == 1 and (names := readings.pop()):
        return names
    items = ", ".join(f"{key!r}: {value!r}" for key, value in list(labels.items())[:MOST_SHOWN])
    problem = (
        "can be read in two ways"
        if readings
        else f"does not number the columns 0 to {len(labels) - 1}"
    )
    raise ConfigurationError(
        f"labels={{{items}}} {problem}; pass a list of names, one for each column, the first for "
        "column 0"
    )


def _in_order(columns: Any, names: Any) -> tuple[str, ...] | None:
    """Return names by their columns; None where those are not 0 to k - 1, each once."""
    try:
        numbered = {_column(column): str(name) for column, name in zip(columns, names, strict=True)}
    except (TypeError, ValueError):
        return None
    if sorted(numbered) != list(range(len(names))):
        return None
    return tuple(numbered[column] for column in range(len(names)))


def _column(column: Any) -> int:
    """Return the number of a column, which JSON gives as a string of digits."""
    if isinstance(column, bool):
        raise TypeError("a truth value is no column")
    return int(column) if isinstance(column, str) else index(column)


def new_names(labels: Labels, current: tuple[str, ...], task: Task, name: str) -> tuple[str, ...]:
    """Return names that can stand in place of a model's own.

    Raises
    ------
    AdapterError
        If a name appears twice.
    ConfigurationError
        If `labels` are not one name for each column, or exchange names of the model among its
        columns.
    """
    names = label_names(labels)
    if len(names) != len(current):
        raise ConfigurationError(
            f"{name} has {len(current)} labels ({_listing(current)}), {len(names)} were given "
            f"({_listing(names)}); pass one name for each, in this order"
        )
    if reused := [
        new for new, old in zip(names, current, strict=True) if new != old and new in current
    ]:
        raise ConfigurationError(
            f"{name} has the labels {_listing(current)}, and labels would make {reused[0]!r} "
            "the name of another of them; leave labels out, or pass names in this order that are "
            "not among them"
        )
    return check_labels(names, task)


def with_labels(model: TextClassifier, labels: Labels) -> TextClassifier:
    """Return the model with other names for its columns, beside which its record states its own.

    The model keeps its own: what is returned is a shallow copy of the classifier, with the same
    weights, so all that it could do before it can do now.

    Raises
    ------
    AdapterError
        If a name appears twice.
    ConfigurationError
        If `labels` are not one name for each column, exchange names of the model among its
        columns, or the model makes its labels by itself.
    """
    current = model.labels
    names = new_names(labels, current, model.task, model.name)
    if names == current:
        return model
    try:
        relabelled = copy(model)
        vars(relabelled).update(labels=names, own_labels=current)
    except TypeError:
        relabelled = model
    if relabelled.labels != names:
        raise ConfigurationError(
            f"{model.name} makes its labels ({_listing(current)}) by itself; name them in "
            f"{type(model).__name__}, or wrap a function: explain.wrap(model.predict, "
            f"labels=[...], output='scores', task={model.task!r})"
        )
    return relabelled


def _listing(labels: Sequence[str]) -> str:
    return ", ".join(labels[:MOST_SHOWN]) + (", …" if len(labels) > MOST_SHOWN else "")
