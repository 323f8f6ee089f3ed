"""What an audit of an endpoint costs with default options, and what the dry run says of it."""

import csv
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

import explain
from explain.adapters.transformers import TransformersClassifier
from explain.auditing.dry_run import estimate_cost
from tests.helpers.endpoint import QUESTIONS, Server

MOST_CALLS = 25_000
URL = "http://endpoint.test/x"


@pytest.mark.nightly  # Tens of thousands; `tests/models/test_remote_audit.py` asks for few.
@pytest.mark.parametrize(("rows", "instances"), [(150, 5), (1_000, 50)])
def test_the_calls_of_an_audit_are_within_the_ranges_of_the_dry_run(
    rows: int, instances: int, shared: Path, sst2: TransformersClassifier
) -> None:
    with (shared / "data" / "sst2" / "train.csv").open(encoding="utf-8", newline="") as file:
        table = [*islice(csv.DictReader(file), rows)]
    server = Server("systemone", lambda text: sst2.predict([text])[0])
    options: dict[str, Any] = {
        "label": "label", "instances": instances, "kind": "systemone",
        "endpoint": {**QUESTIONS["systemone"], "transport": server.transport},
    }  # fmt: skip
    estimate = estimate_cost(URL, table, **options)
    assert server.requests == 0
    explain.audit(URL, table, **options)
    assert estimate.calls.low <= server.requests <= estimate.calls.high
    assert estimate.texts.low <= len(server.paid) <= estimate.texts.high
    assert server.requests <= MOST_CALLS
