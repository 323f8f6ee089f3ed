"""What is kept of the scored rows: predictions as columns, and the instances that are shown."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
import pandas as pd

from explain.record import InstanceLink, InstanceRecord, Section
from explain.text.redaction import redacted, redacted_record, without_surrogates

__all__ = ["predictions_of", "shown_instances", "to_parquet"]


def predictions_of(instances: Sequence[InstanceRecord], labels: Sequence[str]) -> pd.DataFrame:
    """Return the predictions of all scored rows, without keys: see `AuditRecord.predictions`."""
    scores = np.array([i.scores for i in instances], dtype=np.float64).reshape(-1, len(labels))
    clean = [redacted_record(instance)[0] for instance in instances]
    names = dict.fromkeys(name for instance in clean for name in instance.columns)
    return pd.DataFrame(
        {
            "id": [i.id for i in clean],
            "row": [i.row for i in clean],
            "labels": [None if i.labels is None else list(i.labels) for i in clean],
            "predicted": [i.predicted for i in clean],
            "probability": np.array([i.probability for i in clean], dtype=np.float64),
            "stratum": [None if i.stratum is None else str(i.stratum) for i in clean],
            "unread": [sum(span.end - span.start for span in i.unread) for i in clean],
            **{
                f"score.{without_surrogates(redacted(label))}": scores[:, column]
                for column, label in enumerate(labels)
            },
            **{f"column.{name}": [i.columns.get(name) for i in clean] for name in names},
        }
    )


def shown_instances(
    instances: Sequence[InstanceRecord], sections: Sequence[Section]
) -> tuple[InstanceRecord, ...]:
    """Return the instances that are explained, or that a section or a finding points to."""
    cells = (c for s in sections for t in s.tables for row in t.rows for c in row)
    cited = {cell.instance for cell in cells if isinstance(cell, InstanceLink)}
    cited.update(target for s in sections for f in s.findings for target in f.evidence)
    return tuple(i for i in instances if i.id in cited or i.stratum or i.attributions)


def to_parquet(table: pd.DataFrame) -> bytes:
    """Return a table as the bytes of a Parquet file."""
    stream = BytesIO()
    table.to_parquet(stream, engine="pyarrow", index=False)
    return stream.getvalue()
