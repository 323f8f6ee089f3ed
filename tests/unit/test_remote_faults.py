"""What a server does wrong, and what it leads to: a clean result, a lost text, or the end.

The numbers are those of the table of faults that the endpoints were built by.
"""

import base64
import json
import sqlite3
import zlib
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

import explain
from explain.adapters.remote import RemoteClassifier, opening
from explain.adapters.remote.asking import GIVE_UP
from explain.adapters.remote.call_log import _unpacked
from explain.adapters.remote.pace import Pace
from explain.errors import EndpointError, ExplainError, PredictionError
from tests.helpers.endpoint import (
    QUESTIONS,
    Fault,
    Reply,
    Server,
    in_turn,
    logits_of_words,
    no_wait,
)

TEXTS = [f"text {number} is good and not {word}" for number, word in enumerate("abcdefgh")]
KEY = "sk-Zq9fake+key/0123456789=="


class Clock:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await no_wait(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Make all waiting cost nothing, and tell how long it would have been."""
    own = Clock()
    monkeypatch.setattr(opening, "Pace", partial(Pace, sleep=own.sleep, clock=own))
    return own


def load(server: Server, **options: Any) -> RemoteClassifier:
    question = dict(QUESTIONS[server.kind])
    model = explain.load(
        "https://endpoint.test/path", kind=server.kind, transport=server.transport,
        **question | options,
    )  # fmt: skip
    assert isinstance(model, RemoteClassifier)
    return model


def status(code: int, content: Any = None, **headers: str) -> Fault:
    """Return a fault that is a status with JSON."""
    return lambda server, texts, reply: Reply.of(
        content or {"error": {"message": "no"}}, code, **headers
    )


def raw(body: bytes, kind: str = "application/json", code: int = 200) -> Fault:
    """Return a fault that is some bytes."""
    return lambda server, texts, reply: Reply(code, body, {"content-type": kind})


def changed(change: Callable[[Any], Any]) -> Fault:
    """Return a fault that changes the answer."""
    return lambda server, texts, reply: Reply.of(change(json.loads(reply.body)))


def after_first(*faults: Fault | None) -> Fault:
    """Return faults for the requests that follow the first text."""
    return in_turn([None, *faults])


def on(text: str, fault: Fault) -> Fault:
    """Return a fault that any request with one text has."""
    return lambda server, texts, reply: fault(server, texts, reply) if text in texts else reply


def first_only(fault: Fault, text: str = TEXTS[3]) -> Fault:
    """Return a fault that the first request with a text has."""
    seen: list[str] = []

    def once(server: Server, texts: list[str], reply: Reply) -> Reply:
        if text in texts and not seen:
            seen.append(text)
            return fault(server, texts, reply)
        return reply

    return once


HTML = "<html><body>502 Bad Gateway</body></html>"

TRANSIENT: dict[str, Fault] = {
    "1: 429 with Retry-After": status(429, retry_after="2"),
    "2: 429 without": status(429),
    "2: 429 in milliseconds": status(429, retry_after_ms="250"),
    "4: Retry-After -5": status(429, retry_after="-5"),
    "4: Retry-After soon": status(429, retry_after="soon"),
    "4: Retry-After in the past": status(
        429, retry_after="Wed, 21 Oct 2015 07:28:00 GMT", date="Wed, 21 Oct 2026 07:28:00 GMT"
    ),
    "39: a clock that is wrong": status(
        429, retry_after="Thu, 01 Jan 1970 00:00:09 GMT", date="Thu, 01 Jan 1970 00:00:05 GMT"
    ),
    "6: 500": status(500),
    "6: 502 as a page": raw(HTML.encode(), "text/html", 502),
    "6: 504 as a page": raw(HTML.encode(), "text/html", 504),
    "6: 529": status(529),
    "7: 408": status(408),
    "7: 409": status(409),
    "7: 425": status(425),
    "12: 424": status(424),
    "17: half a body": lambda server, texts, reply: Reply(200, reply.body[:-20], reply.headers),
    "20: an error in a 200": status(200, {"error": {"code": 503, "message": "busy"}}),
    "21: no answers": changed(lambda answer: {**answer, "answers": {}}),
    "21: no probabilities": changed(
        lambda answer: {**answer, "answers": {"question": {"probabilities": None}}}
    ),
    "32: UTF-16 that is not said": lambda server, texts, reply: Reply(
        200, reply.body.decode().encode("utf-16"), reply.headers
    ),
}


@pytest.mark.parametrize("name", sorted(TRANSIENT))
def test_what_passes_leaves_the_scores_of_a_clean_run(name: str, clock: Clock) -> None:
    clean = load(Server("systemone")).predict(TEXTS)
    server = Server("systemone", fault=first_only(TRANSIENT[name]))
    scores = load(server).predict(TEXTS)
    assert scores.tobytes() == clean.tobytes()
    assert server.requests == 1 + len(TEXTS) + 1
    assert clock.now < 10


FATAL: dict[str, tuple[Fault, str]] = {
    "3: no quota": (
        status(429, {"error": {"type": "insufficient_quota", "message": "pay"}}),
        "has to be paid",
    ),
    "4: an hour": (status(429, retry_after="3600"), "asks to wait for 3,600 s"),
    "9: 404": (status(404, {"detail": "no such model"}), "404: no such model"),
    "9: 405": (status(405), "answers 405"),
    "9: 410": (status(410), "answers 410"),
    "9: 415": (status(415), "answers 415"),
    "9: 501": (status(501), "does not offer that kind"),
    "10: 401": (status(401), "refuses the key or the account"),
    "10: 403": (status(403), "refuses the key or the account"),
    "15: redirect": (
        status(307, location="https://elsewhere.test/x?key=abc"),
        "endpoint.test redirects to https://elsewhere.test/x, which is not followed",
    ),
    "20: an error in a 200": (
        status(200, {"error": {"code": 401, "message": "who?"}}),
        "refuses the key",
    ),
    "24: other labels": (
        changed(
            lambda answer: {
                **answer, "answers": {"question": {"probabilities": {"Negative": 1, "positive": 0}}}
            }
        ),
        r"labels \['Negative', 'positive'\], expected \['negative', 'positive'\]",
    ),
    "46: a page": (raw(b"<html>Log in</html>", "text/html"), "is this a proxy?"),
}  # fmt: skip


UNFIT: dict[str, tuple[Fault, str]] = {
    "9: 400": (status(400, {"error": {"message": "unknown field"}}), "400: unknown field"),
    "12: 422": (
        status(422, {"detail": [{"loc": ["body", "questions"], "msg": "too short"}]}),
        "422: body.questions: too short",
    ),
}


@pytest.mark.parametrize("name", sorted(UNFIT))
def test_a_request_that_is_refused_is_due_to_its_text_if_others_are_answered(
    name: str, clock: Clock
) -> None:
    fault, reason = UNFIT[name]
    model = load(Server("systemone", fault=on(TEXTS[3], fault)))
    rows = model.predict_each(TEXTS)
    assert [isinstance(row, PredictionError) for row in rows] == [place == 3 for place in range(8)]
    with pytest.raises(PredictionError, match=reason):
        model.predict(TEXTS)
    always = Server("systemone", fault=after_first(*[fault] * 1000))
    rows = load(always).predict_each([f"text {number}" for number in range(1000)])
    assert always.requests < 100
    assert all(isinstance(row, PredictionError) for row in rows)


@pytest.mark.parametrize("name", sorted(FATAL))
def test_what_cannot_pass_ends_all_in_one_line(name: str, clock: Clock, tmp_path: Path) -> None:
    fault, reason = FATAL[name]
    server = Server("systemone", fault=after_first(*[fault] * 100))
    model = load(server, calls=tmp_path / "calls.sqlite", concurrency=1)
    rows = model.predict_each(TEXTS)
    assert all(isinstance(row, PredictionError) for row in rows)
    with pytest.raises(PredictionError, match=reason) as caught:
        model.predict(TEXTS)
    assert "\n" not in str(caught.value)
    assert "abc" not in str(caught.value)
    assert server.requests == 2
    assert (tmp_path / "calls.sqlite").stat().st_size > 0


@pytest.mark.parametrize("name", sorted({*FATAL, *UNFIT}))
def test_what_cannot_pass_at_the_first_text_is_an_error_of_loading(name: str, clock: Clock) -> None:
    fault, reason = {**FATAL, **UNFIT}[name]
    with pytest.raises(EndpointError, match=reason):
        load(Server("systemone", fault=fault))


LOST: dict[str, tuple[Fault, str, int]] = {
    "8: 400 that is too long": (
        status(400, {"error": {"code": 400, "type": "exceed_context_size_error", "n_ctx": 1024}}),
        "longer than the model reads",
        1,
    ),
    "11: 413": (status(413), "longer than the model reads", 1),
    "12: 424 for good": (status(424), "answers 424", 5),
    "17: half a body for good": (raw(b'{"answers": {'), "no whole JSON", 2),
    "21: nothing for good": (changed(lambda a: {**a, "answers": {}}), "cannot be read", 2),
    "22: refusal": (
        changed(lambda a: {**a, "answers": {"question": {"type": "refusal"}}}),
        "refused to answer",
        1,
    ),
    "23: filter": (
        status(400, {"error": {"code": "content_filter", "message": "blocked"}}),
        "a filter of the endpoint",
        1,
    ),
    "27: NaN": (
        raw(b'{"answers": {"question": {"probabilities": {"negative": NaN, "positive": 1}}}}'),
        "not finite",
        1,
    ),
    "27: 1e400": (
        raw(b'{"answers": {"question": {"probabilities": {"negative": 1e400, "positive": 0}}}}'),
        "not finite",
        1,
    ),
    "27: negative": (
        raw(b'{"answers": {"question": {"probabilities": {"negative": -0.5, "positive": 1.5}}}}'),
        "where probabilities were expected",
        1,
    ),
    "32: latin-1 that is not said": (raw('{"é": 1}'.encode("latin-1")), "encoding", 2),
    "33: a key twice": (raw(b'{"answers": 1, "answers": 2}'), "has a key twice", 1),
    "33: 30,000 levels": (raw(b"[" * 30_000 + b"]" * 30_000), "nested too deep", 1),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(LOST))
def test_what_concerns_one_text_loses_no_other(name: str, clock: Clock) -> None:
    fault, reason, requests = LOST[name]
    server = Server("systemone", fault=on(TEXTS[3], fault))
    model = load(server)
    rows = model.predict_each(TEXTS)
    assert reason in str(rows[3])
    assert isinstance(rows[3], PredictionError)
    clean = load(Server("systemone")).predict(TEXTS)
    for place in {*range(len(TEXTS))} - {3}:
        assert np.array_equal(rows[place], clean[place])
    assert server.requests == 1 + len(TEXTS) - 1 + requests
    model.predict_each(TEXTS)
    assert server.requests == 1 + len(TEXTS) - 1 + requests


@pytest.mark.parametrize(
    "fault",
    [
        status(400, {"error": {"message": "maximum context length is 512 tokens"}}),
        status(413),
        changed(lambda rows: rows[:-1]),
        changed(lambda rows: [*rows, rows[0]]),
    ],
    ids=["8: too long", "11: too large", "30: fewer rows", "30: more rows"],
)
def test_a_bad_text_never_makes_its_batch_be_paid_again(fault: Fault, clock: Clock) -> None:
    texts = [f"text {number}" for number in range(32)]
    server = Server("tei", fault=on(texts[7], fault))
    model = load(server)
    rows = model.predict_each(texts)
    lost = [place for place, row in enumerate(rows) if isinstance(row, PredictionError)]
    assert lost == [7]
    truth = np.array([logits_of_words(text) for text in texts])
    answered = np.array([row for row in rows if not isinstance(row, PredictionError)])
    assert np.array_equal(answered, np.delete(truth, 7, axis=0))
    paid = server.paid - server.paid.__class__({texts[7]: 100})
    asked_as_a_batch = fault(server, texts, Reply.of([1])).status == 200
    assert max(paid.values()) == (2 if asked_as_a_batch else 1)


def test_an_item_in_error_loses_its_text_and_no_other_is_asked_again(clock: Clock) -> None:
    """Fault 44."""

    def half(rows: Any) -> Any:
        return [{"error": "backend"} if place % 2 else row for place, row in enumerate(rows)]

    texts = [f"text {number}" for number in range(32)]
    server = Server("tei", fault=after_first(*[changed(half)] * 9))
    rows = load(server).predict_each(texts)
    assert [isinstance(row, PredictionError) for row in rows] == [False, True] * 16
    assert "the endpoint failed on it: backend" in str(rows[1])
    assert server.requests == 2


def test_a_batch_that_is_too_large_is_halved_and_the_size_remembered(clock: Clock) -> None:
    sizes: list[int] = []

    def small(server: Server, texts: list[str], reply: Reply) -> Reply:
        sizes.append(len(texts))
        return status(413)(server, texts, reply) if len(texts) > 8 else reply

    model = load(Server("tei", fault=small), concurrency=1)
    for start in (0, 100):
        model.predict([f"text {number}" for number in range(start, start + 64)])
    assert sizes[-8:] == [8] * 8
    assert sum(size > 8 for size in sizes) <= 4


def test_scores_that_are_no_probabilities_end_all_after_three_texts(clock: Clock) -> None:
    wrong = changed(
        lambda a: {
            **a,
            "answers": {"question": {"probabilities": {"negative": 0.9, "positive": 0.4}}},
        }
    )
    model = load(Server("systemone", fault=wrong))
    rows = model.predict_each(TEXTS)
    assert all("not to 1" in str(row) for row in rows)
    with pytest.raises(PredictionError, match="are these scores"):
        model.predict(TEXTS)


def test_probabilities_of_two_decimals_may_miss_one_by_half_a_step_a_label(clock: Clock) -> None:
    labels = [f"label {letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    rounded = {label: 0.04 if place < 19 else 0.03 for place, label in enumerate(labels)}
    answer = {"model": "m", "answers": {"question": {"probabilities": rounded}}}
    server = Server("systemone", fault=lambda s, t, r: Reply.of(answer))
    server.model = lambda text: np.zeros(26)
    scores = load(server, options=labels).predict(["a"])
    assert sum(rounded.values()) == pytest.approx(0.97)
    np.testing.assert_allclose(scores[0], np.log([*rounded.values()]))


def test_a_server_that_loads_is_waited_for_and_then_given_up(clock: Clock) -> None:
    loading = status(503, {"error": {"message": "Loading model", "code": 503}})
    load(Server("systemone", fault=in_turn([loading] * 25))).predict(TEXTS)
    assert 45 < clock.now < 60
    never_ready = Server("systemone", fault=loading)
    with pytest.raises(EndpointError, match=r"Loading model, for 120 s: it is not ready"):
        load(never_ready)
    assert clock.now < 200
    assert never_ready.requests < 100


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_server_that_died_is_given_up_within_a_hundred_calls(code: int, clock: Clock) -> None:
    dead = status(code)
    server = Server("systemone", fault=lambda s, t, r: dead(s, t, r) if s.requests > 9 else r)
    model = load(server)
    model.predict(TEXTS)
    many = [f"other {number}" for number in range(1000)]
    rows = model.predict_each(many)
    assert all("given up" in str(row) for row in rows[-500:])
    assert server.requests < 9 + 100
    assert GIVE_UP <= 100


@pytest.mark.parametrize("last", [1, 2, 3, 5, 8, 13])
def test_a_server_that_names_its_labels_and_dies_is_not_taken_for_one_that_starts(
    last: int, clock: Clock
) -> None:
    dead = status(503)
    server = Server("tei", fault=lambda s, t, r: dead(s, t, r) if s.requests > last else r)
    model = load(server, batch=1)
    rows = model.predict_each([f"other {number}" for number in range(1000)])
    assert "given up" in str(rows[-1])
    assert server.requests <= last + 100


def test_retry_after_holds_the_whole_host_back(clock: Clock) -> None:
    started: list[float] = []

    def limited(server: Server, texts: list[str], reply: Reply) -> Reply:
        started.append(clock.now)
        return (
            status(429, retry_after="30")(server, texts, reply) if server.requests == 6 else reply
        )

    load(Server("systemone", fault=limited)).predict([f"text {n}" for n in range(64)])
    gap = max(b - a for a, b in pairwise(started))
    assert gap == pytest.approx(30)
    assert sum(30 > start > 0 for start in started) == 0


def test_concurrency_grows_while_all_is_well_and_halves_when_it_is_not(clock: Clock) -> None:
    pace = Pace(16, clock.sleep, clock)
    assert pace.limit == 4
    for _ in range(300):
        pace.succeeded(0.02)
    assert pace.limit == 16
    clock.now = 1.0
    assert pace.slow_down(started=0.5)
    assert not pace.slow_down(started=0.6)  # It ran beside the first.
    assert pace.limit == 8
    for _ in range(9):
        clock.now += 1
        pace.slow_down(clock.now)
    assert pace.limit == 1


def test_no_more_requests_run_at_once_than_were_allowed(clock: Clock) -> None:
    server = Server("systemone")
    server.delay = partial(no_wait, 0.0)
    load(server, concurrency=5).predict([f"text {n}" for n in range(100)])
    assert server.most_at_once == 5


def forms(key: str) -> list[bytes]:
    """Return a key as it could be written."""
    encoded = [
        base64.b64encode(key.encode()).decode(),
        base64.b64encode(f":{key}".encode()).decode(),
    ]
    return [form.encode() for form in (key, quote(key), quote(key, safe=""), *encoded, key[:8])]


@pytest.mark.parametrize("code", [200, 400, 401, 429, 500])
def test_the_key_is_in_no_byte_that_leaves(
    code: int, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENDPOINT_PASSPHRASE_OF_TEST", KEY)
    log = tmp_path / "calls.sqlite"
    echoed = [form.decode() for form in forms(KEY)]

    def echo(server: Server, texts: list[str], reply: Reply) -> Reply:
        assert server.headers[-1]["authorization"] == f"Bearer {KEY}"
        if code == 200:
            good = Reply.of(
                {**json.loads(reply.body), "you": echoed, "model": KEY}, x_request_id=KEY
            )
            good.body = good.body.replace(b'"sk-', b'"\\u0073k-')  # As JSON may write it.
            return good
        return Reply.of({"error": {"message": " ".join(["wrong key", *echoed])}}, code, x_key=KEY)

    said = ""
    try:
        model = load(
            Server("systemone", fault=echo), calls=log, key_env="ENDPOINT_PASSPHRASE_OF_TEST"
        )
        model.predict(TEXTS)
        said = repr(vars(model)) + str(model.describe())
    except ExplainError as error:
        said = repr(error) + str(error)
    base = sqlite3.connect(log)
    cells = [cell for row in base.execute("SELECT * FROM calls") for cell in row]
    base.close()
    unpacked = [
        _unpacked(cell) if isinstance(cell, bytes) else str(cell).encode() for cell in cells
    ]
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    everything = b"\n".join([said.encode(), written, *unpacked])
    assert unpacked
    assert not [form for form in forms(KEY) if form in everything]


def test_no_cookie_is_kept(clock: Clock) -> None:
    server = Server("systemone")
    server.fault = lambda s, t, reply: Reply(
        200, reply.body, {**reply.headers, "set-cookie": "a=b"}
    )
    load(server, concurrency=1).predict(TEXTS)
    assert not [headers for headers in server.headers if "cookie" in headers]


def test_a_body_that_is_packed_without_being_asked_is_read_up_to_the_limit(clock: Clock) -> None:
    def packed(server: Server, texts: list[str], reply: Reply) -> Reply:
        body = reply.body if TEXTS[0] not in texts else b" " * 10**8
        worker = zlib.compressobj(wbits=31)
        bomb = worker.compress(body) + worker.flush()
        return Reply(200, bomb, {**reply.headers, "content-encoding": "gzip"})

    rows = load(Server("systemone", fault=packed)).predict_each(TEXTS)
    assert "larger than" in str(rows[0])
    assert isinstance(rows[1], np.ndarray)


def test_the_label_mass_is_told_of_each_text_without_another_call(clock: Clock) -> None:
    server = Server("sglang-decisions")
    model = load(server)
    model.predict(TEXTS)
    asked = server.requests
    assert model.label_mass(TEXTS) == [0.8] * len(TEXTS)
    assert model.channel == "probabilities"
    assert server.requests == asked
    assert load(Server("systemone")).label_mass(TEXTS) == [None] * len(TEXTS)


def test_a_pair_that_has_no_place_in_the_question_loses_no_text(clock: Clock) -> None:
    server = Server("decisions")
    rows = load(server).predict_each([TEXTS[0], ("a", "b"), TEXTS[1]])
    assert [isinstance(row, PredictionError) for row in rows] == [False, True, False]
    assert "reads no pairs" in str(rows[1])


def test_decimals_that_are_stated_cap_the_log_odds(clock: Clock) -> None:
    def rounded(answer: Any) -> Any:
        named = answer["answers"]["question"]["probabilities"]
        answer["answers"]["question"]["probabilities"] = {k: round(p, 2) for k, p in named.items()}
        return answer

    model = load(Server("systemone", fault=changed(rounded)), decimals=2)
    text = "stunning good good good good good lyrical stunning stunning work"
    said = explain.attribute(model, text, method="occlusion", target="positive")
    assert said.target.decimals == 2
    assert said.full_value == pytest.approx(np.log(0.995 / 0.005))
