"""A text cut into pieces that carry the size and sign of their attribution.

Joining the pieces gives the text back, character for character.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from explain.text.spans import Span
from reports.environment import Verbatim
from reports.text import marks

__all__ = ["LEVELS", "Piece", "levels", "pieces", "ranked"]

LEVELS = 8
"""Steps of colour on each side of zero: classes, because a strict policy bars style attributes."""


@dataclass(frozen=True, slots=True)
class Bit:
    """A stretch of a piece."""

    text: Verbatim
    mark: str
    """What is shown before a character that cannot be seen; nothing for all others."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text that is shown in one way."""

    text: Verbatim
    level: int = 0
    """From -8 (against the target) to 8 (towards it)."""
    unread: bool = False
    """Whether the model cut it off."""

    @property
    def bits(self) -> Iterator["Bit"]:
        """The stretches of the text, and each character that cannot be seen, with its mark."""
        return (Bit(Verbatim(text), mark) for text, mark in marks(self.text))

    @property
    def style(self) -> str:
        """Classes of the style sheet; none for level zero."""
        if not self.level:
            return ""
        return f"{'towards' if self.level > 0 else 'against'} l{abs(self.level)}"


def levels(values: Sequence[float]) -> tuple[int, ...]:
    """Return `values` in steps of an eighth of the largest size.

    Examples
    --------
    >>> levels([3.24, -0.24, 0.12])
    (8, -1, 0)
    """
    largest = max(map(abs, values), default=0.0)
    return tuple(round(LEVELS * (value / largest)) if largest else 0 for value in values)


def ranked(values: Sequence[float]) -> list[int]:
    """Return the places of `values`, the largest size first, ties in reading order."""
    return sorted(range(len(values)), key=lambda place: -abs(values[place]))


def pieces(
    parts: Sequence[str],
    spans: Sequence[Span] = (),
    values: Sequence[float] = (),
    unread: Sequence[Span] = (),
) -> tuple[tuple[Piece, ...], ...]:
    """Return the pieces of each part.

    Parameters
    ----------
    parts : sequence of str
        The text.
    spans : sequence of Span
        The features; they do not overlap.
    values : sequence of float
        One value per feature.
    unread : sequence of Span
        What the model never read; it overlaps no feature.
    """
    marks = [(span, level, False) for span, level in zip(spans, levels(values), strict=True)]
    marks += [(span, 0, True) for span in unread]
    marks.sort()
    return tuple(
        tuple(_cut(part, [mark for mark in marks if mark[0].part == number]))
        for number, part in enumerate(parts)
    )


def _cut(part: str, marks: Sequence[tuple[Span, int, bool]]) -> Iterator[Piece]:
    """Yield the marked stretches of `part` and what lies between them."""
    done = 0
    for span, level, unread in marks:
        if done < span.start:
            yield Piece(Verbatim(part[done : span.start]))
        yield Piece(Verbatim(part[span.start : span.end]), level, unread)
        done = span.end
    if done < len(part):
        yield Piece(Verbatim(part[done:]))
