"""Reports in another language: catalogues that are whole, and records that stay as they are."""

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from string import Formatter
from typing import cast

import pytest
from babel.dates import format_date
from babel.lists import format_list
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from explain.attribution.methods import METHODS, title_of
from explain.cli import DEMO
from explain.errors import ConfigurationError
from explain.record import (
    Estimate,
    InstanceLink,
    Measure,
    Section,
    Sentence,
    SystemIdentity,
    Table,
    join_sentences,
)
from explain.record.wording import MOST_NAMED
from reports import LanguageCode
from reports.languages import (
    DOMAINS,
    language,
    messages_of,
    speaking,
    translate,
    translated_sentence,
)
from reports.languages.chinese import CHINESE, chinese_date
from reports.languages.records import OWN_METHODS, translated_record
from tests.helpers.messages import (
    LANGUAGES,
    page_texts_of,
    pages,
    sentences,
    sentences_of,
    template_texts_of,
)
from tests.helpers.records import audit_record

FOLDER = LANGUAGES / "zh_CN" / "LC_MESSAGES"
UPDATE = "write the catalogues anew with `make messages`, and translate what is new"


def catalogue(domain: str) -> dict[str, str]:
    """Return the translations of a domain, without those that somebody doubts."""
    with (FOLDER / f"{domain}.po").open("rb") as file:
        messages = [message for message in read_po(file, locale="zh_CN") if not message.fuzzy]
    return {str(message.id): str(message.string) for message in messages if message.id}


MESSAGES = {english: text for domain in DOMAINS for english, text in catalogue(domain).items()}


# ── The catalogues ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("domain", "collect"), [("sentences", sentences), ("pages", pages)])
def test_a_catalogue_has_all_that_is_said_and_nothing_else(
    domain: str, collect: Callable[[], dict[str, list[str]]]
) -> None:
    said, known = collect().keys(), catalogue(domain).keys()
    assert said == known, f"{sorted(said ^ known)}: {UPDATE}"


def test_each_message_has_a_translation() -> None:
    assert not [english for english, text in MESSAGES.items() if not text], UPDATE


def fields(template: str) -> set[tuple[str, str]]:
    """Return the fields with their formats; a noun for a number need not be translated as one."""
    parts = Formatter().parse(template)
    return {(name, spec or "") for _, name, spec, _ in parts if name and "|" not in (spec or "")}


@pytest.mark.parametrize("domain", DOMAINS)
def test_each_field_survives_in_each_translation_with_its_format(domain: str) -> None:
    wrong = [
        (english, text)
        for english, text in catalogue(domain).items()
        if fields(english) - fields(text)
        or fields(text) - fields(english) - {(name, "") for name, _ in nouns(english)}
    ]
    assert not wrong


def nouns(template: str) -> set[tuple[str, str]]:
    parts = Formatter().parse(template)
    return {(name, spec or "") for _, name, spec, _ in parts if name and "|" in (spec or "")}


def test_no_translation_has_a_noun_that_changes_with_its_number() -> None:
    assert not [text for text in MESSAGES.values() if nouns(text)]


def test_translations_have_the_punctuation_of_their_script() -> None:
    plain = re.compile(r"[一-鿿][,;!?](?!\w)|[一-鿿]\.$")
    assert not [text for text in MESSAGES.values() if plain.search(text)]


def test_catalogues_are_read_as_babel_reads_them() -> None:
    assert messages_of("zh_CN") == MESSAGES


# ── What is found in the code ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('Sentence("{n} rows", n=1)', ["{n} rows"]),
        ('CLAIMS = {"a": "It is {n}."}', ["It is {n}."]),
        ('template = "one of {n}" if few else "all of them"', ["one of {n}", "all of them"]),
        ('x = MetricSpec(id="a.b", title="accuracy")', ["accuracy"]),
        ('class Check:\n    title: ClassVar[str] = "Data"', ["Data"]),
        ('Table(title="Labels", columns=("label", "n of all"))', ["Labels", "label", "n of all"]),
        ('Sentence("{n} {n:row is|rows are}.", n=1)', ["{n} {n:row is|rows are}."]),
        ('raise ValueError("not a row of it")', []),
        ('"""What it is for."""\nx = "key_of"', []),
        ('x: "dict[str, int] | None" = re.compile("a b")', []),
    ],
)
def test_what_checks_say_is_found(source: str, found: list[str]) -> None:
    assert [*sentences_of(source)] == found


