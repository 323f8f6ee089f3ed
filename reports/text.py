"""Hostile text made harmless to look at."""

import unicodedata
from collections.abc import Iterator
from itertools import groupby

__all__ = ["is_lengthy", "marks", "shorten", "visible"]

LONGEST_WORD = 64
"""Letters of a word that stays whole in a table, those of a hash; words of a language have less."""

_JOINERS = "\u200c\u200d"
"""Invisible, but part of how Persian, Indic scripts and emoji are written."""


def visible(text: str) -> str:
    r"""Return `text` with a mark for each character that cannot be seen or reorders others.

    Examples
    --------
    >>> visible("a\tb\u202ec")
    'a␉b⟨U+202E⟩c'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_mark(character) for character in text)


def marks(text: str) -> Iterator[tuple[str, str]]:
    r"""Yield the stretches of `text` that can be seen, and each other character with its mark.

    Line ends and tabs are white space of a paragraph, and have none.

    Examples
    --------
    >>> list(marks("a\tb\u202ec"))
    [('a\tb', ''), ('\u202e', '⟨U+202E⟩'), ('c', '')]
    """
    for is_marked, characters in groupby(text, _is_marked):
        if is_marked:
            yield from ((character, _mark(character)) for character in characters)
        else:
            yield "".join(characters), ""


def is_lengthy(text: str) -> bool:
    """Tell whether a text holds a word that must be broken where room is short."""
    return any(len(word) > LONGEST_WORD for word in text.split())


def shorten(text: str, width: int) -> str:
    """Return `text` in at most `width` columns, wide characters counted twice.

    Examples
    --------
    >>> shorten("contrast (but, although)", 10)
    'contrast …'
    """
    text = visible(text)
    if sum(map(_columns, text)) <= width:
        return text
    kept = 0
    for place, character in enumerate(text):
        kept += _columns(character)
        if kept >= width:
            return text[:place] + "…"
    return text


def _is_marked(character: str) -> bool:
    return character not in "\t\n\r" and _mark(character) != character


def _columns(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _mark(character: str) -> str:
    if character == "\n":
        return "↵"  # Fonts have it that lack the picture of the control character.
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    hidden = unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")
    return f"⟨U+{code:04X}⟩" if hidden and character not in _JOINERS else character
