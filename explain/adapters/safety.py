"""What a model folder may hold before anything of it is loaded."""

import json
from pathlib import Path

from explain.errors import AdapterError, UnsafeModelError

__all__ = ["ADAPTER_CONFIG", "check_folder"]

PICKLES = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".joblib", ".ckpt", ".h5"})
"""Suffixes of formats that can run code when they are loaded."""


ADAPTER_CONFIG = "adapter_config.json"
"""What tells an adapter of the peft package, which is no whole model."""


def check_folder(
    folder: Path, *, weights: str = ".safetensors", config: str | None = "config.json"
) -> None:
    """Check that a folder holds weights in a safe format and no code.

    Weights in a pickle beside safe ones are let be: they are never opened.

    Parameters
    ----------
    folder : Path
        The folder.
    weights : {".safetensors", ".onnx", ".gguf"}
        Suffix of the weights that will be opened; all of these are data.
    config : str or None
        The configuration that must be there; None for weights that hold their own.

    Raises
    ------
    AdapterError
        If the folder is missing, holds no such weights or configuration, or holds an adapter where
        a whole model is expected: transformers would fetch its base.
    UnsafeModelError
        If its only weights are pickles, or it comes with Python code of its own.
    """
    if not folder.is_dir():
        raise AdapterError(f"no folder {str(folder)!r}; pass a folder that save_pretrained() wrote")
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    if code := [path.name for path in files if path.suffix == ".py"]:
        raise UnsafeModelError(
            f"{str(folder)!r} holds Python code ({code[0]}), which is never run; "
            "save the model with an architecture that transformers ships"
        )
    for path in files:
        if path.suffix == ".json" and path.parent == folder and _names_remote_code(path):
            raise UnsafeModelError(
                f"{path.name} in {str(folder)!r} asks for remote code (auto_map), which is never "
                "run; save the model with an architecture that transformers ships"
            )
    if config != ADAPTER_CONFIG and (folder / ADAPTER_CONFIG).is_file():
        raise AdapterError(
            f"{str(folder)!r} holds an adapter ({ADAPTER_CONFIG}), where a whole model is "
            "expected; merge it into its base and save that"
        )
    if not any(path.suffix == weights for path in files):
        if pickles := [path.name for path in files if path.suffix in PICKLES]:
            raise UnsafeModelError(
                f"{str(folder)!r} holds its weights only as a pickle ({pickles[0]}), which can run "
                "code when loaded; save them again with save_pretrained(), as safetensors"
            )
        raise AdapterError(
            f"{str(folder)!r} holds no weights (*{weights}); "
            "pass a folder that save_pretrained() wrote"
        )
    if config is not None and not (folder / config).is_file():
        raise AdapterError(
            f"{str(folder)!r} holds no {config}; pass a folder that save_pretrained() wrote"
        )


def _names_remote_code(path: Path) -> bool:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise AdapterError(f"{path.name} is no JSON: {error}; save the model again") from error
    return isinstance(content, dict) and "auto_map" in content