def test_what_pages_say_is_found() -> None:
    source = 'x = _("rows")\nNOTES = {"data": ("Rows are read.",)}\ny = shown("not a message")'
    assert [*page_texts_of(source)] == ["rows", "Rows are read."]
    entry = 'Entry("id", "Title", "A meaning.", ("word",), "a formula", source="Who, 1999")'
    assert [*page_texts_of(entry)] == ["Title", "A meaning.", "word", "a formula"]
    template = (
        '{{ _("All {n}", n=1) }}{% if x %}{{ script_text("rank") }}{% endif %}{{ other("no") }}'
    )
    assert [*template_texts_of(template)] == ["All {n}", "rank"]


# ── Numbers, lists and dates ──────────────────────────────────────────────────────────────────────


@given(st.lists(st.text("ab甲乙", min_size=1), min_size=1, max_size=6))
def test_chinese_lists_are_those_of_the_unicode_consortium(words: list[str]) -> None:
    both, either = (CHINESE.list_of(words, joint).replace(" ", "") for joint in ("and", "or"))
    assert both == format_list(words, "standard", "zh_CN")
    assert either == format_list(words, "or", "zh_CN")


@given(st.dates())
def test_chinese_dates_are_those_of_the_unicode_consortium(day: date) -> None:
    assert chinese_date(day) == format_date(day, "long", "zh_CN")


def test_a_long_list_counts_what_it_does_not_name() -> None:
    words = [str(number) for number in range(MOST_NAMED + 2)]
    assert CHINESE.list_of(words, "and") == f"{'、'.join(words[:MOST_NAMED])} 和另外 2 项"


def test_values_are_written_as_the_language_writes_them() -> None:
    share = Estimate(value=0.055, lower=0.035, upper=0.08, n=1200)
    with speaking("zh"):
        assert translate("{share}", share=share) == "5.5% [3.5, 8.0]"
        assert translate("{share:points}", share=share) == "+5.5 [+3.5, +8.0] 个百分点"
        assert translate("{share.n} {x:quoted}", share=share, x="a") == "1,200 “a”"
        assert translate("{x:percent}", x=None) == "无"
    assert translate("{share}", share=share) == "5.5 % [3.5, 8.0]"


def test_sentences_are_joined_without_a_space() -> None:
    parts = ("Nothing was measured.", Sentence("Nothing differs beyond chance."))
    with speaking("zh"):
        whole = translated_sentence(join_sentences(*parts))
        assert whole == "".join(map(translated_sentence, parts))
        either = translated_sentence(join_sentences(*parts, by="; "))
        assert either == "；".join(map(translated_sentence, parts))


def test_han_and_latin_are_apart_and_han_is_not() -> None:
    with speaking("zh"):
        lime, mask = translate("{a}: {b}", a="LIME", b="甲"), CHINESE.join("替换为 ", "遮蔽词元")
        assert (lime, mask) == ("LIME：甲", "替换为遮蔽词元")
        assert CHINESE.join("等级为", "B") == "等级为 B"
        assert CHINESE.join("共 ", "3") == "共 3"
        assert CHINESE.list_of(["SHAP", "积分梯度"], "and") == "SHAP 和积分梯度"


def test_a_language_that_nobody_wrote_is_refused() -> None:
    klingon = cast(LanguageCode, "tlh")
    with pytest.raises(ConfigurationError, match="en or zh, not 'tlh'"), speaking(klingon):
        pass


def test_english_is_spoken_again_where_a_page_fails() -> None:
    with pytest.raises(ZeroDivisionError), speaking("zh"):
        raise ZeroDivisionError
    assert language().tag == "en"


