"""What servers do wrong beyond the table of faults: a right result, or one line."""

import json
import socketserver
from collections.abc import Callable
from threading import Thread
from typing import Any

import numpy as np
import pytest

import explain
from explain.adapters.remote import RemoteClassifier
from explain.adapters.remote.asking import GIVE_UP
from explain.errors import EndpointError, PredictionError
from tests.helpers.endpoint import QUESTIONS, Fault, Reply, Server, in_turn, often_tested

TEXTS = [f"text {number} is good and not {word}" for number, word in enumerate("abcdefgh")]
MANY = [f"text number {number} is good" for number in range(400)]
JSON = "application/json"


@pytest.fixture(autouse=True)
def _no_waiting() -> Any:
    with often_tested(10_000):
        yield


def load(server: Server) -> RemoteClassifier:
    model = explain.load(
        "https://endpoint.test/path",
        kind="systemone",
        transport=server.transport,
        **QUESTIONS["systemone"],
    )
    assert isinstance(model, RemoteClassifier)
    return model


def sent(change: Callable[[bytes], bytes], kind: str = JSON, code: int = 200, **more: str) -> Fault:
    """Return a fault that sends other bytes or headers."""
    headers = {"content-type": kind, **{name.replace("_", "-"): v for name, v in more.items()}}
    return lambda server, texts, reply: Reply(code, change(reply.body), headers)


def same(body: bytes) -> bytes:
    return body


def updated(**fields: Any) -> Fault:
    return lambda server, texts, reply: Reply.of({**json.loads(reply.body), **fields})


def with_probabilities(change: Callable[[dict[str, float]], Any]) -> Fault:
    def fault(server: Server, texts: list[str], reply: Reply) -> Reply:
        answer = json.loads(reply.body)
        given = answer["answers"]["question"]
        changed = {"probabilities": change(given["probabilities"])}
        return Reply.of({**answer, "answers": {"question": changed}})

    return fault


HARMLESS: dict[str, Fault] = {
    "said to be packed": sent(same, content_encoding="gzip"),
    "said to be packed in an unknown way": sent(same, content_encoding="br"),
    "a mark of byte order beside its encoding": sent(
        lambda body: b"\xef\xbb\xbf" + body, "application/json; charset=utf-8"
    ),
    "an encoding that does not exist": sent(same, "application/json; charset=utf8mb4"),
    "an encoding of Python": sent(same, "application/json; charset=base64"),
    "UTF-16 that is said": sent(
        lambda body: body.decode().encode("utf-16"), "application/json; charset=utf-16"
    ),
    "created": sent(same, code=201),
    "more tokens than any integer of the log": updated(
        usage={"input_tokens": 2**70, "output_tokens": 2**70}
    ),
    "half a surrogate pair": updated(model="jev-1.13.0", system_fingerprint="\ud800"),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_does_no_harm_leaves_the_scores_of_a_clean_run(name: str) -> None:
    server = Server("systemone", fault=HARMLESS[name])
    scores = load(server).predict(TEXTS)
    assert scores.tobytes() == load(Server("systemone")).predict(TEXTS).tobytes()
    assert server.requests == 1 + len(TEXTS)


@pytest.mark.parametrize("code", [202, 204, 205, 206, 226])
def test_an_answer_without_its_body_is_asked_for_again(code: int) -> None:
    fault = in_turn([None, None, sent(lambda body: body[:40] * (code == 206), code=code)])
    server = Server("systemone", fault=fault)
    scores = load(server).predict(TEXTS)
    assert scores.tobytes() == load(Server("systemone")).predict(TEXTS).tobytes()
    assert server.requests == 1 + len(TEXTS) + 1


USELESS: dict[str, tuple[Fault, str]] = {
    "no body": (sent(lambda body: b"", code=204), "no whole JSON"),
    "a key twice": (sent(lambda body: b'{"a": 1, "a": 2}'), "a key twice"),
    "words for numbers": (
        with_probabilities(lambda p: {label: str(value) for label, value in p.items()}),
        "not finite numbers",
    ),
    "a list of numbers": (with_probabilities(lambda p: [*p.values()]), "has no probabilities"),
    "another value": (sent(lambda body: b"12"), "has no answers"),
    "a stream": (sent(lambda body: b"data: " + body, "text/event-stream"), "no whole JSON"),
    "without end": (sent(lambda body: body + b" " * 10**6), "larger than"),
}


@pytest.mark.parametrize("name", USELESS)
def test_answers_that_nobody_can_use_end_all_within_a_hundred_calls(name: str) -> None:
    fault, reason = USELESS[name]
    with pytest.raises(EndpointError, match=f"gives no answer to a first text: .*{reason}"):
        load(Server("systemone", fault=fault))
    server = Server("systemone", fault=in_turn([None, *[fault] * 1000]))
    model = load(server)
    assert all(isinstance(row, PredictionError) for row in model.predict_each(MANY))
    assert f"given up after {GIVE_UP} attempts in a row" in str(model.end_error)
    assert server.requests <= 100


def test_scores_that_become_percentages_end_the_run() -> None:
    fault = with_probabilities(lambda p: {label: 100 * value for label, value in p.items()})
    model = load(Server("systemone", fault=in_turn([None, *[fault] * 1000])))
    model.predict_each(MANY)
    assert "are these scores?" in str(model.end_error)


def test_a_few_useless_answers_among_others_end_nothing() -> None:
    nan = with_probabilities(lambda p: {"negative": np.nan, "positive": 1.0})
    server = Server("systemone", fault=in_turn([None, *[nan, None] * 1000]))
    model = load(server)
    rows = model.predict_each(MANY)
    assert sum(isinstance(row, PredictionError) for row in rows) == len(MANY) // 2
    assert model.end_error is None


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ({"code": "insufficient_quota"}, "has to be paid"),
        ({"type": "authentication_error"}, "refuses the key"),
        ({"status": "PERMISSION_DENIED"}, "refuses the key"),
        ({"code": "model_not_found"}, "answers 404"),
    ],
)
def test_an_error_in_a_good_answer_is_known_by_its_name(error: Any, said: str) -> None:
    server = Server("systemone", fault=updated(error={"message": "no", **error}))
    with pytest.raises(EndpointError, match=said):
        load(server)
    assert server.requests == 1


