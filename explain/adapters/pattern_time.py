"""Patterns that come with a model and may take for ever: a text must cost no more than its share.

Neither Python's patterns nor those of tokenizers can be stopped once they run, so they are tried
on small texts first, and longer and longer ones.
"""

import os
import re
import string
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from threading import RLock
from typing import Any

from explain.adapters.failures import first_line
from explain.errors import AdapterError

__all__ = ["check_pattern_time", "check_token_patterns", "is_too_long", "quiet_panics"]

_PARTS = (*string.printable, "é", "中", "ab", "a ", "1a", " .", "aA", "the ")
_END = "".join(f"\0{character}" for character in string.printable)
"""What probes repeat, and what follows: a pattern that fails at the end tries all ways, and one
that needs a character is not tried where the text has none. No two stand together."""

_ONE_AT_A_TIME = RLock()

_TIMES = (*range(1, 8), *(round(8 * 1.15**n) for n in range(26)))
"""How often. As the time may grow exponentially, 1.15 times the length takes what half a second
did to at most ten (it is (5 * 10^7)^1.15 steps)."""

MOST_PROBE_SECONDS, MOST_PROBES_SECONDS = 0.5, 5.0
"""For a probe of up to 1,200 characters, and for all: sound patterns take .001 and .5."""

MOST_SECONDS, MORE_PER_CHARACTER = 20.0, 1e-3
"""For the texts of a call. Sound tokenizers read a million characters in about a second."""


def check_pattern_time(run: Callable[[str], object]) -> str | None:
    """Return what was seen if a function that looks for a pattern takes long for little.

    Parameters
    ----------
    run : callable
        Takes a text and runs the pattern over it.
    """
    total = 0.0
    for times, part in product(_TIMES, _PARTS):
        probe = part * times + _END
        # Of this thread alone: a busy machine makes no pattern slow.
        started = time.thread_time()
        run(probe)
        seconds = time.thread_time() - started
        total += seconds
        if seconds > MOST_PROBE_SECONDS or total > MOST_PROBES_SECONDS:
            return f"takes {seconds:.2f} seconds for {len(probe):,} characters"
    return None


def is_too_long(n_characters: int, seconds: float) -> bool:
    """Tell whether texts of so many characters took a thousand times as long as they should."""
    return seconds > MOST_SECONDS + MORE_PER_CHARACTER * n_characters


@contextmanager
def quiet_panics() -> Iterator[None]:
    """Keep off the terminal what Rust prints of a panic, whose message is raised as well.

    All of the process writes to that descriptor, so this is for loading, not for work, and for one
    thread at a time. Where there is no such descriptor, nothing is printed anyway.
    """
    with _ONE_AT_A_TIME:
        if sys.stderr is not None:
            sys.stderr.flush()
        try:
            kept = os.dup(2)
        except OSError:
            yield
            return
        try:
            with open(os.devnull, "wb") as nothing:
                os.dup2(nothing.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def check_token_patterns(estimator: Any, path: Path) -> None:
    """Check that the patterns of an estimator's vectorizers end.

    Raises
    ------
    AdapterError
        If one is no pattern, or takes long for little.
    """
    settings = estimator.get_params() if hasattr(estimator, "get_params") else {}
    for name, pattern in settings.items():
        if not name.endswith("token_pattern") or pattern is None:
            continue
        try:
            slow = check_pattern_time(re.compile(pattern).findall)
        except (re.error, TypeError, RecursionError, OverflowError) as error:
            slow = f"is no pattern ({first_line(error)})"
        if slow:
            raise AdapterError(
                f"{name} {str(pattern)[:100]!r} in {str(path)!r} {slow}; fit the model with a "
                "pattern that repeats no repetition"
            )
