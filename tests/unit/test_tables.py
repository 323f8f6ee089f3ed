"""Tables of every kind, in files and live, are read as they are, or refused with one line."""

import bz2
import csv
import gzip
import io
import json
import lzma
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import BaseModel

from explain.auditing.plan import AuditPlan
from explain.data import tables
from explain.data.dataset import read_dataset
from explain.data.tables import read_file, read_object
from explain.errors import DataError
from explain.record import ModelDescription
from tests.helpers.records import audit_record, hostile_record, run_log

ROWS = [{"text": "good", "label": "pos"}, {"text": "bäd", "label": "neg"}]
CSV = "text,label\ngood,pos\nbäd,neg\n"
TSV = CSV.replace(",", "\t")
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
JSON = json.dumps(ROWS)


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(data: Any, text: str = "text") -> str:
    """Return the one line with which a table is refused."""
    with pytest.raises(DataError) as caught:
        read_dataset(data, text=text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 3000
    return str(caught.value)


# ── Endings and encodings ─────────────────────────────────────────────────────────────────────────

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


@pytest.mark.parametrize("packed", PACKERS)
@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("ending", "content"), [(".csv", CSV), (".tsv", TSV), (".jsonl", LINES), (".json", JSON)]
)
def test_a_file_reads_the_same_in_every_writing(
    tmp_path: Path, packed: str, upper: bool, mark: str, end: str, ending: str, content: str
) -> None:
    name = "rows.v2" + (ending + packed).upper() if upper else "rows" + ending + packed
    raw = (mark + content.replace("\n", end)).encode()
    assert read_file(write(tmp_path / name, PACKERS[packed](raw))) == ROWS


def test_line_endings_may_be_mixed(tmp_path: Path) -> None:
    for ending, mark in ((".csv", ","), (".tsv", "\t")):
        content = f"text{mark}label\r\ngood{mark}pos\nbäd{mark}neg\r"
        assert read_file(write(tmp_path / f"rows{ending}", content)) == ROWS


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".json"])
def test_a_file_of_another_unicode_encoding_is_told_so(
    tmp_path: Path, encoding: str, ending: str
) -> None:
    path = write(tmp_path / f"rows{ending}", CSV.encode(encoding))
    assert "UTF-16 or UTF-32, not UTF-8; save it as UTF-8" in refusal(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.csv.gz", b"no archive", "cannot be read: Not a gzipped file"),
        (
            "rows.csv.gz",
            gzip.compress(CSV.encode(), mtime=0)[:-9],
            "cannot be read: Compressed file ended",
        ),
        ("rows.csv.bz2", b"no archive", "cannot be read: Invalid data stream"),
        ("rows.csv.xz", b"no archive", "cannot be read: Input format not supported"),
        ("rows.gz", b"", "of no known kind"),
        ("rows.parquet.gz", b"", "of no known kind"),
        ("rows.csv.zip", b"", "of no known kind; known suffixes are: .csv.*.gz, .bz2, .xz behind"),
        ("rows", b"", "of no known kind"),
        ("rows.json", b'{"text": "a"}\n{"text": "b"}\n', r"one object a line; name it .jsonl"),
        ("rows.json", b'{"text": {"0": "a"}}', "orient='records'"),
        ("rows.jsonl", b'{"text": "a", "text": "b"}\n', "line 1: the column 'text' appears more"),
        ("rows.jsonl", b'{"text": ' + b"9" * 5000 + b"}\n", "line 1: Exceeds the limit"),
        ("rows.tsv", b"text\ttext\na\tb\n", "'text' appears more than once"),
        ("rows.tsv", b"text\tlabel\na\n", "line 2 has 1 cells, the header has 2"),
        ("rows.csv", b"good film,pos\nbad film,neg\n", "the first line of a .csv names its"),
        ("rows.csv", b"text;label\ngood,pos\n", "with commas between|has 2 cells"),
        (
            "rows.tsv.gz",
            gzip.compress(b"good film\tpos\n", mtime=0) * 2,
            "the first line of a .tsv",
        ),
    ],
)
def test_a_file_that_is_no_table_is_refused(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_dataset(write(tmp_path / name, content), text="text")


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".json", ".csv.gz", ".tsv.xz"])
def test_an_empty_file_holds_no_rows(tmp_path: Path, ending: str) -> None:
    for content in (b"", b"\xef\xbb\xbf", b"\n\n"):
        packed = PACKERS.get(ending[4:], bytes)(content)
        assert "holds no rows" in refusal(write(tmp_path / f"rows{ending}", packed))


