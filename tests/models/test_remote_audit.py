"""An audit of an endpoint: what it may not pay for, and what it says of how it was reached."""

import json
import math
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import explain
from explain.adapters.remote import call_stats, exported_calls, opening
from explain.adapters.remote.pace import Pace
from explain.auditing.dry_run import estimate_cost
from explain.errors import ConfigurationError, DataError
from explain.record import Section
from tests.helpers.endpoint import (
    LABELS,
    QUESTIONS,
    WEIGHTS,
    Reply,
    Server,
    logits_of_words,
    no_wait,
)

URL = "http://endpoint.test/x"

WORDS = [*WEIGHTS]
TEXTS = [" ".join(WORDS[(i * 3 + k * k) % len(WORDS)] for k in range(6)) for i in range(8)]
ROWS = [
    {"text": f"{text} {i}", "label": LABELS[int(logits_of_words(text).argmax())]}
    for i, text in enumerate(TEXTS * 4)
]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "Pace", partial(Pace, sleep=no_wait))


def options_of(server: Server, **more: Any) -> dict[str, Any]:
    """Return what an audit is told of an endpoint."""
    question = {**QUESTIONS[server.kind], "transport": server.transport, **more}
    return {"kind": server.kind, "endpoint": question}


@pytest.mark.parametrize(
    ("row", "slices", "error"),
    [
        ({"text": "good", "label": "neutral"}, [], DataError),
        ({"words": "good", "label": "positive"}, [], DataError),
        ({"text": "good", "label": "positive"}, ["language"], ConfigurationError),
    ],
)
def test_a_table_that_cannot_be_audited_costs_no_call(
    row: dict[str, str], slices: list[str], error: type[Exception]
) -> None:
    server = Server("systemone")
    with pytest.raises(error):
        explain.audit(URL, [row], label="label", slices=slices, **options_of(server))
    assert server.requests == 0


def test_a_table_without_its_column_costs_no_call_where_only_an_answer_tells_the_labels() -> None:
    server = Server("tei")
    with pytest.raises(DataError, match="no column 'text'"):
        explain.audit(URL, [{"words": "good"}], **options_of(server))
    assert server.requests == 0


# ── What an audit asks again, and when it stops to ask ────────────────────────────────────────────


def stability_of(kind: str, *, is_noisy: bool) -> tuple[Section, Server]:
    """Return the section of an endpoint, and the server."""

    def noise(server: Server, texts: list[str], reply: Reply) -> Reply:
        answer = json.loads(reply.body)
        named = answer["answers"]["question"]["probabilities"]
        named["negative"] += 1e-3 * math.sin(server.requests)
        named["positive"] = 1 - named["negative"]
        return Reply.of(answer)

    server = Server(kind, fault=noise if is_noisy else None)
    options: dict[str, Any] = {"instances": 0, "methods": [], "checks": ["stability"]}
    record = explain.audit(URL, ROWS, **options, **options_of(server))
    return next(s for s in record.sections if s.id == "stability"), server


@pytest.mark.parametrize("is_noisy", [False, True])
def test_the_same_text_is_asked_again_past_the_log(is_noisy: bool) -> None:
    section, server = stability_of("systemone", is_noisy=is_noisy)
    assert {server.paid[row["text"]] for row in ROWS} == {4}
    assert [finding.subject for finding in section.findings] == ["same text again"] * is_noisy
    (not_measured,) = (table for table in section.tables if table.title == "Not measured")
    alone = [what for what, reason in not_measured.rows if "carries one text" in str(reason)]
    assert alone == ["one text at a time", "another order", "with the longest text"]


def test_a_server_of_batches_is_asked_in_other_batches() -> None:
    section, _ = stability_of("tei", is_noisy=False)
    names = {measure.name for measure in section.measures}
    assert "flip rate, with the longest text" in names


def test_counts_of_samples_differ_by_chance_and_are_not_asked_for_again() -> None:
    section, server = stability_of("sampled", is_noisy=False)
    assert section.skipped is not None
    assert "count of samples" in section.skipped
    n_texts = len({row["text"] for row in ROWS}) + 1  # One opens the endpoint.
    assert server.requests == 20 * n_texts


