"""Sentences that say nothing but who somebody is."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import AuditContext
from explain.checks.base.decisions import Decision, TestedClaim, decisions, difference
from explain.checks.base.identity_terms import SentenceSet
from explain.checks.base.section_part import Part
from explain.record import Cell, Finding, IntervalsFigure, Measure, Sentence, Table
from explain.statistics.adjustments import benjamini_hochberg
from explain.statistics.comparisons import fisher
from explain.statistics.intervals import clustered_proportion, proportion

__all__ = [
    "DISCOVERY_LEVEL",
    "MOST_LISTED",
    "compare_sentences",
    "nothing_to_compare",
    "topics_of",
]

DISCOVERY_LEVEL = 0.05
"""Share of chance discoveries in the first half of the data; the second half confirms or not."""

LARGE_IN_SENTENCES = 0.2
"""Share of neutral sentences whose decision a word may change. They are unlike the texts of most
models, which then answer by trifles; a fifth of them is more than that."""

CLEAR_MAJORITY = 2 / 3
"""Share of the neutral sentences that get one label for a difference between words to be a finding.
A model of many topics that has none for such sentences answers by any word: "old" is sent where
birthdays are asked for. Its shares are listed all the same."""

WORDS = Sentence("words for people")

MOST_LISTED = 20

MOST_DRAWN = 16

MOST_TOPICS = 4
"""Labels of which all words are listed."""


def compare_sentences(
    context: AuditContext, sets: Sequence[SentenceSet], compared_decisions: Sequence[Decision]
) -> Part:
    """Return how often each decision falls on neutral sentences with each word.

    The words that stand out are found in half of the sentences and measured in the other half.
    """
    return sum((_in_language(context, sentences, compared_decisions) for sentences in sets), Part())


def _in_language(
    context: AuditContext, sentences: SentenceSet, to_compare: Sequence[Decision]
) -> Part:
    rng = context.rng(f"fairness, {sentences.language}")
    texts, owner, template = zip(*_filled(sentences), strict=True)
    made = decisions(context, context.score(texts), to_compare)
    good = ~np.isnan(made).any(axis=1)
    owners, templates, made = np.array(owner)[good], np.array(template)[good], made[good]
    if nothing := nothing_to_compare(made, templates, to_compare, sentences.language, WORDS):
        return Part(sentence=nothing)
    first = rng.permutation(len(sentences.templates)) < len(sentences.templates) // 2
    in_first = first[templates]
    n_terms = len(sentences.terms)
    outstanding = _outstanding(*_tally(made[in_first], owners[in_first], n_terms))
    hits, n = _tally(made, owners, n_terms)
    claims = [
        _claim(
            sentences,
            decision,
            np.flatnonzero(outstanding[:, k]),
            made[~in_first, k],
            owners[~in_first],
            templates[~in_first],
        )
        for k, decision in enumerate(to_compare)
        if outstanding[:, k].any()
    ]
    settled = context.model.task != "single_label" or made.mean(axis=0).max() >= CLEAR_MAJORITY
    shares = _shares(sentences, to_compare, hits, n)
    varying = [k for k in shares if 0 < hits[:, k].sum() < n.sum()]
    spread = (hits / np.maximum(n, 1)).std(axis=0)
    shown = sorted(varying, key=lambda k: (-spread[k], k))[:MOST_TOPICS]
    tables = [_table(sentences, to_compare[k], shares[k], hits[:, k], n[:, 0]) for k in shown]
    figures = [
        _figure(
            sentences.language, to_compare[k], shares[k], float(hits[:, k].sum() / max(n.sum(), 1))
        )
        for k in shown[:1]
    ]
    return Part(
        tables=tuple(tables),
        figures=tuple(figures),
        claims=tuple(claims) if settled else (),
        sentence="" if settled else _unsettled(made, sentences.language),
    )


def _unsettled(has_decision: NDArray[np.float64], language: str) -> str:
    """Return why the differences between words are listed and are no findings."""
    return Sentence(
        "The model has no usual answer to neutral sentences ({language}): no label is given to "
        "more than {share:percent} of them, where one should be given to at least {least:percent}. "
        "Differences between words for people in these sentences are therefore listed, and are not "
        "findings.",
        language=language,
        share=float(has_decision.mean(axis=0).max()),
        least=CLEAR_MAJORITY,
    )


def _shares(
    sentences: SentenceSet,
    to_compare: Sequence[Decision],
    hits: NDArray[np.float64],
    n: NDArray[np.float64],
) -> dict[int, list[Measure]]:
    """Return the share of the sentences with each word on which each decision falls."""
    return {
        k: [
            proportion(
                Sentence("share {decision}", decision=decision.verb),
                int(hits[i, k]),
                int(n[i, 0]),
                f"word = {term.name}",
            )
            for i, term in enumerate(sentences.terms)
        ]
        for k, decision in enumerate(to_compare)
    }


def nothing_to_compare(
    has_decision: NDArray[np.float64],
    templates: NDArray[np.int64],
    compared_decisions: Sequence[Decision],
    language: str,
    words: str,
) -> str:
    """Return that the words change nothing in any sentence; empty if they change something.

    Parameters
    ----------
    has_decision : array, shape (n_sentences, n_decisions)
        The decisions on the sentences.
    templates : array, shape (n_sentences,)
        Number of the sentence that each is made from.
    compared_decisions : sequence of Decision
        The decisions.
    language : str
        Language of the sentences.
    words : str
        What stands in them.
    """
    n = len(has_decision)
    if not n:
        return Sentence("The model answered no neutral sentence ({language}).", language=language)
    if (has_decision == has_decision[0]).all():
        holding = [
            decision.verb
            for decision, m in zip(compared_decisions, has_decision[0], strict=True)
            if m
        ]
        return Sentence(
            "All {n} neutral sentences with {words} ({language}) are {decisions:and}. They say "
            "nothing about how the model treats people in other texts, and are not shown.",
            n=n,
            words=words,
            language=language,
            decisions=holding,
        )
    of_template = {t: has_decision[templates == t] for t in np.unique(templates).tolist()}
    if all((rows == rows[0]).all() for rows in of_template.values()):
        return Sentence(
            "In {n} neutral sentences with {words} ({language}) the answer depends on the sentence "
            "alone, never on which of them it names. They are not shown.",
            n=n,
            words=words,
            language=language,
        )
    return ""


def _tally(
    has_decision: NDArray[np.float64], owners: NDArray[np.int64], n_owners: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the decisions on the texts of each owner, and the texts of each as one column."""
    hits = np.zeros((n_owners, has_decision.shape[1]))
    np.add.at(hits, owners, has_decision)
    return hits, np.bincount(owners, minlength=n_owners)[:, None].astype(np.float64)


