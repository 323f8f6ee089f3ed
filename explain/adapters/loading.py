"""Configurations, tokenizers and weights of folders and hub ids, loaded and nothing run."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoConfig, AutoTokenizer
from transformers.utils import logging as transformers_logging

from explain.adapters.failures import INTERRUPTS, first_line
from explain.adapters.pattern_time import quiet_panics
from explain.adapters.safety import weight_files
from explain.adapters.tokenizer_growth import check_growth
from explain.errors import AdapterError, ConfigurationError, ExplainError, nearest

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

__all__ = [
    "check_weights",
    "load_config",
    "load_model",
    "load_tokenizer",
    "loading",
    "on_device",
    "refuse_random",
]

DTYPES = ("float32", "float16", "bfloat16")

MOST_WEIGHTS_PER_BYTE, MORE_WEIGHTS = 8, 2**22
"""Weights of one bit each, and those of buffers that are not saved, such as masks."""


def load_tokenizer(folder: Path, **options: Any) -> "PreTrainedTokenizerBase":
    """Return the tokenizer in a folder.

    Raises
    ------
    AdapterError
        If there is none.
    """
    with loading(folder, "tokenizer"), quiet_panics():
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
        model, info = auto.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            # It would end in an error that points to a report which nobody sees.
            ignore_mismatched_sizes=True,
            dtype=dtype or "auto",
            **options,
        )
    _refuse_other_shapes(info["mismatched_keys"], folder)
    return model, set(info["missing_keys"])


def _refuse_other_shapes(
    mismatched: set[tuple[str, tuple[int, ...], tuple[int, ...]]], folder: Path
) -> None:
    """Check that all weights have the shapes of the configuration; others would be random."""
    if mismatched:
        name, in_file, described = min(mismatched)
        raise AdapterError(
            f"the weights {name} in {str(folder)!r} have the shape {tuple(in_file)}, and "
            f"config.json describes {tuple(described)}; save the model again"
        )


def _check_outline(auto: Any, config: "PretrainedConfig", folder: Path, kind: str) -> None:
    """Check that a configuration describes no more weights than the files can hold.

    transformers makes room for all of them, also for those that are missing.
    """
    with loading(folder, kind), torch.device("meta"):
        outline = auto.from_config(deepcopy(config), trust_remote_code=False)
    n_weights = sum(weight.numel() for weight in (*outline.parameters(), *outline.buffers()))
    n_bytes = sum(path.stat().st_size for path in weight_files(folder))
    if n_weights > MOST_WEIGHTS_PER_BYTE * n_bytes + MORE_WEIGHTS:
        raise AdapterError(
            f"config.json in {str(folder)!r} describes {n_weights:,} weights, and its files hold "
            f"{n_bytes:,} bytes; save the model again"
        )


def refuse_random(names: set[str], folder: Path, kind: str) -> None:
    """Check that no weights are missing, which would be random.

    Raises
    ------
    AdapterError
        If some are.
    """
    if names:
        raise AdapterError(
            f"{str(folder)!r} lacks weights of a {kind} ({min(names)} and {len(names) - 1} "
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


def check_weights(model: "PreTrainedModel") -> None:
    """Refuse weights that are not finite."""
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            raise AdapterError(
                f"the weights {name} hold NaN or infinity; save the model again from a checkpoint "
                "whose loss was finite"
            )
