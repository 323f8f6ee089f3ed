"""A simpler model of the same labels: what a model must beat to be worth its trouble."""

import warnings
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from explain.checks.base import LEVEL
from explain.checks.base.labelled_rows import LabelledRows
from explain.record import Finding, Measure, Sentence, Table, join_sentences
from explain.statistics.bootstrap import CONFIDENCE, paired_difference
from explain.statistics.power import share_found_from
from explain.text.words import words

__all__ = [
    "BaselineModel",
    "baseline_log_probs",
    "baselines",
    "findings",
    "lead_found",
    "power_sentence",
    "table",
]

FEWEST_ROWS = 50
"""Labelled rows below which no baseline model is fitted: there is too little to learn from."""

FOLDS = 5
"""Parts of the table; each is predicted by a model of the others."""

MOST_REMEMBERED = 20_000
"""Texts whose words are kept: a table is folded several times."""

MOST_FITTED = 5_000
"""Rows that one baseline model is fitted to: with 150 labels it then takes seconds."""

LEAST_SKILL = 0.1
"""Share of the errors of always giving the most frequent answer that a model must save; one that
saves less has hardly learned to tell the labels apart."""

WORSE = 0.01
"""A model is worse than a baseline if it is wrong on one text more in a hundred at least."""

DIFFERENCE = "the model's accuracy minus that of the baseline"


@dataclass(frozen=True, slots=True)
class BaselineModel:
    """Another way to answer, row by row beside the model.

    Attributes
    ----------
    name : str
        What it is, in a reader's words.
    accuracy : Measure
        How often it is right.
    difference : Measure
        How much more often the model is right on the same rows.
    difference_at_level : Measure
        The same, with an interval that is wrong in no more than `LEVEL` of audits.
    p : float or None
        McNemar's exact test (1947) that neither is better; None if they never differ.
    lead_found : float or None
        How much more often it must be right to be reported as better in 80 % of audits; None if no
        lead would be, or the rows do not stand alone.
    is_fitted : bool
        Whether it was fitted, rather than being the most frequent answer.
    on_answered_rows : BaselineModel or None
        The same on the rows alone that the model answered; None if those are all, or none.
    """

    name: str
    accuracy: Measure
    difference: Measure
    difference_at_level: Measure
    p: float | None
    lead_found: float | None
    is_fitted: bool
    on_answered_rows: "BaselineModel | None" = None


def baselines(sample: LabelledRows) -> list[BaselineModel]:
    """Return the most frequent answer, and a fitted model where there are rows enough for one."""
    labels = sample.truth.argmax(axis=1)
    most_frequent = labels == np.bincount(labels).argmax()
    name = "always answering the most frequent label"
    models = [_compare(sample, name, sample.right, most_frequent, is_fitted=False)]
    training = _training_rows(sample)
    if training is None and len(labels) < FEWEST_ROWS:
        return models
    predicted = baseline_log_probs(
        [row.parts for row in sample.all_rows],
        labels,
        sample.rng(),
        clusters=sample.clusters,
        training=training,
    ).argmax(axis=1)
    name = "logistic regression on TF-IDF weights, fitted to the training data"
    if training is None:
        name = Sentence(
            "logistic regression on TF-IDF weights, {folds}-fold cross-validated on this table",
            folds=FOLDS,
        )
    return [*models, _compare(sample, name, sample.right, labels == predicted, is_fitted=True)]


def _training_rows(
    sample: LabelledRows,
) -> tuple[Sequence[tuple[str, ...]], NDArray[np.int64]] | None:
    """Return the labelled rows of the training data, if there are enough."""
    if (training := sample.context.training) is None:
        return None
    column = {label: i for i, label in enumerate(sample.context.model.labels)}
    rows = [row for row in training.rows if row.problem is None and row.label in column]
    if len(rows) < FEWEST_ROWS:
        return None
    return [row.parts for row in rows], np.array([column[str(row.label)] for row in rows])


def _compare(
    sample: LabelledRows,
    name: str,
    right: NDArray[np.bool_],
    baseline_right: NDArray[np.bool_],
    *,
    is_fitted: bool,
) -> BaselineModel:
    """Return a baseline model compared with the model, by which rows the two are right on."""
    n, on_answered_rows = len(sample.rows), None
    if sample.unanswered and n:
        on_answered_rows = _compare(
            sample.answered_rows, name, right[:n], baseline_right[:n], is_fitted=is_fitted
        )
    ahead = right.astype(np.int64) - baseline_right
    if sample.clusters is None:
        net = ahead
        difference, at_level = (
            paired_difference(DIFFERENCE, right, baseline_right, confidence)
            for confidence in (CONFIDENCE, 1 - LEVEL)
        )
    else:
        # Of a cluster it counts who is right more often in it: McNemar's test of clusters.
        net = np.bincount(sample.clusters, weights=ahead).astype(np.int64)
        resampled = sample.resample(np.stack([ahead, np.ones_like(ahead)], axis=1))
        difference, at_level = (
            resampled.measure(
                DIFFERENCE,
                lambda sums: sums[..., 0] / sums[..., 1],
                "proportion",
                confidence=confidence,
            )
            for confidence in (CONFIDENCE, 1 - LEVEL)
        )
    won, lost = int((net > 0).sum()), int((net < 0).sum())
    p = float(stats.binomtest(won, won + lost).pvalue) if won + lost else None
    accuracy = sample.share(name, baseline_right)
    lead = lead_found(won + lost, len(right)) if sample.clusters is None else None
    return BaselineModel(name, accuracy, difference, at_level, p, lead, is_fitted, on_answered_rows)


def lead_found(n_different: int, n: int) -> float | None:
    """Return how much more often another model must be right to be reported as better.

    In 80 % of audits, if on as many rows exactly one of the two is right as here.

    Parameters
    ----------
    n_different : int
        Rows on which one of the two is right.
    n : int
        All rows.

    Returns
    -------
    float or None
        The lead; None if not even all of those rows would show it.

    Examples
    --------
    >>> round(lead_found(60, 500), 3)
    0.057
    """
    half = n_different // 2
    fewest = half + bisect_left(
        range(half, n_different + 1), True, key=lambda wins: _shows_lead(wins, n_different, n)
    )
    share = share_found_from(fewest, n_different)
    return None if share is None else (2 * share - 1) * n_different / n


def _shows_lead(wins: int, n_different: int, n: int) -> bool:
    """Tell whether another model is reported as better that is right on so many of those rows."""
    first, second = np.zeros((2, n), dtype=np.bool_)
    second[:wins], first[wins:n_different] = True, True
    difference = paired_difference(DIFFERENCE, first, second)
    p = stats.binomtest(wins, n_different).pvalue if n_different else 1.0
    return bool(p <= LEVEL and difference.upper is not None and difference.upper < -WORSE)


def power_sentence(baselines: Sequence[BaselineModel]) -> str:
    """Return from which lead a fitted baseline model would have been reported as better."""
    for baseline in baselines:
        if baseline.is_fitted and baseline.lead_found is not None and not _is_better(baseline):
            return Sentence(
                "A simple model would have been reported as better with a chance of 80 % if its "
                "accuracy were {lead:.1f} points above that of the model.",
                lead=100 * baseline.lead_found,
            )
    return ""


def table(baselines: Sequence[BaselineModel]) -> Table:
    """Return the baseline models, and how far the model is ahead of each."""
    p = (
        "p: how often two equally good models would differ at least this much on the same rows "
        "(McNemar's exact test)."
    )
    too_few = Sentence(
        "No baseline model was fitted: there are fewer than {fewest} labelled rows.",
        fewest=FEWEST_ROWS,
    )
    return Table(
        title="Comparison with simple baselines",
        columns=("baseline", "accuracy", "the model's accuracy minus that", "p (McNemar)"),
        rows=tuple((model.name, model.accuracy, model.difference, model.p) for model in baselines),
        note=join_sentences(p, "" if any(model.is_fitted for model in baselines) else too_few),
    )


def findings(section: str, accuracy: Measure, baselines: Sequence[BaselineModel]) -> list[Finding]:
    """Return that the model is hardly better than the most frequent answer, or worse than a model.

    Either is false in at most `LEVEL` / 2 of audits: by the upper end of `difference_at_level`, and
    by McNemar's test. Where both hold, the first says more. What holds only because the model
    failed on some rows is said by the finding on those.
    """
    for baseline in baselines:
        both = (baseline, baseline.on_answered_rows or baseline)
        if not baseline.is_fitted and all(map(_is_as_good, both)):
            return [_no_better(section, accuracy, baseline)]
        if baseline.is_fitted and all(map(_is_better, both)):
            return [_worse(section, accuracy, baseline)]
    return []


def _is_as_good(baseline: BaselineModel) -> bool:
    upper, share = baseline.difference_at_level.upper, baseline.accuracy.value or 0.0
    return upper is not None and upper < LEAST_SKILL * (1 - share)


def _is_better(baseline: BaselineModel) -> bool:
    p, upper = baseline.p, baseline.difference.upper
    return p is not None and p <= LEVEL and upper is not None and upper < -WORSE


