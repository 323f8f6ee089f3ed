"""Tables as lists of records, from files and from live objects, or refused with one line."""

import bz2
import csv
import gzip
import json
import lzma
import re
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import StringIO
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeAlias

from explain.errors import DataError

__all__ = ["LARGEST_TABLE", "MOST_ROWS", "SUFFIXES", "Record", "read_file", "read_object"]

Record: TypeAlias = Mapping[str, Any]

COMPRESSED: dict[str, type[gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile]] = {
    ".gz": gzip.GzipFile,
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
}
"""What the standard library expands, by the last ending of the name."""

SUFFIXES = (".csv", ".tsv", ".jsonl", ".json", ".parquet")

LARGEST_TABLE = 2**28
"""Bytes of a table, once it is expanded: 256 MiB, which JSON turns into some 6 GB of objects."""

MOST_ROWS = 1_000_000
"""Rows of a table: an audit keeps each of them, at about a kilobyte."""

LAZY = ("toPandas", "collect", "compute")
"""What makes a table of a promise of one: of pyspark, of polars, of dask."""

_LINE_END = re.compile(r"\r\n|\r|\n")
_QUOTED = re.compile(r'(?:^|(?<=[\t\r\n]))"((?:[^"]|"")*+)"(?=[\t\r\n]|$)')
_QUOTED_BY_ALL = re.compile(r'[\t\r\n"]')
_QUOTED_FOR = re.compile(r'[\t\r\n",;]')


def read_file(path: Path) -> list[Record]:
    """Return the rows of a table in a file.

    Parameters
    ----------
    path : Path
        Its ending says what it is, in capitals or not: .csv, .tsv, .jsonl, .json, each also with
        .gz, .bz2 or .xz behind it, or .parquet.

    Raises
    ------
    DataError
        If it is missing, of another kind, too large, not UTF-8, or malformed.
    """
    if not path.is_file():
        raise DataError(f"no file {str(path)!r}; pass a table ({', '.join(SUFFIXES)})")
    endings = [ending.lower() for ending in path.suffixes]
    compressed = endings.pop() if endings and endings[-1] in COMPRESSED else None
    kind = endings[-1] if endings else ""
    if kind not in SUFFIXES or (compressed and kind == ".parquet"):
        raise DataError(
            f"{str(path)!r} is of no known kind; known suffixes are: {', '.join(SUFFIXES)}, and "
            f"those of texts with {', '.join(COMPRESSED)} behind"
        )
    try:
        if kind == ".parquet":
            return _read_parquet(path)
        content = _decode(_bytes_of(path, compressed))
        return _within_limit(_READERS[kind](content))
    except UnicodeDecodeError as error:
        raise DataError(
            f"{str(path)!r} is not UTF-8 (byte 0x{error.object[error.start]:02x}); save it as UTF-8"
        ) from error
    except RecursionError as error:
        raise DataError(f"{str(path)!r} cannot be read: it is nested too deeply") from error
    except (csv.Error, ValueError, OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise DataError(f"{str(path)!r} cannot be read: {_reason(error)}") from error


def read_object(data: Any) -> list[Record]:
    """Return the rows of a DataFrame, of a Dataset of the datasets library, or of a list.

    Columns that are named by numbers go by those numbers as text.

    Raises
    ------
    DataError
        If it is none of these, has too many rows, or two columns of one name.
    """
    kind = type(data).__name__
    try:
        rows = _rows_of(data)
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"the {kind} cannot be read: {_reason(error)}") from error
    if not isinstance(rows, list | tuple) or not all(isinstance(row, Mapping) for row in rows):
        raise DataError(
            f"a table is a path, a DataFrame, a Dataset or a list of dict, not {kind}{_hint(data)}"
        )
    try:
        return _within_limit(map(_named_by_text, rows))
    except ValueError as error:
        raise DataError(f"the {kind} cannot be read: {error}") from error


def _rows_of(data: Any) -> Any:
    """Return the rows of a live object if it is known to hold some, or else the object itself."""
    # Of the class, as pandas has columns as attributes.
    kind = type(data)
    if isinstance(data, Mapping) or any(hasattr(kind, method) for method in LAZY):
        return data
    if hasattr(kind, "to_dicts"):  # polars
        _each_once([*map(str, data.columns)])
        return data.to_dicts()
    if hasattr(kind, "to_pylist") and hasattr(data, "column_names"):  # pyarrow
        _each_once([*map(str, data.column_names)])
        return data.to_pylist()
    if hasattr(kind, "to_pandas"):
        return _rows_of(data.to_pandas())
    if hasattr(kind, "to_dict") and hasattr(data, "columns"):
        names = [*map(str, data.columns)]
        _each_once(names)
        return data.set_axis(names, axis=1).to_dict("records")
    return data