@pytest.mark.parametrize("error", [{"code": "rate_limit_exceeded"}, {"type": "overloaded_error"}])
def test_an_error_in_a_good_answer_may_pass(error: Any) -> None:
    busy = updated(error={"message": "no", **error})
    server = Server("systemone", fault=in_turn([None, *[busy] * 6]))
    assert load(server).predict(TEXTS).shape == (len(TEXTS), 2)


def test_a_redirect_without_a_target_names_none() -> None:
    with pytest.raises(EndpointError, match="answers 304; look at"):
        load(Server("systemone", fault=sent(lambda body: b"", code=304)))


def test_labels_without_end_are_cut_in_the_error() -> None:
    fault = with_probabilities(lambda p: {"x" * 50_000: 1.0})
    with pytest.raises(EndpointError, match="expected") as caught:
        load(Server("systemone", fault=fault))
    assert len(str(caught.value)) < 400


def test_a_server_without_tls_is_told_from_a_wrong_certificate() -> None:
    class Plain(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65_536)
            self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Plain) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"https://127.0.0.1:{server.server_address[1]}"
        with pytest.raises(EndpointError, match="pass an address with http://"):
            explain.load(address, kind="systemone", **QUESTIONS["systemone"])
        server.shutdown()


@pytest.mark.parametrize("logged", [5.0, 1_000.0, None])
def test_what_is_no_log_probability_of_a_prompt_is_no_score(logged: float | None) -> None:
    def fault(server: Server, texts: list[str], reply: Reply) -> Reply:
        answer = json.loads(reply.body)
        for choice in answer["choices"]:
            n_tokens = len(choice["logprobs"]["token_logprobs"])
            choice["logprobs"]["token_logprobs"] = [logged] * n_tokens
        return Reply.of(answer)

    with pytest.raises(EndpointError, match="a log-probability is above zero or no number"):
        explain.load(
            "https://endpoint.test/path",
            kind="completions",
            transport=Server("completions", fault=fault).transport,
            **QUESTIONS["completions"],
        )
