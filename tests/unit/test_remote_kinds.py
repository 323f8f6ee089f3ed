"""Each wire format gives what the model behind it says, and refuses what is not in the format."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import explain
from explain.adapters.remote.kinds import KINDS, Kind, LostText, Reading, UnreadableAnswer
from explain.adapters.remote.kinds.shapes import kinds_of_shape
from explain.adapters.remote.kinds.top_k import bounds_of_labels
from explain.adapters.remote.pace import START
from explain.errors import ConfigurationError, EndpointError
from tests.helpers.endpoint import FORMATS, LABELS, QUESTIONS, Server, logits_of_words

TEXTS = [
    "a stunning , lyrical work",
    "not good",
    "dull",
    "awful bad good",
    "",
    'with "quotes" {text}',
]
PERMUTED = LABELS[::-1]
READ_ALL_THE_SAME = {
    ("systemone", "sglang-decisions"), ("google-decisions", "sglang-decisions"),
    ("huggingface", "tei"),
}  # fmt: skip
"""Kinds, and others whose answers have all that they need."""


def load(kind: str, server: Server, **options: Any) -> explain.adapters.TextClassifier:
    url = "http://endpoint.test/own/path"
    return explain.load(
        url, kind=kind, transport=server.transport, **{**QUESTIONS[kind], **options}
    )


def made(kind: str) -> Kind:
    labels = {"labels": LABELS} if kind in ("tei", "huggingface", "moderation") else {}
    return KINDS[kind](**QUESTIONS[kind], **labels)


def answered(kind: str, text: str = "not good") -> Any:
    return json.loads(json.dumps(FORMATS[kind].answer(made(kind).request([text]), logits_of_words)))


def test_every_kind_has_a_fake_that_says_what_it_copies() -> None:
    assert set(FORMATS) == set(KINDS) == set(QUESTIONS)
    assert all(form.copies for form in FORMATS.values())


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"sampled"}))
def test_scores_are_those_of_the_model_behind_the_endpoint(kind: str) -> None:
    scores = load(kind, Server(kind)).predict(TEXTS)
    truth = np.array([logits_of_words(text) for text in TEXTS])
    if kind != "moderation":  # Of one label against the other, only differences can be seen.
        scores, truth = np.diff(scores), np.diff(truth)
    np.testing.assert_allclose(scores, truth, atol=1e-12)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_answers_are_told_by_their_shape(kind: str) -> None:
    assert kind in (*kinds_of_shape(answered(kind)), "json")


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"json"}))
@pytest.mark.parametrize("other", sorted(set(KINDS) - {"json"}))
def test_an_answer_in_another_format_ends_all_and_names_it(kind: str, other: str) -> None:
    if kind in kinds_of_shape(answered(other)) or (kind, other) in READ_ALL_THE_SAME:
        return
    server = Server(kind)
    server.fault = lambda _, texts, reply: type(reply).of(answered(other))
    with pytest.raises(EndpointError, match=f"not of {kind}; pass kind=|labels|classes|log-prob"):
        load(kind, server)
    # The answers of a sample are asked for together.
    assert server.requests <= (START if kind == "sampled" else 1)


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("empty", [{}, [], None, 3, "x", {"choices": []}, {"answers": {}}])
def test_an_answer_without_content_is_unreadable_and_never_a_number(kind: str, empty: Any) -> None:
    with pytest.raises(UnreadableAnswer):
        made(kind).scores(empty, ["a"])


@st.composite
def broken(draw: st.DrawFn) -> tuple[str, Any]:
    """Draw an answer of some kind in which one thing was replaced."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    answer = answered(kind)
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        own = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in own:
            places.append((node, key))
            if isinstance(value, dict | list):
                walk(value)

    walk(answer)
    node, key = draw(st.sampled_from(places))
    node[key] = draw(
        st.sampled_from(
            [None, [], {}, "NaN", math.nan, math.inf, -9999.0, True, 10**400, [[1]], "x"]
        )
    )
    return kind, answer


@given(broken())
def test_whatever_is_broken_gives_a_finite_reading_or_one_of_three_refusals(
    case: tuple[str, Any],
) -> None:
    kind, answer = case
    try:
        [said] = made(kind).scores(answer, ["not good"])
    except (UnreadableAnswer, EndpointError):
        return
    assert isinstance(said, LostText) or all(map(math.isfinite, said.values))


