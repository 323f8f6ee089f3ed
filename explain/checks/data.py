"""What the table holds, and what of it the model never reads."""

from collections import Counter
from dataclasses import dataclass
from math import ceil
from typing import ClassVar

import numpy as np

from explain.checks.base import AuditContext
from explain.intervals import count, proportion
from explain.record import (
    HistogramFigure,
    InstanceLink,
    InstanceRecord,
    Measure,
    Section,
    Table,
)
from explain.spans import words

__all__ = ["DataCheck"]

MOST_BINS = 20
MOST_LISTED = 20


@dataclass(frozen=True, slots=True)
class DataCheck:
    """Rows, labels, lengths, repeats, and texts that the model reads only in part."""

    id: ClassVar[str] = "data"
    title: ClassVar[str] = "Data"
    metrics: ClassVar[tuple[str, ...]] = ()

    def run(self, context: AuditContext) -> Section:
        """Return the counts of the table."""
        instances = context.instances
        n = len(instances)
        cut = sum(bool(instance.unread) for instance in instances)
        repeats = n - len({instance.parts for instance in instances})
        special = _special_tokens(context)
        literal = sum(
            any(token in part for token in special for part in instance.parts)
            for instance in instances
        )
        measures = [
            count("rows", len(context.dataset.rows), len(context.dataset.rows)),
            count("rows scored", n, len(context.dataset.rows)),
            proportion("texts cut at the model's limit", cut, n),
            proportion("texts that repeat an earlier one exactly", repeats, n),
        ]
        conflicting, repeated = _conflicts(context)
        if repeated:
            measures.append(
                proportion(
                    "texts that are labelled more than once, with conflicting labels",
                    conflicting,
                    repeated,
                )
            )
        if special:
            measures.append(
                proportion("texts with a special token of the model written out", literal, n)
            )
        return Section(
            id=self.id,
            title=self.title,
            summary=_summary(n, len(context.dataset.rows), cut),
            measures=tuple(measures),
            figures=(_lengths(context),),
            tables=tuple(table for table in (_labels(context), _cut(context)) if table.rows),
        )


def _summary(n: int, rows: int, cut: int) -> str:
    scored = f"{n:,} of {rows:,} rows were scored. "
    if cut:
        return scored + f"The model read {cut:,} texts only in part; what it never read is marked."
    return scored + "The model read every text to its end, as far as its tokenizer tells."


def _special_tokens(context: AuditContext) -> list[str]:
    tokens = context.model.facts.get("special tokens", [])
    return [str(token) for token in tokens] if isinstance(tokens, list) else []


def _conflicts(context: AuditContext) -> tuple[int, int]:
    """Return how many texts carry several labels, and how many are labelled more than once."""
    labels: dict[tuple[str, ...], list[frozenset[str]]] = {}
    for instance in context.instances:
        if (given := _given(instance)) is not None:
            labels.setdefault(instance.parts, []).append(frozenset(given))
    repeated = [given for given in labels.values() if len(given) > 1]
    return sum(len(set(given)) > 1 for given in repeated), len(repeated)


def _given(instance: InstanceRecord) -> tuple[str, ...] | None:
    """Return all labels that the table gives a text; None if it says nothing."""
    return instance.given if instance.label is None else (instance.label,)


def _predicted(instance: InstanceRecord) -> tuple[str, ...]:
    """Return all labels that the model gives a text."""
    if instance.predictions is None:
        return (instance.predicted,)
    return tuple(prediction.label for prediction in instance.predictions)


def _lengths(context: AuditContext) -> HistogramFigure:
    lengths = [len(words(instance.parts)) for instance in context.instances]
    width = ceil((max(lengths) - min(lengths) + 1) / MOST_BINS)
    edges = np.arange(min(lengths), max(lengths) + width + 1, width)
    counts, edges = np.histogram(lengths, bins=edges)
    return HistogramFigure(
        title="Length of the texts",
        description=(
            f"Words and marks per text: median {np.median(lengths):.0f}, "
            f"from {min(lengths)} to {max(lengths)}."
        ),
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
        axis="words and marks",
    )


def _labels(context: AuditContext) -> Table:
    """Return how often each label is given and predicted; a regression has none to count."""
    if context.model.task == "regression":
        return Table(title="Labels", columns=(), rows=())
    known = [labels for i in context.instances if (labels := _given(i)) is not None]
    given = Counter(label for labels in known for label in labels)
    predicted = Counter(label for i in context.instances for label in _predicted(i))
    labelled, n = context.dataset.labelled, len(context.instances)

    def row(label: str) -> tuple[str | Measure, ...]:
        said = proportion(f"predicted {label}", predicted[label], n)
        if not labelled:
            return label, said
        return label, proportion(f"given {label}", given[label], len(known)), said

    given_column = ("given",) if labelled else ()
    ordered, order = list(context.model.labels), ""
    if len(ordered) > MOST_LISTED:
        ordered.sort(key=lambda label: (-given[label], -predicted[label]))
        order = " The most frequent labels first."
    return Table(
        title="Labels",
        columns=("label", *given_column, "predicted"),
        rows=tuple(map(row, ordered)),
        note=f"Share of the rows, with its interval.{order}",
    )


def _cut(context: AuditContext) -> Table:
    lost = {
        instance.id: sum(span.end - span.start for span in instance.unread)
        for instance in context.instances
        if instance.unread
    }
    total = {i.id: sum(map(len, i.parts)) for i in context.instances}
    worst = sorted(lost, key=lambda id_: -lost[id_])[:MOST_LISTED]
    return Table(
        title="Texts that were cut",
        columns=("instance", "characters never read", "of"),
        rows=tuple((InstanceLink(instance=id_), lost[id_], total[id_]) for id_ in worst),
        note=f"The {len(worst)} that lost most, of {len(lost)}.",
    )
