"""Render what an audit leaves behind: one HTML file, Markdown, a notebook cell, a terminal.

A record goes in and text comes out; nothing here computes a statistic or asks a model. Every text,
label, file name and error message of a record counts as hostile and is only ever shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explain.record import Attribution, AuditRecord, LogEntry

__all__ = [
    "DISTRIBUTION",
    "LanguageCode",
    "PrintedForm",
    "notebook_html",
    "render_html",
    "render_markdown",
    "write_html",
    "write_report",
]

DISTRIBUTION = "explain-audit"
"""Name of the distribution that owns this package; `reports` is a common name for a package."""


LanguageCode: TypeAlias = Literal["en", "zh"]
"""Languages of a report: English, and Simplified Chinese."""

PrintedForm: TypeAlias = Literal["short", "full"]
"""What a printer gets of an audit: its findings, criteria, limits and figures, or all of it."""

FORMATS = (".html", ".htm", ".md", ".json")
"""What `write_report` writes, by the ending of the file."""


def render_html(
    record: AuditRecord | Attribution,
    run: Sequence[LogEntry] = (),
    report: PrintedForm = "short",
    language: LanguageCode = "en",
) -> str:
    """Return a whole HTML page that needs no other file and no network.

    Every text of the record can be read back from the page, character for character. The one
    exception is NUL, which HTML cannot hold: it is shown as ``␀``.

    Parameters
    ----------
    record : AuditRecord or Attribution
        What the page shows.
    run : sequence of LogEntry
        The log of the run, whose timings are listed under the provenance of an audit.
    report : {"short", "full"}
        What a printer gets of an audit; the screen shows all of it.
    language : {"en", "zh"}
        English, or Simplified Chinese. Names, texts and what users wrote stay as they are.

    Raises
    ------
    ConfigurationError
        If it is neither, or there is no such form or language.
    """
    from explain.errors import ConfigurationError
    from explain.record import Attribution
    from reports.languages import speaking
    from reports.pages import attribution_page, audit_page

    if isinstance(record, Attribution):
        with speaking(language):
            return attribution_page(record)
    _require_audit(record, " or an Attribution")
    if report not in ("short", "full"):
        raise ConfigurationError(f"a report is printed short or full, not {report!r}")
    with speaking(language):
        return audit_page(record, run, report)


def write_html(
    record: AuditRecord | Attribution,
    path: str | Path,
    run: Sequence[LogEntry] = (),
    report: PrintedForm = "short",
    language: LanguageCode = "en",
) -> Path:
    """Write the page of `render_html` to `path` and return the path.

    The page is written beside `path` and renamed into place, so that no half a page is ever found
    there. Missing folders are made.

    Raises
    ------
    OSError
        If the file cannot be written; what was at `path` before is still there.
    """
    from explain.record.files import write_whole

    path = Path(path)
    write_whole(path, render_html(record, run, report, language))
    return path


def write_report(
    record: AuditRecord,
    path: str | Path,
    run: Sequence[LogEntry] = (),
    report: PrintedForm = "short",
    language: LanguageCode = "en",
) -> Path:
    """Write an audit in the format that the ending of `path` says, and return the path.

    HTML as `render_html` has it, Markdown as `render_markdown`, or JSON as `AuditRecord.to_json`.

    Raises
    ------
    ConfigurationError
        If there is no such format.
    OSError
        If the file cannot be written; what was at `path` before is still there.
    """
    from explain.record.files import write_whole

    path = Path(path)
    ending = _format_of(path)
    _require_audit(record)
    if ending == ".md":
        content = render_markdown(record, language)
    elif ending == ".json":
        content = record.to_json()
    else:
        content = render_html(record, run, report, language)
    write_whole(path, content)
    return path


def _format_of(path: Path) -> str:
    """Return the ending of a file, in small letters, of a format that is known."""
    from explain.errors import ConfigurationError

    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise ConfigurationError(
            f"{str(path)!r} is of no format that reports are written in; name it "
            f"{', '.join(FORMATS)}"
        )
    return ending


def _require_audit(record: object, alternative: str = "") -> AuditRecord:
    from explain.errors import ConfigurationError
    from explain.record import AuditRecord

    if not isinstance(record, AuditRecord):
        kind = type(record).__name__
        each = "; render its items one by one" if isinstance(record, list | tuple | dict) else ""
        raise ConfigurationError(
            f"a report is rendered of an AuditRecord{alternative}, not of {kind}{each}"
        )
    return record


def notebook_html(
    record: AuditRecord | Attribution | Sequence[Attribution], language: LanguageCode = "en"
) -> str:
    """Return HTML for a cell of a notebook, which can run no script.

    One attribution is inline HTML that sanitizers keep, in the colours of the notebook; several are
    one table, a row for each; an audit is the page of `render_html` in a frame. What a cell shows
    by itself is in English: ``HTML(notebook_html(explained, "zh"))`` shows it in Chinese.

    Raises
    ------
    ConfigurationError
        If it is none of these, or there is no such language.
    """
    from explain.record import Attribution
    from reports.environment import Verbatim, render
    from reports.languages import speaking
    from reports.notebook import attribution_cell, attributions_table

    with speaking(language):
        if isinstance(record, Attribution):
            return attribution_cell(record)
        if isinstance(record, list | tuple) and record:
            attributions = [each for each in record if isinstance(each, Attribution)]
            if len(attributions) == len(record):
                return attributions_table(attributions)
        audit = _require_audit(record, ", an Attribution or a list of them")
        return render("notebook.html", page=Verbatim(render_html(audit, language=language)))


def render_markdown(record: AuditRecord, language: LanguageCode = "en") -> str:
    """Return a short summary of an audit for a pull request, in a language as of `render_html`.

    Raises
    ------
    ConfigurationError
        If it is no audit, or there is no such language.
    """
    from reports.languages import speaking
    from reports.markdown import summary

    _require_audit(record)
    with speaking(language):
        return summary(record)
