"""What the table holds, and what of it the model never reads."""

from collections import Counter
from math import ceil

import numpy as np

from explain.checks.base import AuditContext
from explain.checks.intervals import count, proportion
from explain.record import HistogramFigure, InstanceLink, Measure, Section, Table
from explain.spans import words

__all__ = ["DataCheck"]

MOST_BINS = 20
MOST_LISTED = 20


class DataCheck:
    """Rows, labels, lengths, repeats, and texts that the model reads only in part."""

    id = "data"

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
                proportion("repeated texts with conflicting labels", conflicting, repeated)
            )
        if special:
            measures.append(
                proportion("texts with a special token of the model written out", literal, n)
            )
        return Section(
            id=self.id,
            title="Data",
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
    """Return how many distinct repeated texts carry several labels, and how many repeat."""
    labels: dict[tuple[str, ...], list[str | None]] = {}
    for instance in context.instances:
        labels.setdefault(instance.parts, []).append(instance.label)
    repeated = [given for given in labels.values() if len(given) > 1]
    return sum(len(set(given) - {None}) > 1 for given in repeated), len(repeated)


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
    given = Counter(i.label for i in context.instances if i.label is not None)
    predicted = Counter(instance.predicted for instance in context.instances)
    labelled = context.dataset.labelled and context.model.task == "single_label"
    n_given, n = sum(given.values()), len(context.instances)

    def row(label: str) -> tuple[str | Measure, ...]:
        said = proportion(f"predicted {label}", predicted[label], n)
        if not labelled:
            return label, said
        return label, proportion(f"given {label}", given[label], n_given), said

    given_column = ("given",) if labelled else ()
    return Table(
        title="Labels",
        columns=("label", *given_column, "predicted"),
        rows=tuple(row(label) for label in context.model.labels),
        note="Share of the rows, with its interval.",
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
