"""Whether a model still answers, and to what it did not: one that does not is asked no more."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from explain.adapters.failures import INTERRUPTS, failure
from explain.errors import ExplainError, PredictionError
from explain.text.spans import Text

__all__ = ["PATIENCE", "Pulse", "Watch"]

Q = TypeVar("Q")
T = TypeVar("T")

PATIENCE = 80
"""Calls in a row that may fail before a model is asked for a text that it has answered before, and
is given up if it fails on that too. One bad text in a call of 1,024 fails 11 of them."""

MOST_FAILED_CALLS = 11
"""Failed calls in a row above which a model is first asked for a text that it has answered, before
a method that looks into it may fail as often again."""


@dataclass(slots=True, eq=False)
class Watch:
    """The texts that were asked for during a while.

    Attributes
    ----------
    requested_texts : set of Text
        All of them, answered before or not.
    sent_texts : set of Text
        Those that the model was asked for then.
    failures : dict of Text to str
        Those that got no answer at least once, and why.
    """

    requested_texts: set[Text] = field(default_factory=set)
    sent_texts: set[Text] = field(default_factory=set)
    failures: dict[Text, str] = field(default_factory=dict)


class Pulse:
    """Whether a model still answers; all engines of one model share it.

    Attributes
    ----------
    given_up : str or None
        Why the model is asked no more; None while it is.
    """

    def __init__(self) -> None:
        self.given_up: str | None = None
        self._n_failed = 0
        self._last_error = ""
        self._probe: Callable[[], object] | None = None
        self._watches: list[Watch] = []

    @contextmanager
    def watch(self) -> Iterator[Watch]:
        """Give what takes each text that is asked for, and why it got no answer."""
        watch_of_caller = Watch()
        self._watches.append(watch_of_caller)
        try:
            yield watch_of_caller
        finally:
            self._watches.remove(watch_of_caller)

    def note(self, answers: Iterable[tuple[Text, object]], *, is_sent: bool) -> None:
        """Tell all who watch what texts were asked for, and which answers are failures."""
        for text, answer in answers if self._watches else ():
            for watch in self._watches:
                watch.requested_texts.add(text)
                if is_sent:
                    watch.sent_texts.add(text)
                if isinstance(answer, PredictionError):
                    watch.failures.setdefault(text, str(answer))

    def call(self, predict: Callable[[Sequence[Q]], T], texts: Sequence[Q], name: str) -> T:
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
            self._count(1, failure(name, error))
            if not isinstance(error, Exception):
                raise failure(name, error) from error
            raise
        first = texts[0]
        self._n_failed, self._probe = 0, lambda: predict([first])
        return scores

    def reason_to_wait(self) -> str | None:
        """Return why a method that looks into the model is not to be run; None if it may be."""
        if (
            self.given_up is None
            and self._n_failed > MOST_FAILED_CALLS
            and not self._still_answers()
        ):
            self._count(1, self._last_error)
            return self.given_up or f"the model does not answer: {self._last_error}"
        return self.given_up

    def count_failures(self, failures: Sequence[ExplainError]) -> None:
        """Count what failed without `call`, unless the model still answers a text.

        A batch of n that is halved until all stand alone fails up to 2 n - 1 times.
        """
        if failures and self.given_up is None and not self._still_answers():
            self._count(2 * len(failures), failures[-1])

    def _count(self, n_failed: int, error: object) -> None:
        self._n_failed, self._last_error = self._n_failed + n_failed, str(error)
        if self._n_failed >= PATIENCE and not self._still_answers():
            self.given_up = (
                f"the model was given up after {self._n_failed} calls in a row that failed, the "
                f"last with: {self._last_error}"
            )

    def _still_answers(self) -> bool:
        """Tell whether the model answers what it has answered before: then the texts are to blame.

        The longest texts of a table may all be too long for it, and they are asked for in a row.
        """
        if self._probe is None:
            return False
        try:
            self._probe()
        except INTERRUPTS:
            raise
        except BaseException:
            return False
        self._n_failed = 0
        return True
