"""Texts that are asked again all through a run: they show a model that changes under its name."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit, polygamma

from explain.adapters.rounding import decimals_of
from explain.adapters.scores import Row, Scores, log_odds_of
from explain.errors import PredictionError
from explain.record import Task
from explain.text.spans import Text

__all__ = [
    "CANARIES",
    "FIRST_ANSWERS",
    "MOST_SHIFTS",
    "TEXTS_BETWEEN",
    "Canaries",
    "Shift",
    "TextCanaries",
    "canary_calls",
]

CANARIES = 8
"""Texts that are asked again."""

TEXTS_BETWEEN = 500
"""Distinct texts between two rounds: the rounds are 1.6 % of the calls."""

FIRST_ANSWERS = 3
"""Answers of the first round to each canary, which tell the noise with 16 degrees of freedom."""

LEVEL = 6.3e-5
"""Two-sided p-value of four standard deviations: 50 rounds of a model that does not change are
taken for a change in 3 of 1,000 runs."""

ROUNDING = 1e-3
"""Change of log-odds below which answers are the same: what batches and float16 leave open."""

ONE_STEP = 1.01
"""Steps of a rounded probability that are no change, with room for float32."""

MOST_SHIFTS = 2
"""Changes after which no part of a run can be told from another."""


@dataclass(frozen=True, slots=True)
class Shift:
    """A change of the answers.

    Attributes
    ----------
    since, after : int
        Between which distinct texts of the run it lies, counted from 1: after `since` of them the
        answers were still as before, after `after` of them they were not.
    changes : tuple of float
        How far the probability of the predicted label of each canary moved.
    """

    since: int
    after: int
    changes: tuple[float, ...]


@dataclass(slots=True)
class Canaries:
    """What the canaries have answered.

    Attributes
    ----------
    rounds : int
        How often they were asked.
    shifts : list of Shift
        When their answers changed, by more than they do by themselves.
    """

    rounds: int = 0
    shifts: list[Shift] = field(default_factory=list)
    samples: int = 0
    """Answers of which each is a count, where scores come from counts."""
    _since: int = 1
    """Distinct texts before the last round; before the first one, the first text."""
    _answers: NDArray[np.float64] | None = None
    """Those since the last shift, shape (n_answers, n_canaries)."""
    _squares: float = 0.0
    _degrees_of_freedom: int = 0
    """Sum of squares of answers around the mean of their canary, before the last shift too."""

    def take(self, answers: NDArray[np.float64], after: int, step: float = 0.0) -> None:
        """Take in a round.

        Parameters
        ----------
        answers : array, shape (n_answers, n_canaries)
            Log-odds of the label that each canary had first, NaN where there was no answer; in the
            first round the first row is the answer that it had then, before all others.
        after : int
            Distinct texts that were asked for before.
        step : float
            Smallest change of a probability that the endpoint shows. One step is none: noise that
            is too small to be seen at first may turn a digit later.
        """
        self.rounds += 1
        if self._answers is None:
            self._answers, answers = answers[:1], answers[1:]
            self._learn_noise(answers)
        if self._is_shift(answers, step):
            moves = np.abs(_probability(_means(answers)) - _probability(_means(self._answers)))
            changes = tuple(moves[np.isfinite(moves)].tolist())
            self.shifts.append(Shift(self._since, after, changes))
            self._learn_noise(self._answers)
            self._answers = answers
        else:
            self._answers = np.concatenate([self._answers, answers])
        self._since = after

    def _is_shift(self, answers: NDArray[np.float64], step: float) -> bool:
        """Tell whether answers differ from those before by more than noise (F test, Fisher)."""
        assert self._answers is not None
        before, now = _means(self._answers), _means(answers)
        moves = np.abs(_probability(now) - _probability(before))
        changes = np.where(moves <= ONE_STEP * step, 0.0, now - before)
        changes = changes[np.isfinite(changes)]
        squares, degrees_of_freedom = _within(self._answers)
        squares, degrees_of_freedom = (
            squares + self._squares,
            degrees_of_freedom + self._degrees_of_freedom,
        )
        if not len(changes) or not degrees_of_freedom:
            return False
        share = 1 / len(self._answers) + 1 / len(answers)
        variance = max(squares / degrees_of_freedom, self._least_variance()) * share
        ratio = float((changes**2).mean()) / variance
        return bool(stats.f.sf(ratio, len(changes), degrees_of_freedom) < LEVEL)

    def _least_variance(self) -> float:
        """Return the variance of an answer that is there even where none was seen yet.

        Of the log-odds of counts it is psi'(a) + psi'(b), as each is a half more.
        """
        assert self._answers is not None
        if not self.samples:
            return ROUNDING**2
        shares = _probability(_means(self._answers))
        a = (self.samples + 1) * shares[np.isfinite(shares)]
        return float(np.mean(polygamma(1, a) + polygamma(1, self.samples + 1 - a)))

    def _learn_noise(self, answers: NDArray[np.float64]) -> None:
        squares, degrees_of_freedom = _within(answers)
        self._squares += squares
        self._degrees_of_freedom += degrees_of_freedom


def _means(answers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each canary; NaN where an answer is missing."""
    return np.asarray(answers.mean(axis=0))


