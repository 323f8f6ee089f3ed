"""Tables of a record as templates print them: every cell is text that is ready to be shown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from explain.record import Cell, InstanceLink, Measure, Table
from reports.languages import translate as _
from reports.languages.records import translated_slice
from reports.numbers import count, interval, quantity, small

__all__ = [
    "EMPTY",
    "CellView",
    "Links",
    "TableView",
    "anchor",
    "measure_cell",
    "measures_table",
    "record_table",
    "table",
]


FOLDED_ABOVE = 25
"""Rows up to which a table is shown whole."""

ROWS_SHOWN = 20
"""Rows that are shown of a longer one."""

UNIFORM_FROM = 4
"""Rows from which a table whose rows all say the same is folded: fewer take no room."""

EMPTY = "–"
"""What stands in a cell that says nothing."""


@dataclass(frozen=True, slots=True)
class CellView:
    """One cell."""

    text: str
    detail: str = ""
    """Printed softly after the text: an interval."""
    href: str = ""
    title: str = ""
    """Shown when a pointer rests on it: the id of a row."""
    tone: str = ""
    """``pass``, ``fail`` or ``inconclusive``: a colour beside the word, never instead of it."""
    numeric: bool = False
    """Whether it is a number; a column of numbers is printed to the right."""


@dataclass(frozen=True, slots=True)
class TableView:
    """Rows of cells under named columns; the first cell of a row is its header."""

    title: str
    columns: tuple[CellView, ...]
    rows: tuple[tuple[CellView, ...], ...]
    note: str = ""
    folded: tuple[tuple[CellView, ...], ...] = ()
    """The rows that follow, which are shown when a reader asks for them."""

    @property
    def is_uniform(self) -> bool:
        """Whether all of several rows say the same, so that the table tells nothing apart."""
        rows = (*self.rows, *self.folded)
        return len(rows) >= UNIFORM_FROM and len({row[1:] for row in rows}) == 1


@dataclass(frozen=True, slots=True)
class Links:
    """What can be jumped to on the page."""

    sections: Mapping[str, str]
    """Title of each section by its id."""
    instances: Mapping[str, str]
    """Name of each instance that is shown, by its id: ``row 18``."""

    def href(self, target: str) -> str:
        """Return the address of a section or an instance, or nothing if it is not shown."""
        if target in self.sections:
            return f"#{target}"
        return f"#{anchor(target)}" if target in self.instances else ""

    def cell(self, target: str) -> CellView:
        """Return a cell that leads to a section or an instance."""
        if target in self.instances:
            return CellView(self.instances[target], href=self.href(target), title=target)
        return CellView(self.sections.get(target, target), href=self.href(target))


def anchor(instance: str) -> str:
    """Return the anchor of an instance: its id, free of what an anchor cannot hold."""
    return f"i-{quote(instance, safe='')}"


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[CellView]]) -> TableView:
    """Return a table; a column whose cells are numbers or empty is a column of numbers."""
    body = tuple(tuple(row) for row in rows)
    heads = tuple(
        CellView(
            name,
            numeric=any(row[place].numeric for row in body)
            and all(row[place].numeric or row[place].text == EMPTY for row in body),
        )
        for place, name in enumerate(columns)
    )
    return TableView(title, heads, body)


def _cell(value: Cell, links: Links) -> CellView:
    """Return one cell of a record's table."""
    match value:
        case None:
            return CellView(EMPTY)
        case Measure():
            return measure_cell(value)
        case InstanceLink():
            return links.cell(value.instance)
        case str():
            return CellView(value)
        case int():
            return CellView(count(value), numeric=True)
        case float():
            return CellView(small(value), numeric=True)


def measure_cell(measure: Measure | None) -> CellView:
    """Return the estimate of `measure` with its interval; None was not measured."""
    if measure is None:
        return CellView(_("not measured"), numeric=True)
    return CellView(quantity(measure.value, measure.unit), interval(measure), numeric=True)


def record_table(record: Table, links: Links) -> TableView:
    """Return a table of a record; of a long one the first rows, and the others folded away."""
    view = table(record.title, record.columns, [[_cell(c, links) for c in r] for r in record.rows])
    return replace(_folded(view), note=record.note or "")


def _folded(view: TableView) -> TableView:
    shown = len(view.rows) if len(view.rows) <= FOLDED_ABOVE else ROWS_SHOWN
    return replace(view, rows=view.rows[:shown], folded=view.rows[shown:])


def measures_table(title: str, measures: Iterable[Measure]) -> TableView:
    """Return measures with their intervals, the instances behind them, and how it was done."""
    return _folded(
        table(
            title,
            (_("measure"), _("value [95 %]"), _("n"), _("interval by")),
            (
                (
                    CellView(_name_in_table(measure)),
                    measure_cell(measure),
                    CellView(count(measure.n), numeric=True),
                    CellView(measure.method or _("no interval")),
                )
                for measure in measures
            ),
        )
    )


def _name_in_table(measure: Measure) -> str:
    """Return what is measured, and of which rows where those are not all."""
    if measure.slice in ("all", measure.name):
        return measure.name
    return _("{measure}, {slice}", measure=measure.name, slice=translated_slice(measure))
