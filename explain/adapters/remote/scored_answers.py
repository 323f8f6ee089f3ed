"""The answers of an endpoint as scores, until they prove to be something else."""

from explain.adapters.remote.answers import (
    is_sampled,
    scores_of_counts,
    scores_of_refusal,
    with_other_label,
)
from explain.adapters.remote.kinds import Kind, LostText, Reading
from explain.adapters.remote.logged_scores import scores_of
from explain.adapters.scores import Row
from explain.errors import EndpointError, ExplainError, PredictionError

__all__ = ["ScoredAnswers"]

MOST_WRONG = 3
"""Texts whose scores are no probabilities after which, with none that has some, it is clear that
the endpoint gives something else."""

MOST_WRONG_IN_A_ROW = 64
"""The same where others had some before: as many as attempts without an answer."""


class ScoredAnswers:
    """Turns answers into scores, and counts those that are none.

    Parameters
    ----------
    kind : Kind
        The wire format.
    name : str
        What the model is called in errors.
    decimals : int or None
        Decimals that its probabilities are rounded to, where that is known.
    other_label : str or None
        Name of one more label, which is what is refused or none of the labels.

    Attributes
    ----------
    end_error : EndpointError or None
        Why nothing more need be asked: the first answers hold no scores.
    """

    def __init__(
        self, kind: Kind, name: str, decimals: int | None, other_label: str | None
    ) -> None:
        self.end_error: EndpointError | None = None
        self._kind, self._name, self._decimals = kind, name, decimals
        self._other_label = other_label
        self._is_right = False
        self._n_wrong = 0

    def row(self, answer: Reading | LostText | PredictionError) -> Row | PredictionError:
        """Return what was said of a text as scores."""
        if isinstance(answer, PredictionError):
            return answer
        if isinstance(answer, LostText):
            if self._other_label is not None and answer.is_refusal:
                return scores_of_refusal(self._kind)
            return PredictionError(f"{self._name}: {answer.reason}")
        if is_sampled(self._kind):
            return scores_of_counts(answer, self._kind.samples, self._other_label, self._name)
        row = self._scores_of_labels(answer)
        if self._other_label is None or isinstance(row, PredictionError):
            return row
        return with_other_label(row, answer.label_mass)

    def reason_without(self, answer: Reading | LostText) -> str | None:
        """Return why an answer gives no scores; None if it does, as a refusal that is a label."""
        if isinstance(answer, LostText):
            is_label = self._other_label is not None and answer.is_refusal
            return None if is_label else answer.reason
        row = self.row(answer) if is_sampled(self._kind) else None
        return str(row) if isinstance(row, PredictionError) else None

    def _scores_of_labels(self, answer: Reading) -> Row | PredictionError:
        try:
            scores = scores_of(self._kind, answer, self._name, self._decimals)
        except ExplainError as error:
            self._n_wrong += 1
            if self._n_wrong >= (MOST_WRONG_IN_A_ROW if self._is_right else MOST_WRONG):
                self.end_error = EndpointError(f"{error}; are these scores?")
            return PredictionError(str(error))
        self._is_right, self._n_wrong = True, 0
        return scores
