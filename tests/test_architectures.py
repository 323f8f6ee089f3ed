"""What holds for BERT holds for models that look at ids, count positions, or have one output."""

from typing import Any

import numpy as np
import pytest
import torch

import explain
from explain.adapters.transformers import TransformersClassifier
from explain.errors import AdapterError, CapabilityError, PredictionError
from explain.games import target_values
from tests.tiny import byte_tokenizer, random_model

TEXTS = ["a good film 👍", "really bad , مرحبا", "这部电影", "the payment\r\nfailed", "", "?!"]


def roberta(**options: Any) -> TransformersClassifier:
    tokenizer = byte_tokenizer(mask=True, limit=10**30)
    model = random_model("roberta", tokenizer, max_position_embeddings=66, **options)
    return TransformersClassifier(model, tokenizer)


def gpt2() -> TransformersClassifier:
    tokenizer = byte_tokenizer(mask=False, limit=64)
    model = random_model("gpt2", tokenizer, n_positions=64, n_inner=32)
    return TransformersClassifier(model, tokenizer)


@pytest.fixture(params=[roberta, gpt2], ids=["roberta", "gpt2"])
def model(request: pytest.FixtureRequest) -> TransformersClassifier:
    classifier: TransformersClassifier = request.param()
    return classifier


@pytest.mark.parametrize("unit", ["word", "token", "sentence"])
def test_the_full_value_is_that_of_the_exact_text(model: TransformersClassifier, unit: str) -> None:
    for text, attribution in zip(
        TEXTS, explain.attribute(model, TEXTS, method="shap", unit=unit), strict=True
    ):
        expected = target_values(model.predict([text]), attribution.target)[0]
        assert attribution.full_value == pytest.approx(expected, abs=1e-5)
        assert abs(attribution.completeness_gap) < 1e-6


@pytest.mark.parametrize("baseline", ["mask", "pad"])
def test_integrated_gradients_start_where_captum_starts(
    model: TransformersClassifier, baseline: str
) -> None:
    if baseline == "mask" and model.mask_token is None:
        with pytest.raises(CapabilityError, match="no mask token"):
            model.baseline_id("mask")
        return
    options: dict[str, Any] = {"method": "integrated_gradients", "baseline": baseline}
    for attribution in explain.attribute(model, TEXTS[:4], **options):
        assert attribution.diagnostics["converged"] is True


def test_a_text_over_the_limit_is_cut_where_positions_start_late() -> None:
    model = roberta()
    assert model.max_length == 66 - 2 - 1
    assert np.isfinite(model.predict(["film " * 100])).all()
    ((unread,),) = model.unread(["film " * 100])
    assert unread.end in (499, 500)


def test_an_output_that_does_not_fit_the_labels_is_refused() -> None:
    model = roberta(num_labels=3)
    model.labels = ("a", "b")
    with pytest.raises(PredictionError, match=r"shape \(1, 3\) for 1 texts and 2 labels"):
        model.predict(["text"])


def test_an_output_of_one_column_is_never_spread_over_two() -> None:
    model = roberta()
    head: Any = model.model.classifier
    head.out_proj = torch.nn.Linear(16, 1)
    with pytest.raises(PredictionError, match=r"shape \(1, 1\)"):
        model.predict(["text"])


def test_a_regression_explains_its_plain_output_and_judges_no_row() -> None:
    model = roberta(num_labels=1)
    record = explain.audit(
        model, [{"text": t, "label": str(i)} for i, t in enumerate(TEXTS)], label="label"
    )
    assert model.task == "regression"
    assert {i.right for i in record.instances} == {None}
    assert {i.probability for i in record.instances} == {None}
    assert [s.name for s in record.plan.strata] == ["random"]
    assert record.instances[0].attributions[0].target.scale == "value"


def test_multi_label_targets_are_logits_and_no_row_is_judged() -> None:
    model = roberta(num_labels=3, problem_type="multi_label_classification")
    record = explain.audit(model, [{"text": t, "label": "LABEL_0"} for t in TEXTS], label="label")
    assert {i.right for i in record.instances} == {None}
    attribution = explain.attribute(model, TEXTS[0], target="LABEL_1", method="occlusion")
    assert attribution.target.scale == "logit"
    assert attribution.full_value == pytest.approx(model.predict(TEXTS[:1])[0, 1], abs=1e-5)


def test_an_unknown_problem_type_is_refused() -> None:
    model = roberta()
    model.model.config.__dict__["problem_type"] = "nonsense"
    with pytest.raises(AdapterError, match="problem_type of the model is 'nonsense'"):
        TransformersClassifier(model.model, model.tokenizer)
