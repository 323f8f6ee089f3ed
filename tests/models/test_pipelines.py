"""Of a pipeline its own probabilities are explained, or it is refused with the way out."""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from transformers import (
    AutoModelForCausalLM,
    FeatureExtractionPipeline,
    PreTrainedModel,
    TextClassificationPipeline,
    ZeroShotClassificationPipeline,
    pipeline,
)

import explain
from explain.adapters.transformers import TransformersClassifier
from explain.errors import AdapterError, ExplainError
from tests.helpers.tiny import ARCHITECTURES, LIMIT, Architecture, piece_tokenizer, random_model

TEXTS = ["a good film", "Really BAD, the payment failed again!", "film " * 30]
PROBABILITIES: dict[str, Callable[[Any], Any]] = {
    "single_label": partial(softmax, axis=1),
    "multi_label": expit,
    "regression": lambda scores: scores,
}


def bert(**options: Any) -> PreTrainedModel:
    model = random_model("bert", piece_tokenizer(), max_position_embeddings=LIMIT, **options)
    model.eval()
    return model


def piped(kind: type[Any] = TextClassificationPipeline, **settings: Any) -> Any:
    options = settings.pop("model", {"num_labels": 3})
    model = options if isinstance(options, PreTrainedModel) else bert(**options)
    return kind(model=model, tokenizer=piece_tokenizer(), **settings)


def says(pipe: Any) -> Any:
    """Return what a pipeline itself gives, shape (n_texts, n_labels)."""
    names = pipe.model.config.id2label.values()
    answers = [{d["label"]: d["score"] for d in row} for row in pipe(TEXTS, top_k=None)]
    return np.array([[answer[name] for name in names] for answer in answers])


@pytest.mark.parametrize(
    ("settings", "task"),
    [
        ({}, "single_label"),
        ({"top_k": None}, "single_label"),
        ({"top_k": 2}, "single_label"),
        ({"function_to_apply": "softmax"}, "single_label"),
        ({"function_to_apply": "sigmoid"}, "multi_label"),
        ({"model": {"num_labels": 3, "problem_type": "multi_label_classification"}}, "multi_label"),
        ({"model": {"num_labels": 1}}, "multi_label"),
        ({"model": {"num_labels": 1, "problem_type": "regression"}}, "regression"),
        ({"model": {"num_labels": 1}, "function_to_apply": "none"}, "regression"),
        ({"truncation": True}, "single_label"),
        ({"truncation": True, "max_length": 9}, "single_label"),
        ({"max_length": 9}, "single_label"),
        ({"truncation": True, "max_length": 40, "padding": "max_length"}, "single_label"),
        ({"batch_size": 2}, "single_label"),
    ],
)
def test_what_the_pipeline_says_is_what_is_explained(settings: dict[str, Any], task: str) -> None:
    pipe = piped(**settings)
    classifier = explain.wrap(pipe)
    assert classifier.task == task
    own = PROBABILITIES[task](classifier.predict(TEXTS))
    np.testing.assert_allclose(own, says(pipe), atol=1e-5)


def prefixed(text: str) -> str:
    return f"query : {text}"


PLAIN: Any = TextClassificationPipeline


def cleaned(pipe: Any, inputs: Any, **settings: Any) -> Any:
    """Read a text without what only some texts hold."""
    return PLAIN.preprocess(pipe, inputs.replace("zebra", ""), **settings)


def surer(pipe: Any, inputs: Any) -> Any:
    outputs = PLAIN._forward(pipe, inputs)
    outputs["logits"] = 2 * outputs["logits"]
    return outputs


def with_new_labels(pipe: Any, inputs: Any, **settings: Any) -> Any:
    found = PLAIN.__call__(pipe, inputs, **settings)
    return [[{**entry, "label": "x" + entry["label"]} for entry in row] for row in found]


def subclass(**steps: Any) -> type[Any]:
    """Return a pipeline with some steps of its own."""
    return type("Mine", (PLAIN,), steps)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (partial(piped, add_special_tokens=False), "is what would be explained"),
        (partial(piped, function_to_apply="none"), "is what would be explained"),
        (
            partial(piped, function_to_apply="softmax", model={"num_labels": 1}),
            "is what would be explained",
        ),
        (
            partial(
                piped,
                function_to_apply="softmax",
                model={"num_labels": 3, "problem_type": "multi_label_classification"},
            ),
            "the sigmoid of its model and tokenizer alone",
        ),
        (partial(piped, subclass(preprocess=cleaned)), "has a preprocess of its own"),
        (partial(piped, subclass(_forward=surer)), "has a _forward of its own"),
        (partial(piped, subclass(__call__=with_new_labels)), "has a __call__ of its own"),
    ],
)
def test_a_pipeline_that_does_more_is_refused_with_a_function_to_wrap(
    make: Callable[[], Any], says: str
) -> None:
    with pytest.raises(AdapterError, match=says) as refusal:
        explain.wrap(make())
    assert "wrap a function: names = ['LABEL_0'" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_way_out_that_is_named_gives_what_the_pipeline_says() -> None:
    pipe = piped(subclass(_forward=surer))
    with pytest.raises(AdapterError) as refusal:
        explain.wrap(pipe)
    names, _, wrapped = str(refusal.value).partition("wrap a function: ")[2].partition("; ")
    scope: dict[str, Any] = {"explain": explain, "pipe": pipe}
    exec(names, scope)
    classifier = eval(wrapped, scope)
    np.testing.assert_allclose(np.exp(classifier.predict(TEXTS)), says(pipe), atol=1e-5)


