"""The words that weighed most where texts were explained, removed from all other rows."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from explain.adapters import LinearClassifier
from explain.attribution.methods import title_of
from explain.checks.base import AuditContext
from explain.checks.explanations.words import ROUNDING, certain_size
from explain.engine.games import make_target, target_values
from explain.record import InstanceRecord, Measure, Sentence, Table, Unit
from explain.statistics.skewed_means import mean_of_skewed
from explain.text.editing import without_spans
from explain.text.spans import Text, text_of

__all__ = ["occlusion_table"]

MOST_WORDS = 25
"""Words that are removed: as many as are listed of those with the largest values."""

CHEAPER = 20
"""How many more texts a linear model over words may score: a thousand take it milliseconds."""

FEWEST_ROWS = 5
"""Rows that a word must be removed from: from five on the interval covers 93 to 97 %."""


@dataclass(frozen=True, slots=True)
class _Removal:
    """A word taken out of a row."""

    place: int
    text: Text


def occlusion_table(context: AuditContext, method: str, budget: int, unit: Unit) -> Table | None:
    """Return how far the score falls when a word is removed from rows that were not explained.

    The words are those with the largest values in the explained instances. As no row of those is
    used, a value that was large there by chance is not large here. None if no word occurs in
    enough other rows, or the budget is too small for one.

    Parameters
    ----------
    context : AuditContext
        The audit.
    method : str
        The method whose values choose the words.
    budget : int
        Texts that may be scored.
    unit : str
        Unit of the score.
    """
    if isinstance(context.engine.classifier, LinearClassifier):
        budget *= CHEAPER
    holders = _holders(context, _largest_words(context.instances, method))
    words = list(holders)[: budget // FEWEST_ROWS]
    if not words:
        return None
    rng, share = context.rng("explanations.occlusion"), budget // len(words)
    drawn = {
        key: [
            _removal(context, holders[key][number], key[0])
            for number in sorted(rng.permutation(len(holders[key]))[:share].tolist())
        ]
        for key in words
    }
    context.engine.score([removal.text for rows in drawn.values() for removal in rows])
    measured = [
        (word, label, len(holders[word, label]), _effect(context, word, label, rows, unit))
        for (word, label), rows in drawn.items()
    ]
    measured.sort(key=lambda row: (-certain_size(row[3]), -abs(row[3].value or 0.0), row[:2]))
    return Table(
        title="The same words removed from other rows",
        columns=("word", "target", "rows with it", "score lost without it", "resolved"),
        rows=tuple((*row, "yes" if certain_size(row[3]) else "no") for row in measured),
        note=Sentence(
            "The {n} words with the largest values by {method} were deleted from rows that get "
            "that label and were not explained, from all of them or from a random sample: {scored} "
            "texts of at most {budget}. A word is not resolved where the 95 % interval contains "
            "zero.",
            n=len(measured),
            method=title_of(method),
            scored=sum(map(len, drawn.values())),
            budget=budget,
        ),
    )


def _largest_words(instances: Sequence[InstanceRecord], method: str) -> list[tuple[str, str]]:
    """Return the words and labels with the largest summed values, the largest first."""
    totals: dict[tuple[str, str], float] = defaultdict(float)
    for instance in instances:
        for attribution in instance.attributions:
            if attribution.method == method:
                for feature, value in zip(attribution.features, attribution.values, strict=True):
                    totals[feature.casefold(), attribution.target.label] += value
    return sorted(totals, key=lambda key: (-abs(totals[key]), key))


def _holders(
    context: AuditContext, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], list[int]]:
    """Return of each frequent word and label the rows that hold the word and get the label.

    Of rows with the same text the first one, and of those that were explained none. Texts that are
    cut are left out: without a word the model would read what it did not read before.
    """
    places: dict[tuple[str, str], list[int]] = {key: [] for key in keys}
    done = {instance.parts for instance in context.instances if instance.attributions}
    for place, instance in enumerate(context.instances):
        if instance.parts in done or instance.unread:
            continue
        done.add(instance.parts)
        words = {*_words_of(context, place)}
        for key in product(words, _labels(context, instance)):
            if key in places:
                places[key].append(place)
    frequent = [key for key in keys if len(places[key]) >= FEWEST_ROWS]
    return {key: places[key] for key in frequent[:MOST_WORDS]}


def _labels(context: AuditContext, instance: InstanceRecord) -> Iterator[str]:
    """Yield the labels for which a row would have been explained."""
    if context.target is not None:
        yield context.target
    elif instance.predictions:
        yield from (prediction.label for prediction in instance.predictions)
    else:
        yield instance.predicted


def _words_of(context: AuditContext, place: int) -> Iterator[str]:
    parts = context.instances[place].parts
    for span in context.words[place]:
        yield parts[span.part][span.start : span.end].casefold()


def _removal(context: AuditContext, place: int, word: str) -> _Removal:
    spans = [
        span
        for span, text in zip(context.words[place], _words_of(context, place), strict=True)
        if text == word
    ]
    return _Removal(place, text_of(without_spans(context.instances[place].parts, spans)))


def _effect(
    context: AuditContext, word: str, label: str, rows: Sequence[_Removal], unit: Unit
) -> Measure:
    """Return the mean of what the score of the label loses without the word."""
    full = context.scores[[removal.place for removal in rows]]
    target = make_target(context.engine.classifier, full[0], label)
    target = context.engine.precision.with_decimals(target)
    without = context.score([removal.text for removal in rows])
    answered = ~np.isnan(without).any(axis=1)
    before, after = (target_values(scores[answered], target) for scores in (full, without))
    lost = before - after
    lost[np.abs(lost) <= ROUNDING * np.maximum(np.abs(before), np.abs(after))] = 0.0
    name = Sentence("{word} removed, {label}", word=word, label=label)
    return mean_of_skewed(name, lost.tolist(), unit)
