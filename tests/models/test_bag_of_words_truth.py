"""On ordinary prose, the values of a linear model over word counts are its coefficients."""

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

import explain
from explain.engine.games import Delete
from explain.record import Attribution
from explain.text.spans import Segmentation
from explain.text.words import sentences, words

SENTENCES = 200
EXACT = 60
"""Short sentences of which all coalitions are scored."""


@pytest.fixture(scope="module")
def reviews(shared: Path) -> pd.DataFrame:
    return pd.read_csv(shared / "data/counterfactual_reviews/train.csv")


@pytest.fixture(scope="module")
def pipeline(reviews: pd.DataFrame) -> Pipeline:
    model = make_pipeline(CountVectorizer(), LogisticRegression(max_iter=1000))
    return model.fit(reviews["text"], reviews["label"])


def cut(reviews: pd.DataFrame, fewest: int, most: int, n: int) -> list[str]:
    """Return sentences of so many words as they stand in the reviews."""
    found = (
        text[span.start : span.end]
        for text in reviews["text"].sample(frac=1, random_state=0)
        for span in sentences([text])
    )
    return list(islice((s for s in found if fewest <= len(words([s])) <= most), n))


def truth(pipeline: Pipeline, attribution: Attribution) -> NDArray[np.float64]:
    """Return the sum of the coefficients of the tokens in each feature, towards the target."""
    vectorizer: Any = pipeline[0]
    tokens = vectorizer.build_analyzer()
    (text,) = attribution.parts
    inside = [tokens(feature) for feature in attribution.features]
    assert [token for own in inside for token in own] == tokens(text)
    towards = pipeline[-1].coef_[0] * (1 if attribution.target.index else -1)
    column = vectorizer.vocabulary_
    return np.array([sum(towards[column[t]] for t in own if t in column) for own in inside])


def require_coefficients(pipeline: Pipeline, attributions: list[Attribution], n: int) -> None:
    assert len(attributions) == n
    marks = 0
    for attribution in attributions:
        expected = truth(pipeline, attribution)
        np.testing.assert_allclose(attribution.values, expected, rtol=0, atol=1e-6)
        for feature, value in zip(attribution.features, attribution.values, strict=True):
            if not any(map(str.isalnum, feature)):
                marks += 1
                assert abs(value) <= 1e-6
    assert marks > n


@pytest.mark.parametrize("method", ["occlusion", "linear"])
def test_the_values_of_prose_are_the_coefficients(
    pipeline: Pipeline, reviews: pd.DataFrame, method: str
) -> None:
    texts = cut(reviews, 15, 40, SENTENCES)
    found = explain.attribute(pipeline, texts, method=method, masker="delete")
    require_coefficients(pipeline, found, SENTENCES)


def test_exact_shapley_values_of_prose_are_the_coefficients(
    pipeline: Pipeline, reviews: pd.DataFrame
) -> None:
    texts = cut(reviews, 8, 11, EXACT)
    found = explain.attribute(pipeline, texts, method="shap", algorithm="exact", budget=2048)
    require_coefficients(pipeline, found, EXACT)


def test_hiding_any_words_of_prose_hides_their_coefficients_alone(
    pipeline: Pipeline, reviews: pd.DataFrame
) -> None:
    rng = np.random.default_rng(0)
    for text in cut(reviews, 15, 40, SENTENCES):
        segmentation = Segmentation((text,), words([text]))
        for share in (0.1, 0.5, 0.9):
            kept = rng.random(len(segmentation)) < share
            masked = Delete()(segmentation, kept)
            tokens = pipeline[0].build_analyzer()
            left = [
                token
                for feature, keep in zip(segmentation.features, kept, strict=True)
                if keep
                for token in tokens(feature)
            ]
            assert tokens(masked) == left
