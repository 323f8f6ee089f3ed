"""Attribution methods: one small class each, all in one registry."""

from dataclasses import asdict
from typing import Any

from explain.attribution.hierarchy import (
    MOST_WORDS,
    RefinedEstimate,
    sentence_runs,
    sentences_then_words,
)
from explain.attribution.methods.base import (
    DEFAULT_BUDGET,
    Estimate,
    Explainer,
    PerturbationExplainer,
    WhiteBoxExplainer,
)
from explain.attribution.methods.deep_lift import DeepLift
from explain.attribution.methods.gradient_at_text import GradientL2, GradientXInput
from explain.attribution.methods.gradient_shap import GradientShap
from explain.attribution.methods.integrated_gradients import IntegratedGradients
from explain.attribution.methods.lime import Lime
from explain.attribution.methods.linear import Linear
from explain.attribution.methods.occlusion import Occlusion
from explain.attribution.methods.random import Random
from explain.attribution.methods.shap import Shap
from explain.errors import ConfigurationError
from explain.registry import make

__all__ = [
    "DEFAULT_BUDGET",
    "METHODS",
    "MOST_WORDS",
    "DeepLift",
    "Estimate",
    "Explainer",
    "GradientL2",
    "GradientShap",
    "GradientXInput",
    "IntegratedGradients",
    "Lime",
    "Linear",
    "Occlusion",
    "PerturbationExplainer",
    "Random",
    "RefinedEstimate",
    "Shap",
    "WhiteBoxExplainer",
    "make_explainer",
    "sentence_runs",
    "sentences_then_words",
    "title_of",
]

METHODS: dict[str, type[Any]] = {
    method.name: method
    for method in (
        Shap,
        Lime,
        IntegratedGradients,
        GradientXInput,
        GradientL2,
        GradientShap,
        DeepLift,
        Linear,
        Occlusion,
        Random,
    )
}
"""The registry: a method is known under its name everywhere."""


def title_of(method: str) -> str:
    """Return a method as readers see it: its title, or the name of one that the registry lacks.

    Examples
    --------
    >>> title_of("integrated_gradients"), title_of("mine")
    ('Integrated gradients', 'mine')
    """
    return str(METHODS[method].title) if method in METHODS else method


def make_explainer(method: str | Explainer, **options: object) -> Explainer:
    """Return the method of that name with the given options, or the method itself.

    Raises
    ------
    ConfigurationError
        If there is no such method, it has no such option, or a value is out of range.
    """
    if not isinstance(method, str):
        if options:
            raise ConfigurationError(
                f"{method.name} is an instance with options of its own; "
                f"set {', '.join(options)} there"
            )
        if type(method) is METHODS.get(method.name):
            return make_explainer(method.name, **asdict(method))
        return method
    explainer: Explainer = make("method", METHODS, method, options)
    return explainer
