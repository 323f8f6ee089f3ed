"""What is said to a reader is a template with its values, and both are in the record."""

import copy
import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

import explain
from explain.record import Estimate, Measure, Section, Sentence, SentenceLike, join_sentences
from explain.record.sentences import SentenceValue
from explain.record.wording import Wording

ROOT = Path(explain.__file__).parent
SAID: TypeAdapter[str] = TypeAdapter(SentenceLike)

numbers = st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9)
estimates = st.builds(
    lambda ends, n: Estimate(lower=min(ends), value=sorted(ends)[1], upper=max(ends), n=n),
    st.tuples(*[st.floats(-1, 1)] * 3),
    st.integers(0, 10**6),
)
values = st.recursive(
    numbers | st.text() | st.none() | estimates | st.lists(st.text(), min_size=1).map(tuple),
    lambda inner: st.builds(lambda one, other: Sentence("{a} {b}", a=one, b=other), inner, inner),
    max_leaves=5,
)


@given(values, values)
def test_a_sentence_is_read_back_from_json_with_its_template_and_values(
    one: SentenceValue, other: SentenceValue
) -> None:
    sentence = Sentence("It is {one}, and not {other}.", one=one, other=other)
    again = SAID.validate_json(SAID.dump_json(sentence))
    assert isinstance(again, Sentence)
    assert (again, again.template, again.values) == (sentence, sentence.template, sentence.values)


@given(st.text())
def test_a_string_that_is_no_sentence_stays_as_it_is_whatever_braces_it_has(text: str) -> None:
    assert json.loads(SAID.dump_json(text)) == text
    assert SAID.validate_json(json.dumps(text)) == text
    assert Sentence("{label}", label=text) == text


@given(st.lists(st.text()))
def test_joined_sentences_read_as_one_and_each_keeps_its_template(texts: list[str]) -> None:
    sentences = [Sentence("<{text}>", text=text) for text in texts]
    whole = join_sentences("", *sentences, "")
    assert whole == " ".join(f"<{text}>" for text in texts)
    if len(sentences) == 1:
        assert whole is sentences[0]
    if len(sentences) > 1:
        assert isinstance(whole, Sentence)
        assert list(whole.values.values()) == sentences


def test_what_a_measure_is_of_has_the_order_of_its_name_also_when_it_is_read_back() -> None:
    name = Sentence("{words} for {label}", words="b", label="a")
    measure = Measure(name=name, value=0.5, n=2)
    again = Measure.from_json(measure.to_json())
    assert [*again.of.items()] == [*measure.of.items()] == [("words", "b"), ("label", "a")]


SHARE = Measure(name="wrong", value=0.055, lower=0.0351, upper=0.08, n=1402)


@pytest.mark.parametrize(
    ("template", "value", "text"),
    [
        ("{x}", 1234567, "1,234,567"),
        ("{x}", -3, "−3"),
        ("{x} {x:row|rows}", 1, "1 row"),
        ("{x} {x:row|rows}", 1000, "1,000 rows"),
        ("{x:.2f}", -3.14159, "−3.14"),
        ("{x:+.1f}", 2.0, "+2.0"),
        ("{x:percent}", 0.073, "7.3 %"),
        ("{x:percent}", None, "none"),
        ("{x:points}", -0.041, "−4.1 points"),
        ("{x} of {x.n}", SHARE, "5.5 % [3.5, 8.0] of 1,402"),
        ("{x.value:percent}", SHARE, "5.5 %"),
        ("{x:points}", SHARE, "+5.5 [+3.5, +8.0] points"),
        ("{x:.1f}", Estimate(value=1.25, lower=0.5, upper=2, n=3, unit="words"), "1.2 [0.5, 2.0]"),
        ("{x:quoted}", "it's", '"it\'s"'),
        ("{x:and}", ["a", "b", "c"], "a, b and c"),
        ("{x:quoted-or}", ["a", "b"], '"a" or "b"'),
        ("{{x}} {x}", "y", "{x} y"),
    ],
)
def test_each_format_prints_what_a_reader_expects(
    template: str, value: SentenceValue, text: str
) -> None:
    assert Sentence(template, x=value) == text


@given(st.floats(1e-5, 1 - 1e-5))
def test_only_all_and_none_are_printed_as_all_and_none(share: float) -> None:
    assert Sentence("{x:percent}", x=share) not in ("0 %", "100 %")
    assert Sentence("{x:percent} {y:percent}", x=0.0, y=1.0) == "0 % 100 %"


def test_a_translation_takes_the_same_values_and_inner_sentences_in_translation() -> None:
    inner = Sentence("{n} rows", n=2)
    sentence = Sentence(
        "Of {rows}, {x} are {label:quoted} or {all:or}.",
        rows=inner, x=SHARE, label="{n} rows", all=[inner, "{n} rows"],
    )  # fmt: skip
    catalogue = {
        "{n} rows": "{n} Zeilen",
        sentence.template: "{label:quoted}: {x} von {rows}, {all:or}.",
    }
    wording = Wording("%", " Punkte", "nichts", ("„", "“"), lambda words, joint: "/".join(words))
    translated = sentence.translated(lambda text: catalogue.get(text, text), wording)
    assert translated == "„{n} rows“: 5.5% [3.5, 8.0] von 2 Zeilen, 2 Zeilen/{n} rows."
    assert (translated.template, translated.values) == (sentence.template, sentence.values)


def test_sentences_in_a_list_are_read_back_as_sentences() -> None:
    sentence = Sentence("{all:and}", all=["a", Sentence("{n} rows", n=2)])
    section = Section(id="a", title="A", summary=sentence)
    summary = Section.model_validate_json(section.model_dump_json()).summary
    assert isinstance(summary, Sentence)
    assert summary == sentence == "a and 2 rows"
    assert summary.values == sentence.values


@pytest.mark.parametrize(
    "stored",
    [
        {"template": "{x.__class__}", "values": {"x": "y"}},
        {"template": "{x.model_fields}", "values": {"x": {"value": 1, "n": 1}}},
        {"template": "{x!r}", "values": {"x": "y"}},
        {"template": "{y}", "values": {"x": 1}},
        {"template": "{", "values": {}},
        {"template": "{x:9999999999}", "values": {"x": 1}},
        {"template": "{x:>9999999999.1f}", "values": {"x": 1.5}},
        {"template": "{x:.99999999f}", "values": {"x": 1.5}},
        {"template": "{x}", "values": {"x": {"value": 1}}},
        {"template": "{x:quoted}", "values": {"x": 1}},
        {"template": 1, "values": {}},
        {"template": "a"},
        ["a"],
        3,
    ],
)
def test_a_record_cannot_reach_beyond_the_values_of_a_template(stored: object) -> None:
    with pytest.raises(ValidationError):
        SAID.validate_json(json.dumps(stored))


def test_copies_are_sentences_too() -> None:
    sentence = Sentence("{n} of {all}", n=1, all=SHARE)
    for again in (copy.deepcopy(sentence), pickle.loads(pickle.dumps(sentence))):
        assert (again, again.template, again.values) == (
            sentence, sentence.template, sentence.values,
        )  # fmt: skip


def test_what_measures_leaves_the_writing_of_numbers_to_sentences() -> None:
    writers = [
        path
        for room in ("checks", "evaluation", "auditing")
        for path in (ROOT / room).rglob("*.py")
        if "record.wording import" in path.read_text(encoding="utf-8")
    ]
    assert not writers
