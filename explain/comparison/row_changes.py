"""Whether the answers became better or worse, on the same rows."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from explain.comparison.rows import PairedRows
from explain.record import Change, Measure, Outcomes, Sentence, Task
from explain.statistics.bootstrap import paired_difference, resample
from explain.statistics.intervals import mean, proportion

__all__ = ["ACCURACY", "ERROR", "changed_answers", "macro_f1_difference", "mcnemar", "row_changes"]

ACCURACY, ERROR = "performance.accuracy", "performance.mean_absolute_error"
"""Ids of what is tested first: the accuracy, or of a regression the mean absolute error."""


def row_changes(rows: PairedRows, task: Task, labels: Sequence[str]) -> Iterator[Change]:
    """Yield what is compared of the rows, the most important first."""
    if task == "regression":
        yield from _error_change(rows)
        return
    if rows.has_label.any():
        yield _share_change(
            ACCURACY, "accuracy", rows.right[rows.has_label], lower="worse", higher="better"
        )
    for label in labels:
        has_label = np.array([label in (given or ()) for given in rows.labels])
        says = np.array(
            [[label in (a or ()), label in (b or ())]
             for a, b in zip(rows.first, rows.second, strict=True)]
        )  # fmt: skip
        if has_label.any():
            title = Sentence("recall of {label}", label=label)
            yield _share_change(
                f"performance.recall[{label}]", title, says[has_label], "worse", "better"
            )
        title = Sentence("share classified as {label}", label=label)
        yield _share_change(f"predicted.share[{label}]", title, says, "changed", "changed")


def changed_answers(rows: PairedRows) -> Measure:
    """Return how many answers differ."""
    return proportion("answers that differ", int(rows.is_changed.sum()), len(rows.ids))


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return the two-sided p-value of the exact test that both hit as often (McNemar 1947)."""
    n_first_only, n_second_only = int((first & ~second).sum()), int((second & ~first).sum())
    n = n_first_only + n_second_only
    return float(stats.binomtest(n_first_only, n).pvalue) if n else 1.0


def macro_f1_difference(rows: PairedRows, labels: Sequence[str]) -> Measure | None:
    """Return the macro-F1 of the second run minus that of the first; None without labels.

    The interval is BCa, by resamples of rows in which both runs are together.
    """
    kept = np.flatnonzero(rows.has_label).tolist()
    if not kept:
        return None

    def holds(answers: Sequence[tuple[str, ...] | None]) -> NDArray[np.bool_]:
        return np.array([[label in (answers[i] or ()) for label in labels] for i in kept])

    given, runs = holds(rows.labels), [holds(rows.first), holds(rows.second)]
    terms = np.concatenate([given, *(part for run in runs for part in (run, run & given))], axis=1)

    def difference(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        total, *parts = np.split(sums, 5, axis=-1)
        scores = []
        for said, hits in (parts[:2], parts[2:]):
            f1 = 2 * hits / np.maximum(total + said, 1)
            scores.append(f1.sum(-1) / np.maximum((total + said > 0).sum(-1), 1))
        change: NDArray[np.float64] = scores[1] - scores[0]
        return change

    # Rows that add the same are drawn together.
    distinct, times = np.unique(terms, axis=0, return_counts=True)
    return resample(distinct, np.random.default_rng(0), times=times).measure(
        "difference of macro-F1", difference, "coefficient"
    )


def _share_change(
    id: str, title: str, hits: NDArray[np.bool_], lower: Outcomes, higher: Outcomes
) -> Change:
    first, second = hits[:, 0], hits[:, 1]
    difference = paired_difference(Sentence("difference of {title}", title=title), second, first)
    outcome: Outcomes = "same"
    if difference.value:
        outcome = higher if difference.value > 0 else lower
    return Change(
        kind="rows",
        id=id,
        title=title,
        first=proportion(title, int(first.sum()), len(first)),
        second=proportion(title, int(second.sum()), len(second)),
        difference=difference,
        p_value=mcnemar(first, second),
        outcome=outcome,
    )


def _error_change(rows: PairedRows) -> Iterator[Change]:
    errors = rows.errors[~np.isnan(rows.errors).any(1)]
    if len(errors) < 2:
        return
    title = "mean absolute error"
    gaps = errors[:, 1] - errors[:, 0]
    difference = mean("difference of the mean absolute error", gaps.tolist(), "coefficient")
    p_value = float(stats.ttest_1samp(gaps, 0).pvalue) if np.ptp(gaps) else float(gaps[0] == 0)
    value = difference.value or 0
    yield Change(
        kind="rows",
        id=ERROR,
        title=title,
        first=mean(title, errors[:, 0].tolist(), "coefficient"),
        second=mean(title, errors[:, 1].tolist(), "coefficient"),
        difference=difference,
        p_value=p_value,
        outcome="worse" if value > 0 else "better" if value < 0 else "same",
    )
