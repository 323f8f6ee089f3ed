"""Whether losses in a slice are larger than in the rest."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from explain.checks.base import LEVEL
from explain.checks.base.decisions import difference
from explain.checks.base.metrics import ACCURACY, MEAN_SQUARED_ERROR, SUBSET_ACCURACY
from explain.checks.slices.candidates import Slice
from explain.record import InstanceRecord, Measure, Sentence, Task
from explain.statistics.adjustments import benjamini_hochberg, holm_where_testable
from explain.statistics.comparisons import fisher
from explain.statistics.intervals import NOT_NEGATIVE, mean, proportion
from explain.statistics.power import detectable_beside

__all__ = [
    "LARGE_GAP",
    "SMALLEST_GAP",
    "SMALLEST_SHARE",
    "Losses",
    "TestedSlice",
    "accuracy_found",
    "compare_with_rest",
    "judge_tests",
    "loss_of",
    "worst_first",
]

SMALLEST_GAP = 0.05
"""Difference of two error rates, of which the whole interval must lie above this to be a finding:
one text in twenty is what a reader of single predictions begins to notice."""

LARGE_GAP = 0.10
"""The same, from which a finding must be known before use: twice the smallest one."""

SMALLEST_SHARE = 0.25
"""The same for mean squared errors, which have no common scale, as a share of the overall one."""

FEWEST_FOR_MEANS = 30
"""Rows from which the mean of squared errors, which are far from normal, is tested by Welch's t."""

METRIC: dict[Task, str] = {
    "single_label": ACCURACY.title,
    "multi_label": SUBSET_ACCURACY.title,
    "regression": MEAN_SQUARED_ERROR.title,
}


@dataclass(frozen=True, eq=False)
class TestedSlice:
    """A slice against the rest of the rows that it was tested on."""

    slice: Slice
    from_search: bool
    """Whether a search found it, so that half of the table tests it."""
    measure: Measure
    rest: Measure
    gap: Measure
    """By how much the loss is higher than in the rest."""
    p_value: float
    """Adjusted for the number of slices that were tested."""
    sides: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    """Which of the rows it was tested on lie in the slice, and which do not."""
    accuracy_found: float | None = None
    """The accuracy of the slice below which the test would have found it; None if it could not
    whatever the model did there, or for a regression."""
    reason: str = ""
    """Why it is not reported as worse; empty if it is."""


@dataclass(frozen=True, eq=False)
class Losses:
    """How wrong each labelled instance is: 0 or 1, or the squared error of a regression.

    Rows that got no answer come last: they are wrong, or have no error in a regression.
    """

    values: NDArray[np.float64]
    task: Task
    n_unanswered: int = 0
    """Rows that got no answer."""

    @property
    def has_answer(self) -> NDArray[np.bool_]:
        """Which instances got an answer."""
        return np.arange(len(self.values)) < len(self.values) - self.n_unanswered

    def measure(self, members: NDArray[np.bool_], condition: str) -> Measure:
        """Return accuracy, or mean squared error, of some of the instances."""
        name, values = METRIC[self.task], self.values[members]
        if self.task == "regression":
            return mean(name, values.tolist(), "coefficient", condition, within=NOT_NEGATIVE)
        return proportion(name, int((values == 0).sum()), len(values), condition)

    def p_value(self, members: NDArray[np.bool_], rest: NDArray[np.bool_]) -> float:
        """Return the p-value against the hypothesis that the slice is no worse than the rest.

        Fisher's exact test of the errors; Welch's of the squared errors, or that of Mann and
        Whitney where either side has less than `FEWEST_FOR_MEANS` rows.
        """
        inside, outside = self.values[members], self.values[rest]
        if self.task != "regression":
            n, errors = len(inside) + len(outside), inside.sum() + outside.sum()
            return float(fisher(inside.sum(), len(inside), errors, n))
        if np.ptp(self.values[members | rest]) == 0:
            return 1.0
        if min(len(inside), len(outside)) < FEWEST_FOR_MEANS:
            return float(stats.mannwhitneyu(inside, outside, alternative="greater").pvalue)
        test = stats.ttest_ind(inside, outside, equal_var=False, alternative="greater")
        return float(test.pvalue)

    def gap(self, members: NDArray[np.bool_], rest: NDArray[np.bool_], condition: str) -> Measure:
        """Return by how much the slice is worse: a difference of rates, or of mean losses."""
        inside, outside = self.values[members], self.values[rest]
        if self.task != "regression":
            rate, rest_rate = (proportion("", int(x.sum()), len(x)) for x in (inside, outside))
            gap = difference(rate, rest_rate, "error rate minus that of the rest")
            return gap.model_copy(update={"n": len(inside), "slice": condition})
        name, gap_of_means = (
            "mean squared error minus that of the rest",
            inside.mean() - outside.mean(),
        )
        if min(len(inside), len(outside)) < 2:  # one row has no spread
            return Measure(
                name=name,
                value=float(gap_of_means),
                n=len(inside),
                unit="coefficient",
                slice=condition,
            )
        interval = stats.ttest_ind(inside, outside, equal_var=False).confidence_interval(0.95)
        return Measure(
            name=name,
            value=float(gap_of_means),
            lower=float(interval.low),
            upper=float(interval.high),
            n=len(inside),
            method="Welch",
            unit="coefficient",
            slice=condition,
        )


