"""Selective use: thresholds of confidence hold on new rows, and confident errors are found."""

from collections.abc import Sequence
from itertools import pairwise, permutations
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit, logit, softmax
from sklearn import metrics

import explain
from explain.adapters import FunctionClassifier
from explain.checks.selective.answers import Answers
from explain.checks.selective.check import _figure as risk_coverage_figure
from explain.checks.selective.thresholds import NoThreshold, Threshold, certified
from explain.checks.selective.thresholds import _certifying as certifying
from explain.checks.selective.thresholds import _threshold_below as threshold_below
from explain.record import Measure, RiskCoverageFigure, Section
from explain.testing.messages import LABELS, draw_message, posterior_of
from explain.testing.planted import planted
from reports.figures import figure_view
from reports.risk_coverage import RiskCoverageDrawing
from tests.helpers.audit_helpers import audit_scores, finding_claims, measures_of
from tests.helpers.search import examples, seeds

Array = NDArray[np.float64]


def draw(n: int, seed: int) -> Answers:
    """Return answers that are right as often as their confidence says."""
    rng = np.random.default_rng(seed)
    confidence = expit(np.abs(rng.normal(3, 2, n))).round(9)
    return Answers(confidence, rng.random(n) < confidence)


def scores_of(confidence: Array, answer: NDArray[np.int64]) -> Array:
    """Return scores of two labels, one of which is answered with a confidence."""
    odds = logit(confidence)
    return np.where(answer[:, None] == np.arange(2), odds[:, None], 0.0)


def halves(n: int, seed: int) -> NDArray[np.bool_]:
    return np.random.default_rng(seed).permutation(n) < n // 2


@examples(40)
@given(st.lists(st.tuples(st.sampled_from([0.4, 0.6, 0.9]), st.booleans()), min_size=1, max_size=6))
def test_the_area_is_the_mean_error_of_the_most_confident_in_any_order_of_equals(
    rows: list[tuple[float, bool]],
) -> None:
    confidence, right = (np.array(column) for column in zip(*rows, strict=True))
    areas = []
    for order in permutations(range(len(rows))):
        if all(confidence[a] >= confidence[b] for a, b in pairwise(order)):
            wrong = ~right[list(order)]
            areas.append(np.mean(np.cumsum(wrong) / np.arange(1, len(rows) + 1)))
    assert Answers(confidence, right).aurc().value == pytest.approx(np.mean(areas))


def test_the_interval_of_the_area_is_that_of_leaving_one_row_out() -> None:
    answers = draw(300, 1)
    values = []
    for i in range(300):
        value = answers.among(np.arange(300) != i).aurc().value
        assert value is not None
        values.append(value)
    error = np.sqrt(299 / 300 * ((np.array(values) - np.mean(values)) ** 2).sum())
    area = answers.aurc()
    assert area.value is not None
    assert area.lower is not None
    assert area.upper is not None
    half = (logit(area.upper) - logit(area.lower)) / 2 * area.value * (1 - area.value)
    assert half == pytest.approx(1.96 * error, rel=0.02)


def test_the_ranking_of_errors_is_that_of_scikit_learn_and_the_implied_one_counts_pairs() -> None:
    answers = draw(200, 2)
    theirs = metrics.roc_auc_score(answers.right, answers.confidence)
    assert answers.auroc().value == pytest.approx(theirs)
    p = answers.confidence[:60]
    above = (p[:, None] > p) + (p[:, None] == p) / 2
    pairs = p[:, None] * (1 - p)
    implied = Answers(p, answers.right[:60]).implied_auroc()
    assert implied == pytest.approx((pairs * above).sum() / pairs.sum())


@examples(60)
@given(st.floats(0.3, 1.0))
def test_a_threshold_can_be_written_down_and_lets_its_confidence_through(p: float) -> None:
    threshold = threshold_below(p)
    assert threshold <= p + 1e-12
    assert 1 - threshold <= 1.1 * (1 - p) + 1e-12
    assert float(f"{threshold:.9g}") == threshold or 1 - p < 1e-8


@pytest.mark.parametrize("error", [0.05, 0.1, 0.2])
def test_a_certified_threshold_is_so_by_the_exact_test_on_the_other_half(error: float) -> None:
    answers, half = draw(800, 3), halves(800, 0)
    threshold = certified(answers, half, error)
    assert isinstance(threshold, Threshold)
    among = ~half & (answers.confidence >= threshold.confidence)
    wrong = int((among & ~answers.right).sum())
    test = stats.binomtest(wrong, int(among.sum()), error, alternative="less")
    assert test.pvalue <= 0.05
    bound = test.proportion_ci(0.95, "exact")
    assert threshold.risk.upper == pytest.approx(bound.high)
    assert bound.high <= error
    assert threshold.risk.value == wrong / among.sum()
    assert threshold.share.value == among.sum() / (~half).sum()


