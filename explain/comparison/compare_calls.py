"""Two logs of calls of one endpoint, compared."""

from pathlib import Path

from explain.adapters.remote import Endpoint
from explain.comparison.call_changes import call_changes
from explain.comparison.drift import MOST_MODELS, NAMELESS, Drift, drift_between
from explain.comparison.outcomes import adjusted, verdict_of
from explain.record import ComparedRun, Comparison, join_sentences

__all__ = ["compare_calls"]


def compare_calls(first: Path, second: Path, endpoint: Endpoint | None = None) -> Comparison:
    """Return how the answers of an endpoint differ between two logs of calls.

    Parameters
    ----------
    first, second : path
        The logs, or the folders of runs that have one.
    endpoint : Endpoint, optional
        What was asked, for logs that do not say so.

    Raises
    ------
    ConfigurationError
        If a log cannot be read, does not say what was asked, or the two asked something else.
    DataError
        If no text has an answer in both.
    """
    drift = drift_between(first, second, endpoint)
    changes = adjusted([*call_changes(drift.pairs)])
    runs = [
        ComparedRun(
            name=drift.address,
            version=None,
            model=" and ".join([*filter(None, log.models)][:MOST_MODELS]) or NAMELESS,
            audited_on=day,
            record_sha256=log.sha256,
        )
        for log, day in zip(drift.logs, drift.days, strict=True)
    ]
    return Comparison(
        subject="calls",
        first=runs[0],
        second=runs[1],
        rows=drift.n_texts,
        first_rows_only=len(drift.logs[0].scores) - drift.n_texts,
        second_rows_only=len(drift.logs[1].scores) - drift.n_texts,
        verdict=verdict_of(changes),
        answer=join_sentences(_of_itself(drift), drift.answer(changes)),
        non_inferiority=None,
        changes=changes,
        sections=drift.sections(changes),
        instances=(),
    )


def _of_itself(drift: Drift) -> str:
    if not drift.is_one_log:
        return ""
    return "Both logs hold the same answers, so this comparison tells nothing of another day."
