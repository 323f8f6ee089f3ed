"""What the cell of a table says: a text, nothing, or the labels that hold."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import isfinite
from typing import Any

import numpy as np

from explain.errors import DataError, ExplainError
from explain.record import Task, label_name
from explain.text.spans import Segmentation

__all__ = ["class_names", "is_missing", "label_by_number", "read_labels", "text_problem"]

SEPARATOR = "|"
"""Between the labels of one text, for tables whose cells hold no lists."""

UNLABELLED = -1
"""What the datasets library writes where the class of a row is not known."""

TRUTH_VALUES = {"1": True, "0": False, "True": True, "False": False}
"""What may say whether a label holds."""


def read_labels(
    cell: Any, number: int, task: Task, labels: Sequence[str] = ()
) -> tuple[str, ...] | None:
    """Return the labels that a cell gives; None for nothing.

    Parameters
    ----------
    cell : object
        The cell.
    number : int
        Number of its row, for errors.
    task : {"single_label", "multi_label", "regression"}
        How it is read.
    labels : sequence of str
        The labels of the model, if they are known: a single one may be given as 1 or 0.

    Raises
    ------
    DataError
        If it is not what the task asks for, or can be read in two ways.
    """
    if task == "multi_label" and isinstance(cell, list | tuple | np.ndarray):
        return _labels_of_list(list(cell), number)
    if (label := _label(cell, number)) is None:
        return None
    if task == "multi_label":
        only_label = tuple(labels) if len(labels) == 1 else ()
        return (
            _whether_it_holds(label, only_label, number)
            if only_label and label in TRUTH_VALUES
            else _labels_of_text(label, number)
        )
    if task == "regression" and label.strip().lower() == "nan":
        return None
    if task == "regression" and not _is_number(label):
        raise DataError(f"the label of row {number} is {label!r}; a regression needs a number")
    return (label,)


def _labels_of_list(cell: Sequence[Any], number: int) -> tuple[str, ...]:
    """Return the labels of a list."""
    names = [_label(item, number) for item in cell]
    if None in names:
        raise DataError(f"the labels of row {number} hold an empty one; leave it out")
    labels = [name for name in names if name is not None]
    if (
        len(labels) > 1
        and not any(isinstance(item, str) for item in cell)
        and set(labels) <= set(TRUTH_VALUES)
    ):
        raise _vector(cell, number)
    return tuple(dict.fromkeys(labels))


def _labels_of_text(text: str, number: int) -> tuple[str, ...]:
    """Return the labels of a text."""
    pieces = [piece.strip() for piece in text.split(SEPARATOR) if piece.strip()]
    if len(set(pieces)) < len(pieces) and set(pieces) <= set(TRUTH_VALUES):
        raise _vector(text, number)
    if _is_json_list(text):
        raise DataError(
            f"the labels of row {number} are the text {text[:60]!r}; pass a list of the names that "
            f"hold, or a text with {SEPARATOR} between them"
        )
    return tuple(dict.fromkeys(pieces))


def _whether_it_holds(cell: str, label: tuple[str, ...], number: int) -> tuple[str, ...]:
    """Return the one label of a model if a cell says that it holds."""
    if cell in label and not TRUTH_VALUES[cell]:
        raise DataError(
            f"the label of row {number} is {cell}, which is the name of the model's one label and "
            "may say as well that it does not hold; name the label: explain.wrap(model, "
            "labels=['...'])"
        )
    return label if TRUTH_VALUES[cell] else ()


def _vector(cell: Any, number: int) -> DataError:
    return DataError(
        f"the labels of row {number} are {str(cell)[:60]!r}, which may be a vector that says of "
        "each label whether it holds, or names; pass a list of the names that hold, as texts"
    )


def _is_json_list(text: str) -> bool:
    try:
        return text.lstrip().startswith("[") and isinstance(json.loads(text), list)
    except (ValueError, RecursionError):
        return False


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False


def _label(cell: Any, number: int) -> str | None:
    """Return a label as text; None for none.

    Raises
    ------
    DataError
        If it is no text and no number.
    """
    if isinstance(cell, str) and text_problem(cell):
        raise DataError(f"the label of row {number} cannot be read: {text_problem(cell)}")
    if is_missing(cell):
        return None
    if not isinstance(cell, str | int | float | bool | np.generic):
        raise DataError(
            f"the label of row {number} is a {type(cell).__name__}; expected a text or a number"
        )
    return label_name(cell)


def text_problem(cell: Any) -> str | None:
    """Return why a cell is no text, or None if it is one."""
    if not isinstance(cell, str):
        return "no text" if is_missing(cell) else f"{type(cell).__name__} instead of a text"
    try:
        Segmentation((cell,), ())
    except ExplainError as error:
        return str(error)
    return None


def is_missing(cell: Any) -> bool:
    """Tell an empty label or an absent value: None, any NaN or NaT, pandas.NA, an empty string."""
    if isinstance(cell, str):
        return cell == ""
    if cell is None or type(cell).__name__ in ("NAType", "NaTType", "MaskedConstant"):
        return True
    if isinstance(cell, Decimal):
        return cell.is_nan()
    return isinstance(cell, float | complex | np.generic) and bool(cell != cell)


def class_names(data: Any) -> dict[str, Sequence[str]]:
    """Return the names of the classes of each column of a ``datasets.Dataset`` that numbers them.

    That is a ``ClassLabel``, or a list of them; other objects have no such columns.
    """
    features = getattr(data, "features", None)
    if not isinstance(features, Mapping):
        return {}
    names_of_column = {}
    for column, feature in features.items():
        inner = feature[0] if isinstance(feature, list) and feature else feature
        names = getattr(getattr(inner, "feature", inner), "names", None)
        if names is not None:
            names_of_column[column] = names
    return names_of_column


def label_by_number(cell: Any, names: Sequence[str], column: str) -> Any:
    """Return the name of a class that a cell has the number of, or the names of several.

    Raises
    ------
    DataError
        If there is no class of that number.
    """
    if isinstance(cell, list | tuple | np.ndarray):
        return [label_by_number(item, names, column) for item in cell]
    if isinstance(cell, str) or is_missing(cell) or cell == UNLABELLED:
        return None if not isinstance(cell, str) else cell
    if int(cell) != cell or not 0 <= cell < len(names):
        raise DataError(
            f"the column {column!r} holds the class {cell}, its ClassLabel names 0 to "
            f"{len(names) - 1}; mend the features of the data set"
        )
    return names[int(cell)]
