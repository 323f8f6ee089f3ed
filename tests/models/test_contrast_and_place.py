"""Contrast sets that get one answer, words whose place decides, texts cut to a length."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

import explain
from explain.adapters import FunctionClassifier
from explain.checks.shortcuts.position import _at_edge, _within
from explain.checks.shortcuts.text_styles import length_ranges
from explain.record import Section
from explain.testing.planted import planted
from explain.text.words import words

NAMES = ("film", "story", "cast", "plot", "scene")


def contrast_rows(seed: int, n: int = 80) -> list[dict[str, str]]:
    """Return pairs that differ in one word, which tells the label."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        body = ["the", str(rng.choice(NAMES)), "of", "this", str(rng.choice(NAMES)), "is"]
        for word, label in (("good", "positive"), ("bad", "negative")):
            rows.append({"text": " ".join([*body, word]), "label": label, "pair": str(i)})
    return rows


def section(
    follows: float, rows: list[dict[str, str]], label: str = "label", scale: float = 4.0
) -> Section:
    """Return the section on a model that reads the word, by a weight, and the first name."""

    def scores(texts: Sequence[str]) -> NDArray[np.float64]:
        sums = [
            follows * (("good" in text) - ("bad" in text)) + (1 - 2 * (text.split()[1] > "g"))
            for text in texts
        ]
        return scale * np.outer(sums, [-0.5, 0.5])

    model = FunctionClassifier(scores, ["negative", "positive"], name="one word", output="scores")
    return explain.audit(
        model, rows, label=label, group=["pair"], instances=0, checks=["shortcuts"]
    ).sections[0]


def test_contrast_sets_are_counted_and_a_model_that_reads_the_edit_is_right_on_all() -> None:
    own = section(2.0, contrast_rows(0))
    values = {measure.name: (measure.value, measure.n) for measure in own.measures}
    assert values["contrast sets with all answers right"] == (1.0, 80)
    assert values["contrast sets that get one answer"] == (0.0, 80)
    assert "shortcuts.contrast" not in {finding.code for finding in own.findings}


def test_a_model_that_does_not_read_the_edit_is_told() -> None:
    own = section(0.0, contrast_rows(0))
    (finding,) = [f for f in own.findings if f.code == "shortcuts.contrast"]
    assert finding.subject == "pair"
    assert finding.measure is not None
    assert finding.measure.value == 1


def test_labels_that_the_model_itself_expects_to_differ_make_no_finding() -> None:
    """Labels drawn from the model's own probabilities: it is unsure, and right about that."""
    rng, rows = np.random.default_rng(1), contrast_rows(1)
    for row in rows:
        first = row["text"].split()[1]
        p = 1 / (1 + np.exp(-0.2 * (1 - 2 * (first > "g"))))
        row["label"] = "positive" if rng.random() < p else "negative"
    codes = {finding.code for finding in section(0.0, rows, scale=0.2).findings}
    assert "shortcuts.contrast" not in codes


@pytest.mark.parametrize("change", [{"pair": ""}, {"text": "another text of other words"}])
def test_rows_that_are_no_edits_of_each_other_are_no_contrast_sets(change: dict[str, str]) -> None:
    rows = [{**row, **(change if i % 2 else {})} for i, row in enumerate(contrast_rows(0))]
    assert not [m for m in section(2.0, rows).measures if "contrast" in m.name]


@pytest.mark.parametrize("name", ["position", "length"])
def test_what_the_planted_model_does_not_follow_is_no_finding(name: str) -> None:
    """The messages of the defect, read by the clean model."""
    case = planted(name, 3)
    findings = explain.audit(
        planted("clean").classifier, case.rows, label="label", instances=0, checks=["shortcuts"]
    ).findings
    assert not [f for f in findings if f.code in case.codes]


@pytest.mark.parametrize(
    ("text", "end", "expected"),
    [
        ("It came late.", "end", "It came late perhaps."),
        ("It came late", "end", "It came late perhaps"),
        ("It came late!?", "start", "perhaps It came late!?"),
        ("", "end", "perhaps"),
    ],
)
def test_a_word_is_put_before_the_last_marks_or_first(text: str, end: str, expected: str) -> None:
    assert _at_edge(text, "perhaps", "end" if end == "end" else "start") == expected


def test_a_word_is_put_between_two_words_and_keeps_the_others() -> None:
    for seed in range(20):
        text = _within("It came late, sadly.", "perhaps", np.random.default_rng(seed))
        found = [text[s.start : s.end] for s in words((text,))]
        assert [w for w in found if w != "perhaps"] == ["It", "came", "late", ",", "sadly", "."]
        assert found.index("perhaps") not in (0, len(found) - 1)


@pytest.mark.parametrize("end", ["start", "end"])
def test_a_word_of_a_text_without_spaces_gets_none(end: Literal["start", "end"]) -> None:
    assert " " not in _at_edge("这部电影很好看。", "也许", end)
    assert " " not in _within("这部电影很好看。", "也许", np.random.default_rng(0))


def test_the_quarters_of_lengths_hold_each_length_once() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        lengths = rng.integers(1, 30, int(rng.integers(2, 60)))
        ranges = length_ranges(lengths)
        if len(set(lengths.tolist())) > 1:
            assert all(sum(low <= n <= high for low, high in ranges) == 1 for n in lengths)
