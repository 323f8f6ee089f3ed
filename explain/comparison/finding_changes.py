"""Which findings are new, gone, better or worse."""

from collections.abc import Iterator
from math import hypot

from scipy import stats

from explain.record import Z95, AuditRecord, Change, Finding, Measure, Outcomes, Sentence

__all__ = ["difference_of", "finding_changes"]


def finding_changes(first: AuditRecord, second: AuditRecord) -> Iterator[Change]:
    """Yield each finding of either audit, by its id.

    Whether an audit reports a finding can hang by a thread. So a finding of one audit alone is new
    or gone only where what it rests on differs beyond chance, or where it is a fact that needs no
    statistic. The runs count as independent, which makes the test cautious: their rows are the
    same.
    """
    by_id = [{finding.id: finding for finding in record.findings} for record in (first, second)]
    for id in dict.fromkeys((*by_id[1], *by_id[0])):
        yield _change(by_id[0].get(id), by_id[1].get(id), first, second)


def _change(
    before: Finding | None, after: Finding | None, first: AuditRecord, second: AuditRecord
) -> Change:
    finding = after or before
    assert finding is not None
    measures = (
        before.measure
        if before is not None and _is_same(before.measure, finding.measure)
        else _counterpart(first, finding.measure),
        after.measure if after is not None else _counterpart(second, finding.measure),
    )
    difference, p_value = difference_of(*measures)
    return Change(
        kind="finding",
        id=finding.id,
        title=finding.claim,
        first=measures[0],
        second=measures[1],
        difference=difference,
        p_value=p_value,
        outcome=_outcome(before, after, difference),
    )


def _outcome(before: Finding | None, after: Finding | None, difference: Measure | None) -> Outcomes:
    """Return what became of a finding if the difference is no chance."""
    if before is not None and after is not None:
        if difference is None or not difference.value or before.size == after.size:
            return "same"
        return "worse" if (after.size or 0) > (before.size or 0) else "better"
    finding = after or before
    is_fact = finding is not None and finding.measure is None
    if difference is None and not is_fact:
        return "unresolved"
    return "new" if before is None else "gone"


def _counterpart(record: AuditRecord, measure: Measure | None) -> Measure | None:
    """Return the same measure of another audit; None if it was not made there."""
    if measure is None:
        return None
    for section in record.sections:
        for other in section.all_measures():
            if _is_same(other, measure):
                return other
    return None


def _is_same(first: Measure | None, second: Measure | None) -> bool:
    """Tell whether two findings rest on the same measure: one code may rest on several."""
    if first is None or second is None:
        return first is second
    return (first.metric, str(first.name), first.slice) == (
        second.metric,
        str(second.name),
        second.slice,
    )


def difference_of(
    first: Measure | None, second: Measure | None
) -> tuple[Measure | None, float | None]:
    """Return second minus first, and the p-value of no difference; None where there is none."""
    if first is None or second is None or first.value is None or second.value is None:
        return None, None
    errors = [
        (measure.upper - measure.lower) / (2 * Z95)
        for measure in (first, second)
        if measure.upper is not None and measure.lower is not None
    ]
    gap = second.value - first.value
    name = Sentence("difference of {name}", name=str(second.name))
    difference = Measure(name=name, value=gap, n=min(first.n, second.n), unit=second.unit)
    if len(errors) < 2:
        return difference, None
    error = hypot(*errors)
    p_value = float(2 * stats.norm.sf(abs(gap) / error)) if error else float(gap == 0)
    ends = {"lower": gap - Z95 * error, "upper": gap + Z95 * error, "method": "normal, unpaired"}
    return difference.model_copy(update=ends), p_value
