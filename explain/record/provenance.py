"""Where an audit comes from: files, model, system, log."""

from datetime import date, datetime

from pydantic import Field

from explain.record.base import JsonObject, Record, Task
from explain.record.sentences import Sentence

__all__ = [
    "PICKLE_FACT",
    "FileHash",
    "LogEntry",
    "ModelDescription",
    "Provenance",
    "SystemIdentity",
]


class FileHash(Record):
    """One file that the audit rests on."""

    path: str
    """Relative to the folder that was given, with forward slashes."""
    bytes: int
    sha256: str


PICKLE_FACT = "loaded from a pickle"
"""Name of the fact about a model that every reader must see first."""


MANY_LABELS = "{rule}, otherwise the most probable other label"
SOME_LABELS = "{rules}; the other labels above p = 0.5"


class ModelDescription(Record):
    """What is known of the audited model without looking at its predictions."""

    name: str
    adapter: str
    """Class of the adapter: ``TransformersClassifier``."""
    source: str | None
    """Folder or hub id as given; None for a live object."""
    task: Task
    labels: tuple[str, ...]
    facts: JsonObject = Field(default_factory=dict)
    """Architecture, parameters, maximum length, truncation side, dtype, device."""
    files: tuple[FileHash, ...] = ()
    thresholds: dict[str, float] = Field(default_factory=dict)
    """Probability from which on a label is given, of labels that are not decided by the highest
    probability (or, of a multi-label model, by one above .5)."""

    @property
    def decision_rule(self) -> str:
        """How the answer follows from the thresholds; empty if there are none."""
        names = [Sentence("{label} from p = {p}", label=k, p=p) for k, p in self.thresholds.items()]
        if not names:
            return ""
        if self.task == "single_label":
            template = "{rule}, otherwise {other}" if len(self.labels) == 2 else MANY_LABELS
            other = next(label for label in self.labels if label not in self.thresholds)
            return Sentence(template, rule=names[0], other=other)
        several = Sentence("{rules:and}", rules=names)
        return several if len(names) == len(self.labels) else Sentence(SOME_LABELS, rules=several)


class SystemIdentity(Record):
    """What is audited and for whom, as stated by the user; nothing here is measured."""

    name: str
    version: str | None = None
    purpose: str | None = None
    decision_affected: str | None = None
    out_of_scope: str | None = None
    owner: str | None = None
    auditor: str | None = None
    notice: str | None = None
    """A sentence that every reader must see first (a demo, a draft)."""


class Provenance(Record):
    """Everything needed to run the audit again and get the same bytes."""

    audited_on: date
    """Day of the run in UTC, or of ``SOURCE_DATE_EPOCH`` if that is set."""
    model: ModelDescription
    data: tuple[FileHash, ...]
    """Hashes of the data files; empty for data passed as a live object."""
    rows_sha256: str
    """Hash of the rows as read, whatever they were read from."""
    arguments: JsonObject
    """The arguments of the audit as resolved, defaults included."""
    seed: int
    packages: dict[str, str]
    """Versions of explain-audit and of the packages that compute."""
    python: str
    platform: str


class LogEntry(Record):
    """One line of ``run.jsonl``: what happened when, and how long it took."""

    at: datetime
    event: str
    seconds: float | None = None
    detail: JsonObject = Field(default_factory=dict)
