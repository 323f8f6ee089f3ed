"""Geometry of the figures, in units of their view box: templates draw, and compute nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from typing import TypeAlias

from explain.record import (
    ConfusionFigure,
    Figure,
    HistogramFigure,
    IntervalsFigure,
    Measure,
    ReliabilityBin,
    ReliabilityFigure,
    RiskCoverageFigure,
    Sentence,
)
from reports.axes import WIDTH, Axis, axis_over
from reports.languages import OWN_FIELDS, translated_sentence
from reports.languages import translate as _
from reports.numbers import count, estimate, interval, plain, quantity
from reports.risk_coverage import (
    RiskCoverageDrawing,
    risk_coverage_drawing,
    risk_coverage_table,
)
from reports.tables import CellView, TableView, measure_cell, measures_table, table
from reports.text import shorten

__all__ = ["FigureView", "figure_view"]


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """One estimate of a forest plot."""

    label: str
    number: str
    y: int
    x: float | None
    """None if the estimate is undefined."""
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class IntervalsDrawing:
    """A forest plot."""

    width: int
    height: int
    rows: tuple[IntervalRow, ...]
    ticks: tuple[tuple[float, str], ...]
    baseline: int
    """Height of the axis."""
    reference: float | None
    reference_label: str


@dataclass(frozen=True, slots=True)
class ConfusionCell:
    """One count of a confusion matrix."""

    x: int
    y: int
    text: str
    level: int
    """Share of the row in eighths: how dark the cell is."""
    diagonal: bool


@dataclass(frozen=True, slots=True)
class ConfusionDrawing:
    """A confusion matrix."""

    width: int
    height: int
    size: int
    middle: float
    left_edge: int
    top: int
    cells: tuple[ConfusionCell, ...]
    rows: tuple[tuple[float, str], ...]
    columns: tuple[tuple[float, str], ...]
    slanted: bool
    """Whether the names of the columns are too long to stand side by side."""


@dataclass(frozen=True, slots=True)
class HistogramBar:
    """One bin of a histogram."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class HistogramDrawing:
    """A histogram."""

    width: int
    height: int
    bars: tuple[HistogramBar, ...]
    ticks: tuple[tuple[float, str], ...]
    baseline: int
    largest: str
    axis: str


@dataclass(frozen=True, slots=True)
class ReliabilityPoint:
    """One bin of a reliability diagram."""

    x: float
    y: float | None
    """None if its accuracy is undefined."""
    interval: tuple[float, float] | None
    label: str


@dataclass(frozen=True, slots=True)
class ReliabilityDrawing:
    """A reliability diagram: accuracy upwards, confidence to the right, on one scale."""

    width: int
    height: int
    left_edge: int
    right: int
    top: int
    baseline: int
    band: str
    """Corners of the band of a calibrated model, as SVG wants them."""
    points: tuple[ReliabilityPoint, ...]
    ticks: tuple[tuple[float, str], ...]
    heights: tuple[tuple[float, str], ...]
    """Ticks of the upward axis."""
    key: int
    """Where the words beside the diagram begin."""


Drawing: TypeAlias = (
    IntervalsDrawing
    | ConfusionDrawing
    | HistogramDrawing
    | ReliabilityDrawing
    | RiskCoverageDrawing
)


@dataclass(frozen=True, slots=True)
class FigureView:
    """A drawing with what says the same in words and in numbers."""

    kind: str
    title: str
    description: str
    drawing: Drawing
    table: TableView


def figure_view(figure: Figure) -> FigureView:
    """Return the geometry of a figure of a record, and the table that stands beneath it."""
    drawing: Drawing
    match figure:
        case IntervalsFigure():
            drawing, below = _intervals(figure), measures_table(figure.title, figure.measures)
        case ConfusionFigure():
            drawing, below = _confusion(figure), _confusion_table(figure)
        case HistogramFigure():
            drawing, below = _histogram(figure), _histogram_table(figure)
        case ReliabilityFigure():
            drawing, below = _reliability(figure), _reliability_table(figure)
        case RiskCoverageFigure():
            drawing, below = risk_coverage_drawing(figure), risk_coverage_table(figure)
    return FigureView(figure.kind, figure.title, figure.description, drawing, below)


