"""Performance of a model that predicts a number."""

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import LEVEL, Check, not_measured
from explain.checks.base.labelled_rows import LabelledRows
from explain.checks.performance.metrics import MEAN_ABSOLUTE_ERROR, R2, SPEARMAN
from explain.record import Finding, InstanceLink, Measure, Section, Sentence, Table, join_sentences
from explain.statistics.bootstrap import bootstrap

__all__ = ["performance", "spearman"]

MOST_LISTED = 20

LEAST_EXPLAINED = 0.1
"""Share of the variance that a model must explain; one that explains less has hardly learned what
the numbers stand for."""


def performance(check: Check, labelled_rows: LabelledRows) -> Section:
    """Return how far the predicted numbers are from the given ones, where there are any."""
    sample = labelled_rows.answered_rows
    if not len(sample):
        return not_measured(check, "no labelled row got an answer")
    labels = np.array([float(i.labels[0]) for i in sample.instances if i.labels])
    predicted = sample.context.scores[sample.rows, 0]
    error, centred = np.abs(predicted - labels), labels - labels.mean()
    resampled = sample.resample(
        np.stack([np.ones_like(error), error, error**2, centred, centred**2], axis=1)
    )
    absolute = resampled.measure(
        MEAN_ABSOLUTE_ERROR.title, lambda sums: sums[..., 1] / sums[..., 0], "coefficient"
    )
    r2 = resampled.measure(R2.title, _r2, "coefficient")
    at_level = resampled.measure(R2.title, _r2, "coefficient", confidence=1 - LEVEL)
    return Section(
        id=check.id,
        title=check.title,
        summary=join_sentences(
            _summary(absolute, r2, len(labels)),
            sample.note(),
            labelled_rows.left_out("All numbers"),
        ),
        measures=(absolute, r2, _spearman(sample, labels, predicted)),
        tables=(_worst(sample, labels, predicted),),
        findings=tuple(_useless(check.id, r2, at_level)),
    )


def _summary(absolute: Measure, r2: Measure, n: int) -> str:
    error = Sentence(
        "The predicted number is off by {absolute.value:.3g} on average, over {n} labelled "
        "{n:row|rows}.",
        absolute=absolute,
        n=n,
    )
    variance = Sentence(
        "It explains {r2.value:percent} of the variance of the given numbers.",
        r2=r2,
    )
    return join_sentences(error, "" if r2.value is None else variance)


def _r2(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    n, _, squares, total, total_squares = np.moveaxis(sums, -1, 0)
    r2: NDArray[np.float64] = 1 - squares / (total_squares - total**2 / n)
    return r2


def spearman(
    weights: NDArray[np.float64], labels: NDArray[np.float64], predicted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return Spearman's correlation of rows of which each occurs a number of times.

    Parameters
    ----------
    weights : array, shape (..., n_rows), float64
        How often each row occurs.
    labels, predicted : array, shape (n_rows,), float64

    Returns
    -------
    array, shape (...), float64
    """
    total = weights.sum(-1, keepdims=True)
    one, other = (_ranks(weights, values) - (total + 1) / 2 for values in (labels, predicted))
    products = [(weights * a * b).sum(-1) for a, b in ((one, other), (one, one), (other, other))]
    correlation: NDArray[np.float64] = products[0] / np.sqrt(products[1] * products[2])
    return correlation


def _ranks(weights: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean rank of each row among rows that occur a number of times."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-np.inf))
    level = np.empty(len(values), dtype=np.int64)
    level[order] = np.cumsum(np.diff(ordered, prepend=-np.inf) > 0) - 1
    tied = np.add.reduceat(weights[..., order], starts, axis=-1)
    ranks: NDArray[np.float64] = (tied.cumsum(-1) - (tied - 1) / 2)[..., level]
    return ranks


def _spearman(
    sample: LabelledRows, labels: NDArray[np.float64], predicted: NDArray[np.float64]
) -> Measure:
    name = SPEARMAN.title
    if len(set(labels.tolist())) < 2 or len(set(predicted.tolist())) < 2:
        return Measure(name=name, value=None, n=len(labels), unit="coefficient")
    member = np.arange(len(labels)) if sample.clusters is None else sample.clusters
    n = int(member.max()) + 1

    def statistic(draws: NDArray[np.int64]) -> NDArray[np.float64]:
        flat = draws.reshape(-1, draws.shape[-1])
        places = flat + np.arange(len(flat))[:, None] * n
        times = np.bincount(places.ravel(), minlength=len(flat) * n).reshape(len(flat), n)
        correlation = spearman(times[:, member].astype(np.float64), labels, predicted)
        return correlation.reshape(draws.shape[:-1])

    return bootstrap(name, statistic, n, sample.context.seed, "coefficient")


def _worst(
    sample: LabelledRows, labels: NDArray[np.float64], predicted: NDArray[np.float64]
) -> Table:
    order = np.argsort(-np.abs(predicted - labels), kind="stable")[:MOST_LISTED]
    return Table(
        title="Largest errors",
        columns=("instance", "given", "predicted"),
        rows=tuple(
            (
                InstanceLink(instance=sample.instances[i].id),
                float(labels[i]),
                float(predicted[i]),
            )
            for i in order
        ),
        note=Sentence(
            "The {shown} of {n} {n:row|rows} with the largest errors.",
            shown=len(order),
            n=len(labels),
        ),
    )


def _useless(section: str, r2: Measure, at_level: Measure) -> list[Finding]:
    """Return a finding if R2 is below a tenth, which is false in at most `LEVEL` / 2 of audits."""
    if at_level.upper is None or at_level.upper >= LEAST_EXPLAINED:
        return []
    return [
        Finding(
            code="performance.useless",
            claim=Sentence(
                "The predicted numbers tell hardly anything about the given ones: R2 is {r2:.2f} "
                "(n = {r2.n}). Always predicting the mean would give 0.",
                r2=r2,
            ),
            severity="critical",
            size=r2.distance_from(1),
            measure=r2,
            evidence=(section,),
            suggestion="Check that numbers and texts belong together and are on the scale of the "
            "model. Do not use the model as it is.",
        )
    ]
