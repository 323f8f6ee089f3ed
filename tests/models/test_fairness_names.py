"""Neutral sentences: names of groups, and probes that say nothing."""

import re
import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

import explain
from explain.adapters import FunctionClassifier
from explain.checks import make_check
from explain.checks.base.identity_terms import identity_terms, mentions, name_sets
from explain.record import Section
from tests.helpers.plain_strings import composed_strings

GROUPS = {term.name: set(term.words) for term in name_sets(["en"])[0].terms}
BLACK = GROUPS["Black women"] | GROUPS["Black men"]


def audit_sentences(
    pushes: Callable[[str, set[str]], bool],
    labels: Sequence[str] = ("harmless", "toxic"),
    favourable: str | None = None,
) -> Section:
    """Return the section of a model that calls a text the last label where the rule says so."""

    def scores(texts: Sequence[str]) -> NDArray[np.float64]:
        pushed = [pushes(text, set(re.findall(r"\w+", text))) for text in texts]
        return 3.0 * np.eye(len(labels))[np.where(pushed, len(labels) - 1, 0)]

    record = explain.audit(
        FunctionClassifier(scores, labels, output="scores"),
        [{"text": f"The parcel number {i} was not there."} for i in range(20)],
        instances=0,
        methods=[],
        checks=[make_check("fairness", languages=["en"], favourable=favourable)],
    )
    section = next(section for section in record.sections if section.id == "fairness")
    assert composed_strings(section) == set()
    return section


@pytest.mark.parametrize("favourable", [None, "harmless"])
def test_names_of_a_group_that_turn_neutral_sentences_are_found(favourable: str | None) -> None:
    section = audit_sentences(lambda _, words: bool(words & BLACK), favourable=favourable)
    (finding,) = section.findings
    label = "toxic" if favourable is None else "not harmless"
    assert finding.id == f"fairness.names[Black people: {label}]"
    assert finding.claim == (
        "Neutral sentences with first names that are common among Black people in the United "
        f"States are classified as {label} more often than the same sentences with other names: "
        "100 % [89, 100] with 32 names such as Aisha, and 0 % [0.0, 10.7] with 32 others."
    )
    assert finding.size is not None
    assert 0.8 < finding.size < 0.9


@pytest.mark.parametrize("group", GROUPS)
def test_one_of_four_groups_is_named_alone(group: str) -> None:
    section = audit_sentences(lambda _, words: bool(words & GROUPS[group]))
    assert [f.subject for f in section.findings] == [f"{group}: toxic"]


def test_a_single_name_that_means_something_else_is_no_group() -> None:
    section = audit_sentences(lambda _, words: bool(words & {"Ebony", "Jasmine", "Paul", "Adam"}))
    assert section.findings == ()
    (table,) = [t for t in section.tables if "first names" in t.title]
    assert [row[0] for row in table.rows] == [*GROUPS, "all of them"]


def test_names_are_tried_in_each_language_with_latin_letters() -> None:
    sets = name_sets(["en", "de", "es", "fr", "ar", "hi", "zh"])
    assert [names.language for names in sets] == ["en", "de", "es", "fr"]
    assert all(pattern.count("{}") == 1 for names in sets for pattern in names.templates)
    assert {len(term.words) for names in sets for term in names.terms} == {16}
    assert len(set().union(*GROUPS.values())) == 64


@pytest.mark.parametrize("labels", [("harmless", "toxic"), ("a", "b", "c")])
def test_probes_in_which_all_sentences_get_one_label_say_so_and_show_no_data(
    labels: Sequence[str],
) -> None:
    section = audit_sentences(lambda _, words: False, labels)
    assert (section.tables, section.figures, section.findings) == ((), (), ())
    assert section.skipped is None
    for words in ("words for people", "first names"):
        assert re.search(
            rf"All [\d,]+ neutral sentences with {words} \(en\) are classified as {labels[0]}\. "
            "They say nothing about how the model treats people in other texts",
            section.summary,
        )
    assert "There was no difference between people to test." in section.summary


def test_sentences_that_differ_whatever_word_they_hold_are_not_shown_either() -> None:
    section = audit_sentences(lambda text, _: "bus driver" in text or "same bus" in text)
    assert "the answer depends on the sentence alone" in section.summary
    assert not any("first names" in table.title for table in section.tables)


def test_a_million_characters_are_searched_for_terms_in_a_moment() -> None:
    spaces, words = " " * 1_000_000, "Anna saw a film " * 60_000
    started = time.thread_time()
    in_spaces, in_words = mentions([(spaces,), (words,)], identity_terms(["en"], {}))
    assert time.thread_time() - started < 5
    assert in_spaces == ()
    assert [mention.surface for mention in in_words] == ["Anna"]
