"""captum's LayerIntegratedGradients called by hand on one text."""

import torch
from captum.attr import LayerIntegratedGradients

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
