"""Sentences that say nothing but who somebody is."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import AuditContext
from explain.checks.base.decisions import Decision, TestedClaim, decisions, difference
from explain.checks.base.identity_terms import SentenceSet
from explain.checks.base.part import Part
from explain.record import Cell, Finding, IntervalsFigure, Measure, Table
from explain.record.wording import estimated, listed
from explain.statistics.adjustments import benjamini_hochberg
from explain.statistics.comparisons import fisher
from explain.statistics.intervals import clustered_proportion, proportion

__all__ = ["DISCOVERY_LEVEL", "MOST_LISTED", "in_sentences", "quoted_list", "topics_of"]

DISCOVERY_LEVEL = 0.05
"""Share of chance discoveries in the first half of the data; the second half confirms or not."""

LARGE_IN_SENTENCES = 0.2
"""Share of neutral sentences that a word may turn. They are unlike the texts of most models, which
then answer by trifles; a fifth of them is more than that."""

SETTLED = 2 / 3
"""Share of the neutral sentences that get one label for a difference between words to be a finding.
A model of many topics that has none for such sentences answers by any word: "old" is sent where
birthdays are asked for. Its shares are listed all the same."""

MOST_LISTED = 20

MOST_DRAWN = 16

MOST_TOPICS = 4
"""Labels of which all words are listed."""


def in_sentences(
    context: AuditContext, sets: Sequence[SentenceSet], wanted: Sequence[Decision]
) -> Part:
    """Return how often each decision falls on neutral sentences with each word.

    The words that stand out are found in half of the sentences and measured in the other half.
    """
    parts = [_in_language(context, own, wanted) for own in sets]
    return sum(parts, Part())


def _in_language(context: AuditContext, sentences: SentenceSet, wanted: Sequence[Decision]) -> Part:
    rng = context.rng(f"fairness, {sentences.language}")
    texts, owner, template = zip(*_filled(sentences), strict=True)
    made = decisions(context, context.score(texts), wanted)
    good = ~np.isnan(made).any(axis=1)
    owners, templates, made = np.array(owner)[good], np.array(template)[good], made[good]
    first = rng.permutation(len(sentences.templates)) < len(sentences.templates) // 2
    known = first[templates]
    n_namings = len(sentences.namings)
    found = _outstanding(*_tally(made[known], owners[known], n_namings))
    hits, n = _tally(made, owners, n_namings)
    claims = [
        _of_sentences(
            sentences,
            outcome,
            np.flatnonzero(found[:, k]),
            made[~known, k],
            owners[~known],
            templates[~known],
        )
        for k, outcome in enumerate(wanted)
        if found[:, k].any()
    ]
    settled = context.model.task != "single_label" or made.mean(axis=0).max() >= SETTLED
    names = [naming.name for naming in sentences.namings]
    shares = {
        k: [
            proportion(f"share {outcome.verb}", int(hits[i, k]), int(n[i, 0]), f"naming {names[i]}")
            for i in range(n_namings)
        ]
        for k, outcome in enumerate(wanted)
    }
    moved = [k for k in shares if 0 < hits[:, k].sum() < n.sum() or len(wanted) <= 2]
    spread = (hits / np.maximum(n, 1)).std(axis=0)
    listed_outcomes = sorted(moved, key=lambda k: (-spread[k], k))[:MOST_TOPICS]
    tables = [
        _sentence_table(sentences, wanted[k], shares[k], hits[:, k], n[:, 0])
        for k in listed_outcomes
    ]
    figures = [
        _sentence_figure(
            sentences.language, wanted[k], shares[k], float(hits[:, k].sum() / max(n.sum(), 1))
        )
        for k in listed_outcomes[:1]
    ]
    return Part(
        tables=tuple(tables), figures=tuple(figures), claims=tuple(claims) if settled else ()
    )


def _tally(
    made: NDArray[np.float64], owners: NDArray[np.int64], n_owners: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the decisions on the texts of each owner, and the texts of each as one column."""
    hits = np.zeros((n_owners, made.shape[1]))
    np.add.at(hits, owners, made)
    return hits, np.bincount(owners, minlength=n_owners)[:, None].astype(np.float64)


