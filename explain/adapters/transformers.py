"""Sequence classifiers of the transformers library."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
import transformers
from pydantic import JsonValue
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging as transformers_logging

from explain.adapters.base import (
    Encoding,
    Scores,
    check_labels,
    check_scores,
    failure,
    is_out_of_memory,
)
from explain.adapters.safety import check_folder
from explain.errors import AdapterError, CapabilityError, PredictionError, nearest
from explain.files import hash_folder
from explain.record import FileHash, ModelDescription, Task
from explain.spans import Span, Text, parts_of

if TYPE_CHECKING:
    from transformers import BatchEncoding, PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["TransformersClassifier"]

CPU_TOKEN_BUDGET = 2048
"""Tokens of a batch on a CPU: more is slower, as activations leave the cache (benchmarks/)."""

GPU_TOKEN_BUDGET = 32_768
"""Tokens of a batch on an accelerator, which needs large batches to be busy."""

UNLIMITED = 1_000_000
"""Tokenizers without a limit state one above this."""

_TASKS: dict[str, Task] = {
    "single_label_classification": "single_label",
    "multi_label_classification": "multi_label",
    "regression": "regression",
}


class TransformersClassifier:
    """A sequence classifier of the transformers library with its tokenizer.

    All texts of a call are tokenized, sorted by length and packed into batches of at most
    `token_budget` tokens; the budget halves when memory runs out. Texts over the model's limit are
    cut; `tokens` tells what was read.

    Parameters
    ----------
    model : PreTrainedModel
        A model with a sequence classification head. It is put into evaluation mode.
    tokenizer : PreTrainedTokenizerBase
        Its tokenizer.
    name : str, optional
        What the model is called in reports; by default its class.
    source : str, optional
        The folder or hub id that it was loaded from.
    files : tuple of FileHash
        The files that it was loaded from.

    Raises
    ------
    AdapterError
        If the labels of the model are ambiguous, or the tokenizer has no padding token or more
        tokens than the model.
    """

    def __init__(
        self,
        model: "PreTrainedModel",
        tokenizer: "PreTrainedTokenizerBase",
        *,
        name: str | None = None,
        source: str | None = None,
        files: tuple[FileHash, ...] = (),
    ) -> None:
        self.model: PreTrainedModel = model
        self.model.train(False)
        self.tokenizer = tokenizer
        self.name = name or type(model).__name__
        self.task = _task(model.config)
        self.labels = _labels(model.config, self.task)
        self.max_length = _max_length(model, tokenizer)
        self.token_budget = CPU_TOKEN_BUDGET if model.device.type == "cpu" else GPU_TOKEN_BUDGET
        self._source = source
        self._files = files
        _check_tokenizer(model, tokenizer)

    @classmethod
    def from_folder(
        cls, folder: str | Path, *, name: str | None = None, source: str | None = None
    ) -> Self:
        """Return the classifier that ``save_pretrained`` wrote to a folder.

        Only safetensors weights are read, nothing is downloaded, no code of the folder is run.
        `source` is what the record says of its origin, by default the folder.

        Raises
        ------
        AdapterError
            If the folder is missing or incomplete, or its weights lack a trained head.
        UnsafeModelError
            If loading it would run code.
        """
        path = Path(folder)
        check_folder(path)
        try:
            with _quiet():
                tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
                model, loading = AutoModelForSequenceClassification.from_pretrained(
                    path,
                    local_files_only=True,
                    use_safetensors=True,
                    trust_remote_code=False,
                    output_loading_info=True,
                )
        except Exception as error:
            first_line = str(error).strip().splitlines()[0] if str(error).strip() else "no message"
            raise AdapterError(
                f"{str(path)!r} cannot be loaded as a sequence classifier: "
                f"{type(error).__name__}: {first_line}"
            ) from error
        if missing := sorted(loading["missing_keys"]):
            raise AdapterError(
                f"{str(path)!r} lacks weights of a sequence classifier ({missing[0]} and "
                f"{len(missing) - 1} more), which would be random; pass a fine-tuned classifier"
            )
        return cls(
            model,
            tokenizer,
            name=name or path.resolve().name,
            source=source or path.as_posix(),
            files=hash_folder(path),
        )

    @property
    def mask_token(self) -> str | None:
        """The tokenizer's mask token."""
        token: str | None = self.tokenizer.mask_token
        return token

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """The tokenizer's special tokens."""
        return tuple(sorted(self.tokenizer.all_special_tokens))

    @property
    def embeddings(self) -> tuple[torch.nn.Module, ...]:
        """The layer that turns token ids into vectors."""
        return (self.model.get_input_embeddings(),)

    def predict(self, texts: Sequence[Text]) -> Scores:
        """Return the logits of `texts`, shape (n_texts, n_labels), float64.

        Raises
        ------
        PredictionError
            If the tokenizer or the model fails.
        """
        scores = np.empty((len(texts), len(self.labels)))
        if not texts:
            return scores
        encoded = self._tokenize(texts)
        ids = encoded["input_ids"]
        queue = sorted(range(len(texts)), key=lambda i: (len(ids[i]), ids[i]))
        while queue:
            batch = self._fill_batch(queue, ids)
            try:
                scores[batch] = self._logits(
                    {key: [v[i] for i in batch] for key, v in encoded.items()}
                )
            except Exception as error:
                if not is_out_of_memory(error) or len(batch) == 1:
                    raise failure(self.name, error) from error
                self.token_budget = len(batch) * len(ids[batch[-1]]) // 2
            else:
                del queue[: len(batch)]
        return scores

    def tokens(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        """Return the spans of the tokens that the model reads of each text.

        Raises
        ------
        CapabilityError
            If the tokenizer does not know where its tokens come from.
        """
        if not texts:
            return []
        return [
            tuple(span for span in spans if span is not None)
            for spans in _token_spans(self._tokenize(texts), self.name)
        ]

    def unread(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        """Return the spans of each text that are cut off because it is too long.

        Raises
        ------
        CapabilityError
            If the tokenizer does not know where its tokens come from.
        """
        if not texts:
            return []
        whole = self._tokenize(texts, truncation=False)
        long = [i for i, ids in enumerate(whole["input_ids"]) if len(ids) > self.max_length]
        everything = _token_spans(whole, self.name) if long else []
        read = dict(zip(long, self.tokens([texts[i] for i in long]), strict=True))
        return [
            _cut_off(everything[i], read[i], len(parts_of(text))) if i in read else ()
            for i, text in enumerate(texts)
        ]

    def encode(self, texts: Sequence[Text]) -> Encoding:
        """Return `texts` as one padded batch on the model's device.

        Raises
        ------
        CapabilityError
            If the tokenizer does not know where its tokens come from.
        """
        encoded = self._tokenize(texts)
        inputs = self._pad(dict(encoded))
        width = inputs["input_ids"].shape[1]
        left = self.tokenizer.padding_side == "left"
        spans = []
        for row in _token_spans(encoded, self.name):
            padding: tuple[Span | None, ...] = (None,) * (width - len(row))
            spans.append(padding + row if left else row + padding)
        return Encoding(inputs, tuple(spans))

    def baseline_id(self, baseline: str) -> int:
        """Return the token id of the baseline ``mask`` or ``pad``.

        Raises
        ------
        CapabilityError
            If the tokenizer has no such token, or the model is an encoder-decoder.
        """
        if self.model.config.is_encoder_decoder:
            raise CapabilityError(
                f"{self.name} embeds its text twice, in encoder and decoder, which gradients do "
                "not follow yet; use shap, lime or occlusion"
            )
        token_id = {"mask": self.tokenizer.mask_token_id, "pad": self.tokenizer.pad_token_id}
        if (found := token_id.get(baseline)) is None:
            has = [key for key, value in token_id.items() if value is not None]
            raise CapabilityError(
                f"{self.name} has no {baseline} token to start from; it has: {', '.join(has)}"
            )
        return int(found)

    def differentiable_scores(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the logits of an encoded batch, with gradients."""
        logits: torch.Tensor = self.model(**inputs).logits
        return logits

    def describe(self) -> ModelDescription:
        """Return what is known of the model, with the hashes of its files."""
        return ModelDescription(
            name=self.name,
            adapter=type(self).__name__,
            source=self._source,
            task=self.task,
            labels=self.labels,
            facts={
                "architecture": type(self.model).__name__,
                "parameters": self.model.num_parameters(),
                "dtype": str(self.model.dtype).removeprefix("torch."),
                "device": str(self.model.device),
                "threads": torch.get_num_threads(),
                "maximum tokens": self.max_length,
                "truncation side": self.tokenizer.truncation_side,
                "tokenizer": type(self.tokenizer).__name__,
                "special tokens": list[JsonValue](self.special_tokens),
            },
            files=self._files,
        )

    def _tokenize(self, texts: Sequence[Text], *, truncation: bool = True) -> "BatchEncoding":
        pairs = [parts_of(text) for text in texts]
        if len({len(parts) for parts in pairs}) > 1:
            raise PredictionError(
                f"{self.name} was given single texts and pairs in one call; pass one kind"
            )
        # MiniLM and others store padding and truncation in tokenizer.json: both are always stated.
        try:
            encoded: BatchEncoding = self.tokenizer(
                *([parts[side] for parts in pairs] for side in range(len(pairs[0]))),
                truncation=truncation,
                max_length=self.max_length if truncation else None,
                padding=False,
                verbose=False,
            )
        except Exception as error:
            raise failure(f"the tokenizer of {self.name}", error) from error
        return encoded

    def _fill_batch(self, queue: Sequence[int], ids: Sequence[Sequence[int]]) -> list[int]:
        """Return the head of a queue sorted by length that fits the token budget, at least one."""
        size = 1
        while size < len(queue) and (size + 1) * len(ids[queue[size]]) <= self.token_budget:
            size += 1
        return list(queue[:size])

    def _pad(self, encoded: dict[str, Any]) -> dict[str, torch.Tensor]:
        with _quiet():
            padded = self.tokenizer.pad(encoded, padding=True, return_tensors="pt")
        return {key: value.to(self.model.device) for key, value in padded.items()}

    def _logits(self, encoded: dict[str, Any]) -> Scores:
        with torch.inference_mode():
            logits = self.model(**self._pad(encoded)).logits
        return check_scores(logits.double().cpu().numpy(), len(logits), self.labels, self.name)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library's progress bars and advice off the terminal while loading."""
    verbosity = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()


def _labels(config: "transformers.PretrainedConfig", task: Task) -> tuple[str, ...]:
    names = {int(index): str(label) for index, label in (config.id2label or {}).items()}
    if sorted(names) != list(range(len(names))):
        raise AdapterError(
            f"id2label of the model names the columns {sorted(names)}, "
            f"expected 0 to {len(names) - 1}; mend config.json"
        )
    return check_labels([names[index] for index in range(len(names))], task)


def _task(config: "transformers.PretrainedConfig") -> Task:
    if config.problem_type is None:
        return "regression" if config.num_labels == 1 else "single_label"
    if config.problem_type not in _TASKS:
        raise AdapterError(
            f"problem_type of the model is {config.problem_type!r}; "
            f"{nearest(str(config.problem_type), _TASKS)}"
        )
    return _TASKS[config.problem_type]


def _max_length(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> int:
    """Return how many tokens the model reads: the least of what it and its tokenizer state."""
    limits = [
        tokenizer.model_max_length,
        getattr(model.config, "max_position_embeddings", None),
        *(
            # RoBERTa and its kin count positions from the one after padding.
            module.num_embeddings - module.padding_idx - 1
            for name, module in model.named_modules()
            if name.endswith("position_embeddings")
            and isinstance(module, torch.nn.Embedding)
            and module.padding_idx is not None
        ),
    ]
    stated = [int(limit) for limit in limits if limit is not None and 0 < limit < UNLIMITED]
    if not stated:
        raise AdapterError(
            "neither the model nor its tokenizer states how many tokens it reads; "
            "set tokenizer.model_max_length"
        )
    return min(stated)


def _check_tokenizer(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> None:
    if tokenizer.pad_token_id is None:
        raise AdapterError(
            "the tokenizer has no padding token, without which texts cannot be batched; "
            "set tokenizer.pad_token (and pad_token_id in the model's config)"
        )
    embeddings: Any = model.get_input_embeddings()
    rows = embeddings.weight.shape[0]
    if len(tokenizer) > rows:
        raise AdapterError(
            f"the tokenizer has {len(tokenizer)} tokens, the model embeds {rows}; "
            "pass the tokenizer that belongs to the model"
        )


def _cut_off(
    everything: Sequence[Span | None], read: Sequence[Span], n_parts: int
) -> tuple[Span, ...]:
    """Return what lies before the first and after the last token that is read of each part."""
    found = []
    for part in range(n_parts):
        whole = [span for span in everything if span is not None and span.part == part]
        own = [span for span in read if span.part == part]
        if whole and not own:
            found.append(Span(part, whole[0].start, whole[-1].end))
        elif whole:
            before = [span for span in whole if span.end <= own[0].start]
            after = [span for span in whole if span.start >= own[-1].end]
            found += [Span(part, cut[0].start, cut[-1].end) for cut in (before, after) if cut]
    return tuple(found)


def _token_spans(encoded: "BatchEncoding", name: str) -> list[tuple[Span | None, ...]]:
    """Return the place of each token of each text, None for special tokens."""
    if not encoded.is_fast:
        raise CapabilityError(
            f"the tokenizer of {name} does not know where its tokens come from; "
            "save it as a fast tokenizer (tokenizer.json)"
        )
    return [
        tuple(
            Span(part, start, end) if part is not None and end > start else None
            for part, (start, end) in zip(encoding.sequence_ids, encoding.offsets, strict=True)
        )
        for encoding in encoded.encodings or ()
    ]
