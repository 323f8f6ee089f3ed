"""What a search for shortcuts starts from, and what it measures."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from explain.checks.base import AuditContext
from explain.checks.base.intervention import Intervention
from explain.checks.base.phrases import Corpus, Phrase
from explain.record import InstanceRecord, Measure

__all__ = [
    "Candidate",
    "ScreenedCandidate",
    "ShortcutSearch",
    "TestedCandidate",
    "increase_p_value",
]


@dataclass(frozen=True)
class ShortcutSearch:
    """What all kinds of shortcuts are looked for in.

    Attributes
    ----------
    context : AuditContext
    corpus : Corpus
        Words of the instances.
    predicted, labels : array, shape (n_instances, n_labels), bool
        Whether the model, and the table, gives each label to each text.
    has_labels : array, shape (n_instances,), bool
        Which texts the table gives labels at all.
    rng : Generator
    texts : int
        Texts that an intervention is made on.
    """

    context: AuditContext
    corpus: Corpus
    predicted: NDArray[np.bool_]
    labels: NDArray[np.bool_]
    has_labels: NDArray[np.bool_]
    rng: np.random.Generator
    texts: int

    @classmethod
    def of(
        cls, context: AuditContext, corpus: Corpus, rng: np.random.Generator, texts: int
    ) -> "ShortcutSearch":
        """Return the search in a context."""
        names = context.model.labels
        row_labels = [instance.labels for instance in context.instances]
        return cls(
            context,
            corpus,
            context.rule.holds(context.scores),
            np.array([[name in (labels or ()) for name in names] for labels in row_labels]),
            np.array([labels is not None for labels in row_labels]),
            rng,
            texts,
        )

    @property
    def several_labels(self) -> bool:
        """Whether some label is predicted for some texts, and not for all."""
        counts = self.predicted.sum(axis=0)
        return bool(((counts > 0) & (counts < len(self.predicted))).any())

    @property
    def multi_label(self) -> bool:
        """Whether a text may have any number of labels."""
        return self.context.model.task == "multi_label"

    @cached_property
    def uncertainty(self) -> NDArray[np.float64]:
        """How unsure the model is that a label does not hold, shape (n_instances, n_labels)."""
        scores = self.context.scores
        if self.multi_label:
            return scores
        return np.repeat(-self.context.probabilities.max(axis=1)[:, None], scores.shape[1], axis=1)

    def other_texts(self, label: int, excluded: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the texts without a label, by the prediction and, where known, by the table.

        Those of which the model is most confident come first.
        """
        fit = ~self.predicted[:, label]
        fit[excluded] = False
        if (right := fit & self.has_labels & ~self.labels[:, label]).sum() >= 2 * self.texts:
            fit = right
        rows = np.flatnonzero(fit)
        return rows[np.argsort(self.uncertainty[rows, label], kind="stable")]

    def draw(self, rows: NDArray[np.int64], most: int) -> list[int]:
        """Return some of the rows, drawn at random."""
        drawn_rows: list[int] = self.rng.permutation(rows)[:most].tolist()
        return drawn_rows

    def predicted_after(self, edited: Intervention, label: int) -> NDArray[np.bool_]:
        """Return whether each edited text is classified as a label, shape (n_edits,)."""
        return self.context.rule.holds(edited.after)[:, label]

    def instance(self, row: int) -> InstanceRecord:
        """Return an instance by its number."""
        return self.context.instances[row]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A phrase that predicts a label."""

    phrase: Phrase
    label: int
    z: float
    p_value: float
    """Adjusted for all words and labels."""


@dataclass(frozen=True, eq=False)
class ScreenedCandidate:
    """A candidate, and what inserting it into a few texts does."""

    candidate: Candidate
    rows: frozenset[int]
    """The texts, by their instances."""
    changed_any: Measure
    """Share of the texts that are then classified as the label."""


@dataclass(frozen=True, eq=False)
class TestedCandidate:
    """A candidate, and what inserting and deleting it does."""

    candidate: Candidate
    into_confident: Intervention
    """Inserted into the texts of which the model is most confident that they have another label."""
    into_any: Intervention
    """Inserted into any texts with another label."""
    after_deletion: Intervention
    """Deleted from texts that hold it and are classified as its label."""
    changed_confident: Measure
    """Share of the confident texts that are then classified as the label."""
    changed_any: Measure
    """The same share of any texts with another label."""
    p_value: float
    """Of the change of the label's probability in any text, adjusted for all that are tested."""


def increase_p_value(changes: NDArray[np.float64]) -> float:
    """Return the p-value of Wilcoxon's signed-rank test (1945), small if changes are mostly up."""
    changes = changes[changes != 0]
    if not changes.size:
        return 1.0
    return float(stats.wilcoxon(changes, alternative="greater", method="approx").pvalue)
