"""Batches hold each sequence once, stay within the budget, and cost as little as they can."""

from itertools import pairwise, product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from explain.adapters.batching import BATCH_COST, score_in_batches
from explain.adapters.scores import Scores

LENGTHS = st.lists(st.integers(0, 9), max_size=25)


class Recorder:
    """A model whose score of a sequence is its length; it notes its batches."""

    name = "recorder"
    labels: tuple[str, ...] = ("length",)

    def __init__(self, token_budget: int, memory: int | None = None) -> None:
        self.token_budget = token_budget
        self.memory = memory
        self.batches: list[list[int]] = []

    def scores_of(self, lengths: list[int], *, equal_lengths: bool = False) -> Scores:
        def score(batch: list[int]) -> Scores:
            own = [lengths[i] for i in batch]
            if self.memory is not None and len(own) * max(own) > self.memory:
                raise MemoryError
            self.batches.append(own)
            return np.array(own, dtype=float)[:, None]

        ids = [[7] * length for length in lengths]
        return score_in_batches(self, ids, score, equal_lengths=equal_lengths)


@given(LENGTHS, st.integers(1, 40), st.booleans())
def test_each_sequence_is_in_one_batch_within_the_budget(
    lengths: list[int], token_budget: int, equal_lengths: bool
) -> None:
    model = Recorder(token_budget)
    scores = model.scores_of(lengths, equal_lengths=equal_lengths)
    assert scores[:, 0].tolist() == lengths
    assert [n for batch in model.batches for n in batch] == sorted(lengths)
    assert all(len(b) * max(b) <= token_budget for b in model.batches if len(b) > 1)
    if equal_lengths:
        assert all(len(set(batch)) == 1 for batch in model.batches)


@given(LENGTHS.filter(bool), st.integers(1, 40))
def test_no_other_cuts_cost_less(lengths: list[int], token_budget: int) -> None:
    model = Recorder(token_budget)
    model.scores_of(lengths)
    ordered = sorted(lengths)
    steps = [i for i in range(1, len(ordered)) if ordered[i] > ordered[i - 1]]
    cheapest = min(
        sum(cost(ordered[a:b], token_budget) for a, b in pairwise([0, *cuts, len(ordered)]))
        for chosen in product([False, True], repeat=len(steps))
        for cuts in [[step for step, taken in zip(steps, chosen, strict=True) if taken]]
    )
    # Where a stretch makes several batches, the first need less padding than was reckoned with.
    own = sum(len(b) * max(b) + BATCH_COST * token_budget for b in model.batches)
    assert own <= cheapest + 1e-9


def cost(stretch: list[int], token_budget: int) -> float:
    """Return what a stretch costs in batches that are padded to its longest."""
    size = max(1, token_budget // max(1, stretch[-1]))
    return len(stretch) * stretch[-1] + -(-len(stretch) // size) * BATCH_COST * token_budget


@given(LENGTHS, st.integers(9, 40))
def test_batches_shrink_until_the_memory_suffices(lengths: list[int], memory: int) -> None:
    model = Recorder(1000, memory)
    assert model.scores_of(lengths)[:, 0].tolist() == lengths
    assert sorted(n for batch in model.batches for n in batch) == sorted(lengths)
    assert all(len(b) * max(b) <= memory for b in model.batches if len(b) > 1)
