"""Whether the files in the folder of an audit are those that its manifest lists."""

import os
import re
import stat
from pathlib import Path

from explain.record import FileProblem, Sentence
from explain.record.files import hash_file
from explain.record.run_folders import MANIFEST, REVIEWS, STAGED, listed_hashes

__all__ = [
    "ADDED",
    "MISSING",
    "SIGNATURE",
    "SIGN_OFF",
    "UNPROTECTED",
    "file_problems",
    "is_file",
]

SIGN_OFF = re.compile(r"signoff-[\w-]+\.json")
"""Names of sign-offs in the folder of an audit. The manifest does not list them: they sign it."""

SIGNATURE = re.compile(r"signoff-[\w-]+\.json\.sig")
"""Names of the signatures of sign-offs."""

MISSING = "is missing"

ADDED = "was added: the manifest does not list it"

REVIEWS_OF_BEFORE = (
    "was added: the manifest does not list it, and it may review an audit that was here before; "
    "move it elsewhere"
)
"""Of the file of reviews: a new audit leaves it where it is, because people wrote it."""

UNPROTECTED = ("calls.sqlite", "calls.sqlite-shm", "calls.sqlite-wal")
"""What later runs go on writing to, the log of an endpoint: no manifest can cover it."""


def file_problems(folder: Path) -> list[FileProblem]:
    """Return what differs between a folder and its manifest, signatures laid aside."""
    listed = listed_hashes(folder)
    if listed is None:
        problem = (
            "is not as a run writes it: it was changed" if is_file(folder / MANIFEST) else MISSING
        )
        return [FileProblem(file=MANIFEST, problem=problem)]
    problems = [
        FileProblem(file=name, problem=difference)
        for name, sha256 in listed.items()
        if (difference := _difference(folder, name, sha256)) is not None
    ]
    problems += [
        FileProblem(file=name, problem=REVIEWS_OF_BEFORE if name == REVIEWS else ADDED)
        for name in _names(folder)
        if name not in listed and not _is_known(folder, name)
    ]
    return problems


def _difference(folder: Path, name: str, sha256: str) -> str | None:
    path = folder / name
    if name != Path(name).name or name in ("", ".", ".."):
        return "is not the name of a file in the folder"
    if not os.path.lexists(path):
        return MISSING
    if not is_file(path):
        return "is a link, a folder or a device: it was replaced"
    try:
        is_same = hash_file(path, folder).sha256 == sha256
    except OSError as error:
        return Sentence("cannot be read: {reason}", reason=error.strerror or str(error))
    return None if is_same else "was changed: its hash is not that of the manifest"


def _names(folder: Path) -> list[str]:
    """Return what lies in a folder and in folders inside of it; links are not followed."""
    names = []
    for place, folders, files in os.walk(folder):
        if Path(place) == folder:
            # A run that is writing now keeps its files there.
            folders[:] = [name for name in folders if not name.startswith(STAGED)]
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        names += [(Path(place) / name).relative_to(folder).as_posix() for name in files + links]
        if not folders and not files and Path(place) != folder:
            names.append(Path(place).relative_to(folder).as_posix())
    return sorted(names)


def _is_known(folder: Path, name: str) -> bool:
    """Tell whether a file that no manifest lists may be there."""
    if name == MANIFEST or name in UNPROTECTED:
        return True
    if SIGNATURE.fullmatch(name):
        return (folder / name.removesuffix(".sig")).exists()
    return SIGN_OFF.fullmatch(name) is not None


def is_file(path: Path) -> bool:
    """Tell whether a path is a plain file, and no link, FIFO or device."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False
