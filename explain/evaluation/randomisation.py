"""Parameter randomisation: whether an attribution depends on what the model has learnt.

The sanity check of Adebayo et al. 2018 (arXiv:1810.03292): an explanation that looks the same for a
model of random parameters explains the text, not the model. The random model is a copy in which the
numbers of each parameter tensor are permuted; that keeps the architecture, and the distribution of
the numbers layer by layer. It is just another classifier, so every method can be asked about it.
"""

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

from explain.adapters import TextClassifier
from explain.adapters.base import ModuleClassifier
from explain.adapters.failures import first_line
from explain.attribution import AttributionSettings, attribute_batch, make_requests
from explain.attribution.methods import Explainer
from explain.engine import Engine
from explain.errors import CapabilityError, ExplainError
from explain.evaluation.agreement import common_values, rank_correlation
from explain.record import Attribution, NotMeasured
from explain.text.spans import text_of

if TYPE_CHECKING:
    import torch

__all__ = ["randomised", "resemblances"]


def randomised(model: TextClassifier, seed: int) -> ModuleClassifier:
    """Return a copy of the model in which the numbers of each parameter are permuted.

    Parameters
    ----------
    model : TextClassifier
        The model; it stays as it is.
    seed : int
        Seed of the permutations.

    Raises
    ------
    CapabilityError
        If its parameters are not known, or it cannot be copied.
    """
    if not isinstance(model, ModuleClassifier):
        raise CapabilityError(f"{model.name} shows no parameters that could be permuted")
    import torch

    try:
        twin = copy.deepcopy(model)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in twin.network.parameters():
                _permute(parameter, generator)
    except Exception as error:
        raise CapabilityError(f"{model.name} cannot be copied: {first_line(error)}") from error
    return twin


def resemblances(
    engine: Engine,
    explainer: Explainer,
    attributions: Sequence[Attribution],
    setting: AttributionSettings,
) -> list[tuple[float, int]] | NotMeasured:
    """Return how much each attribution resembles that of a randomised model, or why none does.

    Parameters
    ----------
    engine : Engine
        The way to the randomised model.
    explainer : Explainer
        The method.
    attributions : sequence of Attribution
        What the method says of the model itself.
    setting : AttributionSettings
        Masker and seed of the audit.

    Returns
    -------
    list of (float, int) or NotMeasured
        Kendall's tau-b of the values for the same label, and the number of features it rests on;
        texts on which it is undefined are left out.
    """
    texts = [text_of(a.parts) for a in attributions]
    posed = make_requests(engine, texts, setting, [a.target.index for a in attributions])
    asked = [
        (question, own)
        for question, own in zip(posed, attributions, strict=True)
        if not isinstance(question, ExplainError)
    ]
    try:
        outcomes = attribute_batch(engine, [question for question, _ in asked], explainer, setting)
    except CapabilityError as error:
        return NotMeasured(reason=str(error))
    found = []
    for (_, own), outcome in zip(asked, outcomes, strict=True):
        twin = outcome.value
        if isinstance(twin, Attribution) and (both := common_values(own, twin)) is not None:
            tau = rank_correlation(*both)
            found += [] if tau is None else [(tau, len(both[0]))]
    return found


def _permute(parameter: "torch.Tensor", generator: "torch.Generator") -> None:
    import torch

    order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
    parameter.copy_(parameter.flatten()[order].view_as(parameter))