def test_a_nested_value_is_no_text_and_no_row_is_lost(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", '{"text": {"a": 1}}\n{"text": ["b"]}\n{"text": "c"}\n')
    rows = read_dataset(path, text="text").rows
    assert [row.problem and row.problem.split(": ")[1] for row in rows] == [
        "dict instead of a text",
        "list instead of a text",
        None,
    ]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(99) + b"PAR1", b"text\ngood\n"])
def test_what_is_no_parquet_is_refused(tmp_path: Path, content: bytes) -> None:
    assert "cannot be read" in refusal(write(tmp_path / "rows.PARQUET", content))


def test_a_table_of_parquet_is_read_as_its_frame_is(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "text": ["good", "bäd", None, "a\r\nb"],
            "label": pd.Categorical(["pos", "neg", "pos", "neg"]),
            "several": [["a"], ["a", "b"], [], None],
            "number": [1.5, None, 3.0, 4.0],
            "day": pd.to_datetime(["2026-11-28"] * 4),
            "flag": [True, False, None, True],
        }
    )
    frame.to_parquet(tmp_path / "rows.parquet")
    from_file = read_dataset(tmp_path / "rows.parquet", text="text", label="label").rows
    from_frame = read_dataset(frame, text="text", label="label").rows
    assert [row.parts for row in from_file] == [("good",), ("bäd",), (), ("a\r\nb",)]
    assert [row.labels for row in from_file] == [row.labels for row in from_frame]
    assert [row.problem for row in from_file] == [row.problem for row in from_frame]


# ── Bounded work ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("packed", [".gz", ".bz2", ".xz"])
@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_an_archive_that_expands_beyond_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: str, ending: str
) -> None:
    monkeypatch.setattr(tables, "LARGEST_TABLE", 2**20)
    bomb = PACKERS[packed](bytes(2**24))
    path = write(tmp_path / f"rows{ending}{packed}", bomb)
    assert len(bomb) < 2**20
    assert "more than 1 MiB once expanded; pass a sample" in refusal(path)


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".json", ".jsonl", ".parquet"])
def test_a_file_over_the_limit_is_refused_before_it_is_read(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"rows{ending}"
    with path.open("wb") as stream:
        stream.truncate(3 * 2**29)
    assert "more than 256 MiB; pass a sample" in refusal(path)


@pytest.mark.parametrize("kind", ["texts", "lists of texts", "bytes", "fields of texts"])
def test_a_parquet_of_a_few_kilobytes_that_expands_is_refused_unread(
    tmp_path: Path, kind: str
) -> None:
    big = "x" * 2**20
    n = 20_000
    indices = pa.array(np.zeros(n, dtype=np.int32))
    leaves = pa.DictionaryArray.from_arrays(
        indices, pa.array([big.encode() if kind == "bytes" else big])
    )
    columns = {
        "lists of texts": pa.ListArray.from_arrays(np.arange(n + 1, dtype=np.int32), leaves),
        "fields of texts": pa.StructArray.from_arrays([leaves], ["a"]),
    }
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"text": columns.get(kind, leaves)}), path)
    assert path.stat().st_size < 2**20
    assert "more than 256 MiB once expanded; pass a sample" in refusal(path)


