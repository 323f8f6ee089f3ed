"""captum's layer attributions called by hand on one text."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from captum.attr import (
    GradientShap,
    LayerDeepLift,
    LayerGradientXActivation,
    LayerIntegratedGradients,
)

from explain.adapters.transformers import TransformersClassifier


def integrated_gradients_by_hand(
    classifier: TransformersClassifier, text: str, label: int, steps: int
) -> list[tuple[int, int, float]]:
    """Return start, end and value of each token of a text for a two-label model."""
    encoded = classifier.tokenizer(text, return_tensors="pt", return_offsets_mapping=True)
    offsets = encoded.pop("offset_mapping")[0].tolist()
    ids = encoded["input_ids"]
    baseline = torch.full_like(ids, classifier.tokenizer.mask_token_id)
    baseline[0, 0], baseline[0, -1] = ids[0, 0], ids[0, -1]

    def log_odds(ids: torch.Tensor, attention: torch.Tensor) -> torch.Tensor:
        logits = classifier.model(input_ids=ids, attention_mask=attention).logits
        own: torch.Tensor = logits[:, label] - logits[:, 1 - label]
        return own

    values = (
        LayerIntegratedGradients(log_odds, classifier.model.get_input_embeddings())
        .attribute(
            ids,
            baselines=baseline,
            additional_forward_args=(encoded["attention_mask"],),
            n_steps=steps,
            method="gausslegendre",
        )
        .sum(-1)[0]
        .tolist()
    )
    return [(start, end, value) for (start, end), value in zip(offsets, values, strict=True)]


class LogOdds(torch.nn.Module):
    """A two-label transformer as a module from ids to log-odds."""

    def __init__(self, model: Any, label: int) -> None:
        super().__init__()
        self.model = model
        self.label = label

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        logits = self.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        own: torch.Tensor = logits[:, self.label] - logits[:, 1 - self.label]
        return own

    def of_vectors(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return the log-odds of texts whose word embeddings are `vectors`."""
        mask = torch.ones(vectors.shape[:2], dtype=torch.long)
        logits = self.model(inputs_embeds=vectors, attention_mask=mask).logits
        own: torch.Tensor = logits[:, self.label] - logits[:, 1 - self.label]
        return own


def layer_method_by_hand(
    classifier: TransformersClassifier, text: str, label: int, method: str, samples: int, seed: int
) -> list[tuple[int, int, float]]:
    """Return start, end and value of each token by a layer method of captum."""
    encoded = classifier.tokenizer(text, return_tensors="pt", return_offsets_mapping=True)
    offsets, ids = encoded["offset_mapping"][0].tolist(), encoded["input_ids"]
    baseline = torch.full_like(ids, classifier.tokenizer.mask_token_id)
    baseline[0, 0], baseline[0, -1] = ids[0, 0], ids[0, -1]
    scores = LogOdds(classifier.model, label)
    layer: Any = classifier.model.get_input_embeddings()
    with _quiet(), torch.random.fork_rng():
        if method == "deep_lift":
            found = LayerDeepLift(scores, layer).attribute(ids, baselines=baseline)
        elif method == "gradient_shap":
            np.random.seed(seed)
            # captum's LayerGradientShap adds noise to ids, which makes them floats.
            ends = layer(ids).detach(), layer(baseline).detach()
            found = GradientShap(scores.of_vectors).attribute(*ends, n_samples=samples)
        elif method == "gradient_x_input":
            found = LayerGradientXActivation(scores, layer).attribute(ids)
        else:
            captum = LayerGradientXActivation(scores, layer, multiply_by_inputs=False)
            found = captum.attribute(ids)
    values: Any = found.norm(dim=-1) if method == "gradient_l2" else found.sum(-1)
    return [(*place, value) for place, value in zip(offsets, values[0].tolist(), strict=True)]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
