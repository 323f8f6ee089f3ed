"""Counterfactuals of real models, verified on the model itself."""

from pathlib import Path

import pytest

import explain
from explain.record import Counterfactual, DecisiveSet
from explain.text.spans import Text, text_of

REVIEWS = (
    "one long string of cliches .",
    "a very well-made , funny and entertaining picture .",
    "it is not a good film , and not even a bad one .",
)


def verify(model: explain.adapters.TextClassifier, found: Counterfactual) -> None:
    """Check every statement of a counterfactual that the model itself can confirm."""
    whole = int(model.predict([text_of(found.parts)]).argmax())
    assert found.is_given
    assert found.target.index == whole
    for one, changes in ((found.necessary, True), (found.sufficient, False)):
        if one.places is None:
            continue
        scores = model.predict([text_of(one.parts)])[0]
        assert (int(scores.argmax()) != whole) == changes
        assert one.predicted == model.labels[int(scores.argmax())]
        assert one.is_confirmed
        check_text(found, one, removed=changes)
    assert 2 <= found.evaluations <= int(str(found.parameters["budget"])) + 2


def check_text(found: Counterfactual, one: DecisiveSet, *, removed: bool) -> None:
    """Check that the text has a mask for each word that is not there, and the others."""
    n_masks = " ".join(one.parts).count("[MASK]")
    n_words = len(one.places or ())
    assert n_masks == (n_words if removed else len(found.spans) - n_words)


@pytest.mark.parametrize("text", REVIEWS)
def test_the_counterfactuals_of_reviews_are_what_the_model_says(shared: Path, text: str) -> None:
    model = explain.load(shared / "models" / "sst2-minilm")
    found = explain.counterfactual(model, text, budget=120)
    verify(model, found)
    if found.necessary.smallest and found.necessary.places is not None:
        # Nothing smaller: no word alone changes the answer.
        assert len(found.necessary.places) == 1 or found.necessary.all_tried >= 1


def test_the_counterfactual_of_a_pair_is_what_the_model_says(shared: Path) -> None:
    model = explain.load(shared / "models" / "nli-minilm")
    pair: Text = ("A man is playing a guitar .", "Nobody is playing a guitar .")
    found = explain.counterfactual(model, pair, budget=80)
    verify(model, found)
    assert len(found.parts) == 2
