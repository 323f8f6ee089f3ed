"""Which words gained or lost weight, in the texts that both audits explain."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from math import sqrt
from typing import NamedTuple

from explain.comparison.finding_changes import difference_of
from explain.record import (
    Z95,
    Attribution,
    AuditRecord,
    Change,
    Measure,
    Outcomes,
    Sentence,
    join_sentences,
)

__all__ = ["left_out_words", "word_changes"]

MOST_WORDS = 50
"""Words that are compared, those with the largest values of both runs taken together. That choice
says nothing of how the two differ, and so leaves the tests as they are."""

PRECISION = ("tolerance", "budget", "seconds")
"""Options of methods that decide how exact a value is, and not what it is."""

SAME = 1e-6
"""Difference of values below which they are the same number, computed in another order."""


class _Word(NamedTuple):
    method: str
    title: str
    target: str
    text: str


class _Values(NamedTuple):
    first: list[float]
    second: list[float]
    variances: list[tuple[float, float] | None]


def word_changes(first: AuditRecord, second: AuditRecord) -> Iterator[Change]:
    """Yield the words of both audits with their mean value in each, and the errors of both."""
    words = _values(first, second)
    largest = sorted(words, key=lambda word: (-abs(_total(words[word])), word))[:MOST_WORDS]
    for word in largest:
        yield _change(word, words[word])


def _total(values: _Values) -> float:
    return (sum(values.first) + sum(values.second)) / len(values.first)


def _values(first: AuditRecord, second: AuditRecord) -> Mapping[_Word, _Values]:
    words: dict[_Word, _Values] = defaultdict(lambda: _Values([], [], []))
    for old, after in _pairs(first, second):
        if not _is_alike(old, after):
            continue
        for place, feature in enumerate(after.features):
            values = words[
                _Word(after.method, after.method_title, after.target.label, feature.casefold())
            ]
            values.first.append(old.values[place])
            values.second.append(after.values[place])
            values.variances.append(_variances(old, after, place))
    return words


def left_out_words(first: AuditRecord, second: AuditRecord) -> str:
    """Return which explanations of the two audits cannot be compared; empty if all can."""
    runs = [
        {
            each.method: each.method_title
            for instance in record.instances
            for each in instance.attributions
            if each.signed and not each.is_null
        }
        for record in (first, second)
    ]
    alone = [
        Sentence(
            "Only the {run} run explains by {methods:and}.",
            run=run,
            methods=[title for method, title in own.items() if method not in others],
        )
        for run, own, others in (("first", runs[0], runs[1]), ("second", runs[1], runs[0]))
        if own.keys() - others.keys()
    ]
    n_unlike = sum(not _is_alike(*pair) for pair in _pairs(first, second))
    unlike = Sentence(
        "{n} {n:explanation is|explanations are} not compared: the two runs removed words in "
        "another way, cut the text into other features, or used other options of the method.",
        n=n_unlike,
    )
    return join_sentences(*alone, unlike if n_unlike else "")


def _pairs(first: AuditRecord, second: AuditRecord) -> Iterator[tuple[Attribution, Attribution]]:
    """Yield what both audits say of a text and label by the same method."""
    before = {
        (instance.id, each.method, each.target.label): each
        for instance in first.instances
        for each in instance.attributions
    }
    for instance in second.instances:
        for after in instance.attributions:
            old = before.get((instance.id, after.method, after.target.label))
            if old is not None and after.signed and not after.is_null:
                yield old, after


def _is_alike(old: Attribution, new: Attribution) -> bool:
    """Tell whether two explanations answer the same question: values differ by the model alone."""
    settings = [
        (
            each.spans,
            each.removal,
            each.target.scale,
            each.target.decimals,
            {name: value for name, value in each.parameters.items() if name not in PRECISION},
        )
        for each in (old, new)
    ]
    return settings[0] == settings[1]


def _variances(old: Attribution, new: Attribution, place: int) -> tuple[float, float] | None:
    if old.standard_errors is None or new.standard_errors is None:
        return None
    return old.standard_errors[place] ** 2, new.standard_errors[place] ** 2


def _change(word: _Word, values: _Values) -> Change:
    title = Sentence(
        "{word:quoted} for {target} ({method})",
        word=word.text,
        target=word.target,
        method=word.title,
    )
    measures = [
        _mean(title, numbers, [v and v[run] for v in values.variances])
        for run, numbers in enumerate((values.first, values.second))
    ]
    difference, p_value = difference_of(*measures)
    gap = 0.0 if difference is None else difference.value or 0.0
    outcome: Outcomes = "changed"
    if abs(gap) <= SAME * max(1.0, *(abs(m.value or 0) for m in measures)):
        outcome, p_value = "same", None if p_value is None else 1.0
    return Change(
        kind="word",
        id=f"{word.method}[{word.target}: {word.text}]",
        title=title,
        first=measures[0],
        second=measures[1],
        difference=difference,
        p_value=p_value,
        outcome=outcome,
    )


def _mean(name: str, numbers: list[float], variances: list[float | None]) -> Measure:
    """Return the mean of some values with the interval of their errors; these texts are fixed."""
    n = len(numbers)
    mean = sum(numbers) / n
    measure = Measure(name=name, value=mean, n=n, unit="log_odds")
    errors = [variance for variance in variances if variance is not None]
    if len(errors) < n:
        return measure
    half = Z95 * sqrt(sum(errors)) / n
    ends = {"lower": mean - half, "upper": mean + half, "method": "errors of the attributions"}
    return measure.model_copy(update=ends)
