"""DeepLIFT (Shrikumar, Greenside and Kundaje 2017) with the rescale rule."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from explain.adapters import TextClassifier
from explain.adapters.base import ModuleClassifier
from explain.attribution.methods.base import Estimate, relative_gap
from explain.attribution.methods.gradients import (
    Baseline,
    GradientExplainer,
    Paths,
    per_row,
    quiet_captum,
    with_hook,
)
from explain.engine import Outcome
from explain.errors import CapabilityError
from explain.record import Diagnostics

if TYPE_CHECKING:
    import torch

__all__ = ["DeepLift"]

LARGEST_GAP = 0.05
"""Completeness gap over which the model has activations that captum's rules do not reach."""


@dataclass(frozen=True, slots=True)
class DeepLift(GradientExplainer):
    """The difference to a baseline, passed back through each activation by the rescale rule.

    captum's ``DeepLift``. Its rules hold for activations that are modules (``torch.nn.ReLU``,
    ``Tanh``, ``Sigmoid``, ``Softmax``, max pooling ...); what a model computes by functions
    (attention, GELU, layer norms) is passed back by the plain gradient, and then the values do not
    sum to F(x) - F(baseline). ``relative_gap`` says by how much they miss it, ``complete`` whether
    that is at most 5 %: for transformers it seldom is. A module that a model calls several times
    would mix up its differences, and is refused.

    Parameters
    ----------
    baseline : {"auto", "mask", "pad", "mean", "zero"}
        Vector that the text is compared with, as for integrated gradients.
    """

    name: ClassVar[str] = "deep_lift"
    title: ClassVar[str] = "DeepLift"
    efficient: ClassVar[bool] = True

    baseline: Literal["auto", "mask", "pad", "mean", "zero"] = "auto"

    @property
    def start(self) -> Baseline:
        """What each token of a feature is compared with."""
        return self.baseline

    def removal(self, model: TextClassifier) -> str:
        """Return the baseline.

        Raises
        ------
        CapabilityError
            If the model has no gradients, no such token, does not show its modules, or calls an
            activation several times.
        """
        baseline = GradientExplainer.removal(self, model)
        _network(model)
        return baseline

    def estimates(self, paths: Paths) -> Iterable[Outcome[Estimate]]:
        """Return the estimate of each row of a batch, with the number of gradients it took."""
        import torch
        from captum.attr import DeepLift as Captum

        network = _network(paths.model)
        captum = Captum(_as_module(paths, network))
        # One text at a time: a model may take texts of several lengths in turns.
        for row in range(len(paths.requests)):
            with quiet_captum():
                products = captum.attribute(
                    tuple(v.requires_grad_() for v in paths.at([(row, 1.0)])),
                    baselines=paths.at([(row, 0.0)]),
                    additional_forward_args=(torch.tensor([row]),),
                )
            (tokens,) = per_row([layer.double().sum(-1) for layer in products])
            values = paths.onto_features(row, tokens)
            gap = relative_gap(values, float(paths.full[row] - paths.empty[row]))
            yield Outcome(
                Estimate(
                    values,
                    empty_value=float(paths.empty[row]),
                    full_value=float(paths.full[row]),
                    diagnostics=Diagnostics(
                        gradients=1,
                        relative_gap=gap,
                        complete=gap <= LARGEST_GAP,
                        ended_by="exact",
                    ),
                ),
                1,
            )


def _network(model: TextClassifier) -> "torch.nn.Module":
    if not isinstance(model, ModuleClassifier):
        raise CapabilityError(
            f"{model.name} does not show its modules, which DeepLIFT follows; "
            "use integrated_gradients"
        )
    _check_calls(model)
    return model.network


def _as_module(paths: Paths, network: "torch.nn.Module") -> "torch.nn.Module":
    """Return F of vectors as a module that holds the model, as captum wants it."""
    import torch

    class Scores(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *arguments: torch.Tensor) -> torch.Tensor:
            return paths.forward(*arguments)

    return Scores().train(network.training)


def _check_calls(model: ModuleClassifier) -> None:
    """Check that each activation that captum follows is called once, whatever the text.

    Raises
    ------
    CapabilityError
        If one is called several times.
    """
    import torch
    from captum.attr._core.deep_lift import SUPPORTED_NON_LINEAR

    calls: Counter[torch.nn.Module] = Counter()

    def count_call(module: "torch.nn.Module", *_: Any) -> None:
        calls[module] += 1

    modules = model.network.named_modules()
    names = {m: name for name, m in modules if type(m) in SUPPORTED_NON_LINEAR}
    with torch.no_grad(), with_hook(names, count_call):
        model.differentiable_scores(model.encode(["."]).inputs)
    if repeated := [module for module, n in calls.items() if n > 1]:
        raise CapabilityError(
            f"{model.name} calls its {type(repeated[0]).__name__} {names[repeated[0]]!r} "
            f"{calls[repeated[0]]} times, which DeepLIFT cannot follow: give each place a module "
            "of its own, or use integrated_gradients"
        )
