"""The weights of a linear model over a bag of words, in the place where its words stand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from explain.adapters import LinearClassifier, TextClassifier
from explain.adapters.failures import halve_on_failure
from explain.attribution.methods.base import Estimate, relative_gap, sum_onto_features
from explain.engine import Outcome
from explain.engine.games import AttributionRequest, Delete, target_values
from explain.engine.liveness import Pulse
from explain.engine.progress import Progress
from explain.errors import CapabilityError, PredictionError
from explain.record import Diagnostics
from explain.text.spans import text_of

__all__ = ["Linear"]

TOLERANCE = 1e-6
"""How far the weights may be off the model's own scores, relative to the larger of 1 and v(N)."""


@dataclass(frozen=True, slots=True)
class Linear:
    """Weight times count: what each word adds to the score of a linear model over words.

    For pipelines of ``CountVectorizer`` or ``TfidfVectorizer`` over single words and a model whose
    value is a weighted sum: of two labels ``LogisticRegression``, ``SGDClassifier`` with
    ``log_loss`` and ``MultinomialNB`` (log-odds); of several labels at once one such model each
    (logit); linear regressors (value). The log-odds of one of three or more labels are no such
    sum, and are refused.

    On plain counts the words of a text are an additive game: with ``unit='token'`` (the
    vectorizer's own words) these values are the Shapley values, whatever the order, and what is
    lost when a word is deleted. With a norm (TF-IDF by default), binary counts or sublinear counts
    deleting one word changes what the others weigh. Then a value is what the word adds *under the
    norm of the full text*, words that occur twice share equally, and deleting it moves the score by
    another amount; ``additive`` in the diagnostics says which of the two holds.

    A word that the vectorizer drops adds nothing; one that lies in several features is shared by
    its characters in each; one in none belongs to v(empty).

    Nothing is shown unchecked: v(N) and v(empty), of the text with all features deleted, are the
    model's own scores, and the values must sum to their difference within 1e-6 of the larger of 1
    and |v(N)|, apart from what rounding a probability near 0 or 1 costs.
    """

    name: ClassVar[str] = "linear"
    title: ClassVar[str] = "Linear weights"
    efficient: ClassVar[bool] = True
    signed: ClassVar[bool] = True
    is_null: ClassVar[bool] = False

    def removal(self, model: TextClassifier) -> str:
        """Return that removed features are deleted.

        Raises
        ------
        CapabilityError
            If the model does not tell what a word adds.
        """
        _with_weights(model)
        return Delete().name

    def explain(
        self,
        model: TextClassifier,
        requests: Sequence[AttributionRequest],
        progress: Progress,
    ) -> list[Outcome[Estimate]]:
        """Return the values of each request.

        Raises
        ------
        CapabilityError
            If the model does not tell what a word adds.
        """
        linear = _with_weights(model)
        pulse = Pulse()

        def explain(batch: Sequence[AttributionRequest]) -> list[Outcome[Estimate]]:
            hidden = [Delete()(q.segmentation, np.zeros(len(q.segmentation), bool)) for q in batch]
            empty = pulse.call(model.predict, hidden, model.name)
            return [
                Outcome(_estimate(linear, request, scores), 1)
                for request, scores in zip(batch, empty, strict=True)
            ]

        outcomes = halve_on_failure(explain, requests, model.name, error_type=PredictionError)
        progress.show(len(requests), len(requests))
        return [Outcome(o, 1) if isinstance(o, PredictionError) else o for o in outcomes]


def _estimate(
    model: LinearClassifier,
    request: AttributionRequest,
    empty_scores: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> Estimate:
    """Return the values of a request, checked against the scores of the model."""
    segmentation, target = request.segmentation, request.target
    contributions = model.contributions(text_of(segmentation.parts), target.index)
    values = sum_onto_features(contributions.tokens, contributions.values, segmentation)
    empty, full = target_values(np.array([empty_scores, request.scores]), target)
    gap = abs(float(values.sum()) - (full - empty))
    allowed = TOLERANCE * max(1.0, abs(full))
    if target.scale != "value":
        # A probability p is known to 2.2e-16, so its log-odds to 2.2e-16 / (p (1 - p)).
        allowed += float(np.finfo(np.float64).eps * (np.exp(abs(full)) + np.exp(abs(empty))))
    if gap > allowed:
        raise PredictionError(
            f"the weights of {model.name} sum to {values.sum():.6g}, its scores differ by "
            f"{full - empty:.6g}: it is not linear in the words of this text, or its "
            "probabilities are rounded to 0 or 1; use shap, lime or occlusion"
        )
    return Estimate(
        values,
        empty_value=float(empty),
        full_value=float(full),
        standard_errors=np.zeros(len(values)) if contributions.additive else None,
        diagnostics=Diagnostics(
            additive=contributions.additive,
            ended_by="exact",
            relative_gap=relative_gap(values, float(full - empty)),
        ),
    )


def _with_weights(model: TextClassifier) -> LinearClassifier:
    if not isinstance(model, LinearClassifier):
        raise CapabilityError(
            f"{model.name} does not tell what a word adds, as linear models of scikit-learn over "
            "words do; use shap, lime or occlusion"
        )
    return model
