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

DOUBT = 11
"""Failed calls in a row above which a model is first asked for a text that it has answered, before
a method that looks into it may fail as often again."""


@dataclass(slots=True, eq=False)
class Watch:
    """The texts that were asked for during a while.

    Attributes
    ----------
    asked : set of Text
        All of them, answered before or not.
    sent : set of Text
        Those that the model was asked for then.
    lost : dict of Text to str
        Those that got no answer at least once, and why.
    """

    asked: set[Text] = field(default_factory=set)
    sent: set[Text] = field(default_factory=set)
    lost: dict[Text, str] = field(default_factory=dict)


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
        self._last = ""
        self._probe: Callable[[], object] | None = None
        self._watches: list[Watch] = []

    @contextmanager
    def watch(self) -> Iterator[Watch]:
        """Give what takes each text that is asked for, and why it got no answer."""
        ours = Watch()
        self._watches.append(ours)
        try:
            yield ours
        finally:
            self._watches.remove(ours)

    def note(self, answers: Iterable[tuple[Text, object]], *, sent: bool) -> None:
        """Tell all who watch what texts were asked for, and which answers are failures."""
        for text, answered in answers if self._watches else ():
            for watch in self._watches:
                watch.asked.add(text)
                if sent:
                    watch.sent.add(text)
                if isinstance(answered, PredictionError):
                    watch.lost.setdefault(text, str(answered))

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
        self._failed, self._probe = 0, lambda: predict([first])
        return scores

    def reason_to_wait(self) -> str | None:
        """Return why a method that looks into the model is not to be run; None if it may be."""
        if self.given_up is None and self._failed > DOUBT and not self._still_answers():
            self._count(1, self._last)
            return self.given_up or f"the model does not answer: {self._last}"
        return self.given_up

    def doubt(self, failures: Sequence[ExplainError]) -> None:
        """Count what failed without `call`, unless the model still answers a text.

        A batch of n that is halved until all stand alone fails up to 2 n - 1 times.
        """
        if failures and self.given_up is None and not self._still_answers():
            self._count(2 * len(failures), failures[-1])

    def _count(self, failed: int, last: object) -> None:
        self._failed, self._last = self._failed + failed, str(last)
        if self._failed >= PATIENCE and not self._still_answers():
            self.given_up = (
                f"the model was given up after {self._failed} calls in a row that failed, the "
                f"last with: {self._last}"
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
        self._failed = 0
        return True
