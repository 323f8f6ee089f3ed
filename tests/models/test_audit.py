"""An audit accounts for every row, and the same seed gives the same bytes."""

import json
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import explain
import reports
from explain.adapters import FunctionClassifier
from explain.adapters.decision_rule import DecisionRule
from explain.adapters.transformers import TransformersClassifier
from explain.auditing.archive import read_log, read_record, write_audit
from explain.auditing.selection import plan_selection
from explain.errors import ConfigurationError, DataError, PredictionError, RecordError
from explain.record import AuditRecord, InstanceRecord, LogEntry, Section
from explain.record.files import hash_file
from explain.text.words import han_rule

ROWS = [
    {"text": "good fun", "label": "pos"},
    {"text": "bad", "label": "neg"},
    {"text": "good , not bad , good", "label": "neg"},
    {"text": "crash here", "label": "neg"},
    {"text": None, "label": "pos"},
    {"text": "good fun", "label": "neg"},
]


def count_good(texts: Sequence[str]) -> list[list[float]]:
    """Return scores that count the words good and bad; NaN where the text holds `crash`."""
    return [
        [np.nan if "crash" in t else t.count("bad") + 0.1, float(t.count("good"))] for t in texts
    ]


MODEL = FunctionClassifier(count_good, ["neg", "pos"], name="counter", output="scores")


def run_audit(**options: Any) -> AuditRecord:
    return explain.audit(MODEL, ROWS, label="label", **options)


def section(record: AuditRecord, section_id: str) -> Section:
    return next(s for s in record.sections if s.id == section_id)


def test_a_failing_row_is_skipped_with_its_reason_and_the_rest_goes_on() -> None:
    record = run_audit()
    assert record.rows == 6
    assert list(record.predictions.row) == [1, 2, 3, 6]
    reasons = {skipped.row: (skipped.stage, skipped.reason) for skipped in record.skipped}
    assert reasons[5] == ("read", "column 'text': no text")
    assert reasons[4][0] == "predict"
    assert "NaN" in reasons[4][1]


def test_performance_counts_what_the_model_was_asked() -> None:
    (accuracy, *_) = section(run_audit(), "performance").measures
    assert (accuracy.name, accuracy.value, accuracy.n) == ("accuracy", 0.4, 5)
    assert accuracy.lower is not None


def test_without_a_label_column_performance_says_so() -> None:
    performance = section(explain.audit(MODEL, ROWS), "performance")
    assert performance.skipped == "no label column was named"


def test_a_method_that_the_model_cannot_serve_is_not_measured_and_said() -> None:
    record = run_audit()
    assert "no gradients" in str(section(record, "method-integrated_gradients").skipped)
    assert {a.method for i in record.instances for a in i.attributions} == {"shap", "lime"}


def test_explanations_are_compared_with_the_rationales_of_a_table() -> None:
    rows = [
        {"text": "so good a thing", "label": "pos", "why": [[3, 7]]},
        {"text": "that is bad", "label": "neg", "why": "[[8, 11]]"},
        {"text": "good it is not", "label": "neg", "why": [[11, 14]]},
        {"text": "bad or no", "label": "neg", "why": None},
    ]
    options: dict[str, Any] = {"label": "label", "methods": ["occlusion"]}
    (trust,) = explain.audit(MODEL, rows, rationale="why", **options).trust
    found = {m.name: (m.value, m.n) for m in trust.measures if "plausibility" in m.name}
    # The third is predicted to be pos, for which its rationale does not speak.
    assert found == {"plausibility: AUPRC": (1, 2), "plausibility: token F1": (1, 2)}
    (without,) = explain.audit(MODEL, rows, **options).trust
    assert not any("plausibility" in m.name for m in without.measures)
    assert without.grade == trust.grade


def test_repeated_texts_with_conflicting_labels_are_counted() -> None:
    measures = {m.name: m for m in section(run_audit(), "data").measures}
    conflict = measures["repeated texts with conflicting labels"]
    assert (conflict.value, conflict.n) == (1, 1)


def test_repeated_texts_without_labels_are_not_said_to_agree() -> None:
    record = explain.audit(MODEL, [{"text": "good"}] * 2, instances=0)
    assert not any("conflicting" in m.name for m in section(record, "data").measures)


def test_the_same_seed_gives_the_same_bytes_and_the_record_comes_back() -> None:
    one, other = run_audit(seed=3), run_audit(seed=3)
    assert one.to_json() == other.to_json()
    assert AuditRecord.from_json(one.to_json()) == one
    assert run_audit(seed=4).to_json() != one.to_json()


def test_a_file_and_its_rows_have_the_same_hash_of_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,label\ngood,pos\n")
    from_file = explain.audit(MODEL, path, label="label").provenance
    live = explain.audit(MODEL, [{"text": "good", "label": "pos"}], label="label").provenance
    assert from_file.rows_sha256 == live.rows_sha256
    assert (len(from_file.data), len(live.data)) == (1, 0)


