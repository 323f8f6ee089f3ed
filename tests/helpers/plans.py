"""Plans run on games that are tables of numbers, without text or model."""

from collections.abc import Callable
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from explain.engine.games import Coalitions, ObservedValues, Plan, Values

T = TypeVar("T")

Game = Callable[[Coalitions], Values]


def table_game(values: Values) -> Game:
    """Return v as a function, where bit i of the index of `values` says that i is kept."""
    n = len(values).bit_length() - 1

    def v(coalitions: Coalitions) -> Values:
        index: NDArray[np.int64] = (coalitions.astype(np.int64) << np.arange(n)).sum(axis=1)
        return values[index]

    return v


def run_plan(plan: Plan[T], v: Game) -> T:
    """Return what a plan returns on the game v."""
    try:
        coalitions = next(plan)
        while True:
            coalitions = plan.send(ObservedValues.exactly(v(coalitions)))
    except StopIteration as done:
        result: T = done.value
        return result


def run_and_record(plan: Plan[T], v: Game) -> tuple[T, Coalitions]:
    """Return what a plan returns on the game v, and all coalitions that it asked for."""
    seen: list[Coalitions] = []

    def spy(coalitions: Coalitions) -> Values:
        seen.append(coalitions)
        return v(coalitions)

    return run_plan(plan, spy), np.vstack(seen)


def random_game(n: int, seed: int = 0) -> Values:
    """Return the table of a game whose values have nothing to do with each other."""
    values: Values = np.random.default_rng(seed).normal(size=2**n)
    return values


def runs(*sizes: int) -> list[range]:
    """Return consecutive runs of words of the given sizes."""
    edges = np.cumsum([0, *sizes]).tolist()
    return [range(start, end) for start, end in pairwise(edges)]