def _named_by_text(row: Mapping[Any, Any]) -> Record:
    if all(isinstance(name, str) for name in row):
        return row
    names = [str(name) for name in row]
    _each_once(names)
    return dict(zip(names, row.values(), strict=True))


def _hint(data: Any) -> str:
    """Return how a live object that is no table becomes one; nothing where that is not known."""
    for method in LAZY:
        if hasattr(type(data), method):
            return f", which is not read yet; pass data.{method}()"
    if isinstance(data, Mapping):
        tables = [name for name, table in data.items() if hasattr(table, "column_names")]
        if tables:
            return f"; pass one of its tables, such as data[{tables[0]!r}]"
        return "; pass pandas.DataFrame(data) if it holds columns, or [data] if it is one row"
    if hasattr(type(data), "to_frame"):
        return "; pass data.to_frame('text')"
    if isinstance(data, list | tuple) and data:
        other = next(one for one in data if not isinstance(one, Mapping))
        return (
            f" that holds a {type(other).__name__}; pass [{{'text': text}} for text in data] if "
            "these are the texts"
        )
    return "; pass list(data) if it yields dicts" if isinstance(data, Iterable) else ""


def _within_limit(records: Iterable[Record]) -> list[Record]:
    read = list(islice(records, MOST_ROWS + 1))
    if len(read) > MOST_ROWS:
        raise ValueError(f"it holds more than {MOST_ROWS:,} rows; pass a sample of them")
    return read


def _bytes_of(path: Path, compressed: str | None) -> bytes:
    """Return what a file holds, expanded, without ever reading much more than the limit."""
    size = path.stat().st_size
    with path.open("rb") if compressed is None else COMPRESSED[compressed](path) as stream:
        content = b"" if size > LARGEST_TABLE else stream.read(LARGEST_TABLE + 1)
    if size > LARGEST_TABLE or len(content) > LARGEST_TABLE:
        raise ValueError(
            f"it holds more than {LARGEST_TABLE >> 20} MiB{' once expanded' * bool(compressed)}; "
            "pass a sample of its rows"
        )
    return content


def _decode(content: bytes) -> str:
    """Return the text of a file, without a byte order mark.

    No table begins with NUL, so one among the first two bytes tells UTF-16 without a mark.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or 0 in content[:2]:
        raise ValueError("it is UTF-16 or UTF-32, not UTF-8; save it as UTF-8")
    return content.decode("utf-8-sig")


def _reason(error: BaseException) -> str:
    """Return the first line of an error of another library, cut to what one line can hold."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def _each_once(names: Sequence[str]) -> None:
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise ValueError(
            f"the column {repeated[0][:60]!r} appears more than once; give each its own name"
        )


def _csv(content: str) -> Iterator[Record]:
    return _records(*_cells(content, ","))


