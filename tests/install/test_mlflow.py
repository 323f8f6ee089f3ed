"""The export for MLflow opens in MLflow, as a local file store."""

import hashlib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from explain.record import AuditRecord
from explain.statistics.intervals import proportion
from reports import render_html
from reports.exports import write_export
from tests.helpers.comparisons import audit_of
from tests.helpers.records import audit_record, hostile_record

RECORDS = {"plain": audit_record(), "hostile": hostile_record()}


@pytest.fixture
def client_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what opens a folder in MLflow, which reports nothing to its makers."""
    for variable in ("MLFLOW_ALLOW_FILE_STORE", "MLFLOW_DISABLE_TELEMETRY"):
        monkeypatch.setenv(variable, "true")
    mlflow = import_module("mlflow")
    return lambda folder: mlflow.MlflowClient(tracking_uri=folder.as_uri())


def run_in(client: Any) -> Any:
    (experiment,) = client.search_experiments()
    (run,) = client.search_runs([experiment.experiment_id])
    return run


def test_a_run_has_each_measure_with_its_interval_and_n(client_of: Any, tmp_path: Path) -> None:
    measure = proportion("accuracy", 45, 50).model_copy(update={"metric": "performance.accuracy"})
    write_export(audit_of([0], [0], measures=[measure]), "mlflow", tmp_path / "runs")
    metrics = run_in(client_of(tmp_path / "runs")).data.metrics
    assert metrics["performance.accuracy"] == 0.9
    assert metrics["n performance.accuracy"] == 50
    assert metrics["lower performance.accuracy"] == measure.lower
    assert metrics["upper performance.accuracy"] == measure.upper
    assert metrics["findings.critical"] == 0


@pytest.mark.parametrize("kind", RECORDS)
def test_a_run_has_the_audit_and_its_report(kind: str, client_of: Any, tmp_path: Path) -> None:
    record: AuditRecord = RECORDS[kind]
    write_export(record, "mlflow", tmp_path / "runs")
    client = client_of(tmp_path / "runs")
    run = run_in(client)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["findings.critical"] == sum(
        finding.severity == "critical" for finding in record.findings
    )
    content = record.to_json()
    assert run.data.params["record_sha256"] == hashlib.sha256(content.encode()).hexdigest()
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {
        "audit.json",
        "report.html",
    }
    for name, text in (("audit.json", content), ("report.html", render_html(record))):
        path = client.download_artifacts(run.info.run_id, name, str(tmp_path))
        assert Path(path).read_bytes() == text.encode()


def test_two_audits_are_two_runs_of_a_store_and_one_audit_is_one(
    client_of: Any, tmp_path: Path
) -> None:
    first, second = audit_of([0], [0]), audit_of([0, 1], [0, 1])
    for record in (first, second, first):
        write_export(record, "mlflow", tmp_path / "runs")
    runs = client_of(tmp_path / "runs").search_runs(["0"])
    assert len(runs) == 2
    assert {run.data.params["rows"] for run in runs} == {"1", "2"}
