"""Whether texts of one length get a label, also when others are cut or padded to that length."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import LEVEL
from explain.checks.base.intervention import Edit, Intervention, intervene
from explain.checks.base.section_part import Part
from explain.checks.shortcuts.decisive_words import lower_end
from explain.checks.shortcuts.metrics import CUT_TO_LENGTH
from explain.checks.shortcuts.partial_input import SMALLEST_PADDED_SHARE, neutral_words, padded
from explain.checks.shortcuts.search import ShortcutSearch, increase_p_value
from explain.checks.shortcuts.spurious_findings import SECTION
from explain.checks.shortcuts.text_styles import length_ranges
from explain.record import Finding, Measure, Sentence, join_sentences
from explain.statistics.adjustments import benjamini_hochberg
from explain.statistics.comparisons import fisher
from explain.statistics.intervals import proportion
from explain.text.spans import text_of

__all__ = ["find_length_range_shortcut"]

FEWEST = 20
"""Texts that must lie in a range of lengths, and outside of it."""

LARGEST_P = 0.05
"""Of length against answer, of one test: cutting is what decides, this only chooses."""

MOST_TRIED = 2

MOST_EVIDENCE = 5


@dataclass(frozen=True, eq=False)
class _Candidate:
    low: int
    high: int
    label: int
    p_value: float

    @property
    def goal(self) -> int:
        """The length to which texts are cut: the middle."""
        return max(1, (self.low + self.high) // 2)

    @property
    def range(self) -> str:
        """The range in words."""
        return Sentence("{low} to {high} words", low=self.low, high=self.high)


@dataclass(frozen=True, eq=False)
class _TestedLength:
    candidate: _Candidate
    share: Measure
    """Share of longer texts that get the label by length alone."""
    rows: NDArray[np.int64]
    """Which these are."""
    p_value: float


def find_length_range_shortcut(search: ShortcutSearch) -> Part:
    """Return whether texts get a label when they are cut to a length at which others have it.

    What is cut off is content, so a text is compared with the same beginning that is padded to its
    old length with words that predict no label: the two say the same and differ in length alone.
    """
    lengths = np.array(list(map(len, search.context.words)))
    filler = neutral_words(search)
    candidates = _candidates(search, lengths)
    if not filler or not candidates:
        return Part()
    tests = _cut(search, candidates, lengths, filler)
    best: dict[str, _TestedLength] = {}
    for test in sorted(tests, key=lambda test: lower_end(test.share)):
        if test.p_value <= LEVEL and lower_end(test.share) > SMALLEST_PADDED_SHARE:
            best[test.candidate.range] = test
    findings = [_finding(search, test) for test in best.values()]
    sentence = Sentence(
        "We also changed the length of single texts: we cut longer ones to {n} "
        "{n:length|lengths} at which a label is frequent in the table.",
        n=len(candidates),
    )
    result = Sentence(
        "For {n} of these lengths, the new length alone certainly changed more than "
        "{limit:percent} of answers."
        if findings
        else "The new length alone did not certainly change more than {limit:percent} of answers.",
        n=len(findings),
        limit=SMALLEST_PADDED_SHARE,
    )
    return Part(
        [test.share for test in tests],
        findings=findings,
        sentence=join_sentences(sentence, result),
        n_tried=len(tests),
    )


def _cut(
    search: ShortcutSearch,
    candidates: Sequence[_Candidate],
    lengths: NDArray[np.int64],
    filler: Sequence[str],
) -> list[_TestedLength]:
    """Return which texts get the label by the length to which they are cut."""
    rng = search.context.rng(f"{SECTION} length")
    edits: dict[str, Sequence[Edit]] = {}
    for i, one in enumerate(candidates):
        longer = np.flatnonzero((lengths > one.high) & ~search.predicted[:, one.label])
        edits[f"cut {i}"], edits[f"control {i}"] = _cut_and_padded(
            search, one, rng.permutation(longer), filler, rng
        )
    done = intervene(search.context, edits)
    effects = [
        _effect(search, one, done[f"cut {i}"], done[f"control {i}"])
        for i, one in enumerate(candidates)
    ]
    p_values = benjamini_hochberg([increase_p_value(changes) for *_, changes in effects])
    return [
        _TestedLength(one, share, rows, float(p))
        for one, (share, rows, _), p in zip(candidates, effects, p_values, strict=True)
    ]


def _effect(
    search: ShortcutSearch, candidate: _Candidate, cut: Intervention, control: Intervention
) -> tuple[Measure, NDArray[np.int64], NDArray[np.float64]]:
    """Return the share of texts that get the label by length alone, which, and changes of p."""
    in_both = np.isin(cut.instances, control.instances)
    in_control = np.isin(control.instances, cut.instances)
    label = candidate.label
    gained = search.predicted_after(cut, label)[in_both]
    gained &= ~search.predicted_after(control, label)[in_control]
    share = proportion(
        CUT_TO_LENGTH.name(label=search.context.model.labels[label]),
        int(gained.sum()),
        len(gained),
        candidate.range,
    )
    changes = cut.changes(label)[in_both] - control.changes(label)[in_control]
    return share, cut.instances[in_both][gained], changes


def _candidates(search: ShortcutSearch, lengths: NDArray[np.int64]) -> list[_Candidate]:
    """Return the ranges of lengths in which a label is more frequent, most significant first."""
    n, base = len(lengths), search.predicted.sum(axis=0)
    candidates = []
    for low, high in length_ranges(lengths)[:-1]:  # nothing is longer than the last
        members = (lengths >= low) & (lengths <= high)
        if not FEWEST <= members.sum() <= n - FEWEST:
            continue
        p_values = fisher(search.predicted[members].sum(axis=0), members.sum(), base, n)
        candidates += [
            _Candidate(low, high, k, float(p_values[k]))
            for k in np.flatnonzero((base > 0) & (base < n)).tolist()
            if p_values[k] <= LARGEST_P
        ]
    return sorted(candidates, key=lambda candidate: candidate.p_value)[:MOST_TRIED]


def _cut_and_padded(
    search: ShortcutSearch,
    candidate: _Candidate,
    rows: NDArray[np.int64],
    filler: Sequence[str],
    rng: np.random.Generator,
) -> tuple[list[Edit], list[Edit]]:
    """Return texts cut to the middle of a range, and the same padded to their old lengths."""
    cut: list[Edit] = []
    control: list[Edit] = []
    for row in rows.tolist():
        spans, parts = search.context.words[row], search.instance(row).parts
        last = spans[candidate.goal - 1]
        if len(cut) == search.texts or last.part != len(parts) - 1:
            continue
        short = (*parts[:-1], parts[-1][: last.end])
        cut.append((row, text_of(short)))
        control.append((row, padded(short, len(spans) - candidate.goal, filler, rng)))
    return cut, control


def _finding(search: ShortcutSearch, test: _TestedLength) -> Finding:
    candidate, share, rows = test.candidate, test.share, test.rows
    return Finding(
        code="shortcuts.length_range",
        subject=candidate.range,
        claim=Sentence(
            "Length alone changes the answer to {label:quoted}. We drew {share.n} "
            "{share.n:text|texts} of more than {longest} words with another answer, and cut "
            "{share.n:it|them} to {goal} words; {changed} of them ({share}) were then classified "
            "as {label:quoted}. They were not when words that predict no label stood in place of "
            "what was cut off.",
            label=search.context.model.labels[candidate.label],
            longest=candidate.high,
            goal=candidate.goal,
            share=share,
            changed=len(rows),
        ),
        severity="major",
        size=share.distance_from(0),
        measure=share,
        evidence=(SECTION, *(search.instance(row).id for row in rows[:MOST_EVIDENCE].tolist())),
        suggestion="Compare the text lengths of the labels in the training data, balance or trim "
        "them, and train again.",
    )
