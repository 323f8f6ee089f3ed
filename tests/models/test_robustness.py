"""What leaves the meaning as it is leaves the answer as it is, or is reported."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import explain
from explain.adapters import FunctionClassifier
from explain.checks import make_check
from explain.checks.robustness.perturbations import NEGATIONS, PERTURBATIONS, rewrite
from explain.record import Measure, Section
from explain.text.spans import Span
from tests.helpers.plain_strings import composed_strings
from tests.helpers.search import examples
from tests.helpers.words import FILLERS

ALL_PERTURBATIONS = {transform.name: transform for transform in (*PERTURBATIONS, *NEGATIONS)}
GOOD, BAD = ("superb", "lovely", "brilliant"), ("boring", "dreadful", "clumsy")


def rewrite_text(name: str, text: str, seed: int = 0) -> str:
    return rewrite((text,), (), ALL_PERTURBATIONS[name], np.random.default_rng(seed))[0]


def reviews(seed: int, n: int = 300) -> list[dict[str, Any]]:
    """Return reviews of two to four words that decide and some that do not."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        label = int(rng.integers(2))
        words = [*rng.choice(FILLERS, 9), *rng.choice((BAD, GOOD)[label], rng.integers(2, 5))]
        text = " ".join(rng.permutation(words)).capitalize() + "."
        rows.append({"text": text, "label": ("neg", "pos")[label]})
    return rows


def count(text: str) -> float:
    words = re.findall(r"\w+", text.lower())
    return sum(word in GOOD for word in words) - sum(word in BAD for word in words) + 0.1


def section(
    function: Any, rows: Sequence[Any], task: Any = "single_label", **options: Any
) -> Section:
    labels = ["score"] if task == "regression" else ["neg", "pos"]
    model = FunctionClassifier(function, labels, output="scores", task=task)
    seed, pair = options.pop("seed", 0), options.pop("text_pair", None)
    check = make_check("robustness", **options)
    record = explain.audit(
        model, rows, instances=0, methods=[], checks=[check], seed=seed, text_pair=pair
    )
    found = next(s for s in record.sections if s.id == "robustness")
    assert composed_strings(found) == set()
    return found


def clean(texts: Sequence[str]) -> list[list[float]]:
    return [[-count(text), count(text)] for text in texts]


def blind_to_capitals(texts: Sequence[str]) -> list[list[float]]:
    return [[0.0, count(text) if not text.isupper() else -1.0] for text in texts]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("lower case", "A Film", "a film"),
        ("upper case", "A Film", "A FILM"),
        ("initial capitals", "it's a film", "It's A Film"),
        ("white space", "a film", "  a  film\n"),
        ("no end mark", "Really good!? ", "Really good "),
        ("no end mark", "这部电影很好。", "这部电影很好"),
        ("emoji", "fine", "fine 📎"),
        ("number in words", "there are 3 of the 1-2", "there are three of the 1-2"),
        ("number in digits", "the one of the Two that I have", "the one of the 2 that I have"),
        ("number in digits", "zwei von two", "zwei von two"),
        ("no accents", "café señor", "cafe senor"),
        ("no accents", "हिंदी Ёж", "हिंदी Ёж"),
        ("homoglyph", "a piece", "a ріесе"),
        ("not inserted", "this is the best of them", "this is not the best of them"),
        ("not inserted", "this is not the best of them", "this is not the best of them"),
        ("not inserted", "Is it the best of them?", "Is it the best of them?"),
        ("not removed", "it isn't the best", "it is the best"),
        ("not removed", "it can't be, I cannot", "it can't be, I cannot"),
        ("not removed", "I can't see it", "I can see it"),
        ("not removed", "I cannot see it", "I can see it"),
        ("not removed", "it was not good", "it was good"),
        ("not removed", "Not bad", "bad"),
        ("not removed", "is it (not) so", "is it () so"),
        ("not removed", "good,not bad", "good, bad"),
        ("not removed", "it is\nnot so", "it is\nso"),
        ("emoji", "fine\n", "fine\n📎"),
        ("number in words", "it is 3's and the 4!", "it is three 's and the four!"),
    ],
)  # fmt: skip
def test_a_change_of_writing_does_what_it_says(name: str, text: str, expected: str) -> None:
    assert rewrite_text(name, text) == expected


@examples(40)
@given(
    text=st.text(max_size=60),
    name=st.sampled_from(sorted(ALL_PERTURBATIONS)),
    seed=st.integers(0, 9),
)
def test_any_text_can_be_rewritten_and_the_seed_decides_how(
    text: str, name: str, seed: int
) -> None:
    assert rewrite_text(name, text, seed) == rewrite_text(name, text, seed)
    assert rewrite_text(name, "") == ""