def test_a_step_that_was_exchanged_on_the_object_is_found() -> None:
    pipe = piped()
    read = pipe.preprocess
    pipe.preprocess = lambda inputs, **settings: read(prefixed(inputs), **settings)
    with pytest.raises(AdapterError, match="has a preprocess of its own"):
        explain.wrap(pipe)


def test_a_tokenizer_that_was_exchanged_afterwards_is_the_one_that_is_explained() -> None:
    pipe = piped(truncation=True)
    pipe.tokenizer = piece_tokenizer(limit=12)
    classifier = explain.wrap(pipe)
    assert isinstance(classifier, TransformersClassifier)
    assert classifier.max_length == 12


def test_a_subclass_that_changes_no_step_is_a_pipeline() -> None:
    assert explain.wrap(piped(subclass(describe=lambda pipe: "mine"))).task == "single_label"


def test_a_stated_task_that_the_pipeline_contradicts_is_refused() -> None:
    with pytest.raises(AdapterError, match="the sigmoid of its model and tokenizer alone is"):
        explain.wrap(piped(), task="multi_label")
    assert explain.wrap(piped(), task="single_label").task == "single_label"


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda a: a.name)
def test_a_pipeline_that_cuts_is_taken_and_one_that_reads_on_is_not(
    architecture: Architecture,
) -> None:
    tokenizer = architecture.tokenizer()
    model = random_model(architecture.kind, tokenizer, **architecture.options).eval()
    cutting = pipeline("text-classification", model=model, tokenizer=tokenizer, truncation=True)
    classifier = explain.wrap(cutting)
    long = "good " * LIMIT + "Bad, never again!"
    (answer,) = cast("list[list[dict[str, Any]]]", cutting([long], top_k=None))
    own = softmax(classifier.predict([long])[0])
    for entry in answer:
        index = classifier.labels.index(entry["label"])
        assert own[index] == pytest.approx(entry["score"], abs=1e-4)
    plain = pipeline("text-classification", model=model, tokenizer=tokenizer)
    try:
        plain([long])
    except Exception:
        assert explain.wrap(plain).labels == classifier.labels
    else:
        with pytest.raises(AdapterError, match="pass truncation=True to the pipeline"):
            explain.wrap(plain)


def test_pipelines_of_another_task_are_refused() -> None:
    for kind, options in (
        (ZeroShotClassificationPipeline, {}),
        (FeatureExtractionPipeline, {"model": bert().bert}),
    ):
        with pytest.raises(AdapterError, match=r"another task.*wrap a function"):
            explain.wrap(piped(kind, **options))


def test_a_model_without_a_head_is_refused_in_one_line() -> None:
    bare = bert().bert
    generative = random_model(
        "bert", piece_tokenizer(), AutoModelForCausalLM, max_position_embeddings=LIMIT
    )
    for model in (bare, generative):
        for obj in ((model, piece_tokenizer()), piped(model=model)):
            with pytest.raises(ExplainError) as refusal:
                explain.wrap(obj)
            assert "\n" not in str(refusal.value)
    with pytest.raises(AdapterError, match="it has no classification head; load it with"):
        explain.wrap((bare, piece_tokenizer()))


def test_a_pipeline_is_asked_in_evaluation_mode() -> None:
    pipe = piped(model={"num_labels": 3, "hidden_dropout_prob": 0.5})
    pipe.model.train()
    own = softmax(explain.wrap(pipe).predict(TEXTS), axis=1)
    assert all(layer.training for layer in pipe.model.modules())
    pipe.model.eval()
    np.testing.assert_allclose(own, says(pipe), atol=1e-5)


def test_renamed_columns_of_a_pipeline_keep_their_scores() -> None:
    pipe = piped()
    names = ("refund", "praise", "other")
    classifier = explain.wrap(pipe, labels=names)
    assert classifier.labels == names
    np.testing.assert_array_equal(classifier.predict(TEXTS), explain.wrap(pipe).predict(TEXTS))


def test_half_precision_is_no_reason_to_refuse() -> None:
    model = bert(num_labels=3)
    torch.nn.Module.to(model, torch.bfloat16)
    pipe = piped(model=model)
    assert explain.wrap(pipe).task == "single_label"
