"""The tables of an audit, read as its model takes them."""

from functools import partial
from typing import Any

from explain.adapters import is_address
from explain.adapters.base import NamesItsLabels
from explain.auditing.plan import AuditPlan
from explain.auditing.rows import check_labels_known
from explain.data.dataset import Dataset, read_dataset

__all__ = ["check_tables_first", "read_tables"]


def read_tables(
    model: NamesItsLabels, data: Any, plan: AuditPlan
) -> tuple[Dataset, Dataset | None]:
    """Return the table and the training table, if there is one.

    Raises
    ------
    ConfigurationError, DataError
        As `read_dataset`, or if a label is none of the model's.
    """
    read = partial(
        read_dataset,
        text=plan.text,
        text_pair=plan.text_pair,
        label=plan.label,
        task=model.task,
        labels=model.labels,
    )
    dataset = read(data, columns=plan.columns, rationale=plan.rationale)
    training = None if plan.training is None else read(plan.training)
    if model.labels:
        check_labels_known(dataset, model)
    return dataset, training


def check_tables_first(model: Any, data: Any, plan: AuditPlan) -> None:
    """Refuse a table that cannot be audited before the first call to an endpoint is paid.

    Where only an answer tells the labels of the endpoint, those of the table are checked later.
    """
    if is_address(model):
        from explain.adapters.remote import Endpoint

        read_tables(Endpoint(model, **plan.load_options), data, plan)
