"""Words that predict a label, and how the answers change when they are put into other texts."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import LEVEL
from explain.checks.base.intervention import Edit, Intervention, intervene
from explain.checks.base.phrases import Phrase, delete, insert
from explain.checks.base.section_part import Part
from explain.checks.shortcuts.metrics import INSERTION
from explain.checks.shortcuts.search import (
    Candidate,
    ScreenedCandidate,
    ShortcutSearch,
    TestedCandidate,
    increase_p_value,
)
from explain.checks.shortcuts.spurious_findings import (
    MOST_OTHERS,
    decides,
    decisive_finding,
    figures_of,
    lower_end,
    marker_finding,
    surface_of,
    table_of,
)
from explain.record import Measure, Sentence, join_sentences
from explain.statistics.adjustments import benjamini_hochberg
from explain.statistics.comparisons import fisher
from explain.statistics.intervals import proportion

__all__ = ["find_spurious_words"]

FEWEST = 5
"""Texts that must hold a word for it to be looked at: z is no normal variable with fewer."""

SMALLEST_Z = 2.0
"""z from which a word is screened; a finding needs one that is significant among all words."""

LEAST_OF_A_LABEL = 5
"""Phrases of a label that are screened however many labels there are, so that each has words to
be compared with."""

SCREENED = 12
"""Texts in which a phrase is screened: a shortcut flips nearly all of them, so they are enough to
rank it among the strongest."""

MOST_SIMILAR = 3
"""Other words of the label that may change as many answers, within their intervals. Content comes
in many words that do about the same; a shortcut stands alone, or has a few like it."""

MORE_TEXTS = 3
"""Times the texts of a test into which a word that may decide is inserted again."""

MARKED_SHARE = 0.02
"""Share of all texts that must end, or begin, with a source marker: a habit of the source, and no
chance repeat of a phrase."""

FEWEST_MARKED = 10

MARKER_FLIPS = 0.10
"""Share of other texts whose answer a source marker must change, with its whole interval above it.
It says nothing and should change none; a tenth is what no reader would take for rounding."""

SAME = 0.8
"""Jaccard overlap of the texts of two phrases from which they go together and are tried once."""


def find_spurious_words(search: ShortcutSearch, most_screened: int, most_confirmed: int) -> Part:
    """Return the words and phrases that predict a label, and those that decide by themselves."""
    n_pairs, candidates = _candidates(search, most_screened)
    screened, strongest = _screen(search, candidates, most_confirmed)
    all_tested = _retest(search, _confirm(search, strongest))
    deciding: dict[int, list[TestedCandidate]] = defaultdict(list)
    findings = []
    for tested_candidate in all_tested:
        candidate = tested_candidate.candidate
        if tested_candidate.p_value > LEVEL:
            continue
        if _decides_alone(tested_candidate, screened):
            deciding[candidate.label].append(tested_candidate)
        elif (
            candidate.p_value <= LEVEL
            and _is_marker(search, candidate)
            and lower_end(tested_candidate.changed_any) > MARKER_FLIPS
        ):
            findings.append(marker_finding(search, tested_candidate))
    findings += [decisive_finding(search, words, all_tested) for words in deciding.values()]
    findings.sort(key=lambda finding: (finding.severity, -(finding.size or 0)))
    n_words = len(findings) - len(deciding) + sum(map(len, deciding.values()))
    result = Sentence("{n} {n:word or phrase is a shortcut|words or phrases are shortcuts}.",
                      n=n_words)  # fmt: skip
    method = Sentence(
        "We tested {pairs} {pairs:pair|pairs} of a word and a label; {candidates} "
        "{candidates:phrase predicts|phrases predict} a label. We inserted each of these into "
        "{screened} texts, and the {strongest} strongest into {texts} more.",
        pairs=n_pairs,
        candidates=len(candidates),
        screened=SCREENED,
        strongest=len(all_tested),
        texts=search.texts,
    )
    return Part(
        [tested_candidate.changed_any for tested_candidate in all_tested],
        [table_of(search, all_tested)],
        findings,
        figures_of(all_tested),
        sentence=join_sentences(result if findings else "No word or phrase is a shortcut.", method),
        n_tried=len(candidates),
    )


def _decides_alone(
    tested_candidate: TestedCandidate, screened: Sequence[ScreenedCandidate]
) -> bool:
    """Tell whether a word decides most texts, and hardly another word of its label does as well."""
    if not decides(tested_candidate):
        return False
    label, least = tested_candidate.candidate.label, lower_end(tested_candidate.changed_any)
    similar = [
        other for other in screened
        if other.candidate.label == label
        and other.candidate is not tested_candidate.candidate
        and (other.changed_any.upper or 0) >= least
    ]  # fmt: skip
    return len(similar) <= MOST_SIMILAR


def _candidates(search: ShortcutSearch, most: int) -> tuple[int, list[Candidate]]:
    """Return how many words and labels were tested, and the phrases that predict a label best.

    z is that of Gardner et al. (2021): the share of its texts that have the label against the base
    rate. The p-value is that of Fisher's exact test.
    """
    corpus, n = search.corpus, len(search.predicted)
    hits = np.asarray(corpus.presence.T @ search.predicted.astype(float))
    z = _z(hits, corpus.frequencies[:, None], search.predicted.mean(axis=0))
    usable = (corpus.frequencies >= FEWEST)[:, None] & (search.predicted.sum(axis=0) > 0)
    usable &= (corpus.frequencies < n)[:, None]
    rows, labels = np.nonzero(usable & (z >= SMALLEST_Z))
    p_values = np.ones(int(usable.sum()))
    p_values[: len(rows)] = fisher(
        hits[rows, labels], corpus.frequencies[rows], search.predicted.sum(axis=0)[labels], n
    )
    p_values = benjamini_hochberg(p_values)
    order = np.lexsort((rows, -z[rows, labels], p_values[: len(rows)]))
    per_label: dict[int, list[Candidate]] = defaultdict(list)
    cap = max(LEAST_OF_A_LABEL, -(-most // max(1, len(set(labels.tolist())))))
    phrases: dict[int, Phrase] = {}
    for i in order.tolist():
        word, label = int(rows[i]), int(labels[i])
        if sum(map(len, per_label.values())) >= most:
            break
        if len(per_label[label]) >= cap:
            continue
        phrase = phrases.setdefault(word, corpus.phrase(word))
        if any(_repeats(search, word, phrase, label, c.phrase) for c in per_label[label]):
            continue
        holds = search.predicted[phrase.texts, label]
        score = _z(holds.sum(), len(holds), search.predicted[:, label].mean())
        per_label[label].append(Candidate(phrase, label, float(score), float(p_values[i])))
    return len(p_values), [candidate for group in per_label.values() for candidate in group]


def _z(
    hits: NDArray[np.float64], n: NDArray[np.int64] | int, base: NDArray[np.float64]
) -> NDArray[np.float64]:
    spread = np.sqrt(np.maximum(base * (1 - base), 1e-12) / np.maximum(n, 1))
    return np.asarray((hits / np.maximum(n, 1) - base) / spread)


def _repeats(search: ShortcutSearch, word: int, phrase: Phrase, label: int, other: Phrase) -> bool:
    """Tell whether a phrase goes together with another one, or predicts no more without it."""
    common = np.intersect1d(phrase.texts, other.texts, assume_unique=True).size
    if common >= SAME * (phrase.texts.size + other.texts.size - common):
        return True
    if word not in other.words:
        return False
    rest = np.setdiff1d(phrase.texts, other.texts, assume_unique=True)
    holds = search.predicted[rest, label]
    z = _z(holds.sum(), max(1, holds.size), search.predicted[:, label].mean())
    return bool(not holds.size or z < SMALLEST_Z)


def _screen(
    search: ShortcutSearch, candidates: Sequence[Candidate], most: int
) -> tuple[list[ScreenedCandidate], list[ScreenedCandidate]]:
    """Return what each candidate does in a few texts, and the strongest of them."""
    rows = {
        i: search.draw(search.other_texts(c.label, c.phrase.texts), SCREENED)
        for i, c in enumerate(candidates)
    }
    edits = {str(i): _insertions(search, candidates[i].phrase, rows[i]) for i in rows}
    edited = intervene(search.context, edits)
    strength, screened = {}, []
    for i, candidate in enumerate(candidates):
        changes = edited[str(i)].changes(candidate.label)
        share = _share_changed(search, edited[str(i)], candidate, "other texts")
        screened.append(ScreenedCandidate(candidate, frozenset(rows[i]), share))
        strength[i] = (
            _is_marker(search, candidate),
            share.value or 0.0,
            float(changes.mean()) if changes.size else 0.0,
        )
    order = sorted(strength, key=lambda i: strength[i], reverse=True)
    labels = [candidates[i].label for i in order]
    return screened, [screened[order[place]] for place in _each_in_turn(labels)[:most]]


def _each_in_turn(labels: Sequence[int]) -> list[int]:
    """Return the places of the first of each label, then of the second of each, and so on.

    Many words of content may lead to one label; they leave a place for the one word of another.

    Examples
    --------
    >>> _each_in_turn([5, 5, 5, 8, 8])
    [0, 3, 1, 4, 2]
    """
    turns: dict[int, int] = defaultdict(int)
    turn_of_place = []
    for label in labels:
        turn_of_place.append(turns[label])
        turns[label] += 1
    return sorted(range(len(labels)), key=lambda place: (turn_of_place[place], place))


def _first_half(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return rows[: (len(rows) + 1) // 2]


def _insertions(search: ShortcutSearch, phrase: Phrase, rows: Sequence[int]) -> list[Edit]:
    return [
        (row, insert(search.instance(row), search.context.words[row], phrase, search.rng))
        for row in rows
    ]


def _deletions(search: ShortcutSearch, candidate: Candidate) -> list[Edit]:
    phrase = candidate.phrase
    texts = phrase.texts[search.predicted[phrase.texts, candidate.label]]
    rows = search.draw(texts, search.texts // 2)
    return [(row, delete(search.instance(row), phrase.spans_in(row))) for row in rows]


def _confirm(
    search: ShortcutSearch, strongest: Sequence[ScreenedCandidate]
) -> list[TestedCandidate]:
    """Return what inserting and deleting each candidate does, in texts of no screening."""
    edits: dict[str, Sequence[Edit]] = {}
    candidates = [screened.candidate for screened in strongest]
    for i, screened in enumerate(strongest):
        phrase = screened.candidate.phrase
        rows = search.other_texts(screened.candidate.label, phrase.texts)
        rows = rows[~np.isin(rows, [*screened.rows])]
        for name, texts in (("confident", _first_half(rows)), ("any", rows)):
            drawn_rows = search.draw(texts, search.texts)
            edits[f"{name} {i}"] = _insertions(search, phrase, drawn_rows)
        edits[f"deleted {i}"] = _deletions(search, screened.candidate)
    edited = intervene(search.context, edits)
    p_values = benjamini_hochberg(
        [increase_p_value(edited[f"any {i}"].changes(c.label)) for i, c in enumerate(candidates)]
    )
    return [
        TestedCandidate(
            c,
            edited[f"confident {i}"],
            edited[f"any {i}"],
            edited[f"deleted {i}"],
            _share_changed(search, edited[f"confident {i}"], c, "most confident other texts"),
            _share_changed(search, edited[f"any {i}"], c, "other texts"),
            float(p_values[i]),
        )
        for i, c in enumerate(candidates)
    ]


def _retest(search: ShortcutSearch, all_tested: Sequence[TestedCandidate]) -> list[TestedCandidate]:
    """Return the candidates, those that may decide measured in more texts and in no old ones.

    Which ones may is seen in the first texts; what they do is then measured without that choice.
    """
    edits: dict[str, Sequence[Edit]] = {}
    for i, tested_candidate in enumerate(all_tested):
        if (tested_candidate.changed_any.value or 0) <= MOST_OTHERS:
            continue
        candidate = tested_candidate.candidate
        rows = search.other_texts(candidate.label, candidate.phrase.texts)
        rows = rows[~np.isin(rows, tested_candidate.into_any.instances)]
        if len(rows) >= search.texts:
            drawn_rows = search.draw(rows, MORE_TEXTS * search.texts)
            edits[str(i)] = _insertions(search, candidate.phrase, drawn_rows)
    edited = intervene(search.context, edits)
    return [
        replace(
            tested_candidate,
            into_any=edited[str(i)],
            changed_any=_share_changed(
                search, edited[str(i)], tested_candidate.candidate, "other texts"
            ),
        )
        if str(i) in edited
        else tested_candidate
        for i, tested_candidate in enumerate(all_tested)
    ]


def _share_changed(
    search: ShortcutSearch, edited: Intervention, candidate: Candidate, slice_: str
) -> Measure:
    hits = search.predicted_after(edited, candidate.label)
    label = search.context.model.labels[candidate.label]
    name = INSERTION.name(label=label, words=surface_of(candidate.phrase))
    return proportion(name, int(hits.sum()), len(hits), slice_)


def _is_marker(search: ShortcutSearch, candidate: Candidate) -> bool:
    """Tell whether a phrase stands apart from the rest, word for word, at one end of many texts."""
    phrase = candidate.phrase
    return (
        len(phrase.texts) >= max(FEWEST_MARKED, MARKED_SHARE * len(search.predicted))
        and phrase.end is not None
        and phrase.detached
        and any(map(str.isalnum, phrase.surface))
    )
