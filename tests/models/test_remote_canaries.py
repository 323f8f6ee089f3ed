"""A model that changes behind its address is seen, and one that is only noisy is not."""

import json
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import explain
from explain.adapters.remote import RemoteClassifier, opening, reading_limit
from explain.adapters.remote.canaries import (
    CANARIES,
    FIRST_ANSWERS,
    MOST_SHIFTS,
    TEXTS_BETWEEN,
    Canaries,
)
from explain.adapters.remote.pace import Pace
from explain.errors import PredictionError
from explain.record import AuditRecord, Section
from tests.helpers.endpoint import LABELS, QUESTIONS, Fault, Reply, Server, no_wait

URL = "http://endpoint.test/x"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "Pace", partial(Pace, sleep=no_wait))


def load(server: Server, **options: Any) -> RemoteClassifier:
    stated = {**QUESTIONS[server.kind], **options}
    model = explain.load(URL, kind=server.kind, transport=server.transport, **stated)
    assert isinstance(model, RemoteClassifier)
    return model


def texts(start: int, n: int) -> list[str]:
    return [f"text {number} is good and {'not ' * (number % 3)}dull" for number in range(start, n)]


def shifted(size: float, of_request: Callable[[int], bool]) -> Fault:
    """Return a fault that adds to the log-odds of the answers of some requests."""

    def fault(server: Server, asked: list[str], reply: Reply) -> Reply:
        if not of_request(server.requests):
            return reply
        answer = json.loads(reply.body)
        named = answer["answers"]["question"]["probabilities"]
        odds = np.log(named["positive"] / named["negative"]) + size
        named["positive"] = float(1 / (1 + np.exp(-odds)))
        named["negative"] = 1 - named["positive"]
        return Reply.of(answer)

    return fault


def run_of(model: RemoteClassifier, n: int) -> None:
    for start in range(0, n, 100):
        model.predict(texts(start, start + 100))


def test_answers_that_shift_under_the_same_name_are_seen_at_the_next_canaries() -> None:
    """Fault 29."""
    server = Server("systemone", fault=shifted(0.5, lambda request: request > 700))
    model = load(server)
    run_of(model, 1_600)
    (shift,) = model.observations().shifts
    assert 700 < shift.after <= 700 + TEXTS_BETWEEN
    assert len(shift.changes) == CANARIES
    assert max(shift.changes) == pytest.approx(0.12, abs=0.02)


def test_a_model_that_stays_as_it_is_raises_no_canary() -> None:
    server = Server("systemone")
    model = load(server)
    run_of(model, 1_600)
    seen = model.observations()
    assert (seen.canary_rounds, seen.shifts, seen.is_mixed) == (3, (), False)
    assert server.requests == 1 + 1_600 + CANARIES * (FIRST_ANSWERS + 2)


def test_answers_of_other_questions_end_the_run_at_the_second_change() -> None:
    """Fault 42: a cache gives the answers of whatever text it likes."""
    rng = np.random.default_rng(0)
    wrong = shifted(4.0, lambda request: request > 700 and rng.random() < 0.5)
    server = Server("systemone", fault=wrong)
    with pytest.raises(PredictionError, match="changed 2 times"):
        run_of(load(server), 5_000)
    assert server.requests < 5 * TEXTS_BETWEEN


def test_short_runs_pay_for_no_canaries() -> None:
    server = Server("systemone")
    run_of(load(server), 400)
    assert server.requests == 401


def test_a_run_that_is_continued_or_replayed_sees_what_the_first_one_saw(tmp_path: Path) -> None:
    server = Server("systemone", fault=shifted(0.5, lambda request: request > 700))
    path = tmp_path / "calls.sqlite"
    model = load(server, calls=path)
    run_of(model, 1_100)
    again = load(server, calls=path)
    asked = server.requests
    run_of(again, 1_100)
    replayed = load(Server("systemone"), replay=path)
    run_of(replayed, 1_100)
    assert model.observations() == again.observations() == replayed.observations()
    assert server.requests == asked
    with sqlite3.connect(path) as base:
        assert base.execute("SELECT count(*) FROM calls").fetchone() == (asked,)


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("decimals", [None, 2])
def test_noise_is_no_change_and_a_change_is_seen_through_noise(
    noise: float, decimals: int | None
) -> None:
    """400 simulated runs of ten rounds: at most 2 % false, and three sigma are always seen."""
    rng = np.random.default_rng(1)
    step = 0.0 if decimals is None else 10.0**-decimals

    def answers(truth: Any, n: int) -> Any:
        shown = truth + noise * rng.normal(size=(n, CANARIES))
        if decimals is None:
            return shown
        p = np.clip(np.round(1 / (1 + np.exp(-shown)), decimals), step / 2, 1 - step / 2)
        return np.log(p / (1 - p))

    def shifts(change: float) -> int:
        canaries, truth = Canaries(), rng.normal(0, 2, CANARIES)
        canaries.take(answers(truth, 1 + FIRST_ANSWERS), TEXTS_BETWEEN, step)
        for number in range(2, 11):
            canaries.take(answers(truth + change * (number > 5), 1), number * TEXTS_BETWEEN, step)
        return len(canaries.shifts)

    false = np.mean([shifts(0.0) > 0 for _ in range(400)])
    found = np.mean([shifts(max(0.5, 4 * noise)) > 0 for _ in range(100)])
    assert false <= 0.02
    assert found >= 0.95


