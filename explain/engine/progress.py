"""A progress bar for what takes longer than two seconds."""

import sys
import time
from contextlib import ExitStack
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Self

from explain.text.plain_marks import drawing

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

__all__ = ["QUIET", "Progress"]

QUIET: ContextVar[bool] = ContextVar("QUIET", default=False)
"""Whether no bar is shown, on a terminal either."""

DELAY_SECONDS = 2.0
"""Nothing is shown for work that ends sooner: a bar that flashes up only distracts."""


class Progress:
    """A bar on standard error, silent where that is no terminal.

    Parameters
    ----------
    description : str
        What is being done.
    """

    def __init__(self, description: str) -> None:
        self.description = description
        self._start = time.monotonic()
        self._bar: Bar | None = None
        self._drawing = ExitStack()

    def __enter__(self) -> Self:
        """Start the clock."""
        self._start = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
        self._drawing.close()

    def show(self, n_done: int, total: int) -> None:
        """Show that `n_done` of `total` steps are done."""
        if QUIET.get() or not sys.stderr.isatty() or time.monotonic() - self._start < DELAY_SECONDS:
            return
        if self._bar is None:
            self._drawing.enter_context(drawing(sys.stderr, self.description))
            self._bar = _bar()
            self._bar.add_task(self.description)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=n_done, total=total)


def _bar() -> "Bar":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
