"""Rows that the model fails on are not right, in any rate, group, slice or criterion."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef, recall_score

import explain
import reports
from explain.adapters import TextClassifier
from explain.auditing.archive import read_record, write_audit
from explain.auditing.omissions import omissions
from explain.auditing.plan import AuditPlan
from explain.checks import CHECKS, make_check
from explain.errors import PredictionError
from explain.record import AuditRecord, Measure, Section

REASON = "503 Service Unavailable"
N = 200
LABELS = ("neg", "pos")


def rows_of(n: int = N) -> list[dict[str, str]]:
    """Return rows of which every tenth has a label that the model does not give."""
    return [
        {
            "text": f"{'good' if i % 2 else 'bad'} film number {i}",
            "label": LABELS[(i + (i % 10 == 0)) % 2],
            "side": "ab"[i * 2 // n],
        }
        for i in range(n)
    ]


def number_of(text: str) -> int:
    """Return the number of a row by its text; -1 for any other text."""
    number = text.split()[-1]
    return int(number) if text.split()[1:2] == ["film"] and number.isdecimal() else -1


def model_that_fails(
    fails: Callable[[int], bool], reason: Callable[[int], str] = lambda i: REASON
) -> TextClassifier:
    """Return a model that is right on nine rows of ten and fails on some numbers."""

    def answer(texts: Sequence[str]) -> NDArray[np.float64]:
        for text in texts:
            if fails(number_of(text)):
                raise ConnectionError(reason(number_of(text)))
        p = np.array([0.9 if "good" in text else 0.1 for text in texts])
        return np.column_stack([1 - p, p])

    return explain.wrap(answer, labels=LABELS)


def run_audit(model: TextClassifier, checks: list[str], n: int = N, **options: Any) -> AuditRecord:
    return explain.audit(
        model, rows_of(n), label="label", instances=0, methods=[], checks=checks, **options
    )


def section_of(record: AuditRecord, name: str) -> Section:
    return next(section for section in record.sections if section.id == name)


def measure_of(section: Section, name: str, slice_: str = "all") -> Measure:
    return next(m for m in section.measures if (m.name, m.slice) == (name, slice_))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5])
def test_rows_without_an_answer_are_wrong_and_a_finding_with_their_reasons(share: float) -> None:
    failed = {i for i in range(N) if (i * 37) % N < N * share}
    n_failed = len(failed)
    record = run_audit(model_that_fails(failed.__contains__), ["performance"])
    section = section_of(record, "performance")
    given = [row["label"] for row in rows_of()]
    said = [LABELS[i % 2] if i not in failed else "none" for i in range(N)]
    accuracy = measure_of(section, "accuracy")
    assert accuracy.n == N
    assert accuracy.value == pytest.approx(accuracy_score(given, said))
    assert measure_of(section, "Matthews correlation").value == pytest.approx(
        matthews_corrcoef(given, said)
    )
    assert measure_of(section, "macro-F1").value == pytest.approx(
        f1_score(given, said, labels=LABELS, average="macro")
    )
    recalls = next(t for t in section.tables if t.title == "By label").rows
    expected = recall_score(given, said, labels=LABELS, average=None, zero_division=0.0)
    assert [row[4].value for row in recalls if isinstance(row[4], Measure)] == pytest.approx(
        expected.tolist()
    )
    if not n_failed:
        assert "unanswered" not in [s.id for s in record.sections]
        assert "no answer" not in section.summary
        return
    assert f"{n_failed} of {N} rows got no answer; they count as wrong" in section.summary
    assert f"{N - n_failed} rows with an answer only" in section.summary
    (finding,) = record.findings
    assert finding.claim.startswith(f"The model gave no answer to {n_failed} of {N} rows")
    assert f"({n_failed} rows): " in finding.claim
    assert REASON in finding.claim
    assert finding.measure is not None
    assert (finding.measure.n, finding.measure.method) == (N, "Wilson")
    assert finding.severity == {0.01: "minor", 0.1: "major", 0.5: "critical"}[share]
    assert AuditRecord.from_json(record.to_json()) == record


def test_fewer_failures_than_one_in_a_hundred_are_counted_and_no_finding() -> None:
    record = run_audit(model_that_fails(lambda i: i == 7), ["performance"], n=400)
    assert measure_of(section_of(record, "unanswered"), "rows without an answer").n == 400
    assert record.findings == ()


def test_a_model_that_answers_no_row_is_an_error_in_one_line() -> None:
    with pytest.raises(PredictionError, match=REASON):
        run_audit(model_that_fails(lambda i: True), ["performance"])


def test_each_reason_is_counted() -> None:
    model = model_that_fails(lambda i: i < 40, lambda i: f"kind {i % 4 == 0}")
    table = section_of(run_audit(model, ["performance"]), "unanswered").tables[0]
    assert [(str(row[0]).split(": ")[-1], row[1]) for row in table.rows] == [
        ("kind False", 30),
        ("kind True", 10),
    ]


@pytest.mark.parametrize(("share", "verdict"), [(0.0, "pass"), (0.5, "fail")])
def test_a_gate_does_not_pass_on_the_answered_rows_alone(share: float, verdict: str) -> None:
    record = run_audit(
        model_that_fails(lambda i: i >= N * (1 - share)),
        ["performance", "slices"],
        slices=["side"],
        criteria=[
            {"metric": "performance.accuracy", "at_least": 0.7, "gating": True},
            {
                "metric": "performance.recall",
                "of": {"label": "pos"},
                "at_least": 0.7,
                "gating": True,
            },
            {
                "metric": "performance.accuracy",
                "slice": "side = b",
                "at_least": 0.7,
                "gating": True,
            },
        ],
    )
    assert [judged.verdict for judged in record.criteria] == [verdict] * 3


def test_rows_that_all_failed_are_all_wrong_though_others_without_a_label_are_scored() -> None:
    rows = rows_of()
    for row in rows[2::4] + rows[3::4]:
        row["label"] = ""
    record = explain.audit(
        model_that_fails(lambda i: i % 4 < 2),
        rows,
        label="label",
        slices=["side"],
        group="side",
        instances=0,
        methods=[],
        checks=["performance", "calibration", "slices", "fairness"],
        criteria=[{"metric": "performance.accuracy", "at_least": 0.7, "gating": True}],
    )
    assert record.criteria[0].verdict == "fail"
    accuracy = measure_of(section_of(record, "performance"), "accuracy")
    assert (accuracy.value, accuracy.n) == (0.0, 100)
    assert section_of(record, "calibration").skipped == "no labelled row got an answer"
    assert {s.skipped for s in record.sections if s.id != "calibration"} >= {None}
    assert [finding.evidence for finding in record.findings] == [("unanswered",)]


def test_a_slice_whose_rows_failed_is_wrong_and_no_finding_of_its_own() -> None:
    record = run_audit(model_that_fails(lambda i: i >= 100), ["slices"], slices=["side"])
    section = section_of(record, "slices")
    failed = measure_of(section, "accuracy", "side = b")
    assert (failed.value, failed.n) == (0.0, 100)
    assert "100 of 200 rows got no answer; they count as wrong" in section.summary
    assert section.findings == ()
    where = section_of(record, "unanswered").tables[1]
    assert where.rows[0][0] == "side = b"
    assert isinstance(where.rows[0][1], Measure)
    assert where.rows[0][1].value == 1.0


def test_a_slice_that_is_worse_without_failures_too_is_still_found() -> None:
    rows = rows_of()
    for row in rows[100:160]:
        row["label"] = LABELS[row["label"] == "neg"]
    record = explain.audit(
        model_that_fails(lambda i: i % 10 == 3),
        rows,
        label="label",
        slices=["side"],
        instances=0,
        methods=[],
        checks=["slices"],
    )
    section = section_of(record, "slices")
    assert any("side = b" in finding.claim for finding in section.findings)
    shown = {instance.id for instance in record.instances}
    for finding in section.findings:
        assert set(finding.evidence) - {"slices"} <= shown


def test_a_group_half_of_whose_rows_failed_is_selected_half_as_often() -> None:
    record = run_audit(
        model_that_fails(lambda i: i >= 100 and i % 4 < 2), ["fairness"], group="side"
    )
    section = section_of(record, "fairness")
    rate = measure_of(section, "selection rate, pos", "side = b")
    assert (rate.value, rate.n) == (0.25, 100)
    assert measure_of(section, "selection rate, pos", "side = a").value == 0.5
    assert measure_of(section, "impact ratio, pos", "side = b").value == pytest.approx(0.5)
    hits = measure_of(section, "true-positive rate, pos", "side = b")
    assert (hits.value, hits.n) == (25 / 60, 60)
    alarms = measure_of(section, "false-positive rate, neg", "side = b")
    assert (alarms.value, alarms.n) == (5 / 30, 30)
    accuracy = measure_of(section, "accuracy", "side = b")
    assert (accuracy.value, accuracy.n) == (0.45, 100)
    notes = " ".join(table.note or "" for table in section.tables)
    assert "50 of 200 rows got no answer. They count as rows that did not get this" in notes
    assert [finding.evidence for finding in record.findings] == [("unanswered",)]


def test_failures_alone_make_a_model_no_worse_than_a_simpler_one() -> None:
    record = run_audit(model_that_fails(lambda i: i % 4 < 2), ["performance"])
    assert [finding.evidence for finding in record.findings] == [("unanswered",)]


def test_failures_on_one_label_do_not_make_it_one_that_is_never_answered() -> None:
    record = run_audit(model_that_fails(lambda i: i % 20 > 0 and i % 2 == 1), ["performance"])
    assert not any("hardly ever answers" in finding.claim for finding in record.findings)


def test_what_no_failure_can_be_counted_in_says_so() -> None:
    record = run_audit(model_that_fails(lambda i: i < 40), ["calibration"])
    section = section_of(record, "calibration")
    assert {m.n for m in section.measures} == {N - 40}
    assert "40 of 200 labelled rows got no answer. All numbers are about the other 160 only." in (
        section.summary
    )


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_all_labels_of_a_failed_row_are_wrong_where_several_may_hold(share: float) -> None:
    failed = {i for i in range(N) if (i * 37) % N < N * share}

    def answer(texts: Sequence[str]) -> NDArray[np.float64]:
        if any(number_of(text) in failed for text in texts):
            raise ConnectionError(REASON)
        return np.array([[0.9, 0.1] for _ in texts])

    record = explain.audit(
        explain.wrap(answer, labels=LABELS, task="multi_label"),
        [{"text": f"a film {i}", "label": ["neg"] if i % 4 else []} for i in range(N)],
        label="label",
        instances=0,
        methods=[],
        checks=["performance", "slices"],
    )
    section = section_of(record, "performance")
    right = sum(i % 4 > 0 and i not in failed for i in range(N))
    assert measure_of(section, "subset accuracy").value == pytest.approx(right / N)
    half_wrong = N - len(failed) - right
    assert measure_of(section, "Hamming loss").value == pytest.approx(
        (len(failed) + half_wrong / 2) / N
    )
    assert section_of(record, "slices").skipped is None


def test_a_number_that_is_missing_has_no_error_and_that_is_said() -> None:
    def answer(texts: Sequence[str]) -> NDArray[np.float64]:
        if any(int(text.split()[-1]) % 5 == 0 for text in texts):
            raise ConnectionError(REASON)
        return np.array([[float(text.split()[-1])] for text in texts])

    record = explain.audit(
        explain.wrap(answer, labels=["size"], task="regression", output="scores"),
        [{"text": f"a film {i}", "label": float(i), "side": "ab"[i % 2]} for i in range(N)],
        label="label",
        group="side",
        slices=["side"],
        instances=0,
        methods=[],
        checks=["performance", "slices", "fairness"],
    )
    for name in ("performance", "slices"):
        section = section_of(record, name)
        assert section.skipped is None
        assert "40 of 200 labelled rows got no answer" in section.summary
    assert [finding.evidence for finding in record.findings] == [("unanswered",)]


def test_half_a_surrogate_pair_ends_neither_an_audit_nor_its_files(tmp_path: Path) -> None:
    half = chr(0xD800)

    def answer(texts: Sequence[str]) -> NDArray[np.float64]:
        if any(number_of(text) == 7 for text in texts):
            raise ValueError(half)
        return np.array([[0.9, 0.1] for _ in texts])

    rows = [{**row, "label": "neg", "own": f"{half}{i % 3}"} for i, row in enumerate(rows_of())]
    record = explain.audit(
        explain.wrap(answer, labels=["neg", f"a{half}"]),
        rows,
        label="label",
        group="own",
        slices=["own"],
        id="own",
        instances=0,
        methods=[],
        checks=["performance", "slices", "fairness"],
        criteria=[{"metric": "performance.accuracy", "slice": f"own = {half}0", "at_least": 0.5}],
    )
    assert [section.skipped for section in record.sections if section.id != "trust"] == [None] * 4
    assert record.criteria[0].verdict == "pass"
    assert record.provenance.model.labels == ("neg", "a�")
    write_audit(record, [], tmp_path)
    read = read_record(tmp_path / "audit.json")
    assert set(read.predictions["column.own"]) == {"�0", "�1", "�2"}
    assert "�" in reports.render_html(record)


def test_what_was_not_chosen_and_not_given_is_listed_with_how_to_get_it() -> None:
    model = model_that_fails(lambda i: False)
    record = explain.audit(model, rows_of(), instances=0, methods=[], checks=["data"])
    listed = {entry.subject: entry.remedy for entry in record.omitted}
    assert "--check fairness" in listed["Fairness (a check)"]
    assert "Data (a check)" not in listed
    told = " ".join(listed.values())
    for flag in ("--label", "--group", "--slice", "--train", "--rationale", "criteria="):
        assert flag in told
    html = reports.render_html(record)
    for what in listed:
        assert f"<b>{what}</b>: " in html
    assert "Every check ran" not in html


def test_what_was_given_is_not_listed_as_missing() -> None:
    given: dict[str, Any] = {
        "label": "label",
        "group": "side",
        "slices": ("side",),
        "training": rows_of(),
        "rationale": "reason",
        "criteria": ({"metric": "performance.accuracy", "at_least": 0.5},),
    }
    checks = [make_check(name) for name in CHECKS]
    assert omissions(AuditPlan(**given), checks) == ()
    for name in given:
        absent = {other: value for other, value in given.items() if other != name}
        assert len(omissions(AuditPlan(**absent), checks)) == 1


@pytest.mark.parametrize(
    ("share", "verdict"), [(0.0, "pass"), (0.02, "pass"), (0.2, "inconclusive")]
)
def test_what_leaves_failures_out_does_not_pass_where_they_are_many(
    share: float, verdict: str
) -> None:
    record = run_audit(
        model_that_fails(lambda i: (i * 37) % N < N * share),
        ["performance", "calibration"],
        criteria=[
            {"metric": "performance.auroc", "at_least": 0.6, "gating": True},
            {"metric": "calibration.brier", "at_most": 0.4, "gating": True},
            {"metric": "performance.auroc", "at_least": 0.99},
        ],
    )
    assert [judged.verdict for judged in record.criteria] == [verdict, verdict, "fail"]
    if verdict == "inconclusive":
        assert "20 % of the rows got no answer" in record.criteria[0].reason
