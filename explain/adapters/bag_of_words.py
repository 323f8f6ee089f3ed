"""Pipelines of scikit-learn that count words and weigh them: their tokens and their weights."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import (
    ElasticNet,
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVR

from explain.adapters.base import Contributions
from explain.errors import CapabilityError, PredictionError
from explain.record import Task
from explain.text.spans import Span, Text

__all__ = ["BagOfWords", "final_estimator"]

Weights: TypeAlias = NDArray[np.float64]
"""What one unit of each column adds to a target's value, shape (n_columns,)."""

_REGRESSORS = (LinearRegression, Ridge, RidgeCV, ElasticNet, SGDRegressor, LinearSVR)


class BagOfWords:
    """A fitted pipeline of ``CountVectorizer`` or ``TfidfVectorizer`` and a model.

    Parameters
    ----------
    estimator : Pipeline
        ``make_pipeline(vectorizer, model)``, or with a ``TfidfTransformer`` between the two; or a
        search that found one.
    task : {"single_label", "multi_label", "regression"}
        How the columns of its scores relate to each other.

    Raises
    ------
    CapabilityError
        If the pipeline is none of these, or its tokens are not words that stand in the text.
    """

    def __init__(self, estimator: Any, task: Task) -> None:
        pipeline = final_estimator(estimator)
        steps = [step for _, step in pipeline.steps] if isinstance(pipeline, Pipeline) else []
        if len(steps) < 2 or not isinstance(steps[0], CountVectorizer):
            raise CapabilityError(
                f"{type(pipeline).__name__} is no pipeline of CountVectorizer or TfidfVectorizer "
                "and a model, so what a word adds is not known; use shap, lime or occlusion"
            )
        self._vectorizer, *between, self._model = steps
        for step in between:
            if not isinstance(step, TfidfTransformer):
                raise CapabilityError(
                    f"{type(step).__name__} mixes or drops the columns of words, so what a word "
                    "adds is not known; use shap, lime or occlusion"
                )
        _check_words(self._vectorizer)
        self._task = task
        self._transform = pipeline[:-1].transform
        self._pattern = re.compile(self._vectorizer.token_pattern)
        self._preprocess = self._vectorizer.build_preprocessor()
        self._analyze = self._vectorizer.build_analyzer()
        self._stop_words = self._vectorizer.get_stop_words() or frozenset()
        weighing = [self._vectorizer, *between]
        self._additive = not any(
            getattr(step, option, None)
            for step in weighing
            for option in ("binary", "norm", "sublinear_tf")
        )

    def tokens(self, text: Text) -> list[tuple[str, Span]]:
        """Return the words that the vectorizer reads of a text, stop words left out.

        The pattern of the vectorizer is matched on the text as it preprocesses it, and each
        character followed to where it came from. The words are checked against the vectorizer's
        own analysis.

        Raises
        ------
        PredictionError
            If the text is a pair, or the words are not those that the vectorizer reads.
        """
        if not isinstance(text, str):
            raise PredictionError("a bag of words reads one text, and a pair was given")
        whole: str = self._preprocess(text)
        origin = np.repeat(np.arange(len(text)), [len(self._preprocess(c)) for c in text])
        group = min(self._pattern.groups, 1)
        words = [
            (match[group], Span(0, int(origin[start]), int(origin[end - 1]) + 1))
            for match in (self._pattern.finditer(whole) if len(origin) == len(whole) else ())
            if match[group] not in self._stop_words
            for start, end in [match.span(group)]
        ]
        if [word for word, _ in words] != self._analyze(text):
            raise PredictionError(
                "where the words of the vectorizer stand in the text cannot be told, because its "
                "preprocessing moves characters; use unit='word' and shap, lime or occlusion"
            )
        return words

    def contributions(self, text: Text, index: int) -> Contributions:
        """Return what each word of a text adds to the value of the label with that index.

        Raises
        ------
        CapabilityError
            If the value is no weighted sum of the columns.
        PredictionError
            If the words of the text are not known.
        """
        weights = _weights(self._model, index, self._task)
        in_vocabulary = [
            (w, span) for w, span in self.tokens(text) if w in self._vectorizer.vocabulary_
        ]
        columns = [self._vectorizer.vocabulary_[word] for word, _ in in_vocabulary]
        row = self._transform([text]).toarray()[0]
        times = Counter(columns)
        values = [weights[column] * row[column] / times[column] for column in columns]
        return Contributions(
            tuple(span for _, span in in_vocabulary),
            np.array(values, dtype=np.float64),
            self._additive,
        )


def final_estimator(estimator: Any) -> Any:
    """Return the estimator that a search has found, or the estimator itself."""
    while (best_estimator := getattr(estimator, "best_estimator_", None)) is not None:
        estimator = best_estimator
    return estimator


def _check_words(vectorizer: Any) -> None:
    """Check that the columns of a vectorizer are words that stand in the text."""
    changes = {
        "analyzer": vectorizer.analyzer != "word",
        "ngram_range": tuple(vectorizer.ngram_range) != (1, 1),
        "tokenizer": vectorizer.tokenizer is not None,
        "preprocessor": vectorizer.preprocessor is not None,
    }
    if wrong := [option for option, is_changed in changes.items() if is_changed]:
        raise CapabilityError(
            f"the {wrong[0]} of {type(vectorizer).__name__} is one of its own "
            f"({getattr(vectorizer, wrong[0])!r}), so its columns are not single words whose place "
            "in the text is known; use shap, lime or occlusion"
        )


def _weights(model: Any, index: int, task: Task) -> Weights:
    """Return the weights of a label on the scale that is explained: log-odds, logit or value."""
    if task == "multi_label" and isinstance(model, OneVsRestClassifier | MultiOutputClassifier):
        return _weights(model.estimators_[index], 1, "single_label")
    classes: Sequence[Any] = getattr(model, "classes_", ())
    if task == "single_label" and len(classes) > 2:
        raise CapabilityError(
            f"{type(model).__name__} has {len(classes)} labels, and the log-odds of one against "
            "all others are no sum over words; use shap"
        )
    if isinstance(model, MultinomialNB):
        towards: Weights = model.feature_log_prob_[index] - model.feature_log_prob_[1 - index]
        return towards
    if isinstance(model, LogisticRegression) or (
        isinstance(model, SGDClassifier) and model.loss == "log_loss"
    ):
        coefficients: Weights = model.coef_[0]
        return coefficients if index == 1 else -coefficients
    if isinstance(model, _REGRESSORS):
        return np.asarray(model.coef_, dtype=np.float64).ravel()
    raise CapabilityError(
        f"the score of {type(model).__name__} is no sum over words that explain-audit knows of; "
        "use shap, lime or occlusion"
    )
