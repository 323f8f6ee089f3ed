"""Spans of characters: the features that every method attributes a score to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from explain.errors import SegmentationError

__all__ = ["Segmentation", "Span", "Text", "parts_of", "text_of"]

Text: TypeAlias = str | tuple[str, str]
"""One text, or a pair of texts (premise and hypothesis, question and passage)."""


class Span(NamedTuple):
    """Half-open range of code points ``[start, end)`` in ``parts[part]``."""

    part: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Segmentation:
    """A text cut into features; what lies between the spans stays in every masked text.

    Attributes
    ----------
    parts : tuple of str
        The user's own text: one string, or two for a pair.
    spans : tuple of Span
        The features, in reading order, not overlapping, none empty.
    unread : tuple of Span
        What the model cut off and never read. It is no feature. It is part of the whole text and
        of no masked one, so that hiding a word never lets new text slide into the model's view.

    Raises
    ------
    SegmentationError
        If a part holds a lone surrogate, or spans overlap, are empty or lie outside of the text.
    """

    parts: tuple[str, ...]
    spans: tuple[Span, ...]
    unread: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        for number, part in enumerate(self.parts):
            if lone := _lone_surrogate(part):
                raise SegmentationError(
                    f"part {number} holds the lone surrogate {lone}, which is no Unicode text; "
                    "decode the source with the right encoding"
                )
        before = Span(0, 0, 0)
        for span in sorted((*self.spans, *self.unread)):
            if not 0 <= span.part < len(self.parts):
                raise SegmentationError(f"{span} is in none of the {len(self.parts)} parts")
            overlaps = span.part == before.part and span.start < before.end
            inside = 0 <= span.start < span.end <= len(self.parts[span.part])
            if overlaps or not inside:
                raise SegmentationError(
                    f"{span} is empty, outside of the text or overlaps {before}"
                )
            before = span

    def __len__(self) -> int:
        """Return the number of features."""
        return len(self.spans)

    @property
    def features(self) -> tuple[str, ...]:
        """The text of each feature."""
        return tuple(self.parts[s.part][s.start : s.end] for s in self.spans)


def parts_of(text: Text) -> tuple[str, ...]:
    """Return the parts of a text: one for a string, two for a pair.

    Raises
    ------
    SegmentationError
        If `text` is neither a string nor a pair of strings.
    """
    parts = (text,) if isinstance(text, str) else text
    if (
        isinstance(parts, tuple)
        and len(parts) in (1, 2)
        and all(isinstance(part, str) for part in parts)
    ):
        return parts
    raise SegmentationError(
        f"a text is a string or a pair (tuple) of strings, not {type(text).__name__}; "
        "pass several texts as a list"
    )


def text_of(parts: Sequence[str]) -> Text:
    """Return the text whose parts are `parts`, the inverse of `parts_of`."""
    return parts[0] if len(parts) == 1 else (parts[0], parts[1])


def _lone_surrogate(text: str) -> str | None:
    """Return the first lone surrogate of `text` as ``U+D800``, or None."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"U+{ord(text[error.start]):04X}"
    return None
