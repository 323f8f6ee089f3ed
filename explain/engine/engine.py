"""The only caller of a classifier: it de-duplicates, batches across instances, and counts."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from itertools import compress
from typing import Generic, TypeVar

import numpy as np

from explain.adapters import Scores, TextClassifier
from explain.adapters.base import PerTextClassifier, SampledClassifier
from explain.adapters.failures import failure, halve_on_failure
from explain.adapters.rounding import RoundedClassifier
from explain.adapters.scores import Row, check_scores
from explain.engine.games import (
    AttributionRequest,
    Coalitions,
    MaskedTextGame,
    ObservedValues,
    Plan,
)
from explain.engine.liveness import Pulse, Watch
from explain.engine.precision import Precision
from explain.engine.progress import Progress
from explain.engine.scored_coalitions import ScoredCoalitions
from explain.errors import ExplainError, PredictionError
from explain.text.spans import Text, text_of

__all__ = ["Engine", "Outcome", "Row"]

T = TypeVar("T")

CALL_SIZE = 1024
"""Texts of one call: enough to pack batches tightly, few enough to show progress."""

ACTIVE_PLANS = 64
"""Plans that advance together; bounds the coalitions in memory and the threads of the bridge."""

CACHE_SIZE = 200_000
"""Texts whose scores are kept; the least recently used go first."""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """The result of one plan, or the error that ended it.

    Attributes
    ----------
    value : T or ExplainError
        What the plan returned, or why it could not.
    evaluations : int
        Distinct texts that the plan asked for, whoever paid for them.
    n_capped : int
        How many of them have a value at the cap of a model that rounds.
    texts : frozenset of Text
        These texts, of a plan that returned something.
    """

    value: T | ExplainError
    evaluations: int
    n_capped: int = 0
    texts: frozenset[Text] = frozenset()

    def unwrap(self) -> T:
        """Return the result.

        Raises
        ------
        ExplainError
            The error that ended the plan.
        """
        if isinstance(self.value, ExplainError):
            raise self.value
        return self.value


@dataclass(slots=True, eq=False)
class _PlanState(Generic[T]):
    """A plan that waits for the values of the texts it has asked for."""

    number: int
    game: MaskedTextGame
    plan: Plan[T]
    noise: float
    texts: list[Text] = field(default_factory=list)
    scored_texts: set[Text] = field(default_factory=set)
    capped_texts: set[Text] = field(default_factory=set)


class Engine:
    """Scores texts for all who ask, each distinct text once.

    Parameters
    ----------
    classifier : TextClassifier
        The model.
    cache_size : int
        Texts whose scores are kept.
    pulse : Pulse, optional
        That of another engine of the same model, which is then given up once.
    beneath : Pulse, optional
        That of the model that this one is made of: methods that look into it run that one.

    Attributes
    ----------
    evaluations : int
        Distinct texts scored so far (again after they left the cache), gradients included.
    gradients : int
        Gradients taken so far.
    calls : int
        Calls of the classifier so far.
    precision : Precision
        How exactly its answers are known, as far as that was asked.
    pulse : Pulse
        Whether the model still answers.
    """

    def __init__(
        self,
        classifier: TextClassifier,
        *,
        cache_size: int = CACHE_SIZE,
        pulse: Pulse | None = None,
        inner_pulse: Pulse | None = None,
    ) -> None:
        self.classifier = classifier
        self.cache_size = cache_size
        self.evaluations = 0
        self.gradients = 0
        self.calls = 0
        decimals = classifier.decimals if isinstance(classifier, RoundedClassifier) else None
        is_sampled = isinstance(classifier, SampledClassifier) and classifier.is_sampled
        self.precision = Precision(decimals=decimals, is_sampled=is_sampled)
        self._call_size = CALL_SIZE
        self.pulse = pulse or Pulse()
        self._inner_pulse = inner_pulse or self.pulse
        self._cache: OrderedDict[Text, Row | PredictionError] = OrderedDict()
        # No more than the cache can hold: the others would have to be paid for again.
        self._coalitions = ScoredCoalitions(cache_size)

    def watch(self) -> AbstractContextManager[Watch]:
        """Give what takes each text that any engine of this pulse is asked for, and what failed."""
        return self.pulse.watch()

    def score(self, texts: Sequence[Text]) -> list[Row | PredictionError]:
        """Return the scores of each text, or why it has none.

        A text on which the model fails does not spoil the others of its batch.
        """
        with Progress("Scoring texts") as progress:
            answers = self._answers(dict.fromkeys(texts), progress)
        return [answers[text] for text in texts]

    def scored_coalitions(self, game: MaskedTextGame, most: int) -> Coalitions:
        """Return coalitions of a game whose scores are known, so that asking for them is free.

        They are the `most` that keep the fewest features, and the `most` that remove the fewest.
        """
        coalitions = self._coalitions.of(game)
        by_size = np.argsort(coalitions.sum(axis=1), kind="stable")
        chosen: Coalitions = coalitions[
            np.unique(np.concatenate([by_size[:most], by_size[-most:]]))
        ]
        known = [isinstance(self._cache.get(text), np.ndarray) for text in game.texts(chosen)]
        return np.asarray(chosen[known])

    def score_again(self, texts: Sequence[Text]) -> list[Row | PredictionError]:
        """Return the answers of one call to these texts in this order, past the cache.

        If the call fails, it is halved until what fails stands alone.
        """
        answers = self._score_each(texts, fresh=True)
        self.pulse.note(zip(texts, answers, strict=True), is_sent=True)
        return answers

    def score_together(self, texts: Sequence[Text]) -> list[Row | PredictionError]:
        """Return the answers of one call to these texts, past the cache; it fails for all."""
        answers: list[Row | PredictionError]
        if isinstance(self.classifier, PerTextClassifier):
            return self.score_again(texts)
        try:
            answers = [*self._predict(texts)]
        except Exception as error:
            answers = [failure(self.classifier.name, error)] * len(texts)
        self.pulse.note(zip(texts, answers, strict=True), is_sent=True)
        return answers

    def score_alone(self) -> None:
        """Send one text a call from now on, as others change its answer; forget earlier answers."""
        self._call_size = 1
        self.forget()

    def forget(self) -> None:
        """Ask for every text again from now on, as the model has changed."""
        self._cache.clear()

    def run(self, games: Iterable[MaskedTextGame], plans: Iterable[Plan[T]]) -> list[Outcome[T]]:
        """Advance all plans in lock step until each has returned, and give their results in order.

        In each round the coalitions that all plans wait for become one set of distinct texts.
        """
        numbered_games = enumerate(zip(games, plans, strict=True))
        outcomes: dict[int, Outcome[T]] = {}
        active = list(self._start(numbered_games, ACTIVE_PLANS, outcomes))
        with Progress("Scoring masked texts") as progress:
            while active:
                answers = self._answers(
                    dict.fromkeys(text for plan in active for text in plan.texts), progress
                )
                active = [plan for plan in active if self._advance(plan, answers, outcomes)]
                active += self._start(numbered_games, ACTIVE_PLANS - len(active), outcomes)
        return [outcomes[number] for number in range(len(outcomes))]

    def open(
        self,
        method: Callable[
            [TextClassifier, Sequence[AttributionRequest], Progress], list[Outcome[T]]
        ],
        requests: Sequence[AttributionRequest],
    ) -> list[Outcome[T]]:
        """Run a method that looks into the model, and count what it says that it cost.

        Such a method batches its requests itself. It is not run if the model does not answer.
        """
        if reason := self._inner_pulse.reason_to_wait():
            outcomes = [Outcome[T](PredictionError(reason), 0) for _ in requests]
        else:
            with Progress("Looking into the model") as progress:
                outcomes = method(self.classifier, requests, progress)
            values = [outcome.value for outcome in outcomes]
            self._inner_pulse.count_failures(
                [value for value in values if isinstance(value, PredictionError)]
            )
        texts = (text_of(request.segmentation.parts) for request in requests)
        values = [outcome.value for outcome in outcomes]
        self._inner_pulse.note(zip(texts, values, strict=True), is_sent=True)
        n_gradients = sum(outcome.evaluations for outcome in outcomes)
        self.gradients += n_gradients
        self.evaluations += n_gradients
        return outcomes

    def _start(
        self,
        numbered_games: Iterator[tuple[int, tuple[MaskedTextGame, Plan[T]]]],
        room: int,
        outcomes: dict[int, Outcome[T]],
    ) -> Iterator[_PlanState[T]]:
        """Start plans until `room` of them wait for values or none is left."""
        while room > 0 and (entry := next(numbered_games, None)) is not None:
            number, (game, plan) = entry
            state = _PlanState(number, game, plan, self.precision.noise(game.target))
            if self._step(state, None, outcomes):
                room -= 1
                yield state

    def _advance(
        self,
        state: _PlanState[T],
        answers: dict[Text, Row | PredictionError],
        outcomes: dict[int, Outcome[T]],
    ) -> bool:
        """Send a plan its values; tell whether it asks for more."""
        rows = [answers[text] for text in state.texts]
        failure = next((row for row in rows if isinstance(row, PredictionError)), None)
        if failure is not None:
            state.plan.close()
            outcomes[state.number] = Outcome(failure, len(state.scored_texts))
            return False
        scores = np.array(rows).reshape(len(rows), len(self.classifier.labels))
        sampling = self.precision.sampling_variances(scores, state.game.target)
        observed = state.game.observe(scores, state.noise + sampling)
        if (cap := state.game.target.cap) is not None:
            at_cap = np.isclose(np.abs(observed.values), cap)
            state.capped_texts.update(compress(state.texts, at_cap.tolist()))
        return self._step(state, observed, outcomes)

    def _step(
        self,
        state: _PlanState[T],
        observed: ObservedValues | None,
        outcomes: dict[int, Outcome[T]],
    ) -> bool:
        """Resume a plan up to its next request; tell whether there is one."""
        try:
            coalitions: Coalitions = (
                next(state.plan) if observed is None else state.plan.send(observed)
            )
        except StopIteration as stop:
            outcomes[state.number] = Outcome(
                stop.value,
                len(state.scored_texts),
                len(state.capped_texts),
                frozenset(state.scored_texts),
            )
            return False
        except ExplainError as error:
            outcomes[state.number] = Outcome(error, len(state.scored_texts))
            return False
        state.texts = state.game.texts(coalitions)
        self._coalitions.note(state.game, coalitions)
        state.scored_texts.update(state.texts)
        return True

    def _answers(
        self, texts: dict[Text, None], progress: Progress
    ) -> dict[Text, Row | PredictionError]:
        """Return the answer to each wanted text, from the cache where it is there."""
        answers: dict[Text, Row | PredictionError] = {}
        uncached: list[Text] = []
        for text in texts:
            if text in self._cache:
                self._cache.move_to_end(text)
                answers[text] = self._cache[text]
            else:
                uncached.append(text)
        # A fixed order (length, then text) makes the rounding of batches the same in every run.
        uncached.sort(key=lambda text: (sum(map(len, _strings(text))), _strings(text)))
        for start in range(0, len(uncached), self._call_size):
            chunk = uncached[start : start + self._call_size]
            rows = self._score_each(chunk, fresh=False)
            answers.update(zip(chunk, rows, strict=True))
            progress.show(start + len(chunk), len(uncached))
        for text in uncached:
            self._cache[text] = answers[text]
        self.pulse.note(answers.items(), is_sent=False)
        self.pulse.note(((text, answers[text]) for text in uncached), is_sent=True)
        while len(self._cache) > self.cache_size:
            self._cache.popitem(last=False)
        return answers

    def _score_each(self, texts: Sequence[Text], *, fresh: bool) -> list[Row | PredictionError]:
        """Return the scores of each text, or why it has none."""
        model = self.classifier
        if not isinstance(model, PerTextClassifier):
            return halve_on_failure(self._predict, texts, model.name)
        self.calls += 1
        self.evaluations += len(texts)
        try:
            return self.pulse.call(partial(model.predict_each, fresh=fresh), texts, model.name)
        except Exception as error:
            return [failure(model.name, error)] * len(texts)

    def _predict(self, texts: Sequence[Text]) -> Scores:
        return self.pulse.call(self._call, texts, self.classifier.name)

    def _call(self, texts: Sequence[Text]) -> Scores:
        self.calls += 1
        self.evaluations += len(texts)
        model = self.classifier
        return check_scores(model.predict(texts), len(texts), model.labels, model.name)


def _strings(text: Text) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else text
