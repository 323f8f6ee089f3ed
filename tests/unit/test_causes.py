"""What causes a finding is ranked before it, and only where it can be the cause."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from explain.auditing.causes import NOISE_IN_GROUP, with_causes
from explain.checks.base.phrases import read_corpus
from explain.checks.selective.answers import Answers
from explain.checks.selective.check import _explain
from explain.checks.slices.candidates import declared_slices, slices_by_word, traits_of_texts
from explain.checks.slices.members import texts_of_slices
from explain.record import Finding, InstanceRecord, Measure, Section
from explain.text.words import words


def finding(code: str, subject: str, size: float, gap: Measure | None = None) -> Finding:
    return Finding(
        code=code, subject=subject, claim="A claim.", severity="major", size=size, measure=gap,
        evidence=(), suggestion="Do something.",
    )  # fmt: skip


NOISE = finding(
    NOISE_IN_GROUP, "group = B", 0.13,
    Measure(name="gap", value=0.2, lower=0.13, upper=0.27, n=100, slice="group = B"),
)  # fmt: skip


def causes(*findings: Finding) -> list[str | None]:
    context: Any = SimpleNamespace()
    sections = [
        Section(id=f"s{i}", title="s", summary="s", findings=(one,))
        for i, one in enumerate((NOISE, *findings))
    ]
    return [s.findings[0].cause for s in with_causes(sections, context)][1:]


@pytest.mark.parametrize(
    ("code", "subject", "size", "is_caused"),
    [
        ("fairness.accuracy", "group = B", 0.15, True),
        ("fairness.false_negatives", "group = B: returns", 0.2, True),
        ("selective.slice", "group = B", 0.1, True),
        ("slices.worse", "group = A, group = B", 0.1, False),
        ("slices.worse", "group = B: shop", 0.1, False),
        ("fairness.accuracy", "group = B", 0.4, False),
        ("fairness.accuracy", "group = BB", 0.1, False),
        ("fairness.accuracy", "group = A", 0.1, False),
        ("fairness.impact_ratio", "group = B", 0.1, False),
        ("calibration.error", "", 0.1, False),
    ],
)
def test_wrong_labels_of_a_group_cause_what_counts_them_as_errors_of_the_model(
    code: str, subject: str, size: float, is_caused: bool
) -> None:
    assert causes(finding(code, subject, size)) == [NOISE.id if is_caused else None]


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