def test_a_parquet_of_too_many_rows_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"text": pa.array(["a"] * (tables.MOST_ROWS + 1))}), path)
    assert "more than 1,000,000 rows; pass a sample" in refusal(path)


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".json", ".jsonl"])
def test_a_table_of_too_many_rows_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    content = {".csv": CSV, ".tsv": TSV, ".json": JSON, ".jsonl": LINES}[ending]
    path = write(tmp_path / f"rows{ending}", content)
    monkeypatch.setattr(tables, "MOST_ROWS", 2)
    assert len(read_file(path)) == 2
    monkeypatch.setattr(tables, "MOST_ROWS", 1)
    assert "more than 1 rows" in refusal(path)
    assert "more than 1 rows" in refusal(pd.DataFrame(ROWS))


def test_a_header_of_many_columns_takes_no_square_of_time(tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(200_000)]
    content = ",".join(names) + "\n" + ",".join("x" for _ in names) + "\n"
    message = refusal(write(tmp_path / "wide.csv", content))
    assert "and 199,960 more" in message


def test_the_columns_of_a_file_without_a_header_are_cut_in_the_message(tmp_path: Path) -> None:
    assert len(refusal(write(tmp_path / "rows.csv", "word " * 200_000 + ",pos\na,b\n"))) < 500


# ── Quotation marks of tables with tabs ───────────────────────────────────────────────────────────


def write_table(rows: list[list[str]], **options: Any) -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream, **options).writerows(rows)
    return stream.getvalue()


def as_rows(table: list[list[str]]) -> list[dict[str, str]]:
    return [dict(zip(table[0], cells, strict=True)) for cells in table[1:]]


def has_mark(table: list[list[str]], mark: str) -> bool:
    """Tell whether a cell holds a mark; a lone CR is what the csv module leaves unquoted."""
    return any(mark in cell for row in table for cell in row)


CELLS = st.text(st.sampled_from("ab \"\t\n\r,;'\\é|"), max_size=6)
TABLES = st.lists(st.tuples(CELLS, CELLS).map(list), min_size=1, max_size=5).map(
    lambda rows: [["text", "label"], *rows]
)


@given(TABLES, st.sampled_from(["\n", "\r\n"]), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_what_the_csv_module_writes_reads_back(
    table: list[list[str]], end: str, quoting: int
) -> None:
    assume(end == "\r\n" or quoting == csv.QUOTE_ALL or not has_mark(table, "\r"))
    with tempfile.TemporaryDirectory() as folder:
        content = write_table(table, lineterminator=end, quoting=quoting)
        assert read_file(write(Path(folder) / "t.csv", content)) == as_rows(table)
        content = write_table(table, lineterminator=end, quoting=quoting, delimiter="\t")
        path = write(Path(folder) / "t.tsv", content)
        if quoting == csv.QUOTE_ALL or not (has_mark(table, "\n") or has_mark(table, "\r")):
            assert read_file(path) == as_rows(table)
            return
        # Cells that hold the very tabs and line ends that part others may be refused, not misread.
        with suppress(DataError):
            assert read_file(path) == as_rows(table)


@given(TABLES)
def test_what_pandas_writes_reads_back(table: list[list[str]]) -> None:
    assume(not has_mark(table, "\r"))
    frame = pd.DataFrame(table[1:], columns=table[0])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        frame.to_csv(path / "t.csv", index=False)
        frame.to_json(path / "t.jsonl", orient="records", lines=True)
        frame.to_json(path / "t.json", orient="records")
        frame.to_csv(path / "t.csv.gz", index=False)
        for name in ("t.csv", "t.jsonl", "t.json", "t.csv.gz"):
            assert read_file(path / name) == as_rows(table)


PLAIN = st.text(st.sampled_from("ab \"',.é"), min_size=1, max_size=8)


@given(st.lists(st.tuples(PLAIN, st.sampled_from("01")).map(list), min_size=1, max_size=6))
def test_a_table_without_quoting_reads_back(rows: list[list[str]]) -> None:
    # With a cell that no program would have quoted.
    table = [["text", "label"], ['"Fine"', "1"], *rows]
    content = "".join("\t".join(cells) + "\n" for cells in table)
    with tempfile.TemporaryDirectory() as folder:
        assert read_file(write(Path(folder) / "t.tsv", content)) == as_rows(table)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (['"Great', 'film"', '"Fine"'], ['"Great', 'film"', '"Fine"']),
        (['"a" b', "c"], ['"a" b', "c"]),
        (['it is 12" wide', "c"], ['it is 12" wide', "c"]),
        (['"say ""hi"""', "c"], ['say "hi"', "c"]),
        (['""', "c"], ["", "c"]),
        (['"', "c"], ['"', "c"]),
    ],
)
def test_quotation_marks_are_read_as_they_were_written(
    tmp_path: Path, cells: list[str], expected: list[str]
) -> None:
    content = "text\tlabel\n" + "".join(f"{cell}\t1\n" for cell in cells)
    rows = read_file(write(tmp_path / "t.tsv", content))
    assert [row["text"] for row in rows] == expected


