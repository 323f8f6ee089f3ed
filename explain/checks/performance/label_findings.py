"""Findings on single labels: those that are never answered, and those that are exchanged."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from explain.checks.base import LEVEL
from explain.checks.performance.metrics import RECALL
from explain.record import Finding, Sentence, join_sentences
from explain.statistics.adjustments import benjamini_hochberg
from explain.statistics.intervals import proportion

__all__ = ["dead_labels", "swapped_labels"]

FEWEST_GIVEN = 20
"""Rows of a label below which it is not tested whether the model answers it at all."""

DEAD_RECALL = 0.2
"""A label that is found in fewer than a fifth of its texts is of no use to anybody."""

DEAD_PREDICTIONS = 0.1
"""And it is dead, rather than hard to tell, if it is predicted less than a tenth as often as
given."""


def dead_labels(
    section: str,
    labels: Sequence[str],
    hits: Sequence[int],
    label_counts: Sequence[int],
    prediction_counts: Sequence[int],
) -> list[Finding]:
    """Return a finding on labels that are given, and hardly ever predicted.

    Parameters
    ----------
    section : str
        Id of the section.
    labels : sequence of str
        The labels.
    hits, label_counts, prediction_counts : sequence of int
        How often each is rightly predicted, given, and predicted.
    """
    rows = zip(labels, hits, label_counts, prediction_counts, strict=True)
    tested = [row for row in rows if row[2] >= FEWEST_GIVEN]
    if not tested:
        return []
    p = [
        stats.binomtest(right, n, DEAD_RECALL, alternative="less").pvalue
        for _, right, n, _ in tested
    ]
    dead = [
        row
        for row, sure in zip(tested, benjamini_hochberg(p) <= LEVEL, strict=True)
        if sure and row[3] < DEAD_PREDICTIONS * row[2]
    ]
    if not dead:
        return []
    dead.sort(key=lambda row: -row[2])
    label, right, n, predictions = dead[0]
    recall = proportion(RECALL.name(label=label), right, n)
    return [
        Finding(
            code="performance.dead_label",
            subject=label,
            claim=join_sentences(
                Sentence(
                    "The model hardly ever answers {label:quoted}: {predictions} "
                    "{predictions:time|times}, "
                    "although {n} texts have that label. It finds {recall} of them.",
                    label=label,
                    predictions=predictions,
                    n=n,
                    recall=recall,
                ),
                _more_dead([row[0] for row in dead[1:]]),
            ),
            severity="critical",
            size=recall.distance_from(1),
            measure=recall,
            evidence=(section,),
            suggestion="Check that the label occurs in the training data under this name, and "
            "train on more texts of it. Until then the model cannot be used for this label.",
        )
    ]


def _more_dead(labels: Sequence[str]) -> str:
    if not labels:
        return ""
    return Sentence(
        "The same holds for {n} more {n:label|labels}: {labels:quoted-and}.",
        n=len(labels),
        labels=labels,
    )


def swapped_labels(section: str, labels: Sequence[str], counts: NDArray[np.int64]) -> list[Finding]:
    """Return a finding on pairs of labels of which each is mostly predicted as the other.

    Each of the two must be predicted as the other more often than as itself, by the exact sign
    test.
    """
    exchanged = _exchanged_pairs(counts)
    if not exchanged:
        return []
    crossed, i, j = exchanged[0]
    n = int(counts[[i, j]].sum())
    name = Sentence("{first} and {second} answered in exchange", first=labels[i], second=labels[j])
    share = proportion(name, crossed, n)
    return [
        Finding(
            code="performance.exchanged_labels",
            subject=f"{labels[i]} and {labels[j]}",
            claim=join_sentences(
                Sentence(
                    "The labels {first:quoted} and {second:quoted} are exchanged: for {share} of "
                    "their {share.n} texts the model answers the other one.",
                    first=labels[i],
                    second=labels[j],
                    share=share,
                ),
                _more_swapped([(labels[a], labels[b]) for _, a, b in exchanged[1:]]),
            ),
            severity="critical",
            size=share.distance_from(0),
            measure=share,
            evidence=(section,),
            suggestion="Correct the order of the labels in the model's configuration, or in the "
            "table.",
        )
    ]


def _exchanged_pairs(counts: NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """Return the texts that were crossed and the two labels, of each pair, most texts first."""
    pairs = [
        (i, j)
        for i, j in combinations(range(len(counts)), 2)
        if counts[i, j] > counts[i, i] and counts[j, i] > counts[j, j]
    ]
    if not pairs:
        return []

    def p(i: int, j: int) -> float:
        crossed, right = int(counts[i, j]), int(counts[i, i])
        return float(stats.binomtest(crossed, crossed + right, alternative="greater").pvalue)

    # Pairs that were not looked at closely, as they seemed in order, count as tested.
    n_pairs = len(counts) * (len(counts) - 1) // 2
    tests = np.ones(n_pairs)
    tests[: len(pairs)] = [max(p(i, j), p(j, i)) for i, j in pairs]
    sure = benjamini_hochberg(tests)[: len(pairs)] <= LEVEL
    exchanged = [
        (int(counts[i, j] + counts[j, i]), i, j)
        for (i, j), holds in zip(pairs, sure, strict=True)
        if holds
    ]
    return sorted(exchanged, reverse=True)


def _more_swapped(pairs: Sequence[tuple[str, str]]) -> str:
    if not pairs:
        return ""
    return Sentence(
        "The same holds for {n} more {n:pair|pairs}: {pairs:and}.",
        n=len(pairs),
        pairs=[f"{first}/{second}" for first, second in pairs],
    )
