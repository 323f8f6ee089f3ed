"""Pairs of words whose order predicts a label, and what exchanging them does."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import LEVEL
from explain.checks.base.intervention import Edit, Intervention, intervene
from explain.checks.base.phrases import Corpus
from explain.checks.base.section_part import Part
from explain.checks.shortcuts.decisive_words import lower_end
from explain.checks.shortcuts.metrics import EXCHANGE
from explain.checks.shortcuts.search import ShortcutSearch, increase_p_value
from explain.checks.shortcuts.spurious_findings import SECTION
from explain.record import Finding, Measure, Sentence, Table
from explain.statistics.adjustments import benjamini_hochberg
from explain.statistics.comparisons import fisher
from explain.statistics.intervals import proportion
from explain.text.editing import replace_spans
from explain.text.spans import Text, text_of

__all__ = ["find_decisive_orders"]

MOST_WORDS = 200
"""Most frequent words of which each pair is tried: 19,900 pairs."""

MOST_LABELS = 5
"""Most frequent labels for which the order is tried."""

FEWEST = 5
"""Texts that must hold a pair in each of its orders: an exact test of fewer cannot be significant
among so many."""

MOST_TRIED = 5
"""Pairs whose words are exchanged, the most significant first."""

SMALLEST_FLIPS = 0.25
"""Share of the exchanges that must change the label as the order predicts, with the whole interval
above it. They change none in models that look at words alone, and in a transformer trained on SST-2
less than a tenth for any pair of words."""

MOST_OF_A_WORD = 2
"""Of those, how many may hold the same word: one that stands first or last pairs with all."""

MOST_EVIDENCE = 5

ORDER_DECIDES: Final = (
    "Word order alone decides the answer for {findings} of {orders} candidate "
    "{orders:pair|pairs} of words ({combinations} combinations of a pair and a label tested)."
)
ORDER_NEVER_DECIDES: Final = (
    "We found no two words whose order alone decides the answer ({orders} candidate "
    "{orders:pair|pairs}, out of {combinations} combinations of a pair and a label)."
)
NO_ORDER: Final = (
    "We found no two words whose order predicts a label ({combinations} combinations of a pair "
    "and a label tested)."
)


@dataclass(frozen=True)
class Order:
    """Two words in the order that predicts a label, by their numbers in the vocabulary."""

    first: int
    second: int
    label: int
    p_value: float
    """Of Fisher's exact test of order against label, adjusted for all pairs and labels."""
    texts: NDArray[np.int64]
    """Instances that hold both."""


def find_decisive_orders(search: ShortcutSearch) -> Part:
    """Return the pairs of words whose order predicts a label, and those that the model follows."""
    places = _first_places(search.corpus)
    n_combinations, orders = _orders(search, places)
    edited = intervene(
        search.context,
        {str(i): _exchanges(search, order, places) for i, order in enumerate(orders)},
    )
    effects = [_followed(search, edited[str(i)], order, places) for i, order in enumerate(orders)]
    p_values = benjamini_hochberg([increase_p_value(changes) for _, changes in effects])
    measures: list[Measure] = []
    order_findings: list[tuple[Order, Finding]] = []
    rows: list[tuple[str | int | float | Measure, ...]] = []
    for i, (order, (changed, _)) in enumerate(zip(orders, effects, strict=True)):
        label = search.context.model.labels[order.label]
        first, second = (search.corpus.vocabulary[w] for w in (order.first, order.second))
        share = proportion(
            EXCHANGE.name(label=label, first=first, second=second), int(changed.sum()), len(changed)
        )
        measures.append(share)
        rows.append(
            (first, second, label, len(order.texts), order.p_value, share, float(p_values[i]))
        )
        if p_values[i] <= LEVEL and lower_end(share) > SMALLEST_FLIPS:
            evidence = edited[str(i)].instances[changed][:MOST_EVIDENCE].tolist()
            finding = _finding((first, second), label, share, search, evidence)
            order_findings.append((order, finding))
    findings = _without_shared_words(order_findings)
    return Part(
        measures,
        [_table(rows)],
        findings,
        sentence=_summary(n_combinations, len(orders), len(findings)) if n_combinations else "",
        n_tried=len(orders),
    )


def _summary(n_combinations: int, n_orders: int, n_findings: int) -> str:
    template = ORDER_DECIDES if n_findings else ORDER_NEVER_DECIDES
    return Sentence(
        template if n_orders else NO_ORDER,
        findings=n_findings,
        orders=n_orders,
        combinations=n_combinations,
    )


def _first_places(corpus: Corpus) -> dict[int, NDArray[np.int64]]:
    """Return where each of the most frequent words first stands in each text; -1 where nowhere."""
    order = np.lexsort((np.arange(len(corpus.vocabulary)), -corpus.frequencies))[:MOST_WORDS]
    places = {}
    for word in order.tolist():
        first_places = np.full(len(corpus.instances), -1, dtype=np.int64)
        at = np.flatnonzero(corpus.words == word)[::-1]
        first_places[corpus.owners[at]] = at
        places[word] = first_places
    return places