def test_the_half_that_chooses_does_not_certify() -> None:
    answers, half = draw(400, 4), halves(400, 1)
    wrong_elsewhere = Answers(answers.confidence, half)
    assert isinstance(certified(wrong_elsewhere, half, 0.1), NoThreshold)
    assert isinstance(certified(Answers(answers.confidence, ~half), half, 0.1), Threshold)


def test_thresholds_hold_and_shares_are_covered() -> None:
    population = draw(200_000, 99)
    broken = missed = n_certified = 0
    for seed in seeds(400, 150):
        answers = draw(200, seed)
        threshold = certified(answers, halves(200, seed), 0.1)
        if isinstance(threshold, Threshold):
            n_certified += 1
            above = population.confidence >= threshold.confidence
            broken += (~population.right[above]).mean() > 0.1
            low, high = threshold.share.lower or 0.0, threshold.share.upper or 1.0
            missed += not low <= above.mean() <= high
    assert n_certified > 50
    assert broken <= 0.05 * n_certified + 3
    assert missed <= 0.05 * n_certified + 3 * np.sqrt(0.05 * n_certified)


@pytest.mark.parametrize(("risk", "error"), [(0.0, 0.01), (0.0, 0.05), (0.02, 0.05), (0.03, 0.1)])
def test_the_rows_that_certify_are_the_fewest(risk: float, error: float) -> None:
    def p(n: int) -> float:
        return float(stats.beta.cdf(1 - error, n * (1 - risk), n * risk + 1))

    n = certifying(risk, error)
    assert p(n) <= 0.05 < p(n - 1)
    assert certifying(0.0, 0.05) == 59


def test_more_rows_are_asked_for_than_there_are() -> None:
    asked = [
        threshold.fewest_rows
        for seed in range(20)
        for error in (0.01, 0.02, 0.05)
        if isinstance(
            threshold := certified(draw(120, seed), halves(120, seed), error), NoThreshold
        )
    ]
    assert len(asked) > 30
    assert all(rows is None or rows > 120 for rows in asked)


def test_rows_that_belong_together_count_as_one() -> None:
    answers = draw(300, 5)
    copies = np.repeat(np.arange(300), 4)
    repeated = Answers(answers.confidence[copies], answers.right[copies], copies)
    wrong, n = repeated.effective_counts()
    assert n == pytest.approx(300, rel=0.01)
    assert wrong / n == pytest.approx((~answers.right).mean())
    half = halves(300, 2)
    alone, together = certified(answers, half, 0.1), certified(repeated, half[copies], 0.1)
    assert isinstance(alone, Threshold)
    assert isinstance(together, Threshold)
    assert together.risk.upper == pytest.approx(alone.risk.upper or 0, abs=0.005)


def test_rows_without_an_answer_are_wrong_and_never_let_through() -> None:
    rows = [draw_message_row(seed) for seed in range(400)]

    def predict(texts: Sequence[str]) -> Any:
        if any(hash_of(text) % 5 == 0 for text in texts):
            raise ValueError("no answer")
        return posterior_of(texts)

    model = FunctionClassifier(predict, LABELS, name="m", output="scores")
    section = section_of(
        explain.audit(model, rows, label="label", instances=0, methods=[], checks=["selective"])
    )
    failed = np.array([hash_of(row["text"]) % 5 == 0 for row in rows])
    answered = [row["text"] for row, fails in zip(rows, failed, strict=True) if not fails]
    p = softmax(posterior_of(answered), axis=1)
    confidence, right = np.full(400, -1.0), np.zeros(400, dtype=bool)
    confidence[~failed] = p.max(axis=1).round(9)
    given_labels = np.array([LABELS.index(row["label"]) for row in rows])
    right[~failed] = p.argmax(axis=1) == given_labels[~failed]
    theirs = Answers(confidence, right)
    measures = measures_of(section)
    assert measures["area under the risk-coverage curve"].value == pytest.approx(
        theirs.aurc().value
    )
    shares = [m for m in section.measures if m.metric == "selective.coverage"]
    assert shares
    assert all((m.value or 0) <= 1 - failed.mean() + 0.08 for m in shares)
    assert "No threshold lets a row without an answer through." in section.summary


def draw_message_row(seed: int) -> dict[str, str]:
    return draw_message(Random(seed)).row()


def hash_of(text: str) -> int:
    return sum(text.encode())


def section_of(record: Any) -> Section:
    section: Section = next(s for s in record.sections if s.id == "selective")
    return section


