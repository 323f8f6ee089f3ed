"""Whether a model still answers: one that does not is asked no more."""

from collections.abc import Callable, Sequence

from explain.adapters import Scores
from explain.adapters.base import INTERRUPTS, failure
from explain.errors import PredictionError
from explain.text.spans import Text

__all__ = ["PATIENCE", "Pulse"]

PATIENCE = 80
"""Calls in a row that may fail before a model is asked for a text that it has answered before, and
is given up if it fails on that too. One bad text in a call of 1,024 fails 11 of them."""


class Pulse:
    """Whether a model still answers; all engines of one model share it.

    Attributes
    ----------
    given_up : str or None
        Why the model is asked no more; None while it is.
    """

    def __init__(self) -> None:
        self.given_up: str | None = None
        self._failed = 0
        self._answered: Text | None = None

    def call(
        self, predict: Callable[[Sequence[Text]], Scores], texts: Sequence[Text], name: str
    ) -> Scores:
        """Return what a model answers.

        Raises
        ------
        PredictionError
            If the model was given up, or raised what is no `Exception`. Any other error of the
            model stays as it is.
        """
        if self.given_up is not None:
            raise PredictionError(self.given_up)
        try:
            scores = predict(texts)
        except INTERRUPTS:
            raise
        except BaseException as error:
            self._failed += 1
            if self._failed >= PATIENCE and not self._still_answers(predict):
                self.given_up = (
                    f"the model was given up after {self._failed} calls in a row that failed, the "
                    f"last with: {failure(name, error)}"
                )
            if not isinstance(error, Exception):
                raise failure(name, error) from error
            raise
        self._failed, self._answered = 0, texts[0]
        return scores

    def _still_answers(self, predict: Callable[[Sequence[Text]], Scores]) -> bool:
        """Tell whether the model answers what it has answered before: then the texts are to blame.

        The longest texts of a table may all be too long for it, and they are asked for in a row.
        """
        if self._answered is None:
            return False
        try:
            predict([self._answered])
        except INTERRUPTS:
            raise
        except BaseException:
            return False
        self._failed = 0
        return True
