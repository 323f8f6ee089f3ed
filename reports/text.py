"""Hostile text made harmless to look at."""

import unicodedata

__all__ = ["shorten", "visible"]

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


def _columns(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _mark(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    hidden = unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")
    return f"⟨U+{code:04X}⟩" if hidden and character not in _JOINERS else character
