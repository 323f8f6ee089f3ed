"""A long text in two steps: its sentences first, then the words of those that matter most.

The sentences are the players of one game. The words of a sentence g are the players of another,

    u_g(T) = mean over K of v(K and T),

where the contexts K are coalitions of the other sentences. With the Shapley values of both games
the words have Owen values (Owen 1977), which sum to the Shapley value of their sentence.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from math import ceil, inf
from sys import maxsize

import numpy as np
from scipy.special import comb

from explain.attribution.methods.base import Estimate, PerturbationExplainer, all_coalitions
from explain.engine.games import Coalitions, ObservedValues, Plan, Values
from explain.errors import BudgetError
from explain.record import Diagnostics
from explain.text.spans import Segmentation, Span
from explain.text.words import sentences

__all__ = ["MOST_WORDS", "RefinedEstimate", "sentence_runs", "sentences_then_words"]

MOST_WORDS = 60
"""Words that are explained one by one: all of a text, or those of the sentences that matter."""

LONGEST_SENTENCE = 30
"""Words of a sentence; a longer one, such as a text without marks, is cut into even runs."""


@dataclass(frozen=True, slots=True)
class RefinedEstimate:
    """What a method found for the sentences of a text, and for the words of some of them.

    Attributes
    ----------
    groups : tuple of range
        Numbers of the words of each sentence.
    outer : Estimate
        The values of the sentences.
    inner : dict of Estimate
        The values of the words of each refined sentence, by the number of the sentence.
    """

    groups: tuple[range, ...]
    outer: Estimate
    inner: dict[int, Estimate]

    @property
    def features(self) -> tuple[range, ...]:
        """The words of each feature: one of a refined sentence, else all of a sentence."""
        return tuple(
            feature
            for number, group in enumerate(self.groups)
            for feature in (
                (group[i : i + 1] for i in range(len(group))) if number in self.inner else (group,)
            )
        )

    def estimate(self) -> Estimate:
        """Return the values of the features, and what the method says of both levels."""
        found = [
            self.inner.get(number, self._of_sentence(number)) for number in range(len(self.groups))
        ]
        errors = [own.standard_errors for own in found if own.standard_errors is not None]
        words = tuple(
            self.inner[number].diagnostics.model_copy(update={"sentence": number + 1})
            for number in sorted(self.inner)
        )
        return Estimate(
            np.concatenate([own.values for own in found]),
            self.outer.empty_value,
            self.outer.full_value,
            np.concatenate(errors) if len(errors) == len(found) else None,
            Diagnostics(sentences=self.outer.diagnostics, words=words),
        )

    def _of_sentence(self, number: int) -> Estimate:
        """Return the value of a whole sentence as the estimate of one feature."""
        errors = self.outer.standard_errors
        return replace(
            self.outer,
            values=self.outer.values[number : number + 1],
            standard_errors=None if errors is None else errors[number : number + 1],
        )


def sentence_runs(segmentation: Segmentation) -> tuple[range, ...]:
    """Return the runs of words that make up the sentences of a text.

    No run is longer than 30 words, or reaches across what the model never read.

    Parameters
    ----------
    segmentation : Segmentation
        The text cut into words.

    Returns
    -------
    tuple of range
        Numbers of the words of each sentence: all words, in order.
    """
    starts = sorted((*sentences(segmentation.parts), *segmentation.unread))

    def sentence_of(number: int) -> tuple[int, int]:
        part, start, _ = segmentation.spans[number]
        return part, bisect_right(starts, Span(part, start, maxsize))

    runs = (list(run) for _, run in groupby(range(len(segmentation)), sentence_of))
    return tuple(piece for run in runs for piece in _even(range(run[0], run[-1] + 1)))


def sentences_then_words(
    explainer: PerturbationExplainer, groups: Sequence[range], rng: np.random.Generator
) -> Plan[RefinedEstimate]:
    """Return the coroutine that explains sentences by a method, then words by the same method.

    The sentences with the largest values are refined: one at least, more while they have at most
    60 words together and the budget allows each word two evaluations in each of two contexts.

    The contexts of a method that promises a sum (`efficient`) are coalitions of the other
    sentences: all of them with their Shapley weights where the budget allows it, else pairs of a
    drawn one and its complement, whose sizes are uniform as in the Shapley value. The words must
    sum to the value of their sentence, so what drawn contexts leave over is shared equally; the
    diagnostics state what was added to each word as ``correction``. Any other
    method asks what happens around the text as it is; its one context keeps all other sentences.
    So the occlusion of a word is what it would be without sentences.

    Half of the budget is for the sentences. The words have what the sentences left, each sentence
    in proportion to its words. Both together never exceed the budget.

    Parameters
    ----------
    explainer : PerturbationExplainer
        The method. Its ``budget``, if it has one, is that of both levels together.
    groups : sequence of range
        Numbers of the words of each sentence, as from `sentence_runs`.
    rng : numpy.random.Generator
        Source of randomness.

    Raises
    ------
    BudgetError
        When started, if the budget is too small for the sentences; later, if it is too small for
        the words of the first one.
    """
    levels = _Levels(explainer, groups, rng)
    outer = yield from levels.sentences()
    inner: dict[int, Estimate] = {}
    numbers = levels.most_important(outer.values)
    for place, number in enumerate(numbers):
        try:
            estimate = yield from levels.words(number, levels.share(numbers[place:]))
        except BudgetError:
            if not inner:
                raise
            break
        inner[number] = (
            _with_sum(estimate, outer.values[number]) if explainer.efficient else estimate
        )
    return RefinedEstimate(tuple(groups), outer, inner)


class _Levels:
    """One method on the games of both levels, and how much of its budget is left."""

    def __init__(
        self, explainer: PerturbationExplainer, groups: Sequence[range], rng: np.random.Generator
    ) -> None:
        self.explainer = explainer
        self.groups = groups
        self.rng = rng
        self.sizes = [len(group) for group in groups]
        self.owners = np.repeat(np.arange(len(groups)), self.sizes)
        self.budget: int | None = getattr(explainer, "budget", None)
        self.coalitions_scored: set[bytes] = set()

    def sentences(self) -> Plan[Estimate]:
        """Return the plan of the method on the sentences."""
        half = None if self.budget is None else self.budget // 2
        return self._run(
            half, len(self.groups), lambda kept: kept[:, self.owners], lambda observed: observed
        )

    def words(self, number: int, share: int | None) -> Plan[Estimate]:
        """Return the plan of the method on the words of a sentence, in its contexts."""
        kept, weights, exact = self._contexts(number, share)
        group, word_contexts = self.groups[number], kept[:, self.owners]

        def within(inside: Coalitions) -> Coalitions:
            coalitions = np.repeat(word_contexts, len(inside), axis=0)
            coalitions[:, group.start : group.stop] = np.tile(inside, (len(word_contexts), 1))
            return coalitions

        def mean(observed: ObservedValues) -> ObservedValues:
            values, variances = (
                numbers.reshape(len(weights), -1)
                for numbers in (observed.values, observed.variances)
            )
            return ObservedValues(weights @ values, weights**2 @ variances)

        budget_of_context = None if share is None else share // len(kept)
        estimate = yield from self._run(budget_of_context, len(group), within, mean)
        return replace(
            estimate,
            standard_errors=estimate.standard_errors if exact else None,
            diagnostics=estimate.diagnostics.model_copy(update={"contexts": len(kept)}),
        )

    def most_important(self, values: Values) -> list[int]:
        """Return the sentences whose words are explained, the largest value first."""
        evaluations_left = inf if self.budget is None else self.budget - len(self.coalitions_scored)
        fewest = 2 if self.explainer.efficient else 1
        numbers: list[int] = []
        words = 0
        for number in np.argsort(-np.abs(values), kind="stable").tolist():
            words += self.sizes[number]
            evaluations_left -= fewest * _price(self.sizes[number])
            if numbers and (words > MOST_WORDS or evaluations_left < 0):
                break
            numbers.append(number)
        return numbers

    def share(self, numbers: Sequence[int]) -> int | None:
        """Return what the first of the sentences that wait may spend, in proportion to its size."""
        if self.budget is None:
            return None
        prices = [_price(self.sizes[number]) for number in numbers]
        return (self.budget - len(self.coalitions_scored)) * prices[0] // sum(prices)

    def _contexts(self, number: int, share: int | None) -> tuple[Coalitions, Values, bool]:
        """Return the contexts of a sentence, their weights, and whether there are no others."""
        other_sentences = np.arange(len(self.groups)) != number
        if not self.explainer.efficient:
            return other_sentences[None], np.ones(1), True
        n_others = len(self.groups) - 1
        most = max(2, 0 if share is None else share // _price(self.sizes[number]))
        exact = 2**n_others <= most
        coalitions = all_coalitions(n_others) if exact else _pairs(n_others, most // 2, self.rng)
        kept: Coalitions = np.zeros((len(coalitions), len(self.groups)), dtype=bool)
        kept[:, other_sentences] = coalitions
        if not exact:
            return kept, np.full(len(coalitions), 1 / len(coalitions)), False
        return kept, 1 / (len(self.groups) * comb(n_others, coalitions.sum(axis=1))), True

    def _run(
        self,
        budget: int | None,
        n_players: int,
        expand: Callable[[Coalitions], Coalitions],
        reduce: Callable[[ObservedValues], ObservedValues],
    ) -> Plan[Estimate]:
        """Run the method on a game whose coalitions are turned into those of words."""
        method = self.explainer if budget is None else _with_budget(self.explainer, budget)
        with closing(method.plan(n_players, self.rng)) as plan:
            try:
                coalitions = next(plan)
                while True:
                    of_words = expand(coalitions)
                    self.coalitions_scored.update(
                        row.tobytes() for row in np.packbits(of_words, axis=1)
                    )
                    coalitions = plan.send(reduce((yield of_words)))
            except StopIteration as done:
                estimate: Estimate = done.value
                return estimate
            except BudgetError as error:
                if budget is None:
                    raise
                raise BudgetError(
                    f"{error} (unit='auto' can give these {n_players:,} features {budget:,} of a "
                    f"budget of {self.budget:,}; raise it in proportion, or pass unit='sentence')"
                ) from error


def _with_sum(estimate: Estimate, total: float) -> Estimate:
    """Return the values of words with what they lack to `total` shared equally."""
    correction = float(total - estimate.values.sum()) / len(estimate.values)
    return replace(
        estimate,
        values=estimate.values + correction,
        diagnostics=estimate.diagnostics.model_copy(update={"correction": correction}),
    )


def _pairs(n_players: int, n_pairs: int, rng: np.random.Generator) -> Coalitions:
    """Return coalitions of a size that is uniform over 0 .. n_players, and their complements."""
    sizes = rng.integers(0, n_players + 1, size=(n_pairs, 1))
    ranks = rng.random((n_pairs, n_players)).argsort(axis=1).argsort(axis=1)
    kept: Coalitions = ranks < sizes
    return np.vstack([kept, ~kept])


def _price(n_words: int) -> int:
    """Return the evaluations that a method needs to say something of each word.

    One order there and back, and no fewer than 16 unless these are all coalitions there are.
    """
    return max(2 * n_words + 2, min(1 << n_words, 16))


def _with_budget(explainer: PerturbationExplainer, budget: int) -> PerturbationExplainer:
    changed: PerturbationExplainer = replace(explainer, budget=budget)
    return changed


def _even(run: range) -> list[range]:
    """Return the pieces of a run, as few and as even as they can be."""
    n_pieces = ceil(len(run) / LONGEST_SENTENCE)
    edges = [len(run) * piece // n_pieces for piece in range(n_pieces + 1)]
    return [run[start:end] for start, end in pairwise(edges)]
