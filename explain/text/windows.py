"""Places where a text falls apart into stretches that are cut into words each for itself."""

import re
from collections.abc import Iterator, Sequence

import regex

__all__ = ["stretches", "windows"]

# Neither a combining mark nor anything that one follows: all of these are letters, digits or marks
# that are one grapheme each. White space beside others may belong to a grapheme or be several.
_PLAIN = "[!-~À-ɏА-я]"
_GAP = rf"(?<={_PLAIN})[ \n](?={_PLAIN})"
_GAP_AFTER = re.compile(_GAP)
_GAP_BEFORE = regex.compile(f"(?r){_GAP}")


def stretches(part: str) -> list[str]:
    r"""Return a text as pieces between which one space or line break stood.

    No word, mark or grapheme holds one of those, nor does what stands on one side of it decide how
    the other side is cut, but for whether the text is Japanese.

    Examples
    --------
    >>> stretches("not a\nbad  film")
    ['not', 'a', 'bad  film']
    """
    return _GAP_AFTER.split(part)


def windows(
    part: str, places: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int, Sequence[tuple[int, int]]]]:
    """Yield the stretches around each place, at least one untouched on either side of it.

    Whoever edits the places of a window in the window alone gets the text that editing them in the
    whole text gives.

    Parameters
    ----------
    part : str
        The text.
    places : sequence of (int, int)
        Where it is edited, start and end, in order and not overlapping.

    Yields
    ------
    start, end : int
        The window.
    places : sequence of (int, int)
        The places in it.

    Examples
    --------
    >>> [(start, end) for start, end, _ in windows("one of the best films of a year", [(11, 15)])]
    [(7, 21)]
    """
    start, end, first = 0, -1, 0
    for number, (begin, finish) in enumerate(places):
        if begin >= end:
            before = _start_of(part, begin, max(end, 0))
            if number and before is not None:
                yield start, end, places[first:number]
                first = number
            if first == number:
                start = before or 0
        if end < len(part):
            end = _end_of(part, finish)
    if places:
        yield start, end, places[first:]


def _start_of(part: str, begin: int, lowest: int) -> int | None:
    """Return where the stretch before that of a place begins; None if not behind `lowest`."""
    inner = _GAP_BEFORE.search(part, lowest, begin + 1)
    outer = inner and _GAP_BEFORE.search(part, lowest, inner.start())
    return outer.end() if outer else None


def _end_of(part: str, end: int) -> int:
    """Return where the stretch after that of a place ends."""
    inner = _GAP_AFTER.search(part, end)
    outer = inner and _GAP_AFTER.search(part, inner.end())
    return outer.start() if outer else len(part)
