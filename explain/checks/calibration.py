"""Whether the model is right as often as it says it is."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats
from scipy.special import expit, softmax

from explain.adapters import Scores
from explain.checks.base import LEVEL, AuditContext, not_measured
from explain.checks.base.labelled_rows import LabelledRows
from explain.record import (
    Finding,
    Measure,
    ReliabilityBin,
    ReliabilityFigure,
    Section,
    Table,
    Task,
)
from explain.record.wording import percent, points
from explain.statistics.intervals import CONFIDENCE, clustered_proportion, mover, proportion

__all__ = ["CalibrationCheck", "Decisions", "slope"]

MOST_BINS = 15
"""As in Guo et al. (2017)."""

FEWEST_PER_BIN = 20
"""Decisions per bin: with fewer an accuracy says little."""

FEWEST_FOR_INTERVAL = 100
"""Decisions below which the calibration error has no interval: with 50 of an over-confident model
it held the true value in 87 of 100 simulated tables, with 100 in 93 and more."""

SIMULATIONS = 1_999
"""Tables whose labels are drawn from the model's own probabilities: enough to tell a p-value of
`LEVEL` / 2 from twice that."""

BATCH = 100
"""Tables held in memory at a time."""

LARGE_GAP = 0.02
"""Two points between confidence and accuracy: of answers that are said to be 95 % sure, 7 % are
wrong rather than 5 %."""

LARGE_ERROR = 0.05
"""Five points off in one confidence and as much the other way in another change what a threshold
on confidence lets through, though they cancel on average."""

ROUNDED = 9
"""Digits of a confidence that count."""

MOST_SLOPE = 1e3
"""A slope beyond this is no number but a sign that all answers are right, or all wrong."""

MOST_LOGARITHM = 700.0
"""Half of an interval of logarithms beyond which its ends are no numbers of 64 bits."""


@dataclass(frozen=True, slots=True)
class CalibrationCheck:
    """Confidence against accuracy, beside what chance gives a model that is calibrated."""

    id: ClassVar[str] = "calibration"
    title: ClassVar[str] = "Calibration"
    metrics: ClassVar[tuple[str, ...]] = (
        "calibration error (debiased)",
        "Brier score",
        "log loss",
        "confidence minus accuracy",
        "slope of the scores",
    )

    def run(self, context: AuditContext) -> Section:
        """Return the statistics of the labelled rows."""
        if context.model.task == "regression":
            return not_measured(self, "a regression states no probabilities")
        every = LabelledRows.of(context, self.id)
        if isinstance(every, str):
            return not_measured(self, every)
        sample = every.answered
        if not len(sample):
            return not_measured(self, "no labelled row got an answer")
        decisions = Decisions.of(sample)
        chance = decisions.chance(sample.rng())
        gap, error = decisions.gap(), decisions.error()
        steepness = slope(
            context.scores[sample.rows], sample.truth, context.model.task, sample.clusters
        )
        return Section(
            id=self.id,
            title=self.title,
            summary=_summary(context.model.task, gap, error)
            + sample.note()
            + every.left_out("all numbers are"),
            measures=(error, *_losses(sample), gap, steepness),
            figures=(_figure(decisions),),
            tables=() if chance is None else (_against_chance(decisions, error, gap, chance),),
            findings=tuple(_findings(self.id, decisions, error, gap, steepness, chance)),
        )


@dataclass(frozen=True, slots=True)
class Chance:
    """What a model that is right as often as it says would show on this table.

    Attributes
    ----------
    gaps, plain, debiased : array, shape (n_simulations,), float64
        Confidence minus accuracy, and the plain and the debiased calibration error.
    squared : array, shape (n_simulations,), float64
        The debiased squared error, which may be negative.
    """

    gaps: NDArray[np.float64]
    plain: NDArray[np.float64]
    squared: NDArray[np.float64]

    @property
    def debiased(self) -> NDArray[np.float64]:
        """The debiased calibration error, shape (n_simulations,)."""
        return np.sqrt(np.maximum(self.squared, 0))


@dataclass(frozen=True)
class Decisions:
    """Answers of a model with their confidence, the least confident first.

    Of a single-label model there is one for each text: the predicted label. Of a multi-label model
    there is one for each text and label: that it holds, or that it does not, with the probability
    of what is said, which is at least one half.

    Attributes
    ----------
    confidence : array, shape (n_decisions,), float64
        Ascending.
    right : array, shape (n_decisions,), bool
        Whether the answer is right.
    clusters : array, shape (n_decisions,), int64, or None
        Which decisions belong together, counted from zero; None if each stands alone.
    """

    confidence: NDArray[np.float64]
    right: NDArray[np.bool_]
    clusters: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, sample: LabelledRows) -> "Decisions":
        """Return the decisions on the labelled rows."""
        context, clusters = sample.context, sample.clusters
        probabilities = context.probabilities[sample.rows]
        n, n_labels = probabilities.shape
        if context.model.task == "multi_label":
            called = context.scores[sample.rows] > 0
            confidence = np.where(called, probabilities, 1 - probabilities).ravel()
            right = (called == sample.truth).ravel()
            clusters = np.repeat(np.arange(n) if clusters is None else clusters, n_labels)
        else:
            predicted = context.predicted[sample.rows]
            confidence = probabilities[np.arange(n), predicted]
            right = predicted == context.given[sample.rows]
        # What differs by rounding alone belongs into one bin.
        confidence = confidence.round(ROUNDED)
        order = np.argsort(confidence, kind="stable")
        return cls(confidence[order], right[order], None if clusters is None else clusters[order])

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Where each bin starts, shape (n_bins,): about as many decisions in each.

        Decisions of equal confidence lie in one bin.
        """
        n = len(self.confidence)
        n_bins = int(np.clip(n // FEWEST_PER_BIN, 1, MOST_BINS))
        edges = self.confidence[np.arange(1, n_bins) * n // n_bins]
        return np.unique([0, *np.searchsorted(self.confidence, edges)])

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Decisions in each bin, shape (n_bins,)."""
        return np.diff(self.starts, append=len(self.confidence))

    @cached_property
    def residuals(self) -> NDArray[np.float64]:
        """Confidence less one where the answer is right, shape (n_decisions,)."""
        return self.confidence - self.right

    def plain(self) -> float:
        """Return the mean distance of confidence and accuracy over the bins (Guo et al. 2017)."""
        return float(_plain(self._sums(self.residuals), len(self.confidence)))

    def error(self) -> Measure:
        """Return the root of the mean squared distance of confidence and accuracy over the bins.

        Squares are debiased (Kumar et al. 2019): products of the residuals of two decisions that
        belong to different clusters, of which each pair counts. The interval of their mean is
        that of a score test, normal, with the variance of independent bins; it is cut at zero, and
        left out below a hundred decisions.
        """
        n = len(self.confidence)
        clusters = n if self.clusters is None else int(self.clusters.max()) + 1
        squares, variances = self._squares()
        weights, positive = self.sizes / n, np.maximum(squares, 0)
        square = float(weights @ squares)
        z = stats.norm.ppf((1 + CONFIDENCE) / 2)
        # The variance of the mean is noise + growth * true mean: solved for the latter.
        noise = float(2 * weights**2 @ variances**2)
        growth = float(4 * weights**2 @ (positive * variances)) / (float(weights @ positive) or 1)
        middle = square + z**2 * growth / 2
        half = z * np.sqrt(max(noise + growth * square + (z * growth) ** 2 / 4, 0))
        lower, upper = (np.sqrt(max(end, 0.0)) for end in (middle - half, middle + half))
        found = Measure(
            name="calibration error (debiased)", value=float(np.sqrt(max(square, 0.0))), n=clusters
        )
        if clusters < FEWEST_FOR_INTERVAL:
            return found
        return found.model_copy(
            update={
                "lower": float(lower),
                "upper": float(min(upper, 1.0)),
                "method": "score, of the debiased squares",
            }
        )

    def gap(self) -> Measure:
        """Return mean confidence minus accuracy.

        The interval is made of Wilson's for the accuracy and Student's for the mean confidence
        (Zou and Donner 2008).
        """
        n = len(self.confidence)
        correlation = 0.0
        if self.clusters is None:
            accuracy, of = proportion("", int(self.right.sum()), n), self.confidence
            if np.ptp(self.confidence) and np.ptp(self.right.astype(np.float64)):
                correlation = float(np.corrcoef(self.confidence, self.right)[0, 1])
        else:
            accuracy = clustered_proportion("", self.right, self.clusters)
            size = np.bincount(self.clusters)
            centred = np.bincount(self.clusters, weights=self.confidence - self.confidence.mean())
            of = self.confidence.mean() + centred / size.mean()
        return mover("confidence minus accuracy", of, accuracy, correlation)

    def by_cluster(self) -> NDArray[np.float64]:
        """Return the sum of the residuals of each cluster, shape (n_clusters,)."""
        member = np.arange(len(self.right)) if self.clusters is None else self.clusters
        return np.bincount(member, weights=self.residuals).astype(np.float64)

    def chance(self, rng: np.random.Generator) -> Chance | None:
        """Return what tables whose labels are drawn from the confidence show.

        None where decisions belong together: their probabilities do not tell how.
        """
        if self.clusters is not None:
            return None
        n = len(self.confidence)
        gaps, plain, squared = [], [], []
        for start in range(0, SIMULATIONS, BATCH):
            rows = min(BATCH, SIMULATIONS - start)
            residuals = self.confidence - (rng.random((rows, n)) < self.confidence)
            sums, squares = self._sums(residuals), self._sums(residuals**2)
            gaps.append(residuals.mean(axis=1))
            plain.append(_plain(sums, n))
            squared.append(_debiased(sums, squares, self.sizes, self.sizes) @ (self.sizes / n))
        return Chance(*(np.concatenate(parts) for parts in (gaps, plain, squared)))

    def squared(self) -> float:
        """Return the debiased squared error, which may be negative."""
        return float(self._squares()[0] @ self.sizes) / len(self.confidence)

    def _sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        sums: NDArray[np.float64] = np.add.reduceat(values, self.starts, axis=-1)
        return sums

    def _squares(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the debiased squared distance of each bin, and the variance of its mean."""
        n_bins = len(self.starts)
        bins = np.repeat(np.arange(n_bins), self.sizes)
        member = np.arange(len(bins)) if self.clusters is None else self.clusters
        _, cell = np.unique(bins * (int(member.max()) + 1) + member, return_inverse=True)
        first = np.zeros(int(cell.max()) + 1, dtype=np.int64)
        first[cell] = bins

        def by_bin(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.bincount(first, weights=values, minlength=n_bins).astype(np.float64)

        size = np.bincount(cell).astype(np.float64)
        total = np.bincount(cell, weights=self.residuals).astype(np.float64)
        squares = _debiased(by_bin(total), by_bin(total**2), self.sizes, by_bin(size**2))
        mean = by_bin(total) / self.sizes
        n_cells = np.bincount(first, minlength=n_bins)
        spread = by_bin((total - mean[first] * size) ** 2)
        return squares, spread / self.sizes**2 * n_cells / np.maximum(n_cells - 1, 1)


def _plain(sums: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    return np.asarray(np.abs(sums).sum(axis=-1) / n)


def _debiased(
    sums: NDArray[np.float64],
    squares: NDArray[np.float64],
    sizes: NDArray[np.int64],
    pairs_within: NDArray[np.float64] | NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the mean product of residuals of different clusters; zero where there is one only."""
    pairs = sizes.astype(np.float64) ** 2 - pairs_within
    products: NDArray[np.float64] = (sums**2 - squares) / np.where(pairs > 0, pairs, np.inf)
    return products


# ── Proper scores and the slope ───────────────────────────────────────────────────────────────────


def _losses(sample: LabelledRows) -> tuple[Measure, Measure]:
    """Return Brier score and log loss, of single labels where several may hold.

    The Brier score (1950) is halved, so that it lies between 0 and 1.
    """
    context, truth = sample.context, sample.truth
    probabilities, scores = context.probabilities[sample.rows], context.scores[sample.rows]
    squares = (probabilities - truth) ** 2
    if context.model.task == "multi_label":
        brier = squares.mean(axis=1)
        logs = np.logaddexp(0, np.where(truth, -scores, scores)).mean(axis=1)
    else:
        brier = squares.sum(axis=1) / 2
        logs = np.logaddexp.reduce(scores, axis=1) - scores[truth]
    resampled = sample.resample(np.stack([brier, logs, np.ones_like(brier)], axis=1))

    def mean(column: int) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
        return lambda sums: sums[..., column] / sums[..., 2]

    return (
        resampled.measure("Brier score", mean(0), "coefficient"),
        resampled.measure("log loss", mean(1), "coefficient"),
    )


def slope(
    scores: Scores,
    truth: NDArray[np.bool_],
    task: Task,
    clusters: NDArray[np.int64] | None = None,
) -> Measure:
    """Return what the scores are to be multiplied by to fit the labels best (Cox 1958).

    It is one for a calibrated model, below one for an over-confident one, and the inverse of the
    temperature of Guo et al. (2017). The interval is normal, on a logarithmic scale, with the
    sandwich variance.

    Parameters
    ----------
    scores : array, shape (n_rows, n_labels), float64
        Scores on the natural-log scale.
    truth : array, shape (n_rows, n_labels), bool
        Which labels hold.
    task : {"single_label", "multi_label"}
        How the columns relate to each other.
    clusters : array, shape (n_rows,), int64, optional
        Which rows belong together, counted from zero.
    """
    name, n = "slope of the scores", len(scores)

    def pulls(steepness: float) -> tuple[NDArray[np.float64], float]:
        """Return the derivative of the log-likelihood of each row, and the information of all."""
        if task == "multi_label":
            p = expit(steepness * scores)
            return (scores * (truth - p)).sum(axis=1), float((scores**2 * p * (1 - p)).sum())
        p = softmax(steepness * scores, axis=1)
        expected = (p * scores).sum(axis=1)
        information = (p * scores**2).sum() - (expected**2).sum()
        return scores[truth] - expected, float(information)

    if pulls(MOST_SLOPE)[0].sum() > 0 or pulls(0)[0].sum() <= 0:
        return Measure(name=name, value=None, n=n, unit="coefficient")
    found = float(optimize.brentq(lambda b: pulls(b)[0].sum(), 0, MOST_SLOPE, xtol=1e-10))
    own, information = pulls(found)
    if information <= 0 or found <= 0:
        return Measure(name=name, value=None, n=n, unit="coefficient")
    if clusters is not None:
        own = np.bincount(clusters, weights=own).astype(np.float64)
    m = len(own)
    if m < 2:
        return Measure(name=name, value=found, n=m, unit="coefficient")
    error = float(np.sqrt((own**2).sum() * m / (m - 1)) / information / found)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, m - 1) * error
    if not half < MOST_LOGARITHM:  # Scores that say nothing of the labels: any slope fits.
        return Measure(name=name, value=found, n=m, unit="coefficient")
    return Measure(
        name=name,
        value=found,
        lower=float(found * np.exp(-half)),
        upper=float(found * np.exp(half)),
        n=m,
        method="sandwich, log scale",
        unit="coefficient",
    )


# ── What is shown ─────────────────────────────────────────────────────────────────────────────────


def _summary(task: Task, gap: Measure, error: Measure) -> str:
    answers = "answers" if task == "single_label" else "answers on single labels"
    few = (
        ""
        if error.lower is not None
        else (f" With fewer than {FEWEST_FOR_INTERVAL} no interval for it can be relied on.")
    )
    return (
        f"Mean confidence of the {answers} minus their accuracy is {points(gap)} (95 % interval); "
        f"confidence and accuracy are {100 * (error.value or 0):.1f} points apart in the root mean "
        f"square over the bins of the figure, chance taken off.{few}"
    )


def _figure(decisions: Decisions) -> ReliabilityFigure:
    tail = (1 - CONFIDENCE) / 2
    bins = []
    for start, size in zip(decisions.starts, decisions.sizes, strict=True):
        own = slice(start, start + size)
        confidence, right = float(decisions.confidence[own].mean()), decisions.right[own]
        name = f"accuracy at confidence {decisions.confidence[start]:.2f} and above"
        if decisions.clusters is None:
            accuracy = proportion(name, int(right.sum()), int(size))
        else:
            accuracy = clustered_proportion(name, right, decisions.clusters[own])
        low, high = stats.binom.ppf([tail, 1 - tail], size, min(confidence, 1.0)) / size
        bins.append(
            ReliabilityBin(
                confidence=confidence, accuracy=accuracy, null_low=float(low), null_high=float(high)
            )
        )
    apart = "" if decisions.clusters is None else ", if each answer stood alone"
    return ReliabilityFigure(
        title="Confidence and accuracy",
        description=f"Share of right answers by mean confidence in {len(bins)} bins of about equal "
        f"size. On the diagonal the two are the same; the band is where 95 % of the bins of a "
        f"calibrated model lie{apart}.",
        bins=tuple(bins),
    )


def _against_chance(decisions: Decisions, error: Measure, gap: Measure, chance: Chance) -> Table:
    """Return the errors beside those of a calibrated model with as many rows."""

    def row(
        name: str, measured: Measure | float, shown: NDArray[np.float64], p: float | None
    ) -> tuple[str | Measure | float | None, ...]:
        low, high = np.quantile(shown, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        null = Measure(
            name=f"{name} of a calibrated model",
            value=float(shown.mean()),
            lower=float(low),
            upper=float(high),
            n=error.n,
            method=f"{SIMULATIONS:,} simulations",
        )
        return name, measured, null, p

    p_gap, p_error = _p_values(decisions, chance)
    return Table(
        title="Against a calibrated model",
        columns=("measure", "measured", "a calibrated model shows", "p"),
        rows=(
            row("calibration error, plain", decisions.plain(), chance.plain, None),
            row(error.name, error, chance.debiased, p_error),
            row(gap.name, gap, chance.gaps, p_gap),
        ),
        note=f"{SIMULATIONS:,} tables whose labels are drawn from the model's own confidence: "
        "mean, and where 95 % of them lie. p: how often such a table shows at least as much.",
    )


def _p_values(decisions: Decisions, chance: Chance) -> tuple[float, float]:
    """Return how often a calibrated model shows as large a gap, and as large an error."""
    gap = abs(float(decisions.residuals.mean()))
    as_large = (np.abs(chance.gaps) >= gap, chance.squared >= decisions.squared())
    p_gap, p_error = ((1 + int(hits.sum())) / (len(hits) + 1) for hits in as_large)
    return p_gap, p_error


def _findings(
    section: str,
    decisions: Decisions,
    error: Measure,
    gap: Measure,
    steepness: Measure,
    chance: Chance | None,
) -> list[Finding]:
    """Return one finding at most: on a gap to one side, or else on errors to both.

    Two tests are made, each at `LEVEL` / 2. Where decisions belong together the gap alone is
    tested, by clusters.
    """
    if chance is None:
        p_gap, p_error = float(stats.ttest_1samp(decisions.by_cluster(), 0).pvalue), 1.0
    else:
        p_gap, p_error = _p_values(decisions, chance)
    lower, upper = gap.lower or 0.0, gap.upper or 0.0
    if p_gap <= LEVEL / 2 and lower > LARGE_GAP:
        return [_gap_finding(section, decisions, gap, steepness, "over")]
    if p_gap <= LEVEL / 2 and upper < -LARGE_GAP:
        return [_gap_finding(section, decisions, gap, steepness, "under")]
    if p_error <= LEVEL / 2 and (error.lower or 0.0) > LARGE_ERROR:
        return [
            Finding(
                claim=f"The model's probabilities cannot be taken at their word: confidence and "
                f"accuracy are {100 * (error.value or 0):.0f} points apart in the root mean square "
                f"[{100 * (error.lower or 0):.0f}, {100 * (error.upper or 0):.0f}], to both sides "
                f"(n = {error.n:,}).",
                severity="minor",
                measure=error,
                evidence=(section,),
                suggestion="Recalibrate the model (isotonic regression on held-out rows) before "
                "any threshold is set on its probabilities.",
            )
        ]
    return []


def _gap_finding(
    section: str, decisions: Decisions, gap: Measure, steepness: Measure, side: str
) -> Finding:
    confidence, accuracy = decisions.confidence.mean(), decisions.right.mean()
    scale = ""
    if steepness.value is not None:
        scale = f" (on these rows, scores times {steepness.value:.2f} fit best)"
    return Finding(
        claim=f"The model is {side}-confident: it is {percent(confidence)} sure on average and "
        f"right in {percent(accuracy)}, a difference of {points(gap)} (n = {gap.n:,}).",
        severity="major" if side == "over" else "minor",
        measure=gap,
        evidence=(section,),
        suggestion=f"Recalibrate its probabilities on held-out rows{scale}, and set no threshold "
        "on them before that.",
    )
