"""Rows to which the two runs give another answer."""

from collections.abc import Sequence

import numpy as np

from explain.comparison.rows import PairedRows
from explain.record import (
    Attribution,
    AuditRecord,
    InstanceLink,
    InstanceRecord,
    Sentence,
    Table,
)

__all__ = ["explained_flips", "flips_table"]

MOST_SHOWN = 20
"""Explained rows that are shown."""

MOST_LISTED = 500
"""Rows that are listed; `predictions.parquet` of the two folders has all."""

TITLES = ("{method}, first run", "{method}, second run")
"""What a method is called that explains a row in both runs."""


def explained_flips(
    rows: PairedRows, first: AuditRecord, second: AuditRecord
) -> tuple[InstanceRecord, ...]:
    """Return rows with another answer and the attributions of both runs, the gravest first."""
    before, after = (
        {instance.id: instance for instance in record.instances} for record in (first, second)
    )
    shown: list[InstanceRecord] = []
    for place in _order(rows):
        id = rows.ids[place]
        runs = before.get(id), after.get(id)
        attributions = [
            _titled(attribution, title)
            for title, instance in zip(TITLES, runs, strict=True)
            if instance is not None
            for attribution in instance.attributions
            if not attribution.is_null
        ]
        instance = runs[1] or runs[0]
        if attributions and instance is not None and len(shown) < MOST_SHOWN:
            update = {"attributions": tuple(attributions), "agreements": ()}
            shown.append(instance.model_copy(update=update))
    return tuple(shown)


def flips_table(rows: PairedRows, linked: Sequence[InstanceRecord]) -> Table:
    """Return the rows with another answer: those that became wrong, then right, then the others."""
    ids = {instance.id for instance in linked}
    listed = _order(rows)[:MOST_LISTED]
    return Table(
        title="Rows with another answer",
        columns=("row", "label", "first run", "p", "second run", "p", "outcome"),
        rows=tuple(
            (
                InstanceLink(instance=rows.ids[i])
                if rows.ids[i] in ids
                else Sentence("row {row}", row=rows.rows[i]),
                _names(rows.labels[i]),
                _names(rows.first[i]),
                _probability(rows, i, 0),
                _names(rows.second[i]),
                _probability(rows, i, 1),
                _outcome(rows, i),
            )
            for i in listed
        ),
        note=Sentence(
            "{n} of {total} rows; a link leads to the attributions of both runs.",
            n=len(listed),
            total=int(rows.is_changed.sum()),
        ),
    )


def _order(rows: PairedRows) -> list[int]:
    grave = {"became wrong": 0, "became right": 1}
    changed = np.flatnonzero(rows.is_changed).tolist()
    return sorted(changed, key=lambda i: (grave.get(_outcome(rows, i), 2), rows.rows[i]))


def _outcome(rows: PairedRows, place: int) -> str:
    if rows.labels[place] is None:
        return "no label"
    was, now = rows.right[place]
    if was != now:
        return "became right" if now else "became wrong"
    return "right" if now else "wrong in another way"


def _titled(attribution: Attribution, title: str) -> Attribution:
    named = Sentence(title, method=attribution.method_title)
    return attribution.model_copy(update={"method_title": named})


def _names(labels: tuple[str, ...] | None) -> str | None:
    if labels is None:
        return None
    return Sentence("{labels:and}", labels=labels) if labels else "none"


def _probability(rows: PairedRows, place: int, run: int) -> float | None:
    probability = float(rows.probabilities[place, run])
    return None if np.isnan(probability) else probability
