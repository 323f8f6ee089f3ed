"""Marks of the command for terminals that have only ASCII."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Final

__all__ = ["MarkedStream", "drawing", "is_plain", "plain"]

MARKS: Final = {
    "✓": "ok", "✗": "x", "○": "o", "●": "*", "▲": "^", "▼": "v", "≠": "!=", "≥": ">=", "≤": "<=",
    "−": "-", "–": "-", "—": "-", "…": "...", "±": "+-", "×": "x", "→": "->", "²": "2",
    "“": '"', "”": '"', "‘": "'", "’": "'", "█": "#", "│": "|", "━": "=", "╸": "-", "╺": "-",
}  # fmt: skip
"""What the command and the bars of rich print, and what stands for it in ASCII."""

ASCII_LOCALES: Final = ("C", "POSIX")

SET_BY_PYTHON: Final = "C.UTF-8"
"""What Python makes of LC_CTYPE where the locale is C (PEP 538): nobody has asked for it."""


class MarkedStream(TextIOWrapper):
    """A stream that writes marks in ASCII while `drawing`, where a terminal has only that.

    All else is for programs, or was written by users, and stays as it is.
    """

    is_plain = False
    """Whether the terminal has only ASCII."""
    kept_marks: str | None = None
    """Marks that users wrote into what is drawn now; None where nothing is drawn."""

    def write(self, text: str, /) -> int:
        """Write a text."""
        is_drawn = self.is_plain and self.kept_marks is not None
        return super().write(plain(text, self.kept_marks or "") if is_drawn else text)


@contextmanager
def drawing(stream: object, *texts: str) -> Iterator[None]:
    """Draw on a stream inside of the block: what the command itself says, in lines or as a picture.

    Parameters
    ----------
    stream : object
        Where it is drawn.
    *texts : str
        What users wrote of it. A mark in them stays, wherever it is drawn.
    """
    if not isinstance(stream, MarkedStream):
        yield
        return
    stream.kept_marks = "".join({mark for text in texts for mark in text if mark in MARKS})
    try:
        yield
    finally:
        stream.kept_marks = None


def plain(text: str, kept_marks: str = "") -> str:
    """Return a text with its marks in ASCII but for those that are kept; other letters stay.

    Examples
    --------
    >>> plain("✓ accuracy ≥ .85, −2 … “名”")
    'ok accuracy >= .85, -2 ... "名"'
    >>> plain("✓ a – b ≥ .85", kept_marks="–")
    'ok a – b >= .85'
    """
    marks = {ord(mark): stand_in for mark, stand_in in MARKS.items() if mark not in kept_marks}
    return text.translate(marks)


def is_plain(encoding: str, environment: Mapping[str, str]) -> bool:
    """Tell whether a terminal shows ASCII alone: by its encoding, or by a locale that was set.

    Python writes UTF-8 in the locale C (PEP 538, PEP 540); somebody who sets that locale may look
    at a terminal that does not read it. Where no locale is set, as in many containers, it does.

    Examples
    --------
    >>> is_plain("ascii", {}), is_plain("utf-8", {"LANG": "C"}), is_plain("utf-8", {})
    (True, True, False)
    """
    try:
        "✓≥−█".encode(encoding)
    except UnicodeEncodeError:
        return True
    values = {name: environment.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")}
    if values["LC_CTYPE"] == SET_BY_PYTHON:
        values["LC_CTYPE"] = ""
    return next(filter(None, values.values()), "") in ASCII_LOCALES
