"""The two pages: a whole audit, and one attribution."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from explain.record import (
    Attribution,
    AuditRecord,
    Finding,
    InstanceRecord,
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
from reports.glossary import Linked, TermLinks, glossary
from reports.instances import InstanceView, attribution_view, instance_view, row_name
from reports.languages import translate as _
from reports.languages.records import translated_record
from reports.numbers import bare, count
from reports.packed_rows import packed_chunks, text_nodes, written_out
from reports.provenance import (
    Facts,
    attribution_facts,
    decision_rule,
    provenance_facts,
    provenance_tables,
    settings_of,
)
from reports.row_index import row_index
from reports.section_notes import notes_of
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
    summary: Linked
    notes: tuple[str, ...]
    """What was done, and what counts as a finding."""
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
    record_hash, record = summary.record_hash(record), translated_record(record)
    explained = [instance for instance in record.instances if instance.attributions]
    cited = [instance for instance in record.instances if not instance.attributions]
    links = Links(
        {section.id: section.title for section in record.sections},
        {instance.id: row_name(instance) for instance in (*explained, *cited)},
    )
    columns, cited_by = _text_columns(record), citations(record)
    totals = summary.counts(record)
    findings, places = finding_views(record, links), ranks(record)

    def view(instance: InstanceRecord) -> InstanceView:
        return instance_view(instance, columns, cited_by.get(instance.id, ()))

    whole = written_out(record, explained) if form == "short" else {i.id for i in explained}
    in_chunks = [instance for instance in explained if instance.id not in whole]
    return render(
        "audit.html",
        form=form,
        **_head(record),
        verdict=summary.verdict(record),
        found=summary.number_of_findings(record),
        counts=totals,
        criteria=_criteria(record.criteria, links),
        frozen=summary.frozen(record),
        reasons=_reasons(record.criteria),
        findings=findings[: summary.FINDINGS_SHOWN],
        more_findings=findings[summary.FINDINGS_SHOWN :],
        **_checks(record),
        key_measures=_measures(_("Performance"), summary.key_measures(record)),
        grades=summary.grades(record),
        why_grades=_why_grades(record),
        sections=[_section(s, links, places) for s in record.sections if s.skipped is None],
        strata=_strata(record),
        requested=count(record.plan.requested),
        explained=[view(instance) for instance in explained if instance.id in whole],
        rows=row_index(
            record, explained, cited_by, {i.id: text_nodes(i) for i in in_chunks}, record_hash
        ),
        chunks=packed_chunks(in_chunks, columns),
        n_packed=count(len(in_chunks)),
        cited=[view(instance) for instance in cited],
        limits=summary.limits(record),
        **_provenance(record, run, record_hash),
        navigation=_navigation(record, totals),
        glossary=glossary(),
    )


def _head(record: AuditRecord) -> Mapping[str, object]:
    """Return what is audited, and what a reader must be warned of first."""
    identity = record.identity
    return {
        "name": identity.name,
        "line": _line(identity),
        "notice": identity.notice or "",
        "alert": summary.alert(record),
        "identity": (*_identity(identity), *decision_rule(record.provenance.model)),
    }


def _provenance(
    record: AuditRecord, run: Sequence[LogEntry], record_hash: str
) -> Mapping[str, object]:
    """Return who audited, when, what the signature refers to, and what was run."""
    return {
        "auditor": record.identity.auditor or _("not signed yet"),
        "day": summary.day(record),
        "record_hash": record_hash,
        "provenance": provenance_facts(record, record_hash),
        "tables": provenance_tables(record, run),
    }


def _checks(record: AuditRecord) -> Mapping[str, list[str]]:
    """Return the titles of the checks that measured something, and of those that did not."""
    return {
        "checks_run": [s.title for s in record.sections if s.skipped is None],
        "checks_skipped": [s.title for s in record.sections if s.skipped is not None],
    }


def _why_grades(record: AuditRecord) -> list[tuple[summary.GradeView, TableView | None]]:
    """Return the grades with the measures that they rest on."""
    return [
        (each, _measures(each.method, each.measures))
        for each in summary.grades(record)
        if each.reasons or each.measures
    ]


def attribution_page(attribution: Attribution) -> str:
    """Return the page of one attribution."""
    record_hash = summary.record_hash(attribution)
    attribution = translated_record(attribution)
    return render(
        "attribution.html",
        method=attribution.method_title,
        target=attribution.target.label,
        instance=attribution_view(attribution),
        facts=attribution_facts(attribution, record_hash),
        parameters=settings_of(_("Parameters"), attribution.parameters),
        diagnostics=settings_of(_("What the method says of itself"), attribution.diagnostics.facts),
        record_hash=record_hash,
        glossary=glossary(),
    )


def _line(identity: SystemIdentity) -> str:
    version = _("version not stated")
    if identity.version:
        version = _("version {version}", version=identity.version)
    return f"{identity.purpose or _('purpose not stated')} · {version}"


def _identity(identity: SystemIdentity) -> Facts:
    stated = {
        _("System"): identity.name,
        _("Version"): identity.version,
        _("Purpose"): identity.purpose,
        _("Decision affected"): identity.decision_affected,
        _("Out of scope"): identity.out_of_scope,
        _("Owner"): identity.owner,
        _("Auditor"): identity.auditor,
    }
    silent = _(", ").join(name.lower() for name, value in stated.items() if not value)
    facts = tuple((name, value) for name, value in stated.items() if value)
    return (*facts, (_("Not stated"), silent)) if silent else facts


def _criteria(criteria: tuple[JudgedCriterion, ...], links: Links) -> TableView | None:
    if not criteria:
        return None
    return table(
        _("Acceptance criteria"),
        (_("criterion"), _("threshold"), _("measured [95 %]"), _("n"), _("verdict")),
        (
            (
                CellView(
                    summary.criterion_name(criterion), href=links.href(criterion.section or "")
                ),
                CellView(summary.threshold(criterion), numeric=True),
                measure_cell(criterion.measure),
                _n(criterion.measure),
                CellView(
                    f"{summary.ICONS[criterion.verdict]} {_(criterion.verdict)}",
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
        _("Why each threshold, and why each verdict"),
        (
            _("criterion"),
            _("why this threshold"),
            _("why this verdict"),
            _("p"),
            _("p, adjusted"),
        ),
        (
            (
                CellView(summary.criterion_name(criterion)),
                CellView(criterion.rationale or _("not stated")),
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
    return CellView(f"< {bare(0.001, 3)}" if value < 0.001 else bare(value, 3), numeric=True)


def _navigation(record: AuditRecord, totals: summary.Counts) -> Iterator[NavigationEntry]:
    yield NavigationEntry("summary", _("Summary"))
    if record.criteria:
        yield NavigationEntry("criteria", _("Criteria"), count(len(record.criteria)))
    yield NavigationEntry("findings", _("Findings"), count(len(record.findings)))
    for section in record.sections:
        if section.skipped is None:
            yield NavigationEntry(section.id, section.title)
    yield NavigationEntry("instances", _("Instances"), totals.explained_rows)
    yield NavigationEntry("limits", _("Not measured"), totals.not_measured)
    yield NavigationEntry("provenance", _("Provenance"))
    yield NavigationEntry("sign-off", _("Sign-off"))
    yield NavigationEntry("glossary", _("Glossary"))


def _section(section: Section, links: Links, places: Mapping[Finding, int]) -> SectionView:
    linked = TermLinks()
    return SectionView(
        id=section.id,
        title=section.title,
        summary=linked(section.summary),
        notes=tuple(map(_, notes_of(section.id))),
        findings=tuple((places[finding], finding.severity) for finding in section.findings),
        measures=_with_terms(_measures(section.title, section.measures), linked),
        figures=tuple(figure_view(figure) for figure in section.figures),
        tables=tuple(record_table(each, links) for each in section.tables),
    )


def _with_terms(measures: TableView | None, linked: TermLinks) -> TableView | None:
    """Return a table whose rows lead to the glossary where they use a term first."""
    if measures is None:
        return None
    return replace(
        measures,
        rows=tuple(
            (replace(name, href=max(href for _, href in linked(name.text) or (("", ""),))), *cells)
            for name, *cells in measures.rows
        ),
    )


def _measures(title: str, measures: Sequence[Measure]) -> TableView | None:
    return measures_table(title, measures) if measures else None


def _text_columns(record: AuditRecord) -> list[str]:
    """Return the names of the columns that the texts come from."""
    named = (record.provenance.arguments.get(side) for side in ("text", "text_pair"))
    return [name for name in named if isinstance(name, str)]


def _strata(record: AuditRecord) -> TableView:
    return table(
        _("How the explained instances were chosen"),
        (_("stratum"), _("rule"), _("planned"), _("available"), _("chosen")),
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
