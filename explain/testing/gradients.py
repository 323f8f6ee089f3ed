"""Checks of a classifier that can be differentiated."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explain.adapters import GradientClassifier, TextClassifier
from explain.attribution.methods.gradients import with_hook
from explain.testing.subject import Fault, NotApplicable, Subject
from explain.text.spans import Text

if TYPE_CHECKING:
    import torch

__all__ = ["CHECKS", "half_precision"]

STEPS = (0.1, 0.02, 0.004)
"""How far a token is moved, relative to the length of its vector. The smallest gap counts: float32
rounds the difference of two scores, so that a small step is noise, and a large one may cross the
kink of a ReLU. No step agrees with a gradient that is wrong."""

LARGEST_GAP = 0.02
"""Largest gap between the gradient and finite differences, relative to the largest of them; 0.002
is seen for trained models in float32."""

FEW = 2
"""Texts that are differentiated: of two that differ one is padded."""

POSITIONS = 8
"""Tokens of a text that are moved, one at a time."""


def gradient_scores(subject: Subject) -> str:
    """Check that scores with gradients are the scores of `predict`."""
    import torch

    model = _differentiable(subject)
    predicted = subject.rows[:FEW]
    with torch.no_grad():
        scores = model.differentiable_scores(model.encode(subject.texts[:FEW]).inputs)
    if tuple(scores.shape) != predicted.shape:
        raise Fault(f"scores have shape {tuple(scores.shape)}, expected {predicted.shape}")
    return subject.require_equal(
        scores.double().cpu().numpy(),
        predicted,
        "differentiable_scores and predict answer differently: return the same scores from both",
    )


def gradients(subject: Subject) -> str:
    """Check that the gradient for the vector of a token is what finite differences say it is."""
    model = _differentiable(subject)
    if (precision := half_precision(model)) is not None:
        raise NotApplicable(
            f"finite differences need float32; the weights round at {precision:.1g}"
        )
    if not model.embeddings:
        raise Fault("the model names no embedding layer; return all that turn ids into vectors")
    gaps = [
        min(_relative_gap(*_slopes(model, text, layer, step)) for step in STEPS)
        for text in subject.texts[:FEW]
        for layer in model.embeddings
    ]
    figures = f"relative gap to finite differences {max(gaps):.2g}, at most {LARGEST_GAP}"
    if not max(gaps) <= LARGEST_GAP:
        raise Fault(f"{figures}; let gradients flow from the embeddings to the scores unchanged")
    return figures


def half_precision(model: TextClassifier) -> float | None:
    """Return the rounding of the weights if they have fewer bits than float32."""
    try:
        if not isinstance(model, GradientClassifier):
            return None
        import torch

        coarsest = max(
            torch.finfo(weight.dtype).eps
            for layer in model.embeddings
            for weight in layer.parameters()
        )
    except Exception:
        # What is wrong with the embeddings is what the check of the gradients says.
        return None
    return coarsest if coarsest > torch.finfo(torch.float32).eps else None


def _differentiable(subject: Subject) -> GradientClassifier:
    if not isinstance(subject.model, GradientClassifier):
        raise NotApplicable("the model has no gradients")
    return subject.model


def _slopes(
    model: GradientClassifier, text: Text, layer: "torch.nn.Module", step: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the slope of the scores at several tokens, by gradient and by finite differences.

    Each token is moved in a direction of its own. Differences of two step lengths are extrapolated
    (Richardson 1911).
    """
    import torch

    inputs = model.encode([text]).inputs
    n_tokens = inputs["input_ids"].shape[1]
    moves = torch.eye(n_tokens)[np.unique(np.linspace(0, n_tokens - 1, POSITIONS).astype(int))]
    with torch.enable_grad():
        still = torch.zeros(1, n_tokens, requires_grad=True)
        (slopes,) = torch.autograd.grad(_values_after(model, inputs, layer, still).sum(), still)
    lengths = torch.tensor([step / 2, -step / 2, step, -step])
    steps = (lengths[:, None, None] * moves).flatten(0, 1)
    at_once = max(1, model.token_budget // n_tokens)
    with torch.no_grad():
        values = [_values_after(model, inputs, layer, some) for some in steps.split(at_once)]
    after_half, before_half, after, before = torch.cat(values).double().reshape(4, -1).cpu().numpy()
    by_half, by_whole = (after_half - before_half) / step, (after - before) / (2 * step)
    return (moves @ slopes[0]).double().numpy(), (4 * by_half - by_whole) / 3


def _values_after(
    model: GradientClassifier,
    inputs: "dict[str, torch.Tensor]",
    layer: "torch.nn.Module",
    steps: "torch.Tensor",
) -> "torch.Tensor":
    """Return weighted sums of the scores, each after the vectors of all tokens were moved.

    Parameters
    ----------
    inputs : dict of tensor
        Of one text.
    steps : tensor, shape (n_sums, n_tokens)
        How far, relative to the lengths of the vectors.
    """
    import torch

    def move(_: object, __: object, vectors: torch.Tensor) -> torch.Tensor:
        random = torch.Generator().manual_seed(0)
        directions = torch.randn(vectors.shape[1:], generator=random).to(vectors)
        lengths = vectors.detach().norm(dim=-1) / directions.norm(dim=-1)
        missing = max(0, vectors.shape[1] - steps.shape[1])
        padded_steps = torch.nn.functional.pad(steps, (0, missing))[:, : vectors.shape[1]]
        sizes = lengths * padded_steps.to(vectors)
        new_vectors: torch.Tensor = vectors + directions * sizes[..., None]
        return new_vectors

    repeated = {
        name: values.expand(len(steps), *values.shape[1:]) for name, values in inputs.items()
    }
    with with_hook([layer], move):
        scores = model.differentiable_scores(repeated).double()
    # Weights that differ, since the scores of all labels may well sum to a constant.
    values: torch.Tensor = scores @ torch.arange(1, scores.shape[1] + 1).to(scores)
    return values


def _relative_gap(slopes: NDArray[np.float64], numeric: NDArray[np.float64]) -> float:
    largest = max(abs(slopes).max(), abs(numeric).max())
    if largest == 0:
        raise Fault("moving the vectors of a text moves no score; name the layers that are read")
    return float(abs(slopes - numeric).max() / largest)


CHECKS: Mapping[str, Callable[[Subject], str]] = {
    "gradient scores": gradient_scores,
    "gradients": gradients,
}
