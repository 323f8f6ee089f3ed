"""Methods that look at the gradient at the text itself: one gradient for each text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from explain.attribution.methods.base import Estimate
from explain.attribution.methods.gradients import (
    Baseline,
    GradientExplainer,
    Paths,
    TokenValues,
    per_row,
)
from explain.engine import Outcome
from explain.record import Diagnostics

if TYPE_CHECKING:
    import torch

__all__ = ["GradientL2", "GradientXInput"]


@dataclass(frozen=True, slots=True)
class GradientXInput(GradientExplainer):
    """The gradient at the text times the vector of each token (Shrikumar et al. 2016).

    captum's ``InputXGradient``. It is the first-order effect of taking a vector to zero, so
    v(empty) is that of the features with zero vectors; the values promise no sum.
    """

    name: ClassVar[str] = "gradient_x_input"
    title: ClassVar[str] = "Gradient x input"
    efficient: ClassVar[bool] = False

    @property
    def start(self) -> Baseline:
        """What each token of a feature is compared with."""
        return "zero"

    def estimates(self, paths: Paths) -> Iterable[Outcome[Estimate]]:
        """Return the estimate of each row of a batch, with the number of gradients it took."""
        from captum.attr import InputXGradient

        captum = InputXGradient(paths.forward)

        def work(rows: Sequence[int]) -> list[TokenValues]:
            inputs, arguments = _inputs(paths, rows)
            products = captum.attribute(inputs, additional_forward_args=arguments)
            return per_row([layer.double().sum(-1) for layer in products])

        return _estimates(paths, paths.in_batches(range(len(paths.requests)), work))


@dataclass(frozen=True, slots=True)
class GradientL2(GradientExplainer):
    """The length of the gradient with respect to the vector of each token.

    captum's ``Saliency``, its L2 norm over the dimensions of a vector. The values are unsigned:
    they tell how much a feature matters, not whether it speaks for the target, and promise no sum.
    The lengths of the tokens of a feature are added. v(empty) is that of the features with zero
    vectors, and is not what the values are measured from.
    """

    name: ClassVar[str] = "gradient_l2"
    title: ClassVar[str] = "Gradient L2 norm"
    efficient: ClassVar[bool] = False
    signed: ClassVar[bool] = False

    @property
    def start(self) -> Baseline:
        """What each token of a feature is compared with."""
        return "zero"

    def estimates(self, paths: Paths) -> Iterable[Outcome[Estimate]]:
        """Return the estimate of each row of a batch, with the number of gradients it took."""
        from captum.attr import Saliency

        captum = Saliency(paths.forward)

        def work(rows: Sequence[int]) -> list[TokenValues]:
            inputs, arguments = _inputs(paths, rows)
            gradients = captum.attribute(inputs, abs=False, additional_forward_args=arguments)
            return per_row([layer.double().norm(dim=-1) for layer in gradients])

        return _estimates(paths, paths.in_batches(range(len(paths.requests)), work))


def _inputs(
    paths: Paths, rows: Sequence[int]
) -> "tuple[tuple[torch.Tensor, ...], tuple[torch.Tensor]]":
    """Return the vectors of some texts, and what `Paths.forward` takes besides."""
    import torch

    vectors = tuple(layer[[*rows]].requires_grad_() for layer in paths.inputs)
    return vectors, (torch.tensor(rows),)


def _estimates(paths: Paths, values_of_rows: Sequence[TokenValues]) -> list[Outcome[Estimate]]:
    return [
        Outcome(
            Estimate(
                paths.onto_features(row, tokens),
                empty_value=float(paths.empty[row]),
                full_value=float(paths.full[row]),
                diagnostics=Diagnostics(gradients=1, ended_by="exact"),
            ),
            1,
        )
        for row, tokens in enumerate(values_of_rows)
    ]
