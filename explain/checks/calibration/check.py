"""Whether the model is right as often as it says it is."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from explain.checks.base import LEVEL, AuditContext, not_measured
from explain.checks.base.labelled_rows import LabelledRows
from explain.checks.calibration.decisions import FEWEST_FOR_INTERVAL, SIMULATIONS, Chance, Decisions
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
    Table,
    Task,
)
from explain.record.wording import percent, points
from explain.statistics.bootstrap import CONFIDENCE
from explain.statistics.intervals import clustered_proportion, proportion

__all__ = ["CalibrationCheck"]

LARGE_GAP = 0.02
"""Two points between confidence and accuracy: of answers that are said to be 95 % sure, 7 % are
wrong rather than 5 %."""

LARGE_ERROR = 0.05
"""Five points off in one confidence and as much the other way in another change what a threshold
on confidence lets through, though they cancel on average."""


@dataclass(frozen=True, slots=True)
class CalibrationCheck:
    """Confidence against accuracy, beside what chance gives a model that is calibrated."""

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
            measures=(error, *proper_losses(sample), gap, steepness),
            figures=(_figure(decisions),),
            tables=() if chance is None else (_against_chance(decisions, error, gap, chance),),
            findings=tuple(_findings(self.id, decisions, error, gap, steepness, chance)),
        )


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
