"""The commands around the folder of an audit, run as a user would."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from explain.auditing.archive import write_audit
from explain.record import FrozenCriteria
from explain.record.files import hash_file
from tests.helpers.command import run_forked
from tests.helpers.comparisons import audit_of
from tests.helpers.records import audit_record, run_log
from tests.helpers.reviews import instances, review

TRUTH = np.arange(400) % 2
WORSE = np.where(np.arange(400) < 40, 1 - TRUTH, TRUTH)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_audit(audit_of(TRUTH, TRUTH, instances=instances(5)), run_log(), tmp_path / "good")
    write_audit(audit_of(TRUTH, WORSE), run_log(), tmp_path / "bad")
    return tmp_path


def test_compare_exits_by_the_margin(folder: Path) -> None:
    done = run_forked("compare", "good", "bad", "--out", "diff.md", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "worse" in done.stdout
    assert (folder / "diff.md").read_text().startswith("# ▼ worse")
    assert (
        run_forked("compare", "good", "bad", "--fail-on-regression", 0.05, cwd=folder).returncode
        == 1
    )
    assert (
        run_forked("compare", "bad", "good", "--fail-on-regression", 0.05, cwd=folder).returncode
        == 0
    )
    done = run_forked("compare", "good", "nowhere", cwd=folder)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    for margin in ("frozen", "two", "nan", "-1"):
        done = run_forked("compare", "good", "bad", "--fail-on-regression", margin, cwd=folder)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_compare_exits_by_the_margin_that_an_audit_has_frozen(folder: Path) -> None:
    audit = audit_of(TRUTH, TRUTH)
    frozen = FrozenCriteria.of(audit.criteria, audit.provenance.audited_on, 0.05)
    update = {"regression_margin": 0.05, "criteria_sha256": frozen.sha256}
    strict = audit.model_copy(update=update).with_predictions(audit.predictions)
    write_audit(strict, run_log(), folder / "strict")
    assert "regression_margin" in (folder / "strict/criteria.json").read_text()
    done = run_forked("compare", "strict", "bad", "--fail-on-regression", "frozen", cwd=folder)
    assert done.returncode == 1
    assert "froze this margin on" in done.stdout
    done = run_forked("compare", "strict", "bad", "--fail-on-regression", 0.2, cwd=folder)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert run_forked("compare", "strict", "bad", cwd=folder).returncode == 0


def test_compare_refuses_records_of_another_schema_in_a_line(folder: Path) -> None:
    old = json.loads((folder / "good/audit.json").read_text()) | {"schema_version": 1}
    (folder / "old").mkdir()
    (folder / "old/audit.json").write_text(json.dumps(old))
    done = run_forked("compare", "old", "bad", cwd=folder)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "with version 1 of the schema" in done.stderr


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
def test_an_audit_is_reviewed_signed_and_verified(folder: Path) -> None:
    report = hash_file(folder / "good/audit.json", folder).sha256
    lines = [review(instance, report=report) for instance in instances(5)]
    lines.append(lines[0].model_copy(update={"report_sha256": "1" * 64}))
    (folder / "ana.jsonl").write_text("".join(line.to_json() + "\n" for line in lines))
    done = run_forked("review", "import", "good", "ana.jsonl", cwd=folder)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "1 line is refused" in done.stderr
    assert "5 reviews by 1 reviewer\n" in done.stdout
    key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key")]
    subprocess.run(key, check=True)
    who = ("--name", "Ana Ruiz", "--role", "model risk", "--verdict", "accepted")
    assert run_forked("review", "sign", "good", *who, "--key", "key", cwd=folder).returncode == 0
    done = run_forked("verify", "good", cwd=folder)
    assert done.returncode == 0, done.stdout
    assert "Ana Ruiz (model risk) signed on" in done.stdout
    (folder / "good/reviews.jsonl").write_text("")
    done = run_forked("verify", "good", cwd=folder)
    assert done.returncode == 1
    assert "✗ reviews.jsonl was changed" in done.stdout


@pytest.mark.parametrize("to", ["csv", "sarif", "coverage-table"])
def test_export_prints_where_it_wrote(to: str, folder: Path) -> None:
    done = run_forked("export", "good", "--to", to, "--out", "out", cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n", "")
    assert (folder / "out").exists()


def test_letter_is_of_an_explained_row(folder: Path) -> None:
    write_audit(audit_record(), run_log(), folder / "explained")
    arguments = ("letter", "explained", "--out", "letter.html", "--row")
    done = run_forked(
        *arguments, 1, "--contact", "ana@example.org", "--decision-name", "Loan", cwd=folder
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "letter.html\n", "")
    text = (folder / "letter.html").read_text(encoding="utf-8")
    assert "ana@example.org" in text
    assert "The decision: Loan" in text
    done = run_forked(*arguments, 4, cwd=folder)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert (
        "row 4 was not explained; a letter can be written of an explained row: 1, 2, 5"
        in done.stderr
    )
