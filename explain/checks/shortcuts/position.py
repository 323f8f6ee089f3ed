"""Words that decide where they stand first or last, and not elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import regex
from numpy.typing import NDArray

from explain.checks.base import LEVEL
from explain.checks.base.intervention import Edit, Intervention, intervene
from explain.checks.base.phrases import BETWEEN, Phrase
from explain.checks.base.section_part import Part
from explain.checks.shortcuts.decisive_words import lower_end
from explain.checks.shortcuts.metrics import MOVED_AWAY, MOVED_THERE
from explain.checks.shortcuts.search import ShortcutSearch, increase_p_value
from explain.checks.shortcuts.spurious_findings import SECTION
from explain.record import Finding, Measure, Sentence, join_sentences
from explain.statistics.adjustments import benjamini_hochberg
from explain.statistics.comparisons import fisher
from explain.statistics.intervals import proportion
from explain.text.editing import insert_word, is_unspaced, join_as_written, without_spans
from explain.text.spans import text_of
from explain.text.words import words

__all__ = ["find_position_shortcuts"]

FEWEST = 5
"""Texts that must begin (or end) with a word, and that must hold it elsewhere."""

LARGEST_P = 0.05
"""Of place against answer, of one test: moving the word is what decides, this only chooses."""

MOST_TRIED = 4

SMALLEST_FLIPS = 0.25
"""Share of the texts whose answer must follow the place, with the whole interval above it: as of
two words that are exchanged."""

MOST_EVIDENCE = 5

End = Literal["start", "end"]

EDGES: Final[tuple[End, ...]] = ("start", "end")

_LAST_MARKS = regex.compile(r"[^\p{L}\p{N}]*$")

EDGE_TEMPLATES = {
    "start": "{n} {n:text begins|texts begin} with {word:quoted}; the model classifies "
    "{there:percent} of them as {label:quoted}, and {elsewhere:percent} of those that contain it "
    "elsewhere.",
    "end": "{n} {n:text ends|texts end} with {word:quoted}; the model classifies {there:percent} "
    "of them as {label:quoted}, and {elsewhere:percent} of those that contain it elsewhere.",
}
"""What is said of texts with a word at one end."""

MOVE_TEMPLATES = {
    "start": "We moved it to the start of {share.n} {share.n:text|texts} with another answer; "
    "{changed} of them ({share}) were then classified as {label:quoted}.",
    "end": "We moved it to the end of {share.n} {share.n:text|texts} with another answer; "
    "{changed} of them ({share}) were then classified as {label:quoted}.",
    "elsewhere": "We moved it to another place in {share.n} of those {share.n:text|texts}; "
    "{changed} of them ({share}) were then no longer classified as {label:quoted}.",
}
"""What is said of the test, by where the word went."""


@dataclass(frozen=True, eq=False)
class _Candidate:
    word: Phrase
    end: End
    label: int
    there: NDArray[np.int64]
    """Texts that begin, or end, with the word."""
    elsewhere: NDArray[np.int64]
    """Texts that hold it and do not."""
    p_value: float

    @property
    def place(self) -> str:
        """The word and its place in words."""
        return f"{self.word.surface.casefold()} at the {self.end}"


@dataclass(frozen=True, eq=False)
class _TestedPlace:
    candidate: _Candidate
    edited: Intervention
    is_changed: NDArray[np.bool_]
    """Whether each answer follows the word."""
    share: Measure
    p_value: float
    is_added: bool
    """Whether the word was moved to the end of the text, or away from it."""


def find_position_shortcuts(search: ShortcutSearch, orders: Sequence[Finding] = ()) -> Part:
    """Return the words whose place predicts a label, and those whose place decides.

    A word of a pair whose order decides, one of the `orders`, is no finding of its own: at the
    start of a text it stands before the other.
    """
    ordered_words = {word for finding in orders for word in finding.subject.casefold().split()}
    n_pairs, candidates = _candidates(search)
    if not n_pairs:
        return Part()
    tests = _move(search, candidates, search.context.rng(f"{SECTION} position"))
    best: dict[str, _TestedPlace] = {}
    for test in sorted(tests, key=lambda test: lower_end(test.share)):
        is_alone = test.candidate.word.surface.casefold() not in ordered_words
        if is_alone and test.p_value <= LEVEL and lower_end(test.share) > SMALLEST_FLIPS:
            best[test.candidate.place] = test
    sentence = Sentence(
        "We looked at {pairs} {pairs:pair|pairs} of a label and a word at the start or end of "
        "texts, and moved {tried} of these words.",
        pairs=n_pairs,
        tried=len(candidates),
    )
    result = Sentence(
        "Moving the word certainly changed more than {limit:percent} of answers for {n} of them."
        if best
        else "None of these moves certainly changed more than {limit:percent} of answers.",
        n=len(best),
        limit=SMALLEST_FLIPS,
    )
    return Part(
        [test.share for test in tests],
        findings=[_finding(search, test) for test in best.values()],
        sentence=join_sentences(sentence, result if candidates else ""),
        n_tried=len(candidates),
    )


def _candidates(search: ShortcutSearch) -> tuple[int, list[_Candidate]]:
    """Return how many words and labels were tested, and those whose place goes with a label."""
    base, n_pairs = search.predicted.sum(axis=0), 0
    labels = np.flatnonzero((base > 0) & (base < len(search.predicted)))
    candidates = []
    for end in EDGES:
        edges = _edge_words(search, end)
        numbers, counts = np.unique(edges[edges != BETWEEN], return_counts=True)
        for number in numbers[counts >= FEWEST].tolist():
            places = np.flatnonzero(search.corpus.words == number)
            word = Phrase(search.corpus, (number,), places)
            there = np.flatnonzero(edges == number)
            elsewhere = np.setdiff1d(word.texts, there)
            if len(elsewhere) < FEWEST:
                continue
            n_pairs += len(labels)
            hits = search.predicted[there].sum(axis=0)
            all_hits = search.predicted[word.texts].sum(axis=0)
            p_values = fisher(hits, len(there), all_hits, len(there) + len(elsewhere))
            candidates += [
                _Candidate(word, end, k, there, elsewhere, float(p_values[k]))
                for k in labels.tolist()
                if p_values[k] <= LARGEST_P
            ]
    return n_pairs, sorted(candidates, key=lambda candidate: candidate.p_value)[:MOST_TRIED]


def _edge_words(search: ShortcutSearch, end: End) -> NDArray[np.int64]:
    """Return the first, or last, word of the last part of each text; `BETWEEN` where none is."""
    corpus, edges = search.corpus, np.full(len(search.predicted), BETWEEN)
    lasts = np.array([len(instance.parts) - 1 for instance in corpus.instances])
    is_word = np.array([any(map(str.isalnum, word)) for word in corpus.vocabulary], dtype=np.bool_)
    parts = np.array([span.part for span in corpus.spans])
    real = np.flatnonzero((corpus.words != BETWEEN) & (parts == lasts[corpus.owners]))
    real = real[is_word[corpus.words[real]]]
    ordered = real if end == "end" else real[::-1]
    edges[corpus.owners[ordered]] = corpus.words[ordered]  # the last that is assigned stays
    return edges


def _move(
    search: ShortcutSearch, candidates: Sequence[_Candidate], rng: np.random.Generator
) -> list[_TestedPlace]:
    """Return what moving each word to its place, and away from it, does to the answers."""
    edits: dict[str, Sequence[Edit]] = {}
    for i, one in enumerate(candidates):
        holds = search.predicted[:, one.label]
        to_edge = rng.permutation(one.elsewhere[~holds[one.elsewhere]])[: search.texts]
        away = rng.permutation(one.there[holds[one.there]])[: search.texts // 2]
        edits[f"there {i}"] = _edits(search, one, to_edge, rng, to_edge=True)
        edits[f"away {i}"] = _edits(search, one, away, rng, to_edge=False)
    done = intervene(search.context, edits)
    sides = [(f"{side} {i}", one, side == "there") for i, one in enumerate(candidates)
             for side in ("there", "away")]  # fmt: skip
    p_values = benjamini_hochberg(
        [
            increase_p_value((1 if is_added else -1) * done[name].changes(one.label))
            for name, one, is_added in sides
        ]
    )
    tests = []
    for (name, one, is_added), p_value in zip(sides, p_values, strict=True):
        changed = search.predicted_after(done[name], one.label) == is_added
        spec = MOVED_THERE if is_added else MOVED_AWAY
        label = search.context.model.labels[one.label]
        share = proportion(
            spec.name(label=label, word=one.word.surface, end=one.end),
            int(changed.sum()),
            len(changed),
        )
        tests.append(_TestedPlace(one, done[name], changed, share, float(p_value), is_added))
    return tests


def _edits(
    search: ShortcutSearch,
    candidate: _Candidate,
    rows: NDArray[np.int64],
    rng: np.random.Generator,
    *,
    to_edge: bool,
) -> list[Edit]:
    """Return the texts with the word at the end of the last part, or at a place within it."""
    edits: list[Edit] = []
    for row in rows.tolist():
        parts = search.instance(row).parts
        spans = [s for s in candidate.word.spans_in(row) if s.part == len(parts) - 1]
        if spans:
            span = spans[0 if candidate.end == "start" else -1]
            word = parts[span.part][span.start : span.end]
            *first, rest = without_spans(parts, [span])
            new = _at_edge(rest, word, candidate.end) if to_edge else _within(rest, word, rng)
            edits.append((row, text_of([*first, new])))
    return edits


def _at_edge(text: str, word: str, end: End) -> str:
    if end == "start":
        return join_as_written(word, text.lstrip())
    marks = _LAST_MARKS.search(text)
    place = len(text) if marks is None else marks.start()
    return join_as_written(text[:place], word) + text[place:]


def _within(text: str, word: str, rng: np.random.Generator) -> str:
    """Return a text with a word between two of its words."""
    starts = [s.start for s in words((text,)) if any(map(str.isalnum, text[s.start : s.end]))][1:]
    place = int(rng.choice(starts)) if starts else len(text)
    if not starts or is_unspaced(text):
        return join_as_written(join_as_written(text[:place], word), text[place:])
    return insert_word(text, place, word)


def _finding(search: ShortcutSearch, test: _TestedPlace) -> Finding:
    one, label = test.candidate, search.context.model.labels[test.candidate.label]
    shares = (
        float(search.predicted[rows, one.label].mean()) for rows in (one.there, one.elsewhere)
    )
    there, elsewhere = shares
    moved = MOVE_TEMPLATES[one.end if test.is_added else "elsewhere"]
    return Finding(
        code="shortcuts.position",
        subject=one.place,
        claim=join_sentences(
            "The place of a word decides the answer.",
            Sentence(
                EDGE_TEMPLATES[one.end],
                n=len(one.there),
                word=one.word.surface,
                there=there,
                elsewhere=elsewhere,
                label=label,
            ),
            Sentence(moved, share=test.share, changed=int(test.is_changed.sum()), label=label),
        ),
        severity="major",
        size=test.share.distance_from(0),
        measure=test.share,
        evidence=(
            SECTION,
            *(search.instance(row).id
              for row in test.edited.instances[test.is_changed][:MOST_EVIDENCE]),
        ),
        suggestion="Decide whether the place of this word may settle the answer. If not, write "
        "texts in which it stands elsewhere, with the same labels, and train the model on them.",
    )  # fmt: skip
