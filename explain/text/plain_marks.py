"""Marks of the command for terminals that have only ASCII."""

from collections.abc import Mapping
from typing import Final

__all__ = ["is_plain", "plain"]

MARKS: Final = {
    "✓": "ok", "✗": "x", "○": "o", "●": "*", "▲": "^", "▼": "v", "≠": "!=", "≥": ">=", "≤": "<=",
    "−": "-", "–": "-", "—": "-", "…": "...", "±": "+-", "×": "x", "→": "->", "²": "2",
    "“": '"', "”": '"', "‘": "'", "’": "'", "█": "#", "│": "|", "━": "=", "╸": "-", "╺": "-",
}  # fmt: skip
"""What the command and the bars of rich print, and what stands for it in ASCII."""

ASCII_LOCALES: Final = ("C", "POSIX")

SET_BY_PYTHON: Final = "C.UTF-8"
"""What Python makes of LC_CTYPE where the locale is C (PEP 538): nobody has asked for it."""

_TABLE: Final = str.maketrans(MARKS)


def plain(text: str) -> str:
    """Return a text with its marks in ASCII; letters of other scripts stay.

    Examples
    --------
    >>> plain("✓ accuracy ≥ .85, −2 … “名”")
    'ok accuracy >= .85, -2 ... "名"'
    """
    return text.translate(_TABLE)


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
