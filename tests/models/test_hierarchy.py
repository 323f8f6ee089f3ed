"""Long texts are explained by sentences, then by words, on real models too."""

import pytest

import explain
from explain.adapters.transformers import TransformersClassifier
from explain.engine.games import target_values
from explain.record import Attribution
from explain.text.spans import text_of
from explain.text.words import words
from tests.helpers.tiny import byte_tokenizer, random_model

LONG = (
    "The first hour is slow, and I almost left. Then everything changed! The actors found each "
    "other, the music rose, and the story became a stunning, lyrical work about two brothers who "
    "never say what they want. I cried twice. The ending is perhaps too neat, but nobody in the "
    "theatre minded, and neither did I. Go and see it on a large screen with somebody you love."
)


@pytest.fixture(scope="module", params=["shap", "lime", "occlusion", "random"])
def real(request: pytest.FixtureRequest, sst2: TransformersClassifier) -> Attribution:
    method: str = request.param
    if method in ("shap", "lime"):
        return explain.attribute(sst2, LONG, method=method, unit="auto", budget=96)
    return explain.attribute(sst2, LONG, method=method, unit="auto")


def test_on_a_real_model_the_sums_hold_at_both_levels_within_the_budget(
    real: Attribution, sst2: TransformersClassifier
) -> None:
    expected = target_values(sst2.predict([LONG]), real.target)[0]
    assert real.full_value == pytest.approx(expected, abs=1e-5)
    assert real.evaluations <= (96 if real.method in ("shap", "lime") else 80)
    refined = 0
    for group in real.groups:
        places = real.places_in(group)
        refined += len(places) > 1
        if real.efficient:
            total = sum(real.values[places.start : places.stop])
            assert total == pytest.approx(group.value, abs=1e-6)
    assert refined
    if real.efficient:
        difference = real.full_value - real.empty_value
        assert sum(group.value for group in real.groups) == pytest.approx(difference, abs=1e-6)
        assert abs(real.completeness_gap) < 1e-6


def test_what_the_model_never_read_is_in_no_sentence() -> None:
    tokenizer = byte_tokenizer(mask=True, limit=200)
    model = random_model("roberta", tokenizer, max_position_embeddings=203)
    text = "good film . " * 100
    found = explain.attribute((model, tokenizer), text, unit="auto", budget=40)
    assert len(found.groups) > 10
    assert found.unread
    assert found.groups[-1].span.end <= found.unread[0].start
    assert text_of(found.parts) == text


def test_by_gradients_a_long_text_is_explained_by_words(sst2: TransformersClassifier) -> None:
    found = explain.attribute(sst2, LONG, method="integrated_gradients", unit="auto", budget=16)
    assert found.groups == ()
    assert found.spans == words([LONG])
    assert found.parameters["features"] == "words"
