"""Methods that call a function and wait for its answer, run as plans."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from explain.engine.games import Coalitions, Plan, Values

__all__ = ["GameFunction", "as_plan"]

_RANDOM = threading.Lock()

T = TypeVar("T")

GameFunction: TypeAlias = Callable[[NDArray[Any]], Values]
"""Takes rows of zeros and ones, shape (n_coalitions, n_features), and returns their values."""


def as_plan(method: Callable[[GameFunction], T], seed: int) -> Plan[T]:
    """Return `method` as a plan: each call it makes of the game becomes a request.

    The method runs in a thread of its own, and only while the plan waits for it, so no two threads
    ever run at the same time, nor do the methods of other plans. It sees numpy's global random
    state as if it had been seeded with `seed` and were alone; everybody else's state is left as it
    was. That state belongs to the process: who draws from it in another thread meanwhile, draws
    from the method's.

    Parameters
    ----------
    method : callable
        Takes a `GameFunction` and returns the result of the plan.
    seed : int
        Seed of numpy's global random state as the method sees it.
    """
    coalition_queue: SimpleQueue[Coalitions | None] = SimpleQueue()
    value_queue: SimpleQueue[Values | None] = SimpleQueue()
    result: Future[T] = Future()

    def game(rows: NDArray[Any]) -> Values:
        coalition_queue.put(np.asarray(rows) > 0.5)
        values = value_queue.get()
        if values is None:
            raise GeneratorExit
        return values

    def work() -> None:
        try:
            result.set_result(method(game))
        except BaseException as error:  # it belongs to whoever waits for the result
            result.set_exception(error)
        coalition_queue.put(None)

    thread = threading.Thread(target=work, daemon=True)
    random = RandomState(seed)
    resume: Callable[[], None] = thread.start
    try:
        while True:
            with random.in_force():
                resume()
                coalitions = coalition_queue.get()
            if coalitions is None:
                return result.result()
            resume = partial(value_queue.put, (yield coalitions).values)
    finally:
        value_queue.put(None)
        thread.join()


class RandomState:
    """A state of numpy's global random generator that is in force only for a while."""

    def __init__(self, seed: int) -> None:
        self._state = np.random.RandomState(seed).get_state()

    @contextmanager
    def in_force(self) -> Iterator[None]:
        with _RANDOM:
            outer = np.random.get_state()
            np.random.set_state(self._state)
            try:
                yield
            finally:
                self._state = np.random.get_state()
                np.random.set_state(outer)
