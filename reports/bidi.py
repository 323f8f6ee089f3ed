"""Words that are written from right to left, in a sentence that is not."""

import regex

__all__ = ["isolated", "isolated_runs"]

OPEN, CLOSE = "\u2068", "\u2069"
"""First strong isolate and its end: what stands between them reorders nothing around it (UAX 9)."""

_RTL = r"[\p{bc=R}\p{bc=AL}]"

_INSIDE = r'(?:[^"“”]|(?<=\p{L})["”](?=\p{L}))'
"""A character of a quotation; between two letters the mark is one of an abbreviation (ד"ר)."""

_QUOTATION = rf'(?<=(?<!\p{{L}})["“]){_INSIDE}*?{_RTL}{_INSIDE}*+(?=["”](?!\p{{L}}))'

_LETTERS = r"\p{bc=R}\p{bc=AL}\p{bc=NSM}"

_WORDS = rf"{_RTL}(?:[{_LETTERS}\p{{Nd}}\s'’״׳־،-]*[{_LETTERS}])?"
"""Words and what stands between two of them; a comma or a colon is the sentence's own."""

_RUN = regex.compile(f"{_QUOTATION}|{_WORDS}")

_OF_SENTENCE = regex.compile(r"[^\p{bc=R}\p{bc=AL}]*?[\p{bc=L}\"“]")
"""How a text begins that runs from left to right, or that quotes before all else."""


def isolated(text: str) -> str:
    r"""Return a text of a user so that it stays in its place, whatever stands beside it.

    Examples
    --------
    >>> isolated("spam"), ascii(isolated("דואר"))
    ('spam', "'\\u2068\\u05d3\\u05d5\\u05d0\\u05e8\\u2069'")
    """
    return f"{OPEN}{text}{CLOSE}" if not text.isascii() and _RUN.search(text) else text


def isolated_runs(sentence: str) -> str:
    r"""Return a sentence in which each quotation or run of such words stays in its place.

    Without that, the second of two such words stands before the first, and a number beside one
    changes sides. A text that begins from right to left has its own order, and stays as it is.

    Examples
    --------
    >>> ascii(isolated_runs('from "א" to "ב": 2'))
    '\'from "\\u2068\\u05d0\\u2069" to "\\u2068\\u05d1\\u2069": 2\''
    """
    if sentence.isascii() or not _OF_SENTENCE.match(sentence):
        return sentence
    return _RUN.sub(rf"{OPEN}\g<0>{CLOSE}", sentence)
