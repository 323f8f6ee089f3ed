"""Integrated gradients (Sundararajan, Taly and Yan 2017) over the embedding layers."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal, NamedTuple

import numpy as np

from explain.attribution.methods.base import (
    Budget,
    Estimate,
    Seconds,
    Tolerance,
    relative_gap,
)
from explain.attribution.methods.gradients import Baseline, GradientExplainer, Paths, TokenValues
from explain.engine import Outcome
from explain.record import Diagnostics, EndedBy

__all__ = ["IntegratedGradients"]

FIRST_PANELS = 4
"""Pieces that a path is cut into at first."""

POINTS = 4
"""Gauss-Legendre points of a panel."""

CLOCK = time.monotonic


@dataclass(frozen=True, slots=True)
class IntegratedGradients(GradientExplainer):
    """The gradient along the straight path from a baseline, times input minus baseline.

    Steps are taken where they are needed. The integral over a panel [a, b] of the path is known,
    F(b) - F(a), and so is the error of each panel: the path is cut into 4 panels of 4
    Gauss-Legendre points, and those whose errors matter are cut in two until the errors of all
    sum to less than `tolerance`. The gradients of a panel are those of captum's
    ``IntegratedGradients``; panels of many texts share a batch.

    Diagnostics: ``steps``, the points that the values rest on; ``gradients``, all that were taken;
    ``panels``; ``relative_gap``; ``converged``, whether that is within the tolerance; ``ended_by``.

    Parameters
    ----------
    baseline : {"auto", "mask", "pad", "mean", "zero"}
        Vector that the path starts from; ``auto`` is the mask token, or else the padding token,
        ``mean`` the mean of all tokens that the model knows.
    tolerance : float
        Largest completeness gap, relative to |F(x) - F(baseline)|.
    budget : int
        Gradients that may be taken for a text. Where they do not suffice, the attribution says
        that it did not converge.
    seconds : float or None
        No panel is cut later than this after the batch of the text was begun.
    """

    name: ClassVar[str] = "integrated_gradients"
    title: ClassVar[str] = "Integrated gradients"
    efficient: ClassVar[bool] = True

    baseline: Literal["auto", "mask", "pad", "mean", "zero"] = "auto"
    tolerance: Tolerance = 0.01
    budget: Budget = 512
    seconds: Seconds | None = None

    @property
    def start(self) -> Baseline:
        """What each token of a feature is compared with."""
        return self.baseline

    def estimates(self, paths: Paths) -> Iterable[Outcome[Estimate]]:
        """Return the estimate of each row of a batch, with the number of gradients it took."""
        until = None if self.seconds is None else CLOCK() + self.seconds
        points = min(POINTS, self.budget)
        first = np.linspace(0, 1, min(FIRST_PANELS, self.budget // points) + 1).tolist()
        integrals = [_Integral(paths, row) for row in range(len(paths.requests))]
        panels_of = {
            integral: [*pairwise(first)] for integral in integrals if not paths.still[integral.row]
        }
        while panels_of:
            _integrate_panels(paths, panels_of, points)
            out_of_time = until is not None and CLOCK() >= until
            panels_of = {
                integral: halves
                for integral in panels_of
                if (
                    halves := integral.cut(
                        self.tolerance, self.budget, points, out_of_time=out_of_time
                    )
                )
            }
        return [integral.outcome(self.tolerance, points) for integral in integrals]


class _Panel(NamedTuple):
    """A piece of a path: where it starts and ends, its values, and by how much their sum is off."""

    start: float
    end: float
    values: TokenValues
    error: float


class _Integral:
    """The panels of one path, and what they cost."""

    def __init__(self, paths: Paths, row: int) -> None:
        self.paths = paths
        self.row = row
        self.total = float(paths.full[row] - paths.empty[row])
        self.path_values = {0.0: float(paths.empty[row]), 1.0: float(paths.full[row])}
        self.panels: list[_Panel] = []
        self.gradients = 0
        self.ended_by: EndedBy = "exact"

    def cut(
        self, tolerance: float, budget: int, points: int, *, out_of_time: bool
    ) -> list[tuple[float, float]]:
        """Return the halves of the panels whose errors matter, none where the integral is done."""
        allowed = tolerance * abs(self.total)
        self.panels.sort(key=lambda panel: abs(panel.error))
        n_good = int((np.cumsum([abs(panel.error) for panel in self.panels]) <= allowed).sum())
        room = (budget - self.gradients) // (2 * points)
        if n_good == len(self.panels):
            self.ended_by = "tolerance"
        elif out_of_time or room == 0:
            self.ended_by = "seconds" if out_of_time else "budget"
        else:
            n_kept = max(n_good, len(self.panels) - room)
            bad, self.panels = self.panels[n_kept:], self.panels[:n_kept]
            middles = [(p.start, (p.start + p.end) / 2, p.end) for p in bad]
            return [half for a, m, b in middles for half in ((a, m), (m, b))]
        return []

    def outcome(self, tolerance: float, points: int) -> Outcome[Estimate]:
        """Return the estimate, with the number of gradients it took."""
        values = np.zeros(len(self.paths.requests[self.row].segmentation))
        if self.panels:
            layers = zip(*(panel.values for panel in self.panels), strict=True)
            values = self.paths.onto_features(
                self.row, tuple(np.sum(layer, axis=0) for layer in layers)
            )
        gap = relative_gap(values, self.total)
        estimate = Estimate(
            values,
            empty_value=float(self.paths.empty[self.row]),
            full_value=float(self.paths.full[self.row]),
            diagnostics=Diagnostics(
                steps=points * len(self.panels),
                gradients=self.gradients,
                panels=len(self.panels),
                converged=gap <= tolerance,
                relative_gap=gap,
                ended_by=self.ended_by,
            ),
        )
        return Outcome(estimate, self.gradients)


def _integrate_panels(
    paths: Paths, panels_of: dict[_Integral, list[tuple[float, float]]], points: int
) -> None:
    """Take the gradients of the panels that are asked for, in batches of all texts."""
    ends = [
        (integral, t)
        for integral, ranges in panels_of.items()
        for t in sorted({t for range_ in ranges for t in range_} - set(integral.path_values))
    ]
    for (integral, t), value in zip(
        ends, paths.values([(integral.row, t) for integral, t in ends]), strict=True
    ):
        integral.path_values[t] = float(value)
    panels = [(integral, *range_) for integral, ranges in panels_of.items() for range_ in ranges]
    values_of = panel_values(paths, [(i.row, start, end) for i, start, end in panels], points)
    for (integral, start, end), values in zip(panels, values_of, strict=True):
        increase = integral.path_values[end] - integral.path_values[start]
        error = float(sum(layer.sum() for layer in values)) - increase
        integral.panels.append(_Panel(start, end, values, error))
        integral.gradients += points


def panel_values(
    paths: Paths, panels: Sequence[tuple[int, float, float]], points: int
) -> list[TokenValues]:
    """Return the integral over each panel (row, start, end), one value per token."""
    import torch
    from captum.attr import IntegratedGradients as Captum

    # The product with input - baseline is ours: it is exact where the panel is small.
    captum = Captum(paths.forward, multiply_by_inputs=False)

    def work(batch: Sequence[tuple[int, float, float]]) -> list[TokenValues]:
        rows = [row for row, _, _ in batch]
        gradients = captum.attribute(
            paths.at([(row, end) for row, _, end in batch]),
            baselines=paths.at([(row, start) for row, start, _ in batch]),
            additional_forward_args=(torch.tensor(rows),),
            n_steps=points,
            method="gausslegendre",
        )
        return [
            tuple((end - start) * layer for layer in layers)
            for (_, start, end), layers in zip(batch, paths.products(rows, gradients), strict=True)
        ]

    return paths.in_batches(panels, work, points)
