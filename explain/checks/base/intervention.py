"""Texts edited on purpose, and their predictions before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from explain.adapters import Scores
from explain.adapters.decision_rule import DecisionRule
from explain.checks.base import AuditContext, probabilities
from explain.record import Measure, Task, Unit
from explain.statistics.intervals import CHANGES, clustered_proportion, mean
from explain.text.spans import Text, text_of

__all__ = ["Edit", "Intervention", "intervene"]

Edit: TypeAlias = tuple[int, Text]
"""The number of an instance, and its text after the edit."""


@dataclass(frozen=True, slots=True)
class Intervention:
    """Scores before and after, one row for each edit that the model answered.

    Attributes
    ----------
    instances : array, shape (n_edits,), int64
        Number of the instance that each edit was made of; an instance may occur several times.
    before, after : array, shape (n_edits, n_labels), float64
        Scores of the text as it is, and as edited.
    rule : DecisionRule
        How the answers follow from the scores.
    failed : int
        Edits on which the model failed; they are left out.
    """

    instances: NDArray[np.int64]
    before: Scores
    after: Scores
    rule: DecisionRule
    failed: int

    @property
    def task(self) -> Task:
        """How the columns of the scores relate to each other."""
        return self.rule.task

    @property
    def flips(self) -> NDArray[np.bool_]:
        """Whether each edit changes the label, or any of the labels, shape (n_edits,)."""
        changed: NDArray[np.bool_] = self.rule.holds(self.before) != self.rule.holds(self.after)
        return np.asarray(changed.any(axis=1))

    def flip_rate(self, name: str, slice_: str = "all") -> Measure:
        """Return the share of edits that change a label, clustered by the edited text."""
        return clustered_proportion(name, self.flips, self.instances, slice_)

    def changes(self, label: int) -> NDArray[np.float64]:
        """Return how far the probability of a label moves with each edit, shape (n_edits,).

        For a regression it is the value that moves.
        """
        after, before = (probabilities(s, self.task)[:, label] for s in (self.after, self.before))
        return np.asarray(after - before)

    def mean_change(self, name: str, label: int, slice_: str = "all") -> Measure:
        """Return the mean change of a label's probability, a text counting once."""
        texts, member = np.unique(self.instances, return_inverse=True)
        sums = np.bincount(member, weights=self.changes(label), minlength=len(texts))
        unit: Unit = "coefficient" if self.task == "regression" else "proportion"
        changes = (sums / np.bincount(member)).tolist()
        within = (-np.inf, np.inf) if self.task == "regression" else CHANGES
        return mean(name, changes, unit, slice_, within=within)


def intervene(
    context: AuditContext, edits: Mapping[str, Sequence[Edit]]
) -> dict[str, Intervention]:
    """Return what each set of edits does to the predictions; all sets are scored together.

    An edit that leaves its text as it was stays in: it changes nothing.
    """
    edited = [text for group in edits.values() for _, text in group]
    originals = [text_of(instance.parts) for instance in context.instances]
    scored = dict(zip(edited, context.score(edited), strict=True)) if edited else {}
    scored |= dict(zip(originals, context.scores, strict=True))
    interventions = {}
    for name, group in edits.items():
        rows = np.array([row for row, _ in group], dtype=np.int64)
        after = np.array([scored[text] for _, text in group], dtype=np.float64)
        after = after.reshape(len(group), len(context.model.labels))
        good = ~np.isnan(after).any(axis=1)
        interventions[name] = Intervention(
            rows[good],
            context.scores[rows[good]],
            after[good],
            context.rule,
            int((~good).sum()),
        )
    return interventions