@pytest.mark.parametrize("changed", ["text", "label", "team", "why"])
def test_the_hash_of_rows_tells_every_column_that_is_read(changed: str) -> None:
    row = {"text": "good film", "label": "pos", "team": "one", "why": "[[0, 4]]", "note": "x"}
    other = {"text": "a good film", "label": "neg", "team": "two", "why": "[[5, 9]]"}

    def hash_of(read: dict[str, str]) -> str:
        audit = explain.audit(
            MODEL, [read], label="label", slices=["team"], rationale="why", checks=["data"]
        )
        return audit.provenance.rows_sha256

    assert hash_of(row) == hash_of({**row, "note": "y"})
    assert hash_of(row) != hash_of({**row, changed: other[changed]})


def test_the_record_says_what_cuts_chinese_into_words() -> None:
    record = explain.audit(MODEL, [{"text": "这部电影", "label": "pos"}], label="label")
    assert f"jieba {record.provenance.packages['jieba']}" == han_rule()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"methods": ["shapley"]}, ConfigurationError, "did you mean 'shap'"),
        ({"methods": ["lime", "lime"]}, ConfigurationError, "given twice"),
        ({"instances": -1}, ConfigurationError, "is negative"),
        ({"seed": -1}, ConfigurationError, "is negative"),
        ({"text": "txt"}, DataError, "no column 'txt'"),
    ],
)
def test_bad_arguments_are_refused(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run_audit(**options)


def test_a_label_that_the_model_lacks_is_refused_by_row() -> None:
    with pytest.raises(DataError, match=r"row 1 has the label 'post', .* mean 'pos'"):
        explain.audit(MODEL, [{"text": "a", "label": "post"}], label="label")


def test_a_model_that_fails_on_every_row_is_one_error() -> None:
    with pytest.raises(PredictionError, match=r"none of 1 rows could be scored: .* NaN"):
        explain.audit(MODEL, [{"text": "crash"}])


def instance(number: int, *, label: str, score: float) -> InstanceRecord:
    return InstanceRecord(
        id=f"i{number}",
        row=number,
        parts=("x",),
        labels=(label,),
        predicted="pos",
        probability=1 / (1 + np.exp(-score)),
        scores=(0.0, score),
    )


def test_the_plan_takes_half_at_random_and_the_rest_where_it_hurts() -> None:
    instances = [instance(n, label="pos" if n % 4 else "neg", score=1.0 + n) for n in range(100)]
    plan, strata = plan_selection(instances, 20, seed=0, rule=DecisionRule("single_label"))
    counts = {s.name: s.n_chosen for s in plan.strata}
    assert counts == {"random": 10, "confident error": 5, "borderline": 5}
    errors = [i for i, name in strata.items() if name == "confident error"]
    assert all(int(i[1:]) % 4 == 0 for i in errors)
    assert plan_selection(instances, 20, seed=0, rule=DecisionRule("single_label"))[1] == strata


@pytest.mark.parametrize("wanted", [0, 1, 2, 3, 7, 50])
def test_as_many_are_chosen_as_asked_for_or_there_are(wanted: int) -> None:
    instances = [instance(n, label="pos", score=1.0 + n) for n in range(7)]
    plan, strata = plan_selection(instances, wanted, seed=1, rule=DecisionRule("single_label"))
    assert len(strata) == min(wanted, 7) == sum(s.n_chosen for s in plan.strata)


def test_an_audit_folder_is_complete_and_its_hashes_fit(tmp_path: Path) -> None:
    log: list[LogEntry] = []
    record = run_audit(log=log.append)
    page = write_audit(record, log, tmp_path)
    manifest = __import__("json").loads((tmp_path / "manifest.json").read_text())
    assert {p.name for p in tmp_path.iterdir()} == {*manifest, "manifest.json"}
    for name, sha256 in manifest.items():
        assert hash_file(tmp_path / name, tmp_path).sha256 == sha256
    assert read_record(tmp_path / "audit.json") == record
    assert read_log(tmp_path) == log
    assert page.read_text() == reports.render_html(record, log)
    assert [entry.event for entry in log][:2] == ["load", "predict"]


def test_a_record_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot be read"):
        read_record(tmp_path / "missing.json")
    (tmp_path / "bad.json").write_text('{"schema_version": 99}')
    with pytest.raises(RecordError, match="not a record"):
        read_record(tmp_path / "bad.json")
    first = {"schema_version": 1, "provenance": {"packages": {"explain-audit": "0.1.0"}}}
    (tmp_path / "old.json").write_text(json.dumps(first))
    with pytest.raises(RecordError, match=r"explain-audit 0\.1\.0 wrote .* version 1 of"):
        read_record(tmp_path / "old.json")


def test_long_texts_are_cut_and_the_record_says_what_was_never_read(
    sst2: TransformersClassifier,
) -> None:
    tokenizer = deepcopy(sst2.tokenizer)
    tokenizer.model_max_length = 32
    record = explain.audit(
        explain.wrap((sst2.model, tokenizer)),
        [{"text": "good " * 40 + "the end"}],
        instances=1,
        methods=["random"],
    )
    (cut,) = record.instances
    assert cut.unread[0].start == 30 * 5
    assert cut.attributions[0].unread == cut.unread
    assert "The model read 1 text only in part" in section(record, "data").summary
    assert "never read" in reports.render_html(record)
