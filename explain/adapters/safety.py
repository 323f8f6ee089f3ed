"""What a model folder may hold before anything of it is loaded, and what of it was loaded."""

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Self
from zipfile import BadZipFile, ZipFile

from explain.errors import AdapterError, UnsafeModelError
from explain.files import hash_file
from explain.record import FileHash

__all__ = ["ADAPTER_CONFIG", "LoadedFiles", "check_archive", "check_folder", "weight_files"]

PICKLES = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".joblib", ".ckpt", ".h5"})
"""Suffixes of formats that can run code when they are loaded."""

ADAPTER_CONFIG = "adapter_config.json"
"""What tells an adapter of the peft package, which is no whole model."""

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
"""Where transformers looks for weights, in this order; an index names files for each of them."""

MOST_ENTRIES = 10_000
"""Files and folders of a model folder; those of a hub have tens."""

MOST_JSON_BYTES = 16 * 2**20
"""Size of a configuration or an index. That of a model of 400 billion weights has 0.2 MB, that of
100,000 labels 5 MB."""

MOST_TOKENIZER_BYTES = 128 * 2**20
"""Size of a file of a tokenizer. That of the largest vocabularies (a quarter of a million tokens)
has 35 MB."""

MOST_LABELS = 100_000
"""Labels of a model; extreme classification ends below that."""

MOST_LAYERS = 1_000
"""Layers of a model; the deepest published ones have about 200."""

MOST_SIZE = 2**27
"""Any other size of a configuration, such as rows of an embedding or positions."""

MOST_EXPANDED_BYTES, MOST_EXPANDED_TIMES = 2**30, 100
"""Size of what is in an archive, and how often its own size; one of them may be passed."""

_LABELS = re.compile(r"num_labels|num_classes")
_LAYERS = re.compile(r"(^|_)layers?$|_layers_|_blocks$|^depth$")
_SIZES = re.compile(
    r"size|_dim|dim$|heads?$|experts|positions?$|embeddings$|^n_|^d_|groups|buckets|channels"
)

_TOKENIZER_FILES = re.compile(
    r"(tokenizer|vocab|merges|added_tokens|encoder|dict|tekken)\S*\.(json|txt)|bpe\.codes"
    r"|.*\.(model|spm|tiktoken|bpe)"
)
_SETTINGS_FILES = re.compile(
    r"(config|generation_config|special_tokens_map|preprocessor_config|processor_config"
    r"|quantize_config|adapter_config|tokenizer_config|chat_template)\.(json|jinja)"
    r"|.*\.index\.json"
)
"""What transformers and peft may read at the top of a folder, beside weights."""


def check_folder(
    folder: Path, *, weights: str = ".safetensors", config: str | None = "config.json"
) -> None:
    """Check that a folder holds weights in a safe format, no code, and no way out of it.

    Weights in a pickle beside safe ones are let be: they are never opened. Links may lead to other
    files of the folder, or, as in the cache of a hub, to its ``blobs``.

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
        If the folder is missing, holds no such weights or configuration, files or sizes beyond all
        models that are known, or an adapter where a whole model is expected: transformers would
        fetch its base.
    UnsafeModelError
        If its only weights are pickles, it comes with Python code of its own, or it would have a
        file outside of it, a pickle or a device opened.
    """
    if not folder.is_dir():
        raise AdapterError(f"no folder {str(folder)!r}; pass a folder that save_pretrained() wrote")
    files = sorted(_regular_files(folder))
    if code := [path.name for path in files if path.suffix == ".py"]:
        raise UnsafeModelError(
            f"{str(folder)!r} holds Python code ({code[0]}), which is never run; "
            "save the model with an architecture that transformers ships"
        )
    for path in files:
        if path.parent == folder:
            _check_readable(path)
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


