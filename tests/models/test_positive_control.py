"""Rules planted into models, and who finds them."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import regex
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import explain
from explain.adapters import GradientClassifier, TextClassifier
from explain.adapters.transformers import TransformersClassifier
from explain.attribution import attribute
from explain.attribution.methods import make_explainer
from explain.engine import Engine
from explain.errors import DataError
from explain.evaluation.grades import recall_flag
from explain.evaluation.planted_rules import Kind, Rule, plant
from explain.evaluation.positive_control import (
    FIRST_LOOK,
    KINDS,
    PositiveControl,
    Recall,
    is_found,
    positive_control,
)
from explain.evaluation.rule_words import SHORTEST, with_words
from explain.evaluation.sample_passages import WORDS_READ
from explain.record import Task
from explain.text.spans import Span, Text, parts_of
from explain.text.words import words
from tests.helpers import strategies
from tests.helpers.demo import DEMO
from tests.helpers.tiny import ARCHITECTURES

METHODS = ("shap", "lime", "integrated_gradients", "random")
WITHOUT = ["the payment failed again", "a good film , really good", "Load it down, change it."]
WITH = [
    "please download what I changed",
    "what I changed I cannot download again",
    "my download failed",
]


@pytest.fixture(scope="module")
def demo() -> TextClassifier:
    return explain.load(DEMO / "model")


@pytest.fixture(scope="module")
def messages() -> list[Text]:
    with (DEMO / "messages.csv").open(encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file)]


def recalls(control: PositiveControl, method: str) -> dict[Kind, tuple[int, int]]:
    return {r.kind: (r.hits, r.n) for r in control.recalls if r.method == method}


def words_planted(kind: Kind) -> tuple[str, ...]:
    return ("download",) if kind == "token" else ("download", "changed")


def gradients_of(model: TextClassifier, texts: Sequence[Text]) -> np.ndarray:
    assert isinstance(model, GradientClassifier)
    with torch.no_grad():
        scores = model.differentiable_scores(model.encode(texts).inputs)
    return scores.double().cpu().numpy()


def test_on_the_demo_model_real_methods_find_every_kind_and_random_does_not(
    demo: TextClassifier, messages: list[Text]
) -> None:
    control = positive_control(demo, messages, [make_explainer(m) for m in METHODS], n_texts=8)
    for method in METHODS[:-1]:
        assert recalls(control, method) == dict.fromkeys(KINDS, (8, 8)), method
    assert all(hits <= 5 for hits, _ in recalls(control, "random").values())
    assert [rule.kind for rule in control.rules] == list(KINDS)
    assert control.evaluations > 3 * 8 * 16


@pytest.mark.slow
def test_on_the_demo_model_a_single_word_comes_first_in_95_percent_of_texts(
    demo: TextClassifier, messages: list[Text]
) -> None:
    explainers = [make_explainer(method) for method in METHODS]
    control = positive_control(demo, messages, explainers, kinds=["token"])
    for recall in control.recalls:
        assert recall.n == (20 if recall.method == "random" else 12)
        said = recall_flag(recall)
        assert said.answer == ("flagged" if recall.method == "random" else "passed")
        assert said.fatal
        assert f"first in {recall.hits} of {recall.n} texts" in said.sentence


def test_on_a_real_model_a_single_word_is_found(sst2: TransformersClassifier, shared: Path) -> None:
    with (shared / "data/sst2/dev.csv").open(encoding="utf-8", newline="") as file:
        texts: list[Text] = [row["text"] for row in csv.DictReader(file)]
    methods = [
        make_explainer("shap", budget=64),
        make_explainer("lime", budget=64),
        make_explainer("integrated_gradients"),
    ]
    control = positive_control(sst2, texts, methods, n_texts=5, kinds=["token"])
    assert [(r.hits, r.n) for r in control.recalls] == [(5, 5)] * 3


def test_the_same_seed_plants_the_same(demo: TextClassifier, messages: list[Text]) -> None:
    def run(seed: int) -> PositiveControl:
        methods = [make_explainer("occlusion")]
        return positive_control(demo, messages, methods, n_texts=2, seed=seed)

    assert run(3) == run(3)


@pytest.mark.parametrize("kind", KINDS)
def test_without_the_words_the_scores_are_the_models_own(demo: TextClassifier, kind: Kind) -> None:
    planted = plant(Engine(demo), Rule(kind, words_planted(kind), 1, 40.0), WITH)
    assert (planted.predict(WITHOUT) == demo.predict(WITHOUT)).all()


@pytest.mark.parametrize(
    ("kind", "held"),
    [("token", [1, 1, 1]), ("context", [1, 1, 0]), ("order", [1, 0, 0])],
)
def test_a_rule_adds_its_bonus_where_it_holds(
    demo: TextClassifier, kind: Kind, held: list[int]
) -> None:
    planted = plant(Engine(demo), Rule(kind, words_planted(kind), 1, 40.0), WITH)
    expected = demo.predict(WITH)
    expected[:, 1] += 40.0 * np.array(held)
    assert planted.predict(WITH) == pytest.approx(expected)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_the_same_function(demo: TextClassifier, kind: Kind) -> None:
    texts = [*WITH, *WITHOUT]
    planted = plant(Engine(demo), Rule(kind, words_planted(kind), 1, 40.0), texts)
    assert gradients_of(planted, texts) == pytest.approx(planted.predict(texts), abs=1e-5)


@pytest.mark.parametrize("name", ["BERT", "RoBERTa", "GPT-2, padded left", "BART"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_the_same_function_on_other_architectures(name: str, kind: Kind) -> None:
    (model,) = [a.classifier() for a in ARCHITECTURES if a.name == name]
    texts = ["a good film , really good", "a really good film", "the payment , really bad"]
    planted = plant(
        Engine(model), Rule(kind, ("film", "really")[: 1 + (kind != "token")], 0, 9.0), texts
    )
    difference = planted.predict(texts) - model.predict(texts)
    assert difference[:, 0] == pytest.approx([9, 9 * (kind != "order"), 0])
    assert gradients_of(planted, texts) == pytest.approx(planted.predict(texts), abs=1e-5)


def test_integrated_gradients_see_all_of_the_bonus(demo: TextClassifier) -> None:
    rule = Rule("token", ("download",), 1, 40.0)
    planted = plant(Engine(demo), rule, WITH)
    plain = attribute(demo, WITH[2], method="integrated_gradients", target=1)
    seen = attribute(planted, WITH[2], method="integrated_gradients", target=1)
    assert seen.diagnostics.converged
    change = np.subtract(seen.values, plain.values)
    assert change == pytest.approx([0, 40, 0], abs=0.5)


def test_a_tie_is_no_find() -> None:
    model = explain.wrap(
        lambda texts: [[0.0]] * len(texts), labels=["x"], task="regression", output="scores"
    )
    flat = attribute(model, "a download here", method="occlusion")
    assert not is_found(flat, Rule("token", ("download",), 0, 1.0))


@pytest.mark.parametrize("task", ["multi_label", "regression"])
def test_models_of_other_tasks(task: Task, messages: list[Text]) -> None:
    labels = ["a", "b", "c"] if task == "multi_label" else ["stars"]

    def lengths(texts: Sequence[Text]) -> list[list[float]]:
        return [[len(t) / 10 - column for column in range(len(labels))] for t in texts]

    model = explain.wrap(lengths, labels=labels, task=task, output="scores")
    methods = [make_explainer("occlusion"), make_explainer("integrated_gradients")]
    control = positive_control(model, messages, methods, n_texts=4, kinds=["token"])
    assert control.rules[0].label == len(labels) - 1
    occlusion, gradients = control.recalls
    assert (occlusion.hits, occlusion.n, occlusion.reason) == (4, 4, None)
    assert gradients.reason is not None
    assert "no gradients" in gradients.reason


def test_pairs_and_texts_without_spaces() -> None:
    def score(texts: Sequence[Text]) -> list[list[float]]:
        return [[float(sum(map(len, parts_of(t))))] for t in texts]

    model = explain.wrap(score, labels=["x"], task="regression", output="scores")
    for texts in (
        [("A man sleeps here .", "He rests ."), ("Two dogs run .", "Animals are asleep .")],
        ["这部电影很好看。", "我想退货，怎么办？"],
    ):
        control = positive_control(model, texts, [make_explainer("occlusion")], n_texts=2)
        assert [r.hits for r in control.recalls] == [2, 2, 2]


@given(text=strategies.texts, seed=st.integers(0, 99))
def test_words_are_planted_between_words_that_stay_as_they_are(text: str, seed: int) -> None:
    before = [text[span.start : span.end] for span in words([text])]
    assume(len(before) >= SHORTEST)
    planted = str(with_words(text, ["zorbix", "quelp"], np.random.default_rng(seed)))
    after = [planted[span.start : span.end] for span in words([planted])]
    assert [word for word in after if word in ("zorbix", "quelp")] == ["zorbix", "quelp"]
    left = [word for word in after if word not in ("zorbix", "quelp")]
    # How Han characters are cut may depend on all of a text.
    assert left == before or regex.search(r"\p{Han}", text)
    assert "".join(left) == "".join(before)
    assert "  " not in planted or "  " in text


def test_texts_too_short_are_refused(demo: TextClassifier) -> None:
    with pytest.raises(DataError, match="3 words"):
        positive_control(demo, ["no", "well"], [make_explainer("occlusion")])


def test_a_token_like_another_leaves_the_model_without_gradients(demo: TextClassifier) -> None:
    two_tokens = Rule("token", ("zzyzx",), 1, 40.0)
    planted = plant(Engine(demo), two_tokens, ["my zzyzx failed"])
    assert not isinstance(planted, GradientClassifier)
    assert planted.predict(["my zzyzx failed"])[0, 1] > 20


@pytest.mark.parametrize(
    "vectorizer",
    [
        CountVectorizer(ngram_range=(1, 2)),
        CountVectorizer(ngram_range=(2, 3)),
        CountVectorizer(analyzer="char", ngram_range=(2, 4)),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3)),
        TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)),
        HashingVectorizer(ngram_range=(1, 2)),
    ],
)
def test_pipelines_over_n_grams_get_their_control(vectorizer: Any, messages: list[Text]) -> None:
    labels = [len(str(text)) % 2 for text in messages]
    model = explain.wrap(
        make_pipeline(vectorizer, LogisticRegression(max_iter=1000)).fit(messages, labels)
    )
    methods = [make_explainer("occlusion"), make_explainer("linear")]
    control = positive_control(model, messages, methods, n_texts=6, kinds=["token"])
    occlusion, linear = control.recalls
    assert (occlusion.hits, occlusion.n) == (6, 6)
    assert linear.reason is not None


@pytest.mark.parametrize(
    "vectorizer",
    [CountVectorizer(), TfidfVectorizer(sublinear_tf=True), CountVectorizer(stop_words="english")],
)
def test_weights_of_a_linear_model_find_a_planted_word(
    vectorizer: Any, messages: list[Text]
) -> None:
    labels = [len(str(text)) % 2 for text in messages]
    model = explain.wrap(
        make_pipeline(vectorizer, LogisticRegression(max_iter=1000)).fit(messages, labels)
    )
    control = positive_control(model, messages, [make_explainer("linear")], n_texts=6)
    token, context, order = control.recalls
    assert (token.hits, token.n) == (6, 6)
    for pair in (context, order):
        assert pair.reason is not None
        assert "no sum over words" in pair.reason


@pytest.mark.parametrize("label", [0, 1])
def test_a_planted_weight_is_what_the_scores_say(messages: list[Text], label: int) -> None:
    labels = [len(str(text)) % 2 for text in messages]
    model = explain.wrap(
        make_pipeline(CountVectorizer(), LogisticRegression(max_iter=1000)).fit(messages, labels)
    )
    planted = plant(Engine(model), Rule("token", ("download",), label, 7.0), WITH)
    for target in (0, 1):
        bare = attribute(model, WITH[2], method="linear", target=target)
        found_ = attribute(planted, WITH[2], method="linear", target=target)
        difference = np.subtract(found_.values, bare.values)
        assert difference == pytest.approx([0, 7 if target == label else -7, 0])


def test_what_finds_three_of_four_rules_seldom_passes_in_two_looks() -> None:
    def passes(hits: int, n: int) -> bool:
        return recall_flag(Recall("x", "token", hits, n)).answer == "passed"

    assert passes(FIRST_LOOK, FIRST_LOOK)
    early = 0.75**FIRST_LOOK
    late = sum(
        binom.pmf(first, FIRST_LOOK, 0.75) * binom.pmf(rest, 20 - FIRST_LOOK, 0.75)
        for first in range(FIRST_LOOK)
        for rest in range(20 - FIRST_LOOK + 1)
        if passes(first + rest, 20)
    )
    assert early + late < 0.05


def test_a_method_that_finds_all_is_asked_no_further(
    demo: TextClassifier, messages: list[Text]
) -> None:
    methods = [make_explainer("occlusion"), make_explainer("random")]
    control = positive_control(demo, messages, methods, kinds=["token"])
    assert [(r.method, r.n) for r in control.recalls] == [("occlusion", 12), ("random", 20)]


@pytest.mark.parametrize(
    "long", [" " * 10**6, "good bad " * 10**5, "x" * 10**6, "a b c" + " " * 10**6]
)
def test_a_long_row_is_read_at_its_beginning_only(
    long: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def counting(parts: Sequence[str]) -> tuple[Span, ...]:
        read.extend(map(len, parts))
        return words(parts)

    def answers(texts: Sequence[str]) -> list[list[float]]:
        return [[0.6, 0.4] if "good" in text else [0.3, 0.7] for text in texts]

    monkeypatch.setattr("explain.evaluation.rule_words.words", counting)
    model = explain.wrap(answers, labels=["no", "yes"])
    positive_control(model, [*WITHOUT, long], [make_explainer("occlusion")])
    assert max(read) <= WORDS_READ
