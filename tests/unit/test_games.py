"""Masked texts are the user's own text with whole features replaced."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from explain.adapters import FunctionClassifier
from explain.engine.games import (
    Delete,
    Masker,
    MaskToken,
    default_masker,
    make_target,
    target_values,
)
from explain.errors import CapabilityError, ConfigurationError
from explain.record import Target, Task
from explain.text.spans import Segmentation, Span, Text, parts_of, text_of
from explain.text.words import words
from tests.helpers import strategies

MASKERS = [MaskToken("[MASK]"), Delete()]


def masked(text: str, masker: Masker, *removed: int) -> Text:
    segmentation = Segmentation((text,), words([text]))
    kept = np.ones(len(segmentation), dtype=bool)
    kept[list(removed)] = False
    return masker(segmentation, kept)


@pytest.mark.parametrize("masker", MASKERS, ids=lambda masker: masker.name)
@given(parts=strategies.parts)
def test_with_everything_kept_the_text_is_given_back_byte_for_byte(
    masker: Masker, parts: tuple[str, ...]
) -> None:
    segmentation = Segmentation(parts, words(parts))
    whole = masker(segmentation, np.ones(len(segmentation), dtype=bool))
    assert whole == text_of(parts)


@given(strategies.masked())
def test_a_mask_token_changes_nothing_but_spaces_outside_of_the_hidden_features(
    case: tuple[tuple[str, ...], list[bool]],
) -> None:
    parts, kept = case
    segmentation = Segmentation(parts, words(parts))
    expected = list(parts)
    for span, keep in reversed(list(zip(segmentation.spans, kept, strict=True))):
        if not keep:
            part = expected[span.part]
            expected[span.part] = part[: span.start] + "\ue000" + part[span.end :]
    masked = parts_of(MaskToken("\ue000")(segmentation, np.array(kept, dtype=bool)))
    for part, left in zip(expected, masked, strict=True):
        assert left.replace(" ", "") == part.replace(" ", "")
        assert len(left) - len(part) <= len(segmentation)


@pytest.mark.parametrize(
    ("removed", "left"),
    [([0], "b c"), ([1], "a c"), ([2], "a b"), ([0, 1], "c"), ([1, 2], "a"), ([0, 1, 2], "")],
)
def test_deleting_takes_one_neighbouring_space_along(removed: list[int], left: str) -> None:
    assert masked("a b c", Delete(), *removed) == left


def test_what_was_never_read_is_part_of_the_whole_text_only() -> None:
    segmentation = Segmentation(("a b tail",), (Span(0, 0, 1), Span(0, 2, 3)), (Span(0, 4, 8),))
    assert MaskToken("_")(segmentation, np.array([True, True])) == "a b tail"
    assert MaskToken("_")(segmentation, np.array([False, True])) == "_ b "
    assert Delete()(segmentation, np.array([True, False])) == "a "


@given(st.lists(st.floats(-20, 20), min_size=2, max_size=6))
def test_log_odds_are_those_of_the_softmax_probability(scores: list[float]) -> None:
    log_p = log_softmax(scores)
    target = Target(label="first", index=0, scale="log_odds")
    log_rest = np.logaddexp.reduce(log_p[1:])
    assert target_values(np.array([scores]), target)[0] == pytest.approx(log_p[0] - log_rest)


@pytest.mark.parametrize(("task", "scale"), [("multi_label", "logit"), ("regression", "value")])
def test_scores_that_are_no_softmax_are_their_own_value(task: Task, scale: str) -> None:
    model = FunctionClassifier(len, ["a", "b"], output="scores", task=task)
    target = make_target(model, np.array([1.0, 3.0]), "a")
    assert target.scale == scale
    assert target_values(np.array([[1.0, 3.0]]), target).tolist() == [1.0]


def test_the_target_is_a_label_an_index_or_the_predicted_one() -> None:
    model = FunctionClassifier(len, ["neg", "pos"])
    scores = np.array([0.0, 1.0])
    assert make_target(model, scores, None).label == "pos"
    assert make_target(model, scores, "neg").index == 0
    assert make_target(model, scores, 0).label == "neg"
    for wanted in ("positiv", 2, -1):
        with pytest.raises(ConfigurationError, match="no label"):
            make_target(model, scores, wanted)


def test_a_model_without_a_mask_token_deletes_and_says_so() -> None:
    model = FunctionClassifier(len, ["neg", "pos"])
    assert default_masker(model).name == "delete"
    with pytest.raises(CapabilityError, match="no mask token"):
        default_masker(model, "mask_token")
    with pytest.raises(ConfigurationError, match="did you mean 'delete'"):
        default_masker(model, "delet")
