"""The main job on real models and data: a folder and a table in, a page to sign out."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from explain.auditing.archive import read_record
from explain.cli import app
from explain.record import AuditRecord
from tests.helpers.recording_page import RecordingPage
from tests.helpers.small_controls import small_controls

PAIRS = ["--text", "premise", "--text-pair", "hypothesis"]
FEW = ["--check", "data", "--check", "performance", "--check", "explanations"]
"""The checks that score no text anew; `test_data_sets` and `test_planted` run the others."""


@dataclass(frozen=True, slots=True)
class Job:
    """A folder, a table, what is asked of them, and the accuracy that the model's README states."""

    model: str
    data: str
    options: list[str]
    methods: list[str]
    accuracy: float


JOBS = {
    "sst2": Job(
        model="sst2-minilm",
        data="sst2/dev.csv",
        options=["--text", "text", *FEW, "--budget", "128"],
        methods=["shap", "lime", "integrated_gradients"],
        accuracy=0.876,
    ),
    "nli": Job(
        model="nli-minilm",
        data="nli/dev.csv",
        options=[*PAIRS, *FEW, "--methods", "occlusion"],
        methods=["occlusion"],
        accuracy=0.781,
    ),
}


@pytest.fixture(scope="module", params=JOBS)
def job(request: pytest.FixtureRequest) -> Job:
    return JOBS[request.param]


@pytest.fixture(scope="module")
def audited(job: Job, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an audit."""
    out = tmp_path_factory.mktemp(job.model)
    arguments = [
        *("audit", str(shared / "models" / job.model), str(shared / "data" / job.data)),
        *(*job.options, "--label", "label", "--explain", "4", "--out", str(out)),
    ]
    with small_controls():
        done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture
def record(audited: Path) -> AuditRecord:
    return read_record(audited / "audit.json")


def test_the_accuracy_is_the_known_one_with_its_interval(job: Job, record: AuditRecord) -> None:
    performance = next(section for section in record.sections if section.id == "performance")
    accuracy = performance.measures[0]
    assert accuracy.value == pytest.approx(job.accuracy, abs=5e-4)
    assert accuracy.lower is not None
    assert accuracy.upper is not None
    assert accuracy.lower < job.accuracy < accuracy.upper
    assert accuracy.n == record.rows


def test_every_chosen_instance_is_explained_by_each_method(job: Job, record: AuditRecord) -> None:
    explained = [instance for instance in record.instances if instance.stratum]
    assert len(explained) == 4
    for instance in explained:
        assert [a.method for a in instance.attributions] == job.methods
        assert all(a.parts == instance.parts for a in instance.attributions)


def test_the_page_opens_from_disk_alone_and_gives_the_texts_back(
    audited: Path, record: AuditRecord, recording_page: RecordingPage
) -> None:
    page = recording_page.goto(audited / "audit.html")
    shown = page.locator("p.text").evaluate_all("all => all.map(p => p.textContent)")
    expected = [p for i in record.instances if i.attributions for p in i.parts]
    assert [text for text in shown if text in expected] == expected
    assert recording_page.events == []


def test_the_log_holds_the_timings_and_the_counts(job: Job, audited: Path) -> None:
    entries = [json.loads(line) for line in (audited / "run.jsonl").read_text().splitlines()]
    stages = {entry["event"]: entry for entry in entries}
    assert all(stages[method]["seconds"] > 0 for method in job.methods)
    assert stages["counts"]["detail"]["evaluations"] > 1_000
