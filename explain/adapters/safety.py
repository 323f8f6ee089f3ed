"""What a model folder may hold before anything of it is loaded, and what of it was loaded."""

import json
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Self
from zipfile import BadZipFile, ZipFile

from explain.adapters.folder_settings import (
    ADAPTER_CONFIG,
    INDEX,
    MOST_JSON_BYTES,
    WEIGHTS,
    check_readable,
    is_read,
    read_json,
)
from explain.errors import AdapterError, UnsafeModelError
from explain.record import FileHash
from explain.record.files import hash_file

__all__ = ["ADAPTER_CONFIG", "LoadedFiles", "check_archive", "check_folder", "weight_files"]

PICKLES = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".joblib", ".ckpt", ".h5"})
"""Suffixes of formats that can run code when they are loaded."""

MOST_ENTRIES = 10_000
"""Files and folders of a model folder; those of a hub have tens."""

HEAD, METADATA = 8, "__metadata__"
"""Bytes of the length of the head of a safetensors file; what in it is no tensor."""

COMPLEX = "C64"
"""The type of complex numbers there: transformers keeps the real half and warns."""

MOST_EXPANDED_BYTES, MOST_EXPANDED_TIMES = 2**30, 100
"""Size of what is in an archive, and how often its own size; one of them may be passed."""


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
            check_readable(path)
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
        _check_length(folder / WEIGHTS)
        return [folder / WEIGHTS]
    if not (folder / INDEX).is_file():
        raise AdapterError(
            f"{str(folder)!r} holds neither {WEIGHTS} nor {INDEX}; "
            "pass a folder that save_pretrained() wrote"
        )
    names = sorted(set(read_json(folder / INDEX)["weight_map"].values()))
    if not names:
        raise AdapterError(f"{INDEX} in {str(folder)!r} names no weights; save the model again")
    for name in names:
        _check_length(folder / name)
    return [folder / name for name in names]


def _check_length(path: Path) -> None:
    """Check that weights are as long as their head says, before they are read to be hashed."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(HEAD), "little")
        head = stream.read(length) if length <= MOST_JSON_BYTES else b""
    try:
        tensors = {key: value for key, value in json.loads(head).items() if key != METADATA}
        end_offsets = [tensor["data_offsets"][1] for tensor in tensors.values()]
        complex_names = [key for key, tensor in tensors.items() if tensor.get("dtype") == COMPLEX]
        expected_size = HEAD + length + max(end_offsets, default=0)
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        raise AdapterError(
            f"{path.name} in {str(path.parent)!r} cannot be loaded, as it does not begin like a "
            "safetensors file; save the model again"
        ) from error
    if complex_names:
        raise AdapterError(
            f"{path.name} in {str(path.parent)!r} holds complex numbers ({complex_names[0]}), of "
            "which only the real half would be loaded; save the model again"
        )
    if size != expected_size:
        raise AdapterError(
            f"{path.name} in {str(path.parent)!r} cannot be loaded, as it has {size:,} bytes where "
            f"its head says {expected_size:,}; save the model again"
        )


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
        other_files = {path for path in folder.iterdir() if is_read(path.name) and path.is_file()}
        return cls._of(folder, sorted(other_files | set(weights)))

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
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _regular_files(folder: Path) -> Iterator[Path]:
    """Yield all files of a folder and those below, once it is known that none leads out of it."""
    root = folder.resolve()
    # The hub's cache holds links to ../../blobs.
    homes = [root, root.parent.parent / "blobs"] if root.parent.name == "snapshots" else [root]
    n_entries = 0
    for place, folders, names in os.walk(folder):
        n_entries += len(folders) + len(names)
        if n_entries > MOST_ENTRIES:
            raise AdapterError(
                f"{str(folder)!r} holds more than {MOST_ENTRIES:,} files; pass the folder of one "
                "model"
            )
        for path in (Path(place) / name for name in (*folders, *names)):
            if not path.name.isprintable():
                raise UnsafeModelError(
                    f"{path.name!r} in {place!r} is a name with characters that cannot be shown; "
                    "rename or remove it"
                )
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