@pytest.mark.parametrize("cells", [['"Great', 'film"'], ['"Fine, thanks"']])
def test_quotation_marks_that_may_be_either_are_refused(tmp_path: Path, cells: list[str]) -> None:
    content = "text\tlabel\n" + "".join(f"{cell}\t1\n" for cell in cells)
    assert "save it as .csv or .jsonl" in refusal(write(tmp_path / "t.tsv", content))
    quoted = content.replace("text\tlabel", '"text"\t"label"')
    assert not read_file(write(tmp_path / "q.tsv", quoted))[0]["text"].startswith('"')


# ── Live objects ──────────────────────────────────────────────────────────────────────────────────


class Polars:
    """What `polars.DataFrame` has of this."""

    columns = ("text", "label")

    def to_dicts(self) -> list[dict[str, str]]:
        return ROWS

    def to_dict(self, *, as_series: bool = True) -> dict[str, Any]:
        raise AssertionError("gives columns")

    def to_pandas(self) -> pd.DataFrame:
        raise ModuleNotFoundError("pyarrow is required")


class Arrow:
    """What `pyarrow.Table` has of this."""

    def __init__(self, *names: str) -> None:
        self.column_names = list(names)
        self.columns = [["good", "bäd"], ["pos", "neg"]]

    def to_pylist(self) -> list[dict[str, str]]:
        return ROWS

    def to_pandas(self) -> pd.DataFrame:
        raise AssertionError("turns whole numbers beside nothing into fractions")


def test_live_tables_of_other_libraries_hold_the_same_rows() -> None:
    for data in (Polars(), Arrow("text", "label"), pd.DataFrame(ROWS), ROWS, tuple(ROWS)):
        assert read_object(data) == ROWS


@pytest.mark.parametrize(
    "data",
    [
        pd.DataFrame([["a", "b"]], columns=["text", "text"]),
        pd.DataFrame([["a", "b"]], columns=pd.Index([0, "0"], dtype=object)),
        Arrow("text", "text"),
        [{0: "a", "0": "b"}],
    ],
)
def test_two_columns_of_one_name_are_refused(data: Any) -> None:
    assert "appears more than once" in refusal(data)


@pytest.mark.parametrize("data", [pd.DataFrame([["good", 1]]), [{0: "good", 1: 1}]])
def test_columns_named_by_numbers_go_by_them_as_text(data: Any) -> None:
    (row,) = read_dataset(data, text="0", label="1").rows
    assert (row.parts, row.label) == (("good",), "1")


def lazy(method: str) -> Any:
    return type("Lazy", (), {"columns": ["text"], method: lambda self: None})()


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (lazy("collect"), r"pass data.collect\(\)"),
        (lazy("compute"), r"pass data.compute\(\)"),
        (lazy("toPandas"), r"pass data.toPandas\(\)"),
        (lazy("other"), "not Lazy"),
        ({"text": ["a"], "label": ["b"]}, r"pandas.DataFrame\(data\)"),
        ({"text": "a"}, r"\[data\] if it is one row"),
        ({"train": Arrow("text"), "test": Arrow("text")}, r"data\['train'\]"),
        (({"text": text} for text in "ab"), r"pass list\(data\)"),
        (pd.Series(["a"]), r"to_frame\('text'\)"),
        (["a", "b"], r"holds a str; pass \[\{'text': text\}"),
        ([{"text": "a"}, None], "holds a NoneType"),
        (np.array(["a"]), "not ndarray"),
        (3, "not int"),
        (None, "not NoneType"),
        (io.StringIO("text\na\n"), "not StringIO"),
    ],
)
def test_what_is_no_table_is_refused_with_the_way_out(data: Any, hint: str) -> None:
    with pytest.raises(DataError, match=hint):
        read_dataset(data, text="text")


