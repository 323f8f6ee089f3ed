"""The two pages: a whole audit, and one attribution."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from explain.record import (
    Attribution,
    AuditRecord,
    Finding,
    JudgedCriterion,
    LogEntry,
    Measure,
    Section,
    Severity,
    SystemIdentity,
)
from reports import PrintedForm, summary
from reports.environment import render
from reports.figures import FigureView, figure_view
from reports.findings import citations, finding_views, ranks
from reports.instances import attribution_view, instance_view, row_name
from reports.numbers import bare, count
from reports.provenance import (
    Facts,
    attribution_facts,
    decision_rule,
    provenance_facts,
    provenance_tables,
    settings_of,
)
from reports.tables import (
    EMPTY,
    CellView,
    Links,
    TableView,
    measure_cell,
    measures_table,
    record_table,
    table,
)

__all__ = ["attribution_page", "audit_page"]


@dataclass(frozen=True, slots=True)
class SectionView:
    """One section of the record."""

    id: str
    title: str
    summary: str
    findings: tuple[tuple[int, Severity], ...]
    """Place and severity of each of its findings."""
    measures: TableView | None
    figures: tuple[FigureView, ...]
    tables: tuple[TableView, ...]


@dataclass(frozen=True, slots=True)
class NavigationEntry:
    """One line of the navigation."""

    anchor: str
    title: str
    count: str = ""


def audit_page(record: AuditRecord, run: Sequence[LogEntry], form: PrintedForm) -> str:
    """Return the page of a whole audit, of which the printer gets a short or the full form."""
    explained = [instance for instance in record.instances if instance.attributions]
    cited = [instance for instance in record.instances if not instance.attributions]
    links = Links(
        {section.id: section.title for section in record.sections},
        {instance.id: row_name(instance) for instance in (*explained, *cited)},
    )
    columns, cited_by = _text_columns(record), citations(record)
    totals = summary.counts(record)
    findings, places = finding_views(record, links), ranks(record)
    return render(
        "audit.html",
        form=form,
        name=record.identity.name,
        line=_line(record.identity),
        notice=record.identity.notice or "",
        alert=summary.alert(record),
        identity=(*_identity(record.identity), *decision_rule(record.provenance.model)),
        auditor=record.identity.auditor or "not signed yet",
        day=summary.day(record),
        record_hash=summary.record_hash(record),
        verdict=summary.verdict(record),
        found=summary.number_of_findings(record),
        counts=totals,
        criteria=_criteria(record.criteria, links),
        frozen=summary.frozen(record),
        reasons=_reasons(record.criteria),
        findings=findings[: summary.FINDINGS_SHOWN],
        more_findings=findings[summary.FINDINGS_SHOWN :],
        checks_run=[s.title for s in record.sections if s.skipped is None],
        checks_skipped=[s.title for s in record.sections if s.skipped is not None],
        key_measures=_measures("Performance", summary.key_measures(record)),
        grades=summary.grades(record),
        why_grades=_why_grades(record),
        sections=[_section(s, links, places) for s in record.sections if s.skipped is None],
        strata=_strata(record),
        requested=count(record.plan.requested),
        explained=[instance_view(i, columns, cited_by.get(i.id, ())) for i in explained],
        cited=[instance_view(i, columns, cited_by.get(i.id, ())) for i in cited],
        outcomes=sorted({instance_view(instance).outcome for instance in explained}),
        limits=summary.limits(record),
        provenance=provenance_facts(record),
        tables=provenance_tables(record, run),
        navigation=_navigation(record, totals),
    )


def _why_grades(record: AuditRecord) -> list[tuple[summary.GradeView, TableView | None]]:
    """Return the grades with the measures that they rest on."""
    return [
        (each, _measures(each.method, each.measures))
        for each in summary.grades(record)
        if each.reasons or each.measures
    ]


def attribution_page(attribution: Attribution) -> str:
    """Return the page of one attribution."""
    return render(
        "attribution.html",
        method=attribution.method_title,
        target=attribution.target.label,
        instance=attribution_view(attribution),
        facts=attribution_facts(attribution),
        parameters=settings_of("Parameters", attribution.parameters),
        diagnostics=settings_of("What the method says of itself", attribution.diagnostics.facts),
        record_hash=summary.record_hash(attribution),
    )


def _line(identity: SystemIdentity) -> str:
    version = f"version {identity.version}" if identity.version else "version not stated"
    return f"{identity.purpose or 'purpose not stated'} · {version}"


def _identity(identity: SystemIdentity) -> Facts:
    stated = {
        "System": identity.name,
        "Version": identity.version,
        "Purpose": identity.purpose,
        "Decision affected": identity.decision_affected,
        "Out of scope": identity.out_of_scope,
        "Owner": identity.owner,
        "Auditor": identity.auditor,
    }
    silent = ", ".join(name.lower() for name, value in stated.items() if not value)
    facts = tuple((name, value) for name, value in stated.items() if value)
    return (*facts, ("Not stated", silent)) if silent else facts


def _criteria(criteria: tuple[JudgedCriterion, ...], links: Links) -> TableView | None:
    if not criteria:
        return None
    return table(
        "Acceptance criteria",
        ("criterion", "threshold", "measured [95 %]", "n", "verdict"),
        (
            (
                CellView(
                    summary.criterion_name(criterion), href=links.href(criterion.section or "")
                ),
                CellView(summary.threshold(criterion), numeric=True),
                measure_cell(criterion.measure),
                _n(criterion.measure),
                CellView(
                    f"{summary.ICONS[criterion.verdict]} {criterion.verdict}",
                    tone=criterion.verdict,
                ),
            )
            for criterion in criteria
        ),
    )


def _n(measure: Measure | None) -> CellView:
    return CellView(count(measure.n) if measure else EMPTY, numeric=True)


def _reasons(criteria: tuple[JudgedCriterion, ...]) -> TableView:
    return table(
        "Why each threshold, and why each verdict",
        ("criterion", "why this threshold", "why this verdict", "p", "p, adjusted"),
        (
            (
                CellView(summary.criterion_name(criterion)),
                CellView(criterion.rationale or "not stated"),
                CellView(criterion.reason),
                _p_value(criterion.p_value),
                _p_value(criterion.adjusted_p_value),
            )
            for criterion in criteria
        ),
    )


def _p_value(value: float | None) -> CellView:
    if value is None:
        return CellView(EMPTY)
    return CellView("< .001" if value < 0.001 else bare(value, 3), numeric=True)


def _navigation(record: AuditRecord, totals: summary.Counts) -> Iterator[NavigationEntry]:
    yield NavigationEntry("summary", "Summary")
    if record.criteria:
        yield NavigationEntry("criteria", "Criteria", count(len(record.criteria)))
    yield NavigationEntry("findings", "What to know", count(len(record.findings)))
    for section in record.sections:
        if section.skipped is None:
            yield NavigationEntry(section.id, section.title)
    yield NavigationEntry("instances", "Instances", totals.explained_rows)
    yield NavigationEntry("limits", "Not measured", totals.not_measured)
    yield NavigationEntry("provenance", "Provenance")
    yield NavigationEntry("sign-off", "Sign-off")
    yield NavigationEntry("glossary", "Glossary")


def _section(section: Section, links: Links, places: Mapping[Finding, int]) -> SectionView:
    return SectionView(
        id=section.id,
        title=section.title,
        summary=section.summary,
        findings=tuple((places[finding], finding.severity) for finding in section.findings),
        measures=_measures(section.title, section.measures),
        figures=tuple(figure_view(figure) for figure in section.figures),
        tables=tuple(record_table(each, links) for each in section.tables),
    )


def _measures(title: str, measures: Sequence[Measure]) -> TableView | None:
    return measures_table(title, measures) if measures else None


def _text_columns(record: AuditRecord) -> list[str]:
    """Return the names of the columns that the texts come from."""
    named = (record.provenance.arguments.get(side) for side in ("text", "text_pair"))
    return [name for name in named if isinstance(name, str)]


def _strata(record: AuditRecord) -> TableView:
    return table(
        "How the explained instances were chosen",
        ("stratum", "rule", "planned", "available", "chosen"),
        (
            (
                CellView(stratum.name),
                CellView(stratum.rule),
                *(
                    CellView(count(number), numeric=True)
                    for number in (stratum.quota, stratum.n_available, stratum.n_chosen)
                ),
            )
            for stratum in record.plan.strata
        ),
    )
