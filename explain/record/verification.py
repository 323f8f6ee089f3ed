"""Who signed an audit, and what a verification of its folder found."""

from typing import Annotated, Literal, TypeAlias

from pydantic import AwareDatetime, Field

from explain.record.base import Record
from explain.record.sentences import SentenceLike

__all__ = ["CheckedSignature", "FileProblem", "SignOff", "SignOffVerdict", "Verification"]

SignOffVerdict: TypeAlias = Literal["accepted", "accepted_with_conditions", "rejected"]

Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\r\n]*\S[^\r\n]*$")]


class SignOff(Record):
    """What a person signs: the manifest of an audit by its hash, and what they make of it."""

    name: Line
    """Who signs, as they say themselves. Whose key it is, a file of allowed signers tells."""
    role: Line
    """As what they sign: ``model risk``."""
    verdict: SignOffVerdict
    conditions: tuple[Line, ...] = ()
    """What has to be done or kept to for the verdict to hold."""
    signed_at: AwareDatetime
    """When, by the clock of the machine."""
    manifest_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Hash of ``manifest.json``, which has the hashes of all other files."""


class FileProblem(Record):
    """A file that is not as it should be."""

    file: str
    problem: SentenceLike
    """What is wrong with it, as the end of a sentence."""


class CheckedSignature(Record):
    """A sign-off whose signature is good, of the files as they are now."""

    file: str
    sign_off: SignOff
    fingerprint: str
    """Of the key that signed."""
    principal: str | None
    """Whose key that is by the file of allowed signers; None without such a file."""


class Verification(Record):
    """What `verify` found."""

    files: int
    """Files that the manifest lists."""
    manifest_sha256: str | None
    """Hash of the manifest; None if it is missing."""
    problems: tuple[FileProblem, ...]
    signatures: tuple[CheckedSignature, ...]
    unprotected: tuple[str, ...]
    """Files that are there and that no manifest covers."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems
