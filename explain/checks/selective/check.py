"""Whether confidence tells right answers from wrong ones, and what may be decided by it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import stats
from scipy.special import logit

from explain.checks.base import LEVEL, AuditContext, not_measured
from explain.checks.base.labelled_rows import LabelledRows
from explain.checks.selective.answers import FEWEST_OF_EACH, Answers
from explain.checks.selective.metrics import AURC, ERROR_AUROC, LET_THROUGH, RISK
from explain.checks.selective.slices import (
    SliceRisk,
    findings_of,
    slice_risks,
    slices_of,
    table_of_shares,
)
from explain.checks.selective.thresholds import (
    NoThreshold,
    Threshold,
    certified,
    measured_share,
    percent_of,
)
from explain.record import (
    Finding,
    Measure,
    MetricSpec,
    RiskCoverageFigure,
    RiskPoint,
    Section,
    Sentence,
    Table,
    join_sentences,
)
from explain.statistics.bootstrap import CONFIDENCE

__all__ = ["SelectiveCheck"]

FEWEST = 20
"""Labelled rows below which two halves of them say nothing."""

HARDLY_BETTER = 0.7
"""AUROC of right answers by confidence below which a threshold on confidence is of little use: half
way from chance, one half, to the .9 of good classifiers."""

MOST_OF_ERRORS = 2 / 3
"""Share of the wrong answers that slices must hold to be what is wrong with the confidence, where
the others have fewer than `FEWEST_OF_EACH`: without the slices so few are left that nothing is."""

CURVE_POINTS = 20
"""Points of the risk-coverage curve."""

TEXTS = 1_000
"""Texts of which the work that is left to people is counted."""

Share = Annotated[float, Field(gt=0, lt=1)]


@dataclass(frozen=True, slots=True)
class SelectiveCheck:
    """Thresholds of confidence from which the model may decide alone, each with its error.

    Attributes
    ----------
    errors : tuple of float
        Shares of wrong answers for which a threshold is looked for.
    """

    id: ClassVar[str] = "selective"
    title: ClassVar[str] = "Selective use"
    metrics: ClassVar[tuple[MetricSpec, ...]] = (AURC, ERROR_AUROC, LET_THROUGH, RISK)

    errors: tuple[Share, ...] = (0.01, 0.02, 0.05, 0.1)

    def run(self, context: AuditContext) -> Section:
        """Return the thresholds, the risk-coverage curve, and the slices that break a promise."""
        if context.model.task == "regression":
            return not_measured(self, "a regression states no confidence")
        sample = LabelledRows.of(context, self.id)
        if isinstance(sample, str):
            return not_measured(self, sample)
        if len(sample) < FEWEST or not len(sample.rows):
            return not_measured(
                self,
                Sentence(
                    "{n} labelled {n:row has|rows have} an answer; {fewest} are needed to choose a "
                    "threshold on one half and to test it on the other",
                    n=len(sample.rows),
                    fewest=FEWEST,
                ),
            )
        answers = Answers.of(sample)
        chosen_on = _half(answers, sample.rng())
        outcomes = [certified(answers, chosen_on, error) for error in self.errors]
        thresholds = [one for one in outcomes if isinstance(one, Threshold)]
        slices = slices_of(sample)
        risks = slice_risks(answers, chosen_on, self.errors, slices)
        slice_findings = findings_of(self.id, risks, sample)
        auroc = answers.auroc()
        return Section(
            id=self.id,
            title=self.title,
            summary=join_sentences(
                _summary(outcomes, len(answers)),
                _ranking(answers, auroc),
                _several_labels(context),
                sample.note(),
                _unanswered(sample),
            ),
            measures=(auroc, answers.aurc(), *(m for t in thresholds for m in (t.share, t.risk))),
            figures=(_figure(answers),),
            tables=tuple(
                table
                for table in (
                    _table(outcomes),
                    table_of_shares(answers, ~chosen_on, thresholds, slices),
                )
                if table.rows
            ),
            findings=(*slice_findings, *_unranked(self.id, answers, auroc, risks, slice_findings)),
        )


def _half(answers: Answers, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return a random half of the rows, or of their clusters."""
    member = np.arange(len(answers)) if answers.clusters is None else answers.clusters
    n = int(member.max()) + 1
    chosen = np.zeros(n, dtype=np.bool_)
    chosen[rng.permutation(n)[: n // 2]] = True
    return chosen[member]


def _summary(outcomes: Sequence[Threshold | NoThreshold], n: int) -> str:
    """Return what the middle certified threshold lets through, and which errors have none."""
    thresholds = [one for one in outcomes if isinstance(one, Threshold)]
    missing = [one for one in outcomes if isinstance(one, NoThreshold)]
    best = min(thresholds, key=lambda one: abs(one.error - 0.05), default=None)
    use = ""
    if best is not None:
        use = Sentence(
            "Of answers with a confidence of at least {confidence:.9g}, at most {error:percent} "
            "are wrong (95 % certain, measured on rows that the threshold was not chosen "
            "on). These are {share} of texts; of {texts} texts, {work:.0f} go to a person.",
            confidence=best.confidence,
            error=best.error,
            share=best.share,
            texts=TEXTS,
            work=_work(best.share),
        )
    return join_sentences(use, _missing(missing, n))


def _missing(missing: Sequence[NoThreshold], n: int) -> str:
    """Return for which errors no threshold was certified, and how many rows one would take."""
    by_rows = [one for one in missing if one.fewest_rows is not None]
    hopeless = [percent_of(one.error) for one in missing if one.fewest_rows is None]
    too_few = ""
    if by_rows:
        easiest = max(by_rows, key=lambda one: one.error)
        too_few = Sentence(
            "For an error below {errors:or}, no threshold could be certified on these {n} rows; "
            "for {easiest}, at least {fewest} labelled rows would be needed.",
            errors=[percent_of(one.error) for one in by_rows],
            n=n,
            easiest=percent_of(easiest.error),
            fewest=easiest.fewest_rows,
        )
    too_wrong = ""
    if hopeless:
        too_wrong = Sentence(
            "For an error below {errors:or}, no threshold could be certified on these {n} rows, "
            "and they do not tell how many would be enough: on the half that tests thresholds, too "
            "many of the surest answers are wrong.",
            errors=hopeless,
            n=n,
        )
    return join_sentences(too_few, too_wrong)


def _work(share: Measure) -> Measure:
    """Return how many of a thousand texts go to a person."""
    ends = (share.upper, share.lower)
    lower, upper = (None if end is None else TEXTS * (1 - end) for end in ends)
    value = None if share.value is None else TEXTS * (1 - share.value)
    return share.model_copy(
        update={"value": value, "lower": lower, "upper": upper, "unit": "count", "name": "work"}
    )


def _ranking(answers: Answers, auroc: Measure) -> str:
    """Return whether confidence tells right from wrong, or that there are too few of either."""
    wrong = int((~answers.right[answers.has_answer]).sum())
    if not answers.is_ranked:
        return Sentence(
            "{wrong} {wrong:answer is|answers are} wrong and {right} are right; {fewest} of each "
            "are needed to tell whether confidence ranks them.",
            wrong=wrong,
            right=int(answers.right.sum()),
            fewest=FEWEST_OF_EACH,
        )
    return Sentence(
        "A right answer is more confident than a wrong one in {auroc} of pairs; by chance it would "
        "be 50 %.",
        auroc=auroc,
    )


def _several_labels(context: AuditContext) -> str:
    if context.model.task != "multi_label":
        return ""
    return (
        "An answer is right if all its labels are; its confidence is the product of their "
        "probabilities."
    )


def _unanswered(sample: LabelledRows) -> str:
    if not sample.unanswered:
        return ""
    return "No threshold lets a row without an answer through."


def _figure(answers: Answers) -> RiskCoverageFigure:
    """Return the risk-coverage curve: the errors among the most confident rows."""
    descending = -np.sort(-answers.confidence)
    n, points = len(answers), dict[int, RiskPoint]()
    for step in range(1, CURVE_POINTS + 1):
        # Rows of one confidence enter together: what comes first in the table is no reason.
        first = answers.confidence >= descending[max(1, round(step / CURVE_POINTS * n)) - 1]
        n_first = int(first.sum())
        share = n_first / n
        name = Sentence("wrong answers of the {share:percent} most confident", share=share)
        risk = measured_share(name, ~answers.right, first, answers.clusters)
        points[n_first] = RiskPoint(share=share, risk=risk)
    return RiskCoverageFigure(
        title="Risk-coverage curve",
        description="Share of wrong answers among the most confident rows, with 95 % intervals, "
        "against the share of rows. Where confidence tells right answers from wrong ones, the "
        "curve begins low and rises to the share of wrong answers of all rows.",
        points=tuple(points.values()),
    )


def _table(outcomes: Sequence[Threshold | NoThreshold]) -> Table:
    return Table(
        title="Thresholds of confidence",
        columns=(
            "at most wrong", "confidence at least", "let through", "wrong among those",
            "rows needed",
        ),
        rows=tuple(
            (
                percent_of(one.error),
                Sentence("{confidence:.9g}", confidence=one.confidence),
                one.share,
                one.risk,
                None,
            )
            if isinstance(one, Threshold)
            else (percent_of(one.error), "none certified", None, None, one.fewest_rows)
            for one in outcomes
        ),
        note="Each threshold was chosen on one random half of the rows and certified on the other, "
        "on which the numbers are measured: the exact upper bound of the wrong answers is at most "
        "the error, with 95 % certainty for each error. The share of texts that a person must read "
        "is what is not let through. Rows needed: the fewest labelled rows that could certify a "
        "threshold if the model does as well on them.",
    )  # fmt: skip


def _hardly_ranks(answers: Answers, auroc: Measure) -> bool:
    """Tell whether confidence certainly does little to tell right answers from wrong ones.

    AUROC must lie below `HARDLY_BETTER`, and below that of a model whose confidence is right: one
    that says of all texts that it is 80 % sure may be right about that.
    """
    value, lower, upper = auroc.value, auroc.lower, auroc.upper
    if value is None or not answers.is_ranked:
        return False
    if lower is None or upper is None:
        return value == 0  # every wrong answer is surer than every right one
    bar = min(HARDLY_BETTER, answers.implied_auroc())
    error = (logit(upper) - logit(lower)) / (2 * stats.norm.ppf((1 + CONFIDENCE) / 2))
    return bool(stats.norm.cdf((logit(value) - logit(bar)) / error) <= LEVEL / 2)


def _explain(inside: NDArray[np.bool_], answers: Answers, auroc: Measure) -> bool:
    """Tell whether slices are why confidence hardly ranks the answers.

    They are if it certainly ranks the others better. Where too few others are wrong to tell, the
    slices must be a minority of the rows and hold nearly all wrong answers, as then it is these
    that confidence does not rank.
    """
    outside = answers.among(~inside)
    if outside.is_ranked:
        better = outside.auroc()
        least = better.value if better.lower is None else better.lower  # 1 has no interval
        return least is not None and auroc.upper is not None and least > auroc.upper
    wrong = ~answers.right & answers.has_answer
    is_minority = inside.sum() <= len(answers) / 2
    return bool(is_minority and (wrong & inside).sum() >= MOST_OF_ERRORS * wrong.sum())


def _unranked(
    section: str,
    answers: Answers,
    auroc: Measure,
    risks: Sequence[SliceRisk],
    slice_findings: Sequence[Finding],
) -> list[Finding]:
    """Return that confidence hardly tells right answers from wrong ones.

    Slices that break a promise may explain it.
    """
    if not _hardly_ranks(answers, auroc):
        return []
    inside = np.zeros(len(answers), dtype=np.bool_)
    for risk in risks:
        if risk.is_broken:
            inside |= risk.slice.members
    is_explained = bool(slice_findings) and _explain(inside, answers, auroc)
    return [
        Finding(
            code="selective.unranked",
            claim=Sentence(
                "Confidence hardly tells right answers from wrong ones. A right answer is more "
                "confident than a wrong one in {auroc} of pairs (n = {auroc.n}); by chance it "
                "would be 50 %.",
                auroc=auroc,
            ),
            severity="major",
            size=max(0.0, answers.implied_auroc() - (auroc.upper or 0.0)),
            measure=auroc,
            cause=slice_findings[0].id if is_explained else None,
            evidence=(section,),
            suggestion="Do not use a threshold on confidence to decide which answers a person "
            "checks. Choose texts to check by other means, or recalibrate the model by kind of "
            "text.",
        )
    ]
