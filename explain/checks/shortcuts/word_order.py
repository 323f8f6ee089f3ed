"""Pairs of words whose order predicts a label, and what exchanging them does."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import LEVEL
from explain.checks.base.intervention import Edit, Intervention, intervene
from explain.checks.base.part import Part
from explain.checks.base.phrases import Corpus
from explain.checks.shortcuts.metrics import EXCHANGE
from explain.checks.shortcuts.search import ShortcutSearch, moved
from explain.checks.shortcuts.spurious_findings import SECTION
from explain.record import Finding, Measure, Table
from explain.record.wording import estimated
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
"""Share of the exchanges that must turn the label as the order predicts, with the whole interval
above it. Models that look at words alone turn none, and a transformer trained on SST-2 turns less
than a tenth for any pair of words."""

MOST_OF_A_WORD = 2
"""Of those, how many may hold the same word: one that stands first or last pairs with all."""

MOST_EVIDENCE = 5


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


def find_decisive_orders(ground: ShortcutSearch) -> Part:
    """Return the pairs of words whose order predicts a label, and those that the model follows."""
    places = _first_places(ground.corpus)
    tried, orders = _orders(ground, places)
    done = intervene(
        ground.context,
        {str(i): _exchanges(ground, order, places) for i, order in enumerate(orders)},
    )
    hits = [_followed(ground, done[str(i)], order, places) for i, order in enumerate(orders)]
    p_values = benjamini_hochberg([moved(change) for _, change in hits])
    measures: list[Measure] = []
    findings: list[tuple[Order, Finding]] = []
    rows: list[tuple[str | int | float | Measure, ...]] = []
    for i, (order, (turned, _)) in enumerate(zip(orders, hits, strict=True)):
        label = ground.context.model.labels[order.label]
        first, second = (ground.corpus.vocabulary[w] for w in (order.first, order.second))
        measure = proportion(
            EXCHANGE.name(label=label, first=f"“{first}”", second=f"“{second}”"),
            int(turned.sum()),
            len(turned),
        )
        measures.append(measure)
        rows.append(
            (first, second, label, len(order.texts), order.p_value, measure, float(p_values[i]))
        )
        if p_values[i] <= LEVEL and (measure.lower or 0) > SMALLEST_FLIPS:
            ids = done[str(i)].instances[turned][:MOST_EVIDENCE].tolist()
            findings.append((order, _finding(first, second, label, measure, ground, ids)))
    kept = _apart(findings)
    sentence = f"Of {tried:,} pairs of words and labels, the order predicts a label in "
    sentence += f"{len(orders)} that were tried; the model follows it in {len(kept)}."
    return Part(
        measures,
        [_table(rows)],
        kept,
        sentence=sentence if tried else "",
        tried=len(orders),
    )


def _first_places(corpus: Corpus) -> dict[int, NDArray[np.int64]]:
    """Return where each of the most frequent words first stands in each text; -1 where nowhere."""
    order = np.lexsort((np.arange(len(corpus.vocabulary)), -corpus.frequencies))[:MOST_WORDS]
    places = {}
    for word in order.tolist():
        found = np.full(len(corpus.instances), -1, dtype=np.int64)
        at = np.flatnonzero(corpus.words == word)[::-1]
        found[corpus.owners[at]] = at
        places[word] = found
    return places


def _orders(
    ground: ShortcutSearch, places: dict[int, NDArray[np.int64]]
) -> tuple[int, list[Order]]:
    """Return how many pairs and labels were tested, and the most significant pairs."""
    if not places:
        return 0, []
    words, table = list(places), np.array(list(places.values()))
    counts = ground.said.sum(axis=0)
    labels = np.argsort(-counts, kind="stable")[:MOST_LABELS]
    labels = labels[(counts[labels] > 0) & (counts[labels] < len(ground.said))]
    said = ground.said[:, labels].astype(np.float32)
    first, second, cells = [], [], []
    for i in range(len(words)):
        both = (table[i] >= 0) & (table >= 0)
        before = both & (table[i] < table)
        n, n_before = both.sum(axis=1), before.sum(axis=1)
        fit = np.flatnonzero(np.minimum(n_before, n - n_before) >= FEWEST)
        fit = fit[fit != i]
        if fit.size:
            own = both[fit].astype(np.float32) @ said
            hits = before[fit].astype(np.float32) @ said
            first.append(np.full(len(fit), i))
            second.append(fit)
            cells.append(
                np.stack([hits, np.repeat(n[fit][:, None], len(labels), 1), own,
                          np.repeat(n_before[fit][:, None], len(labels), 1)])
            )  # fmt: skip
    if not cells:
        return 0, []
    hits, n, own, n_before = np.concatenate(cells, axis=1)
    promising = hits / n_before > own / n
    p_values = np.ones(hits.shape)
    p_values[promising] = fisher(hits[promising], n_before[promising], own[promising], n[promising])
    tested = p_values.size
    p_values = benjamini_hochberg(p_values)
    one, other = np.concatenate(first), np.concatenate(second)
    best = np.argsort(p_values, axis=None, kind="stable")
    found: dict[frozenset[int], Order] = {}
    uses: Counter[int] = Counter()
    for pair, column in zip(*np.unravel_index(best, p_values.shape), strict=True):
        a, b = words[one[pair]], words[other[pair]]
        if p_values[pair, column] > LEVEL or len(found) == MOST_TRIED:
            break
        if frozenset((a, b)) not in found and max(uses[a], uses[b]) < MOST_OF_A_WORD:
            both = np.flatnonzero((places[a] >= 0) & (places[b] >= 0))
            found[frozenset((a, b))] = Order(
                a, b, int(labels[column]), float(p_values[pair, column]), both
            )
            uses.update((a, b))
    return tested, list(found.values())


def _exchanges(
    ground: ShortcutSearch, order: Order, places: dict[int, NDArray[np.int64]]
) -> list[Edit]:
    """Return the texts in which the exchange should change the label, exchanged."""
    texts = order.texts
    before = places[order.first][texts] < places[order.second][texts]
    # In its order the label should go, in the other one it should come.
    rows = texts[before == ground.said[texts, order.label]]
    return [
        (row, _exchanged(ground, row, places[order.first][row], places[order.second][row]))
        for row in ground.drawn(rows, ground.texts)
    ]


def _exchanged(ground: ShortcutSearch, row: int, first: int, second: int) -> Text:
    parts = ground.instance(row).parts
    spans = [ground.corpus.spans[place] for place in (first, second)]
    words = [parts[span.part][span.start : span.end] for span in spans]
    return text_of(replace_spans(parts, list(zip(spans, words[::-1], strict=True))))


def _followed(
    ground: ShortcutSearch, done: Intervention, order: Order, places: dict[int, NDArray[np.int64]]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return which exchanges turn the label, and by how much p moves, as the order predicts."""
    rows = done.instances
    leaves = places[order.first][rows] < places[order.second][rows]
    turned = ground.becomes(done, order.label) != leaves
    changes = done.changes(order.label)
    return turned, np.where(leaves, -changes, changes)


