"""Pieces of the user's own texts, as they are written."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import regex

from explain.errors import DataError
from explain.text.spans import Text, parts_of, text_of
from explain.text.words import words

__all__ = ["WORD", "prose", "read"]

TEXTS_SAMPLED, WORDS_READ = 200, 2_000
"""Texts of the table that are looked at, and characters of each."""

WORD: Final = regex.compile(r"\w")
"""What is in a word and in no mark."""


def prose(
    texts: Sequence[Text], n_texts: int, fewest: int, most: int, rng: np.random.Generator
) -> list[Text]:
    """Return pieces of texts, of about `fewest` to at most `most` features, as they are written.

    Raises
    ------
    DataError
        If none has three words.
    """
    pieces: dict[Text, None] = {}
    for number in rng.permutation(len(texts))[:TEXTS_SAMPLED]:
        parts = parts_of(texts[number])
        size = int(rng.integers(fewest, most + 1)) // len(parts)
        cut = [_piece(part, size, rng) for part in parts]
        n_words = sum(bool(WORD.search(word)) for word in read(cut))
        if n_words >= 3 and len(read(cut)) <= most and _stays_read(cut, rng):
            pieces[text_of(cut)] = None
        if len(pieces) == n_texts:
            break
    if not pieces:
        raise DataError(
            f"none of {len(texts)} texts has 3 words to plant values on that are still read as the "
            "same words without their neighbours; pass longer texts"
        )
    return list(pieces)


def read(parts: Sequence[str]) -> list[str]:
    """Return the words and marks of all parts."""
    return [parts[s.part][s.start : s.end] for s in words(parts)]


def _stays_read(parts: Sequence[str], rng: np.random.Generator) -> bool:
    """Tell whether the words are read as such where a space stands for others.

    In scripts without spaces a word can be another one without its neighbours, whoever removes
    them. Tried is each word removed alone, and as many coalitions at random.
    """
    spans = words(parts)
    removed = np.vstack(
        [np.eye(len(spans), dtype=bool), rng.random((len(spans), len(spans))) < 0.5]
    )
    for row in removed.tolist():
        left = [[*part] for part in parts]
        for span, gone in zip(spans, row, strict=True):
            if gone:
                left[span.part][span.start : span.end] = " " * (span.end - span.start)
        kept = [
            parts[s.part][s.start : s.end] for s, gone in zip(spans, row, strict=True) if not gone
        ]
        if read(["".join(part) for part in left]) != kept:
            return False
    return True


def _piece(part: str, size: int, rng: np.random.Generator) -> str:
    """Return so many features in a row, from a random one on, of the beginning of a text."""
    spans = words([part[:WORDS_READ]])
    if len(part) > WORDS_READ:
        spans = spans[:-1]
    start = int(rng.integers(max(len(spans) - size, 0) + 1))
    piece = spans[start : start + size]
    return part[piece[0].start : piece[-1].end] if piece else ""
