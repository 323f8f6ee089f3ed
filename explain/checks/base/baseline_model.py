"""A simpler model of the same labels: what a model must beat to be worth its trouble."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from explain.checks.base import LEVEL
from explain.checks.base.labelled_rows import LabelledRows
from explain.record import Finding, Measure, Table
from explain.record.wording import estimated, percent, points
from explain.statistics.bootstrap import CONFIDENCE, paired_difference
from explain.text.spans import words

__all__ = ["BaselineModel", "challenge", "findings", "rivals", "table"]

FEWEST_ROWS = 50
"""Labelled rows below which no challenger is fitted: there is too little to learn from."""

FOLDS = 5
"""Parts of the table; each is predicted by a model of the others."""

MOST_REMEMBERED = 20_000
"""Texts whose words are kept: a table is folded several times."""

MOST_FITTED = 5_000
"""Rows that one challenger is fitted to: with 150 labels it then takes seconds."""

LEAST_SKILL = 0.1
"""Share of the errors of always giving the most frequent answer that a model must save; one that
saves less has hardly learned to tell the labels apart."""

WORSE = 0.01
"""A model is worse than a challenger if it is wrong on one text more in a hundred at least."""


@dataclass(frozen=True, slots=True)
class BaselineModel:
    """Another way to answer, row by row beside the model.

    Attributes
    ----------
    name : str
        What it is, in a reader's words.
    share : Measure
        How often it is right.
    ahead : Measure
        How much more often the model is right on the same rows.
    surely : Measure
        The same, with an interval that is wrong in no more than `LEVEL` of audits.
    p : float or None
        McNemar's exact test (1947) that neither is better; None if they never differ.
    learned : bool
        Whether it was fitted, rather than being the most frequent answer.
    answered : BaselineModel or None
        The same on the rows alone that the model answered; None if those are all, or none.
    """

    name: str
    share: Measure
    ahead: Measure
    surely: Measure
    p: float | None
    learned: bool
    answered: "BaselineModel | None" = None


def rivals(sample: LabelledRows) -> list[BaselineModel]:
    """Return the most frequent answer, and a challenger where there are rows enough for one."""
    given, right = sample.truth.argmax(axis=1), sample.right
    usual = given == np.bincount(given).argmax()
    found = [_rival(sample, "always the most frequent label", right, usual, learned=False)]
    training = _training(sample)
    if training is None and len(given) < FEWEST_ROWS:
        return found
    called = challenge(
        [row.parts for row in sample.all_rows],
        given,
        sample.rng(),
        clusters=sample.clusters,
        training=training,
    ).argmax(axis=1)
    name = "logistic regression on TF-IDF weights, " + (
        f"{FOLDS}-fold cross-validated on this table"
        if training is None
        else "fitted to the training data"
    )
    return [*found, _rival(sample, name, right, given == called, learned=True)]


def _training(
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


def _rival(
    sample: LabelledRows,
    name: str,
    right: NDArray[np.bool_],
    other: NDArray[np.bool_],
    *,
    learned: bool,
) -> BaselineModel:
    n, answered = len(sample.rows), None
    if sample.failed and n:
        answered = _rival(sample.answered, name, right[:n], other[:n], learned=learned)
    ahead = right.astype(np.int64) - other
    if sample.clusters is None:
        net = ahead
        named, surely = (
            paired_difference("accuracy above it", right, other, confidence)
            for confidence in (CONFIDENCE, 1 - LEVEL)
        )
    else:
        # Of a cluster it counts who is right more often in it: McNemar's test of clusters.
        net = np.bincount(sample.clusters, weights=ahead).astype(np.int64)
        resampled = sample.resample(np.stack([ahead, np.ones_like(ahead)], axis=1))
        named, surely = (
            resampled.measure(
                "accuracy above it",
                lambda sums: sums[..., 0] / sums[..., 1],
                "proportion",
                confidence=confidence,
            )
            for confidence in (CONFIDENCE, 1 - LEVEL)
        )
    won, lost = int((net > 0).sum()), int((net < 0).sum())
    p = float(stats.binomtest(won, won + lost).pvalue) if won + lost else None
    return BaselineModel(name, sample.share(name, other), named, surely, p, learned, answered)


def table(found: Sequence[BaselineModel]) -> Table:
    """Return the model beside its rivals."""
    return Table(
        title="Against simpler answers",
        columns=("answer", "accuracy", "the model's accuracy above it", "p (McNemar)"),
        rows=tuple((rival.name, rival.share, rival.ahead, rival.p) for rival in found),
        note="p: how often two equally good ones would differ on the same rows at least as much "
        "(McNemar's exact test)."
        + (
            ""
            if any(rival.learned for rival in found)
            else f" With fewer than {FEWEST_ROWS} labelled rows no challenger was fitted."
        ),
    )


def findings(section: str, accuracy: Measure, found: Sequence[BaselineModel]) -> list[Finding]:
    """Return that the model is hardly better than the usual answer, or worse than a challenger.

    Either is false in at most `LEVEL` / 2 of audits: by the upper end of `surely`, and by McNemar's
    test. Where both hold, the first says more. What holds only because the model failed on some
    rows is said by the finding on those.
    """
    for rival in found:
        told = (rival, rival.answered or rival)
        if not rival.learned and all(map(_saves_nothing, told)):
            return [_useless(section, accuracy, rival)]
        if rival.learned and all(map(_is_better, told)):
            return [_beaten(section, accuracy, rival)]
    return []


def _saves_nothing(rival: BaselineModel) -> bool:
    upper, share = rival.surely.upper, rival.share.value or 0.0
    return upper is not None and upper < LEAST_SKILL * (1 - share)


def _is_better(rival: BaselineModel) -> bool:
    upper = rival.ahead.upper
    return rival.p is not None and rival.p <= LEVEL and upper is not None and upper < -WORSE


def _useless(section: str, accuracy: Measure, rival: BaselineModel) -> Finding:
    return Finding(
        claim="The model is hardly better than always giving the most frequent label: it is "
        f"right on {estimated(accuracy)} of the texts, that label on "
        f"{percent(rival.share.value)}; the difference is {points(rival.ahead)} "
        f"(n = {rival.ahead.n:,}).",
        severity="critical",
        measure=rival.ahead,
        evidence=(section,),
        suggestion="Check that labels and texts belong together and that the labels are in the "
        "model's order; do not use the model as it is.",
    )


def _beaten(section: str, accuracy: Measure, rival: BaselineModel) -> Finding:
    return Finding(
        claim=f"A simpler model ({rival.name}) is right on {estimated(rival.share)} of the texts, "
        f"this one on {estimated(accuracy)}; the difference is {points(rival.ahead)} "
        f"(n = {rival.ahead.n:,}).",
        severity="major",
        measure=rival.ahead,
        evidence=(section,),
        suggestion="Use the simpler model, or find out what this one lacks: it may have been "
        "trained for other texts or other labels.",
    )


def challenge(
    texts: Sequence[tuple[str, ...]],
    given: NDArray[np.int64],
    rng: np.random.Generator,
    *,
    clusters: NDArray[np.int64] | None = None,
    training: tuple[Sequence[tuple[str, ...]], NDArray[np.int64]] | None = None,
) -> NDArray[np.float64]:
    """Return what a logistic regression on TF-IDF weights of words thinks of each text.

    Parameters
    ----------
    texts : sequence of tuple of str
        The texts of the table.
    given : array, shape (n_texts,), int64
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
    from sklearn.feature_extraction.text import CountVectorizer

    # Words are looked for once: which there are is known without any label.
    count = CountVectorizer(analyzer=_analyse)
    n_labels = 1 + int(max(given.max(), -1 if training is None else training[1].max()))
    if training is not None:
        known, labels = training
        chosen = _at_most(len(known), rng)
        learned = count.fit_transform([known[i] for i in chosen])
        return _fit_and_predict(learned, labels[chosen], count.transform(texts), n_labels)
    table = count.fit_transform(texts)
    fold = _folds(texts if clusters is None else clusters.tolist(), rng)
    thought = np.empty((len(given), n_labels))
    for number in np.unique(fold):
        inside, outside = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        chosen = outside[_at_most(len(outside), rng)]
        thought[inside] = _fit_and_predict(table[chosen], given[chosen], table[inside], n_labels)
    return thought


