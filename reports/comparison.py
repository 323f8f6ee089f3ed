"""A comparison of two audits as HTML, Markdown, JSON, and lines for a terminal."""

from collections.abc import Iterator
from pathlib import Path

from explain.errors import ConfigurationError
from explain.record import ComparedRun, Comparison, Section
from explain.record.files import write_whole
from reports import LanguageCode
from reports.environment import render
from reports.instances import instance_view, row_name
from reports.languages import join_texts, language, speaking
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
        runs=_runs(comparison),
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


_IN_BOTH = {"audits": "{n} rows in both", "calls": "{n} texts in both"}

_ONLY_IN = {
    "audits": ("{n} in the first table alone", "{n} in the second table alone"),
    "calls": ("{n} in the first log alone", "{n} in the second log alone"),
}


def _title(comparison: Comparison) -> str:
    first, second = comparison.first, comparison.second
    if first.name == second.name:
        if comparison.subject == "calls":
            return _("{name}: answers at two dates compared", name=first.name)
        return _("{name}: two audits compared", name=first.name)
    return _("{first} and {second} compared", first=first.name, second=second.name)


def _runs(comparison: Comparison) -> list[str]:
    of_calls = comparison.subject == "calls"
    return [_run(run, of_calls) for run in (comparison.first, comparison.second)]


def _run(run: ComparedRun, of_calls: bool) -> str:
    name = run.name
    if run.version:
        name = _("{name} version {version}", name=run.name, version=run.version)
    facts = [name, _("model {model}", model=run.model)]
    digest = f"{run.record_sha256[:8]}…{run.record_sha256[-4:]}"
    if of_calls:
        if run.audited_on is not None:
            facts.append(_("asked on {day}", day=str(run.audited_on)))
        facts.append(_("answers {hash}", hash=digest))
    else:
        facts.append(_("audited on {day}", day=str(run.audited_on)))
        facts.append(_("record {hash}", hash=digest))
    return language().comma.join(facts)


def _rows(comparison: Comparison) -> str:
    only = (
        _(template, n=n)
        for template, n in (
            (_ONLY_IN[comparison.subject][0], comparison.first_rows_only),
            (_ONLY_IN[comparison.subject][1], comparison.second_rows_only),
        )
        if n
    )
    return language().comma.join((_(_IN_BOTH[comparison.subject], n=comparison.rows), *only))


def _regression(comparison: Comparison) -> str | None:
    regression = comparison.non_inferiority
    if regression is None:
        return None
    said = join_texts(regression.reason, regression.origin)
    return f"{'✓' if regression.is_shown else '✗'} {said}"


def _tables(section: Section, links: Links) -> list[TableView]:
    measures = [measures_table(section.title, section.measures)] if section.measures else []
    return [*measures, *(record_table(table, links) for table in section.tables)]


def _markdown(comparison: Comparison) -> str:
    links, comparison = Links({}, {}), translated_record(comparison)
    verdict = f"{ICONS[comparison.verdict]} {_(comparison.verdict)}"
    lines = [f"# {verdict}{_(': ')}{escape(_title(comparison))}"]
    lines += ["", escape(comparison.answer), "", _("{detail}.", detail=_rows(comparison)), ""]
    lines += [f"- {escape(run)}" for run in _runs(comparison)]
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
