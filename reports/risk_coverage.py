"""Geometry of the risk-coverage curve: wrong answers upwards, share of rows to the right."""

from dataclasses import dataclass

from explain.record import RiskCoverageFigure
from reports.axes import WIDTH, Axis
from reports.languages import translate as _
from reports.numbers import count, estimate, quantity
from reports.tables import CellView, TableView, measure_cell, table

__all__ = ["RiskCoverageDrawing", "risk_coverage_drawing", "risk_coverage_table"]


@dataclass(frozen=True, slots=True)
class RiskCoveragePoint:
    """One point of the curve."""

    x: float
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class RiskCoverageDrawing:
    """A risk-coverage curve."""

    width: int
    height: int
    left_edge: int
    right: int
    top: int
    baseline: int
    band: str
    """Corners of the band of the intervals, as SVG wants them."""
    line: str
    """Places of the curve, as SVG wants them."""
    points: tuple[RiskCoveragePoint, ...]
    overall: float | None
    """Height of the share of wrong answers of all rows; None if there are none."""
    ticks: tuple[tuple[float, str], ...]
    heights: tuple[tuple[float, str], ...]
    """Ticks of the upward axis."""


def risk_coverage_drawing(figure: RiskCoverageFigure) -> RiskCoverageDrawing:
    """Return the geometry of a curve."""
    left_edge, top, baseline, right = 54, 14, 254, WIDTH - 20
    known = [point for point in figure.points if point.risk.value is not None]
    ends = [point.risk.upper or point.risk.value or 0.0 for point in known]
    across = Axis(0.0, 1.0, left_edge, right)
    up = Axis(0.0, max([0.05, *ends]), baseline, top)
    points = tuple(
        RiskCoveragePoint(
            across(point.share),
            up(point.risk.value or 0.0),
            f"{quantity(point.share, 'proportion')}: {estimate(point.risk)}",
        )
        for point in known
    )
    upper = [f"{across(p.share)},{up(p.risk.upper or 0.0)}" for p in known]
    lower = [f"{across(p.share)},{up(p.risk.lower or 0.0)}" for p in reversed(known)]
    return RiskCoverageDrawing(
        width=WIDTH,
        height=baseline + 38,
        left_edge=left_edge,
        right=right,
        top=top,
        baseline=baseline,
        band=" ".join((*upper, *lower)),
        line=" ".join(f"{point.x},{point.y}" for point in points),
        points=points,
        overall=points[-1].y if points else None,
        ticks=across.ticks(),
        heights=up.ticks(),
    )


def risk_coverage_table(figure: RiskCoverageFigure) -> TableView:
    """Return the numbers of a curve."""
    return table(
        figure.title,
        (_("most confident"), _("wrong answers [95 %]"), _("n")),
        (
            (
                CellView(quantity(point.share, "proportion"), numeric=True),
                measure_cell(point.risk),
                CellView(count(point.risk.n), numeric=True),
            )
            for point in figure.points
        ),
    )
