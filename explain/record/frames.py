"""Records as tables of pandas, for notebooks and spreadsheets."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from explain.record.measures import Measure

if TYPE_CHECKING:
    import pandas as pd

    from explain.record.attributions import Attribution
    from explain.record.audit import AuditRecord

__all__ = ["COLUMNS", "FrameKind", "frame_of_attribution", "frame_of_audit"]

FrameKind: TypeAlias = Literal[
    "findings", "measures", "criteria", "attributions", "counterfactuals", "predictions"
]

Row: TypeAlias = dict[str, Any]

_OF_MEASURE = ("name", "value", "lower", "upper", "n", "unit", "metric", "slice")


def frame_of_attribution(attribution: "Attribution") -> "pd.DataFrame":
    """Return a row for each feature, in reading order: see `Attribution.to_frame`."""
    import pandas as pd

    return pd.DataFrame(
        list(_features(attribution)),
        columns=["feature", "part", "start", "end", "value", "standard_error", "rank", "rank_to"],
    )


def frame_of_audit(record: "AuditRecord", kind: FrameKind) -> "pd.DataFrame":
    """Return a part of an audit as a table: see `AuditRecord.to_frame`."""
    import pandas as pd

    if kind == "predictions":
        return record.predictions
    if kind not in _ROWS:
        kinds = ", ".join((*_ROWS, "predictions"))
        raise ValueError(f"an audit has no table of {kind!r}; there are {kinds}")
    columns, rows = _ROWS[kind]
    return pd.DataFrame(list(rows(record)), columns=list(columns))


def _features(attribution: "Attribution") -> Iterator[Row]:
    n = len(attribution.spans)
    errors = attribution.standard_errors or (None,) * n
    ranks = attribution.ranks or ((None, None),) * n
    for feature, span, value, error, (best, worst) in zip(
        attribution.features, attribution.spans, attribution.values, errors, ranks, strict=True
    ):
        yield {
            "feature": feature,
            "part": span.part,
            "start": span.start,
            "end": span.end,
            "value": value,
            "standard_error": error,
            "rank": best,
            "rank_to": worst,
        }


def _measure(measure: Measure | None) -> Row:
    return {name: getattr(measure, name, None) for name in _OF_MEASURE}


def _findings(record: "AuditRecord") -> Iterator[Row]:
    for finding in record.findings:
        yield {
            "id": finding.id,
            "severity": finding.severity,
            "size": finding.size,
            "claim": str(finding.claim),
            "suggestion": str(finding.suggestion),
            "evidence": list(finding.evidence),
            **_measure(finding.measure),
        }


def _measures(record: "AuditRecord") -> Iterator[Row]:
    for section in record.sections:
        for measure in section.all_measures():
            yield {"section": section.id, "of": measure.of, **_measure(measure)}


def _criteria(record: "AuditRecord") -> Iterator[Row]:
    for criterion in record.criteria:
        measure = _measure(criterion.measure)
        yield {
            "criterion": str(criterion.title),
            "of": criterion.of,
            "at_least": criterion.at_least,
            "at_most": criterion.at_most,
            "gating": criterion.gating,
            "verdict": criterion.verdict,
            "reason": str(criterion.reason),
            "p_value": criterion.p_value,
            "adjusted_p_value": criterion.adjusted_p_value,
            **measure,
            "metric": criterion.metric,
            "slice": criterion.slice,
        }


def _attributions(record: "AuditRecord") -> Iterator[Row]:
    for instance in record.instances:
        for attribution in instance.attributions:
            for feature in _features(attribution):
                yield {
                    "instance": instance.id,
                    "row": instance.row,
                    "method": attribution.method,
                    "target": attribution.target.label,
                    "grade": attribution.grade,
                    **feature,
                }


def _counterfactuals(record: "AuditRecord") -> Iterator[Row]:
    for instance in record.instances:
        for counterfactual in instance.counterfactuals:
            for kind, decisive in (
                ("necessary", counterfactual.necessary),
                ("sufficient", counterfactual.sufficient),
            ):
                exists = decisive.places is not None
                yield {
                    "instance": instance.id,
                    "row": instance.row,
                    "target": counterfactual.target.label,
                    "given": counterfactual.is_given,
                    "kind": kind,
                    "features": list(counterfactual.features_of(decisive)) if exists else None,
                    "size": len(decisive.places or ()) if exists else None,
                    "text": list(decisive.parts) if exists else None,
                    "predicted": decisive.predicted,
                    "probability": decisive.probability,
                    "confirmed": decisive.is_confirmed,
                    "smallest": decisive.smallest,
                    "all_tried": decisive.all_tried,
                    "irreducible": decisive.irreducible,
                    "evaluations": counterfactual.evaluations,
                    "reused": counterfactual.reused,
                }


_ROWS: dict[str, tuple[tuple[str, ...], Callable[["AuditRecord"], Iterator[Row]]]] = {
    "findings": (
        ("id", "severity", "size", "claim", "suggestion", "evidence", *_OF_MEASURE),
        _findings,
    ),
    "measures": (("section", "of", *_OF_MEASURE), _measures),
    "criteria": (
        (
            "criterion", "of", "at_least", "at_most", "gating", "verdict", "reason", "p_value",
            "adjusted_p_value", *_OF_MEASURE,
        ),
        _criteria,
    ),
    "attributions": (
        (
            "instance", "row", "method", "target", "grade", "feature", "part", "start", "end",
            "value", "standard_error", "rank", "rank_to",
        ),
        _attributions,
    ),
    "counterfactuals": (
        (
            "instance", "row", "target", "given", "kind", "features", "size", "text", "predicted",
            "probability", "confirmed", "smallest", "all_tried", "irreducible", "evaluations",
            "reused",
        ),
        _counterfactuals,
    ),
}  # fmt: skip
"""For each table its columns, and its rows."""

COLUMNS = {kind: columns for kind, (columns, _) in _ROWS.items()}
"""Heads of each table."""
