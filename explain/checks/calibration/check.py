"""Whether the model is right as often as its probabilities say."""

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from explain.checks.base import LEVEL, AuditContext, not_measured
from explain.checks.base.labelled_rows import LabelledRows
from explain.checks.calibration.decisions import (
    FEWEST_FOR_INTERVAL,
    SIMULATIONS,
    Decisions,
    NullDistribution,
)
from explain.checks.calibration.metrics import (
    BRIER,
    CALIBRATION_ERROR,
    LOG_LOSS,
    OVERCONFIDENCE,
    SLOPE,
)
from explain.checks.calibration.scores import proper_losses, slope
from explain.record import (
    Finding,
    Measure,
    MetricSpec,
    ReliabilityBin,
    ReliabilityFigure,
    Section,
    Sentence,
    Table,
    Task,
    join_sentences,
)
from explain.statistics.bootstrap import CONFIDENCE
from explain.statistics.intervals import clustered_proportion, proportion
from explain.statistics.power import detectable_mean

__all__ = ["CalibrationCheck"]

LARGE_GAP = 0.02
"""Two points between confidence and accuracy: of answers that are said to be 95 % sure, 7 % are
wrong rather than 5 %."""

LARGE_ERROR = 0.05
"""Five points off in one confidence and as much the other way in another change what a threshold
on confidence lets through, though they cancel on average."""

OVER: Final = (
    "The model is over-confident. On average it is {confidence:percent} sure, but only "
    "{accuracy:percent} of its answers are right (difference {gap:points}, n = {gap.n})."
)

UNDER: Final = (
    "The model is under-confident. On average it is only {confidence:percent} sure, but "
    "{accuracy:percent} of its answers are right (difference {gap:points}, n = {gap.n})."
)


@dataclass(frozen=True, slots=True)
class CalibrationCheck:
    """Confidence and accuracy, compared with what chance gives a calibrated model."""

    id: ClassVar[str] = "calibration"
    title: ClassVar[str] = "Calibration"
    metrics: ClassVar[tuple[MetricSpec, ...]] = (
        CALIBRATION_ERROR,
        BRIER,
        LOG_LOSS,
        OVERCONFIDENCE,
        SLOPE,
    )

    def run(self, context: AuditContext) -> Section:
        """Return the statistics of the labelled rows."""
        if context.model.task == "regression":
            return not_measured(self, "a regression states no probabilities")
        labelled = LabelledRows.of(context, self.id)
        if isinstance(labelled, str):
            return not_measured(self, labelled)
        sample = labelled.answered_rows
        if not len(sample):
            return not_measured(self, "no labelled row got an answer")
        decisions = Decisions.of(sample)
        null = decisions.null_distribution(sample.rng())
        gap, error = decisions.gap(), decisions.error()
        steepness = slope(
            context.scores[sample.rows], sample.truth, context.model.task, sample.clusters
        )
        findings = tuple(_findings(self.id, decisions, error, gap, steepness, null))
        return Section(
            id=self.id,
            title=self.title,
            summary=join_sentences(
                _summary(context.model.task, decisions, gap, error),
                "" if findings else _power(gap),
                sample.note(),
                labelled.left_out("All numbers"),
            ),
            measures=(error, *proper_losses(sample), gap, steepness),
            figures=(_figure(decisions),),
            tables=() if null is None else (_null_table(decisions, error, gap, null),),
            findings=findings,
        )


def _summary(task: Task, decisions: Decisions, gap: Measure, error: Measure) -> str:
    average = Sentence(
        "On average the model is {confidence:percent} sure of {answers}, and {accuracy:percent} of "
        "them are right (difference {gap:points}, 95 % interval).",
        confidence=float(decisions.confidence.mean()),
        answers="its answers" if task == "single_label" else "its answers on single labels",
        accuracy=float(decisions.right.mean()),
        gap=gap,
    )
    size = error.value or 0.0
    typical = Sentence(
        "Confidence and accuracy typically differ by {points:.1f} points (root mean square over "
        "the bins of the figure, corrected for chance).",
        points=100 * size,
    )
    if size < abs(gap.value or 0.0):
        # The squares of the bins are debiased; without chance they hold that of the mean.
        typical = Sentence(
            "Bin by bin of the figure, no larger difference can be told from chance "
            "({points:.1f} points, root mean square).",
            points=100 * size,
        )
    few = Sentence(
        "With fewer than {fewest} answers, no interval for this can be relied on.",
        fewest=FEWEST_FOR_INTERVAL,
    )
    return join_sentences(average, typical, "" if error.lower is not None else few)


def _power(gap: Measure) -> str:
    """Return the over-confidence that would have been reported."""
    found = detectable_mean(gap, LARGE_GAP, LEVEL / 2)
    if found is None:
        return ""
    return Sentence(
        "Over-confidence would have been reported with a chance of 80 % from {found:.1f} points.",
        found=100 * found,
    )


def _figure(decisions: Decisions) -> ReliabilityFigure:
    tail = (1 - CONFIDENCE) / 2
    bins = []
    for start, size in zip(decisions.starts, decisions.sizes, strict=True):
        members = slice(start, start + size)
        confidence, right = float(decisions.confidence[members].mean()), decisions.right[members]
        name = Sentence(
            "accuracy at confidence {lowest:.2f} and above",
            lowest=float(decisions.confidence[start]),
        )
        if decisions.clusters is None:
            accuracy = proportion(name, int(right.sum()), int(size))
        else:
            accuracy = clustered_proportion(name, right, decisions.clusters[members])
        low, high = stats.binom.ppf([tail, 1 - tail], size, min(confidence, 1.0)) / size
        bins.append(
            ReliabilityBin(
                confidence=confidence, accuracy=accuracy, null_low=float(low), null_high=float(high)
            )
        )
    description = Sentence(
        "Share of right answers by mean confidence, in {n} {n:bin|bins} of about equal size. On "
        "the diagonal the two are equal. For a calibrated model, 95 % of the bins lie in the band.",
        n=len(bins),
    )
    independent = "The band assumes that answers are independent of each other."
    return ReliabilityFigure(
        title="Confidence and accuracy",
        description=join_sentences(description, "" if decisions.clusters is None else independent),
        bins=tuple(bins),
    )


def _null_table(
    decisions: Decisions, error: Measure, gap: Measure, null: NullDistribution
) -> Table:
    """Return the errors, and those of a calibrated model with as many rows."""

    def row(
        name: str, observed: Measure | float, simulated: NDArray[np.float64], p: float | None
    ) -> tuple[str | Measure | float | None, ...]:
        low, high = np.quantile(simulated, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        calibrated = Measure(
            name=Sentence("{measure} of a calibrated model", measure=name),
            value=float(simulated.mean()),
            lower=float(low),
            upper=float(high),
            n=error.n,
            method=Sentence("{n} simulations", n=SIMULATIONS),
        )
        return name, observed, calibrated, p

    p_gap, p_error = _p_values(decisions, null)
    return Table(
        title="Comparison with a calibrated model",
        columns=("measure", "this model", "a calibrated model", "p"),
        rows=(
            row("mean gap of the bins (not debiased)", decisions.plain(), null.plain, None),
            row(error.name, error, null.debiased, p_error),
            row(gap.name, gap, null.gaps, p_gap),
        ),
        note=Sentence(
            "The first two rows are different averages of the gaps between confidence and accuracy "
            "in the bins, and either may be the larger. Mean gap: the mean of their sizes; chance "
            "alone puts it above 0. Calibration error: the root of their mean square, from which "
            "what chance gives is subtracted. A calibrated model: mean of {n} simulated tables "
            "whose labels are drawn from the model's own confidence, and the range of 95 % of "
            "them. p: how often a simulated table shows a value at least as large.",
            n=SIMULATIONS,
        ),
    )


def _p_values(decisions: Decisions, null: NullDistribution) -> tuple[float, float]:
    """Return how often a calibrated model shows as large a gap, and as large an error."""
    gap = abs(float(decisions.residuals.mean()))
    as_large = (np.abs(null.gaps) >= gap, null.squared >= decisions.squared())
    p_gap, p_error = ((1 + int(hits.sum())) / (len(hits) + 1) for hits in as_large)
    return p_gap, p_error


def _findings(
    section: str,
    decisions: Decisions,
    error: Measure,
    gap: Measure,
    steepness: Measure,
    null: NullDistribution | None,
) -> list[Finding]:
    """Return one finding at most: on a gap in one direction, or else on errors in both.

    Two tests are made, each at `LEVEL` / 2. Where decisions belong together the gap alone is
    tested, by clusters.
    """
    if null is None:
        p_gap, p_error = float(stats.ttest_1samp(decisions.by_cluster(), 0).pvalue), 1.0
    else:
        p_gap, p_error = _p_values(decisions, null)
    lower, upper = gap.lower or 0.0, gap.upper or 0.0
    if p_gap <= LEVEL / 2 and lower > LARGE_GAP:
        return [_gap_finding(section, OVER, decisions, gap, steepness)]
    if p_gap <= LEVEL / 2 and upper < -LARGE_GAP:
        return [_gap_finding(section, UNDER, decisions, gap, steepness)]
    if p_error <= LEVEL / 2 and (error.lower or 0.0) > LARGE_ERROR:
        return [
            Finding(
                code="calibration.error",
                claim=Sentence(
                    "The model's probabilities cannot be taken literally. Confidence and accuracy "
                    "typically differ by {error} (root mean square, n = {error.n}), in both "
                    "directions.",
                    error=error,
                ),
                severity="minor",
                size=error.distance_from(0),
                measure=error,
                evidence=(section,),
                suggestion="Recalibrate the model (isotonic regression on held-out rows) before "
                "you set a threshold on its probabilities.",
            )
        ]
    return []


def _gap_finding(
    section: str, claim: str, decisions: Decisions, gap: Measure, steepness: Measure
) -> Finding:
    scaling = ""
    if steepness.value is not None:
        scaling = Sentence(
            "On these rows, temperature scaling fits best with T = {temperature:.2f}.",
            temperature=1 / steepness.value,
        )
    return Finding(
        code="calibration.over_confident" if claim == OVER else "calibration.under_confident",
        claim=Sentence(
            claim,
            confidence=float(decisions.confidence.mean()),
            accuracy=float(decisions.right.mean()),
            gap=gap,
        ),
        severity="major" if claim == OVER else "minor",
        size=gap.distance_from(0),
        measure=gap,
        evidence=(section,),
        suggestion=join_sentences(
            "Recalibrate the probabilities on held-out rows before you set a threshold on them.",
            scaling,
        ),
    )
