"""What a run says of its stages, and how long they took."""

import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeAlias, TypeVar

from pydantic import JsonValue

from explain.record import LogEntry
from explain.text.redaction import redacted_record

__all__ = ["Log", "RunLog"]

Log: TypeAlias = Callable[[LogEntry], None]

T = TypeVar("T")


class RunLog:
    """Tells a log what happened and how long it took."""

    def __init__(self, log: Log | None) -> None:
        self._log = log or (lambda entry: None)

    def note(self, event: str, seconds: float | None = None, **detail: JsonValue) -> None:
        """Say that something happened."""
        entry = LogEntry(at=datetime.now(UTC), event=event, seconds=seconds, detail=detail)
        self._log(redacted_record(entry)[0])

    def failed(self, stage: str, error: BaseException) -> None:
        """Say what a stage raised, with its traceback."""
        self.note("failed", stage=stage, traceback="".join(traceback.format_exception(error)))

    @contextmanager
    def stage(self, name: str, **detail: JsonValue) -> Iterator[None]:
        """Say how long a block took."""
        started = time.perf_counter()
        yield
        self.note(name, round(time.perf_counter() - started, 3), **detail)

    def timed(self, name: str, work: Callable[[], T]) -> T:
        """Do some work as a stage, and return what it gives."""
        with self.stage(name):
            return work()
