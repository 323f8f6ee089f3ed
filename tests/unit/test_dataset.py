"""Tables are read whole, or refused with one clear line."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from explain.data.dataset import read_dataset
from explain.errors import DataError
from explain.text.spans import Span

ROWS = [{"text": "good", "label": "pos"}, {"text": 'a,\n"b" 👍', "label": "neg"}]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_file_a_frame_and_a_list_hold_the_same_rows(tmp_path: Path) -> None:
    csv = tmp_path / "rows.csv"
    pd.DataFrame(ROWS).to_csv(csv, index=False)
    lines = write(tmp_path / "rows.jsonl", "\n".join(map(json.dumps, ROWS)) + "\n\n")
    whole = write(tmp_path / "rows.json", json.dumps(ROWS))
    tsv = write(tmp_path / "rows.tsv", 'text\tlabel\ngood\tpos\n"a,\n""b"" 👍"\tneg\n')
    sources = [csv, lines, whole, tsv, str(csv), pd.DataFrame(ROWS), ROWS]
    read = [read_dataset(source, text="text", label="label") for source in sources]
    assert len({dataset.sha256 for dataset in read}) == 1
    assert read[0].rows == read[-1].rows
    assert [file.path for file in read[0].files] == ["rows.csv"]


def test_ids_come_from_the_text_and_repeats_are_numbered() -> None:
    first = read_dataset([{"text": "a"}, {"text": "b"}, {"text": "a"}], text="text").rows
    other = read_dataset([{"text": "b"}, {"text": "a"}], text="text").rows
    assert first[0].id == other[1].id
    assert first[2].id == f"{first[0].id}-2"


def test_rows_without_a_text_are_kept_with_their_problem() -> None:
    rows = read_dataset(
        [{"text": None}, {"text": float("nan")}, {"text": 3}, {"text": "a\ud800"}, {"text": ""}],
        text="text",
    ).rows
    assert [row.problem is None for row in rows] == [False, False, False, False, True]
    assert "instead of a text" in str(rows[2].problem)
    assert "U+D800" in str(rows[3].problem)


def test_an_empty_text_in_a_csv_is_a_text(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", 'text,label\n"",pos\n')
    (row,) = read_dataset(path, text="text", label="label").rows
    assert (row.parts, row.problem) == (("",), None)


def test_pairs_take_two_columns_and_empty_labels_are_none() -> None:
    (row,) = read_dataset(
        [{"a": "one", "b": "two", "label": ""}], text="a", text_pair="b", label="label"
    ).rows
    assert row.parts == ("one", "two")
    assert row.label is None


def test_whole_numbers_stay_whole_beside_a_missing_label() -> None:
    frame = pd.DataFrame({"text": ["a", "b"], "label": [1, None]})
    rows = read_dataset(frame, text="text", label="label").rows
    assert [row.label for row in rows] == ["1", None]


@pytest.mark.parametrize("label", [["a"], {"a": 1}, "a\ud800"])
def test_a_label_that_is_none_is_refused(label: object) -> None:
    with pytest.raises(DataError, match="the label of row 1"):
        read_dataset([{"text": "a", "label": label}], text="text", label="label")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.csv", "", "holds no rows"),
        ("rows.csv", "text,label\n", "holds no rows"),
        ("rows.csv", "txt,label\na,b\n", "no column 'text'; did you mean 'txt'"),
        ("rows.csv", b"text,label\ncaf\xe9,b\n", "not UTF-8 .byte 0xe9."),
        ("rows.csv", "text,label\na,b,c\n", "line 2 has 3 cells, the header has 2"),
        ("rows.csv", 'text,label\n"a,b\n', "unexpected end of data"),
        ("rows.csv", "text,text\na,b\n", "'text' appears more than once"),
        ("rows.jsonl", '{"text": "a"}\n{"text"\n', "line 2"),
        ("rows.jsonl", "[1]\n", "line 1: expected an object"),
        ("rows.json", '{"text": "a"}', "expected a list of objects"),
        ("rows.json", "[" * 100_000, "nested too deeply"),
        ("rows.xlsx", "", "known suffixes are: .csv"),
    ],
)
def test_a_bad_file_is_refused(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_dataset(write(tmp_path / name, content), text="text")


def test_a_missing_file_and_a_strange_object_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file"):
        read_dataset(tmp_path / "missing.csv", text="text")
    with pytest.raises(DataError, match="a table is a path"):
        read_dataset(["text"], text="text")
    with pytest.raises(DataError, match="a table is a path"):
        read_dataset(pd.Series(["text"]), text="text")


def test_a_line_of_a_megabyte_is_a_text(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", "text\n" + "x" * 1_000_000 + "\n")
    (row,) = read_dataset(path, text="text").rows
    assert len(row.parts[0]) == 1_000_000


def test_not_a_number_is_no_label_of_a_regression() -> None:
    rows = [
        {"text": str(i), "label": label} for i, label in enumerate(["1.5", " NaN", float("nan")])
    ]
    dataset = read_dataset(rows, text="text", label="label", task="regression")
    assert [row.labels for row in dataset.rows] == [("1.5",), None, None]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ([[0, 4]], (Span(0, 0, 4),)),
        ("[[0, 2], [3, 4]]", (Span(0, 0, 2), Span(0, 3, 4))),
        (np.array([[0, 4]]), (Span(0, 0, 4),)),
        ([], ()),
        ("", None),
        (None, None),
        (float("nan"), None),
    ],
)
def test_a_rationale_is_a_list_of_places(cell: object, expected: tuple[Span, ...] | None) -> None:
    rows = [{"text": "good", "why": cell}]
    (row,) = read_dataset(rows, text="text", rationale="why").rows
    assert row.rationale == expected


def test_a_rationale_of_a_pair_names_the_part() -> None:
    rows = [{"a": "one", "b": "three", "why": [[1, 0, 5]]}]
    (row,) = read_dataset(rows, text="a", text_pair="b", rationale="why").rows
    assert row.rationale == (Span(1, 0, 5),)


@pytest.mark.parametrize(
    "cell",
    [
        [[0, 5]], [[2, 2]], [[-1, 2]], [[0, 1, 2]], [[0]], [0, 1], "[[0, 4", "word", 3, [[0, 1.5]],
        [["0", "1"]], {"a": 1}, "null", "[" * 100_000,
    ],
)  # fmt: skip
def test_a_rationale_that_is_none_is_refused(cell: object) -> None:
    with pytest.raises(DataError, match=r"the rationale of row 1 is .*\[start, end\]"):
        read_dataset([{"text": "good", "why": cell}], text="text", rationale="why")


def test_a_missing_rationale_column_is_refused() -> None:
    with pytest.raises(DataError, match="no column 'why'"):
        read_dataset(ROWS, text="text", rationale="why")


def test_the_rationales_of_real_reviews_are_places_of_their_texts(shared: Path) -> None:
    path = shared / "data/long_reviews/reviews.jsonl"
    rows = read_dataset(path, text="text", label="label", rationale="rationale").rows
    assert len(rows) == 200
    marked = [row.parts[0][span.start : span.end] for row in rows for span in row.rationale or ()]
    assert len(marked) > 200
    assert all(text == text.strip() for text in marked)