def _apart(findings: list[tuple[Order, Finding]]) -> list[Finding]:
    """Return the findings, of those that share a word the clearest: an exchange moves both."""
    kept: list[Finding] = []
    used: set[int] = set()
    for order, finding in sorted(findings, key=lambda one: -_lower(one[1])):
        if used.isdisjoint((order.first, order.second)):
            kept.append(finding)
        used.update((order.first, order.second))
    return kept


def _lower(finding: Finding) -> float:
    return 0.0 if finding.measure is None else finding.measure.lower or 0.0


def _finding(
    first: str, second: str, label: str, measure: Measure, ground: ShortcutSearch, rows: list[int]
) -> Finding:
    return Finding(
        claim=f"Whether “{first}” stands before “{second}” decides about {label!r}: exchanging the "
        f"two words alone turns {estimated(measure)} of the texts as their order predicts "
        f"(n = {measure.n:,}).",
        severity="critical",
        measure=measure,
        evidence=(SECTION, *(ground.instance(row).id for row in rows)),
        suggestion="Decide whether this order carries the meaning. If not, look for it in the "
        "training texts, remove or balance it, and train anew.",
    )


def _table(rows: list[tuple[str | int | float | Measure, ...]]) -> Table:
    return Table(
        title="Words whose order predicts a label",
        columns=("first", "second", "label", "texts with both", "order against label: p, adjusted",
                 "exchanged: turned as the order predicts", "p, adjusted"),
        rows=tuple(rows),
        note="Exchanged in the texts that have the label with the first word before the second, "
        "and in those that lack it with the second before the first.",
    )  # fmt: skip
