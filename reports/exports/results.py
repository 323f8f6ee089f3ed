"""Criteria and findings as the results of tests (JUnit) and of a scanner (SARIF)."""

import json
from typing import Final
from xml.etree import ElementTree

from explain.record import AuditRecord, Finding, JudgedCriterion
from reports import summary
from reports.text import visible

__all__ = ["junit", "sarif"]

LEVELS: Final = {"critical": "error", "major": "warning", "minor": "note"}

KINDS: Final = {"pass": "pass", "fail": "fail", "inconclusive": "open"}
"""What SARIF calls verdicts: ``open`` is for a person to decide."""

SARIF: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def junit(record: AuditRecord) -> str:
    """Return the criteria and findings as test cases.

    A gating criterion that is not met, and a finding that fails the audit, is a failure; what is
    inconclusive is skipped, with the reason.
    """
    suites = ElementTree.Element("testsuites", name=visible(record.identity.name))
    _suite(suites, "criteria", [_criterion(criterion) for criterion in record.criteria])
    _suite(suites, "findings", [_finding(record, finding) for finding in record.findings])
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _suite(suites: ElementTree.Element, name: str, cases: list[ElementTree.Element]) -> None:
    counts = {
        kind: str(sum(case.find(kind) is not None for case in cases))
        for kind in ("failure", "skipped")
    }
    suite = ElementTree.SubElement(
        suites,
        "testsuite",
        name=name,
        tests=str(len(cases)),
        failures=counts["failure"],
        errors="0",
        skipped=counts["skipped"],
    )
    suite.extend(cases)


def _criterion(criterion: JudgedCriterion) -> ElementTree.Element:
    name = f"{summary.criterion_name(criterion)} {summary.threshold(criterion)}"
    case = ElementTree.Element("testcase", classname=criterion.metric, name=visible(name))
    if criterion.verdict == "fail":
        kind = "failure" if criterion.gating else "system-out"
        _add_text(case, kind, criterion.reason)
    elif criterion.verdict == "inconclusive":
        _add_text(case, "skipped", criterion.reason)
    return case


def _finding(record: AuditRecord, finding: Finding) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=finding.code, name=visible(finding.id))
    text = f"{finding.severity}: {finding.claim} {finding.suggestion}"
    _add_text(case, "failure" if record.gates.refuses(finding) else "system-out", text)
    return case


def _add_text(case: ElementTree.Element, kind: str, text: str) -> None:
    shown = visible(text)
    element = ElementTree.SubElement(case, kind)
    if kind != "system-out":
        element.set("message", shown)
    element.text = shown


def sarif(record: AuditRecord) -> str:
    """Return the findings, then the criteria, as the results of a run of SARIF 2.1.0."""
    rules = sorted(
        {finding.code for finding in record.findings}
        | {criterion.metric for criterion in record.criteria}
    )
    results = [
        *(_result_of_finding(record, finding) for finding in record.findings),
        *map(_result_of_criterion, record.criteria),
    ]
    model = {"name": record.provenance.model.name, "kind": "resource"}
    for result in results:
        result["ruleIndex"] = rules.index(str(result["ruleId"]))
        result["locations"] = [{"logicalLocations": [model]}]
    driver = {
        "name": "explain-audit",
        "version": record.provenance.packages.get("explain-audit", "0"),
        "rules": [{"id": rule} for rule in rules],
    }
    run = {
        "tool": {"driver": driver},
        "results": results,
        "properties": {
            "system": record.identity.name,
            "recordSha256": summary.record_hash(record),
        },
    }
    document = {"$schema": SARIF, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _result_of_finding(record: AuditRecord, finding: Finding) -> dict[str, object]:
    reason = record.gates.reason(finding)
    suppressions = [{"kind": "external", "justification": reason}] if reason else []
    return {
        "ruleId": finding.code,
        "level": LEVELS[finding.severity],
        "message": {"text": f"{finding.claim} {finding.suggestion}"},
        "partialFingerprints": {"findingId/v1": finding.id},
        "suppressions": suppressions,
        "properties": {
            "severity": finding.severity,
            "subject": finding.subject,
            "size": finding.size,
        },
    }


def _result_of_criterion(criterion: JudgedCriterion) -> dict[str, object]:
    name = f"{summary.criterion_name(criterion)} {summary.threshold(criterion)}"
    failed = "error" if criterion.gating else "warning"
    return {
        "ruleId": criterion.metric,
        "kind": KINDS[criterion.verdict],
        "level": failed if criterion.verdict == "fail" else "none",
        "message": {"text": f"{name}: {criterion.verdict}. {criterion.reason}".rstrip()},
        "partialFingerprints": {"criterion/v1": name},
    }
