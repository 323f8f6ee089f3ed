"""The findings as the page shows them: what follows from a finding stands under it."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from explain.record import AuditRecord, Estimate, Finding, Measure, Sentence, Severity
from reports import summary
from reports.tables import CellView, Links, TableView, record_table

__all__ = ["FindingView", "citations", "finding_views", "ranks"]

_FIRST_SENTENCE = re.compile(
    r'(?:[^".!?。！？“]|"[^"]*"|“[^”]*”|“|[.!?](?!\s))*(?:[.!?](?=\s)|[。！？](?=.))'
)


@dataclass(frozen=True, slots=True)
class FindingView:
    """One finding."""

    rank: int
    anchor: str
    headline: str
    """The first sentence of its claim."""
    claim: str
    """What follows the headline; nothing where that is all."""
    severity: Severity
    size: str
    evidence: tuple[CellView, ...]
    suggestion: str
    accepted: str
    """Why somebody accepts it; nothing if nobody does."""
    members: TableView | None
    """What it sums up; None if it is of one thing."""
    consequences: tuple["FindingView", ...]
    """The findings that it explains."""


def ranks(record: AuditRecord) -> Mapping[Finding, int]:
    """Return the place of each finding in the order of the record, from 1."""
    return {finding: rank for rank, finding in enumerate(record.findings, start=1)}


def finding_views(record: AuditRecord, links: Links) -> list[FindingView]:
    """Return the findings that no other one explains, each with those that it does explain."""
    ranked = record.findings
    first: dict[str, int] = {}
    explained_by: dict[int | None, list[int]] = defaultdict(list)
    for place, finding in enumerate(ranked):
        # A cause is ranked before what it explains; in a circle the first has none.
        explained_by[first.get(finding.cause or "")].append(place)
        first.setdefault(finding.id, place)

    def view(place: int) -> FindingView:
        finding = ranked[place]
        headline, claim = _headline(finding.claim)
        return FindingView(
            rank=place + 1,
            anchor=f"finding-{place + 1}",
            headline=headline,
            claim=claim,
            severity=finding.severity,
            size="" if _states(finding.claim, finding.measure) else summary.size(finding),
            evidence=tuple(links.cell(target) for target in finding.evidence),
            suggestion=finding.suggestion,
            accepted=record.gates.reason(finding),
            members=record_table(finding.members, links) if finding.members else None,
            consequences=views(explained_by[place]),
        )

    def views(places: Sequence[int]) -> tuple[FindingView, ...]:
        return tuple(view(place) for place in places)

    return list(views(explained_by[None]))


def _headline(claim: str) -> tuple[str, str]:
    """Return the first sentence of a claim, and the rest; what is quoted ends no sentence.

    Examples
    --------
    >>> _headline('The word "Hi. Ho" decides. It does in 9 %.')
    ('The word "Hi. Ho" decides.', ' It does in 9 %.')
    """
    first = _FIRST_SENTENCE.match(claim)
    end = first.end() if first else len(claim)
    return claim[:end], claim[end:]


def _states(claim: str, measure: Measure | None) -> bool:
    """Tell whether a claim states the number behind it, so that nothing need say it again."""
    if measure is None or not isinstance(claim, Sentence):
        return False
    stated = (measure.value, measure.lower, measure.upper)
    return any(
        _states(value, measure)
        if isinstance(value, Sentence)
        else isinstance(value, Estimate) and (value.value, value.lower, value.upper) == stated
        for value in claim.values.values()
    )


def citations(record: AuditRecord) -> Mapping[str, tuple[int, ...]]:
    """Return the places of the findings that cite an instance, by its id."""
    cited: dict[str, tuple[int, ...]] = {}
    for rank, finding in enumerate(record.findings, start=1):
        for target in dict.fromkeys(finding.evidence):
            cited[target] = (*cited.get(target, ()), rank)
    return cited
