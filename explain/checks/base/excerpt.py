"""Texts in tables, cut to their beginnings."""

from collections.abc import Sequence

from explain.text.words import words

__all__ = ["excerpt"]

LONGEST_EXCERPT = 200
"""Characters of a text in a table; its instance shows all of it."""


def excerpt(parts: Sequence[str]) -> str:
    """Return the words with which each part of a text begins."""
    return " ‖ ".join(map(_beginning, parts))


def _beginning(part: str) -> str:
    if len(part) <= LONGEST_EXCERPT:
        return part
    ends = (span.end for span in words((part[: 2 * LONGEST_EXCERPT],)))
    end = max((end for end in ends if end <= LONGEST_EXCERPT), default=LONGEST_EXCERPT)
    return f"{part[:end]} …"
