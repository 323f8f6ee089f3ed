"""Sequence classifiers saved as an adapter (LoRA and its kin) beside their base model."""

import json
import warnings
from pathlib import Path
from typing import Any

from safetensors import safe_open
from transformers import AutoConfig, AutoModelForSequenceClassification

from explain.adapters.extras import need
from explain.adapters.pretrained import (
    load_model,
    load_tokenizer,
    loading,
    on_device,
    refuse_random,
)
from explain.adapters.safety import ADAPTER_CONFIG, check_folder
from explain.adapters.tokenized import LongText, Pool
from explain.adapters.transformers import KIND, TransformersClassifier
from explain.errors import AdapterError, UnsafeModelError
from explain.files import hash_folder
from explain.record import FileHash, Task

__all__ = ["load_peft"]

WEIGHTS = "adapter_model.safetensors"


def load_peft(
    folder: str | Path,
    *,
    base: str | Path | None = None,
    name: str | None = None,
    source: str | None = None,
    task: Task | None = None,
    long_text: LongText = "cut",
    pool: Pool = "mean",
    dtype: str | None = None,
    device: str | None = None,
) -> TransformersClassifier:
    """Return the classifier of an adapter folder of the ``peft`` package, merged with its base.

    The labels are those of ``config.json`` in the adapter's folder, or else of the base; so are
    the tokenizer's files. In half precision, merging rounds the weights once more than peft does
    that keeps the two apart.

    Parameters
    ----------
    folder : str or Path
        The folder with ``adapter_config.json`` and ``adapter_model.safetensors``.
    base : str or Path, optional
        The folder of the base model; by default what ``base_model_name_or_path`` names, absolute
        or from the adapter's folder on. It is never downloaded.
    name, source, task, long_text, pool, dtype, device
        As for `TransformersClassifier.from_folder`.

    Raises
    ------
    AdapterError
        If peft is not installed, a folder is missing or incomplete, the adapter cannot be merged,
        or weights are in neither of them.
    ConfigurationError
        If an option is unknown or contradicts the model.
    UnsafeModelError
        If loading either would run code.
    """
    peft = need("peft", "peft")
    path = Path(folder)
    check_folder(path, config=ADAPTER_CONFIG)
    if not (path / WEIGHTS).is_file():
        raise AdapterError(f"{str(path)!r} holds no {WEIGHTS}; save the adapter again")
    settings = json.loads((path / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    if settings.get("megatron_config") is not None:
        raise UnsafeModelError(
            f"{ADAPTER_CONFIG} in {str(path)!r} names a Python module to import (megatron_config); "
            "merge the adapter and save the whole model"
        )
    below = _base_folder(path, settings, base)
    check_folder(below)

    own = path / "config.json"
    with loading(path, KIND):
        config = AutoConfig.from_pretrained(path if own.is_file() else below, local_files_only=True)
    model, missing = load_model(
        AutoModelForSequenceClassification, below, KIND, dtype=dtype, config=config
    )
    merged, trained = _merged(peft, model, path)
    refuse_random(missing - trained, path, KIND)
    has_tokenizer = any((path / f).is_file() for f in ("tokenizer.json", "tokenizer_config.json"))
    return TransformersClassifier(
        on_device(merged, device),
        load_tokenizer(path if has_tokenizer else below),
        name=name or path.resolve().name,
        source=source or path.as_posix(),
        files=_hashes(path, below),
        facts={"adapter": f"{settings['peft_type']}, merged", "base": below.as_posix()},
        task=task,
        long_text=long_text,
        pool=pool,
    )


def _base_folder(path: Path, settings: dict[str, Any], base: str | Path | None) -> Path:
    named = settings.get("base_model_name_or_path")
    found = Path(base) if base is not None else path / (named or "")
    if base is None and (not named or not found.is_dir()):
        raise AdapterError(
            f"the base model of {str(path)!r} is {named!r}, which is no folder here, and nothing "
            "is downloaded; pass base='FOLDER'"
        )
    return found


def _merged(peft: Any, model: Any, path: Path) -> tuple[Any, set[str]]:
    """Return the merged model, and the names of its weights that the adapter holds whole."""
    with safe_open(path / WEIGHTS, framework="pt") as weights:
        saved = set(weights.keys())
    # What is missing is an error below, for all weights and not for some.
    with loading(path, "complete adapter"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapted = peft.PeftModel.from_pretrained(
            model, path, local_files_only=True, torch_device="cpu"
        )
        wanted = set(peft.get_peft_model_state_dict(adapted, save_embedding_layers=False))
    refuse_random(wanted - saved, path, "complete adapter")
    if not hasattr(adapted, "merge_and_unload"):
        raise AdapterError(
            f"{str(path)!r} is an adapter of the kind {adapted.peft_type}, which cannot be merged "
            "into its base; pass a LoRA adapter, or wrap a function that calls the model"
        )
    prefix = "base_model.model."
    return adapted.merge_and_unload(), {key.removeprefix(prefix) for key in wanted}


def _hashes(path: Path, below: Path) -> tuple[FileHash, ...]:
    """Return the hashes of both folders; a base elsewhere stands under ``base/``."""
    own = hash_folder(path)
    if below.resolve().is_relative_to(path.resolve()):
        return own
    return own + tuple(
        file.model_copy(update={"path": f"base/{file.path}"}) for file in hash_folder(below)
    )
