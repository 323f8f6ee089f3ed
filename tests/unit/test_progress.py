"""Progress is shown for long work on a terminal, and nowhere else."""

import io
import sys

import pytest

from explain.engine import progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def shown_text(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, delay: float) -> str:
    """Return what a short piece of work writes to standard error."""
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "DELAY_SECONDS", delay)
    monkeypatch.setenv("TERM", "xterm")
    with progress.Progress("Scoring texts") as bar:
        bar.show(1, 2)
        bar.show(2, 2)
    return stream.getvalue()


def test_long_work_on_a_terminal_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Scoring texts" in shown_text(monkeypatch, Terminal(), delay=0)


def test_short_work_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown_text(monkeypatch, Terminal(), delay=60) == ""


def test_nothing_is_shown_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown_text(monkeypatch, io.StringIO(), delay=0) == ""
