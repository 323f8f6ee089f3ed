"""Numbers with their intervals, tables and figures."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from explain.record.base import Record, Unit
from explain.record.sentences import Estimate, Sentence, SentenceLike, fields_of

__all__ = [
    "Cell",
    "ConfusionFigure",
    "Figure",
    "HistogramFigure",
    "InstanceLink",
    "IntervalsFigure",
    "Measure",
    "MetricSpec",
    "ReliabilityBin",
    "ReliabilityFigure",
    "RiskCoverageFigure",
    "RiskPoint",
    "Table",
]


class Measure(Estimate):
    """One statistic with its interval and the number of instances behind it."""

    name: SentenceLike
    """What is measured, in a reader's words: ``accuracy``, ``recall of positive``."""
    method: SentenceLike | None = None
    """How the interval was made: ``Wilson``, ``BCa bootstrap, 2,000 resamples``; None if none."""
    slice: str = "all"
    """Which instances: ``all``, or a condition on them such as ``language = de``."""
    metric: str | None = None
    """Id of the metric, as its check declares it: ``performance.accuracy``; None if it is none."""

    @property
    def of(self) -> dict[str, str]:
        """What the metric is of, as its name states it: ``{"label": "positive"}``."""
        if not isinstance(self.name, Sentence):
            return {}
        return {field: str(self.name.values[field]) for field in fields_of(self.name.template)}

    def distance_from(self, bar: float) -> float:
        """Return how far the whole interval lies from a value, 0 where it holds the value.

        Without an interval the estimate is no certainty: 0.
        """
        if self.lower is None or self.upper is None:
            return 0.0
        return max(self.lower - bar, bar - self.upper, 0.0)

    def measures(self, metric: str, slice: str, of: Mapping[str, str]) -> bool:
        """Tell whether this is that metric, of that, on those instances."""
        return (self.metric, self.slice, self.of) == (metric, slice, of)


class MetricSpec(Record):
    """A metric as its check declares it, so that criteria, exports and comparisons can ask for it.

    What is measured under the title of a spec bears its id.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9_]+\.[a-z0-9_]+$")]
    """What users write: ``performance.recall``."""
    title: str
    """What readers see, with a field for each thing that it is of: ``recall of {label}``."""
    unit: Unit = "proportion"
    low: float | None = 0.0
    """The lowest value that it can have; None if there is none."""
    high: float | None = 1.0
    """The highest value that it can have; None if there is none."""
    better: Literal["higher", "lower"] | None = None
    """Which way a model improves; None if neither is better."""
    counts_failures: bool = True
    """Whether a row without an answer counts as wrong; otherwise it is left out."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of what it is of."""
        return fields_of(self.title)

    def name(self, **of: str) -> str:
        """Return the name of a measure of this metric."""
        return Sentence(self.title, **of) if of else self.title


class InstanceLink(Record):
    """A way from a number to an instance behind it."""

    instance: str
    """Id of an instance of the record."""


Cell: TypeAlias = Measure | InstanceLink | SentenceLike | int | float | None
"""One cell of a table."""


class Table(Record):
    """Rows of cells under named columns."""

    title: SentenceLike
    columns: tuple[SentenceLike, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: SentenceLike | None = None
    """A sentence on how to read the table."""

    def with_measures(self, transform: Callable[[Measure], Measure]) -> Self:
        """Return the table with each measure in its cells changed."""
        rows = (
            tuple(transform(cell) if isinstance(cell, Measure) else cell for cell in row)
            for row in self.rows
        )
        return self.model_copy(update={"rows": tuple(rows)})


class IntervalsFigure(Record):
    """Estimates with their intervals on one axis (a forest plot)."""

    kind: Literal["intervals"] = "intervals"
    title: SentenceLike
    description: SentenceLike
    """What the figure shows, for who cannot see it."""
    measures: tuple[Measure, ...]
    reference: float | None = None
    """Where a line is drawn across all rows: a threshold, the overall value, zero."""
    reference_label: SentenceLike | None = None

    def with_measures(self, transform: Callable[[Measure], Measure]) -> Self:
        """Return the figure with each measure changed."""
        return self.model_copy(update={"measures": tuple(map(transform, self.measures))})


class ConfusionFigure(Record):
    """Counts of given against predicted labels."""

    kind: Literal["confusion"] = "confusion"
    title: SentenceLike
    description: SentenceLike
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    """``counts[i][j]``: rows with given label i that the model calls j."""

    @model_validator(mode="after")
    def _is_square(self) -> Self:
        if {len(self.counts), *map(len, self.counts)} != {len(self.labels)}:
            raise ValueError(f"counts are no square of {len(self.labels)} labels")
        return self


class HistogramFigure(Record):
    """Counts in neighbouring bins."""

    kind: Literal["histogram"] = "histogram"
    title: SentenceLike
    description: SentenceLike
    edges: tuple[float, ...]
    """Ends of the bins, ascending, one more than `counts`."""
    counts: tuple[int, ...]
    axis: SentenceLike
    """What the bins measure, with its unit."""

    @model_validator(mode="after")
    def _has_bins(self) -> Self:
        if len(self.edges) != len(self.counts) + 1 or any(a >= b for a, b in pairwise(self.edges)):
            raise ValueError("edges must ascend and be one more than the counts")
        return self


class ReliabilityBin(Record):
    """Answers of about equal confidence."""

    confidence: float
    """Their mean confidence."""
    accuracy: Measure
    """Share of them that are right."""
    null_low: float
    """Where the accuracy of a calibrated model would start to lie, in 95 % of tables like it."""
    null_high: float
    """Where it would end."""


class ReliabilityFigure(Record):
    """Accuracy against confidence, with what chance gives a calibrated model."""

    kind: Literal["reliability"] = "reliability"
    title: SentenceLike
    description: SentenceLike
    bins: tuple[ReliabilityBin, ...]
    """The least confident first."""

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if any(a.confidence > b.confidence for a, b in pairwise(self.bins)):
            raise ValueError("the bins must be in the order of their confidence")
        return self


class RiskPoint(Record):
    """The most confident answers to a share of the rows."""

    share: float
    """Share of the rows."""
    risk: Measure
    """Share of these answers that are wrong."""


class RiskCoverageFigure(Record):
    """Wrong answers against the share of rows that is answered, the most confident first."""

    kind: Literal["risk_coverage"] = "risk_coverage"
    title: SentenceLike
    description: SentenceLike
    points: tuple[RiskPoint, ...]
    """From the smallest share to all rows."""

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if any(a.share >= b.share for a, b in pairwise(self.points)):
            raise ValueError("the points must be in the order of their shares")
        return self


Figure: TypeAlias = Annotated[
    IntervalsFigure | ConfusionFigure | HistogramFigure | ReliabilityFigure | RiskCoverageFigure,
    Field(discriminator="kind"),
]
