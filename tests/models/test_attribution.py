"""Attributions on real models agree with the model to the last digit."""

from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import explain
import reports
from explain.adapters import FunctionClassifier
from explain.adapters.transformers import TransformersClassifier
from explain.attribution import segment
from explain.attribution.methods import METHODS, IntegratedGradients, Lime
from explain.attribution.methods.base import sum_onto_features
from explain.engine.games import target_values
from explain.errors import CapabilityError, ConfigurationError, PredictionError, SegmentationError
from explain.record import Attribution
from explain.text.spans import Segmentation, Span, text_of
from explain.text.words import words
from tests.helpers.reference.captum_package import integrated_gradients_by_hand
from tests.helpers.search import examples

SENTENCES = [
    "a stunning , lyrical work .",
    "one long string of cliches .",
    "it 's not without its pleasures , but it is far too long and far too loud to hold them .",
]
HOSTILE = [
    "👩‍👩‍👧‍👦 good",
    "مرحبا بالعالم",
    "这部电影很好看。",
    "ภาพยนตร์ ดี",
    "a\r\nb",
    "",
    " ",
    "?!",
]
PAIR = ("A man in a black hat sleeps .", "A person is awake .")
PERTURBATION = [name for name in METHODS if hasattr(METHODS[name], "plan")]
GRADIENTS = [
    "integrated_gradients",
    "gradient_x_input",
    "gradient_l2",
    "gradient_shap",
    "deep_lift",
]
ON_TRANSFORMERS = [*PERTURBATION, *GRADIENTS]


@pytest.mark.parametrize("method", PERTURBATION)
def test_the_full_value_is_that_of_the_exact_text(
    sst2: TransformersClassifier, method: str
) -> None:
    texts = SENTENCES + HOSTILE
    for text, attribution in zip(texts, explain.attribute(sst2, texts, method=method), strict=True):
        expected = target_values(sst2.predict([text]), attribution.target)[0]
        assert attribution.full_value == pytest.approx(expected, abs=1e-5)
        assert attribution.parts == (text,)
        assert attribution.spans == words([text])
        if attribution.efficient:
            assert abs(attribution.completeness_gap) < 1e-6


@pytest.mark.parametrize("method", ON_TRANSFORMERS)
def test_pairs_have_features_on_both_sides(nli: TransformersClassifier, method: str) -> None:
    attribution = explain.attribute(nli, PAIR, method=method)
    assert attribution.parts == PAIR
    assert {span.part for span in attribution.spans} == {0, 1}
    expected = target_values(nli.predict([PAIR]), attribution.target)[0]
    assert attribution.full_value == pytest.approx(expected, abs=1e-5)


def test_integrated_gradients_equal_captum_called_by_hand(sst2: TransformersClassifier) -> None:
    for text, attribution in zip(
        SENTENCES,
        explain.attribute(sst2, SENTENCES, method="integrated_gradients"),
        strict=True,
    ):
        tokens = integrated_gradients_by_hand(sst2, text, attribution.target.index, 300)
        expected = [
            sum(v for start, end, v in tokens if span.start <= start < end <= span.end)
            for span in attribution.spans
        ]
        off = np.linalg.norm(np.subtract(attribution.values, expected))
        assert off <= 0.02 * np.linalg.norm(expected)
        assert attribution.diagnostics.converged is True
        gap = attribution.completeness_gap / (attribution.full_value - attribution.empty_value)
        assert abs(gap) <= 0.01


def test_a_token_in_two_features_is_shared_by_its_characters() -> None:
    segmentation = Segmentation(("abcd efg",), (Span(0, 0, 1), Span(0, 1, 4), Span(0, 5, 8)))
    tokens = [None, Span(0, 0, 4), Span(0, 4, 5), Span(0, 5, 8), None]
    values = np.array([100.0, 8.0, 100.0, 3.0, 100.0])
    np.testing.assert_allclose(sum_onto_features(tokens, values, segmentation), [2, 6, 3])