@pytest.mark.parametrize("shares", [[0.999] * 8, [0.999] * 7 + [0.6], [0.99] * 8])
def test_counts_that_were_all_alike_at_first_may_differ_by_chance(shares: list[float]) -> None:
    """60 simulated runs of 20 rounds; a model that answers the opposite is seen at once."""
    rng, samples = np.random.default_rng(0), 20

    def answers(p: Any, n: int) -> Any:
        counts = rng.binomial(samples, p, (n, CANARIES))
        return np.log((counts + 0.5) / (samples - counts + 0.5))

    def shifts(p_after: Any) -> int:
        canaries = Canaries(samples=samples)
        canaries.take(answers(shares, 1 + FIRST_ANSWERS), TEXTS_BETWEEN)
        for number in range(2, 21):
            canaries.take(answers(p_after, 1), number * TEXTS_BETWEEN)
        return len(canaries.shifts)

    assert not any(shifts(shares) for _ in range(60))
    assert all(shifts(1 - np.array(shares)) for _ in range(5))


# ── In the record ─────────────────────────────────────────────────────────────────────────────────


LENGTHS = [f"text {number} is good and {'very ' * (number % 20)}dull" for number in range(60)]


def audited(fault: Fault | None = None, **options: Any) -> tuple[AuditRecord, Section]:
    rows = [{"text": text, "label": LABELS[i % 2]} for i, text in enumerate(LENGTHS)]
    server = Server("systemone", fault=fault)
    record = explain.audit(
        URL, rows, label="label", instances=0, methods=[], checks=["performance"], kind="systemone",
        endpoint={**QUESTIONS["systemone"], "transport": server.transport},
        **options,
    )  # fmt: skip
    (section,) = (section for section in record.sections if section.id == "endpoint")
    return record, section


CRITERION = {"metric": "performance.accuracy", "at_least": 0.99, "gating": True}


def test_the_record_says_how_the_model_was_reached() -> None:
    record, section = audited(criteria=[CRITERION])
    assert "61 distinct texts; 61 got scores" in section.summary
    assert not section.findings
    assert record.criteria[0].verdict == "fail"
    shown = {str(row[0]): row[1] for row in section.tables[0].rows}
    assert shown["what is shown of each label"] == "probabilities"
    assert shown["texts without scores"] == 0
    assert section.tables[1].rows == (("jev-1.13.0", 1, 61),)
    assert AuditRecord.from_json(record.to_json()) == record


def test_a_model_that_changes_its_name_is_a_finding_and_leaves_no_verdict() -> None:
    """Fault 28: it does not end the run."""

    def newer(server: Server, asked: list[str], reply: Reply) -> Reply:
        return (
            Reply(200, reply.body.replace(b"1.13.0", b"1.14.0"), reply.headers)
            if server.requests > 40
            else reply
        )

    record, section = audited(newer, criteria=[CRITERION])
    (finding,) = section.findings
    assert (finding.code, finding.severity) == ("endpoint.model-changed", "critical")
    assert [row[0] for row in section.tables[1].rows] == ["jev-1.13.0", "jev-1.14.0"]
    assert record.criteria[0].verdict == "inconclusive"


def test_texts_that_are_cut_without_a_word_show_in_the_counts_of_the_server() -> None:
    """Fault 36."""

    def counts(server: Server, asked: list[str], reply: Reply) -> Reply:
        answer = json.loads(reply.body)
        answer["usage"]["input_tokens"] = min(79, len(asked[0].split()) + 60)
        return Reply.of(answer)

    _, section = audited(counts)
    assert [finding.code for finding in section.findings] == ["endpoint.truncation"]
    assert section.findings[0].measure is not None
    assert section.findings[0].measure.value == 7 / 20


def test_a_limit_is_told_only_where_counts_stop_to_grow() -> None:
    sizes = [*range(10, 200, 5)]
    assert reading_limit(sizes, [20 + size // 4 for size in sizes]) is None
    assert reading_limit(sizes, [83] * len(sizes)) is None
    assert reading_limit(sizes, [None] * len(sizes)) is None
    limit = reading_limit(sizes, [min(50, 20 + size // 4) for size in sizes])
    assert limit is not None
    assert limit.tokens == 50
    assert [sizes[place] for place in limit.texts] == [size for size in sizes if size >= 120]


def test_labels_that_the_model_had_not_in_mind_are_a_finding() -> None:
    def mass(server: Server, asked: list[str], reply: Reply) -> Reply:
        answer = json.loads(reply.body)
        answer["diagnostics"] = {
            "question": {"label_mass": 5e-12 if "very very" in asked[0] else 0.9}
        }
        return Reply.of(answer)

    _, section = audited(mass)
    (finding,) = section.findings
    assert finding.code == "endpoint.label-mass"
    assert finding.size is not None
    assert 0.7 < finding.size < 0.9
    assert MOST_SHIFTS == 2


@pytest.mark.parametrize("label", [None, "refused"])
def test_the_texts_that_are_refused_are_counted_whether_or_not_that_is_a_label(
    label: str | None,
) -> None:
    def refuses(server: Server, asked: list[str], reply: Reply) -> Reply:
        if "very very very" not in asked[0]:
            return reply
        return Reply.of({"answers": {"question": {"type": "refusal"}}})

    server = Server("systemone", fault=refuses)
    options = {} if label is None else {"other_label": label}
    model = explain.load(
        URL, kind="systemone", transport=server.transport, **QUESTIONS["systemone"], **options
    )
    rows = [{"text": text, "label": LABELS[i % 2]} for i, text in enumerate(LENGTHS)]
    record = explain.audit(
        model, rows, label="label", instances=0, methods=[], checks=["performance"]
    )
    (section,) = (section for section in record.sections if section.id == "endpoint")
    n_refused = sum("very very very" in text for text in LENGTHS)
    shown = {str(row[0]): row[1] for row in section.tables[0].rows}
    assert shown["texts refused or filtered"] == f"{n_refused} of 61"
    assert shown["of these: the endpoint refused to answer"] == n_refused
    assert shown["texts without scores"] == (n_refused if label is None else 0)