def loss_of(instance: InstanceRecord) -> float:
    """Return 1 for a wrong prediction and 0 for a right one, or the squared error of a number."""
    labels = instance.labels or ()
    if instance.predictions is not None:
        return float({prediction.label for prediction in instance.predictions} != set(labels))
    if instance.probability is None:
        return (float(labels[0]) - instance.scores[0]) ** 2
    return float(not instance.right)


def compare_with_rest(
    losses: Losses, slices: Sequence[Slice], among: NDArray[np.bool_], *, from_search: bool
) -> list[TestedSlice]:
    """Return the slices against the rest of some rows, p-values adjusted for their number."""
    sides = [(s.members & among, ~s.members & among) for s in slices]
    p_values = np.array([losses.p_value(*side) for side in sides])
    n_tests = len(slices)
    if from_search:
        p_values = benjamini_hochberg(p_values)
    else:
        least = [_least_p_value(losses, *side) for side in sides]
        p_values, n_tests = holm_where_testable(p_values, least, LEVEL)
    return [
        TestedSlice(
            slice=s,
            from_search=from_search,
            measure=losses.measure(inside, s.condition),
            rest=losses.measure(rest, f"not {s.condition}"),
            gap=losses.gap(inside, rest, s.condition),
            p_value=float(p_value),
            sides=(inside, rest),
            accuracy_found=accuracy_found(
                int(inside.sum()), int(losses.values[rest].sum()), int(rest.sum()), n_tests
            )
            if losses.task != "regression"
            else None,
        )
        for s, (inside, rest), p_value in zip(slices, sides, p_values, strict=True)
    ]


def _least_p_value(losses: Losses, members: NDArray[np.bool_], rest: NDArray[np.bool_]) -> float:
    """Return the p-value if as many errors as can be lay in the slice; 0 where it is not known."""
    if losses.task == "regression":
        return 0.0
    n, of_all, errors = members.sum(), (members | rest).sum(), losses.values[members | rest].sum()
    return float(fisher(min(n, errors), n, errors, of_all))


def accuracy_found(n: int, rest_errors: int, rest: int, n_tests: int) -> float | None:
    """Return the accuracy of a slice up to which it is reported in 80 % of audits.

    It is reported if Fisher's p is at most `LEVEL`, adjusted for the number of tests, and the whole
    interval of the gap lies above `SMALLEST_GAP`. The rest is taken as it is.

    Returns
    -------
    float or None
        The accuracy; None if even a slice without a right answer would not be reported.
    """
    level = LEVEL / max(1, n_tests)
    share = detectable_beside(n, rest_errors, rest, level, SMALLEST_GAP)
    return None if share is None else 1 - share


def worst_first(measure: Measure) -> tuple[float, str]:
    """Return a key that sorts by the worst bound: the lowest accuracy, or the highest loss."""
    bound = measure.upper if measure.unit == "coefficient" else measure.lower
    if bound is None:
        return np.inf, measure.slice
    return -bound if measure.unit == "coefficient" else bound, measure.slice


def judge_tests(tests: Sequence[TestedSlice], losses: Losses, smallest: int) -> list[TestedSlice]:
    """Return the slices with the reason why one is not reported as worse, the worst gap first.

    One is reported if it is significantly worse, also without the rows of those before it. What a
    search found must leave at least `smallest` rows on both sides then.
    """
    judged: list[TestedSlice] = []
    explained = np.zeros(len(losses.values), dtype=bool)
    for test in sorted(tests, key=lambda test: (-(test.gap.lower or 0), test.slice.condition)):
        reason = _reason_by_itself(test, losses)
        if not reason and explained.any():
            members, rest = test.slice.members & ~explained, ~test.slice.members & ~explained
            fewest = smallest if test.from_search else 1
            if min(members.sum(), rest.sum()) < fewest or losses.p_value(members, rest) > LEVEL:
                reason = "the errors are those of a slice above"
        if not reason:
            explained |= test.slice.members
        judged.append(replace(test, reason=reason))
    return judged


def _reason_by_itself(test: TestedSlice, losses: Losses) -> str:
    """Return why a slice alone is not reported as worse; empty if it is."""
    gap, bar = test.gap, _smallest_gap(losses)
    if gap.upper is not None and gap.upper <= bar:
        is_better = gap.upper < 0
        return "the model is better here" if is_better else "the gap is too small to matter"
    if test.p_value > LEVEL:
        return Sentence("p {p:.2g}, limit {limit}", p=test.p_value, limit=LEVEL)
    if (gap.lower or 0) <= bar:
        if losses.task == "regression":
            return Sentence("the gap may be less than {limit:.3g}", limit=bar)
        return Sentence("the gap may be less than {limit:points}", limit=bar)
    if not _holds_where_answered(test, losses):
        return "only rows without an answer make it worse"
    return ""


def _holds_where_answered(test: TestedSlice, losses: Losses) -> bool:
    """Tell whether a slice is worse on the rows alone that the model answered."""
    if not losses.n_unanswered:
        return True
    inside, rest = (side & losses.has_answer for side in test.sides)
    if not inside.any() or not rest.any() or losses.p_value(inside, rest) > LEVEL:
        return False
    return (losses.gap(inside, rest, "").lower or 0) > _smallest_gap(losses)


def _smallest_gap(losses: Losses) -> float:
    if losses.task == "regression":
        return SMALLEST_SHARE * float(losses.values.mean())
    return SMALLEST_GAP
