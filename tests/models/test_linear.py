"""On word counts logistic regression is an additive game, on which all methods must agree."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pandas import read_csv
from scipy.special import expit
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

import explain
from explain.adapters import FunctionClassifier, TextClassifier
from explain.errors import CapabilityError, PredictionError
from explain.record import Attribution

TEXTS = ["good film", "bad film", "a good one , good", "so bad", "Good!", "the bad-good one"] * 3
LABELS = ["pos", "neg", "pos", "neg", "pos", "neg"] * 3
LEAST_SIGN = 0.02
"""Log-odds below which the ridge penalty of LIME can turn a sign; the mean weight is 0.3."""


@pytest.fixture(scope="module")
def reviews(shared: Path) -> tuple[TextClassifier, list[str]]:
    """Return logistic regression on word counts of reviews, and 200 texts it never saw."""
    train = read_csv(shared / "data/sst2/train.csv").head(3000)
    pipeline = make_pipeline(CountVectorizer(), LogisticRegression(max_iter=1000))
    model = explain.wrap(pipeline.fit(train["text"], train["label"]))
    return model, read_csv(shared / "data/sst2/dev.csv")["text"].head(200).tolist()


def weights_by_hand(model: Any, attribution: Attribution) -> list[float]:
    """Return the weight of each feature in a pipeline of counts, 0 where it is unknown."""
    vectorizer, logistic = (step for _, step in model.estimator.steps)
    sign = 1 if attribution.target.index == 1 else -1
    columns = [vectorizer.vocabulary_.get(word.lower()) for word in attribution.features]
    return [0.0 if c is None else sign * float(logistic.coef_[0, c]) for c in columns]


def test_a_value_is_the_weight_of_its_word(reviews: tuple[TextClassifier, list[str]]) -> None:
    model, texts = reviews
    for attribution in explain.attribute(model, texts, method="linear", unit="token"):
        np.testing.assert_allclose(
            attribution.values, weights_by_hand(model, attribution), atol=1e-12
        )
        assert attribution.diagnostics.additive is True
        assert abs(attribution.completeness_gap) < 1e-9


@pytest.mark.parametrize(
    ("algorithm", "budget", "most"),
    [("exact", 256, 8), ("kernel", 128, 50), ("permutation", 128, 50), ("partition", 512, 12)],
)
def test_shapley_values_of_an_additive_game_are_its_weights(
    reviews: tuple[TextClassifier, list[str]], algorithm: str, budget: int, most: int
) -> None:
    model, texts = reviews
    linear = explain.attribute(model, texts, method="linear", unit="token")
    small = [a for a in linear if len(a.values) <= most]
    assert len(small) >= 40
    options: dict[str, Any] = {"algorithm": algorithm, "budget": budget, "unit": "token"}
    for expected, found in zip(
        small,
        explain.attribute(model, [a.parts[0] for a in small], method="shap", **options),
        strict=True,
    ):
        np.testing.assert_allclose(found.values, expected.values, atol=1e-6)


def test_lime_has_the_sign_and_the_top_feature_of_an_additive_game(
    reviews: tuple[TextClassifier, list[str]],
) -> None:
    model, texts = reviews
    tops = []
    for linear, lime in zip(
        explain.attribute(model, texts, method="linear", unit="token"),
        explain.attribute(model, texts, method="lime", unit="token"),
        strict=True,
    ):
        expected, found = np.array(linear.values), np.array(lime.values)
        clear = np.abs(expected) > LEAST_SIGN
        np.testing.assert_array_equal(np.sign(found[clear]), np.sign(expected[clear]))
        tops.append(np.abs(expected)[np.abs(found).argmax()] == np.abs(expected).max())
    assert np.mean(tops) >= 0.95


def fitted(model: Any, answers: Any = LABELS, *before: Any) -> TextClassifier:
    pipeline = make_pipeline(*(before or (CountVectorizer(),)), model)
    return explain.wrap(pipeline.fit(TEXTS, answers))


NUMBERS = np.arange(18.0)
SEVERAL = np.array([[1, 0], [0, 1], [1, 1], [0, 0], [1, 0], [0, 1]] * 3)


@pytest.mark.parametrize(
    ("model", "answers", "scale"),
    [
        (LogisticRegression(), LABELS, "log_odds"),
        (SGDClassifier(loss="log_loss", alpha=0.1, random_state=0), LABELS, "log_odds"),
        (MultinomialNB(), LABELS, "log_odds"),
        (LinearRegression(), NUMBERS, "value"),
        (Ridge(), NUMBERS, "value"),
        (OneVsRestClassifier(LogisticRegression()), SEVERAL, "logit"),
    ],
)
def test_every_linear_model_is_an_additive_game(model: Any, answers: Any, scale: str) -> None:
    classifier = fitted(model, answers)
    for target in range(len(classifier.labels)):
        options: dict[str, Any] = {"target": target, "unit": "token"}
        linear = explain.attribute(classifier, TEXTS[:6], method="linear", **options)
        exact = explain.attribute(classifier, TEXTS[:6], method="shap", **options)
        for one, other in zip(linear, exact, strict=True):
            assert one.target.scale == scale
            np.testing.assert_allclose(one.values, other.values, atol=1e-6)
            assert one.empty_value == pytest.approx(other.empty_value, abs=1e-9)


@pytest.mark.parametrize(
    "before",
    [
        (TfidfVectorizer(),),
        (CountVectorizer(), TfidfTransformer()),
        (CountVectorizer(binary=True),),
        (TfidfVectorizer(norm=None, sublinear_tf=True),),
    ],
)
def test_with_a_norm_a_value_is_the_weight_under_the_norm_of_the_full_text(before: Any) -> None:
    classifier: Any = fitted(LogisticRegression(), LABELS, *before)
    pipeline = classifier.estimator
    text = "a good one , good bad"
    attribution = explain.attribute(classifier, text, method="linear", unit="token", target="pos")
    row = pipeline[:-1].transform([text]).toarray()[0]
    vocabulary = pipeline.steps[0][1].vocabulary_
    share = {"good": 0.5, "one": 1.0, "bad": 1.0}
    expected = [
        share[w] * row[vocabulary[w]] * pipeline.steps[-1][1].coef_[0, vocabulary[w]]
        for w in attribution.features
    ]
    np.testing.assert_allclose(attribution.values, expected, atol=1e-12)
    assert attribution.diagnostics.additive is False
    assert attribution.standard_errors is None
    assert attribution.full_value == pytest.approx(pipeline.decision_function([text])[0], abs=1e-9)


def test_tf_idf_without_a_norm_is_additive() -> None:
    classifier = fitted(LogisticRegression(), LABELS, TfidfVectorizer(norm=None))
    linear = explain.attribute(classifier, TEXTS[2], method="linear", unit="token")
    exact = explain.attribute(classifier, TEXTS[2], method="shap", unit="token")
    np.testing.assert_allclose(linear.values, exact.values, atol=1e-6)
    assert linear.diagnostics.additive is True


def test_words_are_summed_onto_the_features_they_lie_in() -> None:
    classifier = fitted(LogisticRegression())
    by_token = explain.attribute(classifier, "so Bad-good? No.", method="linear", unit="token")
    by_sentence = explain.attribute(
        classifier, "so Bad-good? No.", method="linear", unit="sentence"
    )
    by_word = explain.attribute(classifier, "so Bad-good? No.", method="linear")
    assert by_sentence.values == pytest.approx((sum(by_token.values), 0))
    assert by_word.features == ("so", "Bad", "-", "good", "?", "No", ".")
    assert by_word.values[2] == by_word.values[5] == 0
    assert explain.attribute(classifier, "?", method="linear", unit="token").values == ()


@pytest.mark.parametrize(
    ("classifier", "reason"),
    [
        (lambda: fitted(LogisticRegression(), ["a", "b", "c"] * 6), "has 3 labels, and the log"),
        (lambda: fitted(RandomForestClassifier(3)), "no sum over words"),
        (lambda: fitted(SGDClassifier(loss="modified_huber")), "no sum over words"),
        (
            lambda: fitted(LogisticRegression(), LABELS, CountVectorizer(), TruncatedSVD(2)),
            "mixes or drops",
        ),
        (lambda: FunctionClassifier(lambda t: [[0.5, 0.5]] * len(t), ["a", "b"]), "does not tell"),
    ],
)
def test_what_is_not_linear_is_refused_with_the_reason(classifier: Any, reason: str) -> None:
    with pytest.raises(CapabilityError, match=reason):
        explain.attribute(classifier(), "good film", method="linear")


def test_an_audit_says_why_linear_was_not_measured() -> None:
    record = explain.audit(
        fitted(RandomForestClassifier(3, random_state=0)),
        [{"text": text} for text in TEXTS[:4]],
        methods=["linear", "occlusion"],
    )
    (section,) = [s for s in record.sections if s.id == "method-linear"]
    assert "no sum over words" in str(section.skipped)


def test_weights_that_do_not_give_the_models_own_score_are_not_shown() -> None:
    classifier: Any = fitted(LogisticRegression())
    classifier.estimator.steps[-1][1].predict_proba = lambda rows: np.full((rows.shape[0], 2), 0.5)
    with pytest.raises(PredictionError, match="its scores differ by 0"):
        explain.attribute(classifier, "good film", method="linear")


def test_probabilities_rounded_to_one_are_not_explained_by_weights() -> None:
    classifier: Any = fitted(LogisticRegression())
    logistic = classifier.estimator.steps[-1][1]
    logistic.coef_ = logistic.coef_ * 60
    text = "good good good"
    assert expit(logistic.coef_[0].max() * 3) == 1
    with pytest.raises(PredictionError, match="rounded to 0 or 1"):
        explain.attribute(classifier, text, method="linear")