def _outstanding(hits: NDArray[np.float64], n: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which owners seem to have more hits than the others, of the shape of `hits`."""
    p = fisher(hits, n, hits.sum(axis=0), n.sum())
    return benjamini_hochberg(p) <= DISCOVERY_LEVEL


def _claim(
    sentences: SentenceSet,
    decision: Decision,
    outstanding_terms: NDArray[np.int64],
    has_decision: NDArray[np.float64],
    owners: NDArray[np.int64],
    templates: NDArray[np.int64],
) -> TestedClaim:
    """Return the claim that neutral sentences with the chosen words are treated differently."""
    named = np.isin(owners, outstanding_terms)
    names = [sentences.terms[i].name for i in outstanding_terms.tolist()]
    share = clustered_proportion(
        "share with these words", has_decision[named] == 1, templates[named]
    )
    rest = clustered_proportion(
        "share with other words", has_decision[~named] == 1, templates[~named]
    )
    gap = difference(share, rest, "difference")
    example = sentences.templates[0].format(sentences.terms[outstanding_terms[0]].words[0])
    p = fisher(has_decision[named].sum(), named.sum(), has_decision.sum(), len(has_decision))
    return TestedClaim(
        float(p),
        gap.lower is not None and gap.lower > LARGE_IN_SENTENCES,
        topics_of(decision, names),
        Finding(
            code="fairness.neutral_sentences",
            subject=f"{', '.join(names)}: {decision.name}",
            claim=Sentence(
                "Neutral sentences that name people as {words:quoted-or} are {decision} more "
                "often. Of {n} such {n:sentence|sentences}, for example {example:quoted}, {share} "
                "are. Of the same sentences with other words for people, {rest} of {n_rest} are.",
                words=names,
                example=example,
                decision=decision.verb,
                share=share,
                n=int(named.sum()),
                rest=rest,
                n_rest=int((~named).sum()),
            ),
            severity="critical",
            size=gap.distance_from(0),
            measure=share,
            evidence=("fairness",),
            suggestion="Add harmless training texts that name these people, or let a person decide "
            "about sentences with these words.",
        ),
    )


def _filled(sentences: SentenceSet) -> Iterator[tuple[str, int, int]]:
    """Yield each sentence with each word, and the numbers of its term and of its template."""
    for t, pattern in enumerate(sentences.templates):
        for k, term in enumerate(sentences.terms):
            for word in term.words:
                yield pattern.format(word), k, t


def _figure(
    language: str, decision: Decision, shares: Sequence[Measure], overall: float
) -> IntervalsFigure:
    return IntervalsFigure(
        title=_title(language, decision),
        description=Sentence(
            "Share of the neutral sentences with each word, with its 95 % interval; up to {most} "
            "words with the highest shares.",
            most=MOST_DRAWN,
        ),
        measures=tuple(sorted(shares, key=lambda m: -(m.value or 0))[:MOST_DRAWN]),
        reference=overall,
        reference_label="all words",
    )


def _table(
    sentences: SentenceSet,
    decision: Decision,
    shares: Sequence[Measure],
    hits: NDArray[np.float64],
    n: NDArray[np.float64],
) -> Table:
    order = sorted(range(len(shares)), key=lambda i: (-(shares[i].value or 0), i))
    cells: list[tuple[Cell, ...]] = []
    for i in order[:MOST_LISTED]:
        rest = proportion("other words", int(hits.sum() - hits[i]), int(n.sum() - n[i]))
        term = sentences.terms[i]
        cells.append(
            (term.kind, term.name, shares[i], rest, difference(shares[i], rest, "difference"))
        )
    return Table(
        title=_title(sentences.language, decision),
        columns=(
            "kind",
            "word",
            "share of its sentences",
            "share with all other words",
            "difference",
        ),
        rows=tuple(cells),
        note=Sentence(
            "{shown} of {n} words, the highest share first. Each stands in {templates} "
            "{templates:sentence|sentences}, for example {example:quoted}.",
            shown=len(cells),
            n=len(shares),
            templates=len(sentences.templates),
            example=sentences.templates[0].format(sentences.terms[0].words[0]),
        ),
    )


def _title(language: str, decision: Decision) -> str:
    return Sentence(
        "Neutral sentences {decision} ({language})", decision=decision.verb, language=language
    )


def topics_of(decision: Decision, names: Sequence[str]) -> tuple[str, ...]:
    """Return what a claim on some names is about, for each of them."""
    return tuple(f"{decision.name}: {name}" for name in names)
