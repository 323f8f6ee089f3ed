"""Words taken out of a text, replaced or put in, so that all others stay the words they are."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

import regex

from explain.text.joining import Atom, is_one_unit, join_atoms, keeps_words
from explain.text.scripts import UNSPACED, main_script
from explain.text.spans import Segmentation, Span, Text, text_of
from explain.text.windows import windows
from explain.text.words import is_japanese, word_starts, words

__all__ = ["insert_word", "join_texts", "replace_spans", "without_features", "without_spans"]

KNOWN_TEXTS = 128
"""Texts whose layout is remembered: twice as many as the engine asks about at a time."""

KNOWN_WAYS = 256
"""Ways to leave some of a clump that are remembered: all of those of eight features."""

_PIECE = re.compile(r"\s+|\S+")
_LINE_BREAK = regex.compile(r"\R")


def without_features(
    segmentation: Segmentation, kept: Sequence[bool], token: str | None = None
) -> Text:
    """Return the text without the features that are not kept, and without what was never read.

    The words of what is left are the kept words, as `explain.text.words.words` cut them in the
    whole text. What lay between two neighbours that are both kept stays; a space comes between them
    only where they would be cut differently without what stood beside them. Where something is
    removed between two words,

    - one white space remains of those around it, a line break before others;
    - without any, a space comes between them where they would be one word, or cut differently;
    - marks alone that had no space before them (``, )`` or ``...``) have none afterwards.

    White space at the ends of the text stays as it is, and the removal leaves no other there.

    Parameters
    ----------
    segmentation : Segmentation
        The text and its features.
    kept : sequence of bool
        Whether each feature is kept.
    token : str, optional
        What stands in the place of each removed feature. It counts as a word, and all white space
        stays.

    Examples
    --------
    >>> from explain.text.words import words
    >>> text = "They kept it secret, but it leaked (now)."
    >>> features = Segmentation((text,), words([text]))
    >>> without_features(features, [feature not in (",", "now") for feature in features.features])
    'They kept it secret but it leaked ().'
    """
    return text_of(
        [
            layout.delete(kept) if token is None else layout.mask(kept, token)
            for layout in _layouts(segmentation)
        ]
    )


def without_spans(parts: Sequence[str], spans: Sequence[Span]) -> tuple[str, ...]:
    """Return the parts of a text without some spans, joined as `without_features` joins them.

    Examples
    --------
    >>> without_spans(["a good, old film"], [Span(0, 6, 7)])
    ('a good old film',)
    """
    segmentation = Segmentation(tuple(parts), tuple(sorted(spans)))
    return _edited(segmentation, lambda layout, n_spans: layout.delete([False] * n_spans))


def replace_spans(parts: Sequence[str], edits: Sequence[tuple[Span, str]]) -> tuple[str, ...]:
    """Return the parts of a text with other words in the places of some spans.

    A space comes between a new word and its neighbours where they would be cut differently; none
    where the span was a piece of a word.

    Examples
    --------
    >>> replace_spans(["secret, but"], [(Span(0, 6, 7), "but"), (Span(0, 8, 11), ",")])
    ('secret but ,',)
    """
    ordered = sorted(edits)
    segmentation = Segmentation(tuple(parts), tuple(span for span, _ in ordered))
    texts = iter([text for _, text in ordered])
    return _edited(segmentation, lambda layout, _: layout.rewrite(texts))


def insert_word(part: str, place: int, text: str) -> str:
    """Return a part with a word put, between white space, before the word that begins at `place`.

    Examples
    --------
    >>> insert_word("well-known", 4, "too")
    'well too -known'
    """
    ((begin, finish, _),) = windows(part, [(place, place)])
    window, japanese = part[begin:finish], is_japanese(part)
    layout = _layout(Segmentation((window,), words([window], japanese=japanese)), 0, japanese)
    clump = next(clump for clump in layout.clumps if clump.atoms[-1].end > place - begin)
    sides = [
        [atom for atom in clump.atoms if (atom.start < place - begin) == is_before]
        for is_before in (True, False)
    ]
    before, after = (join_atoms(side, japanese=japanese) for side in sides)
    around = part[: begin + clump.atoms[0].start], part[begin + clump.atoms[-1].end :]
    return " ".join(filter(None, (before, text, after))).join(around)


def join_as_written(before: str, after: str) -> str:
    """Return two texts as one, with a space between them if the first is written with spaces.

    Examples
    --------
    >>> join_as_written("so it is", "(now)"), join_as_written("很好看", "也许")
    ('so it is (now)', '很好看也许')
    """
    if is_unspaced(before) or is_unspaced(after):
        return join_texts(before, after)
    return f"{before}{'' if not before or before[-1].isspace() else ' '}{after}"


def is_unspaced(text: str) -> bool:
    """Return whether a text is in a script that sets no spaces between words, and has none."""
    return main_script(text) in UNSPACED and not any(map(str.isspace, text.strip()))


def join_texts(before: str, after: str) -> str:
    """Return two texts as one, with a space between them where their words would be cut anew.

    Examples
    --------
    >>> join_texts("well", ", so"), join_texts("well", "known")
    ('well, so', 'well known')
    """
    if not before.strip() or not after.strip() or before[-1].isspace() or after[0].isspace():
        return before + after
    last, first = before.rsplit(maxsplit=1)[-1], after.split(maxsplit=1)[0]
    japanese = is_japanese(before) or is_japanese(after)
    glued = is_one_unit(last, first, japanese=japanese)
    if glued or not keeps_words(last, first, japanese=japanese):
        return f"{before} {after}"
    return before + after


class _Clump:
    """Atoms without white space between them, and what is left of them for each coalition.

    `white` is the white space before it, `first` the number of its first feature, and `whole` the
    clump as it stands in the text, or None where what was never read is cut out of it.
    """

    __slots__ = ("_cache", "atoms", "first", "japanese", "last", "lone", "white", "whole")

    def __init__(
        self, part: str, white: str, atoms: list[Atom], first: int, japanese: bool
    ) -> None:
        start, end = atoms[0].start, atoms[-1].end
        around = part[max(start - 1, 0) : start] + part[end : end + 1]
        is_cut = around.strip() or sum(len(atom.text) for atom in atoms) < end - start
        self.whole = None if is_cut else part[start:end]
        self.white = white
        self.atoms = atoms
        self.first = first
        self.last = first + sum(atom.is_feature for atom in atoms)
        self.lone = atoms[0].text if len(atoms) == 1 and atoms[0].is_feature else None
        self.japanese = japanese
        self._cache: dict[tuple[str | None, tuple[bool, ...]], tuple[str, bool]] = {}

    def remainder(self, kept: Sequence[bool], token: str | None) -> tuple[str, bool]:
        """Return what is left, and whether it stands where the clump begins or is more than marks.

        Otherwise it is marks alone that follow something without a space.
        """
        key = token, tuple(kept[self.first : self.last])
        if (cached := self._cache.get(key)) is not None:
            return cached
        atoms = list(self._atoms_left(iter(key[1]), token))
        text = self._text(atoms)
        begins = bool(atoms) and atoms[0].start == self.atoms[0].start
        remainder = text, begins or any(map(str.isalnum, text))
        if len(self._cache) < KNOWN_WAYS:
            self._cache[key] = remainder
        return remainder

    def rewrite(self, texts: Iterator[str]) -> str:
        """Return the clump with texts for its features."""
        return self._text(
            [
                atom._replace(text=next(texts), is_new=True) if atom.is_feature else atom
                for atom in self.atoms
            ]
        )

    def _atoms_left(self, kept: Iterator[bool], token: str | None) -> Iterator[Atom]:
        for atom in self.atoms:
            if not atom.is_feature or next(kept):
                yield atom
            elif token is not None:
                # A word of its own, even in the middle of one.
                yield atom._replace(text=token, is_new=True, first_word=-1, last_word=-2)

    def _text(self, atoms: list[Atom]) -> str:
        if self.whole is not None and atoms == self.atoms:
            return self.whole
        return join_atoms(atoms, japanese=self.japanese)


class _Layout:
    """One part of a text as clumps, and the white space at its ends."""

    def __init__(self, clumps: Sequence[_Clump], leading: str, trailing: str) -> None:
        self.clumps = clumps
        self.leading = leading
        self.trailing = trailing
        self._cache: dict[tuple[str, str], bool] = {}

    def delete(self, kept: Sequence[bool]) -> str:
        """Return the part without what is not kept."""
        pieces = [self.leading]
        last = ""
        gap: str | None = None
        for clump in self.clumps:
            gap = (
                clump.white
                if gap is None or gap == clump.white
                else _common_space(gap, clump.white)
            )
            if clump.lone is None:
                text, is_apart = clump.remainder(kept, None)
            else:
                text, is_apart = clump.lone if kept[clump.first] else "", True
            if not text:
                continue
            if not last:
                last = text
            elif is_apart or not self._may_follow(last, text, japanese=clump.japanese):
                pieces.append(gap)
                last = text
            else:
                last += text
            pieces.append(text)
            gap = None
        if not last:
            return _common_space(self.leading, self.trailing)
        return "".join([*pieces, self.trailing])

    def mask(self, kept: Sequence[bool], token: str) -> str:
        """Return the part with a token for each feature that is not kept."""
        pieces = [self.leading]
        for clump in self.clumps:
            pieces.append(clump.white)
            if clump.lone is None:
                pieces.append(clump.remainder(kept, token)[0])
            else:
                pieces.append(clump.lone if kept[clump.first] else token)
        return "".join([*pieces, self.trailing])

    def rewrite(self, texts: Iterator[str]) -> str:
        """Return the part with texts for its features."""
        pieces = [self.leading]
        for clump in self.clumps:
            pieces += [clump.white, clump.rewrite(texts)]
        return "".join([*pieces, self.trailing])

    def _may_follow(self, before: str, marks: str, *, japanese: bool) -> bool:
        """Tell whether marks may follow a text without a space, as words and marks of their own."""
        key = before, marks
        if (cached := self._cache.get(key)) is None:
            cached = keeps_words(before, marks, japanese=japanese)
            if len(self._cache) < KNOWN_WAYS:
                self._cache[key] = cached
        return cached


@lru_cache(maxsize=KNOWN_TEXTS)
def _layouts(segmentation: Segmentation) -> tuple[_Layout, ...]:
    return tuple(
        _layout(segmentation, number, is_japanese(part))
        for number, part in enumerate(segmentation.parts)
    )


def _edited(segmentation: Segmentation, edit: Callable[[_Layout, int], str]) -> tuple[str, ...]:
    """Return the parts of a text after an edit of its features, of which it is told the number.

    Only what stands around them is cut into words.
    """
    edited = []
    for number, part in enumerate(segmentation.parts):
        places = [(start, end) for owner, start, end in segmentation.spans if owner == number]
        pieces, done, japanese = [], 0, is_japanese(part)
        for begin, finish, inner in windows(part, places):
            spans = tuple(Span(0, start - begin, end - begin) for start, end in inner)
            layout = _layout(Segmentation((part[begin:finish],), spans), 0, japanese)
            pieces += [part[done:begin], edit(layout, len(spans))]
            done = finish
        edited.append("".join([*pieces, part[done:]]))
    return tuple(edited)


def _layout(segmentation: Segmentation, number: int, japanese: bool) -> _Layout:
    groups: list[tuple[str, list[Atom]]] = [("", [])]
    for piece in _pieces(segmentation, number, japanese):
        white, atoms = groups[-1]
        if isinstance(piece, Atom):
            atoms.append(piece)
        elif atoms:
            groups.append((piece, []))
        else:
            groups[-1] = _common_space(white, piece), atoms
    leading, trailing = groups[0][0], "" if groups[-1][1] or len(groups) == 1 else groups[-1][0]
    part = segmentation.parts[number]
    first = sum(span.part < number for span in segmentation.spans)
    clumps: list[_Clump] = []
    for white, atoms in groups:
        if atoms:
            clumps.append(_Clump(part, white if clumps else "", atoms, first, japanese))
            first = clumps[-1].last
    return _Layout(clumps, leading, trailing)


def _pieces(segmentation: Segmentation, number: int, japanese: bool) -> Iterator[Atom | str]:
    """Yield the atoms of a part and the white space between them, what was never read left out."""
    part = segmentation.parts[number]
    starts = word_starts(part, japanese=japanese)

    def atom(start: int, end: int, *, is_feature: bool) -> Atom:
        first, last = bisect_right(starts, start), bisect_right(starts, end - 1)
        inner = tuple(place - start for place in starts[first:last])
        return Atom(part[start:end], start, end, is_feature, first, last, inner)

    features = [(start, end, True) for owner, start, end in segmentation.spans if owner == number]
    unread_places = [
        (start, end, False) for owner, start, end in segmentation.unread if owner == number
    ]
    place = 0
    for start, end, is_feature in [
        *sorted(features + unread_places),
        (len(part), len(part), False),
    ]:
        for match in _PIECE.finditer(part, place, start):
            begin, finish = match.span()
            if match[0].isspace():
                yield match[0]
                continue
            cuts = starts[bisect_right(starts, begin) : bisect_left(starts, finish)]
            for edges in pairwise([begin, *cuts, finish]):
                yield atom(*edges, is_feature=False)
        if is_feature:
            yield atom(start, end, is_feature=True)
        place = end


def _common_space(gap: str, other: str) -> str:
    """Return one of two white spaces: a line break before others, else the shorter."""
    if not gap or not other:
        return gap or other
    return min(gap, other, key=lambda white: (not _LINE_BREAK.search(white), len(white)))
