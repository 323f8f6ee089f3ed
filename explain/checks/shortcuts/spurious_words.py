"""Words that predict a label, and what becomes of texts into which they are put."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import LEVEL
from explain.checks.base.intervention import Edit, Intervention, intervene
from explain.checks.base.part import Part
from explain.checks.base.phrases import Phrase, delete, insert
from explain.checks.shortcuts.metrics import INSERTION
from explain.checks.shortcuts.search import Candidate, Confirmed, ShortcutSearch, moved
from explain.checks.shortcuts.spurious_findings import (
    decides,
    decisive_finding,
    figures_of,
    lower_end,
    marker_finding,
    quoted_words,
    same_label_words,
    table_of,
)
from explain.record import Measure
from explain.statistics.adjustments import benjamini_hochberg
from explain.statistics.comparisons import fisher
from explain.statistics.intervals import proportion

__all__ = ["find_spurious_words"]

FEWEST = 5
"""Texts that must hold a word for it to be looked at: z is no normal variable with fewer."""

SMALLEST_Z = 2.0
"""z from which a word is screened; a finding needs one that is significant among all words."""

LEAST_OF_A_LABEL = 5
"""Phrases of a label that are screened however many labels there are, so that each has rivals."""

SCREENED = 12
"""Texts in which a phrase is screened: a shortcut flips nearly all of them, so they are enough to
rank it among the strongest."""

MOST_LIKES = 1
"""Other words of the label that may turn as many texts, within their intervals. Content comes in
many words that do about the same; a shortcut stands alone, or has one variant."""

MARKED = 0.02
"""Share of all texts that must end, or begin, with a source marker: a habit of the source, and no
chance repeat of a phrase."""

FEWEST_MARKED = 10

MARKER_FLIPS = 0.10
"""Share of other texts that a source marker must turn, with its whole interval above it. It says
nothing, so it should turn none; a tenth is what no reader would take for rounding."""

SAME = 0.8
"""Jaccard overlap of the texts of two phrases from which they go together and are tried once."""


def find_spurious_words(ground: ShortcutSearch, most_screened: int, most_confirmed: int) -> Part:
    """Return the words and phrases that predict a label, and those that decide by themselves."""
    tested, candidates = _candidates(ground, most_screened)
    screened, strongest = _screen(ground, candidates, most_confirmed)
    confirmed = _confirm(ground, strongest, screened)
    findings = []
    for one in confirmed:
        if one.candidate.p_value <= LEVEL and one.p_value <= LEVEL:
            if decides(one) and len(_likes(one, confirmed)) <= MOST_LIKES:
                findings.append(decisive_finding(ground, one, confirmed))
            elif _is_marker(ground, one.candidate) and (one.turned_any.lower or 0) > MARKER_FLIPS:
                findings.append(marker_finding(ground, one))
    findings.sort(key=lambda finding: (finding.severity, -lower_end(finding.measure)))
    sentence = (
        f"Of {tested:,} words and labels, {len(candidates):,} phrases that predict a label were "
        f"inserted into {SCREENED} texts each, and the {len(confirmed)} strongest into "
        f"{ground.texts} more. Shortcuts among them: {len(findings)}."
    )
    return Part(
        [one.turned for one in confirmed],
        [table_of(ground, confirmed)],
        findings,
        figures_of(confirmed),
        sentence=sentence,
        tried=len(candidates),
    )


def _candidates(ground: ShortcutSearch, most: int) -> tuple[int, list[Candidate]]:
    """Return how many words and labels were tested, and the phrases that predict a label best.

    z is that of Gardner et al. (2021): the share of its texts that have the label against the base
    rate. The p-value is that of Fisher's exact test.
    """
    corpus, n = ground.corpus, len(ground.said)
    hits = np.asarray(corpus.presence.T @ ground.said.astype(float))
    z = _z(hits, corpus.frequencies[:, None], ground.said.mean(axis=0))
    usable = (corpus.frequencies >= FEWEST)[:, None] & (ground.said.sum(axis=0) > 0)
    usable &= (corpus.frequencies < n)[:, None]
    rows, labels = np.nonzero(usable & (z >= SMALLEST_Z))
    p_values = np.ones(int(usable.sum()))
    p_values[: len(rows)] = fisher(
        hits[rows, labels], corpus.frequencies[rows], ground.said.sum(axis=0)[labels], n
    )
    p_values = benjamini_hochberg(p_values)
    order = np.lexsort((rows, -z[rows, labels], p_values[: len(rows)]))
    chosen: dict[int, list[Candidate]] = defaultdict(list)
    cap = max(LEAST_OF_A_LABEL, -(-most // max(1, len(set(labels.tolist())))))
    phrases: dict[int, Phrase] = {}
    for i in order.tolist():
        word, label = int(rows[i]), int(labels[i])
        if sum(map(len, chosen.values())) >= most:
            break
        if len(chosen[label]) >= cap:
            continue
        phrase = phrases.setdefault(word, corpus.phrase(word))
        if any(_said_already(ground, word, phrase, label, c.phrase) for c in chosen[label]):
            continue
        holds = ground.said[phrase.texts, label]
        score = _z(holds.sum(), len(holds), ground.said[:, label].mean())
        chosen[label].append(Candidate(phrase, label, float(score), float(p_values[i])))
    return len(p_values), [c for one in chosen.values() for c in one]


def _z(
    hits: NDArray[np.float64], n: NDArray[np.int64] | int, base: NDArray[np.float64]
) -> NDArray[np.float64]:
    spread = np.sqrt(np.maximum(base * (1 - base), 1e-12) / np.maximum(n, 1))
    return np.asarray((hits / np.maximum(n, 1) - base) / spread)


def _said_already(
    ground: ShortcutSearch, word: int, phrase: Phrase, label: int, other: Phrase
) -> bool:
    """Tell whether a phrase goes together with another one, or predicts no more without it."""
    common = np.intersect1d(phrase.texts, other.texts, assume_unique=True).size
    if common >= SAME * (phrase.texts.size + other.texts.size - common):
        return True
    if word not in other.words:
        return False
    rest = np.setdiff1d(phrase.texts, other.texts, assume_unique=True)
    holds = ground.said[rest, label]
    z = _z(holds.sum(), max(1, holds.size), ground.said[:, label].mean())
    return bool(not holds.size or z < SMALLEST_Z)


def _screen(
    ground: ShortcutSearch, candidates: Sequence[Candidate], most: int
) -> tuple[dict[int, set[int]], list[Candidate]]:
    """Return the texts that each candidate was screened in, and the strongest candidates."""
    rows = {
        i: ground.drawn(_surest(ground.others(c.label, c.phrase.texts)), SCREENED)
        for i, c in enumerate(candidates)
    }
    edits = {str(i): _insertions(ground, candidates[i].phrase, rows[i]) for i in rows}
    done = intervene(ground.context, edits)
    strength = {}
    for i, candidate in enumerate(candidates):
        changes = done[str(i)].changes(candidate.label)
        turned = ground.becomes(done[str(i)], candidate.label)
        strength[i] = (
            _is_marker(ground, candidate),
            float(turned.mean()) if turned.size else 0.0,
            float(changes.mean()) if changes.size else 0.0,
        )
    order = sorted(strength, key=lambda i: strength[i], reverse=True)[:most]
    return {i: set(rows[k]) for i, k in enumerate(order)}, [candidates[k] for k in order]


def _surest(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first half."""
    return rows[: (len(rows) + 1) // 2]


def _insertions(ground: ShortcutSearch, phrase: Phrase, rows: Sequence[int]) -> list[Edit]:
    return [
        (row, insert(ground.instance(row), ground.context.words[row], phrase, ground.rng))
        for row in rows
    ]


def _deletions(ground: ShortcutSearch, candidate: Candidate) -> list[Edit]:
    phrase = candidate.phrase
    texts = phrase.texts[ground.said[phrase.texts, candidate.label]]
    rows = ground.drawn(texts, ground.texts // 2)
    return [(row, delete(ground.instance(row), phrase.spans_in(row))) for row in rows]


def _confirm(
    ground: ShortcutSearch, candidates: Sequence[Candidate], screened: dict[int, set[int]]
) -> list[Confirmed]:
    """Return what inserting and deleting each candidate does, in texts of no screening."""
    edits: dict[str, Sequence[Edit]] = {}
    for i, candidate in enumerate(candidates):
        rows = ground.others(candidate.label, candidate.phrase.texts)
        sure = np.array([row for row in _surest(rows).tolist() if row not in screened[i]], int)
        edits[f"sure {i}"] = _insertions(ground, candidate.phrase, ground.drawn(sure, ground.texts))
        edits[f"any {i}"] = _insertions(ground, candidate.phrase, ground.drawn(rows, ground.texts))
        edits[f"without {i}"] = _deletions(ground, candidate)
    done = intervene(ground.context, edits)
    p_values = benjamini_hochberg(
        [moved(done[f"any {i}"].changes(c.label)) for i, c in enumerate(candidates)]
    )
    return [
        Confirmed(
            c,
            done[f"sure {i}"],
            done[f"any {i}"],
            done[f"without {i}"],
            _turned(ground, done[f"sure {i}"], c, "the surest of other texts"),
            _turned(ground, done[f"any {i}"], c, "other texts"),
            float(p_values[i]),
        )
        for i, c in enumerate(candidates)
    ]


def _turned(
    ground: ShortcutSearch, done: Intervention, candidate: Candidate, slice_: str
) -> Measure:
    hits = ground.becomes(done, candidate.label)
    label = ground.context.model.labels[candidate.label]
    name = INSERTION.name(label=label, words=quoted_words(candidate.phrase))
    return proportion(name, int(hits.sum()), len(hits), slice_)


def _likes(one: Confirmed, every: Sequence[Confirmed]) -> list[Confirmed]:
    """Return the other phrases of the label that may turn as many texts."""
    return [
        other
        for other in same_label_words(one, every)
        if (other.turned.upper or 0) >= lower_end(one.turned)
    ]


def _is_marker(ground: ShortcutSearch, candidate: Candidate) -> bool:
    """Tell whether a phrase stands apart from the rest, word for word, at one end of many texts."""
    phrase = candidate.phrase
    return (
        len(phrase.texts) >= max(FEWEST_MARKED, MARKED * len(ground.said))
        and phrase.end is not None
        and phrase.detached
        and any(map(str.isalnum, phrase.surface))
    )