@pytest.mark.parametrize("seed", seeds(20, 2))
@pytest.mark.parametrize("name", ["selective_risk", "selective_risk_in_slice"])
def test_planted_confidence_is_found_first(name: str, seed: int) -> None:
    case = planted(name, seed)
    record = explain.audit(
        case.classifier,
        case.rows,
        instances=0,
        methods=[],
        checks=["performance", "calibration", "slices", "selective"],
        **case.options,
    )
    assert record.findings[0].code in case.codes


def test_a_slice_explains_why_confidence_ranks_nothing() -> None:
    case = planted("selective_risk_in_slice", 0)
    record = explain.audit(
        case.classifier, case.rows, instances=0, methods=[], checks=["selective"], **case.options
    )
    first, second = record.findings
    assert (first.code, first.subject) == ("selective.slice", "channel = phone")
    assert second.code == "selective.unranked"
    assert second.cause == first.id
    phone = {row["text"] for row in case.rows if row["channel"] == "phone"}
    cited = [i for i in record.instances if i.id in first.evidence]
    assert cited
    assert all(i.parts[0] in phone and i.right is False for i in cited)


@pytest.mark.parametrize("seed", seeds(60, 6))
def test_a_calibrated_model_breaks_no_promise(seed: int) -> None:
    answers, rng = draw(300, seed), np.random.default_rng(seed)
    labels = rng.integers(0, 2, 300)
    answer = np.where(answers.right, labels, 1 - labels)
    columns = {"site": rng.choice(["a", "b", "c"], 300, p=[0.8, 0.15, 0.05]).tolist()}
    # One slice has the hard texts: it lets more errors through, and admits it.
    columns["hard"] = np.where(answers.confidence < 0.9, "yes", "no").tolist()
    section = audit_scores(
        scores_of(answers.confidence, answer),
        labels,
        "selective",
        columns=columns,
        slices=["site", "hard"],
    )
    assert not section.findings


@pytest.mark.parametrize(("admits", "codes"), [(True, []), (False, ["selective.slice"])])
def test_a_slice_of_hard_texts_breaks_a_promise_only_if_its_confidence_denies_it(
    admits: bool, codes: list[str]
) -> None:
    rng = np.random.default_rng(3)
    is_hard = np.arange(600) % 4 == 0
    # Elsewhere even the least confident answers are let through, as there are few of them.
    truth = np.where(is_hard, rng.uniform(0.6, 0.75, 600), rng.uniform(0.98, 0.999, 600))
    truth[~is_hard & (rng.random(600) < 0.05)] = 0.6
    labels = rng.integers(0, 2, 600)
    answer = np.where(rng.random(600) < truth, labels, 1 - labels)
    confidence = np.where(is_hard & (not admits), 0.9985, truth)
    section = audit_scores(
        scores_of(confidence, answer),
        labels,
        "selective",
        columns={"hard": np.where(is_hard, "yes", "no").tolist()},
        slices=["hard"],
    )
    assert [f.code for f in section.findings if f.code == "selective.slice"] == codes


def test_the_same_confidence_everywhere_is_no_fault_if_it_is_right() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 500)
    right = rng.random(500) < 0.8
    confidence = np.clip(rng.normal(0.8, 0.005, 500), 0.6, 0.95)
    section = audit_scores(
        scores_of(confidence, np.where(right, labels, 1 - labels)), labels, "selective"
    )
    assert not section.findings


def test_a_confidence_that_says_the_opposite_is_a_finding() -> None:
    answers, labels = draw(500, 6), np.random.default_rng(6).integers(0, 2, 500)
    reversed_confidence = np.where(answers.right, 0.7, 0.95)
    answer = np.where(answers.right, labels, 1 - labels)
    section = audit_scores(scores_of(reversed_confidence, answer), labels, "selective")
    assert [finding.code for finding in section.findings] == ["selective.unranked"]
    assert "hardly tells right answers from wrong ones" in finding_claims(section)


def test_the_work_that_is_left_is_what_is_not_let_through() -> None:
    answers = draw(1_000, 7)
    labels = np.zeros(1_000, dtype=np.int64)
    section = audit_scores(
        scores_of(answers.confidence, (~answers.right).astype(int)), labels, "selective"
    )
    share = next(
        m
        for m in section.measures
        if m.of == {"error": "10 %"} and m.metric == "selective.coverage"
    )
    assert share.value is not None
    assert f"of 1,000 texts, {1_000 * (1 - share.value):.0f} [" in section.summary


def test_of_several_labels_the_whole_answer_counts() -> None:
    rng = np.random.default_rng(8)
    scores = rng.normal(0, 4, (400, 3))
    truth = rng.random(scores.shape) < expit(scores)
    section = audit_scores(scores, truth, "selective", task="multi_label")
    p = expit(scores)
    confidence = np.maximum(p, 1 - p).prod(axis=1)
    right = ((scores > 0) == truth).all(axis=1)
    auroc = measures_of(section)["AUROC of right answers by confidence"]
    assert auroc.value == pytest.approx(metrics.roc_auc_score(right, confidence))
    assert "product of their probabilities" in section.summary