# ── Records ───────────────────────────────────────────────────────────────────────────────────────


def section() -> Section:
    return Section(
        id="data",
        title="Data",
        summary=Sentence("{n} of {rows} {rows:row was|rows were} scored.", n=1, rows=2),
        tables=(
            Table(
                title="Labels",
                columns=("label", "verdict"),
                rows=(("not measured", "not measured"), (InstanceLink(instance="a"), None)),
            ),
        ),
    )


def test_what_is_said_is_translated_and_data_is_not() -> None:
    with speaking("zh"):
        shown = translated_record(section())
    assert shown.title == language_of("Data") != "Data"
    assert "1" in shown.summary
    assert "scored" not in shown.summary
    ((label, verdict), (link, nothing)) = shown.tables[0].rows
    assert (label, verdict) == ("not measured", language_of("not measured"))
    assert (link, nothing) == (InstanceLink(instance="a"), None)


def language_of(text: str) -> str:
    with speaking("zh"):
        return translated_sentence(text)


def test_a_record_does_not_change_when_it_is_shown_in_another_language() -> None:
    record = audit_record()
    before = record.to_json()
    with speaking("zh"):
        translated_record(record)
        assert record.to_json() == before
    assert translated_record(record) is record


def test_a_translated_sentence_keeps_its_values() -> None:
    sentence = section().summary
    with speaking("zh"):
        shown = translated_record(section()).summary
    assert isinstance(sentence, Sentence)
    assert isinstance(shown, Sentence)
    assert (shown.template, shown.values) == (sentence.template, sentence.values)


def test_every_catalogue_is_part_of_the_package() -> None:
    assert sorted(path.name for path in Path(FOLDER).iterdir()) == ["pages.po", "sentences.po"]


def test_words_of_users_stay_though_a_catalogue_has_them() -> None:
    """A label, a column and a group that are called what the pages say, too."""
    words = ("accuracy", "method", "measure")
    assert all(word != MESSAGES[word] for word in words)
    table = Table(title="Data", columns=(*words, "verdict"), rows=())
    rate = Measure(name="accuracy", slice="method = measure", value=0.5, n=2)
    section = Section(id="s", title="S", summary="", tables=(table,), measures=(rate,))
    record = audit_record()
    provenance = record.provenance.model_copy(
        update={
            "model": record.provenance.model.model_copy(update={"labels": ("accuracy",)}),
            "arguments": {"group": "method"},
        }
    )
    record = record.model_copy(update={"sections": (section,), "provenance": provenance})
    with speaking("zh"):
        shown = translated_record(record).sections[0]
        assert shown.tables[0].columns == (*words, MESSAGES["verdict"])
        assert translate("method") == MESSAGES["method"]


def test_a_method_of_a_user_keeps_its_title_though_a_catalogue_has_it() -> None:
    record = audit_record()
    row = next(each for each in record.instances if each.attributions)
    own = row.attributions[0].model_copy(update={"method_title": "measure"})
    record = record.model_copy(
        update={"instances": (row.model_copy(update={"attributions": (own,)}),)}
    )
    with speaking("zh"):
        shown = translated_record(record).instances[0].attributions[0]
    assert shown.method_title == "measure" != MESSAGES["measure"]


def test_titles_of_methods_are_those_of_the_registry() -> None:
    assert {title_of(name) for name in METHODS} == OWN_METHODS


@pytest.mark.parametrize(("owner", "is_demo"), [("explain-audit", True), ("someone", False)])
def test_what_the_demo_says_of_itself_is_translated_in_its_reports(
    owner: str, is_demo: bool
) -> None:
    system = SystemIdentity(name="demo", owner=owner, **DEMO)
    with speaking("zh"):
        shown = translated_record(system)
        own = {field: translate(text) for field, text in DEMO.items()}
    assert all(own[field] != text for field, text in DEMO.items())
    said = {field: getattr(shown, field) for field in DEMO}
    assert said == (own if is_demo else DEMO)
