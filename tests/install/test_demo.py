"""The demo audits a model that is flawed on purpose; many tests read one run of the command."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import reports
from explain.auditing.archive import read_record
from explain.record import AuditRecord, InstanceLink, Measure
from explain.record.files import hash_file
from tests.helpers.command import run, run_forked
from tests.helpers.demo import DEMO
from tests.helpers.paper import missing_of, paper_of
from tests.helpers.plain_strings import composed_strings
from tests.helpers.visible_english import english_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SECONDS = 900
"""It takes one minute, and on a busy machine once took more than five."""

GROUP_B = "Amir Bianca Claire Dmitri Emma Farah Hannah Jamal Kofi Lucia Martin Noor Rosa Thomas"


def value_of(cell: object) -> float:
    assert isinstance(cell, Measure)
    assert cell.value is not None
    return cell.value


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of one run of the demo on few instances.

    It and the second run are processes of their own: forks would share the hashes of strings.
    """
    folder = tmp_path_factory.mktemp("demo")
    done = run("demo", "--explain", 4, "--out", "out", cwd=folder, seconds=SECONDS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "out/audit.html"
    assert "600 of 600 rows scored, 4 explained, 0 skipped" in done.stdout
    (folder / "printed.txt").write_text(done.stdout, encoding="utf-8")
    return folder / "out"


@pytest.fixture(scope="module")
def record(demo: Path) -> AuditRecord:
    return read_record(demo / "audit.json")


def test_the_readme_shows_what_the_demo_prints(
    demo: Path, readme: Callable[[str, str], None]
) -> None:
    printed = (demo.parent / "printed.txt").read_text(encoding="utf-8")
    for here, by_default in ((" 4 explained", " 30 explained"), ("out/audit", "audit/audit")):
        assert printed.count(here) == 1
        printed = printed.replace(here, by_default)
    readme("```text\n$ explain demo\n", printed)


def test_the_demo_says_that_it_is_flawed_on_purpose(demo: Path) -> None:
    record = json.loads((demo / "audit.json").read_text())
    assert "flawed on purpose" in record["identity"]["notice"]
    assert "flawed on purpose" in (demo / "audit.html").read_text()


def test_the_demo_gives_the_same_bytes_again(demo: Path, tmp_path: Path) -> None:
    run("demo", "--explain", 4, "--out", tmp_path / "again", cwd=tmp_path, seconds=SECONDS)
    for name in ("audit.json", "attributions.jsonl"):
        again = hash_file(tmp_path / "again" / name, tmp_path)
        assert again.sha256 == hash_file(demo / name, demo).sha256


def test_the_demo_prints_on_few_pages_with_all_that_must_be_there(
    demo: Path, record: AuditRecord, browser: "Browser"
) -> None:
    """Two pages of summary, then what must be on paper: 93 pages once."""
    paper = paper_of(browser, demo / "audit.html")
    assert missing_of(record, paper) == []
    assert paper.beyond == ""
    assert paper.sheets <= 12


def test_render_writes_a_record_in_another_language(demo: Path, tmp_path: Path) -> None:
    arguments = ("render", demo / "audit.json", "--language", "zh", "--out", "page.html")
    before = (demo / "audit.json").read_bytes()
    assert run_forked(*arguments, cwd=tmp_path).returncode == 0
    assert '<html lang="zh-CN">' in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert (demo / "audit.json").read_bytes() == before


def test_render_gives_the_same_page_again(demo: Path, tmp_path: Path) -> None:
    done = run_forked("render", demo / "audit.json", "--out", "page.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "page.html").read_bytes() == (demo / "audit.html").read_bytes()


@pytest.mark.parametrize(
    ("section", "claim"),
    [
        ("shortcuts", "Sent from the Northgate desk"),
        ("fairness", '"Emma".*fraud_review'),
        ("calibration", "over-confident"),
        ("data", "of 600 labels are wrong"),
    ],
)
def test_each_fault_of_the_demo_model_is_among_the_first_seven_findings(
    record: AuditRecord, section: str, claim: str
) -> None:
    found = [f.claim for f in record.findings[:7] if section in f.evidence]
    assert any(re.search(claim, text) for text in found), [f.claim for f in record.findings]


def test_the_demo_in_chinese_has_no_sentence_in_english(record: AuditRecord) -> None:
    assert not english_in(reports.render_html(record, language="zh"), record)


def test_most_texts_that_the_demo_suspects_of_a_wrong_label_have_one(record: AuditRecord) -> None:
    with (DEMO / "messages.csv").open(encoding="utf-8", newline="") as file:
        wrong = ["wrong_label" in row["planted"] for row in csv.DictReader(file)]
    rows = {instance.id: instance.row for instance in record.instances}
    tables = [table for section in record.sections for table in section.tables]
    suspected = next(table.rows for table in tables if table.title == "Suspected label errors")
    hits = [
        wrong[rows[cell.instance] - 1]
        for row in suspected
        for cell in row
        if isinstance(cell, InstanceLink)
    ]
    assert sum(hits) >= 0.8 * sum(wrong)
    assert np.mean(hits) >= 0.8


def test_the_names_that_the_demo_is_biased_against_are_found(record: AuditRecord) -> None:
    found = next(section for section in record.sections if section.id == "fairness")
    (finding,) = found.findings
    assert "first name" in finding.claim
    assert "are classified as fraud_review" in finding.claim
    assert 'The texts that change are mostly classified as "billing" with group B.' in finding.claim
    (by_name,) = [t for t in found.tables if t.columns[0] == "first name"]
    assert sorted(str(row[0]) for row in by_name.rows if row[2] == "A") == GROUP_B.split()
    (by_label,) = [t for t in found.tables if t.columns[0] == "original prediction"]
    billing = next(row for row in by_label.rows if row[0] == "billing")
    assert value_of(billing[2]) > 0.6 > 0.2 > value_of(billing[3])


def test_the_signature_of_the_demo_is_found_as_one_phrase(record: AuditRecord) -> None:
    (finding,) = next(each for each in record.sections if each.id == "shortcuts").findings
    assert '"Sent from the Northgate desk"' in finding.claim
    assert finding.severity in ("critical", "major")


def test_what_the_checks_say_of_the_demo_can_be_translated(record: AuditRecord) -> None:
    for section in record.sections:
        assert not composed_strings(section), section.id
