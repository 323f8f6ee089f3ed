"""What a check is: from an audit context to a section."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from explain.adapters import Scores, TextClassifier
from explain.adapters.decision_rule import DecisionRule
from explain.data.dataset import Dataset, Row
from explain.engine import Engine
from explain.record import (
    InstanceRecord,
    MetricSpec,
    ModelDescription,
    Section,
    SelectionPlan,
    Skipped,
    Task,
)
from explain.text.spans import Span, Text
from explain.text.words import words

__all__ = [
    "LEVEL",
    "AuditContext",
    "Check",
    "NarrowCheck",
    "TableRow",
    "not_measured",
    "probabilities",
]

LEVEL = 0.005
"""How often a check may raise a false finding: ten checks then do so in 5 % of clean audits."""

TableRow: TypeAlias = InstanceRecord | Row
"""A row with a text: one that was scored, or one to which the model gave no answer."""


@dataclass(frozen=True)
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
    group : sequence of str
        Columns of what belongs together or is to be treated alike.
    slices : sequence of str
        Columns whose values part the table into slices.
    training : Dataset or None
        What the model was trained on, as far as the user has passed it.
    target : str or None
        The one label for which texts are explained; None for the predicted ones.
    """

    engine: Engine
    model: ModelDescription
    dataset: Dataset
    instances: Sequence[InstanceRecord]
    skipped: Sequence[Skipped]
    plan: SelectionPlan
    seed: int
    group: Sequence[str] = field(default=())
    slices: Sequence[str] = field(default=())
    training: Dataset | None = None
    target: str | None = None

    @cached_property
    def scores(self) -> Scores:
        """Scores of the instances, shape (n_instances, n_labels), on the natural-log scale."""
        return np.array([instance.scores for instance in self.instances], dtype=np.float64)

    @cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """Probabilities of the instances, shape (n_instances, n_labels)."""
        return probabilities(self.scores, self.model.task)

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """Column of the label that the model answers each instance with, shape (n_instances,)."""
        return self._columns([instance.predicted for instance in self.instances])

    @cached_property
    def confidence(self) -> NDArray[np.float64]:
        """Probability of that label, shape (n_instances,)."""
        return np.take_along_axis(self.probabilities, self.predicted[:, None], axis=1)[:, 0]

    @cached_property
    def rule(self) -> DecisionRule:
        """How the answer of the model follows from its scores, of any text."""
        return DecisionRule.of(self.model)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Column of the one label that is given to each instance, -1 where there is none."""
        return self._columns([instance.label for instance in self.instances])

    @cached_property
    def unanswered(self) -> tuple[Row, ...]:
        """Rows of the table to which the model gave no answer, in the order of the table."""
        failed = {entry.id for entry in self.skipped if entry.stage == "predict"}
        return tuple(row for row in self.dataset.rows if row.id in failed)

    @cached_property
    def words(self) -> list[tuple[Span, ...]]:
        """Words and marks of each instance, as `explain.text.words.words` finds them."""
        return [words(instance.parts) for instance in self.instances]

    def score(self, texts: Sequence[Text]) -> Scores:
        """Return the scores of any texts, NaN where the model fails, shape (n_texts, n_labels).

        What has been scored before in this audit is not scored again.
        """
        missing = np.full(len(self.model.labels), np.nan)
        rows = [row if isinstance(row, np.ndarray) else missing for row in self.engine.score(texts)]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(self.model.labels))

    def rng(self, check: str) -> np.random.Generator:
        """Return the random stream of a check from its start, whatever else runs beside it."""
        return np.random.default_rng([self.seed, *check.encode()])

    def _columns(self, labels: Sequence[str | None]) -> NDArray[np.int64]:
        column = {label: i for i, label in enumerate(self.model.labels)}
        return np.array(
            [-1 if label is None else column[label] for label in labels], dtype=np.int64
        )


class Check(Protocol):
    """One aspect of a model, measured on the data.

    A check is a frozen dataclass; its fields are its options.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def id(self) -> str:
        """Name in the registry, and anchor of the section."""

    @property
    def title(self) -> str:
        """Heading of the section."""

    @property
    def metrics(self) -> tuple[MetricSpec, ...]:
        """What it measures, as a criterion may ask for it."""

    def run(self, context: AuditContext) -> Section:
        """Return what was measured, or a section that says why nothing was."""


@runtime_checkable
class NarrowCheck(Check, Protocol):
    """A check that says nothing of some kinds of models, and is left out for them by default."""

    def applies_to(self, model: TextClassifier) -> bool:
        """Tell whether it can measure something of a model."""


def not_measured(check: Check, reason: str) -> Section:
    """Return the section of a check that measured nothing."""
    return Section.not_measured(check.id, check.title, reason)


def probabilities(scores: Scores, task: Task) -> NDArray[np.float64]:
    """Return the probabilities that scores stand for, of the same shape.

    Softmax over the labels, or the sigmoid of each label of a multi-label model. A regression has
    none: its scores are returned as they are.
    """
    if task == "regression":
        return scores
    shares: NDArray[np.float64] = (
        expit(scores) if task == "multi_label" else softmax(scores, axis=1)
    )
    return shares
