"""The main job on real models and data: a folder and a table in, a page to sign out."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from explain.auditing.archive import read_record
from explain.cli import app
from explain.record import AuditRecord
from tests.helpers.recording_page import RecordingPage

PAIRS = ["--text", "premise", "--text-pair", "hypothesis"]
FEW = ["--check", "data", "--check", "performance", "--check", "explanations"]
"""The checks that score no text anew; `test_data_sets` and `test_planted` run the others."""

JOBS = {
    "sst2": ("sst2-minilm", "sst2/dev.csv", ["--text", "text", *FEW], 0.876),
    "nli": ("nli-minilm", "nli/dev.csv", [*PAIRS, *FEW], 0.781),
}


@pytest.fixture(scope="module", params=JOBS)
def audit_of_demo(
    request: pytest.FixtureRequest, shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, float]:
    """Return the folder of an audit, and the accuracy that the model's README states."""
    model, data, columns, accuracy = JOBS[request.param]
    out = tmp_path_factory.mktemp(request.param)
    arguments = [
        *("audit", str(shared / "models" / model), str(shared / "data" / data), *columns),
        *("--label", "label", "--explain", "4", "--out", str(out)),
    ]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return out, accuracy


@pytest.fixture
def record(audit_of_demo: tuple[Path, float]) -> AuditRecord:
    return read_record(audit_of_demo[0] / "audit.json")


def test_the_accuracy_is_the_known_one_with_its_interval(
    audit_of_demo: tuple[Path, float], record: AuditRecord
) -> None:
    performance = next(section for section in record.sections if section.id == "performance")
    accuracy = performance.measures[0]
    assert accuracy.value == pytest.approx(audit_of_demo[1], abs=5e-4)
    assert accuracy.lower is not None
    assert accuracy.upper is not None
    assert accuracy.lower < audit_of_demo[1] < accuracy.upper
    assert accuracy.n == record.rows


def test_every_chosen_instance_is_explained_by_three_methods(record: AuditRecord) -> None:
    explained = [instance for instance in record.instances if instance.stratum]
    assert len(explained) == 4
    for instance in explained:
        assert [a.method for a in instance.attributions] == ["shap", "lime", "integrated_gradients"]
        assert all(a.parts == instance.parts for a in instance.attributions)


def test_the_page_opens_from_disk_alone_and_gives_the_texts_back(
    audit_of_demo: tuple[Path, float], record: AuditRecord, recording_page: RecordingPage
) -> None:
    page = recording_page.goto(audit_of_demo[0] / "audit.html")
    shown = page.locator("p.text").evaluate_all("all => all.map(p => p.textContent)")
    expected = [p for i in record.instances if i.attributions for p in i.parts]
    assert [text for text in shown if text in expected] == expected
    assert recording_page.events == []


def test_the_log_holds_the_timings_and_the_counts(audit_of_demo: tuple[Path, float]) -> None:
    entries = [
        json.loads(line) for line in (audit_of_demo[0] / "run.jsonl").read_text().splitlines()
    ]
    stages = {entry["event"]: entry for entry in entries}
    assert stages["shap"]["seconds"] > 0
    assert stages["counts"]["detail"]["evaluations"] > 1_000
