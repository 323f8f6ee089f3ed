"""The log of calls answers what was asked before, and what is spent never exceeds the budget."""

import asyncio
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import explain
from explain.adapters import FunctionClassifier
from explain.adapters.remote import RemoteClassifier, opening
from explain.adapters.remote.budget import Budget, Prices, Spending
from explain.adapters.remote.call_log import CallLog
from explain.adapters.remote.pace import Pace
from explain.engine import Engine
from explain.errors import ConfigurationError, EndpointError, PredictionError, SpentError
from tests.helpers.endpoint import QUESTIONS, Reply, Server, logits_of_words, no_wait
from tests.helpers.endpoint_run import TEXTS as MANY
from tests.helpers.search import seeds
from tests.helpers.wire import Wire, head, serving

TEXTS = [f"text {number} is good and not {word}" for number, word in enumerate("abcdefgh")]
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "Pace", partial(Pace, sleep=no_wait))


def load(server: Server, **options: Any) -> RemoteClassifier:
    model = explain.load(
        "https://endpoint.test/path", kind=server.kind, transport=server.transport,
        **{**QUESTIONS[server.kind], **options},
    )  # fmt: skip
    assert isinstance(model, RemoteClassifier)
    return model


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "calls.sqlite"


@pytest.mark.parametrize("kind", ["systemone", "tei", "chat", "completions"])
def test_what_is_in_the_log_is_not_asked_again(kind: str, path: Path) -> None:
    first = Server(kind)
    scores = load(first, calls=path).predict(TEXTS)
    again = Server(kind)
    model = load(again, calls=path)
    assert model.predict(TEXTS).tobytes() == scores.tobytes()
    assert again.requests == 0
    model.predict(["something new"])
    assert again.requests == 1


@pytest.mark.parametrize("kind", ["systemone", "tei", "chat", "completions"])
@pytest.mark.parametrize("log_texts", ["plain", "hash"])
def test_a_replay_gives_the_same_bytes_and_refuses_to_ask(
    kind: str, log_texts: str, path: Path
) -> None:
    first = Server(kind)
    live = load(first, calls=path, log_texts=log_texts)
    scores = live.predict(TEXTS[:5])
    offline = Server(kind)
    model = load(offline, replay=path, key_env="NO_SUCH_VARIABLE")
    assert model.predict(TEXTS[:5]).tobytes() == scores.tobytes()
    assert model.describe() == live.describe()
    with pytest.raises(
        PredictionError, match=r"has no answer to 1 of 6 texts, first to 'text 5 is"
    ):
        model.predict(TEXTS[:6])
    assert offline.requests == 0


def test_a_copy_of_the_file_alone_holds_all_answers_while_the_model_is_open(
    path: Path, tmp_path: Path
) -> None:
    live = load(Server("systemone"), calls=path)
    for texts in (TEXTS[:5], TEXTS):
        scores = live.predict(texts)
        copied = shutil.copy(path, tmp_path / "copy.sqlite")
        replayed = load(Server("systemone"), replay=copied).predict(texts)
        assert replayed.tobytes() == scores.tobytes()


def test_a_replay_loses_what_the_run_lost(path: Path) -> None:
    def fault(server: Server, texts: list[str], reply: Reply) -> Reply:
        return Reply.of({}, 500) if TEXTS[2] in texts else reply

    rows = load(Server("systemone", fault=fault), calls=path).predict_each(TEXTS)
    assert isinstance(rows[2], PredictionError)
    replayed = load(Server("systemone"), replay=path).predict_each(TEXTS)
    assert [str(row) for row in replayed] == [str(row) for row in rows]
    later = Server("systemone")
    assert isinstance(load(later, calls=path).predict_each(TEXTS)[2], np.ndarray)
    assert later.requests == 1


@pytest.mark.parametrize(
    "change",
    [{"question": "Another one?"}, {"model": "other"}, {"options": ["positive", "negative"]}],
)
def test_another_question_is_another_call(change: dict[str, Any], path: Path) -> None:
    load(Server("systemone"), calls=path).predict(TEXTS)
    server = Server("systemone")
    load(server, calls=path, **change).predict(TEXTS)
    assert server.requests == 1 + len(TEXTS)


def test_one_log_may_hold_the_calls_of_several_models(path: Path) -> None:
    load(Server("systemone"), calls=path).predict(TEXTS)
    other = Server("decisions")
    assert load(other, calls=path).describe().facts["model that answered"] == "gpt-6-luna"
    again = load(Server("systemone"), calls=path)
    assert again.describe().facts["model that answered"] == "jev-1.13.0"
    again.predict(["something new"])


def test_another_model_after_a_resumption_is_told_and_a_third_one_ends_all(path: Path) -> None:
    load(Server("systemone"), calls=path).predict(TEXTS)
    newer = Server("systemone")
    newer.fault = lambda s, t, reply: Reply(200, reply.body.replace(b"1.13.0", b"1.14.0"))
    model = load(newer, calls=path)
    model.predict([*TEXTS, "something new"])
    first, second = model.observations().models
    assert (first.name, first.texts) == ("jev-1.13.0", len(TEXTS) + 1)
    assert (second.name, second.first, second.texts) == ("jev-1.14.0", len(TEXTS) + 2, 1)
    newer.fault = lambda s, t, reply: Reply(200, reply.body.replace(b"1.13.0", b"1.15.0"))
    with pytest.raises(PredictionError, match=r"'jev-1.13.0', 'jev-1.14.0', 'jev-1.15.0'"):
        model.predict(["something else"])