@pytest.mark.parametrize("kind", ["systemone", "sglang-decisions", "google-decisions", "decisions"])
@pytest.mark.parametrize(
    "names",
    [
        ("Negative", "positive"),
        ("negative ", "positive"),
        ("negative",),
        ("negative", "x", "positive"),
    ],
)
def test_other_labels_end_all_and_both_sets_are_named(kind: str, names: tuple[str, ...]) -> None:
    answer = answered(kind)
    if kind == "decisions":
        listed = [{"value": name, "probability": 0.5} for name in names]
        answer["answers"][0]["probabilities"] = listed
    else:
        answer["answers"]["question"]["probabilities"] = dict.fromkeys(names, 0.5)
    with pytest.raises(EndpointError, match=r"labels \[.*\], expected \['negative', 'positive'\]"):
        made(kind).scores(answer, ["a"])


@pytest.mark.parametrize("kind", ["systemone", "decisions", "tei", "json"])
def test_labels_are_matched_by_name_and_not_by_place(kind: str) -> None:
    answer = answered(kind)
    [before] = made(kind).scores(answer, ["not good"])
    rows = {
        "systemone": lambda: answer["answers"]["question"]["probabilities"],
        "decisions": lambda: answer["answers"][0]["probabilities"],
        "tei": lambda: answer[0],
        "json": lambda: answer["out"],
    }[kind]()
    if isinstance(rows, dict):
        turned = dict(reversed(rows.items()))
        rows.clear()
        rows.update(turned)
    else:
        rows.reverse()
    assert made(kind).scores(answer, ["not good"]) == [before]


def test_a_truth_value_and_its_name_are_two_options() -> None:
    kind = KINDS["decisions"](question="Is it?", options=[True, "true", False], model="m")
    assert kind.labels == ("true", '"true"', "false")
    listed = [
        {"value": value, "probability": p}
        for value, p in (("true", 0.2), (False, 0.1), (True, 0.7))
    ]
    answer: Any = {"answers": [{"type": "choice", "name": None, "probabilities": listed}]}
    assert kind.scores(answer, ["a"]) == [Reading((0.7, 0.2, 0.1))]


def test_a_refusal_loses_its_text_only() -> None:
    model = load("decisions", Server("decisions"))
    assert isinstance(model, explain.adapters.PerTextClassifier)
    good, refused = model.predict_each(["good", "refuse this"])
    assert isinstance(good, np.ndarray)
    assert "refused" in str(refused)


def test_the_label_mass_is_kept_and_divided_out() -> None:
    [said] = made("sglang-decisions").scores(answered("sglang-decisions"), ["not good"])
    assert isinstance(said, Reading)
    assert said.label_mass == 0.8
    assert sum(said.values) == pytest.approx(1)


def test_a_winner_that_contradicts_the_order_of_labels_ends_all() -> None:
    kind = KINDS["vllm-classify"](labels=PERMUTED)
    with pytest.raises(EndpointError, match="in the order of the model's own numbers"):
        kind.scores(answered("vllm-classify"), ["not good"])


def test_exact_ids_of_labels_need_no_bounds() -> None:
    ids = {"negative": [0], "positive": [1]}
    server = Server("chat")
    model = load("chat", server, verbalizer={}, token_ids=ids)
    scores = model.predict(["awful awful awful good"])
    truth = logits_of_words("awful awful awful good")
    assert np.diff(scores)[0, 0] == pytest.approx(truth[1] - truth[0], abs=1e-12)


def test_a_chat_endpoint_without_log_probabilities_ends_all() -> None:
    answer = answered("chat")
    answer["choices"][0]["logprobs"] = None
    with pytest.raises(EndpointError, match="gives no log-probabilities"):
        made("chat").scores(answer, ["a"])


def test_a_word_outside_of_the_best_tokens_has_bounds_and_no_value() -> None:
    model = load("chat", Server("chat"), top_logprobs=2)
    assert isinstance(model, explain.adapters.PerTextClassifier)
    [row] = model.predict_each(["awful awful awful awful"])
    assert "its log-odds lie between -inf and" in str(row)


