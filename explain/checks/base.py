"""What a check is: from an audit context to a section."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from explain.dataset import Dataset
from explain.engine import Engine
from explain.record import InstanceRecord, ModelDescription, Section, SelectionPlan, Skipped

__all__ = ["AuditContext", "Check"]


@dataclass(frozen=True, slots=True)
class AuditContext:
    """All that a check may look at.

    Attributes
    ----------
    engine : Engine
        The way to the model.
    model : ModelDescription
        What is known of it.
    dataset : Dataset
        The table as it was read.
    instances : sequence of InstanceRecord
        The rows that were scored, with their attributions.
    skipped : sequence of Skipped
        The rows, and the methods on rows, that could not be done.
    plan : SelectionPlan
        Which instances were explained.
    seed : int
        Seed of all resampling.
    """

    engine: Engine
    model: ModelDescription
    dataset: Dataset
    instances: Sequence[InstanceRecord]
    skipped: Sequence[Skipped]
    plan: SelectionPlan
    seed: int


class Check(Protocol):
    """One aspect of a model, measured on the data."""

    @property
    def id(self) -> str:
        """Anchor of the section."""

    def run(self, context: AuditContext) -> Section:
        """Return what was measured, or a section that says why nothing was."""
