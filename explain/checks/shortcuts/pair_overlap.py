"""Whether the words that two texts share settle the label of the pair."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy import stats

from explain.checks.base import LEVEL
from explain.checks.base.decisions import difference
from explain.checks.base.intervention import Edit, Intervention, intervene
from explain.checks.base.section_part import Part
from explain.checks.shortcuts.metrics import OVERLAP
from explain.checks.shortcuts.search import ShortcutSearch
from explain.checks.shortcuts.spurious_findings import SECTION
from explain.record import Finding, Measure, Sentence
from explain.statistics.adjustments import benjamini_hochberg
from explain.statistics.comparisons import fisher
from explain.statistics.intervals import proportion
from explain.text.spans import text_of

__all__ = ["find_overlap_shortcut"]

SMALLEST_GAP = 0.25
"""By how much more often the label must follow from words of the first text, in any order, than
from words of other texts, with the whole interval above it. A list of words says nothing."""

MOST_EVIDENCE = 5

UNRELATED: Final = "The words that the two texts share are not clearly related to any answer."

SHARED_WORDS: Final = (
    "Pairs that share more words are more often classified as {label:quoted}. We replaced the "
    "second text of {own.n} pairs with another answer by words of the first text in random order: "
    "{own} were then classified as {label:quoted}. By as many words of other texts: {strange}."
)


def find_overlap_shortcut(search: ShortcutSearch) -> Part:
    """Return whether pairs that share words get a label, and whether the words alone give it."""
    context = search.context
    if context.model.task != "single_label" or len(context.instances[0].parts) != 2:
        return Part()
    words = [_words_of_parts(search, row) for row in range(len(context.instances))]
    label = _label_of_overlap(search, words)
    if label is None:
        return Part(sentence=UNRELATED, n_tried=1)
    name = context.model.labels[label]
    rows = search.draw(search.other_texts(label, np.array([], int)), search.texts)
    edits: dict[str, Sequence[Edit]] = {
        kind: [(row, _scrambled(search, row, words, from_own_text=kind == "own")) for row in rows]
        for kind in ("own", "strange")
    }
    edited = intervene(context, edits)
    own, strange = (_share(search, edited[kind], label, kind) for kind in ("own", "strange"))
    findings = []
    hits, all_hits = (own.value or 0) * own.n, sum((m.value or 0) * m.n for m in (own, strange))
    p = float(fisher(round(hits), own.n, round(all_hits), own.n + strange.n)) if own.n else 1.0
    gap = difference(own, strange, "difference")
    if p <= LEVEL and (gap.lower or 0) > SMALLEST_GAP:
        findings.append(_finding(search, name, own, strange, gap, edited["own"], label))
    sentence = Sentence(SHARED_WORDS, label=name, own=own, strange=strange)
    return Part([own], findings=findings, sentence=sentence, n_tried=1)


def _words_of_parts(search: ShortcutSearch, row: int) -> tuple[list[str], list[str]]:
    parts: tuple[list[str], list[str]] = ([], [])
    texts = search.instance(row).parts
    for span in search.context.words[row]:
        word = texts[span.part][span.start : span.end]
        if any(map(str.isalnum, word)):
            parts[span.part].append(word)
    return parts


def _label_of_overlap(
    search: ShortcutSearch, words: Sequence[tuple[list[str], list[str]]]
) -> int | None:
    """Return the label that pairs get more often that share more words; None if there is none."""
    shared = np.array([_shared(*pair) for pair in words])
    probabilities = search.context.probabilities
    varies = np.flatnonzero(np.ptp(probabilities, axis=0) > 0)
    if np.ptp(shared) == 0 or not varies.size:
        return None
    tests = [stats.spearmanr(shared, probabilities[:, label]) for label in varies]
    p_values = benjamini_hochberg([test.pvalue for test in tests])
    best = int(np.argmax([test.statistic for test in tests]))
    related = p_values[best] <= LEVEL and tests[best].statistic > 0
    return int(varies[best]) if related else None


def _shared(first: Sequence[str], second: Sequence[str]) -> float:
    """Return the share of the words of the second text that the first text has too."""
    known = {word.casefold() for word in first}
    return sum(word.casefold() in known for word in second) / max(1, len(second))


def _scrambled(
    search: ShortcutSearch,
    row: int,
    words: Sequence[tuple[list[str], list[str]]],
    *,
    from_own_text: bool,
) -> tuple[str, str] | str:
    """Return a pair whose second text is made of words of the first, or of other first texts."""
    first, second = words[row]
    pool = first
    while not from_own_text:
        pool = words[int(search.rng.integers(len(words)))][0]
        if pool is not first or len(words) == 1:
            break
    n = min(len(second), len(pool))
    drawn = search.rng.permutation(len(pool))[:n].tolist()
    return text_of([search.instance(row).parts[0], " ".join(pool[i] for i in drawn)])


def _share(search: ShortcutSearch, edited: Intervention, label: int, kind: str) -> Measure:
    changed = search.predicted_after(edited, label)
    source = "the first text" if kind == "own" else "other texts"
    name = OVERLAP.name(label=search.context.model.labels[label], source=source)
    return proportion(name, int(changed.sum()), len(changed))


def _finding(
    search: ShortcutSearch,
    name: str,
    own_share: Measure,
    strange_share: Measure,
    gap: Measure,
    edited: Intervention,
    label: int,
) -> Finding:
    changed = edited.instances[search.predicted_after(edited, label)][:MOST_EVIDENCE]
    return Finding(
        code="shortcuts.overlap",
        subject=name,
        claim=Sentence(
            "Words that the two texts share decide for {label:quoted}, in whatever order they "
            "stand. We replaced the second text of {own.n} {own.n:pair|pairs} with another answer "
            "by words of the first text in random order; {own} were then classified as "
            "{label:quoted}. With as many words of other texts it was {strange}.",
            label=name,
            own=own_share,
            strange=strange_share,
        ),
        severity="major",
        size=gap.distance_from(0),
        measure=own_share,
        evidence=(SECTION, *(search.instance(row).id for row in changed.tolist())),
        suggestion="Test the model on pairs that share their words and have another label, add "
        "such pairs to the training data, and train again.",
    )