def _intervals(figure: IntervalsFigure) -> IntervalsDrawing:
    top, step = 22, 23
    known = [m.value for m in figure.measures] + [m.lower for m in figure.measures]
    known += [*(m.upper for m in figure.measures), figure.reference]
    axis = axis_over([value for value in known if value is not None], 225, 475)
    baseline = top + step * len(figure.measures)
    label = figure.reference_label or ""
    names = _row_names(figure.measures)
    if figure.reference is not None:
        unit = figure.measures[0].unit if figure.measures else "coefficient"
        label = f"{label} {quantity(figure.reference, unit)}".strip()
    return IntervalsDrawing(
        width=WIDTH,
        height=baseline + 22,
        rows=tuple(
            _interval_row(measure, name, top + step * place + step // 2, axis)
            for place, (measure, name) in enumerate(zip(figure.measures, names, strict=True))
        ),
        ticks=axis.ticks(),
        baseline=baseline,
        reference=None if figure.reference is None else axis(figure.reference),
        reference_label=shorten(label, 60),
    )


def _row_names(measures: Sequence[Measure]) -> list[str]:
    """Return what tells rows apart: of one metric the slice, or what it is of; else their names."""
    names = [measure.name for measure in measures]
    if len(measures) == 1:
        return names
    if len(set(names)) == 1:
        return [measure.slice for measure in measures]
    sentences = [name for name in names if isinstance(name, Sentence)]
    if len(sentences) < len(names) or len({sentence.template for sentence in sentences}) > 1:
        return names
    fields = [field for field in measures[0].of if len({m.of[field] for m in measures}) > 1]
    return [
        _(", ").join(
            translated_sentence(measure.of[field]) if field in OWN_FIELDS else measure.of[field]
            for field in fields
        )
        for measure in measures
    ]


def _interval_row(measure: Measure, name: str, y: int, axis: Axis) -> IntervalRow:
    bounded = measure.lower is not None and measure.upper is not None
    return IntervalRow(
        label=shorten(name, 32),
        number=f"{estimate(measure)}  n {count(measure.n)}",
        y=y,
        x=None if measure.value is None else axis(measure.value),
        interval=(axis(measure.lower or 0.0), axis(measure.upper or 0.0)) if bounded else None,
    )


def _confusion(figure: ConfusionFigure) -> ConfusionDrawing:
    size, left_edge = max(12, min(64, 480 // max(len(figure.labels), 1))), 150
    readable = size >= 28
    centres = [place * size + size / 2 for place in range(len(figure.labels))]
    slanted = readable and any(shorten(name, size // 7) != name for name in figure.labels)
    width = 18 if slanted else size // 7
    names = [shorten(label, width) if readable else "" for label in figure.labels]
    top = 34 + 5 * max(map(len, names)) if slanted else 44
    return ConfusionDrawing(
        width=left_edge + size * len(figure.labels) + (100 if slanted else 0),
        height=top + size * len(figure.labels) + 4,
        size=size,
        middle=size / 2,
        left_edge=left_edge,
        top=top,
        cells=tuple(
            ConfusionCell(
                x=left_edge + size * column,
                y=top + size * row,
                text=count(number) if readable else "",
                level=round(8 * number / max(sum(counts), 1)),
                diagonal=row == column,
            )
            for row, counts in enumerate(figure.counts)
            for column, number in enumerate(counts)
        ),
        rows=tuple(
            (top + centre + 4, shorten(label, 18))
            for centre, label in zip(centres, figure.labels, strict=True)
        ),
        columns=tuple(
            (left_edge + centre, name) for centre, name in zip(centres, names, strict=True)
        ),
        slanted=slanted,
    )


def _confusion_table(figure: ConfusionFigure) -> TableView:
    return table(
        figure.title,
        (_("given label"), *(_("predicted {label}", label=label) for label in figure.labels)),
        (
            (CellView(label), *(CellView(count(number), numeric=True) for number in counts))
            for label, counts in zip(figure.labels, figure.counts, strict=True)
        ),
    )


def _histogram(figure: HistogramFigure) -> HistogramDrawing:
    top, baseline = 16, 136
    axis = Axis(figure.edges[0], figure.edges[-1], 8, WIDTH - 8)
    largest = max(figure.counts, default=0)
    heights = [round((baseline - top) * number / max(largest, 1), 1) for number in figure.counts]
    return HistogramDrawing(
        width=WIDTH,
        height=baseline + 38,
        bars=tuple(
            HistogramBar(
                axis(low), baseline - height, max(round(axis(high) - axis(low) - 1, 1), 0.5), height
            )
            for low, high, height in zip(figure.edges[:-1], figure.edges[1:], heights, strict=True)
        ),
        ticks=axis.ticks(),
        baseline=baseline,
        largest=_("most: {n}", n=largest),
        axis=shorten(figure.axis, 80),
    )


def _histogram_table(figure: HistogramFigure) -> TableView:
    return table(
        figure.title,
        (_("from"), _("to"), _("count")),
        (
            tuple(CellView(text, numeric=True) for text in (plain(low), plain(high), count(number)))
            for low, high, number in zip(
                figure.edges[:-1], figure.edges[1:], figure.counts, strict=True
            )
        ),
    )


def _reliability(figure: ReliabilityFigure) -> ReliabilityDrawing:
    left_edge, size, top = 54, 330, 10
    right, baseline = left_edge + size, top + size
    known = [end for b in figure.bins for end in (b.confidence, b.null_low, b.accuracy.lower)]
    low = floor(10 * min((end for end in known if end is not None), default=0.0)) / 10
    low = min(low, 0.9)
    across, up = Axis(low, 1.0, left_edge, right), Axis(low, 1.0, baseline, top)
    return ReliabilityDrawing(
        width=WIDTH,
        height=baseline + 38,
        left_edge=left_edge,
        right=right,
        top=top,
        baseline=baseline,
        band=_band(figure.bins, across, up),
        points=tuple(_reliability_point(b, across, up) for b in figure.bins),
        ticks=across.ticks(),
        heights=up.ticks(),
        key=right + 24,
    )


def _band(bins: Sequence[ReliabilityBin], across: Axis, up: Axis) -> str:
    """Return the corners of the band, clockwise from the upper left."""
    if not bins:
        return ""
    # The first and the last bin are drawn beyond themselves, as a band of one has no width.
    bins = (bins[0], *bins, bins[-1])
    x = [across(bin.confidence) for bin in bins]
    x[0], x[-1] = round(x[0] - 3, 1), round(x[-1] + 3, 1)
    upper = [(place, up(bin.null_high)) for place, bin in zip(x, bins, strict=True)]
    lower = [(place, up(bin.null_low)) for place, bin in zip(x, bins, strict=True)]
    return " ".join(f"{place},{height}" for place, height in (*upper, *reversed(lower)))


def _reliability_point(bin: ReliabilityBin, across: Axis, up: Axis) -> ReliabilityPoint:
    accuracy = bin.accuracy
    bounded = accuracy.lower is not None and accuracy.upper is not None
    return ReliabilityPoint(
        x=across(bin.confidence),
        y=None if accuracy.value is None else up(accuracy.value),
        interval=(up(accuracy.lower or 0.0), up(accuracy.upper or 0.0)) if bounded else None,
        label=f"{estimate(accuracy)}  n {count(accuracy.n)}",
    )


def _reliability_table(figure: ReliabilityFigure) -> TableView:
    def band(bin: ReliabilityBin) -> str:
        ends = {"lower": bin.null_low, "upper": bin.null_high}
        return interval(bin.accuracy.model_copy(update=ends))

    return table(
        figure.title,
        (_("mean confidence"), _("accuracy [95 %]"), _("n"), _("a calibrated model")),
        (
            (
                CellView(quantity(bin.confidence, "proportion"), numeric=True),
                measure_cell(bin.accuracy),
                CellView(count(bin.accuracy.n), numeric=True),
                CellView(band(bin), numeric=True),
            )
            for bin in figure.bins
        ),
    )