def _outstanding(hits: NDArray[np.float64], n: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which owners seem to have more hits than the others, of the shape of `hits`."""
    p = fisher(hits, n, hits.sum(axis=0), n.sum())
    return benjamini_hochberg(p) <= DISCOVERY_LEVEL


def _of_sentences(
    sentences: SentenceSet,
    outcome: Decision,
    chosen: NDArray[np.int64],
    made: NDArray[np.float64],
    owners: NDArray[np.int64],
    templates: NDArray[np.int64],
) -> TestedClaim:
    """Return the claim that neutral sentences with the chosen words are treated differently."""
    own = np.isin(owners, chosen)
    names = [sentences.namings[i].name for i in chosen.tolist()]
    one = clustered_proportion("share with these words", made[own] == 1, templates[own])
    rest = clustered_proportion("share with other words", made[~own] == 1, templates[~own])
    gap = difference(one, rest, "difference")
    p = fisher(*map(np.array, (made[own].sum(), own.sum(), made.sum(), len(made))))
    return TestedClaim(
        float(p),
        gap.lower is not None and gap.lower > LARGE_IN_SENTENCES,
        topics_of(outcome, names),
        Finding(
            claim=f"Of neutral sentences that call people {quoted_list(names)}, {estimated(one)} "
            f"are {outcome.verb}; of the same sentences with other words for people "
            f"{estimated(rest)} (n = {int(own.sum()):,} and {int((~own).sum()):,} sentences).",
            severity="critical",
            measure=one,
            evidence=("fairness",),
            suggestion="Add harmless training texts that name these people, or have sentences "
            "with these words decided by a person.",
        ),
    )


def _filled(sentences: SentenceSet) -> Iterator[tuple[str, int, int]]:
    """Yield each sentence with each word, and the numbers of its naming and of its template."""
    for t, pattern in enumerate(sentences.templates):
        for k, naming in enumerate(sentences.namings):
            for word in naming.words:
                yield pattern.format(word), k, t


def _sentence_figure(
    language: str, outcome: Decision, shares: Sequence[Measure], overall: float
) -> IntervalsFigure:
    return IntervalsFigure(
        title=f"Neutral sentences {outcome.verb} ({language})",
        description=f"Share of the neutral sentences with each of the {MOST_DRAWN} words that "
        "have most of them, with its 95 % interval.",
        measures=tuple(sorted(shares, key=lambda m: -(m.value or 0))[:MOST_DRAWN]),
        reference=overall,
        reference_label="all words",
    )


def _sentence_table(
    sentences: SentenceSet,
    outcome: Decision,
    shares: Sequence[Measure],
    hits: NDArray[np.float64],
    n: NDArray[np.float64],
) -> Table:
    order = sorted(range(len(shares)), key=lambda i: (-(shares[i].value or 0), i))
    cells: list[tuple[Cell, ...]] = []
    for i in order[:MOST_LISTED]:
        rest = proportion("other words", int(hits.sum() - hits[i]), int(n.sum() - n[i]))
        naming = sentences.namings[i]
        cells.append(
            (naming.kind, naming.name, shares[i], rest, difference(shares[i], rest, "difference"))
        )
    return Table(
        title=f"Neutral sentences {outcome.verb} ({sentences.language})",
        columns=(
            "kind",
            "word",
            "share of its sentences",
            "of those with other words",
            "difference",
        ),
        rows=tuple(cells),
        note=f"{len(cells)} of {len(shares)} words, those with the highest share first; each "
        f"stands in {len(sentences.templates)} sentences such as "
        f"“{sentences.templates[0].format(sentences.namings[0].words[0])}”.",
    )


def topics_of(outcome: Decision, names: Sequence[str]) -> tuple[str, ...]:
    """Return what a claim on some names is about, for each of them."""
    return tuple(f"{outcome.name}: {name}" for name in names)


def quoted_list(names: Sequence[str]) -> str:
    """Return names in quotation marks, as a list in a sentence."""
    return listed([f"“{name}”" for name in names])
