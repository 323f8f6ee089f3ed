"""Which words weigh most over the texts that were drawn at random."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from explain.attribution.methods import title_of
from explain.record import (
    Attribution,
    InstanceRecord,
    IntervalsFigure,
    Measure,
    Sentence,
    Table,
    Unit,
)
from explain.statistics.skewed_means import mean_of_skewed

__all__ = [
    "FEWEST_DOCUMENTS",
    "RANDOM",
    "ROUNDING",
    "WeighedWord",
    "certain_size",
    "weighed_words",
    "word_figure",
    "word_tables",
]

RANDOM = "random"
"""The stratum of the instances that were drawn at random: they alone stand for the whole table."""

FEWEST_DOCUMENTS = 5
"""Instances that a word must occur in: from five on the interval covers 93 to 97 %."""

ROUNDING = 1e-6
"""Value, relative to the largest number of an attribution, that is rounding of float32."""

MOST_WORDS = 25
MOST_DRAWN = 15


@dataclass(frozen=True, slots=True)
class WeighedWord:
    """The mean value of a word for a label, over the instances drawn at random that hold it.

    Attributes
    ----------
    word : str
        The word, in lower case.
    label : str
        The label that was explained.
    by_method : mapping of str to Measure
        The mean value by each method.
    n_instances : int
        How many of the instances hold the word.
    """

    word: str
    label: str
    by_method: Mapping[str, Measure]
    n_instances: int

    def is_resolved(self, method: str) -> bool:
        """Tell whether the interval by a method leaves zero out."""
        return certain_size(self.by_method[method]) > 0


def certain_size(measure: Measure) -> float:
    """Return how far from zero a value is for certain: the nearer end of its interval.

    It is zero where the interval holds zero, or there is none.
    """
    if measure.lower is None or measure.upper is None:
        return 0.0
    return max(0.0, measure.lower, -measure.upper)


def weighed_words(instances: Sequence[InstanceRecord], unit: Unit) -> list[WeighedWord]:
    """Return the words that enough of the instances hold, those that surely weigh most first.

    A word that occurs several times in an instance counts with the sum of its values. Words are
    ranked by the nearer end of their interval by the first method, then by their mean.
    """
    values: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    holders: dict[tuple[str, str], set[str]] = defaultdict(set)
    methods: dict[str, None] = {}
    for instance in instances:
        for attribution in instance.attributions:
            methods[attribution.method] = None
            for word, total in _totals(attribution).items():
                key = word, attribution.target.label
                values[key][attribution.method].append(total)
                holders[key].add(instance.id)
    words = [
        WeighedWord(
            word,
            label,
            {
                method: mean_of_skewed(
                    Sentence("{word} ({method})", word=word, method=method),
                    of_word.get(method, []),
                    unit,
                )
                for method in methods
            },
            len(holders[word, label]),
        )
        for (word, label), of_word in values.items()
        if len(holders[word, label]) >= FEWEST_DOCUMENTS
    ]
    return sorted(words, key=lambda word: _rank(word, next(iter(methods))))


def _rank(word: WeighedWord, method: str) -> tuple[float, float, str, str]:
    measure = word.by_method[method]
    return -certain_size(measure), -abs(measure.value or 0.0), word.word, word.label


def _totals(attribution: Attribution) -> dict[str, float]:
    totals: dict[str, float] = defaultdict(float)
    for feature, value in zip(attribution.features, attribution.values, strict=True):
        totals[feature.casefold()] += value
    largest = max(map(abs, (*attribution.values, attribution.full_value, attribution.empty_value)))
    return {w: total if abs(total) > ROUNDING * largest else 0.0 for w, total in totals.items()}


def word_tables(words: Sequence[WeighedWord], methods: Sequence[str], n_random: int) -> list[Table]:
    """Return the words that surely weigh something, and those of which that is not known.

    Parameters
    ----------
    words : sequence of WeighedWord
        The words, in the order of their rank.
    methods : sequence of str
        The methods; the first decides what is resolved.
    n_random : int
        Instances that were drawn at random.
    """
    resolved = [word for word in words if word.is_resolved(methods[0])]
    unresolved = [word for word in words if not word.is_resolved(methods[0])]
    note = Sentence(
        "Mean value for the target over the instances that contain the word, of the {n_random} "
        "drawn at random. Listed are {listed} of {n} words whose 95 % interval by {method} "
        "excludes zero, ranked by the end nearer to zero. {tested} words, counted once for each "
        "target, occur in at least {fewest} of the instances; of words without any weight, one in "
        "twenty would be listed by chance.",
        n_random=n_random,
        listed=min(len(resolved), MOST_WORDS),
        n=len(resolved),
        method=title_of(methods[0]),
        tested=len(words),
        fewest=FEWEST_DOCUMENTS,
    )
    tables = []
    if resolved:
        tables.append(_word_table("Words with the largest values", resolved, methods, note))
    if unresolved:
        open_note = Sentence(
            "Not resolved: the 95 % interval by {method} contains zero, so these words may weigh "
            "nothing, or speak for either side. Listed are {listed} of {n}.",
            method=title_of(methods[0]),
            listed=min(len(unresolved), MOST_WORDS),
            n=len(unresolved),
        )
        title = "Words whose weight is not resolved"
        tables.append(_word_table(title, unresolved, methods, open_note))
    return tables


def _word_table(
    title: str, words: Sequence[WeighedWord], methods: Sequence[str], note: str
) -> Table:
    return Table(
        title=title,
        columns=("word", "target", "instances", *map(title_of, methods)),
        rows=tuple(
            (
                word.word,
                word.label,
                word.n_instances,
                *(word.by_method.get(method) for method in methods),
            )
            for word in words[:MOST_WORDS]
        ),
        note=note,
    )


def word_figure(
    words: Sequence[WeighedWord], method: str, n_random: int
) -> tuple[IntervalsFigure, ...]:
    """Return the words that surely weigh something as a figure; none if there is no such word."""
    resolved = [word for word in words if word.is_resolved(method)]
    if not resolved:
        return ()
    return (
        IntervalsFigure(
            title=Sentence("Words with the largest values, by {method}", method=title_of(method)),
            description=Sentence(
                "Mean value for the target, with its 95 % interval, over those of the {n} "
                "instances drawn at random that contain the word. Words whose interval contains "
                "zero are left out.",
                n=n_random,
            ),
            measures=tuple(
                word.by_method[method].model_copy(
                    update={"name": Sentence("{word} → {label}", word=word.word, label=word.label)}
                )
                for word in resolved[:MOST_DRAWN]
            ),
            reference=0.0,
        ),
    )
