"""What a model folder may hold before anything of it is loaded."""

import json
from pathlib import Path

from explain.errors import AdapterError, UnsafeModelError

__all__ = ["check_folder"]

PICKLES = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".joblib", ".ckpt", ".h5"})
"""Suffixes of formats that can run code when they are loaded."""


def check_folder(folder: Path) -> None:
    """Check that a folder holds safetensors weights and no code.

    Weights in a pickle beside safetensors ones are let be: they are never opened.

    Raises
    ------
    AdapterError
        If the folder is missing or holds no ``config.json`` or no weights.
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
    if not any(path.suffix == ".safetensors" for path in files):
        if pickles := [path.name for path in files if path.suffix in PICKLES]:
            raise UnsafeModelError(
                f"{str(folder)!r} holds its weights only as a pickle ({pickles[0]}), which can run "
                "code when loaded; save them again with save_pretrained(), as safetensors"
            )
        raise AdapterError(
            f"{str(folder)!r} holds no weights (*.safetensors); "
            "pass a folder that save_pretrained() wrote"
        )
    if not (folder / "config.json").is_file():
        raise AdapterError(
            f"{str(folder)!r} holds no config.json; pass a folder that save_pretrained() wrote"
        )


def _names_remote_code(path: Path) -> bool:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise AdapterError(f"{path.name} is no JSON: {error}; save the model again") from error
    return isinstance(content, dict) and "auto_map" in content