@given(
    st.lists(st.floats(-8, 3), min_size=4, max_size=40),
    st.integers(1, 40),
    st.integers(1, 3),
    st.integers(0, 2**32 - 1),
)
def test_bounds_hold_what_the_whole_vocabulary_says(
    logits: list[float], top: int, words: int, seed: int
) -> None:
    logged = np.array(logits) - np.log(np.exp(logits).sum())
    tokens = [f"t{place}" for place in range(len(logged))]
    everything = dict(zip(tokens, map(float, logged), strict=True))
    order = np.random.default_rng(seed).permutation(len(tokens))
    labels = [[tokens[i] for i in own] for own in np.array_split(order, 3)]
    labels = [own[:words] for own in labels if len(own)]
    best = dict(sorted(everything.items(), key=lambda pair: -pair[1])[:top])
    known = bounds_of_labels(best, labels, top)
    mass = [math.fsum(math.exp(everything[token]) for token in own) for own in labels]
    for label, own in enumerate(mass):
        others = math.fsum(mass) - own
        low, high = known.log_probabilities[label]
        assert low - 1e-9 <= math.log(own) <= high + 1e-9
        low, high = known.log_odds[label]
        assert low - 1e-6 <= math.log(own) - math.log(others) <= high + 1e-6


def test_a_missing_token_has_at_most_what_is_left() -> None:
    """The figures of the definition: m = .999 and a smallest log-probability of -8."""
    seen = {"a": math.log(0.999 - math.exp(-8)), "b": -8.0}
    known = bounds_of_labels(seen, [["a"], ["z"]], 2)
    low, high = known.log_probabilities[1]
    assert (low, round(high, 9)) == (-math.inf, -8.0)
    fewer = bounds_of_labels(seen, [["a"], ["z"]], 20)
    low, high = fewer.log_probabilities[1]
    assert low == -math.inf
    assert high == pytest.approx(math.log(0.001))


@pytest.mark.parametrize(
    ("kind", "options", "complaint"),
    [
        ("nothing", {}, "there is no kind 'nothing'"),
        ("systemone", {}, "needs question="),
        ("systemone", {"question": "?", "options": ["a"]}, "two or more different labels"),
        ("systemone", {"question": "?", "options": LABELS, "colour": 1}, "has no colour="),
        ("systemone", {"question": "?", "options": LABELS, "type": "score"}, "choice or noul"),
        ("chat", {"template": "{text}", "model": "m", "verbalizer": {"a": "x"}}, "two or more"),
        ("chat", {"template": "no", "model": "m", "verbalizer": {"a": "x", "b": "y"}}, "expected"),
        (
            "json",
            {"body": {}, "score_path": "x", "channel": "logits", "labels": LABELS},
            'no "{text}"',
        ),
        (
            "json",
            {"body": "{text}", "score_path": "x", "channel": "z", "labels": LABELS},
            "channel='z'",
        ),
        ("systemone", {"question": "?", "options": LABELS, "max_cost": 1}, "needs prices"),
        ("tei", {"decimals": 2}, "leave decimals out"),
        ("moderation", {"decimals": 0}, "decimals=0; pass 1 to 12"),
        ("tei", {"key_env": "NO_SUCH_VARIABLE"}, "holds no key"),
        ("tei", {"calls": "a", "replay": "b"}, "asks nothing"),
        ("tei", {"ca": "/nowhere"}, "no file of certificates"),
    ],
)
def test_what_is_missing_or_unknown_is_said_before_anything_is_sent(
    kind: str, options: dict[str, Any], complaint: str
) -> None:
    server = Server("tei")
    with pytest.raises(ConfigurationError, match=complaint):
        explain.load("http://endpoint.test/x", kind=kind, transport=server.transport, **options)
    assert server.requests == 0


@pytest.mark.parametrize("option", ["timeout", "max_calls", "concurrency", "options", "ca"])
def test_an_option_of_another_type_is_one_line(option: str) -> None:
    options: dict[str, Any] = {"question": "?", "options": LABELS, option: {"a": [1]}}
    server = Server("systemone")
    with pytest.raises(explain.errors.ExplainError):
        explain.load(
            "http://endpoint.test/x", kind="systemone", transport=server.transport, **options
        )


@pytest.mark.parametrize(
    "url",
    ["http://me:secret@host/x", "https://host/x?key=abc", "https://host/x#y", "http:///x"],
)
def test_an_address_that_could_hold_a_key_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        explain.load(url, kind="tei")
    assert "secret" not in str(caught.value)
    assert "abc" not in str(caught.value)


def test_pairs_are_sent_by_kinds_that_read_them() -> None:
    row = made("tei").request([("a", "b"), "c"])
    assert row == {"inputs": [["a", "b"], ["c"]], "raw_scores": True, "truncate": False}
    with pytest.raises(ConfigurationError, match="reads no pairs"):
        made("moderation").request([("a", "b")])
