"""A comparison of two audits as HTML, Markdown, JSON, and lines for a terminal."""

from collections.abc import Iterator
from pathlib import Path

from explain.errors import ConfigurationError
from explain.record import ComparedRun, Comparison, Section, join_sentences
from explain.record.files import write_whole
from reports import LanguageCode
from reports.environment import render
from reports.instances import instance_view, row_name
from reports.languages import speaking
from reports.languages import translate as _
from reports.languages.records import translated_record
from reports.markdown import escape
from reports.tables import Links, TableView, measures_table, record_table
from reports.text import visible

__all__ = ["comparison_lines", "comparison_page", "write_comparison"]

FORMATS = (".html", ".md", ".json")

ICONS = {"no difference": "=", "better": "▲", "worse": "▼", "different": "≠"}

TONES = {"no difference": "pass", "better": "pass", "worse": "fail", "different": "inconclusive"}

MOST_ROWS = 30
"""Rows of a table that Markdown takes; the page and the JSON have all."""


def write_comparison(comparison: Comparison, path: Path, language: LanguageCode = "en") -> None:
    """Write a comparison in the format that the ending of `path` says, and in a language.

    Raises
    ------
    ConfigurationError
        If there is no such format or language.
    OSError
        If the file cannot be written; what was at `path` before is still there.
    """
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise ConfigurationError(
            f"{str(path)!r} is of no format that comparisons are written in; name it "
            f"{', '.join(FORMATS)}"
        )
    if ending == ".json":
        content = comparison.to_json()
    else:
        with speaking(language):
            content = comparison_page(comparison) if ending == ".html" else _markdown(comparison)
    write_whole(path, content)


def comparison_page(comparison: Comparison) -> str:
    """Return a page that needs no other file and no network."""
    comparison = translated_record(comparison)
    links = Links({}, {instance.id: row_name(instance) for instance in comparison.instances})
    return render(
        "compare.html",
        title=_title(comparison),
        runs=[_run(comparison.first), _run(comparison.second)],
        answer=comparison.answer,
        icon=ICONS[comparison.verdict],
        tone=TONES[comparison.verdict],
        verdict=_(comparison.verdict),
        rows=_rows(comparison),
        regression=_regression(comparison),
        sections=[(section, _tables(section, links)) for section in comparison.sections],
        instances=[instance_view(instance) for instance in comparison.instances],
    )


def comparison_lines(comparison: Comparison) -> Iterator[str]:
    """Yield the answer, and what differs beyond chance."""
    comparison = translated_record(comparison)
    yield f"{ICONS[comparison.verdict]} {_(comparison.verdict)}{_(': ')}{_rows(comparison)}"
    yield visible(comparison.answer)
    for change in comparison.changes:
        if change.outcome not in ("same", "unresolved"):
            yield visible(f"- {_(change.outcome)}{_(': ')}{change.title}")
    if (regression := _regression(comparison)) is not None:
        yield regression


def _title(comparison: Comparison) -> str:
    first, second = comparison.first, comparison.second
    if first.name == second.name:
        return _("{name}: two audits compared", name=first.name)
    return _("{first} and {second} compared", first=first.name, second=second.name)


def _run(run: ComparedRun) -> str:
    name = run.name
    if run.version:
        name = _("{name} version {version}", name=run.name, version=run.version)
    return _(
        "{run}, model {model}, audited on {day}, record {hash}",
        run=name,
        model=run.model,
        day=str(run.audited_on),
        hash=f"{run.record_sha256[:8]}…{run.record_sha256[-4:]}",
    )


def _rows(comparison: Comparison) -> str:
    only = (
        _(template, n=n)
        for template, n in (
            ("{n} in the first table alone", comparison.first_rows_only),
            ("{n} in the second table alone", comparison.second_rows_only),
        )
        if n
    )
    return _(", ").join((_("{n} rows in both", n=comparison.rows), *only))


def _regression(comparison: Comparison) -> str | None:
    regression = comparison.non_inferiority
    if regression is None:
        return None
    said = join_sentences(regression.reason, regression.origin)
    return f"{'✓' if regression.is_shown else '✗'} {said}"


def _tables(section: Section, links: Links) -> list[TableView]:
    measures = [measures_table(section.title, section.measures)] if section.measures else []
    return [*measures, *(record_table(table, links) for table in section.tables)]


def _markdown(comparison: Comparison) -> str:
    links, comparison = Links({}, {}), translated_record(comparison)
    verdict = f"{ICONS[comparison.verdict]} {_(comparison.verdict)}"
    lines = [f"# {verdict}{_(': ')}{escape(_title(comparison))}"]
    lines += ["", escape(comparison.answer), "", f"{_rows(comparison)}.", ""]
    lines += [f"- {escape(_run(run))}" for run in (comparison.first, comparison.second)]
    if (regression := _regression(comparison)) is not None:
        lines += ["", escape(regression)]
    for section in comparison.sections:
        lines += ["", f"## {escape(section.title)}", "", escape(section.summary)]
        for table in _tables(section, links):
            lines += ["", *_markdown_table(table)]
    return "\n".join(lines) + "\n"


def _markdown_table(table: TableView) -> Iterator[str]:
    rows = (*table.rows, *table.folded)
    heads = [escape(column.text) for column in table.columns]
    for row in (heads, ["---"] * len(heads)):
        yield f"| {' | '.join(row)} |"
    for cells in rows[:MOST_ROWS]:
        texts = (escape(f"{cell.text} {cell.detail}".strip()) for cell in cells)
        yield f"| {' | '.join(texts)} |".replace("\n", " ")
    if len(rows) > MOST_ROWS:
        yield ""
        yield _("and {n} more rows, in the page", n=len(rows) - MOST_ROWS)
