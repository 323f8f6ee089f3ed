"""Watching for whatever opens a connection."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["watched_connections"]

_events: list[str] | None = None
"""What was tried to reach, while somebody looks."""


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if _events is not None and event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        _events.append(f"{event} {args[1:]}")
        raise ConnectionError("this test lets nothing out")


sys.addaudithook(_hook)


@contextmanager
def watched_connections() -> Iterator[list[str]]:
    """Yield what is tried to reach in this block, and let nothing out."""
    global _events
    events = _events = list[str]()
    try:
        yield events
    finally:
        _events = None
