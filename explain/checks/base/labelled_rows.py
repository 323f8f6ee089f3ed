"""The labelled rows of a table, and which of them belong together."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import AuditContext, TableRow
from explain.data.dataset import Row
from explain.record import InstanceRecord, Measure, Sentence, join_sentences
from explain.statistics.bootstrap import Resamples, clusters_of, resample
from explain.statistics.intervals import clustered_proportion, proportion

__all__ = ["LabelledRows"]


@dataclass(frozen=True)
class LabelledRows:
    """The rows that a statistic of right and wrong rests on.

    Arrays of all rows have those that got an answer first, and then those that got none.

    Attributes
    ----------
    context : AuditContext
        All that a check may look at.
    rows : array, shape (n_answered,), int64
        Numbers of the instances that have a label.
    check : str
        Id of the check that asks, which has a random stream of its own.
    unanswered : tuple of Row
        Rows that have a label and got no answer: none of them is right.
    """

    context: AuditContext
    rows: NDArray[np.int64]
    check: str
    unanswered: tuple[Row, ...] = ()

    @classmethod
    def of(cls, context: AuditContext, check: str) -> "LabelledRows | str":
        """Return the labelled rows, or why there are none."""
        if not context.dataset.has_labels:
            return "no label column was named"
        rows = [
            number
            for number, instance in enumerate(context.instances)
            if instance.labels is not None
        ]
        unanswered = tuple(row for row in context.unanswered if row.labels is not None)
        if not rows and not unanswered:
            return "no scored row has a label"
        return cls(context, np.array(rows, dtype=np.int64), check, unanswered)

    def __len__(self) -> int:
        """Return the number of all rows."""
        return len(self.rows) + len(self.unanswered)

    @property
    def answered_rows(self) -> "LabelledRows":
        """The rows that got an answer alone, for what no failure can be counted in."""
        return replace(self, unanswered=())

    @cached_property
    def instances(self) -> list[InstanceRecord]:
        """The rows that got an answer."""
        return [self.context.instances[i] for i in self.rows]

    @property
    def all_rows(self) -> list[TableRow]:
        """All rows."""
        return [*self.instances, *self.unanswered]

    @property
    def clusters(self) -> NDArray[np.int64] | None:
        """Number of the cluster of each row, shape (n_rows,); None if each stands alone."""
        return self._column_and_clusters[1]

    @cached_property
    def _column_and_clusters(self) -> tuple[str, NDArray[np.int64] | None]:
        """The first column of groups whose values are clusters, and the cluster of each row."""
        for column in self.context.group:
            clusters = clusters_of([row.columns.get(column) for row in self.all_rows])
            if clusters is not None:
                return column, clusters
        return "", None

    @cached_property
    def truth(self) -> NDArray[np.bool_]:
        """Which labels hold, shape (n_rows, n_labels)."""
        names = self.context.model.labels
        labels = [set(row.labels or ()) for row in self.all_rows]
        holds = [[name in labels_of_row for name in names] for labels_of_row in labels]
        return np.array(holds, dtype=np.bool_).reshape(len(labels), len(names))

    @property
    def predicted(self) -> NDArray[np.bool_]:
        """Which labels the model gives, shape (n_rows, n_labels); none where it failed."""
        labels = np.arange(len(self.context.model.labels))
        if self.context.model.task == "single_label":
            predicted = self.context.predicted[self.rows][:, None] == labels
        else:
            scores = self.context.scores.reshape(-1, len(labels))
            predicted = self.context.rule.holds(scores[self.rows])
        return np.concatenate(
            [predicted, np.zeros((len(self.unanswered), len(labels)), dtype=np.bool_)]
        )

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the one label of each row is given, shape (n_rows,); not where it failed."""
        right: NDArray[np.bool_] = np.any(self.truth & self.predicted, axis=1)
        return right

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

    def resample(self, terms: NDArray[Any]) -> Resamples:
        """Return resamples of rows, or of their clusters, that add some terms each."""
        return resample(terms, self.rng(), clusters=self.clusters)

    def resample_cells(self, terms: NDArray[np.bool_]) -> Resamples:
        """Return the same where many rows add equal terms: faster, as those are drawn as one."""
        if self.clusters is not None:
            return self.resample(terms)
        packed = np.packbits(terms, axis=1)
        _, first, times = np.unique(packed, axis=0, return_index=True, return_counts=True)
        return resample(terms[first], self.rng(), times=times)

    def note(self) -> str:
        """Return what intervals rest on, where it is not all of the rows alone."""
        notes = []
        if unlabelled := len(self.context.instances) - len(self.rows):
            notes.append(
                Sentence(
                    "{n} {n:row has|rows have} no label and {n:does|do} not count.", n=unlabelled
                )
            )
        if self.unanswered:
            notes.append(
                Sentence(
                    "{unanswered} of {n} rows got no answer; they count as wrong.",
                    unanswered=len(self.unanswered),
                    n=len(self),
                )
            )
        if self.clusters is not None:
            notes.append(
                Sentence(
                    "Rows with the same {column} are treated as one group; the intervals rest on "
                    "{n} groups.",
                    column=self._column_and_clusters[0],
                    n=int(self.clusters.max()) + 1,
                )
            )
        return join_sentences(*notes)

    def left_out(self, numbers: str) -> str:
        """Return which numbers leave out the rows without an answer; nothing if there are none.

        Parameters
        ----------
        numbers : str
            The numbers, at the beginning of a sentence: ``All numbers``.
        """
        if not self.unanswered:
            return ""
        return Sentence(
            "{unanswered} of {n} labelled rows got no answer. {numbers} are about the other "
            "{answered} only.",
            unanswered=len(self.unanswered),
            n=len(self),
            numbers=numbers,
            answered=len(self.rows),
        )