def test_integrated_gradients_say_where_they_did_not_converge(
    sst2: TransformersClassifier,
) -> None:
    attribution = explain.attribute(
        sst2, SENTENCES[2], method="integrated_gradients", budget=2, tolerance=1e-6
    )
    assert attribution.diagnostics.converged is False
    assert attribution.diagnostics.steps == 2
    assert attribution.diagnostics.ended_by == "budget"
    assert attribution.evaluations == 2


@pytest.mark.parametrize("method", ON_TRANSFORMERS)
def test_many_texts_at_once_equal_each_alone(sst2: TransformersClassifier, method: str) -> None:
    options: dict[str, Any] = {"budget": 128} if method in ("shap", "lime") else {}
    together = explain.attribute(sst2, SENTENCES, method=method, **options)
    for text, one in zip(SENTENCES, together, strict=True):
        alone = explain.attribute(sst2, text, method=method, **options)
        np.testing.assert_allclose(one.values, alone.values, atol=1e-4)
        assert one.evaluations == alone.evaluations


def test_the_same_seed_gives_the_same_bytes_and_another_other_values(
    sst2: TransformersClassifier,
) -> None:
    def run(seed: int) -> Attribution:
        return explain.attribute(sst2, SENTENCES[2], method="lime", seed=seed, budget=64)

    assert run(1).to_json() == run(1).to_json()
    assert run(1).values != run(2).values


def test_each_text_has_a_random_stream_of_its_own_and_its_targets_share_it(
    sst2: TransformersClassifier,
) -> None:
    def run(text: str, target: int) -> tuple[float, ...]:
        return explain.attribute(sst2, text, method="random", target=target).values

    assert run("a b", 0) == run("a b", 1) != run("a c", 0)


@examples(200)
@given(
    order=st.permutations(range(3)),
    weights=st.lists(st.floats(-3, 3), min_size=15, max_size=15),
    method=st.sampled_from(["shap", "lime", "occlusion"]),
)
def test_the_order_of_the_labels_of_a_model_changes_no_value(
    order: list[int], weights: list[float], method: str
) -> None:
    table = np.array(weights).reshape(5, 3)

    def scores(texts: list[str]) -> Any:
        return [np.tanh([letter in text for letter in "abcde"] @ table).tolist() for text in texts]

    def reordered(texts: list[str]) -> Any:
        return np.array(scores(texts))[:, order]

    labels = ["x", "y", "z"]
    one = FunctionClassifier(scores, labels, output="scores")
    other = FunctionClassifier(reordered, [labels[i] for i in order], output="scores")
    found, again = (
        explain.attribute(model, "a b c d e", method=method, target="y") for model in (one, other)
    )
    np.testing.assert_allclose(again.values, found.values, atol=1e-12)


LETTERS = "a b c d e f g h i j k l"


def count_evaluations(targets: list[str | int | None], **options: Any) -> tuple[int, list[str]]:
    """Return how many texts a model is asked for, and the labels that are explained."""
    asked: list[str] = []

    def scores(texts: list[str]) -> list[list[float]]:
        asked.extend(texts)
        return [[t.count("a") - 0.5, len(t) / 9 - 1, -float("b" in t)] for t in texts]

    model = FunctionClassifier(scores, ["x", "y", "z"], output="scores", task="multi_label")
    made = explain.attribute(model, [LETTERS] * len(targets), target=targets, **options)
    return len(asked), [attribution.target.label for attribution in made]


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("shap", {"algorithm": "kernel", "budget": 96}),
        ("shap", {"algorithm": "permutation", "budget": 96}),
        ("lime", {"algorithm": "sampling", "budget": 96}),
        ("occlusion", {}),
    ],
)
def test_several_targets_of_one_text_cost_no_more_than_one(
    method: str, options: dict[str, object]
) -> None:
    one, _ = count_evaluations(["x"], method=method, **options)
    three, labels = count_evaluations(["x", 2, None], method=method, **options)
    assert labels == ["x", "z", "y"]
    assert three == one


