"""What a reader is told of the words that decide an answer."""

import pytest

import explain
import reports
from explain.adapters import FunctionClassifier
from explain.record import Counterfactual, DecisiveSet
from explain.text.spans import Span
from reports.counterfactuals import decisive_sentences
from tests.helpers.counterfactuals import counterfactual, decisive
from tests.helpers.records import HOSTILE, audit_record


def said(record: Counterfactual, *, multi_label: bool = False) -> str:
    return " ".join(decisive_sentences(record, multi_label=multi_label))


def test_the_word_that_decides_is_named_with_the_other_answer() -> None:
    assert said(counterfactual(decisive(0, n_equal=1))) == (
        'Without "not" the answer would be "positive" (p .620). '
        'If only "not" remains, the answer stays the same. '
        "(28 texts scored for this, beside 12 that were scored for the values.)"
    )


def test_a_search_that_asked_nothing_says_so() -> None:
    record = counterfactual(decisive(0)).model_copy(update={"evaluations": 12})
    assert said(record).endswith("(Found among the 12 texts that were scored for the values.)")


def test_equal_words_are_told_apart_by_their_number() -> None:
    spans = (Span(0, 0, 3), Span(0, 4, 8), Span(0, 9, 12))
    record = counterfactual(decisive(0, 2), parts=("not good not",), spans=spans)
    assert said(record).startswith('Without "not (1 of 2)" and "not (2 of 2)" the answer')


@pytest.mark.parametrize(
    ("necessary", "sentence"),
    [
        (decisive(0, n_equal=3), "The same holds for each of 2 other words alone."),
        (decisive(0, n_equal=2), "The same holds for one other word alone."),
        (decisive(0, 2), "No smaller set of words does this."),
        (
            decisive(0, 2, n_equal=5),
            "The same holds for 4 other sets of 2 words, and for none that",
        ),
        (decisive(0, 2, 3, tried=1), "there may be a smaller one. Each word was tried alone."),
        (decisive(0, 1, 2, 3, tried=2), "All sets of up to 2 words were tried."),
        (decisive(0, is_confirmed=None), "gave no answer when it was asked once more"),
        (decisive(0, is_confirmed=False), "gave another answer to one of these texts: do not rely"),
        (
            DecisiveSet(places=None, all_tried=4),
            "No removal of words changes the answer: every set was tried.",
        ),
        (
            DecisiveSet(places=None, all_tried=2),
            "We found no words whose removal changes the answer. All sets of up to 2 words were",
        ),
    ],
)
def test_it_is_said_how_far_that_is_proven(necessary: DecisiveSet, sentence: str) -> None:
    assert sentence in said(counterfactual(necessary))


def test_an_answer_that_needs_no_word_is_said_to_be_the_default() -> None:
    text = said(counterfactual(decisive(0), decisive(is_given=True, predicted="negative")))
    assert "With all words removed, the model still gives the explained answer" in text


def test_of_several_labels_the_one_under_question_is_named() -> None:
    labels = counterfactual(decisive(0, predicted="other", probability=0.2))
    assert 'Without "not" the model would not say "negative" (p .200).' in said(
        labels, multi_label=True
    )
    absent = counterfactual(decisive(0, is_given=True), is_given=False)
    assert 'Without "not" the model would say "negative" (p .620).' in said(
        absent, multi_label=True
    )


def test_other_units_are_called_what_they_are() -> None:
    record = counterfactual(
        DecisiveSet(places=None, all_tried=4), parameters={"unit": "sentence", "budget": 1}
    )
    assert "No removal of sentences changes the answer" in said(record)


def test_what_a_model_calls_its_labels_cannot_break_the_page() -> None:
    (instance, *others) = audit_record().instances
    attribution = instance.attributions[0]
    spans = attribution.spans
    hostile = counterfactual(
        decisive(0, predicted=HOSTILE),
        parts=instance.parts,
        spans=spans,
        target=attribution.target,
        unread=instance.unread,
    )
    shown = instance.model_copy(update={"counterfactuals": (hostile,)})
    record = audit_record().model_copy(update={"instances": (shown, *others)})
    page = reports.render_html(record)
    assert '<p class="decisive">Without' in page
    assert "<script>alert(1)" not in page
    assert "\u202e txt" not in page


def test_the_card_of_an_audit_shows_what_would_change_the_answer() -> None:
    def scores(texts: list[str]) -> list[list[float]]:
        return [[-1.0, 1.0] if "good" in text.split() else [1.0, -1.0] for text in texts]

    model = FunctionClassifier(scores, ["negative", "positive"], output="scores")
    record = explain.audit(
        model, [{"text": f"a good film {i}"} for i in range(3)], methods=["shap"], checks=[]
    )
    page = reports.render_html(record)
    assert page.count("the answer would be &#34;negative&#34; (p .881)") == 3
    assert page.count("remains, the answer stays the same.") == 3
