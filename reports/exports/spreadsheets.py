"""Tables of an audit for spreadsheets, in which no cell can be run as a formula."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from explain.errors import ConfigurationError
from explain.record import AuditRecord
from explain.record.files import write_whole
from explain.record.frames import FrameKind
from explain.record.run_folders import claimed
from reports.languages import is_english
from reports.languages import translate as _
from reports.languages.records import translated_record

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["safe_cell", "write_csv", "write_xlsx"]

TABLES: Final[tuple[FrameKind, ...]] = (
    "findings",
    "measures",
    "criteria",
    "predictions",
    "attributions",
)

NAME_COLUMNS: Final = ("severity", "verdict", "unit", "section")
"""Columns whose cells are names that other languages have words for."""

HEADS: Final = {"of": "belongs to"}
"""Heads whose own word means something else in a sentence."""

STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What makes a formula of a cell (OWASP, CSV injection)."""

LONGEST_CELL: Final = 32_767
"""Letters that a cell of Excel holds."""


def safe_cell(value: object) -> object:
    """Return a cell that a spreadsheet shows and never runs; numbers stay numbers.

    Examples
    --------
    >>> safe_cell("=HYPERLINK(1)"), safe_cell(-1.5), safe_cell(["a", "b"])
    ("'=HYPERLINK(1)", -1.5, 'a|b')
    """
    if isinstance(value, list | tuple):
        return safe_cell("|".join(map(str, value)))
    if isinstance(value, dict):
        return safe_cell(", ".join(f"{name} = {cell}" for name, cell in value.items()))
    if not isinstance(value, str):
        return value
    # A lone carriage return would end the row: what follows it is then a cell of its own.
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if text.lstrip(" ").startswith(STARTS) else text


def write_csv(record: AuditRecord, folder: Path) -> None:
    """Write a file for each table of an audit."""
    tables = {
        f"{name}.csv": frame.to_csv(index=False, lineterminator="\n")
        for name, frame in _frames(record)
    }
    with claimed(folder) as out:
        out.write(tables)


def write_xlsx(record: AuditRecord, path: Path) -> None:
    """Write a workbook with a sheet for each table of an audit.

    Raises
    ------
    ConfigurationError
        If openpyxl is not installed.
    """
    import pandas as pd

    try:
        from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE as UNWRITABLE
    except ImportError as error:
        raise ConfigurationError(
            "xlsx needs openpyxl, which is not installed; pip install 'explain-audit[xlsx]', or "
            "export to csv"
        ) from error

    def fitting(cell: object) -> object:
        return UNWRITABLE.sub("\ufffd", cell)[:LONGEST_CELL] if isinstance(cell, str) else cell

    stream = BytesIO()
    with pd.ExcelWriter(stream, engine="openpyxl") as book:
        for name, frame in _frames(translated_record(record)):
            shown = _in_words(frame, name).map(fitting).rename(columns=fitting)
            shown.to_excel(book, sheet_name=_(name), index=False)
    write_whole(path, stream.getvalue())


def _in_words(frame: "pd.DataFrame", table: str) -> "pd.DataFrame":
    """Return a table with its heads and verdicts in the language that is spoken.

    The columns of predictions are those of the user's table.
    """
    if is_english() or table == "predictions":
        return frame
    words = {name: frame[name].map(_word) for name in NAME_COLUMNS if name in frame.columns}
    return frame.assign(**words).rename(columns=lambda head: _(HEADS.get(str(head), str(head))))


def _word(name: object) -> object:
    return _(name) if isinstance(name, str) else name


def _frames(record: AuditRecord) -> "Iterator[tuple[str, pd.DataFrame]]":
    import numpy as np

    def cell(value: object) -> object:
        return safe_cell(value.tolist() if isinstance(value, np.ndarray) else value)

    for name in TABLES:
        if name == "predictions" and not record.has_predictions:
            continue
        frame = record.to_frame(name)
        names = {column: str(safe_cell(column)) for column in frame.columns}
        yield name, frame.astype(object).map(cell).rename(columns=names)
