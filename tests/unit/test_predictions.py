"""Predictions of all rows are columns of a file; the record holds what is explained or cited."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import explain
from explain.archive import read_record, write_audit
from explain.errors import RecordError
from explain.record import PREDICTIONS, AuditRecord

ROWS = [
    {
        "text": f"{'good' if i % 3 else 'bad'} film {i}",
        "label": ("neg", "pos")[i % 2],
        "id": f"T{i}",
    }
    for i in range(60)
]


def scores(texts: list[str]) -> list[list[float]]:
    return [[0.0, 2.0 if "good" in text else -1.0 - len(text) / 100] for text in texts]


@pytest.fixture(scope="module")
def record() -> AuditRecord:
    model = explain.wrap(scores, labels=["neg", "pos"], output="scores")
    return explain.audit(
        model, ROWS, label="label", id="id", instances=3, methods=["occlusion"], checks=["data"]
    )


def test_every_row_is_in_the_predictions_as_the_model_answered_it(record: AuditRecord) -> None:
    table = record.predictions
    texts = [str(row["text"]) for row in ROWS]
    expected = np.array(scores(texts))
    assert np.array_equal(table[["score.neg", "score.pos"]].to_numpy(), expected)
    assert list(table.row) == [*range(1, 61)]
    assert [*table.labels] == [[row["label"]] for row in ROWS]
    assert [*table["column.id"]] == [row["id"] for row in ROWS]
    assert [*table.predicted] == [("neg", "pos")[best] for best in expected.argmax(axis=1)]
    largest = np.exp(expected).max(axis=1) / np.exp(expected).sum(axis=1)
    assert table.probability.to_numpy() == pytest.approx(largest)


def test_the_record_holds_the_instances_that_are_explained_or_cited(record: AuditRecord) -> None:
    assert record.scored_rows == len(record.predictions) == 60
    explained = [i for i in record.instances if i.attributions]
    assert len(explained) == 3
    assert len(record.instances) < 60
    chosen = record.predictions.dropna(subset="stratum")
    assert list(chosen.id) == [i.id for i in explained]


def test_the_folder_keeps_them_byte_for_byte_and_any_reader_of_parquet_opens_them(
    record: AuditRecord, tmp_path: Path
) -> None:
    write_audit(record, [], tmp_path)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / PREDICTIONS), record.predictions)
    first = (tmp_path / PREDICTIONS).read_bytes()
    read = read_record(tmp_path / "audit.json")
    assert read == record
    write_audit(read, [], tmp_path)
    assert (tmp_path / PREDICTIONS).read_bytes() == first


def test_a_record_without_its_folder_says_where_the_predictions_are(record: AuditRecord) -> None:
    alone = AuditRecord.from_json(record.to_json())
    assert alone == record
    with pytest.raises(RecordError, match=r"in predictions\.parquet of its folder"):
        _ = alone.predictions


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", b"a,b\n1,2\n"])
def test_a_damaged_file_of_predictions_is_one_line(
    record: AuditRecord, tmp_path: Path, content: bytes
) -> None:
    write_audit(record, [], tmp_path)
    (tmp_path / PREDICTIONS).write_bytes(content)
    with pytest.raises(RecordError, match="cannot be read"):
        _ = read_record(tmp_path / "audit.json").predictions


def test_an_audit_without_a_row_that_is_cut_says_nothing_of_it(record: AuditRecord) -> None:
    assert record.truncation is None
