"""Texts are written in another style and stay the same texts; one finding explains another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import explain
from explain.auditing.causes import _phi
from explain.checks.shortcuts.text_styles import STYLES
from explain.record import AuditRecord
from explain.testing.planted import planted
from explain.testing.planted.shortcut_cases import CASES

STYLE = {style.name: style for style in STYLES}
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("style", "text", "otherwise"),
    [
        ("a date like 2024-03-31", "On 2021-12-05 it came.", "On 12/05/2021 it came."),
        ("a date like 2024-03-31", "On 2021-12-05 it came.", "On 05.12.2021 it came."),
        ("a date like 31 March 2024", "On 5 December 2021 it came.", "On 2021-12-05 it came."),
        ("a date like March 31, 2024", "On December 5, 2021 it came.", "On 5 Dec. 2021 it came."),
        ("numbers like 1,000", "It costs 12,345 now.", "It costs 12345 now."),
        ("capitals throughout", "IT CAME LATE", "it came late"),
        ("! at the end", "It came late!", "It came late."),
    ],
)
def test_a_text_is_written_so_with_the_same_words(style: str, text: str, otherwise: str) -> None:
    assert STYLE[style].holds(text)
    assert STYLE[style].add(otherwise, RNG) == text


def test_a_date_that_is_none_stays_as_it_is() -> None:
    text = "Part 2021-14-35 is missing."
    assert STYLE["a date like 2024-03-31"].remove(text, RNG) == text


@given(st.sampled_from(["It came on 12/05/2021", "He paid 1,000 dollars", "GOOD 🙂", "Ah!"]),
       st.sampled_from(STYLES))  # fmt: skip
def test_each_style_is_there_after_it_was_added_and_gone_after_it_was_removed(
    text: str, style: object
) -> None:
    one = next(s for s in STYLES if s is style)
    assert one.holds(one.add(text, RNG)) or one.name == "a word in capitals"
    if one.holds(text):
        assert not one.holds(one.remove(text, RNG)) or one.name == "no capitals"


def test_two_sets_of_texts_agree_where_one_is_the_other_or_its_rest() -> None:
    members = np.array([True, False, False, True, False])
    assert _phi(members, members) == pytest.approx(1)
    assert _phi(members, ~members) == pytest.approx(-1)
    assert _phi(members, np.ones(5, np.bool_)) == 0


def audit(name: str, seed: int, *checks: str) -> AuditRecord:
    case = planted(name, seed)
    return explain.audit(
        case.classifier, case.rows, instances=0, seed=seed, checks=checks, **case.options
    )


@pytest.mark.parametrize("name", CASES)
def test_a_planted_shortcut_is_the_first_finding(name: str) -> None:
    assert audit(name, 1, "shortcuts").findings[0].code in planted(name).codes


def test_a_slice_that_a_shortcut_makes_follows_the_shortcut() -> None:
    """Half of the texts with the token have another label, and the model is wrong on them."""
    case = planted("clean", 3, rows=400)
    rows = [
        {**row, "text": f"{row['text']} zorbix"} if number % 5 == 0 else row
        for number, row in enumerate(case.rows)
    ]

    def scores(texts: object) -> object:
        own = list(texts) if isinstance(texts, list | tuple) else []
        seen = np.array([12.0 * ("zorbix" in text) for text in own])
        return case.classifier.predict(own) + np.outer(seen, [1, 0, 0])

    model = explain.adapters.FunctionClassifier(
        scores, list(case.classifier.labels), name="token", output="scores"
    )
    findings = explain.audit(
        model, rows, label="label", instances=0, checks=["shortcuts", "slices"]
    ).findings
    assert findings[0].id == "shortcuts.word[zorbix]"
    assert [f.cause for f in findings if f.code == "slices.worse" and "zorbix" in f.subject] == [
        findings[0].id
    ]
