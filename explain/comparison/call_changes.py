"""Whether an endpoint answers the same texts otherwise than before, by more than its own noise.

Two tests, both exact whatever the noise of a text is. Without a change the first and the second
answer to a text may be exchanged. So the differences of a label's log-odds lie around zero
(Wilcoxon's signed ranks, over all texts), which finds what moves one way. And where a text was
asked several times, answers of the two days may change places among themselves (permutation,
within each text), which finds whatever moves further than answers of one day do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit, softmax

from explain.adapters.scores import Scores, log_odds_of
from explain.record import Change, Measure, Sentence, Task, Unit
from explain.statistics.intervals import mean, proportion

__all__ = ["MODEL", "SIZE", "PairedAnswers", "call_changes", "flips", "flips_by_noise"]

MODEL: Final = "calls.model"
SIZE: Final = "calls.size"

ROUNDING: Final = 1e-3
"""Differences of log-odds that are none: what batches and float16 leave open."""

DRAWS: Final = 19_999
"""Permutations: the smallest p-value is 5e-5, enough for a hundred tests at 2 %."""

MOST_ANSWERS: Final = 4
"""Answers of a day to a text that are looked at: two days have 70 ways to exchange them."""

FEWEST_REPEATED: Final = 5
"""Texts asked again below which no permutation can be rare enough."""


@dataclass(frozen=True, slots=True)
class PairedAnswers:
    """Answers to the texts that were asked at both dates.

    Attributes
    ----------
    task : {"single_label", "multi_label", "regression"}
        How the labels relate to each other.
    labels : tuple of str
        The labels.
    first, second : list of array of shape (n_answers, n_labels)
        Scores of each text at each date: the first answer, and those when it was asked again.
    models : tuple of two lists of str
        What the answers of each date call the model.
    """

    task: Task
    labels: tuple[str, ...]
    first: Sequence[Scores]
    second: Sequence[Scores]
    models: tuple[Sequence[str], Sequence[str]]

    def answers(self) -> tuple[Scores, Scores]:
        """Return the first answer to each text at each date, shape (n_texts, n_labels)."""
        return np.array([s[0] for s in self.first]), np.array([s[0] for s in self.second])


def call_changes(pairs: PairedAnswers) -> Iterator[Change]:
    """Yield what is compared of the answers of an endpoint, the most important first."""
    yield from _model_change(pairs)
    yield _size_change(pairs)
    # Of two labels each says what the other does.
    columns = range(len(pairs.labels))
    if pairs.task == "single_label" and len(pairs.labels) == 2:
        columns = range(1, 2)
    for column in columns:
        yield _shift(pairs, column)


def flips(pairs: PairedAnswers) -> Measure:
    """Return how many texts have another answer at the second date."""
    first, second = (_decisions(pairs.task, scores) for scores in pairs.answers())
    changed = (first != second).any(axis=1)
    return proportion("texts with another answer", int(changed.sum()), len(changed))


def flips_by_noise(pairs: PairedAnswers) -> Measure:
    """Return how many answers differ when the same text is asked twice on one day."""
    changed = [
        bool((one != other).any())
        for scores in (*pairs.first, *pairs.second)
        for decisions in [_decisions(pairs.task, scores)]
        for one, other in zip(decisions[::2], decisions[1::2], strict=False)
    ]
    return proportion("texts with another answer on the same day", sum(changed), len(changed))


def _decisions(task: Task, scores: Scores) -> NDArray[np.bool_]:
    """Return which labels are given, shape (n_answers, n_labels); a regression gives none."""
    if task == "single_label":
        return np.asarray(scores.argmax(axis=1)[:, None] == np.arange(scores.shape[1]))
    return np.asarray((scores > 0) & (task == "multi_label"))


def _values(task: Task, scores: Scores, column: int) -> NDArray[np.float64]:
    return log_odds_of(scores, column) if task == "single_label" else scores[:, column]


def _reader_values(task: Task, scores: Scores, column: int) -> NDArray[np.float64]:
    """Return what a reader sees of a label: its probability, or the value of a regression."""
    if task == "single_label":
        return np.asarray(softmax(scores, axis=1)[:, column])
    return np.asarray(expit(scores[:, column]) if task == "multi_label" else scores[:, column])


def _shift(pairs: PairedAnswers, column: int) -> Change:
    """Return how far the answers moved one way for a label."""
    label, task = pairs.labels[column], pairs.task
    answers = pairs.answers()
    before, after = (_values(task, scores, column) for scores in answers)
    moves = _without_rounding(after - before)
    p_value = float(stats.wilcoxon(moves).pvalue) if moves.any() else 1.0
    is_value = task == "regression"
    title = Sentence("value of {label}" if is_value else "probability of {label}", label=label)
    shown = [_reader_values(task, scores, column) for scores in answers]
    unit, ends = _unit(task), (-np.inf, np.inf) if is_value else (0.0, 1.0)
    name = Sentence("change of the {title}", title=title)
    return Change(
        kind="call",
        id=f"calls.shift[{label}]",
        title=title,
        first=mean(title, shown[0].tolist(), unit, within=ends),
        second=mean(title, shown[1].tolist(), unit, within=ends),
        difference=mean(
            name,
            (shown[1] - shown[0]).tolist(),
            unit,
            within=(ends[0] - ends[1], ends[1] - ends[0]),
        ),
        p_value=p_value,
        outcome="changed" if moves.any() else "same",
    )


def _size_change(pairs: PairedAnswers) -> Change:
    """Return how far the answers of two days lie apart, against those of one day."""
    title = "change of a probability on one day (first), and between the days (second)"
    if pairs.task == "regression":
        title = "change of a value on one day (first), and between the days (second)"
    texts = [*zip(pairs.first, pairs.second, strict=True)]
    between_days = [_distances(pairs.task, a[:1], b[:1]) for a, b in texts]
    on_one_day = [
        _distances(pairs.task, scores[: len(scores) // 2 * 2 : 2], scores[1::2])
        for scores in (*pairs.first, *pairs.second)
    ]
    unit = _unit(pairs.task)
    between = mean("between the days", np.concatenate(between_days).tolist(), unit)
    noise = mean("on one day", np.concatenate(on_one_day).tolist(), unit)
    p_value = _permutation_test(pairs.task, [(a, b) for a, b in texts if len(a) + len(b) > 2])
    is_moved = any(_without_rounding(b[0] - a[0]).any() for a, b in texts)
    return Change(
        kind="call",
        id=SIZE,
        title=title,
        first=noise,
        second=between,
        difference=None,
        p_value=p_value,
        outcome="changed" if is_moved else "same",
    )


def _unit(task: Task) -> Unit:
    return "coefficient" if task == "regression" else "proportion"


def _distances(task: Task, first: Scores, second: Scores) -> NDArray[np.float64]:
    """Return how far pairs of answers lie apart: the largest change of any label."""
    columns = range(first.shape[1])
    gaps = [
        np.abs(_reader_values(task, first, c) - _reader_values(task, second, c)) for c in columns
    ]
    return np.asarray(np.max(gaps, axis=0))


def _permutation_test(task: Task, repeated_texts: Sequence[tuple[Scores, Scores]]) -> float | None:
    """Return the p-value of answers that are told apart by their day; None with too few texts."""
    if len(repeated_texts) < FEWEST_REPEATED:
        return None
    rng = np.random.default_rng(0)
    observed, drawn = 0.0, np.zeros(DRAWS)
    for first, second in repeated_texts:
        first, second = first[:MOST_ANSWERS], second[:MOST_ANSWERS]
        both = np.concatenate([first, second])
        columns = range(both.shape[1])
        values = np.stack([_values(task, both, column) for column in columns], axis=1)
        values = np.where(np.ptp(values, axis=0) <= ROUNDING, 0.0, values - values.mean(axis=0))
        n = len(first)
        # The first way to choose answers for the first day is the one that was seen.
        ways = np.array([*combinations(range(len(both)), n)])
        weight = n * len(both) / len(second)
        apart = weight * (values[ways].mean(axis=1) ** 2).sum(axis=1)
        observed += float(apart[0])
        drawn += rng.choice(apart, DRAWS)
    n_further = int((drawn >= observed * (1 - 1e-9)).sum())
    return (1 + n_further) / (1 + DRAWS)


def _without_rounding(moves: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.abs(moves) <= ROUNDING, 0.0, moves)


def _model_change(pairs: PairedAnswers) -> Iterator[Change]:
    """Yield that the answers name other models, which is a fact."""
    first, second = (tuple(sorted(filter(None, names))) for names in pairs.models)
    if first == second or not (first and second):
        return
    yield Change(
        kind="call",
        id=MODEL,
        title=Sentence(
            "The answers name another model: {second:quoted-and}, and before {first:quoted-and}.",
            first=first,
            second=second,
        ),
        first=None,
        second=None,
        difference=None,
        p_value=None,
        outcome="changed",
    )
