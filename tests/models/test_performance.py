"""The performance of a model of any task, against scikit-learn and against simpler answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from explain.checks.base.baseline_model import baseline_log_probs
from explain.checks.performance.label_findings import dead_labels, swapped_labels
from explain.checks.performance.regression import spearman
from explain.checks.performance.roc import average_precision
from explain.record import Measure
from explain.statistics.ranks import Influence, roc_area
from tests.helpers.audit_helpers import (
    audit_scores,
    finding_claims,
    labels_of,
    measures_of,
    noisy,
    texts_of,
)
from tests.helpers.search import examples, seeds

# ── Statistics ────────────────────────────────────────────────────────────────────────────────────

ranked = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=40).filter(
    lambda rows: len({holds for holds, _ in rows}) == 2
)


@examples(30)
@given(ranked)
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(roc_area, metrics.roc_auc_score), (average_precision, metrics.average_precision_score)],
)
def test_areas_and_their_influences_are_those_of_scikit_learn_with_weights(
    ours: object, theirs: object, rows: list[tuple[bool, int]]
) -> None:
    assert callable(ours)
    assert callable(theirs)
    holds, scores = np.array([h for h, _ in rows]), np.array([float(s) for _, s in rows])
    found: Influence = ours(holds, scores)
    assert found[0] == pytest.approx(theirs(holds, scores), abs=1e-12)
    for row in range(len(rows)):
        step = np.zeros(len(rows))
        step[row] = 1e-5
        up, down = (theirs(holds, scores, sample_weight=1 + s) for s in (step, -step))
        assert found[1][row] == pytest.approx((up - down) / 2e-5, abs=1e-6)


def test_macro_areas_are_those_of_scikit_learn_one_label_against_the_rest() -> None:
    scores, labels = noisy(200, 4, 0)
    measures = measures_of(audit_scores(scores, labels, "performance"))
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert measures["AUROC"].value == pytest.approx(
        metrics.roc_auc_score(labels, p, multi_class="ovr"), abs=1e-12
    )
    each = [metrics.average_precision_score(labels == i, p[:, i]) for i in range(4)]
    assert measures["AUPRC"].value == pytest.approx(np.mean(each), abs=1e-12)


def test_several_labels_are_measured_as_scikit_learn_does() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((200, 4)) < 0.3
    scores = np.where(truth, 1.0, -1.0) + rng.normal(0, 1, truth.shape)
    measures = measures_of(audit_scores(scores, truth, "performance", task="multi_label"))
    called = scores > 0
    for name, value in (
        ("subset accuracy", metrics.accuracy_score(truth, called)),
        ("Hamming loss", metrics.hamming_loss(truth, called)),
        ("micro-F1", metrics.f1_score(truth, called, average="micro")),
        ("macro-F1", metrics.f1_score(truth, called, average="macro")),
        ("AUROC", metrics.roc_auc_score(truth, scores)),
        ("AUPRC", metrics.average_precision_score(truth, scores)),
    ):
        measure = measures[name]
        assert measure.value == pytest.approx(value, abs=1e-12), name
        assert measure.lower is not None
        assert measure.upper is not None
        assert measure.lower < value < measure.upper


def test_a_regression_is_measured_as_scikit_learn_and_scipy_do() -> None:
    rng = np.random.default_rng(1)
    labels = rng.normal(1e4, 2, 150)
    predicted = labels + rng.normal(0, 1, 150).round(1)
    measures = measures_of(
        audit_scores(predicted[:, None], labels, "performance", task="regression")
    )
    for name, value in (
        ("mean absolute error", metrics.mean_absolute_error(labels, predicted)),
        ("R2", metrics.r2_score(labels, predicted)),
        ("Spearman correlation", stats.spearmanr(labels, predicted).statistic),
    ):
        measure = measures[name]
        assert measure.value == pytest.approx(value, abs=1e-11), name
        assert "BCa" in str(measure.method)
        assert (measure.lower or 0) < value < (measure.upper or 0)


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(1, 3)), min_size=3, max_size=20
    ).filter(lambda rows: min(len({r[0] for r in rows}), len({r[1] for r in rows})) > 1)
)
def test_spearman_of_weights_is_that_of_repeated_rows(rows: list[tuple[int, int, int]]) -> None:
    one, other, times = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    often = times.astype(np.int64)
    theirs = stats.spearmanr(np.repeat(one, often), np.repeat(other, often)).statistic
    assert spearman(times, one, other) == pytest.approx(theirs, abs=1e-12)


def test_rows_of_a_group_count_as_one_where_there_are_many_groups() -> None:
    scores, labels = noisy(40, 2, 3)
    groups = [f"author {i}" for i in range(40)]
    texts = texts_of(400, np.random.default_rng(0))
    section = audit_scores(
        np.repeat(scores, 10, axis=0),
        np.repeat(labels, 10),
        "performance",
        texts=texts,
        columns={"author": np.repeat(groups, 10).tolist()},
        group="author",
    )
    alone = measures_of(audit_scores(scores, labels, "performance"))
    for name in ("accuracy", "macro-F1", "AUROC"):
        together = measures_of(section)[name]
        assert together.n == 40
        assert together.value == pytest.approx(alone[name].value, abs=1e-12)
        assert _width(together) == pytest.approx(_width(alone[name]), rel=0.15)
    assert "rest on 40 groups" in section.summary


def _width(measure: Measure) -> float:
    assert measure.lower is not None
    assert measure.upper is not None
    return measure.upper - measure.lower


# ── Baseline models ───────────────────────────────────────────────────────────────────────────────


def test_a_baseline_model_learns_from_other_folds_only() -> None:
    # Each text has a word of its own, and the labels are drawn: there is nothing to learn.
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 600)
    alone = [(text,) for text in texts_of(300, rng)]
    called = baseline_log_probs(alone * 2, np.concatenate([labels[:300]] * 2), rng).argmax(axis=1)
    assert np.mean(called == np.concatenate([labels[:300]] * 2)) < 0.6
    told = [(f"{text[0]} {'yes' if y else 'no'}",) for text, y in zip(alone, labels, strict=False)]
    assert (
        np.mean(baseline_log_probs(told, labels[:300], rng).argmax(axis=1) == labels[:300]) > 0.95
    )


def test_a_baseline_model_may_learn_from_the_training_data() -> None:
    rng = np.random.default_rng(0)
    labels = np.array([0, 1] * 40)
    told = [(f"{'good' if y else 'bad'} {i}",) for i, y in enumerate(labels)]
    called = baseline_log_probs(
        [("good",), ("bad",)], labels[:2], rng, training=(told, labels)
    ).argmax(axis=1)
    assert called.tolist() == [1, 0]


def test_the_p_value_is_that_of_mcnemars_exact_test() -> None:
    scores, labels = noisy(200, 2, 5, accuracy=0.6)
    table = audit_scores(scores, labels, "performance").tables[0]
    right = scores.argmax(axis=1) == labels
    usual = labels == np.bincount(labels).argmax()
    won, lost = int((right & ~usual).sum()), int((usual & ~right).sum())
    assert table.rows[0][3] == pytest.approx(stats.binomtest(won, won + lost).pvalue, abs=1e-15)


def test_a_model_that_is_worse_than_a_bag_of_words_is_found() -> None:
    for seed in range(3):
        scores, labels = noisy(300, 3, seed, accuracy=0.7)
        plain = texts_of(300, np.random.default_rng(seed))
        texts = [f"{text} key{label}" for text, label in zip(plain, labels, strict=True)]
        (finding,) = audit_scores(scores, labels, "performance", texts=texts).findings
        assert finding.severity == "major"
        assert "A simpler model" in finding.claim


def test_a_model_that_guesses_is_found_and_one_that_is_good_on_a_rare_label_is_not() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random(1_000) < 0.03).astype(np.int64)
    guesses = audit_scores(rng.normal(0, 1, (1_000, 2)), labels, "performance")
    assert "always answering the most frequent label" in finding_claims(guesses)
    called = np.where(rng.random(1_000) < 0.99, labels, 1 - labels)
    good = audit_scores(3.0 * (called[:, None] == np.arange(2)), labels, "performance")
    assert finding_claims(good) == ""


def test_a_clean_model_gives_no_finding() -> None:
    assert not any(audit_scores(*noisy(150, 3, s), "performance").findings for s in seeds(20, 3))


def test_numbers_that_say_nothing_are_found() -> None:
    rng = np.random.default_rng(0)
    labels = rng.normal(0, 1, 200)
    useless = audit_scores(rng.normal(0, 1, (200, 1)), labels, "performance", task="regression")
    assert "hardly anything" in finding_claims(useless)
    near = audit_scores(
        labels[:, None] + rng.normal(0, 0.5, (200, 1)), labels, "performance", task="regression"
    )
    assert finding_claims(near) == ""


# ── Labels ────────────────────────────────────────────────────────────────────────────────────────


def test_a_dead_label_is_found() -> None:
    for seed in range(3):
        scores, labels = noisy(300, 5, seed, accuracy=1)
        scores[:, 2] = -9
        section = audit_scores(scores, labels, "performance")
        assert 'hardly ever answers "label 2": 0 times' in finding_claims(section)


def test_a_label_is_dead_only_if_that_is_sure() -> None:
    names = labels_of(2)
    assert dead_labels("s", names, [0, 99], [19, 99], [0, 99]) == []
    assert dead_labels("s", names, [3, 99], [60, 99], [30, 99]) == []
    assert dead_labels("s", names, [20, 99], [100, 99], [20, 99]) == []
    (finding,) = dead_labels("s", [*names, "third"], [0, 1, 99], [40, 50, 99], [0, 1, 99])
    assert '"label 1": 1 time, ' in finding.claim
    assert '1 more label: "label 0".' in finding.claim


def test_two_labels_that_are_exchanged_are_found_and_said_once() -> None:
    for seed in range(3):
        scores, labels = noisy(300, 4, seed, accuracy=0.9)
        section = audit_scores(scores[:, [0, 2, 1, 3]], labels, "performance")
        (finding,) = section.findings
        assert '"label 1" and "label 2" are exchanged' in finding.claim


def test_labels_are_exchanged_only_if_both_are_called_the_other_and_that_is_sure() -> None:
    names = labels_of(2)
    assert swapped_labels("s", names, np.array([[1, 40], [3, 37]])) == []
    assert swapped_labels("s", names, np.array([[0, 4], [4, 0]])) == []
    assert len(swapped_labels("s", names, np.array([[1, 40], [40, 3]]))) == 1
    rng = np.random.default_rng(0)
    for _ in range(200):
        noise = rng.multinomial(400, np.full(16, 1 / 16)).reshape(4, 4)
        assert swapped_labels("s", labels_of(4), noise) == []


def test_one_row_and_one_label_are_enough() -> None:
    scores, _ = noisy(3, 2, 0)
    section = audit_scores(scores, [0, 0, 0], "performance")
    assert measures_of(section)["AUROC"].value is None
    assert section.findings == ()
    assert audit_scores(scores[:1], [0], "performance").skipped is None