@examples(40)
@given(
    words=st.lists(st.from_regex(r"[a-z]{1,12}", fullmatch=True), min_size=1, max_size=8),
    name=st.sampled_from(["typo", "OCR", "accent", "homoglyph"]),
    seed=st.integers(0, 99),
)
def test_a_fault_touches_one_word_of_five_letters_or_more(
    words: list[str], name: str, seed: int
) -> None:
    after = rewrite_text(name, " ".join(words), seed).split(" ")
    changed = [before for before, now in zip(words, after, strict=True) if before != now]
    assert len(changed) <= 1
    assert all(len(word) >= 5 for word in changed)


def test_a_typing_error_keeps_the_first_and_the_last_letter() -> None:
    for seed in range(50):
        after = rewrite_text("typo", "brilliant", seed)
        assert after[0] + after[-1] == "bt"
        assert len(after) in (8, 9)


def test_what_the_model_never_reads_is_not_rewritten() -> None:
    parts, rng = ("good film here", "and there"), np.random.default_rng(0)
    after = rewrite(parts, (Span(0, 9, 14),), ALL_PERTURBATIONS["upper case"], rng)
    assert after == ("GOOD FILM here", "AND THERE")


def test_a_model_that_capitals_confuse_is_found_and_a_clean_one_is_not() -> None:
    for seed in range(3):
        assert section(clean, reviews(seed, 150), seed=seed).findings == ()
        (finding,) = section(blind_to_capitals, reviews(seed, 150), seed=seed).findings
        assert "capital letters" in finding.claim
        assert finding.measure is not None
        assert finding.measure.name == "flip rate, upper case"
        assert 0.4 < (finding.measure.value or 0) < 0.6
        assert len(finding.evidence) == 4


def test_a_text_that_a_change_leaves_as_it_is_does_not_count() -> None:
    found = section(clean, [{"text": "superb film"}, {"text": "Superb film"}])
    rates = {measure.name: measure.n for measure in found.measures}
    assert rates["flip rate, lower case"] == 1
    assert rates["flip rate, upper case"] == 2
    assert "flip rate, number in words" not in rates
    assert "flip rate, not inserted" not in rates


def test_texts_are_drawn_once_each_and_the_same_with_the_same_seed() -> None:
    rows = reviews(0, 60) + reviews(0, 60)
    found = section(clean, rows, texts=50)
    assert {m.n for m in found.measures if m.name == "flip rate, upper case"} == {50}
    assert section(clean, rows, texts=500).tables[0].rows[0][1] == 60
    assert section(clean, rows, texts=50) == found != section(clean, rows, texts=50, seed=1)


def test_a_regression_has_no_label_to_flip() -> None:
    def value(texts: Sequence[str]) -> list[list[float]]:
        return [[count(text) + 5 * text.isupper()] for text in texts]

    found = section(value, reviews(0, 40), "regression")
    moved = {measure.name: measure.value for measure in found.measures}
    assert moved["change of the value, upper case"] == pytest.approx(5)
    assert moved["change of the value, emoji"] == 0
    assert found.findings == ()


def test_only_the_second_text_of_a_pair_is_negated() -> None:
    def negated(pairs: Sequence[tuple[str, str]]) -> list[list[float]]:
        return [[0.0, 1.0 - 2 * (" not " in b) - 9 * (" not " in a)] for a, b in pairs]

    rows = [{"text": f"There are {i} of the men.", "b": "This is the sea."} for i in range(20, 40)]
    found = section(negated, rows, text_pair="b")
    (negation,) = [table for table in found.tables if table.title == "Negation"]
    changed, moved = negation.rows[0][1:3]
    assert isinstance(changed, Measure)
    assert isinstance(moved, Measure)
    assert changed.value == 1
    assert moved.value == pytest.approx(1 / (1 + np.exp(1)) - 1 / (1 + np.exp(-1)))


def test_where_nothing_can_be_rewritten_nothing_is_measured() -> None:
    rows = [{"text": "superb film", "label": "pos"}]

    def fails(texts: Sequence[str]) -> list[list[float]]:
        return [[0.0, 1.0] if text == "superb film" else [np.nan, np.nan] for text in texts]

    assert "8 of 8 texts that this check asked for got no answer" in str(
        section(fails, rows).skipped
    )


@given(st.text("ab .!?。\n\u00a0"))
def test_the_mark_at_the_end_is_what_the_plain_pattern_finds(text: str) -> None:
    plain = re.sub(r"\s*[.!?…。！？।؟۔]+(?=\s*\Z)", "", text)
    assert ALL_PERTURBATIONS["no end mark"].rewrite(text, np.random.default_rng(0)) == plain


@pytest.mark.parametrize("name", ALL_PERTURBATIONS)
@pytest.mark.parametrize("text", [" " * 10**6, "." * 10**6 + "x", "!? " * 10**5 + "x", "é" * 10**6])
def test_no_rewriting_takes_a_square_of_time(name: str, text: str) -> None:
    ALL_PERTURBATIONS[name].rewrite(text, np.random.default_rng(0))
