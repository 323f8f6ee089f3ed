"""Words that predict a label, and how the answers change when they are put into other texts."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import LEVEL
from explain.checks.base.intervention import Edit, Intervention, intervene
from explain.checks.base.phrases import Phrase, delete, insert
from explain.checks.base.section_part import Part
from explain.checks.shortcuts.decisive_words import (
    DECISIVE_FOR_ANY,
    decides,
    lower_end,
    stands_apart,
)
from explain.checks.shortcuts.foreign_tokens import FOREIGN_FLIPS, is_foreign
from explain.checks.shortcuts.metrics import INSERTION
from explain.checks.shortcuts.search import (
    Candidate,
    ShortcutSearch,
    TestedCandidate,
    increase_p_value,
)
from explain.checks.shortcuts.spurious_findings import (
    decisive_finding,
    figures_of,
    foreign_finding,
    marker_finding,
    surface_of,
    table_of,
)
from explain.record import Finding, Measure, Sentence, join_sentences
from explain.statistics.adjustments import benjamini_hochberg
from explain.statistics.comparisons import fisher
from explain.statistics.intervals import proportion
from explain.statistics.power import detectable_by_wilson

__all__ = ["find_spurious_words"]

FEWEST = 5
"""Texts that must hold a word for it to be looked at: z is no normal variable with fewer."""

SMALLEST_Z = 2.0
"""z from which a word is screened; a finding needs one that is significant among all words."""

LEAST_OF_A_LABEL = 5
"""Phrases of a label that are screened however many labels there are, so that each has words to
be compared with."""

GLANCED = 3
"""Texts in which each candidate is tried first, so that rare words have their turn too."""

SCREENED = 12
"""Texts in which a phrase is screened: a shortcut flips most of them, so they are enough to rank
it among the strongest."""

PART_SCREENED = 1 / 4
"""Share of the candidates that are screened in all of those texts: the strongest of the first."""

LEAST_TESTED = 4
"""Phrases of each label that are tested however strong those of others are: whether some stand
apart shows only beside the next of their label."""

MOST_FOREIGN = 4
"""Signs, and tokens in another script, that are tested however much stronger words are: each is
compared with no word, so these few leave the words their places."""

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
    all_tested = _confirm(search, strongest, screened)
    findings = _findings(search, all_tested)
    result = Sentence("{n} {n:word or phrase is a shortcut|words or phrases are shortcuts}.",
                      n=len(findings))  # fmt: skip
    method = Sentence(
        "We tested {pairs} {pairs:pair|pairs} of a word and a label; {candidates} "
        "{candidates:phrase predicts|phrases predict} a label. We inserted each of these into "
        "{glanced} texts, the strongest of them into {screened}, and the {strongest} strongest "
        "into {texts} more.",
        pairs=n_pairs,
        candidates=len(candidates),
        glanced=GLANCED,
        screened=SCREENED,
        strongest=len(all_tested),
        texts=search.texts,
    )
    return Part(
        [tested_candidate.changed_any for tested_candidate in all_tested],
        [table_of(search, all_tested)],
        findings,
        figures_of(all_tested),
        sentence=join_sentences(
            result if findings else "No word or phrase is a shortcut.",
            method,
            _like_others(all_tested),
            "" if findings else _power(all_tested),
        ),
        n_tried=len(candidates),
    )


def _power(all_tested: Sequence[TestedCandidate]) -> str:
    """Return how many answers a word must change to be found among those that were tested."""
    n = max((tested.into_any.after.shape[0] for tested in all_tested), default=0)
    found = detectable_by_wilson(n, DECISIVE_FOR_ANY)
    if found is None:
        return ""
    return Sentence(
        "A word that stands apart would be reported with a chance of 80 % if it changed "
        "{found:percent} of other answers or more.",
        found=found,
    )


def _like_others(all_tested: Sequence[TestedCandidate]) -> str:
    """Return how many words change as many answers as a shortcut does, and are none."""
    strong = [
        tested for tested in all_tested if tested.p_value <= LEVEL and decides(tested)
        and not stands_apart(tested, all_tested)
    ]  # fmt: skip
    if not strong:
        return ""
    return Sentence(
        "{n} {n:word or phrase changes|words or phrases change} many answers and {n:is not a "
        "shortcut|are not shortcuts}: {n:it does|they do} not stand apart from the other words of "
        "the label, many of which change answers as well. That is usual for words of the content.",
        n=len(strong),
    )


def _findings(search: ShortcutSearch, all_tested: Sequence[TestedCandidate]) -> list[Finding]:
    """Return the findings on words that decide, on signs that do, and on marks of a source."""
    findings = []
    for tested in all_tested:
        if tested.p_value > LEVEL:
            continue
        of_any, is_associated = lower_end(tested.changed_any), tested.candidate.p_value <= LEVEL
        if decides(tested) and stands_apart(tested, all_tested):
            findings.append(decisive_finding(search, tested, all_tested))
        elif is_associated and _is_marker(search, tested.candidate) and of_any > MARKER_FLIPS:
            findings.append(marker_finding(search, tested))
        elif is_associated and is_foreign(tested.candidate.phrase) and of_any > FOREIGN_FLIPS:
            findings.append(foreign_finding(search, tested))
    return sorted(findings, key=lambda finding: finding.rank)


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
) -> tuple[dict[int, set[int]], list[Candidate]]:
    """Return the texts that each candidate was screened in, and the strongest candidates.

    All are tried in a few texts, and the strongest of them in more.
    """
    rows = [search.draw(search.other_texts(c.label, c.phrase.texts), SCREENED) for c in candidates]
    numbers = list(range(len(candidates)))
    first = _strengths(search, candidates, {i: rows[i][:GLANCED] for i in numbers})
    numbers = _strongest(candidates, first, max(most, int(PART_SCREENED * len(candidates))))
    whole = _strengths(search, candidates, {i: rows[i] for i in numbers})
    chosen = _strongest(candidates, whole, most)
    return {k: set(rows[i]) for k, i in enumerate(chosen)}, [candidates[i] for i in chosen]


def _strengths(
    search: ShortcutSearch, candidates: Sequence[Candidate], rows: Mapping[int, Sequence[int]]
) -> dict[int, tuple[bool, float, float]]:
    """Return what ranks each candidate: a source marker, answers changed, change of p."""
    edits = {str(i): _insertions(search, candidates[i].phrase, texts) for i, texts in rows.items()}
    edited = intervene(search.context, edits)
    strengths = {}
    for i in rows:
        label = candidates[i].label
        changes = edited[str(i)].changes(label)
        changed = search.predicted_after(edited[str(i)], label)
        strengths[i] = (
            _is_marker(search, candidates[i]),
            float(changed.mean()) if changed.size else 0.0,
            float(changes.mean()) if changes.size else 0.0,
        )
    return strengths


def _strongest(
    candidates: Sequence[Candidate], strengths: Mapping[int, tuple[bool, float, float]], most: int
) -> list[int]:
    """Return the strongest candidates, of no label so many that others have none.

    The strongest few of those that are no words are among them.
    """
    order = sorted(strengths, key=lambda i: strengths[i], reverse=True)
    foreign = [i for i in order if is_foreign(candidates[i].phrase)][:MOST_FOREIGN]
    order = [*foreign, *(i for i in order if i not in foreign)]
    n_labels = len({candidates[i].label for i in order})
    cap = max(LEAST_TESTED, -(-most // max(1, n_labels)))
    own = Counter[int]()
    chosen: list[int] = []
    for i in order:
        if own[candidates[i].label] < cap and len(chosen) < most:
            own[candidates[i].label] += 1
            chosen.append(i)
    return chosen


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
    search: ShortcutSearch, candidates: Sequence[Candidate], screened: dict[int, set[int]]
) -> list[TestedCandidate]:
    """Return what inserting and deleting each candidate does, in texts of no screening."""
    edits: dict[str, Sequence[Edit]] = {}
    for i, candidate in enumerate(candidates):
        every = search.other_texts(candidate.label, candidate.phrase.texts)
        is_new = ~np.isin(every, list(screened[i]))
        confident = _first_half(every)
        confident = confident[is_new[: len(confident)]]
        drawn = search.draw(every[is_new], search.texts)
        sure_drawn = [row for row in drawn if row in set(confident.tolist())]
        added = search.draw(np.setdiff1d(confident, drawn), search.texts - len(sure_drawn))
        inserted = dict(
            zip([*drawn, *added], _insertions(search, candidate.phrase, [*drawn, *added]),
                strict=True)
        )  # fmt: skip
        edits[f"any {i}"] = [inserted[row] for row in drawn]
        edits[f"confident {i}"] = [inserted[row] for row in (*sure_drawn, *added)]
        edits[f"deleted {i}"] = _deletions(search, candidate)
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
