"""What a search for shortcuts starts from, and what it finds."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from explain.checks.base import AuditContext
from explain.checks.base.intervention import Intervention
from explain.checks.base.phrases import Corpus, Phrase
from explain.record import InstanceRecord, Measure

__all__ = ["Candidate", "Confirmed", "ShortcutSearch", "moved"]


@dataclass(frozen=True)
class ShortcutSearch:
    """What all kinds of shortcuts are looked for in.

    Attributes
    ----------
    context : AuditContext
    corpus : Corpus
        Words of the instances.
    said, given : array, shape (n_instances, n_labels), bool
        Whether the model, and the table, gives each label to each text.
    labelled : array, shape (n_instances,), bool
        Which texts the table gives labels at all.
    rng : Generator
    texts : int
        Texts that an intervention is made on.
    """

    context: AuditContext
    corpus: Corpus
    said: NDArray[np.bool_]
    given: NDArray[np.bool_]
    labelled: NDArray[np.bool_]
    rng: np.random.Generator
    texts: int

    @classmethod
    def of(
        cls, context: AuditContext, corpus: Corpus, rng: np.random.Generator, texts: int
    ) -> "ShortcutSearch":
        """Return the ground of a context."""
        labels = context.model.labels
        given = [_given(instance) for instance in context.instances]
        return cls(
            context,
            corpus,
            says(context.scores, context.model.task == "multi_label"),
            np.array([[label in (one or ()) for label in labels] for one in given]),
            np.array([one is not None for one in given]),
            rng,
            texts,
        )

    @property
    def several_labels(self) -> bool:
        """Whether some label is given to some texts, and not to all."""
        counts = self.said.sum(axis=0)
        return bool(((counts > 0) & (counts < len(self.said))).any())

    @property
    def multi_label(self) -> bool:
        """Whether a text may have any number of labels."""
        return self.context.model.task == "multi_label"

    @cached_property
    def doubts(self) -> NDArray[np.float64]:
        """How unsure the model is that a label does not hold, shape (n_instances, n_labels)."""
        scores = self.context.scores
        if self.multi_label:
            return scores
        return np.repeat(-self.context.probabilities.max(axis=1)[:, None], scores.shape[1], axis=1)

    def others(self, label: int, excluded: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the texts that are something else, to the model and as far as known in truth.

        The surest come first.
        """
        fit = ~self.said[:, label]
        fit[excluded] = False
        if (right := fit & self.labelled & ~self.given[:, label]).sum() >= 2 * self.texts:
            fit = right
        rows = np.flatnonzero(fit)
        return rows[np.argsort(self.doubts[rows, label], kind="stable")]

    def drawn(self, rows: NDArray[np.int64], most: int) -> list[int]:
        """Return some of the rows, drawn at random."""
        found: list[int] = self.rng.permutation(rows)[:most].tolist()
        return found

    def becomes(self, done: Intervention, label: int) -> NDArray[np.bool_]:
        """Return whether each edited text is given a label, shape (n_edits,)."""
        return says(done.after, self.multi_label)[:, label]

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
class Confirmed:
    """A candidate, and what inserting and deleting it does."""

    candidate: Candidate
    sure: Intervention
    """Inserted into the texts that the model is surest are something else."""
    any: Intervention
    """Inserted into any that are something else."""
    without: Intervention
    """Deleted from texts that hold it and are given its label."""
    turned: Measure
    turned_any: Measure
    p_value: float
    """Of the change of the label's probability in any text, adjusted for all that are confirmed."""


def says(scores: NDArray[np.float64], multi_label: bool) -> NDArray[np.bool_]:
    """Return whether each label is given, shape (n_texts, n_labels)."""
    if multi_label:
        return scores > 0
    return np.asarray(scores.argmax(axis=1)[:, None] == np.arange(scores.shape[1]))


def moved(changes: NDArray[np.float64]) -> float:
    """Return the p-value of Wilcoxon's signed-rank test (1945), small if changes are mostly up."""
    changes = changes[changes != 0]
    if not changes.size:
        return 1.0
    return float(stats.wilcoxon(changes, alternative="greater", method="approx").pvalue)


def _given(instance: InstanceRecord) -> tuple[str, ...] | None:
    return instance.given if instance.label is None else (instance.label,)
