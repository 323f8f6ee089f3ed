"""Slices that are tried: declared ones, traits of the text, words."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import regex
from numpy.typing import NDArray

from explain.checks.base import TableRow
from explain.checks.base.phrases import Corpus
from explain.record import InstanceRecord, Sentence
from explain.text.scripts import scripts_of

__all__ = [
    "WORD",
    "WORDS",
    "Slice",
    "declared_slices",
    "distinct_slices",
    "slices_by_word",
    "traits_of_texts",
]

MOST_WORDS = 200
"""Most frequent words that are tried as slices; rarer ones hold too few texts in small tables."""

MOST_PAIRED = 40
"""Most frequent words of which each pair is tried: 780 pairs."""

MOST_VALUES = 50
"""Values of a declared column that are measured, the most frequent ones."""

WORD, WORDS = "word", "words"
"""What slices by one word and by two are called."""

_CAPITAL = regex.compile(r"\p{Lu}")

_LETTER = regex.compile(r"\p{L}")

_DIGIT = regex.compile(r"\p{Nd}")


# Begins at the sign, so that no long word is read again from each of its letters.
_ADDRESS = regex.compile(r"(?i)https?://|www\.|(?<=[\w.+-])@[\w-]++\.[\w.]")

_EMOJI = regex.compile(r"\p{Extended_Pictographic}")

_TEXTS_BY_TRAIT = {
    "read only in part": (
        Sentence("texts that the model reads only in part"),
        Sentence("texts that the model reads to the end"),
    ),
    "capitals": (
        Sentence("texts with a capital letter"),
        Sentence("texts without a capital letter"),
    ),
    "mostly capitals": (
        Sentence("texts mostly in capitals"),
        Sentence("texts that are not mostly in capitals"),
    ),
    "digits": (Sentence("texts with a digit"), Sentence("texts without a digit")),
    "address": (
        Sentence("texts with a web or mail address"),
        Sentence("texts without a web or mail address"),
    ),
    "emoji": (Sentence("texts with an emoji"), Sentence("texts without an emoji")),
}
"""Which texts have a trait, and which have not."""


@dataclass(frozen=True, eq=False)
class Slice:
    """Some of the labelled instances, and the condition that they meet."""

    column: str
    """A column of the table, or what a search looks at: ``length``, ``word``."""
    value: str
    members: NDArray[np.bool_]
    texts: Sentence | None = None
    """Which texts these are, in words: ``texts with a digit``; those of a column need none."""

    @property
    def condition(self) -> str:
        """The condition that the instances meet: ``language = de``."""
        return f"{self.column} = {self.value}"

    @property
    def in_words(self) -> Sentence:
        """Which texts these are: ``texts where language = de``."""
        return self.texts or Sentence("texts where {condition}", condition=self.condition)


def declared_slices(
    columns: Sequence[str], instances: Sequence[TableRow]
) -> tuple[list[Slice], list[tuple[str, str]]]:
    """Return a slice for each value of each column, and what a reader must know of a column."""
    slices: list[Slice] = []
    notes: list[tuple[str, str]] = []
    for column in columns:
        cells = [instance.columns.get(column) for instance in instances]
        counts = Counter(cell for cell in cells if cell is not None)
        if missing := cells.count(None):
            note = Sentence(
                "{n} {n:row has|rows have} no value and {n:is|are} in no slice", n=missing
            )
            notes.append((column, note))
        if len(counts) > MOST_VALUES:
            note = Sentence(
                "the {most} most frequent of {n} values", most=MOST_VALUES, n=len(counts)
            )
            notes.append((column, note))
        for value, _ in counts.most_common(MOST_VALUES):
            members = np.array([cell == value for cell in cells])
            slices.append(Slice(column, value, members))
    return slices, notes


def traits_of_texts(
    instances: Sequence[TableRow], words: Sequence[Sequence[object]]
) -> Iterator[Slice]:
    """Yield slices by length and by how a text is written."""
    yield from _of_lengths(np.array(list(map(len, words))))
    texts = ["\n".join(instance.parts) for instance in instances]
    scripts = np.array(list(map(_script, texts)))
    for script in sorted(set(scripts)):
        in_script = Sentence("texts in {script} script", script=script)
        yield Slice("script", script, scripts == script, in_script)
    marks = np.array([text.rstrip()[-1:] for text in texts])
    for mark in sorted(mark for mark in set(marks) if not mark.isalnum()):
        with_mark = Sentence("texts that end in {mark:quoted}", mark=mark)
        yield Slice("last character", mark, marks == mark, with_mark)
    capitals = np.array(
        [len(_CAPITAL.findall(text)) / max(1, len(_LETTER.findall(text))) for text in texts]
    )
    traits = {
        "read only in part": [isinstance(i, InstanceRecord) and bool(i.unread) for i in instances],
        "capitals": capitals > 0,
        "mostly capitals": capitals > 1 / 2,
        "digits": [_DIGIT.search(text) is not None for text in texts],
        "address": [_ADDRESS.search(text) is not None for text in texts],
        "emoji": [_EMOJI.search(text) is not None for text in texts],
    }
    for trait, holds in traits.items():
        with_trait, without_trait = _TEXTS_BY_TRAIT[trait]
        yield Slice(trait, "yes", np.array(holds), with_trait)
        yield Slice(trait, "no", ~np.array(holds), without_trait)


def _of_lengths(lengths: NDArray[np.intp]) -> Iterator[Slice]:
    """Yield the quarters of the texts by their number of words."""
    edges = np.unique(np.quantile(lengths, [0, 0.25, 0.5, 0.75, 1], method="closest_observation"))
    starts = [edges[0], *(edges[1:-1] + 1)] if len(edges) > 1 else []
    for low, high in zip(starts, edges[1:], strict=True):
        of_length = Sentence("texts of {low} to {high} words", low=int(low), high=int(high))
        members = (lengths >= low) & (lengths <= high)
        yield Slice("length", f"{low} to {high} words", members, of_length)


def _script(text: str) -> str:
    """Return the script of most letters, by the first word of their names in Unicode."""
    scripts = scripts_of(text)
    return scripts.most_common(1)[0][0].capitalize() if scripts else "none"


def slices_by_word(corpus: Corpus) -> Iterator[Slice]:
    """Yield slices by the presence of each frequent word, and of each pair of very frequent ones.

    A word that nearly all texts hold is left to the pairs by the size of the rest.
    """
    order = np.lexsort((np.arange(len(corpus.vocabulary)), -corpus.frequencies))[:MOST_WORDS]
    present = corpus.presence[:, order].toarray().T > 0
    for word, members in zip(order, present, strict=True):
        texts = Sentence("texts with the word {word:quoted}", word=corpus.vocabulary[word])
        yield Slice(WORD, corpus.vocabulary[word], members, texts)
    for first, second in combinations(range(min(MOST_PAIRED, len(order))), 2):
        pair = tuple(corpus.vocabulary[order[i]] for i in (first, second))
        texts = Sentence("texts with the words {pair:quoted-and}", pair=pair)
        yield Slice(WORDS, " + ".join(pair), present[first] & present[second], texts)


def distinct_slices(slices: Sequence[Slice]) -> list[Slice]:
    """Return the slices without those that hold the very rows of an earlier one."""
    return list({s.members.tobytes(): s for s in reversed(slices)}.values())[::-1]