def test_each_of_several_targets_is_explained_as_if_it_were_alone(
    sst2: TransformersClassifier,
) -> None:
    text, lime = SENTENCES[2], Lime(budget=128)
    together = explain.attribute(sst2, [text, text], method=lime, target=["negative", 1])
    alone = [explain.attribute(sst2, text, method=lime, target=target) for target in (0, 1)]
    for one, other in zip(together, alone, strict=True):
        assert one.target == other.target
        np.testing.assert_allclose(one.values, other.values, atol=1e-5)


def test_targets_that_are_not_one_for_each_text_are_refused() -> None:
    model = FunctionClassifier(lambda texts: [[0.2, 0.8]] * len(texts), ["no", "yes"])
    with pytest.raises(ConfigurationError, match="2 targets for one text"):
        explain.attribute(model, cast(Any, "some text"), target=["no", "yes"])
    with pytest.raises(ConfigurationError, match="2 targets for 1 texts"):
        explain.attribute(model, ["some text"], target=["no", "yes"])


def test_the_target_can_be_any_label(sst2: TransformersClassifier) -> None:
    by_name = explain.attribute(sst2, SENTENCES[0], method="occlusion", target="negative")
    by_index = explain.attribute(sst2, SENTENCES[0], method="occlusion", target=0)
    predicted = explain.attribute(sst2, SENTENCES[0], method="occlusion")
    assert by_name == by_index
    of_numpy: Any = np.argmin(sst2.predict(SENTENCES[:1])[0])
    assert explain.attribute(sst2, SENTENCES[0], method="occlusion", target=of_numpy) == by_name
    refused: list[Any] = [1.0, {"negative"}, True, 2]
    for wrong in refused:
        with pytest.raises(ConfigurationError, match="no label"):
            explain.attribute(sst2, SENTENCES[:1], target=wrong)
    assert predicted.target.label == "positive"
    np.testing.assert_allclose(by_name.values, -np.array(predicted.values), atol=1e-6)


def test_an_instance_of_a_method_is_as_good_as_its_name(sst2: TransformersClassifier) -> None:
    by_name = explain.attribute(sst2, SENTENCES[0], method="lime", budget=40)
    assert explain.attribute(sst2, SENTENCES[0], method=Lime(budget=40)) == by_name
    assert by_name.parameters == {
        "unit": "word",
        "algorithm": "auto",
        "tolerance": 0.05,
        "budget": 40,
        "seconds": None,
    }


def test_an_attribution_comes_back_from_json(sst2: TransformersClassifier) -> None:
    attribution = explain.attribute(sst2, HOSTILE[0], method="lime")
    assert Attribution.from_json(attribution.to_json()) == attribution


@pytest.mark.parametrize(
    ("unit", "features"),
    [
        ("word", ["Unbelievably", "bad", "!!", "Go", "."]),
        ("sentence", ["Unbelievably bad!!", "Go."]),
        ("token", ["un", "bel", "ie", "va", "bly", "bad", "!", "!", "go", "."]),
    ],
)
def test_the_unit_decides_what_a_feature_is(
    sst2: TransformersClassifier, unit: str, features: list[str]
) -> None:
    attribution = explain.attribute(sst2, "Unbelievably bad!! Go.", method="random", unit=unit)
    assert "".join(attribution.features).replace(" ", "") == "Unbelievablybad!!Go."
    if unit != "token":
        assert list(attribution.features) == features
    else:
        assert len(attribution.features) > 5


def test_text_over_the_limit_is_cut_and_what_was_never_read_is_said(
    sst2: TransformersClassifier,
) -> None:
    read, tail = "good " * 509 + "good", " awful end ."
    (whole,) = segment([read + tail], sst2, "word")
    assert isinstance(whole, Segmentation)
    assert len(whole) == 510
    assert whole.unread == (Span(0, len(read) + 1, len(read + tail)),)
    attribution = explain.attribute(sst2, read + tail, method="shap", unit="sentence")
    assert attribution.full_value == pytest.approx(
        target_values(sst2.predict([read]), attribution.target)[0], abs=1e-5
    )


