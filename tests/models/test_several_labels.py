"""Models that give a text several labels, or a number: nothing is judged that cannot be."""

import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

import explain
import reports
from explain.adapters import FunctionClassifier
from explain.adapters.transformers import TransformersClassifier
from explain.data.dataset import read_dataset
from explain.errors import DataError
from explain.record import AuditRecord, LogEntry, Section, Table
from tests.helpers.pages import Page, paragraphs
from tests.helpers.tiny import byte_tokenizer, random_model

WORDS = {"billing": "refund", "outage": "offline", "urgent": "now"}
LABELS = tuple(WORDS)


def tickets() -> list[dict[str, Any]]:
    """Return made-up tickets with every set of labels, written in both ways."""
    rows: list[dict[str, Any]] = []
    for number, wanted in enumerate(list(product([False, True], repeat=3)) * 3):
        labels = [label for label, holds in zip(LABELS, wanted, strict=True) if holds]
        said = " ".join(WORDS[label] for label in labels)
        rows.append(
            {
                "text": f"ticket {number} {said} please",
                "label": labels if number % 2 or not labels else "|".join(labels),
            }
        )
    return rows


def label_holds(row: dict[str, Any], label: str) -> bool:
    return label in row["label"]


@pytest.fixture(scope="module")
def record() -> AuditRecord:
    """Return the audit of one-vs-rest on the tickets that it was trained on."""
    rows = tickets()
    truth = [[label_holds(row, label) for label in LABELS] for row in rows]
    pipeline = make_pipeline(TfidfVectorizer(), OneVsRestClassifier(LogisticRegression(C=50)))
    pipeline.fit([row["text"] for row in rows], truth)
    model = FunctionClassifier(pipeline.predict_proba, LABELS, task="multi_label", name="tickets")
    return explain.audit(model, rows, label="label", methods=["shap", "lime"], instances=24)


def section(record: AuditRecord, section_id: str) -> Section:
    return next(s for s in record.sections if s.id == section_id)


def test_every_predicted_label_is_explained_by_every_method(record: AuditRecord) -> None:
    assert {len(i.predictions or ()) for i in record.instances} == {0, 1, 2, 3}
    for instance in record.instances:
        assert instance.predictions is not None
        labels = [p.label for p in instance.predictions] or [instance.predicted]
        assert [(a.method, a.target.label) for a in instance.attributions] == [
            *product(["shap", "lime"], labels)
        ]
        assert {a.target.scale for a in instance.attributions} == {"logit"}
        assert all(p.probability > 0.5 for p in instance.predictions)


def test_given_labels_are_kept_and_judged_one_by_one(record: AuditRecord) -> None:
    for row, instance in zip(tickets(), record.instances, strict=True):
        assert set(instance.labels or ()) == {label for label in LABELS if label_holds(row, label)}
        assert instance.right is None
    measures = {m.name: m for m in section(record, "performance").measures}
    assert (measures["subset accuracy"].value, measures["Hamming loss"].value) == (1, 0)
    assert [s.name for s in record.plan.strata] == ["random"]


def test_labels_are_counted_once_for_each_text_that_has_them(record: AuditRecord) -> None:
    (table,) = (t for t in section(record, "data").tables if t.title == "Labels")
    for label, given, predicted in table.rows:
        assert not isinstance(given, str | int | float | None)
        assert given.model_dump()["value"] == 0.5, label
        assert predicted == given.model_copy(update={"name": f"predicted {label}"})


def test_the_page_shows_each_label_with_its_own_highlights(record: AuditRecord) -> None:
    page = Page(reports.render_html(record))
    headings = [text for tag, a, text in page.contents if a.get("class") == "why-label"]
    several = [i for i in record.instances if len(i.predictions or ()) > 1]
    assert len(headings) == sum(len(i.predictions or ()) for i in several)
    targets = [max(len(i.predictions or ()), 1) for i in record.instances]
    texts = [i.parts[0] for i, n in zip(record.instances, targets, strict=True) for _ in range(n)]
    assert paragraphs(page) == texts
    headers = "".join(page.texts("header"))
    assert "predicted no label, closest is" in headers
    assert "labelled no label" in headers
    assert "not judged" in headers
    assert "○ no label" not in headers


def biased(bias: Sequence[float]) -> TransformersClassifier:
    """Return a tiny random multi-label transformer whose answers are about `bias`."""
    tokenizer = byte_tokenizer(mask=True, limit=32)
    model = random_model(
        "roberta",
        tokenizer,
        num_labels=len(bias),
        problem_type="multi_label_classification",
        max_position_embeddings=40,
    )
    with torch.no_grad():
        dict(model.named_parameters())["classifier.out_proj.bias"].copy_(torch.tensor(bias))
    return TransformersClassifier(model, tokenizer)