def test_a_column_named_as_a_method_is_a_column() -> None:
    frame = pd.DataFrame({"text": ["a"], "collect": ["b"], "to_dicts": ["c"]})
    assert read_object(frame) == [{"text": "a", "collect": "b", "to_dicts": "c"}]


def test_a_table_that_fails_to_be_read_is_one_line() -> None:
    class Broken(Polars):
        def to_dicts(self) -> list[dict[str, str]]:
            raise RuntimeError("the connection\nis gone")

    assert refusal(Broken()).endswith("the Broken cannot be read: the connection")


# ── Missing values ────────────────────────────────────────────────────────────────────────────────

MISSING_CELLS = [
    None, float("nan"), np.float32("nan"), np.float16("nan"), np.float64("nan"), complex("nan"),
    np.complex64("nan"), Decimal("nan"), Decimal("snan"), np.datetime64("NaT"),
    np.timedelta64("NaT"), pd.NaT, pd.NA, np.ma.masked, "",
]  # fmt: skip


@pytest.mark.parametrize("cell", MISSING_CELLS, ids=lambda cell: f"{type(cell).__name__} {cell}")
def test_a_missing_value_of_any_type_is_missing(cell: Any) -> None:
    data = [{"text": "a", "label": cell, "group": cell, "why": cell}]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (row,) = read_dataset(
            data, text="text", label="label", rationale="why", columns=["group"]
        ).rows
    assert (row.labels, row.columns, row.rationale) == (None, {}, None)
    if not isinstance(cell, str):
        (row,) = read_dataset([{"text": cell}], text="text").rows
        assert row.problem == "column 'text': no text"


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1.0, None], dtype="float32"),
        pd.Series([1, None], dtype="Int64"),
        pd.Series([pd.Timestamp("2020-01-01"), None]),
        pd.Series(["x", None], dtype="string"),
        pd.Series(["x", None], dtype="category"),
        pd.Series([True, None], dtype="boolean"),
        pd.Series([pd.Timedelta(1), None]),
    ],
)
def test_a_missing_value_of_any_column_of_a_frame_is_missing(column: "pd.Series[Any]") -> None:
    frame = pd.DataFrame({"text": ["a", "b"], "group": column})
    rows = read_dataset(frame, text="text", columns=["group"]).rows
    assert [set(row.columns) for row in rows] == [{"group"}, set()]


def test_rows_can_be_put_into_sets() -> None:
    rows = read_dataset(ROWS, text="text", columns=["label"]).rows
    assert len({*rows, *read_dataset(ROWS, text="text", columns=["label"]).rows}) == 2


JSON_VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda one: st.lists(one) | st.dictionaries(st.text(max_size=2), one),
    max_leaves=6,
)


@given(JSON_VALUES)
def test_equal_records_have_equal_hashes(value: Any) -> None:
    facts = {"b": value, "a": 1}
    one, other = (
        ModelDescription(
            name="m", adapter="A", source=None, task="single_label", labels=("x",), facts=given
        )
        for given in (facts, dict(sorted(facts.items())))
    )
    assert one == other
    assert hash(one) == hash(other)
    assert len({one, other, one.model_copy(update={"name": "n"})}) == 2


@pytest.mark.parametrize("record", [audit_record(), hostile_record(), AuditPlan(), *run_log()])
def test_every_record_can_be_put_into_sets(record: BaseModel) -> None:
    assert len({record, record.model_copy(deep=True)}) == 1
