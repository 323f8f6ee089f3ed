"""The words of a table as arrays: which texts hold them, and which always go together."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from explain.checks.base import TableRow
from explain.text.editing import insert_word, join_texts, without_spans
from explain.text.scripts import main_script
from explain.text.spans import Span, Text, text_of

__all__ = ["NEARLY_ALWAYS", "Corpus", "Phrase", "delete", "insert", "read_corpus"]

NEARLY_ALWAYS = 0.9
"""Share of its occurrences at which the same word must stand beside a phrase to belong to it, and
at which a phrase must stand at one end of its texts to have its place there."""

LONGEST = 12
"""Words of a phrase: more are no easier to recognise."""

BETWEEN = -1
"""Stands for no word, where one part ends and another begins."""

T = TypeVar("T")

_PAUSES = frozenset(".,;:!?")


@dataclass(frozen=True, eq=False)
class Corpus:
    """Texts as one array of word numbers.

    Attributes
    ----------
    instances : sequence of InstanceRecord or Row
        The texts.
    vocabulary : tuple of str
        The distinct words and marks, case folded.
    words : array, shape (n_places,), int64
        Number in the vocabulary of the word at each place; `BETWEEN` around each part.
    owners : array, shape (n_places,), int64
        Number of the instance that each place belongs to.
    spans : tuple of Span
        Where in its text each word stands; empty spans where there is none.
    """

    instances: Sequence[TableRow]
    vocabulary: tuple[str, ...]
    words: NDArray[np.int64]
    owners: NDArray[np.int64]
    spans: tuple[Span, ...]

    @cached_property
    def presence(self) -> Any:
        """Whether each text (rows) holds each word (columns), a sparse matrix of 0 and 1."""
        real = self.words != BETWEEN
        shape = (len(self.instances), len(self.vocabulary))
        cells = np.unique(self.owners[real] * shape[1] + self.words[real])
        rows, columns = np.divmod(cells, max(shape[1], 1))
        return csr_matrix((np.ones(len(cells)), (rows, columns)), shape=shape)

    @cached_property
    def frequencies(self) -> NDArray[np.int64]:
        """Number of texts that hold each word, shape (n_words,)."""
        return np.asarray(self.presence.sum(axis=0), dtype=np.int64).ravel()

    @cached_property
    def scripts(self) -> list[str]:
        """The script of each text (`explain.text.scripts.main_script`)."""
        return [main_script(" ".join(instance.parts)) for instance in self.instances]

    def phrase(self, word: int) -> "Phrase":
        """Return the words that always go together with a word, in one run."""
        phrase, places = [word], np.flatnonzero(self.words == word)
        while len(phrase) < LONGEST:
            after, before = self.words[places + len(phrase)], self.words[places - 1]
            if (best := _usual(after)) is not None:
                phrase.append(best)
                places = places[after == best]
            elif (best := _usual(before)) is not None:
                phrase.insert(0, best)
                places = places[before == best] - 1
            else:
                break
        while len(phrase) > 1 and self.vocabulary[phrase[0]] in _PAUSES and phrase[0] != word:
            del phrase[0]
            places = places + 1
        return Phrase(self, tuple(phrase), places)


@dataclass(frozen=True, eq=False)
class Phrase:
    """One word or mark, or several in a row.

    Attributes
    ----------
    corpus : Corpus
        Where it occurs.
    words : tuple of int
        Numbers in the vocabulary.
    places : array, shape (n_occurrences,), int64
        Where its first word stands.
    """

    corpus: Corpus
    words: tuple[int, ...]
    places: NDArray[np.int64]

    @cached_property
    def texts(self) -> NDArray[np.int64]:
        """Numbers of the instances that hold it, each once."""
        return np.unique(self.corpus.owners[self.places])

    @cached_property
    def spans(self) -> list[Span]:
        """Where each occurrence stands in its text."""
        spans, length = self.corpus.spans, len(self.words)
        return [
            Span(spans[p].part, spans[p].start, spans[p + length - 1].end)
            for p in self.places.tolist()
        ]

    def spans_in(self, text: int) -> list[Span]:
        """Return where it stands in one text, occurrences that overlap an earlier one left out."""
        spans: list[Span] = []
        for owner, span in zip(self._owners, self.spans, strict=True):
            if owner == text and (not spans or spans[-1].part < span.part
                                  or spans[-1].end <= span.start):  # fmt: skip
                spans.append(span)
        return spans

    @cached_property
    def surface(self) -> str:
        """How it is written most often."""
        return _most_common(
            self.corpus.instances[owner].parts[span.part][span.start : span.end]
            for owner, span in zip(self._owners, self.spans, strict=True)
        )

    @cached_property
    def part(self) -> int:
        """The part of a pair in which it stands most often."""
        return _most_common(span.part for span in self.spans)

    @cached_property
    def end(self) -> str | None:
        """At which end of its texts it nearly always stands, ``start`` or ``end``; None if none."""
        words, length = self.corpus.words, len(self.words)
        if np.mean(words[self.places + length] == BETWEEN) >= NEARLY_ALWAYS:
            return "end"
        return "start" if np.mean(words[self.places - 1] == BETWEEN) >= NEARLY_ALWAYS else None

    @cached_property
    def gap(self) -> str:
        """What separates it most often from the text on its inner side: a space, a line break."""
        return _most_common(gap for _, gap in self._neighbours) if self._neighbours else " "

    @cached_property
    def detached(self) -> bool:
        """Whether a mark or a line break nearly always parts it from the rest of its text."""
        edge = self.corpus.vocabulary[self.words[-1 if self.end == "start" else 0]]
        parted = [_is_mark(edge) or _is_mark(word) or "\n" in gap for word, gap in self._neighbours]
        return bool(parted) and float(np.mean(parted)) >= NEARLY_ALWAYS

    @cached_property
    def _neighbours(self) -> list[tuple[str, str]]:
        """The word on the inner side of each occurrence, and the space between."""
        corpus, found = self.corpus, []
        for place, owner, span in zip(self.places.tolist(), self._owners, self.spans, strict=True):
            neighbour = place + len(self.words) if self.end == "start" else place - 1
            if (word := corpus.words[neighbour]) == BETWEEN:
                continue
            part, other = corpus.instances[owner].parts[span.part], corpus.spans[neighbour]
            gap = part[span.end : other.start] if span < other else part[other.end : span.start]
            found.append((corpus.vocabulary[word], gap))
        return found

    @property
    def _owners(self) -> list[int]:
        owners: list[int] = self.corpus.owners[self.places].tolist()
        return owners


def read_corpus(instances: Sequence[TableRow], words: Sequence[tuple[Span, ...]]) -> Corpus:
    """Return the words of instances as arrays, `words` being those of each instance."""
    numbers: dict[str, int] = {}
    numbers_of_words, owners, spans = [BETWEEN], [0], [Span(0, 0, 0)]
    for owner, (instance, spans_of_text) in enumerate(zip(instances, words, strict=True)):
        for span, after in pairwise((*spans_of_text, None)):
            assert span is not None
            word = instance.parts[span.part][span.start : span.end].casefold()
            numbers_of_words.append(numbers.setdefault(word, len(numbers)))
            owners.append(owner)
            spans.append(span)
            if after is None or after.part != span.part:
                numbers_of_words.append(BETWEEN)
                owners.append(owner)
                spans.append(Span(span.part, 0, 0))
    return Corpus(
        instances, tuple(numbers), np.array(numbers_of_words), np.array(owners), tuple(spans)
    )


def insert(
    instance: TableRow, words: Sequence[Span], phrase: Phrase, rng: np.random.Generator
) -> Text:
    """Return a text with a phrase put where it naturally stands.

    That is the end of the text at which nearly all of its occurrences stand, with the space or line
    break that goes before or after it there; or else anywhere between the `words` of the text.
    """
    parts = list(instance.parts)
    number = min(phrase.part, len(parts) - 1)
    part = parts[number]
    place = {"start": 0, "end": len(part)}.get(phrase.end or "")
    if place is None:
        starts = [span.start for span in words if span.part == number]
        place = int(rng.choice([*starts, len(part)]))
    before, after = part[:place], part[place:]
    if not after:
        gap = "" if not before or before[-1].isspace() else phrase.gap
        parts[number] = join_texts(before + gap, phrase.surface)
    elif before and not before[-1].isspace() and phrase.gap:
        parts[number] = insert_word(part, place, phrase.surface)
    elif before and not before[-1].isspace():
        parts[number] = join_texts(join_texts(before, phrase.surface), after)
    else:
        gap = "" if after[0].isspace() else phrase.gap
        parts[number] = before + join_texts(phrase.surface + gap, after)
    return text_of(parts)


def delete(instance: TableRow, spans: Sequence[Span]) -> Text:
    """Return a text without some of its spans, and without the space that they leave double."""
    return text_of(without_spans(instance.parts, spans))


def _usual(words: NDArray[np.int64]) -> int | None:
    """Return the word that nearly all of these are; None if there is none."""
    counts = np.bincount(words - BETWEEN)
    best = int(counts.argmax())
    return best + BETWEEN if best and counts[best] >= NEARLY_ALWAYS * len(words) else None


def _most_common(things: Iterable[T]) -> T:
    return Counter(things).most_common(1)[0][0]


def _is_mark(word: str) -> bool:
    return not any(map(str.isalnum, word))
