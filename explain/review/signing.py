"""The sign-off: who stands for an audit, with what verdict, signed with their own key."""

import hashlib
import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from explain.errors import ConfigurationError, RecordError
from explain.record import SignOff, SignOffVerdict
from explain.record.run_folders import MANIFEST, claimed
from explain.review.manifest import file_problems
from explain.review.ssh_keygen import sign_file
from explain.text.redaction import redacted_record

__all__ = ["sign", "sign_off_name"]

LONGEST_NAME = 60
"""Letters of a person's name that the name of a file takes."""


def sign(
    folder: Path,
    *,
    name: str,
    role: str,
    verdict: SignOffVerdict,
    conditions: tuple[str, ...] = (),
    key: Path,
) -> Path:
    """Write a sign-off and its signature to the folder of an audit, and return the sign-off.

    Who signs again replaces their own sign-off. Several people may sign.

    Raises
    ------
    ConfigurationError
        If the folder or key cannot be used, or ssh-keygen is missing.
    RecordError
        If the files do not fit the manifest: nobody should sign that.
    """
    if not (folder / MANIFEST).is_file():
        raise ConfigurationError(
            f"{str(folder)!r} has no {MANIFEST}; pass the folder that `explain audit` wrote"
        )
    if (verdict == "accepted_with_conditions") != bool(conditions):
        raise ConfigurationError(
            f"the verdict is {verdict} with {len(conditions)} conditions; conditions belong to "
            "accepted_with_conditions, and it needs one at least"
        )
    # Nothing else may write from the check of the files on until the signature of it is there.
    with claimed(folder) as out:
        if problems := file_problems(folder):
            raise RecordError(
                f"{str(folder)!r} cannot be signed: {problems[0].file} {problems[0].problem}; "
                "`explain verify` lists all"
            )
        statement = _statement(
            name=name,
            role=role,
            verdict=verdict,
            conditions=conditions,
            signed_at=datetime.now(UTC).replace(microsecond=0),
            manifest_sha256=hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest(),
        )
        path = folder / sign_off_name(statement.name)
        if path.exists() and SignOff.from_json(path.read_bytes()).name != statement.name:
            raise ConfigurationError(
                f"{path.name} is the sign-off of somebody else; pass a --name that tells the two "
                "apart"
            )
        content = statement.to_json() + "\n"
        out.write({path.name: content, f"{path.name}.sig": _signature(path.name, content, key)})
    return path


def _signature(name: str, content: str, key: Path) -> str:
    with tempfile.TemporaryDirectory() as away:
        draft = Path(away) / name
        draft.write_text(content, encoding="utf-8")
        return sign_file(draft, key).read_text(encoding="ascii")


def sign_off_name(name: str) -> str:
    """Return the name of the file of a person's sign-off.

    Examples
    --------
    >>> sign_off_name("Dr. Ana Ruiz")
    'signoff-dr-ana-ruiz.json'
    """
    words = "-".join(re.findall(r"\w+", name.lower()))[:LONGEST_NAME]
    if not words:
        raise ConfigurationError(f"the name {name!r} has no letter; pass the name of a person")
    return f"signoff-{words}.json"


def _statement(**fields: object) -> SignOff:
    try:
        return redacted_record(SignOff.model_validate(fields))[0]
    except ValidationError as error:
        first = error.errors()[0]
        option = ".".join(map(str, first["loc"]))
        raise ConfigurationError(
            f"the {option} {first['input']!r} cannot be signed: {first['msg']}"
        ) from error
