"""Texts of many lengths in batches of tokens."""

from collections.abc import Callable, Sequence
from itertools import chain, pairwise
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from explain.adapters.failures import failure, is_out_of_memory
from explain.adapters.scores import Scores

__all__ = ["score_in_batches"]

_Ints: TypeAlias = NDArray[np.int_]

BATCH_COST = 1 / 16
"""What a batch costs beside its tokens, in budgets (benchmarks/bench_engine.py)."""


class _BatchedModel(Protocol):
    name: str
    labels: tuple[str, ...]
    token_budget: int


def score_in_batches(
    model: _BatchedModel,
    ids: Sequence[Sequence[int]],
    score: Callable[[list[int]], Scores],
    *,
    equal_lengths: bool = False,
) -> Scores:
    """Return the scores of each sequence of token ids, shape (n_sequences, n_labels).

    The sequences are sorted by length and packed into batches of at most `model.token_budget`
    tokens, padding included, so that padding and the number of batches cost least together. When
    memory runs out, the budget halves, for good.

    Parameters
    ----------
    model : classifier with ``name``, ``labels`` and ``token_budget``
        Whose scores they are.
    ids : sequence of sequences of int
        The token ids of all texts.
    score : callable
        Takes the numbers of the sequences of a batch and returns their scores.
    equal_lengths : bool
        Whether all sequences of a batch must have the same length, so that none is padded.

    Raises
    ------
    PredictionError
        If a batch fails.
    """
    scores = np.empty((len(ids), len(model.labels)))
    rest = sorted(range(len(ids)), key=lambda i: (len(ids[i]), ids[i]))
    batches = _pack(rest, ids, model.token_budget, equal_lengths)
    while batches:
        batch = batches[0]
        try:
            scores[batch] = score(batch)
        except Exception as error:
            if not is_out_of_memory(error) or len(batch) == 1:
                raise failure(model.name, error) from error
            model.token_budget = len(batch) * len(ids[batch[-1]]) // 2
            rest = [*chain.from_iterable(batches)]
            batches = _pack(rest, ids, model.token_budget, equal_lengths)
        else:
            del batches[0]
    return scores


def _pack(
    order: Sequence[int], ids: Sequence[Sequence[int]], token_budget: int, equal_lengths: bool
) -> list[list[int]]:
    """Return sequences, given in order of their lengths, as batches."""
    widths, counts = np.unique([len(ids[i]) for i in order], return_counts=True)
    sizes = np.maximum(1, token_budget // np.maximum(1, widths))
    cumulative_counts = np.concatenate([[0], np.cumsum(counts)])
    cuts = (
        range(len(cumulative_counts))
        if equal_lengths
        else _cheapest_cuts(widths, sizes, cumulative_counts, token_budget)
    )
    batches = []
    for first, last in pairwise(cuts):
        group = order[cumulative_counts[first] : cumulative_counts[last]]
        n = -(-len(group) // int(sizes[last - 1]))
        batches += [[*group[len(group) * i // n : len(group) * (i + 1) // n]] for i in range(n)]
    return batches


def _cheapest_cuts(
    widths: _Ints, sizes: _Ints, cumulative_counts: _Ints, token_budget: int
) -> list[int]:
    """Return between which lengths to cut, by dynamic programming.

    All sequences between two cuts are padded to the last of their `widths`, of which `sizes` make
    a batch; `cumulative_counts` are how many sequences there are up to each length.
    """
    costs, before = np.zeros(len(cumulative_counts)), np.zeros(len(cumulative_counts), dtype=int)
    for end in range(1, len(cumulative_counts)):
        counts = cumulative_counts[end] - cumulative_counts[:end]
        batches = -(-counts // sizes[end - 1])
        total = costs[:end] + counts * widths[end - 1] + batches * token_budget * BATCH_COST
        before[end] = np.argmin(total)
        costs[end] = total[before[end]]
    cuts = [len(cumulative_counts) - 1]
    while cuts[-1]:
        cuts.append(int(before[cuts[-1]]))
    return cuts[::-1]
