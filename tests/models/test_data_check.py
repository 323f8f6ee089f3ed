"""What a table holds is counted, and what of it a model cannot be judged by is found."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import explain
from explain.adapters import FunctionClassifier, Scores
from explain.adapters.base import VocabularyClassifier
from explain.adapters.transformers import TransformersClassifier
from explain.checks.data.duplicates import near_duplicates
from explain.record import Measure, Section
from explain.testing.messages import LABELS as LABEL_NAMES
from explain.testing.messages import NAMES, posterior_of, words_of
from explain.testing.planted import planted
from explain.testing.planted.data_cases import GROUP_NOISE, NOISY_GROUP, PREAMBLE
from tests.helpers.audit_helpers import (
    audit_scores,
    finding_claims,
    labels_of,
    measures_of,
    noisy,
    texts_of,
)
from tests.helpers.plain_strings import composed_strings
from tests.helpers.tiny import byte_tokenizer, piece_tokenizer, random_model

N = 300


LABELS = np.random.default_rng(0).integers(0, 3, N)
SCORES = 3.0 * (LABELS[:, None] == np.arange(3))


def training(texts: list[str]) -> list[dict[str, str]]:
    return [{"text": text, "label": labels_of(3)[i % 3]} for i, text in enumerate(texts)]


def test_almost_equal_texts_are_paired_once_and_equal_ones_not_at_all() -> None:
    long = "we waited for an hour at the door of the house that they had built beside the river"
    texts = [(long,), ("something quite different",), (long.capitalize(),), (long,)]
    pairs = near_duplicates(texts)
    assert {(pair.first, pair.second) for pair in pairs} == {(0, 2), (2, 3)}
    assert all(pair.similarity >= 0.9 for pair in pairs)
    assert near_duplicates([("",), (" \n",)]) == []
    assert near_duplicates([("a", "b"), ("a b", "")]) == []
    assert near_duplicates([]) == near_duplicates(texts, []) == []
    # The parts of a pair are compared each with its own kind.
    other = "there was nothing to be seen but snow"
    assert near_duplicates([(long, other), (other, long), (long, "quite another")]) == []
    (pair,) = near_duplicates([(long, other)], [(other, long), (long.capitalize(), other)])
    assert (pair.first, pair.second) == (0, 1)


def test_blocks_find_what_all_pairs_find(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    texts = [(text[: rng.integers(20, 30)],) for text in texts_of(40, rng) for _ in range(2)]
    whole = near_duplicates(texts)
    monkeypatch.setattr("explain.checks.data.duplicates.BLOCK", 7)
    assert near_duplicates(texts) == whole != []


def section(**options: Any) -> Section:
    return audit_scores(
        SCORES, LABELS, "data", texts=texts_of(N, np.random.default_rng(0)), **options
    )


def test_a_clean_table_gives_no_finding() -> None:
    other = texts_of(N, np.random.default_rng(1))
    assert section(training=training(other)).findings == ()


def test_texts_that_were_trained_on_are_found() -> None:
    texts = texts_of(N, np.random.default_rng(0))
    changed = [f"{text}!" for text in texts[15:40]]
    known = [*texts[:15], *changed, *texts_of(99, np.random.default_rng(2))]
    found = section(training=training(known))
    measures = measures_of(found)
    assert measures["texts that are in the training data"].value == 15 / N
    (almost,) = (m for m in found.measures if "one of the training data" in m.name)
    assert (almost.value, almost.n) == (25 / (N - 15), N - 15)
    finding, near = found.findings
    assert finding.claim.startswith("15 of 300 texts (5 % [3.1, 8.1]) are in the training data.")
    assert "right on 100 % [80, 100] of those" in finding.claim
    assert len(finding.evidence) == 4
    assert (near.code, near.severity) == ("data.near_training_copies", "major")
    assert near.claim.startswith("25 of 285 other texts (8.8 % [6.0, 12.6]) are almost the same")


def test_contradicting_labels_are_found() -> None:
    texts = [f"{text} end" for text in texts_of(N // 2, np.random.default_rng(0)) for _ in range(2)]
    given = np.repeat(LABELS[: N // 2], 2)
    agree = audit_scores(np.repeat(SCORES[: N // 2], 2, axis=0), given, "data", texts=texts)
    assert measures_of(agree)["exact repeats of an earlier text"].value == 0.5
    assert agree.findings == ()
    torn = given.copy()
    torn[1:41:2] = (torn[1:41:2] + 1) % 3
    found = audit_scores(np.repeat(SCORES[: N // 2], 2, axis=0), torn, "data", texts=texts)
    assert "contradict another row" in finding_claims(found)
    assert found.findings[0].measure is not None
    assert found.findings[0].measure.value == 40 / N


def test_labels_that_were_turned_over_are_suspected_first() -> None:
    given = LABELS.copy()
    given[:12] = (given[:12] + 1) % 3
    found = audit_scores(SCORES, given, "data")
    (listed,) = (t for t in found.tables if t.title == "Suspected label errors")
    assert len(listed.rows) == 12
    assert all(row[2] != row[3] for row in listed.rows)
    # The model alone says so: of texts without meaning the other rows tell nothing.
    assert found.findings == ()


def test_labels_of_one_group_that_are_wrong_more_often_are_found_with_its_name() -> None:
    case = planted("group_label_noise", 0)
    record = explain.audit(case.classifier, case.rows, instances=0, checks=["data"], **case.options)
    (finding,) = (f for f in record.findings if f.code == "data.label_errors_in_group")
    assert finding.subject == f"group = {NOISY_GROUP}"
    assert finding.measure is not None
    assert (finding.measure.lower or 0) < GROUP_NOISE < (finding.measure.upper or 0)
    assert finding.size == finding.measure.lower


def test_a_model_that_answers_at_random_now_and_then_does_not_make_labels_wrong() -> None:
    scores, labels = noisy(600, 3, 1)
    groups = ["ab"[i % 2] for i in range(600)]
    found = audit_scores(scores, labels, "data", columns={"unit": groups}, group="unit")
    assert found.findings == ()


def test_how_many_labels_are_wrong_is_not_said_by_a_model_that_is_sure_of_few_texts() -> None:
    labels = np.random.default_rng(3).integers(0, 3, N)
    found = audit_scores(0.2 * SCORES, labels, "data")
    assert "labels that are probably wrong" not in measures_of(found)
    (table,) = (t for t in found.tables if t.title == "Not measured")
    assert "tell their label almost surely" in str(table.rows[0][1])


def test_a_model_that_is_bad_on_one_group_does_not_make_its_labels_wrong() -> None:
    case, names = planted("clean", 0), set(NAMES["B"].lower().split())

    def scores(texts: Sequence[str]) -> Scores:
        is_b = [not names.isdisjoint(words) for words in words_of(texts)]
        right = posterior_of(texts)
        return np.where(np.array(is_b)[:, None], right[:, [1, 0, 2]], right)

    model = FunctionClassifier(scores, LABEL_NAMES, output="scores")
    record = explain.audit(model, case.rows, instances=0, checks=["data"], **case.options)
    assert record.findings == ()


@pytest.mark.parametrize(("n_cut", "is_found"), [(4, False), (12, True)])
def test_few_texts_that_are_cut_are_found_if_the_model_is_worse_on_them(
    n_cut: int, is_found: bool
) -> None:
    """Of 300 texts 12 are no large share, but right on none of them is worse than by chance."""
    case = planted("rare_truncation", 0, 300)
    long = [row for row in planted("rare_truncation", 1, 1_000).rows if PREAMBLE in row["text"]]
    rows = [row for row in case.rows if PREAMBLE not in row["text"]] + long[:n_cut]
    record = explain.audit(case.classifier, rows, label="label", instances=0, checks=["data"])
    assert [finding.code for finding in record.findings] == ["data.cut_texts"] * is_found
    (table,) = (t for t in record.sections[0].tables if "cut, and on the others" in t.title)
    cut, whole, gap = table.rows[0]
    assert isinstance(cut, Measure)
    assert isinstance(whole, Measure)
    assert isinstance(gap, Measure)
    assert (cut.n, whole.n) == (n_cut, len(rows) - n_cut)
    assert gap.value == pytest.approx((cut.value or 0) - (whole.value or 0))
    # As statsmodels' confint_proportions_2indep(..., method="newcomb") has it, from both intervals.
    low = np.hypot((cut.value or 0) - (cut.lower or 0), (whole.upper or 0) - (whole.value or 0))
    assert gap.lower == pytest.approx(max(-1, (gap.value or 0) - low))


def test_labels_that_are_given_once_or_never_are_no_hindrance() -> None:
    given = np.zeros(60, dtype=np.int64)
    given[0] = 2
    found = audit_scores(SCORES[:60], given, "data")
    assert measures_of(found)["labels that are probably wrong"].n == 60
    unlabelled = audit_scores(SCORES[:60], None, "data")
    assert "labels that are probably wrong" not in measures_of(unlabelled)


def test_texts_that_are_cut_are_found_with_how_right_the_model_is_on_them() -> None:
    tokenizer = byte_tokenizer(mask=True, limit=32)
    network = random_model("roberta", tokenizer, num_labels=3, max_position_embeddings=40)
    model = TransformersClassifier(network, tokenizer)
    texts = ["a " * (40 if i % 5 == 0 else 5) + str(i) for i in range(60)]
    rows = [{"text": text, "label": model.labels[0]} for text in texts]
    record = explain.audit(model, rows, label="label", instances=0, methods=[], checks=["data"])
    (found,) = record.sections[:1]
    (finding,) = found.findings
    assert "does not read 12 of 60 texts to the end (20 % [" in finding.claim
    assert not composed_strings(found)
    (by_label,) = (t for t in found.tables if "of each label that were cut" in t.title)
    assert [row[0] for row in by_label.rows] == [model.labels[0]]
    (right,) = (t for t in found.tables if "cut, and on the others" in t.title)
    cut, whole, gap = right.rows[0]
    assert isinstance(gap, Measure)
    assert gap.n == 60
    assert isinstance(cut, Measure)
    assert isinstance(whole, Measure)
    assert (cut.n, whole.n) == (12, 48)


def test_tokens_that_the_model_does_not_know_are_counted_and_found() -> None:
    tokenizer = piece_tokenizer()
    model = TransformersClassifier(random_model("bert", tokenizer, num_labels=3), tokenizer)
    assert isinstance(model, VocabularyClassifier)
    good, bad = "a good film", "a good 🙂 film"
    (plain, odd) = model.unknown([good, bad])
    assert plain == (0, plain[1])
    assert odd == (1, plain[1] + 1)
    rows = [{"text": bad if i % 2 else good} for i in range(60)]
    record = explain.audit(model, rows, instances=0, methods=[], checks=["data"])
    measures = measures_of(record.sections[0])
    share = 30 / (30 * plain[1] + 30 * odd[1])
    assert measures["tokens that the model does not know"].value == pytest.approx(share)
    assert measures["texts with a token that the model does not know"].value == 0.5
    assert "does not know" in finding_claims(record.sections[0])
    assert not composed_strings(record.sections[0])


def test_too_many_labels_to_compare_each_with_each_are_said() -> None:
    n_labels = 5_001

    def scores(texts: Sequence[str]) -> Any:
        table = np.zeros((len(texts), n_labels))
        table[range(len(texts)), [int(text.split()[-1]) % 2 for text in texts]] = 9.0
        return table

    labels = [f"label {i}" for i in range(n_labels)]
    model = FunctionClassifier(scores, labels, output="scores")
    rows = [{"text": f"text {i}", "label": labels[i % 2]} for i in range(60)]
    record = explain.audit(model, rows, label="label", instances=0, methods=[], checks=["data"])
    said = [
        row[0] for t in record.sections[0].tables if t.title == "Not measured" for row in t.rows
    ]
    assert said == ["wrong labels"]
