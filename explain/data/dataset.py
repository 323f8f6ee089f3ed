"""A table of texts, read from a file or a live object, every row accounted for.

How a label cell is read depends on the task. For a single-label model it is one label, whatever
its text. For a multi-label model it is a list (in .jsonl, .json, .parquet or a live object), or a
text with ``|`` between the labels: ``"billing|urgent"``; an empty list says that no label holds, an
empty cell says nothing. Where the model has one label alone, 1 or 0 says whether it holds. For a
regression it is a number.

A cell holds names, never the index of a label; a vector of 0 and 1 is refused, as it may pass for
names. What the datasets library numbers (``ClassLabel``) has the names that the data set states.

A cell of the rationale column holds the places of the text that people marked as the reason for the
label: pairs ``[start, end]`` of code points, half-open, as a list or as its JSON text; of a pair of
texts ``[part, start, end]``, with part 0 or 1. An empty cell says nothing.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from operator import index
from pathlib import Path
from typing import Any

from explain.data.label_cells import (
    class_names,
    is_missing,
    label_by_number,
    read_labels,
    text_problem,
)
from explain.data.tables import Record, read_file, read_object
from explain.errors import ConfigurationError, DataError, ExplainError, nearest
from explain.record import FileHash, Task, label_name
from explain.record.files import hash_file
from explain.text.redaction import without_surrogates
from explain.text.spans import Span

__all__ = ["Dataset", "Row", "read_dataset"]

HEADERS = {
    ".csv": "; the first line of a .csv names its columns, with commas between them",
    ".tsv": "; the first line of a .tsv names its columns, with tabs between them",
}
"""What a file without a header, or with another delimiter, is told."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table.

    Attributes
    ----------
    number : int
        Counted from 1 after the header.
    id : str
        Derived from the text; repeats of a text are numbered.
    parts : tuple of str
        The text: one string, or two for a pair. Empty if the row has no text.
    labels : tuple of str or None
        What is given: one label, any number of them for a multi-label model, or the number of a
        regression as text. None if nothing is.
    problem : str or None
        Why the row cannot be used.
    columns : dict of str to str
        Cells of further columns that were asked for, as text; missing ones are left out.
    rationale : tuple of Span or None
        What people marked as the reason for the label; None if nothing is said.
    """

    number: int
    id: str
    parts: tuple[str, ...]
    labels: tuple[str, ...] | None
    problem: str | None = None
    columns: dict[str, str] = field(default_factory=dict, hash=False)
    rationale: tuple[Span, ...] | None = None

    @property
    def label(self) -> str | None:
        """The one label that is given; None if there is none, or not one."""
        return self.labels[0] if self.labels is not None and len(self.labels) == 1 else None


@dataclass(frozen=True, slots=True)
class Dataset:
    """All rows of a table, with where they came from.

    Attributes
    ----------
    rows : tuple of Row
        All of them, those that cannot be used included.
    files : tuple of FileHash
        The file it was read from; empty for a live object.
    has_labels : bool
        Whether a label column was named.
    sha256 : str
        Hash of all that was read, the same for a file and for its rows as a live object.
    """

    rows: tuple[Row, ...]
    files: tuple[FileHash, ...]
    has_labels: bool
    sha256: str


def read_dataset(
    data: Any,
    *,
    text: str,
    text_pair: str | None = None,
    label: str | None = None,
    rationale: str | None = None,
    task: Task = "single_label",
    labels: Sequence[str] = (),
    columns: Sequence[str] = (),
) -> Dataset:
    """Return the rows of a table.

    Parameters
    ----------
    data : path, DataFrame, Dataset of the datasets library, or list of dict
        A file (.csv, .tsv, .jsonl or .json in UTF-8, also with .gz, .bz2 or .xz behind; or
        .parquet) or a live object, of polars or pyarrow too.
    text, text_pair, label, rationale : str
        Names of the columns. No other column is guessed at.
    task : {"single_label", "multi_label", "regression"}
        How a cell of the label column is read.
    labels : sequence of str
        The labels of the model, if they are known.
    columns : sequence of str
        Names of further columns to keep: groups, and slices.

    Raises
    ------
    ConfigurationError
        If it lacks one of the further columns, of which each was named by the user.
    DataError
        If the file is missing, empty, not UTF-8, malformed, or lacks a column of texts, labels or
        rationales, or a label or rationale cannot be read.
    """
    required_columns = [
        column for column in (text, text_pair, label, rationale) if column is not None
    ]
    if isinstance(data, str | Path):
        path = Path(data)
        records = read_file(path)
        files: tuple[FileHash, ...] = (hash_file(path, path.parent),)
        name = str(path)
    else:
        records, files, name = _live_records(data), (), f"the {type(data).__name__}"
    if not records:
        raise DataError(f"{name} holds no rows; pass a table with at least one")
    _check_columns(records, required_columns, name, DataError)
    _check_columns(records, columns, name, ConfigurationError)
    labels_of_rows = [
        None if label is None else read_labels(record.get(label), number, task, labels)
        for number, record in enumerate(records, start=1)
    ]
    sides = [text] if text_pair is None else [text, text_pair]
    counts: Counter[tuple[str, ...]] = Counter()
    rows = tuple(
        _with_rationale(_row(number, record, sides, labels, columns, counts), record, rationale)
        for number, (record, labels) in enumerate(
            zip(records, labels_of_rows, strict=True), start=1
        )
    )
    content = json.dumps([[row.parts, row.labels, row.columns, row.rationale] for row in rows])
    return Dataset(rows, files, label is not None, hashlib.sha256(content.encode()).hexdigest())


def _row(
    number: int,
    record: Record,
    sides: Sequence[str],
    labels: tuple[str, ...] | None,
    columns: Sequence[str],
    counts: Counter[tuple[str, ...]],
) -> Row:
    further_columns = {
        column: without_surrogates(label_name(cell))
        for column in columns
        if not is_missing(cell := record.get(column))
    }
    cells = [record.get(side) for side in sides]
    problem = next(
        (f"column {side!r}: {reason}" for side, cell in zip(sides, cells, strict=True)
         if (reason := text_problem(cell))),
        None,
    )  # fmt: skip
    if problem is not None:
        return Row(number, f"row-{number}", (), labels, problem, further_columns)
    parts = tuple(str(cell) for cell in cells)
    counts[parts] += 1
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
    repeat = f"-{counts[parts]}" if counts[parts] > 1 else ""
    return Row(number, digest + repeat, parts, labels, columns=further_columns)


def _with_rationale(row: Row, record: Record, column: str | None) -> Row:
    """Return the row with what its cell gives as the rationale.

    Raises
    ------
    DataError
        If it is no list of places of the text.
    """
    cell: Any = None if column is None else record.get(column)
    if row.problem is not None or is_missing(cell):
        return row
    try:
        places = json.loads(cell) if isinstance(cell, str) else cell
        spans = tuple(_place(place, len(row.parts)) for place in places)
    except (TypeError, ValueError, RecursionError):
        spans = (Span(-1, 0, 0),)
    sizes = [len(part) for part in row.parts]
    for part, start, end in spans:
        if not (0 <= part < len(sizes) and 0 <= start < end <= sizes[part]):
            shape = "[start, end]" if len(sizes) == 1 else "[part, start, end]"
            raise DataError(
                f"the rationale of row {row.number} is {str(cell)[:60]!r}; expected a list of "
                f"{shape}, half-open places within the text"
            )
    return replace(row, rationale=spans)


def _place(place: Iterable[Any], n_parts: int) -> Span:
    """Return a place that a rationale names; of a single text without its part."""
    numbers = [index(number) for number in place]
    part, start, end = numbers if n_parts > 1 else (0, *numbers)
    return Span(part, start, end)


def _check_columns(
    records: Sequence[Record], names: Sequence[str], name: str, failure: type[ExplainError]
) -> None:
    columns = list(dict.fromkeys(column for record in records for column in record))
    for column in names:
        if column not in columns:
            header = next((h for end, h in HEADERS.items() if end in name.lower()), "")
            raise failure(f"{name} has no column {column!r}; {nearest(column, columns)}{header}")


def _live_records(data: Any) -> list[Record]:
    """Return the rows of a live object, classes by their names."""
    rows, names = read_object(data), class_names(data)
    if not names:
        return rows
    return [
        {**row, **{c: label_by_number(row[c], names[c], c) for c in names if c in row}}
        for row in rows
    ]
