"""A decision letter says what a record holds, nothing more certainly, on one sheet of paper."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from explain.errors import ConfigurationError
from explain.record import (
    Agreement,
    Attribution,
    AuditRecord,
    DecisiveSet,
    InstanceRecord,
    Measure,
    MethodTrust,
    Prediction,
    Repeats,
    Section,
)
from explain.text.spans import Span
from reports.letter import letter_page, write_letter
from reports.letter_words import SMALLEST, certain_words
from tests.helpers.counterfactuals import counterfactual, decisive
from tests.helpers.pages import Page, paragraphs
from tests.helpers.records import HOSTILE, attribution, audit_record, hostile_record
from tests.helpers.search import examples

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TEXT = "not a good film"
VALUES, ERRORS = (3.0, 0.2, -1.5, 0.1), (0.2, 0.3, 0.1, 0.0)
NOT_FOUND = "We cannot tell you which words counted."


def explained(**fields: Any) -> Attribution:
    stated: dict[str, Any] = {"values": VALUES, "errors": ERRORS, "grade": "A"}
    return attribution(TEXT, **stated | fields)


def letter(*attributions: Attribution, sections: tuple[Section, ...] = (), **fields: Any) -> str:
    """Return what a letter about one row says, without its markup."""
    return said(letter_page(record_of(*attributions, sections=sections, **fields), 18))


def record_of(
    *attributions: Attribution, sections: tuple[Section, ...] = (), **fields: Any
) -> AuditRecord:
    stated: dict[str, Any] = {"labels": ("negative",), "predicted": "negative", "scores": (1, -1)}
    row = InstanceRecord(
        id="abc",
        row=18,
        parts=(TEXT,),
        attributions=attributions or (explained(),),
        **{"probability": 0.98} | stated | fields,
    )
    return audit_record().model_copy(update={"instances": (row,), "sections": sections})


def said(html: str) -> str:
    """Return the text of a page."""
    (body,) = Page(html).texts("body")
    return " ".join(body.split())


def test_a_letter_says_what_was_decided_by_which_words_and_what_would_have_changed_it() -> None:
    text = letter(counterfactuals=(counterfactual(decisive(0, n_equal=1)),))
    for sentence in (
        "The decision: which reviews a person reads first",
        "The system: sst2-minilm,",
        'The system classified your text as "negative". By its own estimate, the chance that this '
        "is right is 98 %. This estimate can be wrong.",
        "For “negative” (solid line in the text): not ",
        "Against it (dotted line in the text): good ",
        "Of 2 other words we cannot say whether they counted",
        'Without "not" in your text, the system would have answered "positive".',
        "We asked the system again, and it gave the same answer to the changed text.",
        "Reviews team You can ask that a person looks at your text. Please quote: row 18 of the "
        "audit of 23 November 2026, record ",
    ):
        assert sentence in text


def test_words_that_are_listed_are_marked_in_the_text_and_no_others() -> None:
    page = Page(letter_page(record_of(), 18))
    marked = [(a["class"].split()[0], t) for tag, a, t in page.contents if tag == "span"]
    assert marked == [("towards", "not"), ("against", "good")]
    assert paragraphs(page) == [TEXT]


def test_words_that_surely_counted_and_are_not_listed_are_counted_as_such() -> None:
    values = tuple(1 + place / 100 for place in range(10))
    text = " ".join(f"w{place}" for place in range(10))
    shown = attribution(text, values=values, errors=(0.001,) * 10)
    words = certain_words(shown, [shown], [])
    assert (len(words.towards), words.n_more, words.n_unsure) == (6, 4, 0)


def test_the_agreement_on_another_label_casts_no_doubt() -> None:
    shown, other = (
        explained(values=(2.0, -1.0, 1.0, 3.0), errors=(0.01,) * 4),
        explained(method="lime"),
    )
    agreement = Agreement(
        methods=("shap", "lime"), titles=("SHAP", "LIME"), target="another label",
        tau=0.0, null_upper=0.5, overlap=1.0, top=3, disputed=(0,),
    )  # fmt: skip
    assert certain_words(shown, [shown, other], [agreement]).disputed == ()


@examples(60)
@given(
    st.lists(
        st.tuples(st.floats(-5, 5, width=16), st.sampled_from([0.0, 0.01, 0.4, 2.0])),
        min_size=4,
        max_size=4,
    ),
    st.sets(st.integers(0, 3)),
)
def test_a_word_is_listed_only_where_all_intervals_together_leave_no_doubt(
    rows: list[tuple[float, float]], disputed: set[int]
) -> None:
    values, errors = (tuple(column) for column in zip(*rows, strict=True))
    shown = explained(values=values, errors=errors)
    other = explained(method="lime")
    agreement = Agreement(
        methods=("shap", "lime"),
        titles=("SHAP", "LIME"),
        target="negative",
        tau=0.0,
        null_upper=0.5,
        overlap=1.0,
        top=3,
        disputed=tuple(sorted(disputed)),
    )
    words = certain_words(shown, [shown, other], [agreement])
    z = stats.norm.ppf(1 - 0.05 / (2 * 4))
    for place, (value, error) in enumerate(rows):
        lower, upper = value - z * error, value + z * error
        is_large = max(lower, -upper) > SMALLEST * max(map(abs, values))
        is_listed = is_large and place not in disputed
        assert (place in words.towards) == (is_listed and lower > 0)
        assert (place in words.against) == (is_listed and upper < 0)
        assert (place in words.disputed) == (is_large and place in disputed)
    assert words.n_unsure == 4 - len(words.places) - len(words.disputed)
    # What cannot be trusted itself casts no doubt on what can.
    distrusted = other.model_copy(update={"grade": "D"})
    assert not certain_words(shown, [shown, distrusted], [agreement]).disputed


def test_at_most_one_letter_in_twenty_puts_a_word_on_the_wrong_side() -> None:
    """Forty words, most of which hardly count, with errors that are as stated."""
    rng = np.random.default_rng(0)
    text = " ".join(f"w{place}" for place in range(40))
    truth = np.where(rng.random(40) < 0.2, rng.normal(0, 2, 40), rng.normal(0, 0.02, 40))
    errors = rng.uniform(0.1, 0.5, 40)
    n, wrong, n_words = 400, 0, 0
    for _ in range(n):
        values = tuple((truth + rng.normal(0, errors)).tolist())
        shown = attribution(text, values=values, errors=tuple(errors.tolist()))
        words = certain_words(shown, [shown], [])
        wrong += any(truth[p] < 0 for p in words.towards) or any(
            truth[p] > 0 for p in words.against
        )
        n_words += len(words.places)
    assert stats.binomtest(wrong, n, 0.05, alternative="greater").pvalue > 0.01
    assert n_words / n > 3  # and it is not silent


UNTRUSTED = {
    "SHAP failed our tests (grade D).": explained(grade="D", reasons=("It did not work.",)),
    "SHAP does not state how exact it is.": explained(errors=None),
    "The values of SHAP do not add up": explained(gap=2.0),
    "The values of SHAP do not add up to what they explain.": explained(converged=False),
    "SHAP does not tell what speaks for": explained().model_copy(update={"signed": False}),
}


@pytest.mark.parametrize("reason", UNTRUSTED)
def test_what_cannot_be_trusted_names_no_words_but_the_reason(reason: str) -> None:
    record = record_of(UNTRUSTED[reason])
    text = said(letter_page(record, 18))
    assert f"{NOT_FOUND} {reason}" in text
    assert "solid line" not in text
    assert not [tag for tag, _ in Page(letter_page(record, 18)).elements if tag == "span"]
    # Another explanation of the same row that can be trusted is told instead.
    better = explained(method="lime").model_copy(update={"efficient": True})
    assert "(solid line in the text): not" in letter(UNTRUSTED[reason], better)


def test_a_method_that_failed_on_the_model_is_not_trusted_on_a_text() -> None:
    failed = MethodTrust(method="shap", title="SHAP", grade="D", reasons=(), measures=())
    record = record_of(explained(grade="A")).model_copy(update={"trust": (failed,)})
    assert f"{NOT_FOUND} SHAP failed our tests" in said(letter_page(record, 18))


def test_doubts_about_an_explanation_are_said() -> None:
    assert "(grade C): It is no better." in letter(
        explained(grade="C", reasons=("It is no better.",))
    )
    untested = record_of(explained(grade=None)).model_copy(update={"trust": ()})
    assert "Nobody has tested" in said(letter_page(untested, 18))
    assert "Nobody has tested" not in letter(explained(grade="B"))
    assert "Of no word it is certain" in letter(explained(errors=(9.0,) * 4))


@pytest.mark.parametrize("probability", [0.98, 0.9951, 0.99999, 1.0, 0.4])
def test_no_probability_is_rounded_to_certainty(probability: float) -> None:
    stated = re.findall(r"this is right is ([^.]+)\.", letter(probability=probability))
    assert stated == ["more than 99 %" if probability > 0.995 else f"{round(100 * probability)} %"]


def test_the_estimate_of_a_model_that_is_known_to_be_over_confident_is_called_unreliable() -> None:
    (section, *_) = audit_record().sections
    finding = section.findings[0].model_copy(update={"code": "calibration.over_confident"})
    over = section.model_copy(update={"findings": (finding,)})
    assert "Our tests found that these estimates are not reliable." in letter(sections=(over,))


CHANGES = {
    "Nobody examined which change": None,
    "we tried all combinations": counterfactual(DecisiveSet(places=None, all_tried=4)),
    "there may be some": counterfactual(DecisiveSet(places=None, all_tried=2)),
    "we do not state it": counterfactual(decisive(0, is_confirmed=False)),
    "when it was asked again, so we do not state it": counterfactual(
        decisive(0, is_confirmed=None)
    ),
}


@pytest.mark.parametrize("sentence", CHANGES)
def test_a_change_that_the_model_did_not_confirm_is_not_stated(sentence: str) -> None:
    found = CHANGES[sentence]
    text = letter(counterfactuals=() if found is None else (found,))
    assert sentence in text
    assert "would have" not in text.replace("What would have changed the answer", "").replace(
        "would have led", ""
    )


def test_it_is_said_how_far_a_change_is_the_smallest_and_what_stood_in_for_the_words() -> None:
    found = counterfactual(decisive(0, 2, tried=1, n_equal=None)).model_copy(
        update={"removal": "[MASK]"}
    )
    text = letter(counterfactuals=(found,))
    assert 'Without "not" and "good" in your text' in text
    assert 'replaced by "[MASK]"' in text
    assert "A smaller change may do the same." not in text
    assert "A smaller change may" in letter(
        counterfactuals=(counterfactual(decisive(0, 1, 2, tried=1)),)
    )
    several = letter(counterfactuals=(counterfactual(decisive(0, n_equal=3)),))
    assert "2 other changes of the same size would do that too." in several


def test_all_words_of_a_long_change_are_named() -> None:
    parts = " ".join(f"word{place}" for place in range(12))
    spans = attribution(parts).spans
    found = counterfactual(decisive(*range(12), tried=1), parts=(parts,), spans=spans)
    text = letter(counterfactuals=(found,))
    assert all(f'"word{place}"' in text for place in range(12))


def test_answers_of_models_of_several_labels_and_of_regressions() -> None:
    given = (Prediction(label="rude", probability=0.9), Prediction(label="loud", probability=0.6))
    many = letter(predictions=given, predicted="rude", labels=("rude",))
    assert 'gave your text these labels: "rude" and "loud".' in many
    assert "none of its labels" in letter(predictions=(), labels=())
    lost = counterfactual(decisive(0, predicted="loud"))
    assert 'would not have given the label "negative"' in letter(
        predictions=given, counterfactuals=(lost,)
    )
    value = explained()
    target = value.target.model_copy(update={"scale": "value", "label": "score"})
    number = letter(
        value.model_copy(update={"target": target}), probability=None, labels=None, scores=(3.25,)
    )
    assert "gave your text the value 3.25." in number
    assert "For a higher value (solid line in the text): not" in number


def test_the_label_that_was_answered_is_explained_and_not_the_first() -> None:
    other = explained(values=(-1.0, 0.0, 2.0, 0.0))
    target = other.target.model_copy(update={"label": "positive", "index": 1})
    first = other.model_copy(update={"target": target})
    assert "For “negative” (solid line in the text): not" in letter(first, explained())
    assert "For “positive” (solid line in the text): good" in letter(first)


def test_what_is_not_known_is_said() -> None:
    accuracy = Measure(
        name="accuracy", value=0.876, lower=0.853, upper=0.896, n=872, metric="performance.accuracy"
    )
    (section, *_) = audit_record().sections
    finding = section.findings[0].model_copy(update={"evidence": ("abc",)})
    section = section.model_copy(update={"measures": (accuracy,), "findings": (finding,)})
    repeats = Repeats(texts=4, answers=6, differences=2, sigma=0.1, degrees_of_freedom=6)
    shown = explained(gap=0.81).model_copy(update={"empty_value": 0.5, "repeats": repeats})
    unread = (Span(0, 11, 15),)
    text = letter(shown, sections=(section,), labels=None, unread=unread)
    for sentence in (
        "Whether the answer is right",
        "Of 872 texts of all kinds it answered 88 % [85, 90] correctly.",
        "did not read 4 of its 15 characters",
        "even to an empty text",
        "does not always say the same",
        "Your text is an example of a problem that was found: Negation is misread.",
    ):
        assert sentence in text
    quiet = letter()
    for sentence in ("Whether the answer is right", "characters", "empty text", "always"):
        assert sentence not in quiet
    assert 'has another answer for this text, "positive"' in letter(labels=("positive",))


def test_a_row_that_was_not_explained_is_refused_with_the_rows_that_were(tmp_path: Path) -> None:
    for row in (4, 0, -1, 99):
        with pytest.raises(ConfigurationError, match=f"row {row} was not.*: 1, 2, 5$"):
            write_letter(audit_record(), row, tmp_path / "letter.html")
    assert not [*tmp_path.iterdir()]
    none = audit_record().model_copy(update={"instances": ()})
    with pytest.raises(ConfigurationError, match="no other row was"):
        letter_page(none, 1)


def test_contact_and_decision_are_those_that_are_given() -> None:
    text = said(letter_page(audit_record(), 1, "ana@example.org <b>", "Loan 17"))
    assert "The decision: Loan 17" in text
    assert "Whom to ask ana@example.org <b> You can" in text
    silent = audit_record().model_copy(
        update={"identity": audit_record().identity.model_copy(update={"owner": None})}
    )
    assert "the audit names nobody" in said(letter_page(silent, 1))


def _crowded() -> AuditRecord:
    """Return an audit with a row of which all that a letter can say is said, at length."""
    text = " ".join(f"{place}{'Donaudampfschiff' * 3}" for place in range(400))
    values = tuple((-1.0) ** place * (9 + place / 400) for place in range(400))
    shown = attribution(text, values=values, errors=(0.1,) * 400, grade="C", reasons=(HOSTILE,) * 9)
    repeats = Repeats(texts=4, answers=6, differences=2, sigma=0.1, degrees_of_freedom=6)
    shown = shown.model_copy(
        update={"repeats": repeats, "empty_value": 1.0, "full_value": 1.0 + sum(values)}
    )
    kind = hostile_record()
    found = counterfactual(
        decisive(*range(40), tried=1, predicted=HOSTILE), parts=(text,), spans=shown.spans
    )
    finding = kind.findings[0].model_copy(update={"evidence": ("x",), "claim": HOSTILE * 5})
    section = kind.sections[0].model_copy(
        update={"findings": (finding, finding.model_copy(update={"subject": "other"}))}
    )
    row = kind.instances[0].model_copy(
        update={
            "id": "x",
            "parts": (text,),
            "labels": (HOSTILE * 9,),
            "attributions": (shown,),
            "counterfactuals": (found.model_copy(update={"removal": "[MASK]"}),),
            "agreements": (),
            "unread": (Span(0, 900, len(text)),),
        }
    )
    return kind.model_copy(update={"instances": (row,), "sections": (section,)})


LETTERS = {
    "words": letter_page(audit_record(), 1),
    "pair": letter_page(audit_record(), 2),
    "no words": letter_page(audit_record(), 5),
    "hostile": letter_page(hostile_record(), 1, HOSTILE, HOSTILE),
    "crowded": letter_page(_crowded(), 1, HOSTILE * 9, HOSTILE * 9),
}


@pytest.mark.parametrize("name", LETTERS)
def test_a_letter_is_inert_and_its_text_is_that_of_the_row(name: str) -> None:
    page = Page(LETTERS[name])
    assert not {"script", "iframe", "img", "form", "input"} & {tag for tag, _ in page.elements}
    assert not [a for _, a in page.elements if any(key.startswith("on") for key in a)]
    links = [a["href"] for _, a in page.elements if "href" in a]
    assert links == ["data:,"]
    (policy,) = [a["content"] for tag, a in page.elements if "Security" in a.get("http-equiv", "")]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script-src" not in policy
    assert (HOSTILE.replace("\0", "␀") in paragraphs(page)) == (name == "hostile")


@pytest.mark.parametrize("name", LETTERS)
def test_a_letter_is_one_sheet_of_paper_with_all_that_it_says(
    name: str, browser: "Browser", tmp_path: Path
) -> None:
    pdfium = pytest.importorskip("pypdfium2")
    path = tmp_path / "letter.html"
    path.write_text(LETTERS[name], encoding="utf-8")
    page = browser.new_page()
    events: list[str] = []
    page.on("console", lambda message: events.append(message.text))
    page.on("request", lambda request: events.append(request.url))
    page.goto(path.as_uri())
    page.emulate_media(media="print")
    shown = "".join(page.locator("main").inner_text().split())
    pdf = pdfium.PdfDocument(page.pdf(prefer_css_page_size=True))
    page.close()
    assert events == [path.as_uri()]
    assert len(pdf) == 1
    assert [round(points) for points in pdf[0].get_size()] == [595, 842]
    printed = "".join(pdf[0].get_textpage().get_text_bounded().split())
    if name in ("words", "no words"):  # The others hold letters that no font has.
        assert printed == shown
    assert "Pleasequote:row" in printed
