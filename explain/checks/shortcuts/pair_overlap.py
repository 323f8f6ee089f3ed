"""Whether the words that two texts share settle the answer about them."""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from explain.checks.base import LEVEL
from explain.checks.base.intervention import Edit, Intervention, intervene
from explain.checks.base.section_part import Part
from explain.checks.shortcuts.decisive_words import lower_end
from explain.checks.shortcuts.metrics import OVERLAP, SHARED_WORDS
from explain.checks.shortcuts.partial_input import rank_correlation
from explain.checks.shortcuts.search import ShortcutSearch, increase_p_value
from explain.checks.shortcuts.spurious_findings import MISLED, SECTION
from explain.record import Finding, Measure, Sentence, join_sentences
from explain.statistics.adjustments import benjamini_hochberg
from explain.statistics.intervals import proportion
from explain.text.spans import Text, text_of

__all__ = ["find_overlap_shortcut", "overlaps"]

SMALLEST_RANK_CORRELATION = 0.2
"""Of overlap and the probability of a label, the whole interval above it: as of length."""

SMALLEST_FLIPS = 0.25
"""Share of the pairs that must get the label when their words are shared, with the whole interval
above it: as of padding, which is what these words are."""

HIGH = 0.8
"""Share of the words of the second text that stand in the first one from which they overlap."""

FEWEST = 20
"""Pairs that are needed for either test, and for a correlation."""

MOST_EVIDENCE = 5


def overlaps(search: ShortcutSearch) -> NDArray[np.float64]:
    """Return which share of the words of the second text stands in the first, for each pair."""
    shares: list[float] = []
    for instance, spans in zip(search.context.instances, search.context.words, strict=True):
        first, second = (
            {
                instance.parts[part][span.start : span.end].casefold()
                for span in spans
                if span.part == part and instance.parts[part][span.start].isalnum()
            }
            for part in (0, 1)
        )
        shares.append(len(first & second) / len(second) if second else 0.0)
    return np.array(shares, dtype=np.float64)


def find_overlap_shortcut(search: ShortcutSearch) -> Part:
    """Return whether pairs that share their words get a label, and whether sharing gives it."""
    context = search.context
    if context.model.task != "single_label" or len(context.instances[0].parts) != 2:
        return Part()
    shares = overlaps(search)
    varies = np.flatnonzero(np.ptp(context.probabilities, axis=0) > 0)
    if len(shares) < FEWEST or np.ptp(shares) == 0 or not varies.size:
        return Part()
    tests = [stats.spearmanr(shares, context.probabilities[:, label]) for label in varies]
    correlations = [float(np.asarray(test.statistic)) for test in tests]
    best = int(np.argmax(correlations))
    label = int(varies[best])
    name = context.model.labels[label]
    correlation = rank_correlation(OVERLAP.name(label=name), correlations[best], len(shares))
    p_value = benjamini_hochberg(np.array([test.pvalue for test in tests]))[best]
    if p_value > LEVEL or lower_end(correlation) <= SMALLEST_RANK_CORRELATION:
        sentence = Sentence(
            "Pairs that share many words do not clearly get one label (largest rank correlation, "
            "with the probability of {label:quoted}: {correlation:.2f}).",
            label=name,
            correlation=correlation,
        )
        return Part([correlation], sentence=sentence, n_tried=1)
    return _whether_it_decides(search, shares, label, correlation)


def _whether_it_decides(
    search: ShortcutSearch, shares: NDArray[np.float64], label: int, correlation: Measure
) -> Part:
    """Return whether sharing more words brings a label, or misleads the model in the data."""
    name = search.context.model.labels[label]
    edited = _share_words(search, shares, label)
    changed = search.predicted_after(edited, label)
    share = proportion(
        SHARED_WORDS.name(label=name), int(changed.sum()), len(changed), "other pairs"
    )
    misled = _misled(search, shares, label)
    sentence = Sentence(
        "Pairs that share many words are more often classified as {label:quoted} (rank "
        "correlation {correlation:.2f}). We added the words of the first text to the second one, "
        "in random order, in {share.n} {share.n:pair|pairs} with another answer; {share} of them "
        "were then classified as {label:quoted}.",
        label=name,
        correlation=correlation,
        share=share,
    )
    is_moved = increase_p_value(edited.changes(label)) <= LEVEL
    findings = []
    if (is_moved and lower_end(share) > SMALLEST_FLIPS) or lower_end(misled) > MISLED:
        rows = edited.instances[changed][:MOST_EVIDENCE].tolist()
        evidence = (SECTION, *(search.instance(row).id for row in rows))
        findings.append(_finding(name, sentence, share, misled, evidence))
    return Part([correlation, share], findings=findings, sentence=sentence, n_tried=1)


def _share_words(search: ShortcutSearch, shares: NDArray[np.float64], label: int) -> Intervention:
    """Return what happens to pairs when the second text gets all words of the first one as well.

    What the second text says stays, so a pair that did not follow from the first does not now.
    """
    rng = search.context.rng(f"{SECTION} overlap")
    rows = rng.permutation(np.flatnonzero(~search.predicted[:, label] & (shares < HIGH)))
    edits: list[Edit] = []
    for row in rows.tolist():
        text, share_after = _with_first_words(search, row, rng)
        if share_after >= HIGH and len(edits) < search.texts:
            edits.append((row, text))
    return intervene(search.context, {"shared": edits})["shared"]


def _with_first_words(
    search: ShortcutSearch, row: int, rng: np.random.Generator
) -> tuple[Text, float]:
    """Return a pair with the words of the first text in the second one, and how many it shares."""
    parts, spans = search.instance(row).parts, search.context.words[row]
    first, second = (
        {parts[s.part][s.start : s.end].casefold(): parts[s.part][s.start : s.end]
         for s in spans if s.part == part and parts[part][s.start].isalnum()}
        for part in (0, 1)
    )  # fmt: skip
    added = [first[word] for word in first if word not in second]
    rng.shuffle(added)
    share = len(first) / max(1, len(first.keys() | second.keys()))
    return text_of([parts[0], " ".join([parts[1], *added])]), share


def _misled(search: ShortcutSearch, shares: NDArray[np.float64], label: int) -> Measure:
    """Return how many pairs of the same words, and of another label in the data, get the label."""
    rows = np.flatnonzero((shares >= HIGH) & search.has_labels & ~search.labels[:, label])
    return proportion(
        Sentence(
            "classified as {label}, with another label in the data",
            label=search.context.model.labels[label],
        ),
        int(search.predicted[rows, label].sum()),
        len(rows),
    )


def _finding(
    label: str, what_was_done: str, share: Measure, misled: Measure, evidence: tuple[str, ...]
) -> Finding:
    misleads = lower_end(misled) > MISLED
    wrong = Sentence(
        "In the data, {against.n} {against.n:pair shares|pairs share} nearly all words of the "
        "second text and {against.n:has|have} another label; the model classifies {against} of "
        "them as {label:quoted}.",
        against=misled,
        label=label,
    )
    measure = misled if misleads and lower_end(misled) > lower_end(share) else share
    return Finding(
        code="shortcuts.overlap",
        subject=label,
        claim=join_sentences(
            Sentence("Words that the two texts share bring the answer {label:quoted}.",
                     label=label),
            what_was_done,
            wrong if misleads else "",
        ),
        severity="critical" if misleads else "major",
        size=measure.distance_from(0),
        measure=measure,
        evidence=evidence,
        suggestion="Test the model on pairs that share all words and mean different things, and "
        "train it on such pairs as well.",
    )  # fmt: skip