def test_of_a_word_that_is_cut_only_what_was_read_is_a_feature(
    sst2: TransformersClassifier,
) -> None:
    text = "a " * 509 + "unbelievableness tail"
    (whole,) = segment([text], sst2, "word")
    assert isinstance(whole, Segmentation)
    (unread,) = whole.unread
    assert whole.features[-1] + text[unread.start : unread.end] == "unbelievableness tail"
    assert 0 < len(whole.features[-1]) < len("unbelievableness")


def test_of_a_sentence_that_is_cut_only_what_was_read_is_a_feature(
    sst2: TransformersClassifier,
) -> None:
    (whole,) = segment(["word " * 600], sst2, "sentence")
    assert isinstance(whole, Segmentation)
    assert whole.features == (("word " * 510).strip(),)
    assert whole.unread == (Span(0, 2550, 2999),)


@pytest.mark.parametrize("text", ["the end \x00", "the end\u200b", "\ufeffthe end"])
def test_what_a_tokenizer_drops_is_not_called_cut_off(
    sst2: TransformersClassifier, text: str
) -> None:
    (whole,) = segment([text], sst2, "word")
    assert isinstance(whole, Segmentation)
    assert whole.unread == ()


def test_special_tokens_written_out_by_a_user_are_noticed(sst2: TransformersClassifier) -> None:
    attribution = explain.attribute(sst2, "refund [MASK] now [SEP]", method="random")
    assert attribution.diagnostics.special_tokens == ("[MASK]", "[SEP]")
    assert {"[MASK]", "[SEP]"} < set(attribution.features)
    assert "reads as a token of its own" in reports.render_html(attribution)


def test_a_model_without_gradients_is_told_apart() -> None:
    model = FunctionClassifier(lambda texts: [[0.2, 0.8]] * len(texts), ["no", "yes"])
    attribution = explain.attribute(model, "some text", method="shap")
    assert attribution.removal == "delete"
    assert attribution.values == (0, 0)
    with pytest.raises(CapabilityError, match="no gradients"):
        explain.attribute(model, "some text", method="integrated_gradients")
    with pytest.raises(CapabilityError, match="pass unit='word'"):
        explain.attribute(model, "some text", unit="token")


def test_bad_questions_are_refused(sst2: TransformersClassifier) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'negative'"):
        explain.attribute(sst2, "text", target="negativ")
    with pytest.raises(ConfigurationError, match="did you mean 'word'"):
        explain.attribute(sst2, "text", unit="words")
    with pytest.raises(SegmentationError, match="lone surrogate"):
        explain.attribute(sst2, "a\ud800b")
    with pytest.raises(SegmentationError, match="pass several texts as a list"):
        explain.attribute(sst2, cast(Any, 3))


def test_nan_scores_are_an_error_not_a_number() -> None:
    model = FunctionClassifier(lambda texts: [[np.nan, 1.0]] * len(texts), ["no", "yes"])
    with pytest.raises(PredictionError, match="NaN"):
        explain.attribute(model, "text")


def test_empty_value_is_that_of_the_text_with_every_feature_hidden(
    sst2: TransformersClassifier,
) -> None:
    attribution = explain.attribute(sst2, "good , film", method="occlusion")
    expected = target_values(sst2.predict(["[MASK] [MASK] [MASK]"]), attribution.target)[0]
    assert attribution.empty_value == pytest.approx(expected, abs=1e-5)
    assert text_of(attribution.parts) == "good , film"


def test_the_baseline_of_integrated_gradients_can_be_chosen(
    sst2: TransformersClassifier,
) -> None:
    text = SENTENCES[0]
    mask = explain.attribute(sst2, text, method="integrated_gradients")
    pad = explain.attribute(sst2, text, method=IntegratedGradients(baseline="pad"))
    assert mask.removal == "embedding of the mask token"
    assert pad.removal == "embedding of the pad token"
    assert pad.full_value == pytest.approx(mask.full_value, abs=1e-5)
    assert pad.empty_value != pytest.approx(mask.empty_value, abs=1e-3)
