"""What the checks say is a constant of the code with typed values, so that it can be translated."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import explain
from explain.record import Section, Sentence
from tests.helpers.audit_helpers import audit_scores, noisy, texts_of
from tests.helpers.constants import not_constant
from tests.helpers.plain_strings import composed_strings

CHECKS = ("data", "performance", "calibration", "slices")

SCORES, LABELS = noisy(400, 3, 0)
SIDES: dict[str, Sequence[str]] = {"side": ["ab"[i % 2] for i in range(400)]}


def several_labels(check: str) -> Section:
    rng = np.random.default_rng(3)
    truth = rng.random((300, 4)) < 0.3
    scores = np.where(truth, 2.0, -2.0) + rng.normal(0, 1.5, truth.shape)
    return audit_scores(scores, truth, check, task="multi_label")


def numbers(check: str) -> Section:
    rng = np.random.default_rng(5)
    predicted = rng.normal(size=(300, 1))
    labels = rng.normal(0, 1 + 4 * (np.arange(300) % 2), 300)
    return audit_scores(
        predicted, labels, check, task="regression",
        columns={"side": SIDES["side"][:300]}, slices=["side"],
    )  # fmt: skip


def worse_on_one_side(check: str) -> Section:
    odd = np.arange(400) % 2 == 1
    scores = np.where(odd[:, None], np.random.default_rng(2).normal(size=SCORES.shape), SCORES)
    return audit_scores(scores, LABELS, check, columns=SIDES, slices=["side"])


def too_sure(check: str) -> Section:
    groups: dict[str, Sequence[str]] = {"author": [f"author {i % 50}" for i in range(400)]}
    return audit_scores(5 * SCORES, LABELS, check, columns=groups, group="author")


def exchanged(check: str) -> Section:
    return audit_scores(SCORES[:, [1, 0, 2]], LABELS, check)


def guesses(check: str) -> Section:
    return audit_scores(SCORES, np.random.default_rng(1).integers(0, 3, 400), check)


def repeated(check: str) -> Section:
    texts = [
        f"{text} {'.' * (i % 2)}"
        for text in texts_of(200, np.random.default_rng(0))
        for i in (0, 1)
    ]
    rows = [{"text": text, "label": f"label {i % 3}"} for i, text in enumerate(texts[:90])]
    return audit_scores(SCORES, LABELS, check, texts=texts, training=rows)


def many_labels(check: str) -> Section:
    scores, labels = noisy(200, 17, 0)
    scores[:, 2] = -9
    return audit_scores(scores, labels, check)


def few_rows(check: str) -> Section:
    return audit_scores(SCORES[:30], LABELS[:30], check)


def no_labels(check: str) -> Section:
    return audit_scores(SCORES, None, check)


TABLES: tuple[Callable[[str], Section], ...] = (
    several_labels, numbers, worse_on_one_side, too_sure, exchanged, guesses, repeated,
    many_labels, few_rows, no_labels,
)  # fmt: skip


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
@pytest.mark.parametrize("check", CHECKS)
def test_each_sentence_is_a_constant_with_values(
    check: str, table: Callable[[str], Section]
) -> None:
    assert not composed_strings(table(check))


def test_rows_without_an_answer_are_told_in_sentences_with_values() -> None:
    def answer(texts: Sequence[str]) -> Any:
        if any(text.endswith("7") for text in texts):
            raise ConnectionError(f"no route for {texts[0]}")
        return np.tile([0.9, 0.1], (len(texts), 1))

    rows = [{"text": f"text {i}", "label": "ab"[i % 2], "side": "cd"[i % 2]} for i in range(100)]
    record = explain.audit(
        explain.wrap(answer, labels=["a", "b"]),
        rows, label="label", slices=["side"], instances=0, methods=[], checks=[*CHECKS],
    )  # fmt: skip
    sections = {section.id: section for section in record.sections}
    assert {*CHECKS, "unanswered"} <= {*sections}
    for name in (*CHECKS, "unanswered"):
        assert not composed_strings(sections[name])
    (finding,) = sections["unanswered"].findings
    assert isinstance(finding.claim, Sentence)


def test_a_value_that_is_written_into_a_template_is_found() -> None:
    n = 3
    assert [*not_constant(Sentence(f"{n} rows."))] == ["3 rows."]
    inner = Sentence("{side}", side=Sentence(f"{n} sides"))
    assert "3 sides" in [*not_constant(inner)]
