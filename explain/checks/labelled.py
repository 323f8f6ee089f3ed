"""The labelled rows of a table, and which of them belong together."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import AuditContext
from explain.intervals import Resampled, clustered_proportion, clusters_of, proportion, resample
from explain.record import InstanceRecord, Measure

__all__ = ["LabelledRows"]


@dataclass(frozen=True)
class LabelledRows:
    """The rows that a statistic of right and wrong rests on.

    Attributes
    ----------
    context : AuditContext
        All that a check may look at.
    rows : array, shape (n_rows,), int64
        Numbers of the instances that have a label.
    check : str
        Id of the check that asks, which has a random stream of its own.
    """

    context: AuditContext
    rows: NDArray[np.int64]
    check: str

    @classmethod
    def of(cls, context: AuditContext, check: str) -> "LabelledRows | str":
        """Return the labelled rows, or why there are none."""
        if not context.dataset.labelled:
            return "no label column was named"
        rows = [
            number
            for number, instance in enumerate(context.instances)
            if instance.label is not None or instance.given is not None
        ]
        if not rows:
            return "no scored row has a label"
        return cls(context, np.array(rows, dtype=np.int64), check)

    @cached_property
    def instances(self) -> list[InstanceRecord]:
        """The rows themselves."""
        return [self.context.instances[i] for i in self.rows]

    @cached_property
    def clusters(self) -> NDArray[np.int64] | None:
        """Number of the cluster of each row, shape (n_rows,); None if each stands alone."""
        if (group := self.context.group) is None:
            return None
        return clusters_of([instance.columns.get(group) for instance in self.instances])

    @cached_property
    def truth(self) -> NDArray[np.bool_]:
        """Which labels hold, shape (n_rows, n_labels)."""
        given = [set(i.given or ()) if i.label is None else {i.label} for i in self.instances]
        return np.array([[label in own for label in self.context.model.labels] for own in given])

    def rng(self) -> np.random.Generator:
        """Return the random stream of the check from its start."""
        return self.context.rng(self.check)

    def share(
        self, name: str, hits: NDArray[np.bool_], among: NDArray[np.bool_] | None = None
    ) -> Measure:
        """Return the share of hits among the rows, or among some of them, with its interval."""
        chosen = np.ones(len(hits), dtype=np.bool_) if among is None else among
        if self.clusters is None:
            return proportion(name, int(hits[chosen].sum()), int(chosen.sum()))
        return clustered_proportion(name, hits[chosen], self.clusters[chosen])

    def resample(self, terms: NDArray[Any]) -> Resampled:
        """Return resamples of rows, or of their clusters, that add some terms each."""
        return resample(terms, self.rng(), clusters=self.clusters)

    def resample_cells(self, terms: NDArray[np.bool_]) -> Resampled:
        """Return the same where many rows add equal terms: faster, as those are drawn as one."""
        if self.clusters is not None:
            return self.resample(terms)
        packed = np.packbits(terms, axis=1)
        _, first, times = np.unique(packed, axis=0, return_index=True, return_counts=True)
        return resample(terms[first], self.rng(), times=times)

    def note(self) -> str:
        """Return what intervals rest on, where it is not all of the rows alone."""
        notes = ""
        if unlabelled := len(self.context.instances) - len(self.rows):
            notes += f" {unlabelled:,} rows have no label and do not count."
        if self.clusters is not None:
            notes += (
                f" Rows with the same {self.context.group} are taken to belong together: the "
                f"intervals are those of {self.clusters.max() + 1:,} groups."
            )
        return notes
