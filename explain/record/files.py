"""Plain files: hashed, read, and written whole or not at all."""

import errno
import hashlib
import os
import secrets
import stat
from pathlib import Path

from explain.record import FileHash

__all__ = [
    "encoded",
    "hash_file",
    "plain_bytes",
    "require_place",
    "require_plain",
    "write_new",
    "write_whole",
]

MOST_BYTES = 2**30
"""Size up to which a record, a plan or a log is read: its objects take some ten times as much."""


def hash_file(path: Path, root: Path) -> FileHash:
    """Return the SHA-256 of a file, its path relative to `root`."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return FileHash(
        path=path.relative_to(root).as_posix(), bytes=path.stat().st_size, sha256=digest
    )


def require_plain(path: Path) -> None:
    """Raise `OSError` for what is no plain file, such as a pipe, from which nothing may ever come.

    A link to a plain file is one.
    """
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "It is a pipe or a device, expected a plain file", str(path))


def require_place(path: Path) -> None:
    """Raise `OSError` where a file cannot be put without losing a folder, a pipe or a device.

    The streams of a process are links in ``/dev``, and a file put there would replace the link.
    """
    if path.exists():
        require_plain(path)
        if path.is_symlink() and os.readlink(path).startswith("/proc/"):
            raise OSError(errno.EINVAL, "It is a stream, expected the name of a file", str(path))


def plain_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return what a plain file holds, or a pipe that the shell opened, as that of ``<(...)``.

    Raises
    ------
    OSError
        If it cannot be read, is neither, or has more than `most` bytes.
    """
    piped = _piped_bytes(path, most)
    if piped is None:
        require_plain(path)
    if (path.stat().st_size if piped is None else len(piped)) > most:
        raise OSError(errno.EFBIG, f"It has more than {most:,} bytes", str(path))
    return path.read_bytes() if piped is None else piped


def _piped_bytes(path: Path, most: int) -> bytes | None:
    """Return what comes from a pipe of this process, and ends with its writer; None of others.

    One byte more than `most` is enough.
    """
    if path.parent in (Path("/dev/fd"), Path("/proc/self/fd")):
        number = path.name
    else:
        number = "0" if path == Path("/dev/stdin") else ""
    if not number.isdecimal() or not stat.S_ISFIFO(path.stat().st_mode):
        return None
    # Whoever opens it by its name, and not by its number, may wait for a second writer.
    with open(os.dup(int(number)), "rb") as stream:
        return stream.read(most + 1)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file that is either there whole or as it was before, with the user's umask.

    Raises
    ------
    OSError
        If the folder cannot be written, or the path is a folder, a pipe or a device; nothing is
        left behind then.
    """
    require_place(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        write_new(temporary, encoded(content))
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def encoded(content: str | bytes) -> bytes:
    """Return the bytes of a file."""
    return content if isinstance(content, bytes) else content.encode()


def write_new(path: Path, content: bytes) -> None:
    """Write a new file with the permissions that the umask leaves, down to the disk."""
    with path.open("xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
