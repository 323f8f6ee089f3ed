"""Counted answers have the errors of counts, and refusals can be a label of their own."""

import json
import math
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import explain
from explain.adapters.question import QuestionVariant
from explain.adapters.remote import KINDS, RemoteClassifier, logged_answers
from explain.adapters.remote.answers import CERTAIN, with_other_label
from explain.adapters.remote.kinds.sampled import SampledChat
from explain.auditing.dry_run import estimate_cost
from explain.engine.precision import Precision
from explain.errors import ConfigurationError, EndpointError
from explain.record import Target
from tests.helpers.endpoint import (
    FORMATS,
    LABELS,
    QUESTIONS,
    WEIGHTS,
    Reply,
    SampledAnswers,
    Server,
    logits_of_words,
)
from tests.helpers.search import examples, seeds

URL = "http://endpoint.test/x"


def load(kind: str, server: Server, **options: Any) -> RemoteClassifier:
    question: dict[str, Any] = {**QUESTIONS[kind], **options}
    model = explain.load(URL, kind=kind, transport=server.transport, **question)
    assert isinstance(model, RemoteClassifier)
    return model


def drawing(seed: int, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Return a server whose answers are drawn from a stream of its own."""
    form = FORMATS["sampled"]
    seeded = type(form)(form.copies, SampledAnswers(seed), form.texts)
    monkeypatch.setattr("tests.helpers.endpoint.FORMATS", {**FORMATS, "sampled": seeded})
    return Server("sampled")


# ── Counts ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("per_request", [1, 5, 20])
def test_each_text_is_asked_for_as_often_as_it_takes(per_request: int) -> None:
    server = Server("sampled")
    model = load("sampled", server, per_request=per_request)
    opening = server.requests
    [row] = model.predict(["a stunning work"])
    assert server.requests - opening == opening == 20 // per_request
    counts = np.exp(row) - 0.5
    assert counts.sum() == pytest.approx(20)
    np.testing.assert_allclose(counts, counts.round(), atol=1e-9)
    model.predict(["a stunning work"])
    assert server.requests == 2 * opening
    model.predict_each(["a stunning work"], fresh=True)
    assert server.requests == 3 * opening


def test_shares_of_answers_are_those_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load("sampled", drawing(1, monkeypatch), samples=400, per_request=400)
    for text in ("dull", "not good", "good"):
        counts = np.exp(model.predict([text])[0]) - 0.5
        p = np.exp(logits_of_words(text))
        assert stats.binomtest(round(counts[1]), 400, float(p[1] / p.sum())).pvalue > 1e-3


@examples(40)
@given(st.lists(st.integers(0, 40), min_size=2, max_size=4), st.integers(0, 1))
def test_the_variance_of_a_log_odds_is_that_of_its_posterior(counts: list[int], place: int) -> None:
    """Against the moments of samples from the Dirichlet posterior itself."""
    scores = np.log(np.array([counts]) + 0.5)
    target = Target(label="a", index=place, scale="log_odds")
    [found] = Precision(is_sampled=True).sampling_variances(scores, target)
    a = counts[place] + 0.5
    b = sum(counts) - counts[place] + 0.5 * (len(counts) - 1)
    p = stats.beta(a, b).rvs(20_000, random_state=0)
    p = np.clip(p, 1e-300, 1 - 1e-16)
    assert found == pytest.approx(np.var(np.log(p) - np.log1p(-p)), rel=0.1)


def test_a_label_that_was_never_answered_has_a_finite_score_with_a_large_error() -> None:
    server = Server("sampled", lambda text: np.array([-40.0, 40.0]))
    model = load("sampled", server, per_request=20)
    [row] = model.predict(["good"])
    assert row[1] - row[0] == pytest.approx(math.log(20.5 / 0.5))
    target = Target(label="positive", index=1, scale="log_odds")
    [variance] = Precision(is_sampled=True).sampling_variances(row[None], target)
    assert math.sqrt(variance) == pytest.approx(2.2, abs=0.1)


def truth_of(words: list[str]) -> list[float]:
    """Return the Shapley values of the words: their weights, and half of what two add together."""
    pair = 0.45 if {"not", "good"} <= set(words) else 0.0
    return [WEIGHTS.get(w, 0.03 * len(w)) + pair * (w in ("not", "good")) for w in words]


def test_intervals_over_counted_answers_hold_the_true_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = ["a good but dull film", "not a good work , lyrical", "stunning , not bad at all today"]
    covered: list[bool] = []
    for seed in seeds(10, 2):
        model = load("sampled", drawing(seed, monkeypatch), per_request=20)
        found = explain.attribute(
            model, texts, method="shap", target="positive", masker="delete", budget=96, seed=seed
        )
        for text, attribution in zip(texts, found, strict=True):
            words = [text[start:end] for _, start, end in attribution.spans]
            errors = np.array(attribution.standard_errors)
            off = np.abs(np.array(attribution.values) - truth_of(words))
            assert (errors > 0.05).all()
            covered += [*(off <= 1.645 * errors)]
    assert np.mean(covered) >= 0.85


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"samples": 19}, "samples=19; pass 20 or more"),
        ({"samples": 30, "per_request": 20}, "does not divide"),
        ({"temperature": 0}, "at 0 all answers to a text are one"),
        ({"verbalizer": {"a": "x", "b": ["X"]}}, "answers of its own"),
        ({"verbalizer": {"a": "x"}}, "two or more labels"),
        ({"fields": {"temperature": 0}}, "fields holds 'temperature'"),
        ({"fields": {"max_completion_tokens": 9}}, "fields holds 'max_completion_tokens'"),
        ({"verbalizer": {"a": "x", "b": " . "}}, "answers of its own"),
        ({"answer_tokens": 0}, "answer_tokens of 1 or more"),
        ({"answer_tokens_field": "max_output_tokens"}, "pass 'max_tokens' or"),
    ],
)
def test_what_cannot_be_counted_is_refused_before_anything_is_sent(
    options: dict[str, Any], complaint: str
) -> None:
    server = Server("sampled")
    with pytest.raises(ConfigurationError, match=complaint):
        load("sampled", server, **options)
    assert server.requests == 0


def test_a_model_that_thinks_gets_room_under_the_name_that_its_server_knows() -> None:
    asked: list[dict[str, Any]] = []

    class Strict(httpx2.AsyncBaseTransport):
        """Refuses what a reasoning model of OpenAI refuses, in its words."""

        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            asked.append(json.loads(request.content))
            if "max_tokens" not in asked[-1]:
                return await Server("sampled").transport.handle_async_request(request)
            said = (
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                "'max_completion_tokens' instead."
            )
            body = json.dumps({"error": {"message": said}}).encode()
            return httpx2.Response(400, stream=httpx2.ByteStream(body))

    options: dict[str, Any] = {**QUESTIONS["sampled"], "transport": Strict(), "answer_tokens": 2000}
    url = "https://endpoint.test/path"
    with pytest.raises(EndpointError, match="pass answer_tokens_field='max_completion_tokens'"):
        explain.load(url, kind="sampled", **options)
    assert len(asked) <= 20
    options["answer_tokens_field"] = "max_completion_tokens"
    explain.load(url, kind="sampled", **options).predict(["good"])
    assert asked[-1]["max_completion_tokens"] == 2000
    assert "max_tokens" not in asked[-1]


def test_a_server_that_gives_one_answer_for_twenty_ends_all() -> None:
    def one(server: Server, texts: list[str], reply: Reply) -> Reply:
        answer = json.loads(reply.body)
        return Reply.of({**answer, "choices": answer["choices"][:1]})

    with pytest.raises(EndpointError, match="1 answers where 20 were asked for; pass per_request"):
        load("sampled", Server("sampled", fault=one), per_request=20)


def test_answers_that_name_no_label_leave_a_text_without_scores() -> None:
    def chatty(server: Server, texts: list[str], reply: Reply) -> Reply:
        answer = json.loads(reply.body)
        for choice in answer["choices"][:11] if "odd" in texts[0] else ():
            choice["message"]["content"] = "positive or negative, who knows"
        return Reply.of(answer)

    model = load("sampled", Server("sampled", fault=chatty), per_request=20)
    good, odd = model.predict_each(["good", "odd"])
    assert isinstance(good, np.ndarray)
    assert "only 9 of 20 answers name a label" in str(odd)
    assert model.label_mass(["good", "odd"]) == [1.0, 0.45]


def test_one_request_that_is_lost_is_asked_again_by_the_next_run(tmp_path: Path) -> None:
    """The other nineteen are not paid again."""
    calls = tmp_path / "calls.sqlite"
    server = Server("sampled")

    def fail(server: Server, texts: list[str], reply: Reply) -> Reply:
        return (
            Reply.of({"detail": "too long: context length"}, 400)
            if server.requests == 25
            else reply
        )

    server.fault = fail
    first = load("sampled", server, calls=calls)
    [row] = first.predict_each(["good"])
    assert "longer than the model reads" in str(row)
    assert server.requests == 40
    again = Server("sampled")
    load("sampled", again, calls=calls).predict_each(["good"])
    assert again.requests == 0


def test_a_run_of_counts_is_replayed_without_the_server(tmp_path: Path) -> None:
    calls = tmp_path / "calls.sqlite"
    server = Server("sampled")
    scores = load("sampled", server, calls=calls, per_request=5).predict(["good", "bad"])
    question: dict[str, Any] = dict(QUESTIONS["sampled"])
    replayed = explain.load(URL, kind="sampled", replay=calls, per_request=5, **question)
    np.testing.assert_array_equal(replayed.predict(["good", "bad"]), scores)


def test_counted_answers_in_a_log_are_not_taken_for_scores(tmp_path: Path) -> None:
    calls = tmp_path / "calls.sqlite"
    model = load("sampled", Server("sampled"), calls=calls)
    with pytest.raises(ConfigurationError, match="compare the audits of the two runs"):
        logged_answers(calls, model.kind)


def test_a_dry_run_counts_every_answer() -> None:
    rows = [{"text": f"a good text {i}", "label": LABELS[i % 2]} for i in range(12)]
    options: dict[str, Any] = {"label": "label", "checks": ["performance"], "methods": []}
    server = Server("sampled")
    costs = []
    for n in (1, 20):
        question = {**QUESTIONS["sampled"], "per_request": n, "transport": server.transport}
        costs.append(estimate_cost(URL, rows, kind="sampled", model_options=question, **options))
    assert server.requests == 0
    assert costs[0].calls.high >= 20 * 13
    assert costs[0].calls.high == pytest.approx(20 * costs[1].calls.high, abs=20)


# ── One more label ────────────────────────────────────────────────────────────────────────────────


@given(
    st.lists(st.floats(-20, 3), min_size=2, max_size=6),
    st.one_of(st.none(), st.floats(0, 1)),
)
def test_a_further_label_has_what_the_labels_leave(values: list[float], mass: float | None) -> None:
    row = with_other_label(np.array(values), mass)
    p = np.exp(row)
    assert p.sum() == pytest.approx(1)
    outside = 1 - (1 if mass is None else mass)
    assert p[-1] == pytest.approx(min(max(outside, CERTAIN), 1 - CERTAIN))
    np.testing.assert_allclose(np.diff(row[:-1]), np.diff(values), atol=1e-9)


def test_a_refusal_is_a_label_that_can_be_explained() -> None:
    model = load("decisions", Server("decisions"), other_label="refused")
    assert model.labels == (*LABELS, "refused")
    scores = model.predict(["good", "please refuse this", "bad"])
    assert [model.labels[i] for i in scores.argmax(axis=1)] == ["positive", "refused", "negative"]
    (found,) = explain.attribute(model, ["please refuse this good work"], method="shap")
    assert found.target.label == "refused"
    words = ["please", "refuse", "this", "good", "work"]
    assert words[int(np.argmax(np.abs(found.values)))] == "refuse"
    others = np.delete(found.values, words.index("refuse"))
    np.testing.assert_allclose(others, 0, atol=1e-6)
    assert found.values[1] == pytest.approx(2 * math.log(1 / CERTAIN - 1), rel=1e-6)


def test_without_that_label_a_refusal_has_no_scores_and_is_counted() -> None:
    for options, n in (({}, 1), ({"other_label": "refused"}, 0)):
        model = load("decisions", Server("decisions"), **options)
        rows = model.predict_each(["good", "refuse"])
        assert isinstance(rows[1], np.ndarray) == bool(options)
        seen = model.observations()
        assert sum(seen.reasons.values()) == n
        assert (seen.texts, seen.n_answered) == (3, 3 - n)  # With that of the opening.
        assert not seen.is_mixed


def test_texts_that_are_asked_anew_are_still_the_same_texts() -> None:
    model = load("systemone", Server("systemone"))
    model.predict(["good", "bad"])
    before = model.observations()
    model.restart()
    model.predict(["good", "awful"])
    after = model.observations()
    # One text stood for the first answer, when the endpoint was opened.
    assert (before.texts, before.n_answered) == (3, 3)
    assert (after.texts, after.n_answered) == (4, 4)
    assert not after.reasons


def test_the_mass_outside_of_the_labels_is_the_score_of_that_label() -> None:
    plain = load("chat", Server("chat"), top_logprobs=10)
    model = load("chat", Server("chat"), top_logprobs=10, other_label="other")
    texts = ["good", "not good", "a"]
    [*masses] = plain.label_mass(texts)
    p = np.exp(model.predict(texts))
    np.testing.assert_allclose(p[:, -1], [1 - (mass or 0) for mass in masses], atol=1e-9)
    np.testing.assert_allclose(p[:, :-1], np.exp(plain.predict(texts)), atol=1e-9)


def test_answers_that_refuse_are_counted_as_that_label(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load(
        "sampled", drawing(3, monkeypatch), samples=400, per_request=400, other_label="refused"
    )
    counts = np.exp(model.predict(["refuse good", "good"])) - 0.5
    np.testing.assert_allclose(counts.sum(axis=1), 400)
    assert 160 <= counts[0, 2] <= 240
    assert counts[1, 2] == pytest.approx(0)


def test_a_question_asked_in_another_way_keeps_that_label_in_its_place() -> None:
    model = load("systemone", Server("systemone"), other_label="refused")
    asked = model.asked_as(QuestionVariant(order=(2, 1, 0), extra_option="none"))
    assert asked.labels == (*LABELS, "refused", "none")
    named = model.asked_as(QuestionVariant(names=("A", "B", "C")))
    assert named.labels == ("A", "B", "refused")
    assert named.predict(["good"]).shape == (1, 3)


def test_a_filter_that_holds_back_each_request_counts_for_that_label() -> None:
    def filtered(server: Server, texts: list[str], reply: Reply) -> Reply:
        said = {"error": {"message": "content_filter: blocked"}}
        every = "always" in texts[0] or ("often" in texts[0] and server.requests % 4 == 0)
        return Reply.of(said, 400) if every else reply

    server = Server("sampled", fault=filtered)
    model = load("sampled", server, other_label="refused")
    counts = np.exp(model.predict(["always good", "often good", "good"])) - 0.5
    np.testing.assert_allclose(counts.sum(axis=1), 20)
    assert counts[:, 2].round().astype(int).tolist() == [20, 5, 0]
    seen = model.observations()
    assert not seen.reasons  # A refusal is an answer.
    assert seen.n_answered == seen.texts


@pytest.mark.parametrize(
    ("kind", "name", "complaint"),
    [("tei", "refused", "endpoints that refuse"), ("decisions", "positive", "a label already")],
)
def test_a_label_that_nobody_can_see_or_that_exists_is_refused(
    kind: str, name: str, complaint: str
) -> None:
    server = Server(kind)
    with pytest.raises(ConfigurationError, match=complaint):
        load(kind, server, other_label=name)
    assert server.requests == 0


def test_the_record_says_how_answers_become_scores() -> None:
    facts = load("sampled", Server("sampled"), other_label="refused").describe().facts
    assert facts["answers per text"] == 20
    assert facts["log-odds"] == "of counts, each a half more"
    assert facts["refused or none of the labels"] == "refused"
    assert SampledChat in KINDS.values()
