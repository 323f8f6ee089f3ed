"""What models of the transformers library have in common, whatever their head."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pydantic import JsonValue
from transformers import AutoConfig, AutoTokenizer
from transformers.utils import logging as transformers_logging

from explain.adapters.base import Encoding, description_of
from explain.adapters.failures import INTERRUPTS, first_line
from explain.adapters.growth import check_growth
from explain.adapters.private import PrivateModule, PrivateTokenizer
from explain.adapters.safety import weight_files
from explain.adapters.scores import Scores
from explain.adapters.tokenized import (
    GPU_TOKEN_BUDGET,
    LongText,
    PadSide,
    Pool,
    TokenizerClassifier,
    limit_of,
)
from explain.errors import (
    AdapterError,
    CapabilityError,
    ConfigurationError,
    ExplainError,
    nearest,
)
from explain.record import FileHash, ModelDescription, Task
from explain.text.spans import Span, Text

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

__all__ = [
    "PretrainedClassifier",
    "check_vocabulary",
    "load_config",
    "load_model",
    "load_tokenizer",
    "loading",
    "max_length_of",
    "on_device",
    "pad_id_of",
    "pad_side_of",
    "refuse_random",
]

DTYPES = ("float32", "float16", "bfloat16")

MOST_WEIGHTS_PER_BYTE, MORE_WEIGHTS = 8, 2**22
"""Weights of one bit each, and those of buffers that are not saved, such as masks."""


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
    name : str, optional
        What the model is called in reports; by default its class.
    source : str, optional
        The folder or hub id that it was loaded from.
    files : tuple of FileHash
        The files that it was loaded from.
    facts : mapping of str to JSON value
        What else the record should say of it.

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
        name: str | None = None,
        source: str | None = None,
        files: tuple[FileHash, ...] = (),
        facts: Mapping[str, JsonValue] | None = None,
        long_text: LongText = "cut",
        pool: Pool = "mean",
    ) -> None:
        check_vocabulary(model, tokenizer)
        name = name or type(model).__name__
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
            pad_id=pad_id_of(self._private.template, tokenizer),
            pad_side=pad_side or pad_side_of(model, tokenizer),
            long_text=long_text,
            pool=pool,
        )
        if model.device.type != "cpu":
            self.token_budget = GPU_TOKEN_BUDGET
        self._source = source
        self._files = files
        self._more_facts = dict(facts or {})
        _check_weights(model)

    @property
    def embeddings(self) -> tuple[torch.nn.Module, ...]:
        """The layers that turn token ids into vectors, an encoder's before its decoder's."""
        model = self._private.here()
        if not model.config.is_encoder_decoder:
            return (model.get_input_embeddings(),)
        return (
            model.get_encoder().get_input_embeddings(),
            model.get_decoder().get_input_embeddings(),
        )

    @property
    def network(self) -> torch.nn.Module:
        """The module that scores are computed by in this thread."""
        return self._private.here()

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
        left = self._pad_side == "left"
        spans = []
        for row in self._spans(encoded, texts):
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
            If the tokenizer has no such token, or gradients do not follow how the model is used.
        """
        self._check_differentiable()
        mask_id = None if self.mask_token is None else self.tokenizer.mask_token_id
        token_id = {"mask": mask_id, "pad": self._pad_id}
        if (found := token_id.get(baseline)) is None:
            has = [key for key, value in token_id.items() if value is not None]
            raise CapabilityError(
                f"{self.name} has no {baseline} token to start from; it has: {', '.join(has)}"
            )
        return int(found)

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
                **self._more_facts,
            },
            source=self._source,
            files=self._files,
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
            for key, rows in self._padded(encoded).items()
        }


def load_tokenizer(folder: Path, **options: Any) -> "PreTrainedTokenizerBase":
    """Return the tokenizer in a folder.

    Raises
    ------
    AdapterError
        If there is none.
    """
    with loading(folder, "tokenizer"):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, **options
        )
        check_growth(tokenizer, folder)
    return tokenizer


def load_config(folder: Path, kind: str) -> "PretrainedConfig":
    """Return the configuration in a folder that was checked before.

    Raises
    ------
    AdapterError
        If it is none.
    """
    with loading(folder, kind):
        config: PretrainedConfig = AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    return config


