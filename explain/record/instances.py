"""Rows that were scored, and the plan by which some are explained."""

from pydantic import Field

from explain.record.attributions import Agreement, Attribution
from explain.record.base import Record
from explain.record.sentences import SentenceLike
from explain.text.spans import Span

__all__ = ["InstanceRecord", "Prediction", "SelectionPlan", "Stratum"]


class Prediction(Record):
    """One label that a model gives to a text, beside which others may hold."""

    label: str
    probability: float


class InstanceRecord(Record):
    """One row of the table: its text, what the model says, and the explanations if any."""

    id: str
    """Derived from the text, so the same in every run; repeats of a text are numbered."""
    row: int
    """Row of the table, counted from 1 after the header."""
    parts: tuple[str, ...]
    label: str | None
    """The given label; None if there is none, or the task has no one right label."""
    predicted: str
    """The label with the highest score, which for a multi-label model need not hold."""
    probability: float | None
    """Probability of that label; None for regression."""
    scores: tuple[float, ...]
    """One score per label on the natural-log scale (or the plain output for regression)."""
    given: tuple[str, ...] | None = None
    """What the table says where the task has no one right label: all labels that hold, or the
    number of a regression. None if it says nothing, and for single-label models."""
    predictions: tuple[Prediction, ...] | None = None
    """All labels with p > .5 of a multi-label model, most probable first; None for others."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Cells of the columns that name the row's own id, its group and its slices, as text; missing
    ones are left out."""
    unread: tuple[Span, ...] = ()
    """What the model cut off and never read."""
    stratum: str | None = None
    """Why the instance was chosen to be explained; None if it was not."""
    attributions: tuple[Attribution, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    """Each pair of methods that explain the same label."""

    @property
    def labels(self) -> tuple[str, ...] | None:
        """All labels that the table gives it; None if the table says nothing."""
        return self.given if self.label is None else (self.label,)

    @property
    def right(self) -> bool | None:
        """Whether the prediction equals the given label; None without one."""
        return None if self.label is None else self.label == self.predicted


class Stratum(Record):
    """One kind of instance that is chosen for explanation, and how many."""

    name: SentenceLike
    rule: SentenceLike
    """How its instances are chosen, in a sentence."""
    wanted: int
    available: int
    chosen: int


class SelectionPlan(Record):
    """Which instances are explained, stated before any is."""

    requested: int
    strata: tuple[Stratum, ...]