def test_a_decision_threshold_changes_which_answers_are_right_and_how_sure() -> None:
    rng = np.random.default_rng(9)
    scores = rng.normal(0, 2, (400, 2))
    p = softmax(scores, axis=1)
    labels = (rng.random(400) < p[:, 1]).astype(int)
    answer = (p[:, 1] >= 0.8).astype(int)
    section = audit_scores(scores, labels, "selective", threshold=0.8)
    auroc = measures_of(section)["AUROC of right answers by confidence"]
    theirs = metrics.roc_auc_score(answer == labels, p[np.arange(400), answer])
    assert auroc.value == pytest.approx(theirs)


def test_a_criterion_can_ask_for_the_share_that_is_let_through() -> None:
    answers = draw(600, 10)
    texts = [f"text {i}" for i in range(600)]
    scores = dict(
        zip(texts, scores_of(answers.confidence, (~answers.right).astype(int)), strict=True)
    )
    model = FunctionClassifier(
        lambda asked: np.array([scores[text] for text in asked]), ["a", "b"], output="scores"
    )
    record = explain.audit(
        model,
        [{"text": text, "label": "a"} for text in texts],
        label="label",
        instances=0,
        methods=[],
        checks=["selective"],
        criteria=[{"metric": "selective.coverage", "of": {"error": "10 %"}, "at_least": 0.5}],
    )
    (criterion,) = record.criteria
    assert isinstance(criterion.measure, Measure)
    assert criterion.verdict == "pass"


def test_what_cannot_be_measured_says_why() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 1, (30, 2))
    few = audit_scores(scores[:12], [0, 1] * 6, "selective")
    assert "20 are needed" in (few.skipped or "")
    regression = audit_scores(scores[:, :1], scores[:, 0], "selective", task="regression")
    assert regression.skipped == "a regression states no confidence"
    assert "no label column" in (audit_scores(scores, None, "selective").skipped or "")


@examples(60)
@given(
    st.lists(
        st.tuples(st.sampled_from([-1.0, 0.4, 0.6, 0.9]), st.booleans()), min_size=1, max_size=30
    ),
    st.randoms(use_true_random=False),
)
def test_rows_of_one_confidence_enter_the_curve_together_in_any_order_of_the_table(
    rows: list[tuple[float, bool]], rng: Random
) -> None:
    def curve(table: list[tuple[float, bool]]) -> list[tuple[float, float | None, int]]:
        confidence, right = (np.array(column) for column in zip(*table, strict=True))
        points = risk_coverage_figure(Answers(confidence, right)).points
        return [(point.share, point.risk.value, point.risk.n) for point in points]

    levels = sorted({confidence for confidence, _ in rows}, reverse=True)
    let_through = [[right for confidence, right in rows if confidence >= c] for c in levels]
    possible = [(len(r) / len(rows), r.count(False) / len(r), len(r)) for r in let_through]
    points = curve(rows)
    assert all(point in possible for point in points)
    assert points[-1] == possible[-1]
    assert [n for _, _, n in points] == sorted({n for _, _, n in points})
    # A step of a twentieth ends in every level that has a tenth of the rows.
    large = [
        p for p, q in zip(possible, [(0, 0, 0), *possible], strict=False) if p[0] - q[0] >= 0.1
    ]
    assert set(large) <= set(points)
    assert curve(rng.sample(rows, len(rows))) == points


def test_the_curve_is_drawn_from_the_most_confident_to_all_rows() -> None:
    answers, labels = draw(400, 11), np.random.default_rng(11).integers(0, 2, 400)
    answer = np.where(answers.right, labels, 1 - labels)
    section = audit_scores(scores_of(answers.confidence, answer), labels, "selective")
    (figure,) = section.figures
    assert isinstance(figure, RiskCoverageFigure)
    order = np.argsort(-answers.confidence, kind="stable")
    wrong = ~answers.right[order]
    for point in figure.points:
        assert point.risk.value == pytest.approx(wrong[: round(400 * point.share)].mean())
    view = figure_view(figure)
    assert isinstance(view.drawing, RiskCoverageDrawing)
    heights = [point.y for point in view.drawing.points]
    assert view.drawing.overall == heights[-1]
    assert heights[0] > heights[-1]  # downwards on the screen is a smaller risk
    assert all(view.drawing.top <= y <= view.drawing.baseline for y in heights)
    assert len(view.table.rows) == len(figure.points)
