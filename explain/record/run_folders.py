"""Folders of audits: one run writes at a time, and what is read is of one run."""

import hashlib
import json
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from explain.errors import ConfigurationError, ExplainError
from explain.record import PREDICTIONS
from explain.record.files import encoded, hash_file, plain_bytes, write_new

if sys.platform != "win32":
    import fcntl

__all__ = [
    "MANIFEST",
    "REVIEWS",
    "STAGED",
    "RunFolder",
    "claimed",
    "finish_swap",
    "is_claimed",
    "listed_hashes",
    "read_steadily",
]

MANIFEST = "manifest.json"
"""Name of the file that holds the hashes of what a run wrote. It is written last."""

REVIEWS = "reviews.jsonl"
"""Name of the file of a folder that holds what the reviewers said last, each of each instance."""

STAGED = ".staged-"
"""How folders of files begin that are being written, and do not count."""

_WHOLE = ".whole"
"""Folder inside a run folder of new files, which are all there and are being moved out of it."""

_FILES_READ = (MANIFEST, _WHOLE, "audit.json", "reviewed.json", "run.jsonl", PREDICTIONS)
"""What is read of a folder, also where no manifest lists it."""

_SIGN_OFFS = "signoff-*"
"""Sign-offs and their signatures, which no manifest lists."""

ATTEMPTS = 5
"""How often a folder is read in which a run puts its files meanwhile; that takes milliseconds."""

T = TypeVar("T")


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
        whole = {name: encoded(content) for name, content in contents.items()}
        new = {name: hashlib.sha256(content).hexdigest() for name, content in whole.items()}
        self.write({**whole, MANIFEST: _manifest({**new, **hashes})})

    def write(self, contents: Mapping[str, str | bytes]) -> None:
        """Write files together: all of them, or none.

        All of them are written to a folder inside of this one, which is then renamed: from there
        on the new files are whole, before that the old ones are as they were. They are moved to
        their places one after the other, the manifest last; where that is interrupted,
        `finish_swap` goes on. What only the old manifest lists goes with the old files.

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
                    write_new(staged / name, encoded(content))
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
        If the files of the folder are of two runs: another one is moving its files just now, or one
        was killed at that and the folder cannot be written.
    """
    is_moving = (folder / _WHOLE).is_dir()
    if not is_moving and not any(folder.glob(f"{STAGED}*")):
        return
    try:
        with claimed(folder):
            pass
    except OSError as error:
        if is_moving:
            raise ConfigurationError(
                f"a run was stopped while it moved its files into {str(folder)!r}, and they cannot "
                f"be put in order: {error.strerror}; make the folder writable"
            ) from error
    except ConfigurationError:
        if is_moving:
            raise


def read_steadily(folder: Path, reader: Callable[[], T]) -> T:
    """Return what is read of a folder, all of it of one run: another one may end meanwhile.

    Parameters
    ----------
    folder : Path
        The folder of an audit.
    reader : callable
        Reads its files, and returns what is made of them. It may be called several times.

    Raises
    ------
    ConfigurationError
        If runs go on moving files into the folder.
    """
    for _ in range(ATTEMPTS):
        finish_swap(folder)
        before = _entries(folder)
        try:
            content = reader()
        except (ExplainError, OSError):
            if _entries(folder) == before:
                raise
            continue
        if _entries(folder) == before and _WHOLE not in before:
            return content
    raise ConfigurationError(
        f"other runs keep moving files into {str(folder)!r}; wait for their end"
    )


def is_claimed(folder: Path) -> bool:
    """Tell whether another run writes to a folder."""
    try:
        with _locked(folder):
            return False
    except ConfigurationError:
        return True


def listed_hashes(folder: Path) -> dict[str, str] | None:
    """Return the hashes of a manifest by name; None if it is not, byte for byte, as one is written.

    A manifest says the same after many changes of a byte, such as of a space.
    """
    try:
        content = plain_bytes(folder / MANIFEST) if not (folder / MANIFEST).is_symlink() else b""
        listed = json.loads(content)
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(listed, dict) or not all(isinstance(hash, str) for hash in listed.values()):
        return None
    return listed if content == _manifest(listed).encode() else None


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
            for left in folder.glob(f"{STAGED}*"):
                shutil.rmtree(left, ignore_errors=True)
            with _staged(folder) as staged:
                write_new(staged / "tried", b"\n")
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
    staged = folder / f"{STAGED}{secrets.token_hex(8)}"
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
        if name == Path(MANIFEST):
            _remove_outdated(folder, whole)
        (whole / name).replace(folder / name)
    shutil.rmtree(whole)


def _remove_outdated(folder: Path, whole: Path) -> None:
    """Remove the unchanged files of an older run that the new one has not written.

    Reviews are the work of people, and stay.
    """
    old, new = listed_hashes(folder) or {}, listed_hashes(whole) or {}
    for name in old.keys() - new.keys() - {REVIEWS}:
        path = folder / name
        with suppress(OSError):
            is_plain = name == path.name and path.is_file()
            if is_plain and hash_file(path, folder).sha256 == old[name]:
                path.unlink()


def _entries(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Return what tells the files of an audit from others that take their places.

    Other files are left out: the log of a server, or of an endpoint, grows all the time.
    """
    signed = (path.name for path in folder.glob(_SIGN_OFFS))
    entries = {}
    for name in {*_FILES_READ, *(listed_hashes(folder) or ()), *signed}:
        # A manifest may list any text, such as one that is no name of a file.
        with suppress(OSError, ValueError):
            state = (folder / name).lstat()
            entries[name] = (state.st_ino, state.st_mtime_ns, state.st_size)
    return entries


def _manifest(hashes: Mapping[str, str]) -> str:
    return json.dumps(hashes, indent=1, sort_keys=True) + "\n"


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
