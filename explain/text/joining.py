"""Words put side by side, with spaces where they would be cut into other words without."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import regex

from explain.text.words import is_japanese, word_starts

__all__ = ["Atom", "is_one_unit", "join_atoms", "keeps_words"]

# As scikit-learn's vectorizers see it: the \w of the standard library holds "²", that of regex not.
_ONE_WORD = re.compile(r"\w\w")
# Scripts that put no spaces between words: there two letters in a row may be two words.
_UNSPACED = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}]"
)


class Atom(NamedTuple):
    """What is kept or removed as one: a feature, or a word or a piece of one outside of them.

    `first_word` and `last_word` count the words of the part that begin at or before its first and
    last character; `inner` holds where in its text words begin, the first character left out.
    """

    text: str
    start: int
    end: int
    is_feature: bool
    first_word: int
    last_word: int
    inner: tuple[int, ...]
    is_new: bool = False

    def is_apart_from(self, other: "Atom") -> bool:
        """Tell whether no word may hold both this atom and the one that follows it."""
        return self.last_word != other.first_word

    def is_new_neighbour(self, other: "Atom") -> bool:
        """Tell whether the two do not stand side by side in the text."""
        return self.is_new or other.is_new or self.end != other.start


def join_atoms(atoms: Sequence[Atom], *, japanese: bool) -> str:
    """Return atoms as one text with no more spaces than they need to be cut as they were.

    Where several places could part two words, those where something was removed come first.
    """
    pairs = list(enumerate(pairwise(atoms), start=1))
    new = {number for number, (a, b) in pairs if a.is_new_neighbour(b)}
    spaces = {
        number
        for number, (a, b) in pairs
        if number in new and a.is_apart_from(b) and is_one_unit(a.text, b.text, japanese=japanese)
    }
    while len(atoms) > 1:
        pieces = [" " * (number in spaces) + atom.text for number, atom in enumerate(atoms)]
        wrong = set(_cut_anew("".join(pieces), pieces, atoms, japanese=japanese)) - spaces
        if not wrong:
            return "".join(pieces)
        spaces |= wrong & new or wrong
    return "".join(atom.text for atom in atoms)


def _cut_anew(
    text: str, pieces: Sequence[str], atoms: Sequence[Atom], *, japanese: bool
) -> Iterator[int]:
    """Yield the numbers of the atoms before which a space may be missing."""
    starts = word_starts(text, japanese=japanese)
    ends = list(accumulate(map(len, pieces)))
    for number, atom in enumerate(atoms):
        begin = ends[number] - len(atom.text)
        first = bisect_right(starts, begin)
        glued = not first or starts[first - 1] != begin
        if number and glued and atoms[number - 1].is_apart_from(atom):
            yield number
        inner = tuple(place - begin for place in starts[first : bisect_left(starts, ends[number])])
        known = () if atom.is_new else (atom.inner,)
        if inner not in known and inner != _inner(atom.text, japanese):
            yield from range(max(number, 1), min(number + 2, len(atoms)))


def is_one_unit(before: str, after: str, *, japanese: bool) -> bool:
    """Tell whether two texts side by side are one word to those who cut at marks alone.

    Nor may they be what makes a text Japanese that was not: its Han characters would be cut anew.
    """
    pair = before[-1:] + after[:1]
    if _ONE_WORD.match(pair) and not _UNSPACED.search(pair):
        return True
    return not japanese and is_japanese(pair)


def keeps_words(before: str, after: str, *, japanese: bool) -> bool:
    """Tell whether two texts side by side have the words of both, and no others."""
    starts, starts_after = (word_starts(text, japanese=japanese) for text in (before, after))
    starts_together = word_starts(before + after, japanese=japanese)
    return starts_together == [*starts, *(len(before) + start for start in starts_after)]


def _inner(text: str, japanese: bool) -> tuple[int, ...]:
    """Return where words begin within a text that stands alone."""
    return tuple(start for start in word_starts(text, japanese=japanese) if start)
