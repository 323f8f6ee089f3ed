"""An audit fails by findings that nobody has accepted, and can be judged again without a run."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import explain
import reports
from explain.adapters import FunctionClassifier
from explain.archive import write_audit
from explain.auditing.gates import judge_again, read_accepted
from explain.cli import app
from explain.errors import ConfigurationError
from explain.record import (
    SEVERITIES,
    AcceptedFinding,
    AuditRecord,
    Criterion,
    Finding,
    Gates,
    Severity,
)

ROWS = [{"text": f"{i} good", "label": "no" if i < 20 else "yes", "unit": "ab"[i < 25]}
        for i in range(100)]  # fmt: skip

MODEL = FunctionClassifier(lambda texts: [[0.1, 0.9]] * len(texts), ["no", "yes"], name="always")


def audited(**options: Any) -> AuditRecord:
    return explain.audit(
        MODEL, ROWS, label="label", slices=["unit"], instances=0, methods=[],
        checks=["performance", "slices"], **options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def record() -> AuditRecord:
    return audited()


WORSE = "slices.worse[unit = b]"


def file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@given(st.sampled_from(SEVERITIES), st.sampled_from(SEVERITIES), st.booleans())
def test_a_finding_fails_an_audit_from_the_stated_severity_unless_it_is_accepted(
    severity: Severity, bar: Severity, is_accepted: bool
) -> None:
    finding = Finding(
        code="slices.worse", subject="a = b", claim="", severity=severity, size=None, measure=None,
        evidence=(), suggestion="",
    )  # fmt: skip
    accepted = (AcceptedFinding(finding="slices.worse[a = b]", reason="known"),) * is_accepted
    order = {"critical": 3, "major": 2, "minor": 1}
    expected = order[severity] >= order[bar] and not is_accepted
    assert Gates(fail_on=bar, accepted=accepted).refuses(finding) is expected
    assert not Gates(accepted=accepted).refuses(finding)


def test_an_audit_fails_by_its_findings_only_where_that_was_asked_for(
    record: AuditRecord, tmp_path: Path
) -> None:
    ids = {finding.id: finding.severity for finding in record.findings}
    assert ids[WORSE] == "critical"
    assert not record.fails
    strict = audited(fail_on="critical")
    assert strict.fails
    assert WORSE in {finding.id for finding in strict.refused_findings}
    entries = "".join(f"[[accepted]]\nfinding = '{id_}'\nreason = 'known'\n" for id_ in ids)
    lenient = audited(fail_on="minor", accepted=str(file(tmp_path, "a.toml", entries)))
    assert not lenient.fails
    assert lenient.gates.without(lenient.findings) == ()
    pages = [reports.render_html(record) for record in (strict, lenient)]
    assert "critical finding" in pages[0]
    assert "Accepted: known" not in pages[0]
    assert "no findings, minor or worse, but accepted ones" in pages[1]
    assert pages[1].count("Accepted: known") == len(ids)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[accepted]]\nfinding = 'x'\n", r"number 1, reason: Field required"),
        ("[[accepted]]\nfinding = 'x'\nreason = ''\n", r"number 1, reason: String should have"),
        ("[[accepted]]\nfinding = 'x'\nreason = 'y'\nby = 'z'", r"number 1, by: Extra inputs"),
        ("[[acepted]]\nfinding = 'x'", r"has no 'acepted'; did you mean 'accepted'"),
        ("accepted = 3", r"accepted is no list"),
        ("accepted = [3]", r"number 1, the entry: "),
        ("accepted = [", r"is no TOML"),
    ],
)
def test_a_wrong_file_of_accepted_findings_is_refused_in_one_line(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        read_accepted(file(tmp_path, "accepted.toml", text))
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_an_unknown_severity_are_refused_before_anything_is_scored() -> None:
    def never(texts: list[str]) -> list[list[float]]:
        raise AssertionError

    model = FunctionClassifier(never, ["no", "yes"], name="never")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"accepted": "nowhere.toml"}, r"'nowhere.toml' cannot be read"),
        ({"fail_on": "bad"}, r"cannot take fail_on = 'bad': Input should be 'critical'"),
    ]
    for options, complaint in wrong:
        with pytest.raises(ConfigurationError, match=complaint):
            explain.audit(model, ROWS, label="label", **options)


def test_other_criteria_give_the_verdicts_that_they_would_have_given(record: AuditRecord) -> None:
    criteria = [
        Criterion(metric="performance.accuracy", at_least=bar, gating=True) for bar in (0.6, 0.95)
    ]
    judged = judge_again(record, criteria, Gates(), date(2027, 1, 2))
    before = audited(criteria=criteria)
    assert judged.criteria == before.criteria
    assert [criterion.verdict for criterion in judged.criteria] == ["pass", "fail"]
    assert (judged.criteria_sha256, judged.criteria_frozen_on) == (before.criteria_sha256, None)
    assert judged.criteria_set_after_run_on == date(2027, 1, 2)
    assert judged.fails
    assert judged.sections == record.sections
    with pytest.raises(ConfigurationError, match="no chosen check measures the metric"):
        judge_again(record, [Criterion(metric="performance.acuracy", at_least=0.5)], Gates(),
                    date(2027, 1, 2))  # fmt: skip


@pytest.fixture
def judge(record: AuditRecord, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Return what runs the command on the record with a configuration."""
    write_audit(record, [], tmp_path / "run")

    def run(config: str, *more: str) -> tuple[int, str]:
        path = file(tmp_path, "new.toml", config)
        arguments = ["judge", str(tmp_path / "run" / "audit.json"), "--config", str(path), *more]
        result = CliRunner().invoke(app, arguments, catch_exceptions=True)
        return result.exit_code, result.stdout + result.stderr

    return run


def test_the_command_judges_a_record_and_exits_by_its_verdict(
    judge: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    code, said = judge("[gates]\nfail_on = 'critical'\n")
    assert code == 1
    assert f"explain: critical finding {WORSE}" in said
    accepted = f"[[accepted]]\nfinding = '{WORSE}'\nreason = 'known'\n"
    gone = "[[accepted]]\nfinding = 'slices.worse[gone]'\nreason = 'known'\n"
    file(tmp_path, "accepted.toml", accepted + gone)
    code, said = judge("[gates]\naccepted = 'accepted.toml'\n")  # beside the configuration
    assert code == 0
    assert "the accepted finding slices.worse[gone] no longer occurs" in said
    rule = "[[criteria]]\nmetric = 'performance.accuracy'\nat_least = 0.95\ngating = true\n"
    written = tmp_path / "judged.html"
    code, said = judge(rule, "--out", str(written))
    assert code == 1
    page = written.read_text(encoding="utf-8")
    assert "were set on" in page
    assert "before anything was scored" not in page
