"""What every rendering of an audit says first: the verdict, the counts, what was not measured."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from explain.record import (
    PICKLE_FACT,
    SEVERITIES,
    Attribution,
    AuditRecord,
    Criterion,
    Finding,
    JudgedCriterion,
    Measure,
    Severity,
    Skipped,
)
from reports.languages import join_texts, language
from reports.languages import translate as _
from reports.languages.records import translated_slice
from reports.numbers import count, estimate, exact

__all__ = [
    "FINDINGS_SHOWN",
    "ICONS",
    "alert",
    "counts",
    "criterion_name",
    "day",
    "frozen",
    "grades",
    "key_measures",
    "limits",
    "number_of_findings",
    "record_hash",
    "size",
    "threshold",
    "verdict",
]

REFUSED: dict[Severity, str] = {
    "critical": "{n} critical {n:finding|findings} not accepted",
    "major": "{n} {n:finding|findings}, major or worse, not accepted",
    "minor": "{n} {n:finding|findings}, minor or worse, not accepted",
}
"""How many findings fail an audit, by the mildest that does."""

NONE_REFUSED: dict[Severity, str] = {
    "critical": "no critical findings but accepted ones",
    "major": "no findings, major or worse, but accepted ones",
    "minor": "no findings, minor or worse, but accepted ones",
}

ICONS = {"pass": "✓", "fail": "✗", "inconclusive": "○"}
"""A sign for each verdict, so that colour never stands alone."""

FINDINGS_SHOWN = 7
"""Findings that fit a first screen; a record ranks them."""

ROWS_NAMED = 10
"""Rows that are named where many were skipped for one reason."""


@dataclass(frozen=True, slots=True)
class VerdictView:
    """The verdict on the whole."""

    word: str
    tone: str
    """``pass``, ``fail`` or ``inconclusive``; without a verdict the gravest severity, or
    ``none``."""
    icon: str
    detail: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How much was done."""

    rows: str
    scored_rows: str
    skipped: str
    explained_rows: str
    not_measured: str


@dataclass(frozen=True, slots=True)
class LimitView:
    """One thing that was not measured."""

    subject: str
    reason: str
    where: str = ""
    """Rows that it concerns; nothing if it concerns no particular row."""
    anchor: str = ""
    """Id of the section that measured nothing."""


@dataclass(frozen=True, slots=True)
class GradeView:
    """How far one method can be trusted on this model."""

    method: str
    grades: tuple[tuple[str, str], ...]
    """The method's grade; or, where it has none, that of each attribution with its count, which
    is empty if all have that grade."""
    reasons: tuple[str, ...] = ()
    """Why the grade is no better."""
    measures: tuple[Measure, ...] = ()
    """The metrics that the grade rests on."""
    href: str = ""
    """Address of the section on trust; nothing if there is none."""


def alert(record: AuditRecord) -> str:
    """Return what is unsafe about how the model was loaded, empty if nothing is."""
    if not record.provenance.model.facts.get(PICKLE_FACT):
        return ""
    return _("The model was loaded from a pickle, which can run any code. Its user allowed that.")


def verdict(record: AuditRecord) -> VerdictView:
    """Return the verdict that criteria and gates give; without any, how grave the findings are."""
    gating = {criterion.verdict for criterion in record.criteria if criterion.gating}
    if not gating and record.gates.fail_on is None:
        return _gravity(record)
    details = (_tally(record.criteria) if gating else "", _refused(record))
    detail = _("; ").join(filter(None, details))
    if record.fails:
        return VerdictView(_("Fails"), "fail", ICONS["fail"], detail)
    if "inconclusive" in gating:
        return VerdictView(_("Inconclusive"), "inconclusive", ICONS["inconclusive"], detail)
    return VerdictView(_("Passes"), "pass", ICONS["pass"], detail)


def _refused(record: AuditRecord) -> str:
    """Return how many findings fail the audit, empty where none could."""
    bar, refused = record.gates.fail_on, len(record.refused_findings)
    if bar is None:
        return ""
    return _(REFUSED[bar] if refused else NONE_REFUSED[bar], n=refused)


