"""What a planted defect is: a classifier, and the data that shows what is wrong with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from explain.adapters import TextClassifier

__all__ = ["Maker", "Planted"]


@dataclass(frozen=True, slots=True)
class Planted:
    """A classifier with one thing wrong with it, and the data that shows it.

    Attributes
    ----------
    name : str
        Its name in `PLANTED`.
    classifier : TextClassifier
        The model.
    rows : list of dict
        The table, with the columns ``text``, ``label`` and ``group``.
    options : mapping
        Arguments of `explain.audit` that go with it: the columns, and the training table.
    sections : tuple of str
        Ids of the sections that may report what is wrong; one of them must. Empty if nothing is.
    truth : str
        What is wrong, and how often, in a sentence.
    codes : tuple of str
        Codes of the findings of which one must stand first among what the defect causes. Empty
        where `sections` say enough.
    """

    name: str
    classifier: TextClassifier
    rows: list[dict[str, str]]
    options: Mapping[str, Any]
    sections: tuple[str, ...]
    truth: str
    codes: tuple[str, ...] = ()


Maker: TypeAlias = Callable[[int, int], Planted]
"""Takes a seed and the number of rows of the table."""
