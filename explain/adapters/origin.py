"""Where a model comes from, and what reports call it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from pydantic import JsonValue

from explain.record import FileHash

__all__ = ["UNKNOWN", "Origin"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a model comes from, and what its record says of that.

    Attributes
    ----------
    name : str, optional
        What the model is called in reports; by default its folder, or else its class.
    source : str, optional
        The folder or hub id that it was loaded from.
    files : tuple of FileHash
        The files that it was loaded from.
    facts : mapping of str to JSON value
        What else the record should say of it.
    """

    name: str | None = None
    source: str | None = None
    files: tuple[FileHash, ...] = ()
    facts: Mapping[str, JsonValue] = field(default_factory=dict)

    def in_folder(
        self,
        folder: Path,
        files: tuple[FileHash, ...],
        facts: Mapping[str, JsonValue] | None = None,
    ) -> Self:
        """Return it with what was read in a folder, which also names what has no name yet."""
        return replace(
            self,
            name=self.name or folder.resolve().name,
            source=self.source or folder.as_posix(),
            files=files,
            facts={**self.facts, **(facts or {})},
        )


UNKNOWN = Origin()
"""That of a live object."""