@lru_cache(MOST_REMEMBERED)
def _analyse(parts: tuple[str, ...]) -> list[str]:
    """Return the words of a text, those of the two parts of a pair kept apart."""
    return [f"{s.part} {parts[s.part][s.start : s.end].casefold()}" for s in words(parts)]


def _at_most(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    if n <= MOST_FITTED:
        return np.arange(n)
    return np.sort(rng.choice(n, MOST_FITTED, replace=False))


def _folds(together: Sequence[object], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the fold of each row; rows that are equal in `together` share one."""
    known: dict[object, int] = {}
    member = np.array([known.setdefault(key, len(known)) for key in together])
    folds: NDArray[np.int64] = (rng.permutation(len(known)) % FOLDS)[member]
    return folds


def _fit_and_predict(
    counts: Any, labels: NDArray[np.int64], asked: Any, n_labels: int
) -> NDArray[np.float64]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    thought = np.full((asked.shape[0], n_labels), -np.log(len(labels) + n_labels))
    if len(np.unique(labels)) < 2:
        thought[:, labels[0]] = 0
        return thought
    model = make_pipeline(TfidfTransformer(), LogisticRegression())
    with warnings.catch_warnings():
        # One that ended early is still a model, and a challenger need not be the best.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(counts, labels)
    thought[:, model.classes_] = model.predict_log_proba(asked)
    return thought