def _within(answers: NDArray[np.float64]) -> tuple[float, int]:
    """Return the squares around the mean of each canary, and their degrees of freedom."""
    whole = answers[:, np.isfinite(answers).all(axis=0)]
    squares = float(((whole - whole.mean(axis=0)) ** 2).sum())
    return squares, whole.shape[1] * (len(whole) - 1)


class TextCanaries:
    """The canaries of a run: the first texts that were answered.

    Parameters
    ----------
    task : {"single_label", "multi_label", "regression"}
        How the columns of scores relate to each other.
    shows_probabilities : bool
        Whether scores come from probabilities, which may be rounded.
    samples : int
        Answers to each text that are counted; 0 where scores do not come from counts.
    """

    def __init__(self, task: Task, shows_probabilities: bool, samples: int = 0) -> None:
        self._task = task
        self._shows_probabilities = shows_probabilities
        self._first: dict[Text, Row] = {}
        self._canaries = Canaries(samples=samples)
        self._n_periods = 0

    @property
    def texts(self) -> list[Text]:
        """The texts that are asked again."""
        return [*self._first]

    @property
    def rounds(self) -> int:
        """How often they were asked."""
        return self._canaries.rounds

    @property
    def shifts(self) -> list[Shift]:
        """When their answers changed."""
        return self._canaries.shifts

    def part_of(self, place: int) -> int | None:
        """Return how many changes came before a text of the run; None if that is not known."""
        if any(shift.since < place <= shift.after for shift in self.shifts):
            return None
        return sum(shift.after < place for shift in self.shifts)

    def choose(self, texts: Sequence[Text], rows: Sequence[Row | PredictionError]) -> None:
        """Take the first texts that have scores, until there are enough."""
        for text, row in zip(texts, rows, strict=True):
            if len(self._first) < CANARIES and not isinstance(row, PredictionError):
                self._first.setdefault(text, row)

    def texts_left(self, n_texts: int) -> int:
        """Return after how many more texts they may be due, after so many of the run."""
        return TEXTS_BETWEEN - n_texts % TEXTS_BETWEEN

    def answers_due(self, n_texts: int) -> int:
        """Return how often they are to be asked, after so many distinct texts of the run."""
        if n_texts // TEXTS_BETWEEN <= self._n_periods or not self._first:
            return 0
        self._n_periods = n_texts // TEXTS_BETWEEN
        return 1 if self.rounds else FIRST_ANSWERS

    def take(
        self,
        again: Sequence[Sequence[Row | PredictionError]],
        after: int,
        decimals: int | None,
    ) -> None:
        """Take in answers, one list of rows for each time that they were asked.

        Parameters
        ----------
        again : sequence of sequence of Row or PredictionError
            The answers.
        after : int
            Distinct texts that were asked for before.
        decimals : int or None
            Decimals of probabilities, where they are known; else they are found out.
        """
        first = np.array([*self._first.values()])
        missing = np.full(first.shape[1], np.nan)
        answers = [
            np.array([missing if isinstance(row, PredictionError) else row for row in rows])
            for rows in again
        ]
        rounds = answers if self.rounds else [first, *answers]
        columns = first.argmax(axis=1)
        values = [
            [
                self._log_odds(row[None], column)[0]
                for row, column in zip(each, columns, strict=True)
            ]
            for each in rounds
        ]
        decimals = decimals or self._decimals(first)
        step = 0.0 if decimals is None else 10.0**-decimals
        self._canaries.take(np.array(values), after, step)

    def _log_odds(self, scores: Scores, column: int) -> NDArray[np.float64]:
        return log_odds_of(scores, column) if self._task == "single_label" else scores[:, column]

    def _decimals(self, first: Scores) -> int | None:
        if not self._shows_probabilities:
            return None
        return decimals_of(np.exp(first) if self._task == "single_label" else expit(first))


def canary_calls(n_texts: int) -> int:
    """Return the most calls for canaries in a run with so many distinct texts.

    Beyond those of every round they are asked once more when all is explained.
    """
    rounds = n_texts // TEXTS_BETWEEN
    return CANARIES * (rounds + FIRST_ANSWERS) if rounds else 0


def _probability(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(expit(log_odds))