def _cells(content: str, delimiter: str) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Return the header, and the number and cells of each line after it that is not empty."""
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader(StringIO(content, newline=""), delimiter=delimiter, strict=True)
    header = next(reader, [])
    return header, ((reader.line_num, cells) for cells in reader if cells)


def _records(header: Sequence[str], lines: Iterable[tuple[int, list[str]]]) -> Iterator[Record]:
    _each_once(header)
    for number, cells in lines:
        if len(cells) != len(header):
            raise ValueError(f"line {number} has {len(cells)} cells, the header has {len(header)}")
        yield dict(zip(header, cells, strict=True))


def _tsv(content: str) -> list[Record]:
    """Return the rows of a table with tabs, whose quotation marks may be quoting or text.

    Both readings are tried. Where both give a table, and not the same, quotation marks are quoting
    if a program would have written all of them so: around a cell with a tab, a line end, a
    quotation mark or nothing in it, or around all names of the header. They are text if one of them
    would be written by none. What may be either is refused: a comma alone makes Excel quote.

    Raises
    ------
    ValueError
        If neither gives a table, or it is not known which is meant.
    """
    if '"' not in content:
        return _within_limit(_records(*_plain(content)))
    try:
        quoted = _within_limit(_records(*_cells(content, "\t")))
    except (csv.Error, ValueError):
        return _within_limit(_records(*_plain(content)))
    try:
        plain = _within_limit(_records(*_plain(content)))
    except ValueError:
        return quoted
    if plain == quoted or _is_quoted(content, same_rows=len(plain) == len(quoted)):
        return quoted
    return plain


def _is_quoted(content: str, *, same_rows: bool) -> bool:
    """Tell whether quotation marks that may be quoting or text are quoting, see `_tsv`."""
    header = _LINE_END.split(content, maxsplit=1)[0].split("\t")
    if all(_QUOTED.fullmatch(name) for name in header):
        return True
    bodies = [match[1] for match in _QUOTED.finditer(content)]
    if any(body and not _QUOTED_FOR.search(body) for body in bodies):
        return False
    if same_rows and all(not body or _QUOTED_BY_ALL.search(body) for body in bodies):
        return True
    raise ValueError(
        "its quotation marks may be quoting or part of the texts; save it as .csv or .jsonl"
    )


def _plain(content: str) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Return what `_cells` does of a table without quoting."""
    lines = _LINE_END.split(content)
    header = lines[0].split("\t") if lines[0] else []
    return header, (
        (number, line.split("\t")) for number, line in enumerate(lines[1:], start=2) if line
    )


def _json_lines(content: str) -> Iterator[Record]:
    for number, line in enumerate(StringIO(content, newline=""), start=1):
        if line.strip():
            try:
                yield _object(_parse(line))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error


def _json(content: str) -> Iterator[Record]:
    try:
        rows = _parse(content if content.strip() else "[]")
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and content[: error.pos].rstrip(" ").endswith(("\n", "\r")):
            raise ValueError("it holds one object a line; name it .jsonl") from error
        raise
    if not isinstance(rows, list):
        raise ValueError("expected a list of objects: pandas writes it with orient='records'")
    return map(_object, rows)


def _parse(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_each_key_once)


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        _each_once([name for name, _ in pairs])
    return found


def _object(content: Any) -> Record:
    if not isinstance(content, dict):
        raise ValueError(f"expected an object with named columns, not {type(content).__name__}")
    return content


_READERS: dict[str, Callable[[str], Iterable[Record]]] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".jsonl": _json_lines,
    ".json": _json,
}


def _read_parquet(path: Path) -> list[Record]:
    import pandas as pd
    import pyarrow as pa

    if path.stat().st_size > LARGEST_TABLE:
        raise ValueError(f"it holds more than {LARGEST_TABLE >> 20} MiB; pass a sample of its rows")
    try:
        expanded = _expanded_size(path)
        rows = [] if expanded > LARGEST_TABLE else read_object(pd.read_parquet(path))
    except (pa.ArrowException, OSError) as error:
        raise ValueError(_reason(error)) from error
    if expanded > LARGEST_TABLE:
        raise ValueError(
            f"it holds more than {LARGEST_TABLE >> 20} MiB once expanded; pass a sample of its rows"
        )
    return rows


def _expanded_size(path: Path) -> int:
    """Return how many bytes the values of a file take.

    A text that is repeated is stored once, as an entry of a dictionary, and it is read so here.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        if file.metadata.num_rows > MOST_ROWS:
            raise ValueError(f"it holds more than {MOST_ROWS:,} rows; pass a sample of them")
        groups = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
        size = sum(group.total_byte_size for group in groups)
        columns = [c.path for c in (file.schema.column(i) for i in range(len(file.schema)))]
    if size > LARGEST_TABLE:
        return int(size)
    with pq.ParquetFile(path, read_dictionary=columns) as file:
        for batch in file.iter_batches():
            for column in chain.from_iterable(map(_dictionaries, batch.columns)):
                lengths = pc.binary_length(column.dictionary).take(column.indices)
                size += pc.sum(lengths).as_py() or 0
    return int(size)


def _dictionaries(column: Any) -> Iterator[Any]:
    """Yield the parts of an arrow array whose values are entries of a dictionary."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        yield column
    elif pa.types.is_struct(column.type):
        yield from chain.from_iterable(map(_dictionaries, column.flatten()))
    elif pa.types.is_nested(column.type) and not pa.types.is_union(column.type):
        yield from _dictionaries(column.values)
