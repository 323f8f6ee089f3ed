"""What a section says that cannot be translated."""

from collections.abc import Collection

from explain.record import Section
from tests.helpers.constants import not_constant, said

__all__ = ["composed_strings"]


def composed_strings(section: Section, columns: Collection[str] = ()) -> set[str]:
    """Return what is neither a constant of the code nor filled into one.

    Names of the user's `columns` may stand above the columns of tables.
    """
    parts = {part for sentence in said(section) for part in not_constant(sentence)}
    return parts - {"", *columns}
