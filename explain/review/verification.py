"""Whether the folder of an audit is what the run, the reviewers and the signers left behind."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from explain.auditing.archive import CRITERIA
from explain.errors import ConfigurationError, RecordError
from explain.record import CheckedSignature, FileProblem, Sentence, SignOff, Verification
from explain.record.files import hash_file
from explain.record.run_folders import MANIFEST, REVIEWS, is_claimed, listed_hashes, read_steadily
from explain.review import ssh_keygen
from explain.review.importing import reviews_problem
from explain.review.manifest import (
    ADDED,
    MISSING,
    SIGN_OFF,
    UNPROTECTED,
    file_problems,
    is_file,
)
from explain.text.redaction import redacted_record

__all__ = ["verify"]

BEING_FROZEN = re.compile(rf"{re.escape(CRITERIA)}|\.{re.escape(CRITERIA)}\.[0-9a-f]{{16}}")
"""Criteria, which a run writes before its other files, also as `write_whole` names them first."""


def verify(folder: Path, allowed_signers: Path | None = None) -> Verification:
    """Return what is wrong with the folder of an audit, and who signed it.

    Parameters
    ----------
    folder : Path
        The folder that `explain audit` wrote.
    allowed_signers : Path, optional
        Whose keys count (`man ssh-keygen`, "ALLOWED SIGNERS"). With it, one of them must have
        signed; without it, only that some key did is checked.

    Raises
    ------
    ConfigurationError
        If there is no such folder or no file of allowed signers, if ssh-keygen is needed and
        missing, or if another run writes to the folder and that is why its files do not fit yet.
    """
    if not folder.is_dir():
        raise ConfigurationError(
            f"{str(folder)!r} is not a folder; pass the one that `explain audit` wrote"
        )
    if allowed_signers is not None:
        ssh_keygen.require_signers(allowed_signers)
    verification = read_steadily(folder, lambda: _verification(folder, allowed_signers))
    # Names of files that somebody put there may hold a key as well.
    verification = redacted_record(verification)[0]
    problems = verification.problems
    if problems and _are_unfinished(folder, problems) and is_claimed(folder):
        first = problems[0]
        raise ConfigurationError(
            f"another run writes to {str(folder)!r} just now, and {first.file} {first.problem}; "
            "verify it again when that run has ended"
        )
    return verification


def _are_unfinished(folder: Path, problems: Sequence[FileProblem]) -> bool:
    """Tell whether problems can be those of a run that goes on, and not of files that were changed.

    A run only freezes its criteria before it moves all its files at once.
    """
    if problems[0] == FileProblem(file=MANIFEST, problem=MISSING):
        return not os.path.lexists(folder / "audit.json")
    return all(each.problem == ADDED and BEING_FROZEN.fullmatch(each.file) for each in problems)


def _verification(folder: Path, allowed_signers: Path | None) -> Verification:
    problems = file_problems(folder)
    if not problems and (problem := reviews_problem(folder)) is not None:
        problems = [FileProblem(file=REVIEWS, problem=problem)]
    signatures = []
    for name in sorted(path.name for path in folder.iterdir() if SIGN_OFF.fullmatch(path.name)):
        checked = _check_signature(folder, name, allowed_signers)
        if isinstance(checked, FileProblem):
            problems.append(checked)
        else:
            signatures.append(checked)
    if allowed_signers is not None and not signatures:
        problems.append(FileProblem(file=MANIFEST, problem="is signed by no allowed signer"))
    return Verification(
        manifest_sha256=_manifest_hash(folder),
        files=len(listed_hashes(folder) or ()),
        problems=tuple(problems),
        signatures=tuple(signatures),
        unprotected=tuple(name for name in UNPROTECTED if (folder / name).exists()),
    )


def _manifest_hash(folder: Path) -> str | None:
    return hash_file(folder / MANIFEST, folder).sha256 if is_file(folder / MANIFEST) else None


def _check_signature(
    folder: Path, name: str, allowed_signers: Path | None
) -> CheckedSignature | FileProblem:
    path, signature = folder / name, folder / f"{name}.sig"
    if not is_file(path) or not is_file(signature):
        return FileProblem(file=signature.name, problem=MISSING)
    content = path.read_bytes()
    key = ssh_keygen.fingerprint(signature, content)
    if key is None or not ssh_keygen.is_as_written(signature.read_bytes()):
        return FileProblem(
            file=name, problem="does not fit its signature: one of the two was changed"
        )
    try:
        sign_off = SignOff.from_json(content)
    except RecordError:
        return FileProblem(file=name, problem="is signed, and is not a sign-off")
    if _manifest_hash(folder) != sign_off.manifest_sha256:
        return FileProblem(
            file=name,
            problem=Sentence(
                "is of an older manifest: {name} signed on {day}, and files changed since",
                name=sign_off.name,
                day=sign_off.signed_at.date().isoformat(),
            ),
        )
    owner = None
    if allowed_signers is not None:
        owner = ssh_keygen.principal(signature, content, allowed_signers)
        if owner is None:
            return FileProblem(
                file=name,
                problem=Sentence("is signed by a key of no allowed signer: {key}", key=key),
            )
    return CheckedSignature(file=name, sign_off=sign_off, fingerprint=key, principal=owner)