@pytest.mark.parametrize(
    ("stated", "most"), [({}, 256), ({"budget": 40}, 40), ({"tolerance": 1e-9}, 256)]
)
def test_a_long_text_costs_no_more_than_the_limit_for_endpoints(
    stated: dict[str, Any], most: int
) -> None:
    def tangled(text: Any) -> Any:
        # A stream for each text: nothing that a method could learn.
        return np.random.default_rng([*text.encode()]).normal(size=2)

    row = {"text": " ".join(f"word{number}" for number in range(14))}
    record = explain.audit(
        URL, [row], methods=["shap"], checks=[], instances=1, **stated,
        **options_of(Server("systemone", tangled)),
    )  # fmt: skip
    ((attribution,),) = [instance.attributions for instance in record.instances]
    assert attribution.evaluations == most
    assert attribution.diagnostics.ended_by == "budget"


# ── What an audit would cost ──────────────────────────────────────────────────────────────────────


FEW: dict[str, Any] = {
    "label": "label", "instances": 0, "methods": [], "checks": ["robustness", "stability"],
}  # fmt: skip


@pytest.mark.parametrize("kind", ["systemone", "tei"])
def test_a_dry_run_sends_nothing_and_its_ranges_hold_what_is_spent(
    kind: str, tmp_path: Path
) -> None:
    server = Server(kind)
    calls = tmp_path / "calls.sqlite"
    stated = options_of(server)
    blind = estimate_cost(URL, ROWS, **stated, **FEW)
    assert server.requests == 0
    assert blind.seconds is None
    assert blind.n_measured == 0

    probed = estimate_cost(URL, ROWS, calls=calls, probe=True, **stated, **FEW)
    assert server.requests <= 3
    explain.audit(URL, ROWS, **options_of(server, calls=calls), **FEW)
    spent = call_stats(calls)
    assert spent.calls == server.requests
    for estimate in (blind, probed):
        assert estimate.calls.low <= spent.calls <= estimate.calls.high
        assert estimate.texts.low <= len(server.paid) <= estimate.texts.high
        if kind == "systemone":
            assert estimate.tokens.low <= spent.tokens <= estimate.tokens.high
    assert probed.texts == blind.texts


def test_a_dry_run_says_what_leaves_the_machine_and_what_cannot_be_measured() -> None:
    server = Server("systemone")
    options = {**FEW, "label": None, "checks": ["performance", "stability"]}
    stated = options_of(server, price_in=0.5)
    estimate = estimate_cost(URL, ROWS, **stated, **options)
    told = "\n".join(estimate.lines())
    assert "to endpoint.test, without encryption" in told
    assert "not measured: Performance" in told
    assert estimate.cost is not None
    assert estimate.cost.low == pytest.approx(0.5 * estimate.tokens.low / 1e6)
    assert sum(stage.high for stage in estimate.stages.values()) >= estimate.calls.high - 10


def test_a_dry_run_refuses_what_the_audit_would_refuse() -> None:
    stated = options_of(Server("systemone"))
    with pytest.raises(DataError):
        estimate_cost(URL, [{"text": "good", "label": "neutral"}], **stated, **FEW)
    with pytest.raises(ConfigurationError, match="replay"):
        estimate_cost(URL, ROWS, replay="audit", **stated, **FEW)


# ── The log, for people ───────────────────────────────────────────────────────────────────────────


def test_the_log_is_exported_line_by_line_and_its_sums_are_those_of_the_lines(
    tmp_path: Path,
) -> None:
    def sometimes_busy(own: Server, texts: list[str], reply: Reply) -> Reply:
        return Reply.of({"error": "busy"}, 503) if own.requests % 5 == 3 else reply

    server = Server("systemone", fault=sometimes_busy)
    stated = options_of(server, calls=tmp_path / "calls.sqlite")["endpoint"]
    explain.load(URL, kind="systemone", **stated).predict([row["text"] for row in ROWS])
    lines = [json.loads(line) for line in exported_calls(tmp_path)]
    sums = call_stats(tmp_path)
    assert len(lines) == sums.calls == server.requests
    assert sums.outcomes == Counter(line["outcome"] for line in lines)
    assert sums.tokens == sum(line["tokens"] for line in lines)
    assert sums.texts == len({key for line in lines for key in line["keys"]})
    assert sums.models == {"jev-1.13.0": sums.outcomes["answered"]}
    answered = [line for line in lines if line["outcome"] == "answered"]
    assert {line["request"]["state"] for line in answered} >= {row["text"] for row in ROWS}
    assert all(line["answer"]["answers"] for line in answered)
    assert sums.sizes == tuple(len(json.dumps(line["request"])) for line in answered)


@pytest.mark.parametrize("what", ["stats", "export"])
def test_what_is_no_log_of_calls_is_refused_and_not_made(what: str, tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    with pytest.raises(ConfigurationError, match="is no log of calls"):
        call_stats(path) if what == "stats" else [*exported_calls(path)]
    assert not path.exists()
