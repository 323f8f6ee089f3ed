"""Sequence classifiers saved as an adapter (LoRA and its kin) beside their base model."""

import json
import warnings
from pathlib import Path
from typing import Any

from safetensors import safe_open
from transformers import AutoModelForSequenceClassification

from explain.adapters.extras import import_extra
from explain.adapters.loading import (
    load_config,
    load_model,
    load_tokenizer,
    loading,
    on_device,
    refuse_random,
)
from explain.adapters.origin import UNKNOWN, Origin
from explain.adapters.safety import ADAPTER_CONFIG, LoadedFiles, check_folder, weight_files
from explain.adapters.tokenized import LongText, Pool
from explain.adapters.transformers import KIND, TransformersClassifier
from explain.errors import AdapterError, UnsafeModelError
from explain.record import FileHash, Task

__all__ = ["load_peft"]

WEIGHTS = "adapter_model.safetensors"

MERGEABLE = ("LORA", "ADALORA", "LOHA", "LOKR", "IA3")
"""The kinds that merge and read nothing but `WEIGHTS`; others open files or the hub."""


def load_peft(
    folder: str | Path,
    *,
    base: str | Path | None = None,
    origin: Origin = UNKNOWN,
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
    origin, task, long_text, pool, dtype, device
        As for `TransformersClassifier.from_folder`.

    Raises
    ------
    AdapterError
        If peft is not installed, a folder is missing, incomplete or damaged, the adapter is of a
        kind that cannot be merged, or weights are in neither of them.
    ConfigurationError
        If an option is unknown or contradicts the model.
    UnsafeModelError
        If loading either would run code, or the adapter names files or modules outside of it.
    """
    peft = import_extra("peft", "peft")
    path = Path(folder)
    check_folder(path, config=ADAPTER_CONFIG)
    if not (path / WEIGHTS).is_file():
        raise AdapterError(f"{str(path)!r} holds no {WEIGHTS}; save the adapter again")
    settings = _settings(path)
    base_folder = _base_folder(path, settings, base)
    check_folder(base_folder)

    config_file = path / "config.json"
    adapter = LoadedFiles.of(path, [path / WEIGHTS])
    whole = LoadedFiles.of(base_folder, weight_files(base_folder))
    config = load_config(path if config_file.is_file() else base_folder, KIND)
    model, missing = load_model(
        AutoModelForSequenceClassification, base_folder, KIND, dtype=dtype, config=config
    )
    merged_model, adapter_weights = _merge(peft, model, path)
    refuse_random(missing - adapter_weights, path, KIND)
    has_tokenizer = any((path / f).is_file() for f in ("tokenizer.json", "tokenizer_config.json"))
    tokenizer = load_tokenizer(path if has_tokenizer else base_folder)
    return TransformersClassifier(
        on_device(merged_model, device),
        tokenizer,
        origin=origin.in_folder(
            path,
            adapter.unchanged() + _hashes_of_base(whole.unchanged(), path, base_folder),
            {"adapter": f"{settings['peft_type']}, merged", "base": base_folder.as_posix()},
        ),
        task=task,
        long_text=long_text,
        pool=pool,
    )


def _settings(path: Path) -> dict[str, Any]:
    """Return the settings of an adapter, once it is known that peft may read them."""
    settings = json.loads((path / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    place = f"{ADAPTER_CONFIG} in {str(path)!r}"
    if not isinstance(settings, dict):
        raise AdapterError(
            f"{place} is a {type(settings).__name__}, expected an object; save the adapter again"
        )
    for key in ("peft_type", "base_model_name_or_path"):
        value = settings.get(key)
        if not isinstance(value, str) and (key == "peft_type" or value is not None):
            raise AdapterError(
                f"{key} of {place} is {value!r}, expected a string; save the adapter again"
            )
    if settings["peft_type"] not in MERGEABLE:
        raise AdapterError(
            f"{str(path)!r} is an adapter of the kind {settings['peft_type']}, which cannot be "
            f"merged into its base from {WEIGHTS} alone; pass one of {', '.join(MERGEABLE)}, or "
            "wrap a function that calls the model"
        )
    if outside := _reaches_out(settings):
        raise UnsafeModelError(
            f"{place} names a file or a Python module outside of the adapter ({outside}), which is "
            "never opened; merge the adapter and save the whole model"
        )
    return settings


def _reaches_out(settings: dict[str, Any]) -> str | None:
    """Return the first setting that names a file, or a module other than of transformers."""
    if settings.get("megatron_config") is not None:
        return "megatron_config"
    # peft itself writes one for adapters without a task, with the module of a known architecture.
    mapping = settings.get("auto_mapping")
    library = mapping.get("parent_library") if isinstance(mapping, dict) else mapping
    if library is not None and str(library).partition(".")[0] != "transformers":
        return "auto_mapping"
    for key, value in settings.items():
        if isinstance(value, dict) and any(
            name.endswith(("_file", "_path")) and value_inside is not None
            for name, value_inside in value.items()
        ):
            return key
    return None


def _base_folder(path: Path, settings: dict[str, Any], base: str | Path | None) -> Path:
    base_name = settings.get("base_model_name_or_path")
    base_folder = Path(base) if base is not None else path / (base_name or "")
    if base is None and (not base_name or not base_folder.is_dir()):
        raise AdapterError(
            f"the base model of {str(path)!r} is {base_name!r}, which is no folder here, and "
            "nothing is downloaded; pass base='FOLDER'"
        )
    return base_folder


def _merge(peft: Any, model: Any, path: Path) -> tuple[Any, set[str]]:
    """Return the merged model, and the names of its weights that the adapter holds whole."""
    with (
        loading(path, "complete adapter"),
        safe_open(path / WEIGHTS, framework="pt") as weights,
    ):
        saved_names = set(weights.keys())
    # What is missing is an error below, for all weights and not for some.
    with loading(path, "complete adapter"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapted = peft.PeftModel.from_pretrained(
            model, path, local_files_only=True, torch_device="cpu"
        )
        required_names = set(peft.get_peft_model_state_dict(adapted, save_embedding_layers=False))
    refuse_random(required_names - saved_names, path, "complete adapter")
    prefix = "base_model.model."
    # Of most kinds peft cannot put back a trained head of several layers.
    with loading(path, "mergeable adapter"):
        merged = adapted.merge_and_unload()
    return merged, {key.removeprefix(prefix) for key in required_names}


def _hashes_of_base(
    files: tuple[FileHash, ...], path: Path, base_folder: Path
) -> tuple[FileHash, ...]:
    """Return the hashes of the base; one inside of the adapter's folder keeps its place."""
    resolved_base, root = base_folder.resolve(), path.resolve()
    place = (
        resolved_base.relative_to(root).as_posix() if resolved_base.is_relative_to(root) else "base"
    )
    return tuple(file.model_copy(update={"path": f"{place}/{file.path}"}) for file in files)