def _gravity(record: AuditRecord) -> VerdictView:
    """Return how many findings of each severity there are, in the colour of the gravest."""
    detail = (
        _("no criterion is gating") if record.criteria else _("no acceptance criteria were set")
    )
    severities = severity_counts(record)
    if not severities:
        return VerdictView(_("No findings"), "none", "", detail)
    return VerdictView(_severities(severities), next(iter(severities)), "", detail)


def severity_counts(record: AuditRecord) -> dict[Severity, int]:
    """Return the number of findings of each severity that occurs, the gravest first."""
    tally = Counter(finding.severity for finding in record.findings)
    return {severity: tally[severity] for severity in SEVERITIES if tally[severity]}


def _tally(criteria: tuple[JudgedCriterion, ...]) -> str:
    """Return how the gating criteria were judged, and how many others there are."""
    gating = [criterion for criterion in criteria if criterion.gating]
    others = len(criteria) - len(gating)
    more = _("{n} more {n:is|are} not gating", n=others) if others else ""
    return _("; ").join(filter(None, (_tally_of_gating(gating), more)))


def _tally_of_gating(criteria: Sequence[JudgedCriterion]) -> str:
    counts = Counter(criterion.verdict for criterion in criteria)
    n = len(criteria)
    if counts["pass"] == n:
        return _("{n} of {n} {n:criterion|criteria} passed", n=n)
    unsettled = counts["inconclusive"]
    if not counts["fail"]:
        return _("{n} of {all} {all:criterion|criteria} inconclusive", n=unsettled, all=n)
    failed = _("{failed} of {n} {n:criterion|criteria} failed", failed=counts["fail"], n=n)
    if not unsettled:
        return failed
    return language().comma.join((failed, _("{n} inconclusive", n=unsettled)))


def criterion_name(criterion: Criterion) -> str:
    """Return the metric of a criterion, its slice, and whether it is not gating."""
    if isinstance(criterion, JudgedCriterion):
        metric = criterion.title
    else:
        metric = " ".join((criterion.metric, *criterion.of.values()))
    rows = _("all rows") if criterion.slice == "all" else criterion.slice
    name = _("{metric}, {rows}", metric=metric, rows=rows)
    return name if criterion.gating else _("{criterion} (not gating)", criterion=name)


def threshold(criterion: Criterion) -> str:
    """Return what a criterion asks for, to the last digit."""
    sign = "≥" if criterion.comparator == "at_least" else "≤"
    asked = f"{sign} {exact(criterion.threshold)}"
    return (
        asked
        if criterion.minimum_n is None
        else f"{asked}{language().comma}n ≥ {count(criterion.minimum_n)}"
    )


def frozen(record: AuditRecord) -> str:
    """Return when the criteria were frozen and by which hash, empty without criteria."""
    if record.criteria_sha256 is None:
        return ""
    hashed = f"sha256 {record.criteria_sha256}"
    said = _("The run itself hashed them before anything was scored: {hash}.", hash=hashed)
    if on := record.criteria_set_after_run_on:
        said = _(
            "They were set on {day}, when the results were known: {hash}.",
            day=language().date_in_words(on),
            hash=hashed,
        )
    if on := record.criteria_frozen_on:
        said = _(
            "They were frozen in criteria.json on {day}, before anything was scored. The criteria "
            "judged here have the same hash: {hash}.",
            day=language().date_in_words(on),
            hash=hashed,
        )
    gating = sum(criterion.gating for criterion in record.criteria)
    adjusted = _(
        "The verdicts of the {n} gating criteria are adjusted for their number (Holm).", n=gating
    )
    return join_texts(said, adjusted if gating > 1 else "")


def number_of_findings(record: AuditRecord) -> str:
    """Return how many findings there are, and their severities where the verdict says others."""
    severities = severity_counts(record)
    number = sum(severities.values())
    said = _("{n} {n:finding|findings}", n=number)
    if number and any(criterion.gating for criterion in record.criteria):
        said += _(": ") + _severities(severities)
    return said


def _severities(severities: Mapping[Severity, int]) -> str:
    named = (_("{n} {severity}", n=n, severity=_(severity)) for severity, n in severities.items())
    return _(", ").join(named)


def size(finding: Finding) -> str:
    """Return the number behind a finding with its interval, empty for a fact that needs none."""
    measure = finding.measure
    if measure is None:
        return ""
    name: str = measure.name
    if measure.slice != "all":
        name = _("{measure} ({slice})", measure=name, slice=translated_slice(measure))
    return _("{metric} {estimate}, n = {n}", metric=name, estimate=estimate(measure), n=measure.n)


def counts(record: AuditRecord) -> Counts:
    """Return how many rows were scored, skipped and explained."""
    return Counts(
        rows=count(record.rows),
        scored_rows=count(record.scored_rows),
        skipped=count(record.rows - record.scored_rows),
        explained_rows=count(sum(bool(instance.attributions) for instance in record.instances)),
        not_measured=count(len(limits(record))),
    )


def key_measures(record: AuditRecord) -> tuple[Measure, ...]:
    """Return the first measures of performance, for an audit without criteria."""
    return next((s.measures[:6] for s in record.sections if s.id == "performance"), ())


def grades(record: AuditRecord) -> tuple[GradeView, ...]:
    """Return the grade of each method, and those of the attributions of methods without one."""
    href = "#trust" if any(section.id == "trust" for section in record.sections) else ""
    graded = tuple(
        GradeView(trust.title, ((trust.grade, ""),), trust.reasons, trust.measures, href)
        for trust in record.trust
    )
    known = {trust.method for trust in record.trust}
    tallies: dict[str, Counter[str]] = defaultdict(Counter)
    for attribution in _attributions(record):
        if attribution.method not in known:
            tallies[attribution.method_title][attribution.grade or ""] += 1
    return graded + tuple(
        GradeView(
            title,
            tuple(
                (grade, "" if len(tally) == 1 else count(tally[grade])) for grade in sorted(tally)
            ),
        )
        for title, tally in tallies.items()
    )


def _attributions(record: AuditRecord) -> Iterable[Attribution]:
    return (a for instance in record.instances for a in instance.attributions)


def limits(record: AuditRecord) -> tuple[LimitView, ...]:
    """Return everything that was not measured or not looked at, with the reason."""
    sections = (
        LimitView(section.title, section.skipped, anchor=section.id)
        for section in record.sections
        if section.skipped is not None
    )
    criteria = (
        LimitView(_("criterion: {name}", name=criterion_name(criterion)), criterion.reason)
        for criterion in record.criteria
        if criterion.measure is None
    )
    omitted = (LimitView(entry.subject, entry.remedy) for entry in record.omitted)
    gone = (
        LimitView(
            _("accepted finding {finding}", finding=id_),
            _("it no longer occurs; take it out of the list"),
        )
        for id_ in record.gates.without(record.findings)
    )
    return (*sections, *criteria, *gone, *_skipped_rows(record.skipped), *_unread(record), *omitted)


def _skipped_rows(skipped: tuple[Skipped, ...]) -> list[LimitView]:
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for entry in skipped:
        groups[entry.stage, entry.reason].append(entry.row)
    return [
        LimitView(
            _("{stage}, {n} {n:row|rows}", stage=stage, n=len(rows)), reason, _listed_rows(rows)
        )
        for (stage, reason), rows in groups.items()
    ]


def _unread(record: AuditRecord) -> list[LimitView]:
    if (cut := record.truncation) is None:
        return []
    rows = list(cut.rows)
    reason = _(
        "the model cut off and never read {share:percent} of all characters",
        share=cut.characters / cut.of,
    )
    subject = _("text of {n} {n:row|rows}", n=len(rows))
    return [LimitView(subject, reason, _listed_rows(rows))]


def _listed_rows(rows: list[int]) -> str:
    named, n_more = _(", ").join(str(row) for row in rows[:ROWS_NAMED]), len(rows) - ROWS_NAMED
    template = "{n:row|rows} {rows} and {more} more" if n_more > 0 else "{n:row|rows} {rows}"
    return _(template, n=len(rows), rows=named, more=n_more)


def record_hash(record: AuditRecord | Attribution) -> str:
    """Return the sha256 of the record's JSON: what a signature refers to."""
    return hashlib.sha256(record.to_json().encode()).hexdigest()


def day(record: AuditRecord) -> str:
    """Return the day of the run as it is written in a letter."""
    return language().date_in_words(record.provenance.audited_on)
