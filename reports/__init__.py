"""Render what an audit leaves behind: one HTML file, Markdown, a notebook cell, a terminal.

A record goes in and text comes out; nothing here computes a statistic or asks a model. Every text,
label, file name and error message of a record counts as hostile and is only ever shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explain.record import Attribution, AuditRecord, LogEntry

__all__ = ["DISTRIBUTION", "notebook_html", "render_html", "render_markdown", "write_html"]

DISTRIBUTION = "explain-audit"
"""Name of the distribution that owns this package; `reports` is a common name for a package."""


def render_html(record: AuditRecord | Attribution, run: Sequence[LogEntry] = ()) -> str:
    """Return a whole HTML page that needs no other file and no network.

    Every text of the record can be read back from the page, character for character. The one
    exception is NUL, which HTML cannot hold: it is shown as ``␀``.

    Parameters
    ----------
    record : AuditRecord or Attribution
        What the page shows.
    run : sequence of LogEntry
        The log of the run, whose timings are listed under the provenance of an audit.
    """
    from explain.record import Attribution
    from reports.pages import attribution_page, audit_page

    return attribution_page(record) if isinstance(record, Attribution) else audit_page(record, run)


def write_html(
    record: AuditRecord | Attribution, path: str | Path, run: Sequence[LogEntry] = ()
) -> Path:
    """Write the page of `render_html` to `path` and return the path.

    The page is written beside `path` and renamed into place, so that no half a page is ever found
    there. Missing folders are made.

    Raises
    ------
    OSError
        If the file cannot be written; what was at `path` before is still there.
    """
    from explain.files import write_whole

    path = Path(path)
    write_whole(path, render_html(record, run))
    return path


def notebook_html(record: AuditRecord | Attribution) -> str:
    """Return the page of `render_html` in a frame that can run no script, for a notebook."""
    from reports.environment import Verbatim, render

    return render("notebook.html", page=Verbatim(render_html(record)))


def render_markdown(record: AuditRecord) -> str:
    """Return a short summary of an audit for a pull request."""
    from reports.markdown import summary

    return summary(record)
