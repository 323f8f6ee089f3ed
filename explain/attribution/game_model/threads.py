"""BLAS on one thread: several cost thirty times as much for small matrices on a busy machine."""

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController

__all__ = ["one_thread"]


def one_thread() -> AbstractContextManager[object]:
    """Return a context in which BLAS runs on one thread."""
    limited: AbstractContextManager[object] = _threads().limit(limits=1, user_api="blas")
    return limited


@cache
def _threads() -> ThreadpoolController:
    # Looking for the libraries that are loaded takes milliseconds.
    return ThreadpoolController()
