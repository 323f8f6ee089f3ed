"""What causes a finding is ranked before it, and only where it can be the cause."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from explain.auditing.causes import with_causes
from explain.checks.base.phrases import read_corpus
from explain.checks.selective.answers import Answers
from explain.checks.selective.check import _explain
from explain.checks.slices.candidates import declared_slices, slices_by_word, traits_of_texts
from explain.checks.slices.members import texts_of_slices
from explain.record import Finding, InstanceRecord, Measure, Section, Table
from explain.text.words import words


def finding(code: str, subject: str, size: float, gap: Measure | None = None) -> Finding:
    return Finding(
        code=code, subject=subject, claim="A claim.", severity="major", size=size, measure=gap,
        evidence=(), suggestion="Do something.",
    )  # fmt: skip


LABELS = ("shop", "bank", "post")

PAIRS = ("label given", "right label", "labels", "share of the labels given")


def context_of(rows: list[tuple[str, str, str, str]]) -> Any:
    """Return rows of a text, a group, the label given and the answer, as checks see them."""
    instances = [
        InstanceRecord(id=str(i), row=i + 1, parts=(text,), labels=(given,), predicted=answer,
                       probability=1, scores=(0.0,) * 3, columns={"group": group})
        for i, (text, group, given, answer) in enumerate(rows)
    ]  # fmt: skip
    return SimpleNamespace(
        instances=instances,
        words=[words(i.parts) for i in instances],
        slices=(),
        group=("group",),
        model=SimpleNamespace(labels=LABELS, task="single_label"),
        labels=np.array([LABELS.index(given) for *_, given, _ in rows]),
        predicted=np.array([LABELS.index(answer) for *_, answer in rows]),
    )


def gap(value: float, upper: float, n: int = 100) -> Measure:
    return Measure(name="gap", value=value, lower=value / 2, upper=upper, n=n)


def causes(context: Any, cause: Finding, *findings: Finding) -> list[str | None]:
    sections = [
        Section(id=f"s{i}", title="s", summary="s", findings=(one,))
        for i, one in enumerate((cause, *findings))
    ]
    return [s.findings[0].cause for s in with_causes(sections, context)][1:]


RIGHT = ("text", "A", "bank", "bank")

OF_GROUP = context_of(
    [("text", "B", "shop", "bank")] * 30 + [("text", "B", "post", "post")] * 70 + [RIGHT] * 100
)
"""Three in ten answers on group B contradict their label, and all of those labelled shop."""


@pytest.mark.parametrize(
    ("code", "subject", "size", "is_caused"),
    [
        ("fairness.accuracy", "group = B", 0.2, True),
        ("fairness.accuracy", "group = B", 0.26, False),
        ("fairness.false_negatives", "group = B: shop", 0.8, True),
        ("fairness.false_negatives", "group = B: post", 0.1, False),
        ("selective.slice", "group = B", 0.2, True),
        ("selective.slice", "prediction = bank", 0.1, True),
        ("selective.slice", "prediction = post", 0.1, False),
        ("slices.worse", "group = A, group = B", 0.1, True),
        ("slices.worse", "group = BB", 0.1, False),
        ("fairness.accuracy", "group = BB", 0.1, False),
        ("fairness.accuracy", "group = A", 0.1, False),
        ("fairness.impact_ratio", "group = B", 0.1, False),
        ("calibration.over_confident", "", 0.12, True),
        ("calibration.error", "", 0.13, False),
        ("data.label_errors", "", 0.12, True),
        ("data.label_errors", "", 0.13, False),
    ],
)
def test_wrong_labels_of_a_group_cause_what_counts_them_as_errors_of_the_model(
    code: str, subject: str, size: float, is_caused: bool
) -> None:
    noise = finding("data.label_errors_in_group", "group = B", 0.1, gap(0.2, 0.25))
    assert causes(OF_GROUP, noise, finding(code, subject, size)) == [
        noise.id if is_caused else None
    ]


ONE_SIDED = context_of(
    [("an early one", "A", "shop", "bank")] * 20
    + [("a late one", "A", "post", "bank")] * 20
    + [("a late one", "B", "bank", "bank")] * 40
    + [("a late one", "B", "shop", "shop")] * 80
)
"""Of 100 texts labelled shop, 20 are answered with bank, and so are 20 labelled post."""


@pytest.mark.parametrize(
    ("code", "subject", "size", "is_caused"),
    [
        ("selective.slice", "prediction = bank", 0.18, True),
        ("selective.slice", "prediction = bank", 0.2, False),
        ("slices.worse", "word = early", 0.7, True),
        ("slices.worse", "word = early", 0.8, False),
        ("slices.worse", "word = late", 0.01, False),
        ("fairness.false_negatives", "group = A: shop", 0.5, True),
        ("fairness.false_negatives", "group = A: post", 0.5, False),
        ("fairness.false_positives", "group = A: bank", 0.3, True),
        ("calibration.over_confident", "", 0.09, True),
    ],
)
def test_wrong_labels_in_one_direction_cause_only_what_goes_in_that_direction(
    code: str, subject: str, size: float, is_caused: bool
) -> None:
    pair = ("shop", "bank", "about 10", gap(0.1, 0.15))
    noise = finding("data.label_errors", "", 0.1, gap(0.1, 0.2)).model_copy(
        update={"members": Table(title="pairs", columns=PAIRS, rows=(pair,))}
    )
    assert causes(ONE_SIDED, noise, finding(code, subject, size)) == [
        noise.id if is_caused else None
    ]


def test_wrong_labels_of_a_group_come_before_those_of_all() -> None:
    of_group = finding("data.label_errors_in_group", "group = B", 0.1, gap(0.2, 0.25))
    pair = ("shop", "bank", "about 30", gap(0.9, 1.0, 30))
    of_all = finding("data.label_errors", "", 0.1, gap(0.12, 0.15)).model_copy(
        update={"members": Table(title="pairs", columns=PAIRS, rows=(pair,))}
    )
    harm = finding("fairness.accuracy", "group = B", 0.2)
    assert causes(OF_GROUP, of_all, of_group, harm) == [None, of_group.id]


BY_NAME = context_of(
    [("Jamal writes", "B", "shop", "bank")] * 10
    + [("Jamal writes", "B", "bank", "bank")] * 10
    + [("Farah writes", "B", "shop", "post")] * 10
    + [("Laura writes", "A", "shop", "shop")] * 30
)


@pytest.mark.parametrize(
    ("code", "subject", "size", "is_caused"),
    [
        ("shortcuts.word", "Jamal", 0.9, True),
        ("shortcuts.word", "Jamal writes", 0.9, True),
        ("shortcuts.word", "Jamal.", 0.9, True),
        ("shortcuts.word", "(Jamal’s", 0.9, True),
        ("shortcuts.word", "Jamaluddin", 0.9, False),
        ("shortcuts.word", "writes", 0.9, False),
        ("fairness.swap", "Jamal, Leroy: bank", 0.9, True),
        ("fairness.swap", "Laura: bank", 0.9, False),
        ("fairness.swap", "Jamal, Leroy: post", 0.9, False),
        ("fairness.swap", "Laura, Emily, Jamal: bank", 0.9, False),
        ("fairness.false_positives", "group = B: bank", 0.4, True),
        ("fairness.false_positives", "group = B: post", 0.1, False),
        ("fairness.accuracy", "group = B", 0.3, True),
        ("fairness.accuracy", "group = B", 0.4, False),
    ],
)
def test_names_of_a_group_cause_what_one_of_them_decides(
    code: str, subject: str, size: float, is_caused: bool
) -> None:
    names = finding("fairness.names", "Black people: bank", 0.8)
    assert causes(BY_NAME, names, finding(code, subject, size)) == [names.id if is_caused else None]


def test_a_refusal_by_name_accounts_for_all_answers_but_the_favourable_one() -> None:
    refused = finding("fairness.names", "Black people: not shop", 0.8)
    harm = finding("fairness.accuracy", "group = B", 0.3)
    assert causes(BY_NAME, refused, harm) == [refused.id]


def test_a_label_may_hold_a_colon() -> None:
    context = context_of([("Jamal writes", "B", "shop", "bank")] * 20 + [RIGHT] * 20)
    context.model.labels = ("urgent: shop", "bank: post", "post")
    noise = finding("data.label_errors_in_group", "group = B", 0.1, gap(0.9, 1.0))
    harm = finding("fairness.false_negatives", "group = B: urgent: shop", 0.9)
    assert causes(context, noise, harm) == [noise.id]


def noise_of(given: str, right: str, n: int) -> Finding:
    """Return a finding that up to all of n labels of a pair are wrong."""
    row = (given, right, "about half", gap(0.5, 1.0, n))
    return finding("data.label_errors", "", 0.1).model_copy(
        update={"members": Table(title="pairs", columns=PAIRS, rows=(row,))}
    )


def test_rows_without_label_or_group_are_not_compared_with() -> None:
    """Both groups have the same wrong labels; who is in neither makes none of them worse."""
    alike = [
        (text, group, given, "bank")
        for group in "AB"
        for text, given in [("t", "shop")] * 20 + [("t", "bank")] * 80
    ]
    harm, noise = finding("fairness.accuracy", "group = B", 0.15), noise_of("shop", "bank", 40)
    unlabelled = context_of(alike + [("t", "A", "bank", "bank")] * 900)
    unlabelled.labels[200:] = -1
    assert causes(unlabelled, noise, harm) == [None]
    unknown = context_of(alike + [("t", "A", "bank", "bank")] * 900)
    unknown.instances[200:] = [
        i.model_copy(update={"columns": {"group": None}}) for i in unknown.instances[200:]
    ]
    assert causes(unknown, noise, harm) == [None]


def test_of_several_slices_the_one_that_was_measured_is_compared() -> None:
    rows = [("x", "A", "shop", "bank")] * 50 + [("x", "A", "bank", "bank")] * 50
    rows += [("x", "A", "bank", "post")] * 60 + [("x", "A", "post", "post")] * 40
    context, noise = (
        context_of(rows + [("x", "A", "shop", "shop")] * 200),
        noise_of("shop", "bank", 50),
    )
    both = "prediction = bank, prediction = post"
    for worst, cause in (("prediction = post", None), ("prediction = bank", noise.id)):
        measure = Measure(name="risk", value=0.6, lower=0.5, upper=0.7, n=100, slice=worst)
        assert causes(context, noise, finding("selective.slice", both, 0.3, measure)) == [cause]


@pytest.mark.parametrize("family", ["order", "names", "instruction"])
def test_another_way_of_asking_causes_as_many_wrong_answers_as_it_changes(family: str) -> None:
    """Of 100 answers 20 are wrong, all of them bank: 20 of 40."""
    rows = [("text", "A", "shop", "bank")] * 20 + [("text", "A", "bank", "bank")] * 20
    context = context_of(rows + [("text", "B", "post", "post")] * 60)
    for upper, size, is_caused in ((0.2, 0.5, True), (0.2, 0.51, False), (0.1, 0.26, False)):
        asked = finding(f"language-model.{family}", "", 0.1, gap(0.1, upper))
        answers = finding("selective.slice", "prediction = bank", size)
        assert causes(context, asked, answers) == [asked.id if is_caused else None]
    assert causes(context, asked, noise_of("shop", "bank", 20)) == [None]


def test_names_explain_no_wrong_labels_that_another_model_contradicts() -> None:
    rows = [("Jamal writes", "B", "shop", "bank")] * 10 + [("text", "A", "shop", "post")] * 10
    context = context_of(rows + [("text", "A", "bank", "bank")] * 80)
    names = finding("fairness.names", "Black people: bank", 0.8)
    assert causes(context, names, noise_of("shop", "post", 20)) == [None]


def test_the_slices_of_a_finding_are_those_that_the_search_cuts() -> None:
    texts = ["all, is well +", "is it 5", "all , no", "WELL + no", "it is", "5 , 5"] * 4
    instances = [
        InstanceRecord(id=str(i), row=i + 1, parts=(text,), labels=None, predicted="x",
                       probability=1, scores=(0.0,), columns={"part": "ab"[i % 2]})
        for i, text in enumerate(texts)
    ]  # fmt: skip
    of_texts = [words(i.parts) for i in instances]
    context: Any = SimpleNamespace(instances=instances, words=of_texts, slices=("part",), group=())
    slices = [
        *declared_slices(["part"], instances)[0],
        *traits_of_texts(instances, of_texts),
        *slices_by_word(read_corpus(instances, of_texts)),
    ]
    for one in slices:
        (members,) = texts_of_slices(finding("slices.worse", one.condition, 0.1), context)
        np.testing.assert_array_equal(members, one.members)
    subject = ", ".join(sorted([slices[0].condition, slices[1].condition]))
    assert len(texts_of_slices(finding("slices.worse", subject, 0.1), context)) == 2


def answers_of(wrong_inside: int, n_inside: int, wrong_outside: int, n_outside: int) -> Answers:
    """Return sure answers that are wrong inside, and unsure ones that are wrong outside."""
    right = np.ones(n_inside + n_outside, dtype=np.bool_)
    right[:wrong_inside] = False
    right[n_inside : n_inside + wrong_outside] = False
    confidence = np.linspace(0.9, 0.8, len(right))
    confidence[:n_inside] = 0.99
    confidence[n_inside : n_inside + wrong_outside] = 0.5
    return Answers(confidence, right)


@pytest.mark.parametrize(
    ("counts", "is_explained"),
    [
        ((60, 100, 30, 400), True),  # the others are ranked without a fault
        ((60, 100, 5, 400), True),  # hardly any other answer is wrong
        ((60, 400, 5, 100), False),  # the slices are most of the table
        ((20, 100, 12, 400), False),  # too many others are wrong, and too few to tell
    ],
)
def test_slices_explain_what_is_unranked_only_where_the_rest_can_tell(
    counts: tuple[int, int, int, int], is_explained: bool
) -> None:
    answers = answers_of(*counts)
    inside = np.arange(len(answers)) < counts[1]
    assert _explain(inside, answers, answers.auroc()) == is_explained
