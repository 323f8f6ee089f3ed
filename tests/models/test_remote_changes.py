"""A model that changes while it is audited: where, and what becomes of its explanations."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import explain
from explain.adapters.remote.canaries import CANARIES, FIRST_ANSWERS, TEXTS_BETWEEN, Canaries
from explain.record import Attribution, AuditRecord, Finding
from tests.helpers.endpoint import LABELS, QUESTIONS, Fault, Reply, Server, often_tested

URL = "http://endpoint.test/x"
WORDS = ["good", "bad", "dull", "lyrical", "work", "awful", "not", "stunning"]
ROWS = [
    {
        "text": " ".join(WORDS[(i * 3 + k * (1 + i % 5)) % 8] + "x" * (i % 7) for k in range(7)),
        "label": LABELS[i % 2],
    }
    for i in range(16)
]


@pytest.fixture(scope="module", autouse=True)
def _often_tested() -> Iterator[None]:
    with often_tested(40):
        yield


def other_weights(first: int, last: int = 10**9, name: str | None = None) -> Fault:
    """Return a fault that answers some requests by another model, under its name or another."""

    def fault(server: Server, asked: list[str], reply: Reply) -> Reply:
        if not first <= server.requests < last:
            return reply
        answer = json.loads(reply.body)
        named = answer["answers"]["question"]["probabilities"]
        odds = np.log(named["positive"] / named["negative"])
        odds = 0.7 * odds + 0.4 * asked[0].count("dull") + 0.5
        named["positive"] = float(1 / (1 + np.exp(-odds)))
        named["negative"] = 1 - named["positive"]
        answer["model"] = name or answer["model"]
        return Reply.of(answer)

    return fault


def audited(fault: Fault | None, **endpoint: Any) -> tuple[AuditRecord, Server]:
    server = Server("systemone", fault=fault)
    record = explain.audit(
        URL, ROWS, label="label", instances=2, methods=["shap"], budget=64,
        checks=["performance"], kind="systemone",
        endpoint={**QUESTIONS["systemone"], "transport": server.transport, **endpoint},
    )  # fmt: skip
    return record, server


def values(record: AuditRecord) -> dict[str, Attribution]:
    """Return the explanations of a record, by what they explain."""
    return {
        f"{instance.id} {each.target.label}": each
        for instance in record.instances
        for each in instance.attributions
    }


def section_of(record: AuditRecord) -> Any:
    (section,) = (section for section in record.sections if section.id == "endpoint")
    return section


@pytest.fixture(scope="module")
def clean() -> AuditRecord:
    return audited(None)[0]


@pytest.fixture(scope="module")
def renewed() -> AuditRecord:
    """Return the audit of the other weights alone, which may explain other labels."""
    return audited(other_weights(0))[0]


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> tuple[AuditRecord, Path]:
    """Return the audit of a model that gets other weights in the middle, and its log of calls."""
    path = tmp_path_factory.mktemp("changed") / "calls.sqlite"
    return audited(other_weights(70), calls=path)[0], path


def check_made_again(record: AuditRecord, clean: AuditRecord, renewed: AuditRecord) -> None:
    """Check that each explanation is of one model, and some of the one after the change."""
    assert "made again with the model after it" in section_of(record).summary
    assert "too short to see" not in section_of(record).summary
    old, new, made = values(clean), values(renewed), values(record)
    shared = [key for key in made if key in new]
    assert shared
    for key in shared:
        assert made[key].values in (old[key].values, new[key].values)
    assert any(made[key].values == new[key].values for key in shared)


def test_explanations_that_a_change_fell_into_are_made_again_of_the_model_after_it(
    changed: tuple[AuditRecord, Path], clean: AuditRecord, renewed: AuditRecord
) -> None:
    record, _ = changed
    assert "endpoint.drift" in {finding.code for finding in section_of(record).findings}
    check_made_again(record, clean, renewed)


def test_a_change_of_the_name_alone_does_the_same(clean: AuditRecord, renewed: AuditRecord) -> None:
    record, _ = audited(other_weights(70, name="jev-1.14.0"))
    assert "endpoint.model-changed" in {finding.code for finding in section_of(record).findings}
    check_made_again(record, clean, renewed)


def test_what_was_made_again_is_so_in_a_run_that_is_replayed_or_continued(
    changed: tuple[AuditRecord, Path],
) -> None:
    record, path = changed
    replayed, _ = audited(None, replay=path)
    assert replayed.to_json() == record.to_json()
    continued, server = audited(other_weights(0), calls=path)
    assert continued.to_json() == record.to_json()
    assert server.requests == 0


def test_a_model_that_stays_as_it_is_has_no_explanation_made_again(clean: AuditRecord) -> None:
    assert "made again" not in section_of(clean).summary
    assert not section_of(clean).findings


def test_explanations_of_a_model_that_changes_to_and_fro_are_left_out_and_counted() -> None:
    """Two models behind one address, in turn: none of their explanations is one model's."""
    record, _ = audited(_in_turn)
    assert not values(record)
    lost = [skipped for skipped in record.skipped if skipped.stage == "shap"]
    assert len(lost) == 2
    assert "the model changed while this was explained, and it could not" in lost[0].reason
    assert "2 could not be made again and are left out." in section_of(record).summary


def _in_turn(server: Server, asked: list[str], reply: Reply) -> Reply:
    if server.requests % 2:
        return reply
    return other_weights(0, name="jev-2")(server, asked, reply)


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_the_part_of_the_run_that_a_change_lies_in_is_named(noise: float) -> None:
    """Other weights from some text on, in 20 seeds: found, and the change lies in that part."""
    n_right = n_false = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        change = int(rng.integers(TEXTS_BETWEEN, 9 * TEXTS_BETWEEN))
        shifts = [shifts_of(rng, noise, change), shifts_of(rng, noise, 10**9)]
        n_right += len(shifts[0]) == 1 and shifts[0][0].since < change <= shifts[0][0].after
        n_false += bool(shifts[1])
    assert n_right >= 19
    assert n_false <= 1


def shifts_of(rng: np.random.Generator, noise: float, change: int) -> list[Any]:
    """Return the shifts of a run of 5,000 texts whose model has other weights from one text on."""
    probes, truth = Canaries(), rng.normal(0, 2, CANARIES)
    moved = truth + rng.normal(0, 1, CANARIES) + 0.5
    for number in range(1, 11):
        at = number * TEXTS_BETWEEN
        n = 1 + FIRST_ANSWERS if number == 1 else 1
        odds = moved if at >= change else truth
        answers = np.tile(odds, (n, 1))
        if number == 1:
            answers[0] = truth
        probes.take(answers + noise * rng.normal(size=answers.shape), at)
    return probes.shifts


def test_the_finding_of_a_drift_says_between_which_texts_it_lies(
    changed: tuple[AuditRecord, Path],
) -> None:
    record, _ = changed
    findings: list[Finding] = [f for f in record.findings if f.code == "endpoint.drift"]
    assert "The change lies between text 40 and text 80:" in findings[0].claim
    table = next(t for t in section_of(record).tables if t.title.startswith("Parts of the run"))
    assert [row[0] for row in table.rows][:2] == ["model 1", "model 1 or 2"]
    assert table.rows[0][1:] == (1, 40)
