"""Texts that are scored in another way, against how they were scored first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from explain.adapters import TextClassifier
from explain.checks.base import AuditContext, probabilities
from explain.checks.stability.metrics import FLIPS, LARGEST_CHANGE, LARGEST_CHANGE_OF_VALUE
from explain.engine import Engine, Row
from explain.engine.liveness import Pulse
from explain.errors import PredictionError
from explain.record import Measure, Task, Unit
from explain.statistics.intervals import proportion
from explain.text.spans import Text

__all__ = [
    "AGAIN",
    "BATCHES",
    "DTYPE",
    "Answers",
    "Trial",
    "answers_of",
    "failures_of",
    "rounding_of",
    "trial_of",
]

ROUNDING = {"float16": 1e-3, "bfloat16": 8e-3}
"""Change of a probability that may be rounding: above 6e-4, measured for float16 between batches;
bfloat16 has three bits less."""

EXACT_ROUNDING = 1e-6
"""The same for float32 and all else: above 6e-7, measured for float32 between batches."""

Answers: TypeAlias = list[Row | PredictionError]
"""What each text got in one run."""

AGAIN = "same text again"
DTYPE = "other dtype"
BATCHES = {
    "one text at a time": "alone",
    "another order": "in another order",
    "with the longest text": "together with a longer text",
}
"""How findings tell of the ways that change what a text is scored with."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The texts scored in one other way, against how they were scored first.

    Attributes
    ----------
    name : str
        What was done.
    rows : array, shape (n_texts,)
        Number of the instance of each text.
    changes : array, shape (n_texts,)
        Largest change of a probability of each (of the value, for a regression).
    flips : array, shape (n_texts,)
        Whether a label of each changed.
    """

    name: str
    rows: NDArray[np.int64]
    changes: NDArray[np.float64]
    flips: NDArray[np.bool_]

    @property
    def largest(self) -> float:
        """The largest change of all."""
        return float(self.changes.max())

    def measures(self, task: Task) -> tuple[Measure, ...]:
        """Return the flips, and the largest change; it is observed, so it has no interval."""
        unit: Unit = "coefficient" if task == "regression" else "proportion"
        metric = LARGEST_CHANGE_OF_VALUE if task == "regression" else LARGEST_CHANGE
        largest = Measure(
            name=metric.name(way=self.name),
            value=self.largest,
            n=len(self.changes),
            unit=unit,
        )
        if task == "regression":
            return (largest,)
        name = FLIPS.name(way=self.name)
        return proportion(name, int(self.flips.sum()), len(self.flips)), largest


def answers_of(model: TextClassifier, texts: Sequence[Text], pulse: Pulse | None = None) -> Answers:
    """Return answers made as an audit makes them, by an engine that remembers nothing."""
    return Engine(model, pulse=pulse).score(texts)


def failures_of(runs: Sequence[Answers]) -> dict[int, str]:
    """Return the places of the texts that some run did not answer, with the reasons."""
    return {
        place: str(row)
        for run in runs
        for place, row in enumerate(run)
        if isinstance(row, PredictionError)
    }


def trial_of(
    context: AuditContext,
    name: str,
    rows: NDArray[np.int64],
    places: Sequence[int],
    base: Answers,
    runs: Sequence[Answers],
) -> Trial:
    """Return what changed among the texts that got all answers, at some places."""
    task = context.model.task
    first, *repeats = (np.array([run[place] for place in places], float) for run in (base, *runs))
    before = probabilities(first, task)
    changes = [np.abs(probabilities(scores, task) - before).max(axis=1) for scores in repeats]
    answers = context.rule.holds(first)
    flips = [(context.rule.holds(scores) != answers).any(axis=1) for scores in repeats]
    return Trial(name, rows[[*places]], np.max(changes, axis=0), np.any(flips, axis=0))


def rounding_of(context: AuditContext) -> float:
    """Return the change that may be rounding; of a regression, relative to its values."""
    rounding = ROUNDING.get(str(context.model.facts.get("dtype")), EXACT_ROUNDING)
    if context.model.task == "regression":
        return rounding * max(1.0, float(np.abs(context.scores).max()))
    return rounding