def test_of_many_predicted_labels_the_five_largest_are_explained_at_the_price_of_one() -> None:
    def run(bias: Sequence[float]) -> tuple[AuditRecord, int]:
        log: list[LogEntry] = []
        record = explain.audit(
            biased(bias),
            [{"text": "a good film , really good !"}],
            methods=["shap", "lime", "occlusion"],
            log=log.append,
        )
        counts = next(entry for entry in log if entry.event == "counts")
        return record, int(str(counts.detail["evaluations"]))

    many, price = run([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, -4.0])
    one, price_of_one = run([-6.0, -5.0, -4.0, -3.0, -2.0, -1.0, -8.0])
    assert price == price_of_one
    (instance,) = many.instances
    assert [p.label for p in instance.predictions or ()] == [f"LABEL_{n}" for n in range(5, -1, -1)]
    explained = [a.target.label for a in instance.attributions if a.method == "lime"]
    assert explained == [f"LABEL_{n}" for n in range(5, 0, -1)]
    (instance,) = one.instances
    assert instance.predictions == ()
    assert [a.target.label for a in instance.attributions] == ["LABEL_5"] * 3


def test_gradients_explain_every_predicted_label_too() -> None:
    record = explain.audit(
        biased([2.0, 1.0, -1.0]), [{"text": "a good film"}], methods=["integrated_gradients"]
    )
    assert [a.target.label for a in record.instances[0].attributions] == ["LABEL_0", "LABEL_1"]


def test_lists_and_separated_texts_are_the_same_labels(tmp_path: Path) -> None:
    rows = [
        {"text": "a", "label": ["x", "y"]},
        {"text": "b", "label": []},
        {"text": "c", "label": None},
    ]
    lines, csv = tmp_path / "rows.jsonl", tmp_path / "rows.csv"
    lines.write_text("\n".join(map(json.dumps, rows)))
    csv.write_text('text,label\na,"x | y|x"\nb,|\nc,\n')
    # What a column of lists in a parquet file is read as.
    arrays = pd.DataFrame(
        {"text": list("abc"), "label": [np.array(["x", "y"]), np.array([]), None]}
    )
    for source in (rows, lines, arrays, csv):
        dataset = read_dataset(source, text="text", label="label", task="multi_label")
        assert [row.labels for row in dataset.rows] == [("x", "y"), (), None]


def test_a_separator_in_a_single_label_is_part_of_it() -> None:
    (row,) = read_dataset([{"text": "a", "label": "x|y"}], text="text", label="label").rows
    assert row.label == "x|y"


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("billing|outtage", "row 1 has the label 'outtage'.* mean 'outage'"),
        (["billing", 3], "row 1 has the label '3'"),
        (["billing", None], "labels of row 1 hold an empty one"),
        ([["billing"]], "label of row 1 is a list"),
    ],
)
def test_labels_that_cannot_hold_are_refused(label: object, message: str) -> None:
    model = FunctionClassifier(lambda t: [[0.5] * 3] * len(t), LABELS, task="multi_label")
    with pytest.raises(DataError, match=message):
        explain.audit(model, [{"text": "a", "label": label}], label="label", instances=0)


def length(texts: Sequence[str]) -> list[list[float]]:
    return [[len(text) / 4] for text in texts]


REGRESSION = FunctionClassifier(length, ["length"], task="regression", output="scores")


def test_a_regression_shows_its_numbers_and_how_far_they_are_off() -> None:
    rows = [{"text": "some words here", "label": 3.75001}, {"text": "more", "label": None}]
    record = explain.audit(REGRESSION, rows * 2, label="label", methods=["shap"], instances=4)
    assert [i.labels for i in record.instances[:2]] == [("3.75001",), None]
    assert {i.right for i in record.instances} == {None}
    error = section(record, "performance").measures[0]
    assert (error.name, error.n) == ("mean absolute error", 2)
    assert error.value == pytest.approx(1e-5)
    assert "no probabilities" in str(section(record, "calibration").skipped)
    tables: tuple[Table, ...] = section(record, "data").tables
    assert not tables
    headers = Page(reports.render_html(record)).texts("header")
    card = next(" ".join(text.split()) for text in headers if "row 1 " in " ".join(text.split()))
    assert "predicted length 3.75 labelled 3.75 ○ not judged" in card


def test_a_regression_takes_numbers_only() -> None:
    with pytest.raises(DataError, match="label of row 1 is 'high'; a regression needs a number"):
        explain.audit(REGRESSION, [{"text": "a", "label": "high"}], label="label")
