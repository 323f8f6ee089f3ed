"""Numbers with their intervals, tables and figures."""

from itertools import pairwise
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from explain.record.base import Record, Unit

__all__ = [
    "Cell",
    "ConfusionFigure",
    "Figure",
    "HistogramFigure",
    "InstanceLink",
    "IntervalsFigure",
    "Measure",
    "ReliabilityBin",
    "ReliabilityFigure",
    "Table",
]


class Measure(Record):
    """One statistic with its interval and the number of instances behind it."""

    name: str
    """What is measured, in a reader's words: ``accuracy``, ``recall of 'positive'``."""
    value: float | None
    """The estimate; None where it is undefined (no row, say)."""
    lower: float | None = None
    """Lower end of the 95 % interval, in the unit of `value`."""
    upper: float | None = None
    """Upper end of the 95 % interval, in the unit of `value`."""
    n: int
    """Number of instances that the estimate rests on."""
    method: str | None = None
    """How the interval was made: ``Wilson``, ``BCa bootstrap, 2,000 resamples``; None if none."""
    unit: Unit = "proportion"
    """Unit of `value`, `lower` and `upper`; log-odds are natural logarithms."""
    slice: str = "all"
    """Which instances: ``all``, or a condition on them such as ``language = de``."""


class InstanceLink(Record):
    """A way from a number to an instance behind it."""

    instance: str
    """Id of an instance of the record."""


Cell: TypeAlias = Measure | InstanceLink | str | int | float | None
"""One cell of a table."""


class Table(Record):
    """Rows of cells under named columns."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str | None = None
    """A sentence on how to read the table."""


class IntervalsFigure(Record):
    """Estimates with their intervals on one axis (a forest plot)."""

    kind: Literal["intervals"] = "intervals"
    title: str
    description: str
    """What the figure shows, for who cannot see it."""
    measures: tuple[Measure, ...]
    reference: float | None = None
    """Where a line is drawn across all rows: a threshold, the overall value, zero."""
    reference_label: str | None = None


class ConfusionFigure(Record):
    """Counts of given against predicted labels."""

    kind: Literal["confusion"] = "confusion"
    title: str
    description: str
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
    title: str
    description: str
    edges: tuple[float, ...]
    """Ends of the bins, ascending, one more than `counts`."""
    counts: tuple[int, ...]
    axis: str
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
    title: str
    description: str
    bins: tuple[ReliabilityBin, ...]
    """The least confident first."""

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if any(a.confidence > b.confidence for a, b in pairwise(self.bins)):
            raise ValueError("the bins must be in the order of their confidence")
        return self


Figure: TypeAlias = Annotated[
    IntervalsFigure | ConfusionFigure | HistogramFigure | ReliabilityFigure,
    Field(discriminator="kind"),
]
