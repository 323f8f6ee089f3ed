"""Hashes of files, files written whole or not at all, and folders of one run at a time."""

import hashlib
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from explain.errors import ConfigurationError
from explain.record import FileHash

if sys.platform != "win32":
    import fcntl

__all__ = [
    "MANIFEST",
    "RunFolder",
    "claimed",
    "finish_swap",
    "hash_file",
    "write_whole",
]

MANIFEST = "manifest.json"
"""Name of the file that holds the hashes of what a run wrote. It is written last."""

_WHOLE = ".whole"
"""Folder inside a run folder of new files, which are all there and are being moved out of it."""

_STAGED = ".staged-"
"""How folders of files begin that are being written, and do not count."""


def hash_file(path: Path, root: Path) -> FileHash:
    """Return the SHA-256 of a file, its path relative to `root`."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return FileHash(
        path=path.relative_to(root).as_posix(), bytes=path.stat().st_size, sha256=digest
    )


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file that is either there whole or as it was before, with the user's umask.

    Raises
    ------
    OSError
        If the folder cannot be written; nothing is left behind then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write(temporary, _encoded(content))
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A folder that no other run writes to."""

    path: Path

    def swap_in(self, contents: Mapping[str, str | bytes], hashes: Mapping[str, str]) -> None:
        """Write files together, as `write`, and last a manifest of their hashes.

        Parameters
        ----------
        contents : mapping of str to str or bytes
            Text, or bytes, by name of file.
        hashes : mapping of str to str
            SHA-256 by name of files that are there already and belong to the manifest.

        Raises
        ------
        OSError
            If the folder cannot be written.
        """
        whole = {name: _encoded(content) for name, content in contents.items()}
        new = {name: hashlib.sha256(content).hexdigest() for name, content in whole.items()}
        manifest = json.dumps({**new, **hashes}, indent=1, sort_keys=True) + "\n"
        self.write({**whole, MANIFEST: manifest})

    def write(self, contents: Mapping[str, str | bytes]) -> None:
        """Write files together: all of them, or none.

        All of them are written to a folder inside of this one, which is then renamed: from there
        on the new files are whole, before that the old ones are as they were. They are moved to
        their places one after the other, the manifest last; where that is interrupted,
        `finish_swap` goes on.

        Parameters
        ----------
        contents : mapping of str to str or bytes
            Text, or bytes, by path inside of the folder.

        Raises
        ------
        OSError
            If the folder cannot be written.
        """
        made: list[Path] = []
        try:
            with _staged(self.path) as staged:
                for name, content in contents.items():
                    # What is still missing is made now: moving must not need room on the disk.
                    made += _made_folders((self.path / name).parent)
                    _made_folders((staged / name).parent)
                    _write(staged / name, _encoded(content))
                os.rename(staged, self.path / _WHOLE)
        except BaseException:
            _remove_empty(made)
            raise
        _finish(self.path)


def finish_swap(folder: Path) -> None:
    """Move new files of a run that was killed to their places, if all of them are there.

    Those of which some are missing are removed. Nothing happens where this run may not write.

    Raises
    ------
    ConfigurationError
        If another run is moving its files just now: those of the folder are of two runs.
    """
    is_moving = (folder / _WHOLE).is_dir()
    if not is_moving and not any(folder.glob(f"{_STAGED}*")):
        return
    try:
        with suppress(OSError), claimed(folder):
            pass
    except ConfigurationError:
        if is_moving:
            raise


@contextmanager
def claimed(folder: Path) -> Iterator[RunFolder]:
    """Keep all other runs out of a folder, which is made if it is missing and tried by writing.

    The claim ends with the process, however that ends. A folder that was made for it and is empty
    at the end is removed.

    Raises
    ------
    ConfigurationError
        If another run has claimed it.
    OSError
        If it cannot be written.
    """
    made = _made_folders(folder)
    try:
        with _locked(folder):
            # A run that was killed leaves this behind.
            for left in folder.glob(f"{_STAGED}*"):
                shutil.rmtree(left, ignore_errors=True)
            with _staged(folder) as staged:
                _write(staged / "tried", b"\n")
            _finish(folder)
            yield RunFolder(folder)
    finally:
        _remove_empty(made)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder; Windows has none for folders, and there nothing is locked."""
    if sys.platform == "win32":
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigurationError(
                f"another run writes to {str(folder)!r}; wait for its end, or pass another folder"
            ) from error
        except OSError:
            # Some file systems of a network cannot lock.
            pass
        yield
    finally:
        os.close(handle)


@contextmanager
def _staged(folder: Path) -> Iterator[Path]:
    """Make a folder for files that do not count yet; what is still in it at the end is removed."""
    staged = folder / f"{_STAGED}{secrets.token_hex(8)}"
    staged.mkdir()
    try:
        yield staged
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _finish(folder: Path) -> None:
    whole = folder / _WHOLE
    if not whole.is_dir():
        return
    names = [path.relative_to(whole) for path in whole.rglob("*") if not path.is_dir()]
    for name in sorted(names, key=lambda name: (name == Path(MANIFEST), name)):
        (whole / name).replace(folder / name)
    shutil.rmtree(whole)


def _made_folders(folder: Path) -> list[Path]:
    """Make a folder, and return those that were missing, the innermost first."""
    if folder.is_dir():
        return []
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        _remove_empty(missing)
        raise
    return missing


def _remove_empty(folders: Sequence[Path]) -> None:
    """Remove folders in which there is nothing, as far as that is possible."""
    for path in sorted(folders, reverse=True):
        with suppress(OSError):
            path.rmdir()


def _encoded(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode()


def _write(path: Path, content: bytes) -> None:
    """Write a new file with the permissions that the umask leaves, down to the disk."""
    with path.open("xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
