"""GradientSHAP (Lundberg and Lee 2017): integrated gradients by random points of the path."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from explain.attribution.methods.base import Budget, Estimate, relative_gap
from explain.attribution.methods.gradients import Baseline, GradientExplainer, Paths
from explain.engine import Outcome
from explain.record import Diagnostics

__all__ = ["GradientShap"]


@dataclass(frozen=True, slots=True)
class GradientShap(GradientExplainer):
    """The mean gradient at random points between a baseline and the text, times their difference.

    The points and values of captum's ``GradientShap`` with one baseline and no noise. Their
    expectation is that of integrated gradients, to which `budget` random points are an
    approximation. The values promise their sum in expectation only; the standard errors, over the
    points, and ``relative_gap`` say how far they may be off.

    Parameters
    ----------
    baseline : {"auto", "mask", "pad", "mean", "zero"}
        Vector that the path starts from, as for integrated gradients.
    budget : int
        Random points, each of which takes a gradient.
    """

    name: ClassVar[str] = "gradient_shap"
    title: ClassVar[str] = "GradientSHAP"
    efficient: ClassVar[bool] = True

    baseline: Literal["auto", "mask", "pad", "mean", "zero"] = "auto"
    budget: Budget = 64

    @property
    def start(self) -> Baseline:
        """What each token of a feature is compared with."""
        return self.baseline

    def estimates(self, paths: Paths) -> Iterable[Outcome[Estimate]]:
        """Return the estimate of each row of a batch, with the number of gradients it took."""
        for row in range(len(paths.requests)):
            samples = self._samples(paths, row)
            values = samples.mean(axis=0)
            errors = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
            yield Outcome(
                Estimate(
                    values,
                    empty_value=float(paths.empty[row]),
                    full_value=float(paths.full[row]),
                    standard_errors=errors,
                    diagnostics=Diagnostics(
                        gradients=len(samples),
                        relative_gap=relative_gap(
                            values, float(paths.full[row] - paths.empty[row])
                        ),
                        ended_by="budget",
                    ),
                ),
                len(samples),
            )

    def _samples(self, paths: Paths, row: int) -> NDArray[np.float64]:
        """Return what each random point says, shape (budget, n_features)."""
        import torch
        from captum.attr import Saliency

        captum = Saliency(paths.forward)
        # What captum draws from numpy's global state, which other threads draw from as well.
        seed = int(paths.requests[row].rng().integers(2**32))
        points = np.random.RandomState(seed).uniform(size=self.budget)

        def work(places: Sequence[float]) -> list[NDArray[np.float64]]:
            rows = [row] * len(places)
            gradients = captum.attribute(
                tuple(v.requires_grad_() for v in paths.at([(row, t) for t in places])),
                abs=False,
                additional_forward_args=(torch.tensor(rows),),
            )
            products = paths.products(rows, gradients)
            return [paths.onto_features(row, tokens) for tokens in products]

        return np.array(paths.in_batches(points.tolist(), work))
