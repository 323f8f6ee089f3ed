"""What models of the transformers library have in common, whatever their head."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from explain.adapters.base import Encoding, description_of
from explain.adapters.origin import UNKNOWN, Origin
from explain.adapters.private_copies import PrivateModule
from explain.adapters.scores import Scores
from explain.adapters.tokenized import (
    GPU_TOKEN_BUDGET,
    LongText,
    Padding,
    PadSide,
    Pool,
    TokenizerClassifier,
)
from explain.errors import CapabilityError
from explain.record import ModelDescription, Task
from explain.text.spans import Span, Text

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
from explain.adapters.loading import check_weights
from explain.adapters.reading_limits import check_vocabulary, max_length_of, pad_id_of, pad_side_of

__all__ = ["PretrainedClassifier"]


class PretrainedClassifier(TokenizerClassifier):
    """A model of the transformers library with its tokenizer, with gradients.

    Parameters
    ----------
    model : PreTrainedModel
        The model. It stays as it is: copies in evaluation mode that share its weights are run
        (`PrivateModule`).
    tokenizer : PreTrainedTokenizerBase
        Its tokenizer, a fast one.
    labels, task, long_text, pool
        As for `TokenizerClassifier`.
    pad_side : {"left", "right"}, optional
        Where padding stands; by default as the model counts positions.
    origin : Origin
        Where it comes from, and what reports call it.

    Raises
    ------
    AdapterError
        If weights and tokenizer do not fit together, or the labels are ambiguous.
    ConfigurationError
        If `long_text` or `pool` is unknown.
    """

    def __init__(
        self,
        model: "PreTrainedModel",
        tokenizer: "PreTrainedTokenizerBase",
        labels: Sequence[str],
        *,
        task: Task,
        pad_side: PadSide | None = None,
        origin: Origin = UNKNOWN,
        long_text: LongText = "cut",
        pool: Pool = "mean",
    ) -> None:
        check_vocabulary(model, tokenizer)
        name = origin.name or type(model).__name__
        self.model: PreTrainedModel = model
        self._private = PrivateModule(model, name)
        for layer in self._private.template.modules():
            if (config := getattr(layer, "config", None)) is not None:
                config.return_dict = True
        super().__init__(
            tokenizer,
            labels,
            task=task,
            max_length=max_length_of(model, tokenizer),
            name=name,
            padding=Padding(
                pad_id_of(self._private.template, tokenizer),
                pad_side or pad_side_of(model, tokenizer),
            ),
            long_text=long_text,
            pool=pool,
        )
        if model.device.type != "cpu":
            self.token_budget = GPU_TOKEN_BUDGET
        self._origin = origin
        check_weights(model)

    @property
    def embeddings(self) -> tuple[torch.nn.Module, ...]:
        """The layers that turn token ids into vectors, an encoder's before its decoder's."""
        model = self._private.copy_of_thread()
        if not model.config.is_encoder_decoder:
            return (model.get_input_embeddings(),)
        return (
            model.get_encoder().get_input_embeddings(),
            model.get_decoder().get_input_embeddings(),
        )

    @property
    def network(self) -> torch.nn.Module:
        """The module that scores are computed by in this thread."""
        return self._private.copy_of_thread()

    def predict(self, texts: Sequence[Text]) -> Scores:
        """Return the scores of `texts`, as `TokenizerClassifier.predict`.

        Raises
        ------
        PredictionError
            If the tokenizer or the model fails, or was changed in a way that is not followed.
        """
        self._private.follow()
        return super().predict(texts)

    def encode(self, texts: Sequence[Text]) -> Encoding:
        """Return `texts` as one padded batch on the model's device.

        Raises
        ------
        CapabilityError
            If gradients do not follow how the model is used.
        PredictionError
            If the tokenizer fails.
        """
        self._check_differentiable()
        self._private.follow()
        encoded = self._tokenize(texts)
        inputs = self._pad(encoded)
        width = inputs["input_ids"].shape[1]
        pads_left = self._pad_side == "left"
        spans = []
        for row in self._spans(encoded, texts):
            padding: tuple[Span | None, ...] = (None,) * (width - len(row))
            spans.append(padding + row if pads_left else row + padding)
        if not self.model.config.is_encoder_decoder:
            return Encoding(inputs, (tuple(spans),))
        # The decoder reads the text shifted by the token that starts it.
        return Encoding(inputs, (tuple(spans), tuple((None, *row[:-1]) for row in spans)))

    def baseline_id(self, baseline: str) -> int:
        """Return the token id of the baseline ``mask`` or ``pad``.

        Raises
        ------
        CapabilityError
            If the tokenizer has no such token, or gradients do not follow how the model is used.
        """
        self._check_differentiable()
        mask_id = None if self.mask_token is None else self.tokenizer.mask_token_id
        token_id = {"mask": mask_id, "pad": self._pad_id}
        if (id_ := token_id.get(baseline)) is None:
            has = [key for key, value in token_id.items() if value is not None]
            raise CapabilityError(
                f"{self.name} has no {baseline} token to start from; it has: {', '.join(has)}"
            )
        return int(id_)

    @abstractmethod
    def differentiable_scores(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the scores of an encoded batch, shape (n_texts, n_labels), with gradients."""

    def describe(self) -> ModelDescription:
        """Return what is known of the model, with the hashes of its files."""
        return description_of(
            self,
            {
                "architecture": type(self.model).__name__,
                "parameters": self.model.num_parameters(),
                "dtype": str(self.model.dtype).removeprefix("torch."),
                "device": str(self.model.device),
                "threads": torch.get_num_threads(),
                **self._facts(),
                **self._origin.facts,
            },
            source=self._origin.source,
            files=self._origin.files,
        )

    def _check_differentiable(self) -> None:
        if self.long_text == "windows":
            raise CapabilityError(
                f"{self.name} scores long texts in windows, which gradients do not follow; use "
                "shap, lime or occlusion, or long_text='cut'"
            )

    def _pad(self, encoded: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        """Return a batch as tensors on the model's device."""
        return {
            key: torch.from_numpy(rows).to(self.model.device)
            for key, rows in self._pad_rows(encoded).items()
        }
