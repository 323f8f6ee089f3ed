"""The calibration of a model: its errors are measured without bias, and found where they matter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from explain.checks.calibration.decisions import Decisions
from explain.checks.calibration.scores import slope
from explain.record import ReliabilityFigure
from tests.helpers.audit_helpers import audit_scores, finding_claims, measures_of
from tests.helpers.search import examples, seeds


def draw_labels(
    n: int, seed: int, factor: float = 1.0, n_labels: int = 3
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return scores, and labels that are drawn from them before they are multiplied."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 2, (n, n_labels))
    uniform = rng.random((n, 1))
    labels = (softmax(scores, axis=1).cumsum(axis=1) < uniform).sum(axis=1)
    return scores * factor, np.minimum(labels, n_labels - 1)


def test_losses_equal_those_of_scikit_learn() -> None:
    scores, labels = draw_labels(300, 0, 1.7)
    measures = measures_of(audit_scores(scores, labels, "calibration"))
    p = softmax(scores, axis=1)
    assert measures["log loss"].value == pytest.approx(
        metrics.log_loss(labels, p, labels=range(3)), abs=1e-12
    )
    assert measures["Brier score"].value == pytest.approx(
        metrics.brier_score_loss(labels, p, labels=range(3), scale_by_half=True), abs=1e-12
    )
    assert measures["confidence minus accuracy"].value == pytest.approx(
        p.max(axis=1).mean() - (p.argmax(axis=1) == labels).mean(), abs=1e-9
    )


def test_losses_of_several_labels_are_those_of_each_in_the_mean() -> None:
    scores, _ = draw_labels(200, 1)
    truth = np.random.default_rng(1).random(scores.shape) < expit(scores)
    measures = measures_of(audit_scores(scores, truth, "calibration", task="multi_label"))
    for name, score in (("log loss", metrics.log_loss), ("Brier score", metrics.brier_score_loss)):
        each = [score(truth[:, i], expit(scores[:, i])) for i in range(3)]
        assert measures[name].value == pytest.approx(np.mean(each), abs=1e-12)


def test_the_slope_of_two_labels_is_that_of_a_logistic_regression() -> None:
    scores, labels = draw_labels(400, 2, 2.5, n_labels=2)
    truth = labels[:, None] == np.arange(2)
    theirs = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=1_000)
    theirs.fit((scores[:, 1] - scores[:, 0])[:, None], labels)
    measure = slope(scores, truth, "single_label")
    assert measure.value == pytest.approx(theirs.coef_[0, 0], rel=1e-5)
    both = slope(np.diff(scores, axis=1), truth[:, 1:], "multi_label")
    assert both.value == pytest.approx(measure.value, rel=1e-9)
    assert both.upper == pytest.approx(measure.upper, rel=1e-9)


def test_a_model_that_is_always_right_has_no_slope() -> None:
    scores = np.array([[2.0, 0.0], [0.0, 3.0]] * 30)
    truth = scores > 0
    assert slope(scores, truth, "single_label").value is None
    assert slope(scores, ~truth, "single_label").value is None
    assert slope(scores * 0, truth, "single_label").value is None


@examples(50)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.5, 0.6, 0.75, 0.9, 1.0]), st.booleans(), st.integers(0, 3)),
        min_size=1,
        max_size=60,
    )
)
def test_the_debiased_error_is_the_mean_product_of_residuals_of_different_clusters(
    rows: list[tuple[float, bool, int]],
) -> None:
    rows = sorted(rows, key=lambda row: row[0])
    confidence, right, clusters = (np.array(column) for column in zip(*rows, strict=True))
    for member in (None, clusters):
        decisions = Decisions(confidence, right, member)
        own = np.arange(len(rows)) if member is None else member
        total = 0.0
        for start, size in zip(decisions.starts, decisions.sizes, strict=True):
            inside = range(start, start + size)
            products = [
                (confidence[i] - right[i]) * (confidence[j] - right[j])
                for i in inside
                for j in inside
                if own[i] != own[j]
            ]
            total += size / len(rows) * (np.mean(products) if products else 0.0)
        assert decisions.squared() == pytest.approx(total, abs=1e-12)


def test_the_plain_error_of_ten_equal_bins_is_that_of_relplot() -> None:
    # relplot bins by width and this module by number of rows: on confidences of which each decile
    # holds as many, both make the same bins. Its smooth error is another quantity.
    relplot = pytest.importorskip("relplot.metrics")
    rng = np.random.default_rng(4)
    confidence = np.sort((np.arange(200) + rng.random(200)) / 200)
    right = rng.random(200) < confidence**2
    decisions = Decisions(confidence, right)
    assert len(decisions.starts) == 10
    assert decisions.plain() == pytest.approx(relplot.binnedECE(confidence, right), abs=1e-12)


def test_chance_takes_off_what_a_calibrated_model_shows() -> None:
    rng = np.random.default_rng(5)
    plain, debiased = [], []
    for _ in range(200):
        confidence = np.sort(rng.uniform(0.5, 1, 500))
        decisions = Decisions(confidence, rng.random(500) < confidence)
        plain.append(decisions.plain())
        debiased.append(decisions.squared())
    null = decisions.null_distribution(rng)
    assert null is not None
    assert np.mean(plain) > 0.03
    assert np.mean(plain) == pytest.approx(null.plain.mean(), abs=0.002)
    error = np.std(debiased) / np.sqrt(len(debiased))
    assert abs(np.mean(debiased)) < 4 * error
    assert np.std(debiased) == pytest.approx(np.std(null.squared), rel=0.25)


@pytest.mark.parametrize(("factor", "word"), [(2.0, "over"), (0.4, "under")])
def test_a_scale_that_is_wrong_is_found(factor: float, word: str) -> None:
    for seed in seeds(10, 2):
        section = audit_scores(*draw_labels(500, seed, factor), "calibration")
        (finding,) = section.findings
        assert f"{word}-confident" in finding.claim
        assert finding.measure in section.measures
        assert "n = 500)" in finding.claim


def test_errors_in_both_directions_are_found_though_they_cancel() -> None:
    rng = np.random.default_rng(0)
    confidence = np.repeat([0.6, 0.9], 600)
    right = rng.random(1_200) < np.repeat([0.75, 0.75], 600)
    scores = np.stack([np.log(confidence / (1 - confidence)), np.zeros(1_200)], axis=1)
    section = audit_scores(scores, (~right).astype(np.int64), "calibration")
    assert "in both directions" in finding_claims(section)


def test_a_calibrated_model_gives_no_finding() -> None:
    findings = [
        finding
        for seed in seeds(60, 6)
        for finding in audit_scores(*draw_labels(400, seed), "calibration").findings
    ]
    assert len(findings) <= 1


def test_labels_that_depend_on_each_other_give_no_false_finding() -> None:
    def section(seed: int, factor: float) -> str:
        rng = np.random.default_rng(seed)
        scores = np.repeat(rng.normal(0, 2, (300, 1)), 12, axis=1)
        truth = np.repeat(rng.random((300, 1)) < expit(scores[:, :1]), 12, axis=1)
        found = audit_scores(scores * factor, truth, "calibration", task="multi_label")
        assert measures_of(found)["confidence minus accuracy"].n == 300
        return finding_claims(found)

    assert sum(bool(section(seed, 1)) for seed in seeds(25, 3)) <= 1
    assert "over-confident" in section(0, 3)


def test_the_figure_holds_every_row_once_and_its_band_is_that_of_the_binomial() -> None:
    scores, labels = draw_labels(500, 7)
    (figure,) = audit_scores(scores, labels, "calibration").figures
    assert isinstance(figure, ReliabilityFigure)
    assert sum(bin.accuracy.n for bin in figure.bins) == 500
    assert len(figure.bins) == 15
    inside = [b.null_low <= (b.accuracy.value or 0) <= b.null_high for b in figure.bins]
    assert np.mean(inside) >= 0.8


def test_where_no_probability_or_label_is_nothing_is_measured() -> None:
    scores, labels = draw_labels(30, 0)
    assert "no label column" in str(audit_scores(scores, None, "calibration").skipped)
    numbers = audit_scores(scores[:, :1], labels, "calibration", task="regression")
    assert "no probabilities" in str(numbers.skipped)
    assert audit_scores(scores[:1], labels[:1], "calibration").skipped is None
