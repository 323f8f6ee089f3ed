"""Hiding a word is seen by a tokenizer as it was meant."""

from typing import Any

import numpy as np
import pytest

from explain.engine.games import (
    Delete,
    Masker,
    MaskToken,
)
from explain.text.spans import Segmentation, Text
from explain.text.words import words
from tests.helpers import strategies
from tests.helpers.tiny import byte_tokenizer


def features(text: str) -> list[str]:
    return list(Segmentation((text,), words([text])).features)


def masked(text: str, masker: Masker, *removed: int) -> Text:
    segmentation = Segmentation((text,), words([text]))
    kept = np.ones(len(segmentation), dtype=bool)
    kept[list(removed)] = False
    return masker(segmentation, kept)


@pytest.fixture(params=["byte-level BPE", "WordPiece"])
def tokenizer(request: pytest.FixtureRequest) -> Any:
    if request.param == "byte-level BPE":
        return byte_tokenizer(mask=True, limit=512)
    return request.getfixturevalue("sst2").tokenizer


@pytest.mark.parametrize("script", strategies.SCRIPTS)
def test_hiding_a_word_of_any_script_changes_no_other_visible_character(
    tokenizer: Any, script: str
) -> None:
    text = strategies.SCRIPTS[script]
    segmentation = Segmentation((text,), words([text]))
    everything = np.ones(len(segmentation), dtype=bool)
    mask_token = MaskToken(tokenizer.mask_token)
    assert mask_token(segmentation, everything) == text == Delete()(segmentation, everything)
    for number, (_, start, end) in enumerate(segmentation.spans):
        before, after = text[:start], text[end:]
        hidden = masked(text, mask_token, number)
        assert hidden == before + tokenizer.mask_token + after
        assert tokenizer(hidden)["input_ids"].count(tokenizer.mask_token_id) == 1
        left = {before + after, before.removesuffix(" ") + after, before + after.removeprefix(" ")}
        neighbours = [f for i, f in enumerate(segmentation.features) if i != number]
        if features(before + after) == neighbours or " " in before[-1:] + after[:1]:
            assert masked(text, Delete(), number) in left
        else:
            assert masked(text, Delete(), number) == f"{before} {after}"
