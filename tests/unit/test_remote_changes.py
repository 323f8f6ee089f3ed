"""A model that changes while it is audited: where, and what becomes of its explanations."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import explain
from explain.adapters.remote import opening
from explain.adapters.remote.canaries import CANARIES, FIRST_ANSWERS, TEXTS_BETWEEN, Canaries
from explain.adapters.remote.pace import Pace
from explain.record import Attribution, AuditRecord, Finding
from tests.helpers.endpoint import LABELS, QUESTIONS, Fault, Reply, Server, no_wait

URL = "http://endpoint.test/x"
WORDS = ["good", "bad", "dull", "lyrical", "work", "awful", "not", "stunning"]
ROWS = [
    {
        "text": " ".join(WORDS[(i * 3 + k * (1 + i % 5)) % 8] + "x" * (i % 7) for k in range(7)),
        "label": LABELS[i % 2],
    }
    for i in range(40)
]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "Pace", partial(Pace, sleep=no_wait))


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
        URL, ROWS, label="label", instances=10, methods=["shap"], budget=128,
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
def _quick() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "Pace", partial(Pace, sleep=no_wait))
        yield


@pytest.fixture(scope="module")
def clean(_quick: None) -> AuditRecord:
    return audited(None)[0]


@pytest.fixture(scope="module")
def renewed(_quick: None) -> AuditRecord:
    """Return the audit of the other weights alone, which may explain other labels."""
    return audited(other_weights(0))[0]


@pytest.mark.parametrize("name", [None, "jev-1.14.0"])
def test_explanations_that_a_change_fell_into_are_made_again_of_the_model_after_it(
    name: str | None, clean: AuditRecord, renewed: AuditRecord, tmp_path: Path
) -> None:
    path = tmp_path / "calls.sqlite"
    record, server = audited(other_weights(700, name=name), calls=path)
    section = section_of(record)
    codes = {finding.code for finding in section.findings}
    assert codes >= {"endpoint.drift" if name is None else "endpoint.model-changed"}
    assert "were made again with the model after it" in section.summary
    old, new = values(clean), values(renewed)
    made = values(record)
    assert made
    shared = [key for key in made if key in new]
    assert len(shared) >= len(made) // 2
    for key in shared:
        assert made[key].values in (old[key].values, new[key].values)
    assert any(made[key].values == new[key].values for key in shared)
    replayed, _ = audited(None, replay=path)
    assert replayed.to_json() == record.to_json()
    again, second = audited(other_weights(0), calls=path)
    assert again.to_json() == record.to_json()
    assert second.requests == 0
    assert server.requests > 700


def test_a_model_that_stays_as_it_is_has_no_explanation_made_again(clean: AuditRecord) -> None:
    assert "made again" not in section_of(clean).summary
    assert not section_of(clean).findings


def test_explanations_of_a_model_that_changes_to_and_fro_are_left_out_and_counted() -> None:
    """Two models behind one address, in turn: none of their explanations is one model's."""
    record, _ = audited(_in_turn)
    assert not values(record)
    lost = [skipped for skipped in record.skipped if skipped.stage == "shap"]
    assert len(lost) == 10
    assert "changed once more" in lost[0].reason
    assert "10 could not be made again and are left out." in section_of(record).summary


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
    canaries, truth = Canaries(), rng.normal(0, 2, CANARIES)
    moved = truth + rng.normal(0, 1, CANARIES) + 0.5
    for number in range(1, 11):
        at = number * TEXTS_BETWEEN
        n = 1 + FIRST_ANSWERS if number == 1 else 1
        odds = moved if at >= change else truth
        answers = np.tile(odds, (n, 1))
        if number == 1:
            answers[0] = truth
        canaries.take(answers + noise * rng.normal(size=answers.shape), at)
    return canaries.shifts


def test_the_finding_of_a_drift_says_between_which_texts_it_lies() -> None:
    record, _ = audited(other_weights(700))
    findings: list[Finding] = [f for f in record.findings if f.code == "endpoint.drift"]
    assert "The change lies between text 500 and text" in findings[0].claim
    table = next(t for t in section_of(record).tables if t.title.startswith("Parts of the run"))
    assert [row[0] for row in table.rows][:2] == ["model 1", "model 1 or model 2"]
    assert table.rows[0][1:] == (1, 500)
