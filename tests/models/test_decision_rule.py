"""A decision threshold is a property of the model: every check and the page use it."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, logit, logsumexp, softmax
from sklearn import metrics
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import make_pipeline

import explain
import reports
from explain.adapters import FunctionClassifier
from explain.adapters.decision_rule import DecisionRule, thresholds_of
from explain.auditing.plan import AuditPlan
from explain.errors import ConfigurationError
from explain.record import AuditRecord, ModelDescription
from explain.testing.messages import LABELS, draw_message, posterior_of
from reports.doubts import warnings
from tests.helpers.audit_helpers import audit_scores, measures_of
from tests.helpers.search import examples

Array = NDArray[np.float64]


OF_PROBABILITIES = (
    "performance.auroc",
    "performance.auprc",
    "robustness.probability_change",
    "fairness.calibration_gap",
)


def messages(n: int, seed: int = 0) -> list[dict[str, str]]:
    rng = Random(seed)
    return [draw_message(rng).row() for _ in range(n)]


def shifted(scores: Array, column: int, threshold: float) -> Array:
    """Return scores whose highest one is the answer by the threshold."""
    others = np.delete(scores, column, axis=1)
    lead = scores[:, column] - logsumexp(others, axis=1) - logit(threshold)
    moved = scores.copy()
    moved[:, column] = others.max(axis=1) + lead
    return moved


score_rows = st.integers(2, 4).flatmap(
    lambda n: st.lists(st.lists(st.floats(-8, 8), min_size=n, max_size=n), min_size=1, max_size=12)
)


@examples(60)
@given(score_rows, st.floats(0.02, 0.98))
def test_the_answer_is_the_highest_score_once_the_threshold_is_taken_off(
    rows: list[list[float]], threshold: float
) -> None:
    scores = np.array(rows)
    moved = shifted(scores, 1, threshold)
    best = np.sort(moved, axis=1)
    clear = best[:, -1] - best[:, -2] > 1e-6
    rule = DecisionRule("single_label", {1: threshold})
    assert (rule.answers(scores) == moved.argmax(axis=1))[clear].all()
    assert (rule.holds(scores).argmax(axis=1) == rule.answers(scores)).all()
    several = DecisionRule("multi_label", {1: threshold}).holds(scores)
    plain = scores > 0
    plain[:, 1] = expit(scores[:, 1]) >= threshold - 1e-9
    assert (several == plain).all()


@examples(60)
@given(score_rows, st.floats(0.02, 0.98))
def test_an_answer_changes_when_its_lead_is_taken_and_not_before(
    rows: list[list[float]], threshold: float
) -> None:
    scores = np.array(rows)
    rule = DecisionRule("single_label", {0: threshold})
    moved = shifted(scores, 0, threshold)
    lead = rule.leads(scores)
    best = np.sort(moved, axis=1)
    theirs = best[:, -1] - best[:, -2]
    wins = moved.argmax(axis=1) == 0
    assert np.allclose(lead[wins], theirs[wins], atol=1e-9)
    assert (lead <= np.abs(moved[:, 0] - np.delete(moved, 0, axis=1).max(axis=1)) + 1e-9).all()
    assert np.allclose(
        DecisionRule("single_label").leads(scores),
        np.sort(scores, axis=1)[:, -1] - np.sort(scores, axis=1)[:, -2],
    )


@examples(60)
@given(score_rows, st.floats(0.02, 0.98))
def test_above_its_cut_a_label_is_the_answer(rows: list[list[float]], threshold: float) -> None:
    scores = np.array(rows)
    n_labels = scores.shape[1]
    rule = DecisionRule("single_label", {0: threshold})
    answers = rule.answers(scores)
    for column in range(n_labels):
        odds = scores[:, column] - logsumexp(np.delete(scores, column, axis=1), axis=1)
        above = odds > rule.cut(column, n_labels) + 1e-6
        assert (answers[above] == column).all()
        if n_labels == 2 or column == 0:
            below = odds < rule.cut(column, n_labels) - 1e-6
            assert (answers[below] != column).all()


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.7, 0.93])
def test_performance_is_that_of_a_fixed_threshold_classifier(threshold: float) -> None:
    rows = [row for row in messages(600) if row["label"] != LABELS[2]]
    texts, labels = ([row[name] for row in rows] for name in ("text", "label"))
    model = make_pipeline(CountVectorizer(max_features=25), LogisticRegression(C=0.1))
    model.fit(texts[:150], labels[:150])
    theirs = FixedThresholdClassifier(model, threshold=threshold, response_method="predict_proba")
    theirs.fit(texts[:150], labels[:150])
    predicted = theirs.predict(texts[150:])
    record = explain.audit(
        explain.wrap(model),
        rows[150:],
        label="label",
        instances=0,
        methods=[],
        checks=["performance"],
        threshold=threshold,
    )
    table = record.predictions
    assert table["predicted"].tolist() == predicted.tolist()
    given_labels = labels[150:]

    def value(metric: str, **of: str) -> float | None:
        return record.measure(metric, **of).value

    assert value("performance.accuracy") == metrics.accuracy_score(given_labels, predicted)
    assert value("performance.matthews") == pytest.approx(
        metrics.matthews_corrcoef(given_labels, predicted)
    )
    for label in LABELS[:2]:
        options: dict[str, Any] = {"labels": [label], "average": None, "zero_division": np.nan}
        for name, theirs_of in (
            ("precision", metrics.precision_score),
            ("recall", metrics.recall_score),
        ):
            score = float(theirs_of(given_labels, predicted, **options)[0])
            mine = value(f"performance.{name}", label=label)
            assert mine == pytest.approx(score) or (mine is None and np.isnan(score))


def audit_messages(predict: Any, checks: Sequence[str], **options: Any) -> AuditRecord:
    model = FunctionClassifier(predict, LABELS, name="messages", output="scores")
    return explain.audit(
        model,
        messages(240, 3),
        label="label",
        group="group",
        slices=["group"],
        instances=0,
        methods=[],
        checks=checks,
        **options,
    )


@pytest.mark.parametrize("check", ["performance", "slices", "robustness", "fairness"])
def test_all_checks_decide_by_the_threshold(check: str) -> None:
    column, threshold = LABELS.index("billing"), 0.985
    ours = audit_messages(posterior_of, [check], threshold={"billing": threshold})
    theirs = audit_messages(lambda t: shifted(posterior_of(t), column, threshold), [check])
    plain = audit_messages(posterior_of, [check])

    def decisions(record: AuditRecord) -> list[tuple[object, ...]]:
        """Return the measures that rest on answers and not on probabilities."""
        section = next(s for s in record.sections if s.id == check)
        return [
            (m.name, m.slice, m.value, m.lower, m.upper, m.n)
            for m in section.measures
            if m.metric not in OF_PROBABILITIES
        ]

    assert decisions(ours) == decisions(theirs)
    assert ours.predictions["predicted"].tolist() == theirs.predictions["predicted"].tolist()
    assert decisions(ours) != decisions(plain)


def test_a_probability_that_is_the_threshold_reaches_it() -> None:
    tenths = np.arange(1, 10) / 10
    two = np.log(np.column_stack([1 - tenths, tenths]))
    for i, threshold in enumerate(tenths):
        given_label = DecisionRule("single_label", {1: threshold}).answers(two)
        assert given_label.tolist() == [int(j >= i) for j in range(9)]
        several = DecisionRule("multi_label", {0: threshold}).holds(logit(tenths)[:, None])
        assert several.ravel().tolist() == [j >= i for j in range(9)]


def test_each_label_of_several_has_its_own_threshold() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 2, (300, 3))
    truth = rng.random(scores.shape) < expit(scores)
    cuts = {"label 0": 0.8, "label 2": 0.2}
    section = audit_scores(scores, truth, "performance", task="multi_label", threshold=cuts)
    predicted = expit(scores) >= [0.8, 0.5, 0.2]
    measures = measures_of(section)
    assert measures["subset accuracy"].value == metrics.accuracy_score(truth, predicted)
    assert measures["micro-F1"].value == pytest.approx(
        metrics.f1_score(truth, predicted, average="micro")
    )
    assert "label 0 from p = 0.8" in section.summary


def test_confidence_is_the_probability_of_what_is_answered() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(0, 1, (400, 2))
    p = softmax(scores, axis=1)
    labels = (rng.random(400) < p[:, 1]).astype(int)
    section = audit_scores(scores, labels, "calibration", threshold=0.7)
    answer = (p[:, 1] >= 0.7).astype(int)
    gap = p[np.arange(400), answer].mean() - (answer == labels).mean()
    assert measures_of(section)["confidence minus accuracy"].value == pytest.approx(gap, abs=1e-9)


def test_what_is_explained_is_the_answer_by_the_threshold() -> None:
    record = explain.audit(
        FunctionClassifier(posterior_of, LABELS, name="messages", output="scores"),
        messages(40),
        label="label",
        instances=12,
        methods=["occlusion"],
        checks=[],
        threshold={"billing": 0.999999},
    )
    explained = [i for i in record.instances if i.attributions]
    assert explained
    assert all(a.target.label == i.predicted for i in explained for a in i.attributions)
    cut = logit(0.999999)
    of_billing = [a for i in explained for a in i.attributions if a.target.label == "billing"]
    assert all(a.target.cut == pytest.approx(cut) for a in of_billing)
    doubts = [w for a in of_billing for w in warnings(a) if "even for an empty text" in w]
    assert len(doubts) == sum(a.empty_value > cut for a in of_billing)
    moved = [i for i in record.instances if int(np.argmax(i.scores)) != LABELS.index(i.predicted)]
    assert moved
    for instance in moved:
        p = np.exp(log_softmax(instance.scores))
        assert instance.probability == pytest.approx(p[LABELS.index(instance.predicted)])
    nearest = [i for i in explained if i.stratum == "borderline"]
    assert nearest
    assert "closest to the decision threshold first" in [s.rule for s in record.plan.strata]


def test_the_record_and_the_page_say_by_what_the_model_decides(tmp_path: Path) -> None:
    record = audit_messages(posterior_of, [], threshold={"billing": 0.75})
    assert record.provenance.model.thresholds == {"billing": 0.75}
    assert record.provenance.arguments["threshold"] == {"billing": 0.75}
    said = "billing from p = 0.75, otherwise the most probable other label"
    assert record.provenance.model.decision_rule == said
    reports.write_html(record, tmp_path / "audit.html")
    assert (tmp_path / "audit.html").read_text().count(said) == 2
    assert said in reports.render_markdown(record)
    assert AuditRecord.from_json(record.to_json()) == record
    plain = audit_messages(posterior_of, [])
    assert plain.provenance.model.decision_rule == ""
    reports.write_html(plain, tmp_path / "plain.html")
    assert "Decision threshold" not in (tmp_path / "plain.html").read_text()


def test_a_number_is_the_threshold_of_the_second_of_two_labels_or_of_all_that_may_hold() -> None:
    assert thresholds_of(0.7, "single_label", ("no", "yes")) == {"yes": 0.7}
    assert thresholds_of(0.7, "multi_label", ("a", "b")) == {"a": 0.7, "b": 0.7}
    assert thresholds_of(None, "single_label", ("no", "yes")) == {}
    assert thresholds_of({"b": 0.2, "a": 0.1}, "multi_label", ("a", "b", "c")) == {
        "a": 0.1,
        "b": 0.2,
    }


@pytest.mark.parametrize(
    ("threshold", "task", "labels", "problem"),
    [
        (0.7, "single_label", ("a", "b", "c"), "name the label"),
        ({"d": 0.7}, "single_label", ("a", "b"), "'d', which the model lacks"),
        ({"a": 0.7, "b": 0.3}, "single_label", ("a", "b"), "exclude each other"),
        (0.7, "regression", ("stars",), "no probabilities"),
    ],
)
def test_a_threshold_that_the_model_cannot_decide_by_is_one_line(
    threshold: Any, task: Any, labels: tuple[str, ...], problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        thresholds_of(threshold, task, labels)


@pytest.mark.parametrize(
    "threshold", [0, 1, 1.5, -0.2, "high", {"a": 2}, ["a=b=high"], ["a=.2", "a=.3"]]
)
def test_a_threshold_is_a_probability_between_0_and_1(threshold: Any) -> None:
    with pytest.raises(ConfigurationError, match="threshold"):
        AuditPlan().override(threshold=threshold)


def test_the_command_and_the_file_say_a_threshold_alike(tmp_path: Path) -> None:
    file = tmp_path / "audit.toml"
    for toml, command, value in (
        ("threshold = 0.7", ["0.7"], 0.7),
        (
            'threshold = { spam = 0.7, "a=b" = 0.25 }',
            ["spam=0.7", "a=b=0.25"],
            {"spam": 0.7, "a=b": 0.25},
        ),
    ):
        file.write_text(f"[model]\n{toml}\n")
        assert AuditPlan.read(file).threshold == value
        assert AuditPlan().override(threshold=command).threshold == value


def test_the_rule_of_two_labels_names_both() -> None:
    model = ModelDescription(
        name="m",
        adapter="A",
        source=None,
        task="single_label",
        labels=("ham", "spam"),
        thresholds={"spam": 0.7},
    )
    assert model.decision_rule == "spam from p = 0.7, otherwise ham"