def _no_better(section: str, accuracy: Measure, baseline: BaselineModel) -> Finding:
    return Finding(
        code=f"{section}.no_skill",
        claim=Sentence(
            "The model is hardly better than always answering the most frequent label. It is right "
            "on {accuracy} of {n} texts; that label is right on {baseline.value:percent}. The "
            "difference is {difference:points}.",
            accuracy=accuracy,
            n=baseline.difference.n,
            baseline=baseline.accuracy,
            difference=baseline.difference,
        ),
        severity="critical",
        size=accuracy.distance_from(1),
        measure=baseline.difference,
        evidence=(section,),
        suggestion="Check that labels and texts belong together and that the labels are in the "
        "model's order. Do not use the model as it is.",
    )


def _worse(section: str, accuracy: Measure, baseline: BaselineModel) -> Finding:
    return Finding(
        code=f"{section}.simpler_model",
        subject=baseline.name,
        claim=Sentence(
            "A simpler model ({name}) is right on {baseline} of {n} texts, this model only on "
            "{accuracy}. The difference is {difference:points}.",
            name=baseline.name,
            baseline=baseline.accuracy,
            n=baseline.difference.n,
            accuracy=accuracy,
            difference=baseline.difference,
        ),
        severity="major",
        size=baseline.difference.distance_from(0),
        measure=baseline.difference,
        evidence=(section,),
        suggestion="Use the simpler model, or find out what this one lacks. It may have been "
        "trained for other texts or other labels.",
    )


def baseline_log_probs(
    texts: Sequence[tuple[str, ...]],
    labels: NDArray[np.int64],
    rng: np.random.Generator,
    *,
    clusters: NDArray[np.int64] | None = None,
    training: tuple[Sequence[tuple[str, ...]], NDArray[np.int64]] | None = None,
) -> NDArray[np.float64]:
    """Return the log-probabilities of a logistic regression on TF-IDF weights of words.

    Parameters
    ----------
    texts : sequence of tuple of str
        The texts of the table.
    labels : array, shape (n_texts,), int64
        Their labels.
    rng : Generator
        Source of the folds.
    clusters : array, shape (n_texts,), int64, optional
        Rows that belong together and so lie in one fold, as repeats of a text do anyway.
    training : (texts, labels), optional
        What to learn from; without it the table itself, each fifth from the other four.

    Returns
    -------
    array, shape (n_texts, n_labels), float64
        Logarithms of the probabilities; a label that it has not seen has as little as one row more
        would give it.
    """
    n_labels = 1 + int(max(labels.max(), -1 if training is None else training[1].max()))
    if training is not None:
        training_texts, training_labels = training
        rows = _at_most(len(training_texts), rng)
        count, counts = _counts_of(tuple(training_texts[i] for i in rows))
        return _fit_and_predict(counts, training_labels[rows], count.transform(texts), n_labels)
    _, counts = _counts_of(tuple(texts))
    fold = _folds(texts if clusters is None else clusters.tolist(), rng)
    log_probs = np.empty((len(labels), n_labels))
    for number in np.unique(fold):
        inside, outside = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        rows = outside[_at_most(len(outside), rng)]
        log_probs[inside] = _fit_and_predict(counts[rows], labels[rows], counts[inside], n_labels)
    return log_probs


@lru_cache(1)
def _counts_of(texts: tuple[tuple[str, ...], ...]) -> tuple[Any, Any]:
    """Return what counts the words of texts, and their counts.

    They are counted once for all checks of a table: which words there are is known without labels.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    count = CountVectorizer(analyzer=_words_of)
    return count, count.fit_transform(texts)


@lru_cache(MOST_REMEMBERED)
def _words_of(parts: tuple[str, ...]) -> list[str]:
    """Return the words of a text, those of the two parts of a pair kept apart."""
    return [f"{s.part} {parts[s.part][s.start : s.end].casefold()}" for s in words(parts)]


def _at_most(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    if n <= MOST_FITTED:
        return np.arange(n)
    return np.sort(rng.choice(n, MOST_FITTED, replace=False))


def _folds(together: Sequence[object], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the fold of each row; rows that are equal in `together` share one."""
    numbers: dict[object, int] = {}
    member = np.array([numbers.setdefault(key, len(numbers)) for key in together])
    folds: NDArray[np.int64] = (rng.permutation(len(numbers)) % FOLDS)[member]
    return folds


def _fit_and_predict(
    counts: Any, labels: NDArray[np.int64], new_counts: Any, n_labels: int
) -> NDArray[np.float64]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    log_probs = np.full((new_counts.shape[0], n_labels), -np.log(len(labels) + n_labels))
    if len(np.unique(labels)) < 2:
        log_probs[:, labels[0]] = 0
        return log_probs
    model = make_pipeline(TfidfTransformer(), LogisticRegression())
    with warnings.catch_warnings():
        # One that ended early is still a model, and a baseline need not be the best.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(counts, labels)
    log_probs[:, model.classes_] = model.predict_log_proba(new_counts)
    return log_probs
