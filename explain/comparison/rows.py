"""The rows of two audits, paired by their texts."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from explain.errors import ConfigurationError, DataError
from explain.record import AuditRecord, ModelDescription

__all__ = ["PairedRows", "pair_rows"]

MOST_NAMED = 5
"""Labels that an error names."""


@dataclass(frozen=True)
class PairedRows:
    """Rows that both audits know, in the order of the second one.

    Attributes
    ----------
    ids : list of str
        Ids of the instances.
    rows : list of int
        Their rows in the second table.
    labels : list of tuple of str or None
        What both tables say; None where they say nothing, or not the same.
    first, second : list of tuple of str or None
        The answers of the two runs; None where a run had none.
    probabilities : array, shape (n_rows, 2)
        Probability of the first label of each answer; NaN where there is none.
    errors : array, shape (n_rows, 2)
        Of a regression, how far each value is from that of the table; NaN where that is unknown.
    n_relabelled : int
        Rows whose labels differ between the tables.
    first_only, second_only : int
        Rows of one table alone.
    """

    ids: list[str]
    rows: list[int]
    labels: list[tuple[str, ...] | None]
    first: list[tuple[str, ...] | None]
    second: list[tuple[str, ...] | None]
    probabilities: NDArray[np.float64]
    errors: NDArray[np.float64]
    n_relabelled: int
    first_only: int
    second_only: int

    @cached_property
    def has_label(self) -> NDArray[np.bool_]:
        """Which rows have a label, shape (n_rows,)."""
        return np.array([labels is not None for labels in self.labels], dtype=np.bool_)

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Whether each answer is that of the label, shape (n_rows, 2); no answer is not."""
        return np.array(
            [
                [answer is not None and labels is not None and set(answer) == set(labels)
                 for answer in (a, b)]
                for a, b, labels in zip(self.first, self.second, self.labels, strict=True)
            ],
            dtype=np.bool_,
        ).reshape(-1, 2)  # fmt: skip

    @cached_property
    def is_changed(self) -> NDArray[np.bool_]:
        """Which answers differ, shape (n_rows,)."""
        pairs = zip(self.first, self.second, strict=True)
        return np.array([a != b for a, b in pairs], dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class _Row:
    row: int
    labels: tuple[str, ...] | None
    answer: tuple[str, ...] | None
    probability: float
    value: float


def pair_rows(first: AuditRecord, second: AuditRecord) -> PairedRows:
    """Return the rows of two audits that have the same text.

    Raises
    ------
    ConfigurationError
        If the models have another task, or other labels.
    DataError
        If no row is in both.
    RecordError
        If the predictions of all rows are not at hand.
    """
    _check_labels(first.provenance.model, second.provenance.model)
    by_id = [_rows(record) for record in (first, second)]
    ids = [id for id in by_id[1] if id in by_id[0]]
    if not ids:
        raise DataError(
            f"the two audits have no row in common, of {len(by_id[0]):,} and {len(by_id[1]):,}; "
            "compare audits of the same table"
        )
    pairs = [(by_id[0][id], by_id[1][id]) for id in ids]
    labels = [_common(a, b) for a, b in pairs]
    return PairedRows(
        ids=ids,
        rows=[b.row for _, b in pairs],
        labels=labels,
        first=[a.answer for a, _ in pairs],
        second=[b.answer for _, b in pairs],
        probabilities=np.array([[a.probability, b.probability] for a, b in pairs]),
        errors=np.array([[_error(row, label) for row in pair]
                         for pair, label in zip(pairs, labels, strict=True)]),
        n_relabelled=sum(None not in (a.labels, b.labels) and a.labels != b.labels
                         for a, b in pairs),
        first_only=len(by_id[0]) - len(ids),
        second_only=len(by_id[1]) - len(ids),
    )  # fmt: skip


def _check_labels(first: ModelDescription, second: ModelDescription) -> None:
    """Refuse two models that do not answer the same question."""
    if first.task != second.task:
        raise ConfigurationError(
            f"the two models do not answer the same question: {first.task} and {second.task}; "
            "compare audits of models with the same labels"
        )
    alone = [
        f"{', '.join(map(repr, names[:MOST_NAMED]))}{', ...' if len(names) > MOST_NAMED else ''} "
        f"of the {run} run"
        for run, own, other in (("first", first, second), ("second", second, first))
        if (names := [label for label in own.labels if label not in other.labels])
    ]
    if alone:
        raise ConfigurationError(
            f"the two models do not have the same labels: only one has {' and '.join(alone)}; if "
            "they mean the same, audit again with labels= that name them alike"
        )


def _rows(record: AuditRecord) -> dict[str, _Row]:
    """Return the rows of an audit by id; those without an answer come last."""
    table, model = record.predictions, record.provenance.model
    scores = table[[f"score.{label}" for label in model.labels]].to_numpy(dtype=np.float64)
    if model.task == "multi_label":
        bars = logit([model.thresholds.get(label, 0.5) for label in model.labels])
        answers = [
            tuple(sorted(np.array(model.labels, dtype=object)[row > bars])) for row in scores
        ]
    else:
        answers = [(str(label),) for label in table["predicted"]]
    rows = {
        id: _Row(
            row=int(row),
            labels=_labels(labels),
            answer=answer,
            probability=probability,
            value=values[0],
        )
        for id, row, labels, answer, probability, values in zip(
            table["id"], table["row"], table["labels"].tolist(), answers,
            table["probability"].to_numpy(dtype=np.float64), scores, strict=True,
        )
    }  # fmt: skip
    for skipped in record.skipped:
        if skipped.stage == "predict":
            rows[skipped.id] = _Row(skipped.row, None, None, np.nan, np.nan)
    return rows


def _labels(cell: object) -> tuple[str, ...] | None:
    """Return the labels in a cell; a table may hold a missing one as None or as NaN."""
    return tuple(sorted(map(str, cell))) if isinstance(cell, list | tuple | np.ndarray) else None


def _common(first: _Row, second: _Row) -> tuple[str, ...] | None:
    """Return the labels of a row; a row that one run failed on has those of the other."""
    if first.answer is None:
        return second.labels
    if second.answer is None:
        return first.labels
    return first.labels if first.labels == second.labels else None


def _error(row: _Row, labels: tuple[str, ...] | None) -> float:
    try:
        return abs(row.value - float(labels[0])) if labels else np.nan
    except ValueError:
        return np.nan
