"""BLAS on one thread: several cost thirty times as much for small matrices on a busy machine."""

from contextlib import AbstractContextManager
from functools import cache
from threading import Lock

from threadpoolctl import ThreadpoolController

__all__ = ["one_thread"]


def one_thread() -> AbstractContextManager[None]:
    """Return a context in which BLAS runs on one thread; the last to leave it gives back the rest.

    How many threads BLAS has is a property of the process. If each user of the context put back
    what it had found, one that came while another was there would put back one thread for good.
    """
    return _ONE_THREAD


class _OneThread(AbstractContextManager[None]):
    """One thread for as long as anybody is in the context."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._n_users = 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._n_users:
                self._limit = _libraries().limit(limits=1, user_api="blas")
            self._n_users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._n_users -= 1
            if not self._n_users:
                self._limit.restore_original_limits()


_ONE_THREAD = _OneThread()


@cache
def _libraries() -> ThreadpoolController:
    # Looking for the libraries that are loaded takes milliseconds.
    return ThreadpoolController()