def load_model(
    auto: Any, folder: Path, kind: str, *, dtype: str | None, **options: Any
) -> tuple["PreTrainedModel", set[str]]:
    """Return the model in a folder that was checked before, and the weights that are missing.

    Nothing is downloaded, no pickle is opened, no code of the folder is run.

    Parameters
    ----------
    auto : type
        The auto class of the kind of model.
    folder : Path
        The folder.
    kind : str
        What the model should be, for error messages.
    dtype : {"float32", "float16", "bfloat16"} or None
        Type of the weights; None for what ``config.json`` says.
    **options
        Further options of ``from_pretrained``.

    Raises
    ------
    AdapterError
        If it is no such model.
    ConfigurationError
        If `dtype` is unknown.
    """
    if dtype is not None and dtype not in DTYPES:
        raise ConfigurationError(f"there is no dtype {dtype!r}; {nearest(dtype, DTYPES)}")
    if "gguf_file" not in options:
        config = options.setdefault("config", load_config(folder, kind))
        _check_outline(auto, config, folder, kind)
    with loading(folder, kind):
        model, found = auto.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            dtype=dtype or "auto",
            **options,
        )
    return model, set(found["missing_keys"])


def _check_outline(auto: Any, config: "PretrainedConfig", folder: Path, kind: str) -> None:
    """Check that a configuration describes no more weights than the files can hold.

    transformers makes room for all of them, also for those that are missing.
    """
    with loading(folder, kind), torch.device("meta"):
        outline = auto.from_config(deepcopy(config), trust_remote_code=False)
    described = sum(weight.numel() for weight in (*outline.parameters(), *outline.buffers()))
    held = sum(path.stat().st_size for path in weight_files(folder))
    if described > MOST_WEIGHTS_PER_BYTE * held + MORE_WEIGHTS:
        raise AdapterError(
            f"config.json in {str(folder)!r} describes {described:,} weights, and its files hold "
            f"{held:,} bytes; save the model again"
        )


def refuse_random(missing: set[str], folder: Path, kind: str) -> None:
    """Check that no weights are missing, which would be random.

    Raises
    ------
    AdapterError
        If some are.
    """
    if missing:
        raise AdapterError(
            f"{str(folder)!r} lacks weights of a {kind} ({min(missing)} and {len(missing) - 1} "
            "more), which would be random; pass a fine-tuned model"
        )


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
def loading(folder: Path, kind: str) -> Iterator[None]:
    """Keep progress bars and advice off the terminal, and make a failure one line.

    Raises
    ------
    AdapterError
        If anything fails.
    """
    verbosity = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    except (ExplainError, *INTERRUPTS):
        raise
    except BaseException as error:
        raise AdapterError(
            f"{str(folder)!r} cannot be loaded as a {kind}: {first_line(error)}"
        ) from error
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()


def max_length_of(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> int:
    """Return how many tokens are read: the least that positions, config and tokenizer state.

    Raises
    ------
    AdapterError
        If none of them says it.
    """
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


def check_vocabulary(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> None:
    """Check that the model embeds all tokens of its tokenizer.

    Raises
    ------
    AdapterError
        If it does not.
    """
    embeddings: Any = model.get_input_embeddings()
    rows = embeddings.weight.shape[0]
    needed = max(tokenizer.get_vocab().values(), default=-1) + 1
    if needed > rows:
        raise AdapterError(
            f"the tokenizer has {needed} tokens, the model embeds {rows}; "
            "pass the tokenizer that belongs to the model"
        )


def pad_id_of(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> int:
    """Return the id that stands for padding in model and tokenizer; borrow one if there is none.

    A decoder finds its last token as the last that is no padding, so a token that the tokenizer
    puts at the end of a text cannot be borrowed. What is found is written to the model's
    configuration, where a decoder looks for it.

    Raises
    ------
    AdapterError
        If there is none to borrow, or the model does not embed it.
    """
    config = model.config.get_text_config()
    known = [
        token_id
        for token_id in (config.pad_token_id, tokenizer.pad_token_id)
        if token_id is not None and token_id >= 0
    ]
    if not known:
        last = PrivateTokenizer(tokenizer, type(model).__name__)("a")["input_ids"][-1:]
        special = (tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.unk_token_id)
        known = [token_id for token_id in special if token_id is not None and token_id not in last]
    if not known:
        raise AdapterError(
            "the tokenizer has no padding token and no special token to borrow for it, without "
            "which texts cannot be batched; set tokenizer.pad_token"
        )
    embeddings: Any = model.get_input_embeddings()
    if known[0] >= (rows := embeddings.weight.shape[0]):
        raise AdapterError(
            f"the padding token is {known[0]}, the model embeds {rows} tokens; mend pad_token_id "
            "in config.json"
        )
    config.pad_token_id = known[0]
    return int(known[0])


def pad_side_of(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> PadSide:
    """Return ``right``, so that positions count from the first token of a text.

    Models that read their answer off the last position (XLNet) are padded as their tokenizer says.
    """
    if getattr(model.config, "summary_type", None) != "last":
        return "right"
    return "left" if tokenizer.padding_side == "left" else "right"


def _check_weights(model: "PreTrainedModel") -> None:
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            raise AdapterError(
                f"the weights {name} hold NaN or infinity; save the model again from a checkpoint "
                "whose loss was finite"
            )
