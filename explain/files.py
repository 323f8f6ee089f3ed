"""Hashes of files, and files written whole or not at all."""

import hashlib
import os
import tempfile
from pathlib import Path

from explain.record import FileHash

__all__ = ["hash_file", "hash_folder", "write_whole"]


def hash_file(path: Path, root: Path) -> FileHash:
    """Return the SHA-256 of a file, its path relative to `root`."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return FileHash(
        path=path.relative_to(root).as_posix(), bytes=path.stat().st_size, sha256=digest
    )


def hash_folder(folder: Path) -> tuple[FileHash, ...]:
    """Return the SHA-256 of each file of a folder, sorted by path, hidden files left out."""
    return tuple(
        hash_file(path, folder)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def write_whole(path: Path, content: str) -> None:
    """Write a text file that is either there whole or as it was before.

    Raises
    ------
    OSError
        If the folder cannot be written; nothing is left behind then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