def test_a_text_that_is_refused_first_after_a_resumption_is_lost_as_in_the_first_run(
    path: Path,
) -> None:
    load(Server("systemone"), calls=path).predict(TEXTS)
    refuses = Server(
        "systemone", fault=lambda s, t, r: Reply.of({"error": "empty"}, 400) if t == [""] else r
    )
    model = load(refuses, calls=path)
    empty, new = model.predict_each(["", "something new"])
    assert isinstance(empty, PredictionError)
    assert isinstance(new, np.ndarray)
    assert model.end_error is None


def test_repeats_go_past_the_log_and_are_in_it(path: Path) -> None:
    server = Server("systemone")
    model = load(server, calls=path)
    for _ in range(3):
        Engine(model).score_again(TEXTS)
    assert server.paid[TEXTS[0]] == 3
    again = Server("systemone")
    for _ in range(3):
        Engine(load(again, calls=path)).score_again(TEXTS)
    assert again.requests == 0


def test_the_log_is_for_its_owner_only(path: Path) -> None:
    load(Server("tei"), calls=path).predict(TEXTS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for beside in path.parent.iterdir():
        assert stat.S_IMODE(beside.stat().st_mode) == 0o600


def test_a_log_of_hashes_holds_no_text(path: Path) -> None:
    for log_texts, held in (("plain", len(TEXTS) + 1), ("hash", 0)):
        own = path.with_name(log_texts)
        load(Server("systemone"), calls=own, log_texts=log_texts).predict(TEXTS)
        base = sqlite3.connect(own)
        [[count]] = base.execute("SELECT count(*) FROM calls WHERE request IS NOT NULL")
        base.close()
        assert count == held


def test_a_file_that_is_no_log_is_refused_and_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("hello\n" * 1000)
    with pytest.raises(ConfigurationError, match="no log of calls"):
        CallLog(other)
    base = sqlite3.connect(tmp_path / "other.sqlite")
    base.execute("CREATE TABLE mine (x)")
    base.commit()
    base.close()
    with pytest.raises(ConfigurationError, match="version 0, expected 1"):
        CallLog(tmp_path / "other.sqlite")
    with pytest.raises(ConfigurationError, match="no log of calls"):
        CallLog(tmp_path / "missing.sqlite", replay=True)
    assert other.read_text() == "hello\n" * 1000
    assert not (tmp_path / "missing.sqlite").exists()


# ── Attributions and the engine ───────────────────────────────────────────────────────────────────


def test_a_bad_text_among_many_costs_one_call_in_the_engine_too() -> None:
    def fault(server: Server, texts: list[str], reply: Reply) -> Reply:
        return (
            Reply.of({"error": {"message": "context length"}}, 400) if TEXTS[3] in texts else reply
        )

    server = Server("systemone", fault=fault)
    rows = Engine(load(server)).score(TEXTS)
    assert [isinstance(row, PredictionError) for row in rows] == [place == 3 for place in range(8)]
    assert server.requests == 1 + len(TEXTS)


def test_a_log_that_cannot_be_written_loses_texts_and_not_the_audit(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    model = load(Server("systemone"), calls=path)
    monkeypatch.setattr(CallLog, "begin", full)
    rows = Engine(model).score(TEXTS)
    assert all("disk is full" in str(row) for row in rows)


@pytest.mark.parametrize("kind", ["systemone", "decisions", "tei", "vllm-classify", "chat", "json"])
def test_attributions_over_http_are_those_of_the_local_model(kind: str) -> None:
    local = FunctionClassifier(
        lambda texts: np.array([logits_of_words(text) for text in texts]),
        ["negative", "positive"],
        output="scores",
    )
    text = "not a good , stunning and lyrical but dull work"
    here = explain.attribute(local, text, method="shap", target="positive")
    there = explain.attribute(load(Server(kind)), text, method="shap", target="positive")
    np.testing.assert_allclose(there.values, here.values, atol=1e-5)


# ── Budget ────────────────────────────────────────────────────────────────────────────────────────


def spent_at_every_prefix(path: Path) -> list[Spending]:
    base = sqlite3.connect(path)
    rows = base.execute("SELECT tokens, cost FROM calls ORDER BY id").fetchall()
    base.close()
    sums, total = [], Spending()
    for tokens, cost in rows:
        total += Spending(1, tokens, cost)
        sums.append(total)
    return sums


@pytest.mark.parametrize("seed", seeds(20, 6))
@pytest.mark.parametrize(
    "limit", [{"max_calls": 40}, {"max_tokens": 6_000}, {"max_cost": 0.01}], ids=str
)
def test_no_more_is_spent_than_allowed_at_any_prefix(
    seed: int, limit: dict[str, Any], path: Path
) -> None:
    chance = random.Random(seed)

    def fault(server: Server, texts: list[str], reply: Reply) -> Reply:
        return Reply.of({}, chance.choice([429, 500])) if chance.random() < 0.1 else reply

    server = Server("systemone", fault=fault)

    async def delay() -> None:
        await asyncio.sleep(chance.random() * 1e-3)

    server.delay = delay
    budget = {"price_in": 2.0, "price_out": 4.0, **limit}
    model = load(server, calls=path, concurrency=16, **budget)
    rows = model.predict_each([f"some text of number {number}" for number in range(200)])
    answered = [row for row in rows if not isinstance(row, PredictionError)]
    assert isinstance(model.end_error, SpentError)
    assert "is spent" in str(rows[-1])
    sums = spent_at_every_prefix(path)
    assert all(total.calls <= limit.get("max_calls", 1e9) for total in sums)
    assert all(total.tokens <= limit.get("max_tokens", 1e9) for total in sums)
    assert all(total.cost <= limit.get("max_cost", 1e9) + 1e-12 for total in sums)
    assert server.requests == len(sums)
    assert 1 + len(answered) == server.paid.total()
    assert len(answered) > 15
    # What the log holds is spent for the same command, too.
    load(Server("systemone"), calls=path, **budget).predict_each(["another text"])
    total = spent_at_every_prefix(path)[-1]
    assert total.calls <= limit.get("max_calls", 1e9)
    assert total.tokens <= limit.get("max_tokens", 1e9)
    assert total.cost <= limit.get("max_cost", 1e9) + 1e-12


def test_a_budget_that_is_too_small_for_the_first_text_says_so() -> None:
    server = Server("systemone")
    with pytest.raises(SpentError, match="the budget of 0 calls is spent"):
        load(server, max_calls=0)
    assert server.requests == 0


def test_usage_that_is_not_stated_is_counted_by_the_bytes_sent(path: Path) -> None:
    load(Server("tei"), calls=path).predict(TEXTS)
    total = spent_at_every_prefix(path)[-1]
    assert total.tokens > sum(map(len, TEXTS))


def test_reserved_is_what_is_settled() -> None:
    budget = Budget(calls=2, tokens=100, cost=1.0, prices=Prices(1000.0, 10_000.0))
    most = budget.price(50, 10)
    assert most == Spending(1, 60, 0.15)
    assert budget.fits(most)
    budget.reserve(most)
    assert not budget.fits(most)
    budget.book_cost(most, budget.price(5, 1))
    assert budget.spent.tokens == 6
    assert budget.spent.cost == pytest.approx(0.015)
    assert budget.fits(budget.price(50, 10))


# ── Killed ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", seeds(20, 2))
def test_a_run_that_was_killed_goes_on_and_pays_nothing_twice(seed: int, path: Path) -> None:
    answered: Counter[str] = Counter()
    model = Server("systemone")

    async def script(wire: Wire, writer: asyncio.StreamWriter) -> None:
        asked = wire.bodies[-1]
        await asyncio.sleep(0.004)
        body = model.reply(asked).body
        writer.write(head(f"200 OK\r\nContent-Length: {len(body)}") + body)
        answered[asked["state"]] += 1

    with serving(script) as wire:
        command = [sys.executable, "-m", "tests.helpers.endpoint_run", wire.url, str(path)]
        run = partial(subprocess.Popen, command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        killed = run()
        when = random.Random(seed).randrange(1, len(MANY))
        while answered.total() < when and killed.poll() is None:
            time.sleep(1e-3)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        time.sleep(0.1)
        before = answered.copy()
        logged = logged_answers(path)
        finished = run()
        output, _ = finished.communicate(timeout=120)
    assert finished.returncode == 0
    assert before.total() < len(MANY) + 1
    clean = load(Server("systemone"))
    assert output.splitlines() == [
        str([score.hex() for score in row.tolist()]) for row in clean.predict(MANY)
    ]
    # What was on its way to the run when it was killed is all that is asked again.
    twice = answered.total() - len(MANY) - 1
    assert max(answered.values()) <= 2
    assert twice == before.total() - logged <= 8


def logged_answers(path: Path) -> int:
    base = sqlite3.connect(path)
    [[count]] = base.execute("SELECT count(*) FROM calls WHERE outcome = 'answered'")
    base.close()
    return int(count)


def test_a_signal_stops_the_calls_and_leaves_a_good_log(path: Path) -> None:
    server = Server("systemone")

    sent: list[int] = []

    async def delay() -> None:
        await asyncio.sleep(0.01)
        if server.requests >= 20 and not sent:
            sent.append(signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    server.delay = delay
    model = load(server, calls=path)
    with pytest.raises(KeyboardInterrupt):
        model.predict(MANY)
    asked = server.requests
    again = Server("systemone")
    load(again, calls=path).predict(MANY)
    assert asked < 60
    assert again.requests + asked <= len(MANY) + 1 + 16


def test_an_endpoint_error_is_raised_where_a_model_cannot_be_loaded() -> None:
    with pytest.raises(EndpointError, match="gives no answer to a first text"):
        load(Server("systemone", fault=lambda s, t, r: Reply.of({}, 424)))