def weight_files(folder: Path) -> list[Path]:
    """Return the files of a checked folder that transformers reads weights from.

    Raises
    ------
    AdapterError
        If neither ``model.safetensors`` nor its index is there, or the index names none.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if not (folder / INDEX).is_file():
        raise AdapterError(
            f"{str(folder)!r} holds neither {WEIGHTS} nor {INDEX}; "
            "pass a folder that save_pretrained() wrote"
        )
    names = sorted(set(_read_json(folder / INDEX)["weight_map"].values()))
    if not names:
        raise AdapterError(f"{INDEX} in {str(folder)!r} names no weights; save the model again")
    return [folder / name for name in names]


def check_archive(path: Path, content: bytes) -> None:
    """Check that a file of skops is a zip archive that does not expand beyond measure.

    Raises
    ------
    AdapterError
        If it does, or is none.
    """
    try:
        with ZipFile(BytesIO(content)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (BadZipFile, NotImplementedError, ValueError) as error:
        raise AdapterError(
            f"{str(path)!r} is no skops file: {error}; save the model again"
        ) from error
    if size > max(MOST_EXPANDED_BYTES, MOST_EXPANDED_TIMES * len(content)):
        raise AdapterError(
            f"{str(path)!r} has {len(content):,} bytes and expands to {size:,}, which no model "
            "does; save the model again"
        )


@dataclass(frozen=True)
class LoadedFiles:
    """The files that a model is loaded from, as they were before."""

    hashes: tuple[FileHash, ...]
    _states: tuple[tuple[Path, tuple[int, ...]], ...]

    @classmethod
    def of(cls, folder: Path, weights: Sequence[Path]) -> Self:
        """Return the hashes of weights, and of what else is read at the top of their folder.

        Files that nothing opens are not hashed, however large they are.
        """
        read = {path for path in folder.iterdir() if _is_read(path.name) and path.is_file()}
        return cls._of(folder, sorted(read | set(weights)))

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """Return the hash of a model that is a single file."""
        return cls._of(path.parent, [path])

    @classmethod
    def _of(cls, folder: Path, paths: Sequence[Path]) -> Self:
        states = tuple((path, _state(path)) for path in paths)
        return cls(tuple(hash_file(path, folder) for path in paths), states)

    def unchanged(self) -> tuple[FileHash, ...]:
        """Return the hashes, once the model is loaded: they are those of what was loaded.

        Raises
        ------
        AdapterError
            If a file was changed in between.
        """
        for path, state in self._states:
            if not path.is_file() or _state(path) != state:
                raise AdapterError(
                    f"{path.name} in {str(path.parent)!r} was changed while it was loaded; wait "
                    "until nothing writes to the folder, and load the model again"
                )
        return self.hashes


def _state(path: Path) -> tuple[int, ...]:
    """Return what tells one content of a file from another, the time of its last change included.

    The user may set back the time of the last modification, but not that of the last change.
    """
    own = path.stat()
    return own.st_dev, own.st_ino, own.st_size, own.st_mtime_ns, own.st_ctime_ns


def _is_read(name: str) -> bool:
    return bool(_SETTINGS_FILES.fullmatch(name) or _TOKENIZER_FILES.fullmatch(name))


def _regular_files(folder: Path) -> Iterator[Path]:
    """Yield all files of a folder and those below, once it is known that none leads out of it."""
    root = folder.resolve()
    # The hub's cache holds links to ../../blobs.
    homes = [root, root.parent.parent / "blobs"] if root.parent.name == "snapshots" else [root]
    seen = 0
    for place, folders, names in os.walk(folder):
        seen += len(folders) + len(names)
        if seen > MOST_ENTRIES:
            raise AdapterError(
                f"{str(folder)!r} holds more than {MOST_ENTRIES:,} files; pass the folder of one "
                "model"
            )
        for path in (Path(place) / name for name in (*folders, *names)):
            if path.is_symlink():
                _check_link(path, homes)
            if not path.exists():
                continue
            mode = path.stat().st_mode
            if stat.S_ISREG(mode):
                yield path
            elif not stat.S_ISDIR(mode):
                raise UnsafeModelError(
                    f"{path.name} in {place!r} is a pipe, a socket or a device, which is never "
                    "read; remove it"
                )


def _check_link(path: Path, homes: Sequence[Path]) -> None:
    try:
        target = path.resolve()
    except (OSError, RuntimeError) as error:
        raise UnsafeModelError(f"{str(path)!r} is a link to itself; remove it") from error
    # A GGUF file is opened only where the user names it, and holds weights and nothing else.
    if path.suffix == target.suffix == ".gguf":
        return
    if not any(target.is_relative_to(home) for home in homes):
        raise UnsafeModelError(
            f"{str(path)!r} is a link to {str(target)!r} outside of the folder, which is never "
            "read; put the file itself there"
        )


def _check_readable(path: Path) -> None:
    """Check a file at the top of a folder: its size, and, of JSON, what it asks for."""
    size = path.stat().st_size
    is_setting = _SETTINGS_FILES.fullmatch(path.name)
    if _is_read(path.name):
        most = MOST_JSON_BYTES if is_setting else MOST_TOKENIZER_BYTES
        if size > most:
            raise AdapterError(
                f"{path.name} in {str(path.parent)!r} has {size:,} bytes, at most {most:,} are "
                "read; save the model again"
            )
        if not is_setting:
            return
    if path.suffix != ".json" or size > MOST_JSON_BYTES:
        return
    content = _read_json(path)
    for key, value in _settings(content):
        _check_setting(path, key, value)
    if path.name.endswith(".index.json"):
        _check_index(path, content)
    if path.name == "config.json":
        for key, value in _settings(content):
            _check_size(path, key, value)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise AdapterError(f"{path.name} is no JSON: {error}; save the model again") from error


def _settings(content: Any) -> Iterator[tuple[str, Any]]:
    """Yield names and values of all objects in a JSON value."""
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield from value.items()
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _check_setting(path: Path, key: str, value: Any) -> None:
    """Check that a setting makes nobody run code or open a file elsewhere."""
    if key == "auto_map":
        raise UnsafeModelError(
            f"{path.name} in {str(path.parent)!r} asks for remote code (auto_map), which is never "
            "run; save the model with an architecture that transformers ships"
        )
    names = value.values() if isinstance(value, dict) else [value]
    if key.endswith("_implementation") and any("/" in str(name) for name in names):
        raise UnsafeModelError(
            f"{path.name} in {str(path.parent)!r} asks for code of a hub ({key} {value!r}), which "
            "is never run; remove the setting"
        )
    if key == "transformers_weights" and value not in (None, WEIGHTS, INDEX):
        raise UnsafeModelError(
            f"{path.name} in {str(path.parent)!r} asks for weights in {value!r}, expected "
            f"{WEIGHTS} or its index; save the model again"
        )
    # What an author's machine left behind is not there; of this one transformers rebuilds.
    if key.endswith("_file") and key != "special_tokens_map_file" and isinstance(value, str):
        target = path.parent / value
        inside = target.resolve().is_relative_to(path.parent.resolve())
        if not inside and target.exists():
            raise UnsafeModelError(
                f"{path.name} in {str(path.parent)!r} names a file outside of the folder ({key} "
                f"{value!r}), which is never read; remove the setting"
            )


def _check_index(path: Path, content: Any) -> None:
    """Check that an index of weights names files beside it, and one of safetensors only such."""
    of_weights = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(of_weights, Mapping):
        raise AdapterError(
            f"{path.name} in {str(path.parent)!r} holds no weight_map; save the model again"
        )
    safe = path.name.endswith(".safetensors.index.json")
    for name in dict.fromkeys(map(str, of_weights.values())):
        if not name or {PurePosixPath(name).name, PureWindowsPath(name).name} != {name}:
            raise UnsafeModelError(
                f"{path.name} in {str(path.parent)!r} names weights outside of the folder "
                f"({name!r}), which are never read; save the model again"
            )
        if safe and not name.endswith(".safetensors"):
            raise UnsafeModelError(
                f"{path.name} in {str(path.parent)!r} names weights that are no safetensors "
                f"({name!r}), which are never opened; save the model again"
            )
        if safe and not (path.parent / name).is_file():
            raise AdapterError(
                f"{path.name} in {str(path.parent)!r} names {name!r}, which is not there; "
                "save the model again"
            )


def _check_size(path: Path, key: str, value: Any) -> None:
    """Check that a size in a configuration is one that models have."""
    if key in ("id2label", "label2id") and isinstance(value, dict):
        key, value = f"entries of {key}", len(value)
        most = MOST_LABELS
    elif isinstance(value, bool) or not isinstance(value, int | float):
        return
    elif _LABELS.search(key):
        most = MOST_LABELS
    elif _LAYERS.search(key):
        most = MOST_LAYERS
    elif _SIZES.search(key):
        most = MOST_SIZE
    else:
        return
    if value > most:
        raise AdapterError(
            f"{path.name} in {str(path.parent)!r} says {key} {value:,}, at most {most:,} can be "
            "loaded; mend it, or save the model again"
        )
