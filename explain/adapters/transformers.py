"""Sequence classifiers of the transformers library."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging as transformers_logging

from explain.adapters.base import Encoding, Scores, check_scores
from explain.adapters.safety import check_folder
from explain.adapters.tokenized import (
    GPU_TOKEN_BUDGET,
    LongText,
    Pool,
    TokenizerClassifier,
    first_line,
    limit_of,
    token_spans,
)
from explain.errors import AdapterError, CapabilityError, ConfigurationError, nearest
from explain.files import hash_folder
from explain.record import FileHash, ModelDescription, Task
from explain.spans import Span, Text

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["TransformersClassifier"]

DTYPES = ("float32", "float16", "bfloat16")

_TASKS: dict[str, Task] = {
    "single_label_classification": "single_label",
    "multi_label_classification": "multi_label",
    "regression": "regression",
}


class TransformersClassifier(TokenizerClassifier):
    """A sequence classifier of the transformers library with its tokenizer.

    Encoders, decoders that pool the last token, and encoder-decoders. A decoder without a padding
    token borrows one of its special tokens for it, which the record says. Decoders are padded on
    the right whatever their tokenizer says, so that positions count from the first token; a text
    of no tokens is read as the token that starts a text.

    Parameters
    ----------
    model : PreTrainedModel
        A model with a sequence classification head. It is put into evaluation mode.
    tokenizer : PreTrainedTokenizerBase
        Its tokenizer, a fast one.
    name : str, optional
        What the model is called in reports; by default its class.
    source : str, optional
        The folder or hub id that it was loaded from.
    files : tuple of FileHash
        The files that it was loaded from.
    task : {"single_label", "multi_label", "regression"}, optional
        How the columns relate to each other; by default what ``problem_type`` of the model says,
        or else regression for one column and a single label for more.
    long_text : {"cut", "windows"}
        What happens to a text over the model's limit, see `TokenizerClassifier`.
    pool : {"mean", "max"}
        How windows are pooled, see `TokenizerClassifier`.

    Raises
    ------
    AdapterError
        If labels, task, head, weights and tokenizer of the model do not fit together.
    ConfigurationError
        If `task` contradicts the model, or `long_text` or `pool` is unknown.
    """

    def __init__(
        self,
        model: "PreTrainedModel",
        tokenizer: "PreTrainedTokenizerBase",
        *,
        name: str | None = None,
        source: str | None = None,
        files: tuple[FileHash, ...] = (),
        task: Task | None = None,
        long_text: LongText = "cut",
        pool: Pool = "mean",
    ) -> None:
        self.model: PreTrainedModel = model
        self.model.train(False)
        _check_vocabulary(model, tokenizer)
        super().__init__(
            tokenizer,
            labels_of(model.config),
            task=task_of(model.config, task),
            max_length=_max_length(model, tokenizer),
            name=name or type(model).__name__,
            long_text=long_text,
            pool=pool,
        )
        if model.device.type != "cpu":
            self.token_budget = GPU_TOKEN_BUDGET
        self._source = source
        self._files = files
        self._pad_id = _pad_id(model, tokenizer)
        self._pad_side = _pad_side(model, tokenizer)
        _check_weights(model)
        self._score_batch(self._tokenize(["."]))

    @classmethod
    def from_folder(
        cls,
        folder: str | Path,
        *,
        name: str | None = None,
        source: str | None = None,
        task: Task | None = None,
        long_text: LongText = "cut",
        pool: Pool = "mean",
        dtype: str | None = None,
        device: str | None = None,
    ) -> Self:
        """Return the classifier that ``save_pretrained`` wrote to a folder.

        Only safetensors weights are read, nothing is downloaded, no code of the folder is run.

        Parameters
        ----------
        folder : str or Path
            The folder.
        name, source, task, long_text, pool
            As for the class; `source` is by default the folder, `name` the name of the folder.
        dtype : {"float32", "float16", "bfloat16"}, optional
            Type of the weights; by default what ``config.json`` says.
        device : str, optional
            Such as ``cpu`` or ``cuda:0``; by default ``cpu``.

        Raises
        ------
        AdapterError
            If the folder is missing or incomplete, or its weights lack a trained head.
        ConfigurationError
            If an option is unknown or contradicts the model.
        UnsafeModelError
            If loading it would run code.
        """
        path = Path(folder)
        check_folder(path)
        if dtype is not None and dtype not in DTYPES:
            raise ConfigurationError(f"there is no dtype {dtype!r}; {nearest(dtype, DTYPES)}")
        try:
            with quiet():
                tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
                model, loading = AutoModelForSequenceClassification.from_pretrained(
                    path,
                    local_files_only=True,
                    use_safetensors=True,
                    trust_remote_code=False,
                    output_loading_info=True,
                    dtype=dtype or "auto",
                )
        except Exception as error:
            raise AdapterError(
                f"{str(path)!r} cannot be loaded as a sequence classifier: {first_line(error)}"
            ) from error
        if missing := sorted(loading["missing_keys"]):
            raise AdapterError(
                f"{str(path)!r} lacks weights of a sequence classifier ({missing[0]} and "
                f"{len(missing) - 1} more), which would be random; pass a fine-tuned classifier"
            )
        return cls(
            on_device(model, device),
            tokenizer,
            name=name or path.resolve().name,
            source=source or path.as_posix(),
            files=hash_folder(path),
            task=task,
            long_text=long_text,
            pool=pool,
        )

    @property
    def embeddings(self) -> tuple[torch.nn.Module, ...]:
        """The layers that turn token ids into vectors, an encoder's before its decoder's."""
        if not self.model.config.is_encoder_decoder:
            return (self.model.get_input_embeddings(),)
        return (
            self.model.get_encoder().get_input_embeddings(),
            self.model.get_decoder().get_input_embeddings(),
        )

    def encode(self, texts: Sequence[Text]) -> Encoding:
        """Return `texts` as one padded batch on the model's device.

        Raises
        ------
        CapabilityError
            If long texts are scored in windows, which gradients do not follow.
        PredictionError
            If the tokenizer fails.
        """
        if self.long_text == "windows":
            raise CapabilityError(
                f"{self.name} scores long texts in windows, which gradients do not follow; use "
                "shap, lime or occlusion, or long_text='cut'"
            )
        encoded = self._tokenize(texts)
        inputs = self._pad(encoded)
        width = inputs["input_ids"].shape[1]
        left = self._pad_side == "left"
        spans = []
        for row in token_spans(encoded):
            padding: tuple[Span | None, ...] = (None,) * (width - len(row))
            spans.append(padding + row if left else row + padding)
        if not self.model.config.is_encoder_decoder:
            return Encoding(inputs, (tuple(spans),))
        # The decoder reads the text shifted by the token that starts it.
        return Encoding(inputs, (tuple(spans), tuple((None, *row[:-1]) for row in spans)))

    def baseline_id(self, baseline: str) -> int:
        """Return the token id of the baseline ``mask`` or ``pad``.

        Raises
        ------
        CapabilityError
            If the tokenizer has no such token.
        """
        token_id = {"mask": self.tokenizer.mask_token_id, "pad": self._pad_id}
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
        own = self.tokenizer.pad_token_id is not None
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
                "padding": f"{self.tokenizer.convert_ids_to_tokens(self._pad_id)} on the "
                f"{self._pad_side}{'' if own else ', borrowed: there is no padding token'}",
                **self._facts(),
            },
            files=self._files,
        )

    def _pad(self, encoded: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        """Return a batch as tensors; a text of no tokens becomes the token that starts a text."""
        start = self.tokenizer.bos_token_id
        alone = {"input_ids": [self._pad_id if start is None else start], "attention_mask": [1]}
        values = {"input_ids": self._pad_id, "token_type_ids": self.tokenizer.pad_token_type_id}
        return {
            key: pad_sequence(
                [torch.tensor(row or alone.get(key, [0])) for row in rows],
                batch_first=True,
                padding_value=values.get(key, 0),
                padding_side=self._pad_side,
            ).to(self.model.device)
            for key, rows in encoded.items()
        }

    def _score_batch(self, encoded: Mapping[str, Any]) -> Scores:
        with torch.inference_mode():
            logits = self.model(**self._pad(encoded)).logits
        return check_scores(logits.double().cpu().numpy(), len(logits), self.labels, self.name)


def labels_of(config: "PretrainedConfig") -> list[str]:
    """Return the names of the columns.

    Raises
    ------
    AdapterError
        If ``id2label`` leaves a column out.
    """
    names = {int(index): str(label) for index, label in (config.id2label or {}).items()}
    if sorted(names) != list(range(len(names))):
        raise AdapterError(
            f"id2label of the model names the columns {sorted(names)}, "
            f"expected 0 to {len(names) - 1}; mend config.json"
        )
    return [names[index] for index in range(len(names))]


def task_of(config: "PretrainedConfig", stated: Task | None) -> Task:
    """Return how the columns relate to each other.

    Raises
    ------
    AdapterError
        If ``problem_type`` is unknown, or a regression has more than one column.
    ConfigurationError
        If `stated` contradicts the model.
    """
    if stated is not None and stated not in _TASKS.values():
        raise ConfigurationError(f"there is no task {stated!r}; {nearest(stated, _TASKS.values())}")
    problem: str | None = config.problem_type
    if problem is not None and problem not in _TASKS:
        raise AdapterError(
            f"problem_type of the model is {problem!r}; {nearest(str(problem), _TASKS)}"
        )
    alone: Task = "regression" if config.num_labels == 1 else "single_label"
    own = stated or alone if problem is None else _TASKS[problem]
    if stated not in (None, own):
        raise ConfigurationError(
            f"problem_type of the model is {problem!r}, which is not {stated}; leave task out"
        )
    if (own == "regression" and config.num_labels != 1) or (own, alone) == (
        "single_label",
        "regression",
    ):
        raise (AdapterError if stated is None else ConfigurationError)(
            f"the model has {config.num_labels} outputs, which is no {own}; "
            "a regression has one, a single-label classifier two or more"
        )
    return own


def on_device(model: "PreTrainedModel", device: str | None) -> "PreTrainedModel":
    """Return the model on a device, or where it is.

    Raises
    ------
    ConfigurationError
        If there is no such device here.
    """
    if device is None:
        return model
    try:
        torch.nn.Module.to(model, device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigurationError(f"there is no device {device!r}: {first_line(error)}") from error
    return model


@contextmanager
def quiet() -> Iterator[None]:
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


def _max_length(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> int:
    positions = [
        # RoBERTa and its kin count positions from the one after padding.
        module.num_embeddings - module.padding_idx - 1
        for name, module in model.named_modules()
        if name.endswith("position_embeddings")
        and isinstance(module, torch.nn.Embedding)
        and module.padding_idx is not None
    ]
    stated = getattr(model.config, "max_position_embeddings", None)
    return limit_of([tokenizer.model_max_length, stated, *positions])


def _check_vocabulary(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> None:
    embeddings: Any = model.get_input_embeddings()
    rows = embeddings.weight.shape[0]
    needed = max(tokenizer.get_vocab().values(), default=-1) + 1
    if needed > rows:
        raise AdapterError(
            f"the tokenizer has {needed} tokens, the model embeds {rows}; "
            "pass the tokenizer that belongs to the model"
        )


def _check_weights(model: "PreTrainedModel") -> None:
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            raise AdapterError(
                f"the weights {name} hold NaN or infinity; save the model again from a checkpoint "
                "whose loss was finite"
            )


def _pad_id(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> int:
    """Return the id that stands for padding in model and tokenizer; borrow one if there is none.

    A decoder finds its last token as the last that is no padding, so a token that the tokenizer
    puts at the end of a text cannot be borrowed.
    """
    config = model.config.get_text_config()
    known = [
        token_id
        for token_id in (config.pad_token_id, tokenizer.pad_token_id)
        if token_id is not None and token_id >= 0
    ]
    if not known:
        last = tokenizer("a")["input_ids"][-1:]
        special = (tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.unk_token_id)
        known = [token_id for token_id in special if token_id is not None and token_id not in last]
    if not known:
        raise AdapterError(
            "the tokenizer has no padding token and no special token to borrow for it, without "
            "which texts cannot be batched; set tokenizer.pad_token"
        )
    # Decoders read it from their configuration to find the last token of a text.
    config.pad_token_id = known[0]
    return int(known[0])


def _pad_side(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> str:
    """Return ``right`` for models that number positions from the left, else the tokenizer's."""
    if "position_ids" in signature(model.forward).parameters:
        return "right"
    return str(tokenizer.padding_side)
