"""Known values of methods of gradients: a function of the vectors of the tokens, in closed form.

The score is the sum over tokens of h(u e) with e the vector of a token, u a random direction and
h(x) = x + x^2 / 2, in units in which the u e of the texts vary by one. Each token stands for
itself, and the gradient changes along the path. With x = u e and x0 = u e0 of the baseline, a path
method gives h(x) - h(x0), the gradient times the input h'(x) x, and the length of the gradient
|h'(x)| |u|. The vectors are those of the user's own model, and so are its tokens and their places.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explain.adapters import Encoding, GradientClassifier, Scores
from explain.attribution.methods import (
    Explainer,
    GradientL2,
    GradientShap,
    GradientXInput,
    IntegratedGradients,
)
from explain.errors import CapabilityError
from explain.evaluation.unanimity import no_closed_form
from explain.record import Attribution, Task
from explain.text.spans import Span, Text, text_of

if TYPE_CHECKING:
    import torch

__all__ = ["KnownVectors"]

FloatArray = NDArray[np.float64]


class KnownVectors:
    """A model that adds up a known function of the vectors of its tokens.

    Parameters
    ----------
    model : GradientClassifier
        The user's model, for its tokens and the vectors of its first embedding layer.
    texts : sequence of str or pair of str
        Texts that are to be explained.
    rng : numpy.random.Generator
        Source of the direction.
    """

    def __init__(
        self, model: GradientClassifier, texts: Sequence[Text], rng: np.random.Generator
    ) -> None:
        import torch

        self._model = model
        self.name = f"the vectors of {model.name}"
        self.labels = model.labels
        self.mask_token = model.mask_token
        self.special_tokens = model.special_tokens
        self.token_budget = model.token_budget
        with torch.no_grad():
            vectors = self._vectors(model.encode(texts).inputs).double().cpu().flatten(0, 1)
        direction = torch.from_numpy(rng.normal(size=vectors.shape[-1]))
        self._direction = direction / (float((vectors @ direction).std()) or 1.0)

    @property
    def embeddings(self) -> "tuple[torch.nn.Module, ...]":
        """The first layer, asked for anew each time: it is that of the thread that runs."""
        return self._model.embeddings[:1]

    @property
    def task(self) -> Task:
        """That of the user's model."""
        return self._model.task

    def predict(self, texts: Sequence[Text]) -> Scores:
        """Return the known function of each text in the first column, zero in the others."""
        import torch

        with torch.no_grad():
            scores = self.differentiable_scores(self.encode(texts).inputs)
        found: Scores = scores.double().cpu().numpy()
        return found

    def tokens(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        """Return those of the user's model."""
        return self._model.tokens(texts)

    def unread(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        """Return what the user's model does not read."""
        return self._model.unread(texts)

    def encode(self, texts: Sequence[Text]) -> Encoding:
        """Return the batch of the user's model, as its first embedding layer reads it."""
        encoding = self._model.encode(texts)
        return Encoding(encoding.inputs, encoding.spans[:1])

    def baseline_id(self, baseline: str) -> int:
        """Return that of the user's model."""
        return self._model.baseline_id(baseline)

    def differentiable_scores(self, inputs: "dict[str, torch.Tensor]") -> "torch.Tensor":
        """Return the same as `predict`, with gradients."""
        import torch

        x = self._vectors(inputs).double()
        x = x @ self._direction.to(x)
        summed = (x + x**2 / 2).sum(dim=1)
        return torch.nn.functional.pad(summed[:, None], (0, len(self.labels) - 1))

    def truth(self, attribution: Attribution, explainer: Explainer) -> FloatArray:
        """Return the values that a method should give, shape (n_features,).

        Raises
        ------
        CapabilityError
            If there is no closed form.
        """
        import torch

        encoding = self.encode([text_of(attribution.parts)])
        with torch.no_grad():
            vectors = self._vectors(encoding.inputs)[0].double().cpu()
        x = (vectors @ self._direction).numpy()
        if isinstance(explainer, IntegratedGradients | GradientShap):
            start = self._start(explainer.baseline)
            of_tokens = x + x**2 / 2 - (start + start**2 / 2)
        elif isinstance(explainer, GradientXInput):
            of_tokens = (1 + x) * x
        elif isinstance(explainer, GradientL2):
            of_tokens = np.abs(1 + x) * float(self._direction.norm())
        else:
            raise no_closed_form(explainer)
        return _on_characters(encoding.spans[0][0], of_tokens, attribution)

    def _vectors(self, inputs: "dict[str, torch.Tensor]") -> "torch.Tensor":
        vectors: torch.Tensor = self.embeddings[0](inputs["input_ids"])
        return vectors

    def _start(self, baseline: str) -> float:
        import torch

        if baseline in ("mean", "zero"):
            if baseline == "zero":
                return 0.0
            raise CapabilityError("the mean of all vectors as a baseline has no closed form here")
        if baseline == "auto":
            baseline = "pad" if self.mask_token is None else "mask"
        weight = next(self.embeddings[0].parameters())
        ids = torch.tensor([[self.baseline_id(baseline)]], device=weight.device)
        with torch.no_grad():
            return float(self._vectors({"input_ids": ids})[0, 0].double().cpu() @ self._direction)


def _on_characters(
    tokens: Sequence[Span | None], values: FloatArray, attribution: Attribution
) -> FloatArray:
    """Return what the characters of each feature get, of which each token gives all the same."""
    owner = {
        (span.part, place): number
        for number, span in enumerate(attribution.spans)
        for place in range(span.start, span.end)
    }
    summed = np.zeros(len(attribution.spans))
    for token, value in zip(tokens, values, strict=False):
        if token is None:
            continue
        owners = [
            owner[token.part, place]
            for place in range(token.start, token.end)
            if (token.part, place) in owner
        ]
        for number in owners:
            summed[number] += value / len(owners)
    return summed
