"""Styles of writing that predict a label, and what writing otherwise does to the answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import LEVEL
from explain.checks.base.intervention import Edit, Intervention, intervene
from explain.checks.base.section_part import Part
from explain.checks.shortcuts.decisive_words import lower_end
from explain.checks.shortcuts.metrics import RESTYLED, STYLED
from explain.checks.shortcuts.search import ShortcutSearch, increase_p_value
from explain.checks.shortcuts.spurious_findings import SECTION
from explain.checks.shortcuts.text_styles import STYLES, Rewrite, Style
from explain.record import Finding, Measure, Sentence, Table, join_sentences
from explain.statistics.adjustments import benjamini_hochberg
from explain.statistics.comparisons import fisher
from explain.statistics.intervals import proportion
from explain.text.spans import Text, text_of

__all__ = ["find_style_shortcuts"]

FEWEST = 5
"""Texts that must be written in a style, and in another, for it to be looked at."""

MOST_TRIED = 6
"""Pairs of a style and a label of which the texts are rewritten, the most significant first."""

LARGEST_P = 0.05
"""Of style against answer, of one test: rewriting is what decides, this only chooses."""

SMALLEST_FLIPS = 0.25
"""Share of rewritten texts whose answer must follow, with the whole interval above it: what is said
of padding and of exchanged words."""

SAME = 0.5
"""Share of the texts of a style from which one that brings the label explains it."""

MOST_EVIDENCE = 5

QUESTION = "? at the end"
"""A question is other content than a statement, also in the same words: it makes no finding."""


@dataclass(frozen=True, eq=False)
class _Candidate:
    style: Style
    label: int
    members: NDArray[np.bool_]
    p_value: float


@dataclass(frozen=True, eq=False)
class _TestedStyle:
    candidate: _Candidate
    added: Intervention
    without_style: Intervention
    gained: Measure
    """Share of texts with another answer that get the label when they are written so."""
    share_lost: Measure
    """Share of texts with the label that lose it when they are written otherwise."""
    p_gained: float
    p_lost: float

    @property
    def adds(self) -> bool:
        """Whether the style itself brings the label."""
        return self.p_gained <= LEVEL and lower_end(self.gained) > SMALLEST_FLIPS

    @property
    def decides(self) -> bool:
        """Whether the answers follow the style, one way or the other."""
        return self.adds or (self.p_lost <= LEVEL and lower_end(self.share_lost) > SMALLEST_FLIPS)


def find_style_shortcuts(search: ShortcutSearch) -> Part:
    """Return the styles of writing that predict a label, and those that the answers follow."""
    rng = search.context.rng(f"{SECTION} style")
    n_pairs, candidates = _candidates(search)
    style_tests = _rewrite(search, candidates, rng)
    findings = _findings(search, [t for t in style_tests if t.decides])
    if not n_pairs:
        return Part()
    sentence = join_sentences(
        Sentence(
            "We looked at {pairs} {pairs:pair|pairs} of a style of writing and a label.",
            pairs=n_pairs,
        ),
        _result(len(style_tests), sum(test.decides for test in style_tests)),
    )
    return Part(
        [measure for t in style_tests for measure in (t.gained, t.share_lost)],
        [_table(search, style_tests)],
        findings,
        sentence=sentence,
        n_tried=len(style_tests),
    )


def _result(n_tried: int, n_followed: int) -> str:
    """Return for how many pairs texts were rewritten, and in how many the answers follow."""
    if not n_tried:
        return "No tested style goes with a label more often than by chance; no text was rewritten."
    rewritten = Sentence("We rewrote texts for {tried} of them.", tried=n_tried)
    followed = Sentence(
        "{n} of these certainly changed more than {limit:percent} of answers."
        if n_followed
        else "None of these certainly changed more than {limit:percent} of answers.",
        n=n_followed,
        limit=SMALLEST_FLIPS,
    )
    return join_sentences(rewritten, followed)


def _candidates(search: ShortcutSearch) -> tuple[int, list[_Candidate]]:
    """Return how many styles and labels were tested, and those that go together."""
    n, base = len(search.predicted), search.predicted.sum(axis=0)
    candidates, n_pairs = [], 0
    for style in STYLES:
        members = np.array(
            [style.holds(instance.parts[-1]) for instance in search.context.instances]
        )
        if style.name == QUESTION or not FEWEST <= members.sum() <= n - FEWEST:
            continue
        hits = search.predicted[members].sum(axis=0)
        p_values = fisher(hits, members.sum(), base, n)
        for label in np.flatnonzero((base > 0) & (base < n)).tolist():
            n_pairs += 1
            if p_values[label] <= LARGEST_P:
                candidates.append(_Candidate(style, label, members, float(p_values[label])))
    candidates.sort(key=lambda candidate: candidate.p_value)
    return n_pairs, candidates[:MOST_TRIED]


def _rewrite(
    search: ShortcutSearch, candidates: Sequence[_Candidate], rng: np.random.Generator
) -> list[_TestedStyle]:
    """Return what writing in each style, and in no such style, does to the answers."""
    edits: dict[str, Sequence[Edit]] = {}
    for i, candidate in enumerate(candidates):
        holds = search.predicted[:, candidate.label]
        without = rng.permutation(np.flatnonzero(~candidate.members & ~holds))
        with_it = rng.permutation(np.flatnonzero(candidate.members & holds))
        edited = partial(_edits, search, rng=rng)
        edits[f"added {i}"] = edited(without[: search.texts], candidate.style.add)
        edits[f"without_style {i}"] = edited(with_it[: search.texts // 2], candidate.style.remove)
    done = intervene(search.context, edits)
    p_values = benjamini_hochberg(
        [
            increase_p_value(sign * done[f"{side} {i}"].changes(candidate.label))
            for side, sign in (("added", 1), ("without_style", -1))
            for i, candidate in enumerate(candidates)
        ]
    )
    style_tests = []
    for i, candidate in enumerate(candidates):
        label = search.context.model.labels[candidate.label]
        added, without_style = done[f"added {i}"], done[f"without_style {i}"]
        gained = search.predicted_after(added, candidate.label)
        lost = ~search.predicted_after(without_style, candidate.label)
        style = candidate.style.name
        style_tests.append(
            _TestedStyle(
                candidate,
                added,
                without_style,
                proportion(
                    STYLED.name(label=label, style=style), int(gained.sum()), len(gained),
                    "other texts",
                ),
                proportion(
                    RESTYLED.name(label=label, style=style), int(lost.sum()), len(lost),
                    Sentence("texts classified as {label}", label=label),
                ),
                float(p_values[i]),
                float(p_values[len(candidates) + i]),
            )
        )  # fmt: skip
    return style_tests


def _edits(
    search: ShortcutSearch, rows: NDArray[np.int64], rewrite: Rewrite, rng: np.random.Generator
) -> list[Edit]:
    """Return the texts rewritten, a pair in its last part."""

    def edit(row: int) -> Text:
        *first, last = search.instance(row).parts
        return text_of([*first, rewrite(last, rng)])

    return [(row, edit(row)) for row in rows.tolist()]


def _findings(search: ShortcutSearch, decisive: Sequence[_TestedStyle]) -> list[Finding]:
    """Return a finding for each style that decides, the clearest first.

    What lets texts lose a label is also lost with other things: without numbers there is no date.
    So where a style brings the label, those that share most of its texts are not named beside it.
    """
    order = sorted(
        decisive, key=lambda t: (not t.adds, -max(map(lower_end, (t.gained, t.share_lost))))
    )
    named: list[_TestedStyle] = []
    for test in order:
        if all(_overlap(test, other) < SAME for other in named):
            named.append(test)
    return [_finding(search, test) for test in named]


def _overlap(test: _TestedStyle, other: _TestedStyle) -> float:
    """Return the share of the texts of the rarer of two styles that have the other as well."""
    first, second = test.candidate.members, other.candidate.members
    return float((first & second).sum() / min(first.sum(), second.sum()))


def _finding(search: ShortcutSearch, test: _TestedStyle) -> Finding:
    label = search.context.model.labels[test.candidate.label]
    style, share = test.candidate.style.name, test.gained if test.adds else test.share_lost
    edited = test.added if test.adds else test.without_style
    changed = search.predicted_after(edited, test.candidate.label) == test.adds
    n = int(test.candidate.members.sum())
    as_found = Sentence(
        "{n} {n:text has|texts have} {style:quoted}; the model classifies {share:percent} of them "
        "as {label:quoted}.",
        n=n,
        style=style,
        share=float(search.predicted[test.candidate.members, test.candidate.label].mean()),
        label=label,
    )
    rewritten = Sentence(
        "We gave this style to {share.n} {share.n:text|texts} with another answer; {changed} of "
        "them ({share}) were then classified as {label:quoted}."
        if test.adds
        else "We wrote {share.n} of those {share.n:text|texts} in another way; {changed} of them "
        "({share}) were then no longer classified as {label:quoted}.",
        share=share,
        changed=int(changed.sum()),
        label=label,
    )
    return Finding(
        code="shortcuts.style",
        subject=style,
        claim=join_sentences(
            Sentence("How a text is written decides the answer."), as_found, rewritten
        ),
        severity="major",
        size=share.distance_from(0),
        measure=share,
        evidence=(
            SECTION,
            *(search.instance(row).id for row in edited.instances[changed][:MOST_EVIDENCE]),
        ),
        suggestion="Decide whether this way of writing may settle the answer. If not, write all "
        "texts in one way before the model reads them, or balance it over the labels, and train "
        "again.",
    )


def _table(search: ShortcutSearch, style_tests: Sequence[_TestedStyle]) -> Table:
    return Table(
        title="Styles of writing that predict a label",
        columns=("style", "label", "texts", "classified as the label",
                 "written so: answers changed", "adjusted p", "written otherwise: answers changed",
                 "adjusted p"),
        rows=tuple(
            (
                test.candidate.style.name,
                search.context.model.labels[test.candidate.label],
                int(test.candidate.members.sum()),
                float(search.predicted[test.candidate.members, test.candidate.label].mean()),
                test.gained,
                test.p_gained,
                test.share_lost,
                test.p_lost,
            )
            for test in style_tests
        ),
        note="Written so: texts without the style, and with another answer, that are classified as "
        "the label after they got it. Written otherwise: texts with the style and the label that "
        "are no longer classified as the label after they lost it.",
    )  # fmt: skip