def _orders(
    search: ShortcutSearch, places: dict[int, NDArray[np.int64]]
) -> tuple[int, list[Order]]:
    """Return how many pairs and labels were tested, and the most significant pairs."""
    if not places:
        return 0, []
    words, table = list(places), np.array(list(places.values()))
    counts = search.predicted.sum(axis=0)
    labels = np.argsort(-counts, kind="stable")[:MOST_LABELS]
    labels = labels[(counts[labels] > 0) & (counts[labels] < len(search.predicted))]
    predicted = search.predicted[:, labels].astype(np.float32)
    first, second, cells = [], [], []
    for i in range(len(words)):
        both = (table[i] >= 0) & (table >= 0)
        before = both & (table[i] < table)
        n, n_before = both.sum(axis=1), before.sum(axis=1)
        fit = np.flatnonzero(np.minimum(n_before, n - n_before) >= FEWEST)
        fit = fit[fit != i]
        if fit.size:
            both_hits = both[fit].astype(np.float32) @ predicted
            hits = before[fit].astype(np.float32) @ predicted
            first.append(np.full(len(fit), i))
            second.append(fit)
            cells.append(
                np.stack([hits, np.repeat(n[fit][:, None], len(labels), 1), both_hits,
                          np.repeat(n_before[fit][:, None], len(labels), 1)])
            )  # fmt: skip
    if not cells:
        return 0, []
    hits, n, both_hits, n_before = np.concatenate(cells, axis=1)
    promising = hits / n_before > both_hits / n
    p_values = np.ones(hits.shape)
    p_values[promising] = fisher(
        hits[promising], n_before[promising], both_hits[promising], n[promising]
    )
    tested = p_values.size
    p_values = benjamini_hochberg(p_values)
    firsts, seconds = np.concatenate(first), np.concatenate(second)
    best = np.argsort(p_values, axis=None, kind="stable")
    orders: dict[frozenset[int], Order] = {}
    uses: Counter[int] = Counter()
    for pair, column in zip(*np.unravel_index(best, p_values.shape), strict=True):
        a, b = words[firsts[pair]], words[seconds[pair]]
        if p_values[pair, column] > LEVEL or len(orders) == MOST_TRIED:
            break
        if frozenset((a, b)) not in orders and max(uses[a], uses[b]) < MOST_OF_A_WORD:
            both = np.flatnonzero((places[a] >= 0) & (places[b] >= 0))
            orders[frozenset((a, b))] = Order(
                a, b, int(labels[column]), float(p_values[pair, column]), both
            )
            uses.update((a, b))
    return tested, list(orders.values())


def _exchanges(
    search: ShortcutSearch, order: Order, places: dict[int, NDArray[np.int64]]
) -> list[Edit]:
    """Return the texts in which the exchange should change the label, exchanged."""
    texts = order.texts
    before = places[order.first][texts] < places[order.second][texts]
    # In its order the label should go, in the other one it should come.
    rows = texts[before == search.predicted[texts, order.label]]
    return [
        (row, _exchange_words(search, row, places[order.first][row], places[order.second][row]))
        for row in search.draw(rows, search.texts)
    ]


def _exchange_words(search: ShortcutSearch, row: int, first: int, second: int) -> Text:
    parts = search.instance(row).parts
    spans = [search.corpus.spans[place] for place in (first, second)]
    words = [parts[span.part][span.start : span.end] for span in spans]
    return text_of(replace_spans(parts, list(zip(spans, words[::-1], strict=True))))


def _followed(
    search: ShortcutSearch, edited: Intervention, order: Order, places: dict[int, NDArray[np.int64]]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return which exchanges change the label, and how far p moves, as the order predicts."""
    rows = edited.instances
    leaves = places[order.first][rows] < places[order.second][rows]
    changed = search.predicted_after(edited, order.label) != leaves
    changes = edited.changes(order.label)
    return changed, np.where(leaves, -changes, changes)


def _without_shared_words(order_findings: list[tuple[Order, Finding]]) -> list[Finding]:
    """Return the findings, of those that share a word the clearest: an exchange moves both."""
    findings: list[Finding] = []
    used: set[int] = set()
    for order, finding in sorted(order_findings, key=lambda pair: -lower_end(pair[1].measure)):
        if used.isdisjoint((order.first, order.second)):
            findings.append(finding)
        used.update((order.first, order.second))
    return findings


def _finding(
    words: tuple[str, str],
    label: str,
    share: Measure,
    search: ShortcutSearch,
    rows: list[int],
) -> Finding:
    first, second = words
    return Finding(
        code="shortcuts.order",
        subject=f"{first} {second}",
        claim=Sentence(
            "The order of {first:quoted} and {second:quoted} decides whether the answer is "
            "{label:quoted}. We exchanged the two words in {share.n} {share.n:text|texts}, and "
            "nothing else; {share} of the answers changed as the order predicts.",
            first=first,
            second=second,
            label=label,
            share=share,
        ),
        severity="critical",
        size=share.distance_from(0),
        measure=share,
        evidence=(SECTION, *(search.instance(row).id for row in rows)),
        suggestion="Decide whether this order carries the meaning. If it does not, look for it in "
        "the training texts, remove or balance it, and train again.",
    )


def _table(rows: list[tuple[str | int | float | Measure, ...]]) -> Table:
    return Table(
        title="Words whose order predicts a label",
        columns=("first word", "second word", "label", "texts with both words",
                 "order and label: adjusted p", "exchanged: answers changed as the order predicts",
                 "exchanged: adjusted p"),
        rows=tuple(rows),
        note="The words are exchanged in texts that have the label with the first word before the "
        "second, and in texts without the label that have the second word before the first.",
    )  # fmt: skip
