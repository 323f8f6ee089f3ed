"""Rows that were scored, and the plan by which some are explained."""

from collections.abc import Sequence

from pydantic import Field

from explain.record.attributions import Agreement, Attribution
from explain.record.base import Record
from explain.record.counterfactuals import Counterfactual
from explain.record.sentences import SentenceLike
from explain.text.spans import Span

__all__ = ["InstanceRecord", "Prediction", "SelectionPlan", "Stratum", "Truncation"]


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
    labels: tuple[str, ...] | None
    """What the table says: the one label, all labels that hold for a multi-label model (none, if
    no label does), or the number of a regression. None if the table says nothing."""
    predicted: str
    """The label that is the answer: the one with the highest score, unless the model has a
    threshold. Of a multi-label model it is the most probable one, which need not hold."""
    probability: float | None
    """Probability of that label; None for regression."""
    scores: tuple[float, ...]
    """One score per label on the natural-log scale (or the plain output for regression)."""
    predictions: tuple[Prediction, ...] | None = None
    """All labels that a multi-label model gives, most probable first; None for others."""
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
    counterfactuals: tuple[Counterfactual, ...] = ()
    """Of each label that is explained, the fewest features that decide whether it is given; none
    of a regression."""

    @property
    def label(self) -> str | None:
        """The one right label; None if the table has none, or the task knows no such thing."""
        single = self.predictions is None and self.probability is not None
        return self.labels[0] if single and self.labels else None

    @property
    def right(self) -> bool | None:
        """Whether the prediction equals the one right label; None without one."""
        return None if self.label is None else self.label == self.predicted


class Truncation(Record):
    """Texts that were longer than the model reads."""

    rows: tuple[int, ...]
    """Rows of the table whose texts were cut, counted from 1 after the header."""
    characters: int
    """Characters that the model never read."""
    of: int
    """Characters of all scored rows."""

    @classmethod
    def of_rows(cls, instances: Sequence[InstanceRecord]) -> "Truncation | None":
        """Return what was cut; None if nothing was."""
        cut = [instance for instance in instances if instance.unread]
        if not cut:
            return None
        return cls(
            rows=tuple(instance.row for instance in cut),
            characters=sum(span.end - span.start for i in cut for span in i.unread),
            of=sum(len(part) for instance in instances for part in instance.parts),
        )


class Stratum(Record):
    """One kind of instance that is chosen for explanation, and how many."""

    name: SentenceLike
    rule: SentenceLike
    """How its instances are chosen, in a sentence."""
    quota: int
    n_available: int
    n_chosen: int


class SelectionPlan(Record):
    """Which instances are explained, stated before any is."""

    requested: int
    strata: tuple[Stratum, ...]
