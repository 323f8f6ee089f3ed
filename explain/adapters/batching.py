"""Texts of many lengths in batches of tokens."""

from collections.abc import Callable, Sequence
from math import inf
from typing import Protocol

import numpy as np

from explain.adapters.base import Scores, failure, is_out_of_memory

__all__ = ["score_in_batches"]


class _Batched(Protocol):
    name: str
    labels: tuple[str, ...]
    token_budget: int


def score_in_batches(
    model: _Batched,
    ids: Sequence[Sequence[int]],
    score: Callable[[list[int]], Scores],
    *,
    equal_lengths: bool = False,
) -> Scores:
    """Return the scores of each sequence of token ids, shape (n_sequences, n_labels).

    The sequences are sorted by length and packed into batches of at most `model.token_budget`
    tokens, padding included. When memory runs out, the budget halves, for good.

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
    queue = sorted(range(len(ids)), key=lambda i: (len(ids[i]), ids[i]))
    while queue:
        batch = _head(queue, ids, model.token_budget, equal_lengths)
        try:
            scores[batch] = score(batch)
        except Exception as error:
            if not is_out_of_memory(error) or len(batch) == 1:
                raise failure(model.name, error) from error
            model.token_budget = len(batch) * len(ids[batch[-1]]) // 2
        else:
            del queue[: len(batch)]
    return scores


def _head(
    queue: Sequence[int], ids: Sequence[Sequence[int]], token_budget: int, equal_lengths: bool
) -> list[int]:
    """Return the head of a queue sorted by length that fits the token budget, at least one."""
    size = 1
    longest = len(ids[queue[0]]) if equal_lengths else inf
    while (
        size < len(queue)
        and (size + 1) * len(ids[queue[size]]) <= token_budget
        and len(ids[queue[size]]) <= longest
    ):
        size += 1
    return list(queue[:size])
