"""Two audits are compared row by row, and only what is beyond chance is said to differ."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import f1_score

from explain.comparison import compare
from explain.comparison.flips import flips_table
from explain.comparison.row_changes import macro_f1_difference, mcnemar
from explain.comparison.rows import pair_rows
from explain.errors import ConfigurationError, DataError, RecordError
from explain.record import AuditRecord, Change, Comparison, FrozenCriteria, Skipped
from explain.statistics.intervals import proportion
from reports.comparison import comparison_lines, comparison_page, write_comparison
from tests.helpers.comparisons import audit_of, finding, noisy_pair
from tests.helpers.records import HOSTILE, attribution
from tests.helpers.reviews import instances, record_of

Answers: TypeAlias = NDArray[np.int64]

RNG = np.random.default_rng(0)
TRUTH = RNG.integers(0, 2, 1_000)
GOOD = np.where(np.arange(1_000) < 100, 1 - TRUTH, TRUTH)
BAD = np.where(np.arange(1_000) < 200, 1 - TRUTH, TRUTH)


def change(comparison: Comparison, id: str) -> Change:
    (match,) = (each for each in comparison.changes if each.id == id)
    return match


def test_an_audit_does_not_differ_from_itself() -> None:
    audit = audit_of(TRUTH, GOOD, [finding(30, 100)])
    comparison = compare(audit, audit)
    assert comparison.verdict == "no difference"
    assert {each.outcome for each in comparison.changes} == {"same"}
    assert "Nothing differs beyond chance." in comparison.answer


def test_the_difference_is_second_minus_first() -> None:
    accuracy = change(compare(audit_of(TRUTH, GOOD), audit_of(TRUTH, BAD)), "performance.accuracy")
    assert accuracy.difference is not None
    assert accuracy.difference.value == pytest.approx(-0.1)
    assert accuracy.outcome == "worse"
    assert accuracy.p_value == pytest.approx(stats.binomtest(0, 100).pvalue)


def test_exchanging_the_runs_exchanges_better_and_worse() -> None:
    audits = audit_of(TRUTH, GOOD), audit_of(TRUTH, BAD)
    assert compare(*audits).verdict == "worse"
    assert compare(*audits[::-1]).verdict == "better"


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 0), (3, 12), (40, 41), (0, 9)])
def test_the_test_is_the_exact_one_of_mcnemar(only_first: int, only_second: int) -> None:
    """Twice the smaller tail of the binomial distribution, by hand."""
    n = only_first + only_second
    first = np.array([True] * only_first + [False] * only_second + [True] * 50)
    second = np.array([False] * only_first + [True] * only_second + [True] * 50)
    tail = sum(stats.binom.pmf(k, n, 0.5) for k in range(min(only_first, only_second) + 1))
    assert mcnemar(first, second) == pytest.approx(min(1.0, 2 * float(tail)))


def test_the_difference_of_macro_f1_is_that_of_scikit_learn() -> None:
    rows = pair_rows(audit_of(TRUTH, GOOD), audit_of(TRUTH, BAD))
    measure = macro_f1_difference(rows, ("negative", "positive"))
    expected = f1_score(TRUTH, BAD, average="macro") - f1_score(TRUTH, GOOD, average="macro")
    assert measure is not None
    assert measure.value == pytest.approx(expected, abs=1e-12)
    assert measure.lower is not None
    assert measure.lower < expected


def test_rows_are_paired_by_their_text_in_any_order() -> None:
    first, second = audit_of(TRUTH, GOOD), audit_of(TRUTH, GOOD)
    shuffled = second.with_predictions(second.predictions.sample(frac=1, random_state=0))
    assert compare(first, shuffled).verdict == "no difference"
    assert not pair_rows(first, shuffled).is_changed.any()


def test_rows_of_one_table_alone_are_counted() -> None:
    comparison = compare(audit_of(TRUTH[:300], GOOD[:300]), audit_of(TRUTH, GOOD))
    assert (comparison.rows, comparison.first_rows_only, comparison.second_rows_only) == (
        *(300, 0, 700),
    )


def test_a_row_without_an_answer_counts_as_wrong() -> None:
    whole = audit_of(TRUTH, TRUTH)
    table = whole.predictions.iloc[50:]
    skipped = tuple(
        Skipped(id=f"i{i}", row=i + 1, stage="predict", reason="timeout") for i in range(50)
    )
    failing = whole.model_copy(update={"skipped": skipped}).with_predictions(table)
    for audits, sign in (((whole, failing), -1), ((failing, whole), 1)):
        difference = change(compare(*audits), "performance.accuracy").difference
        assert difference is not None
        assert difference.value == pytest.approx(sign * 0.05)
        assert difference.n == 1_000


def test_rows_with_other_labels_in_the_two_tables_are_in_no_accuracy() -> None:
    relabelled = np.where(np.arange(1_000) < 10, 1 - TRUTH, TRUTH)
    comparison = compare(audit_of(TRUTH, GOOD), audit_of(relabelled, GOOD))
    difference = change(comparison, "performance.accuracy").difference
    assert difference is not None
    assert (difference.value, difference.n) == (0, 990)
    assert "The labels of 10 rows differ" in comparison.answer


def test_a_finding_that_appears_by_a_hair_is_unresolved() -> None:
    measured = proportion("error rate", 24, 100, "language = de")
    comparison = compare(
        audit_of(TRUTH, GOOD, measures=[measured]), audit_of(TRUTH, GOOD, [finding(26, 100)])
    )
    assert change(comparison, "slices.worse[language = de]").outcome == "unresolved"
    assert comparison.verdict == "no difference"


@pytest.mark.parametrize(("hits", "outcome"), [(10, "new"), (24, "unresolved")])
def test_a_new_finding_needs_a_difference_beyond_chance(hits: int, outcome: str) -> None:
    measured = proportion("error rate", hits, 400, "language = de")
    audits = (
        audit_of(TRUTH, GOOD, measures=[measured]),
        audit_of(TRUTH, GOOD, [finding(40, 400) if outcome == "unresolved" else finding(90, 400)]),
    )
    id = "slices.worse[language = de]"
    assert change(compare(*audits), id).outcome == outcome
    gone = {"new": "gone"}.get(outcome, outcome)
    assert change(compare(*audits[::-1]), id).outcome == gone


def test_a_finding_of_both_is_worse_where_its_measure_is() -> None:
    audits = audit_of(TRUTH, GOOD, [finding(60, 400)]), audit_of(TRUTH, GOOD, [finding(160, 400)])
    id = "slices.worse[language = de]"
    assert change(compare(*audits), id).outcome == "worse"
    assert change(compare(*audits[::-1]), id).outcome == "better"


def test_a_fact_is_new_without_a_statistic() -> None:
    fact = finding(1, 2).model_copy(update={"measure": None, "size": None})
    comparison = compare(audit_of(TRUTH, GOOD), audit_of(TRUTH, GOOD, [fact]))
    assert change(comparison, fact.id).outcome == "new"
    assert comparison.verdict == "worse"


@pytest.mark.parametrize(
    ("shift", "errors", "outcome"),
    [
        (0.0, 0.0, "same"),
        (1.0, 0.01, "changed"),
        (0.02, 0.02, "unresolved"),
        (1.0, None, "unresolved"),
    ],
)
def test_a_word_changed_where_the_errors_of_both_leave_no_doubt(
    shift: float, errors: float | None, outcome: str
) -> None:
    audits = []
    for weight in (0.5, 0.5 + shift):
        explained = attribution(
            "text", values=(weight,), errors=None if errors is None else (errors,)
        )
        (instance,) = instances(1)
        instance = instance.model_copy(update={"attributions": (explained,), "parts": ("text",)})
        audits.append(audit_of(TRUTH, GOOD, instances=[instance]))
    word = change(compare(audits[0], audits[1]), "shap[negative: text]")
    assert word.outcome == outcome
    assert word.difference is not None
    assert word.difference.value == pytest.approx(shift)


def test_rows_that_became_wrong_come_first_with_the_attributions_of_both() -> None:
    explained = attribution("text 0", values=(0.5, 0.1))
    shown = [i.model_copy(update={"attributions": (explained,)}) for i in instances(1)]
    comparison = compare(
        audit_of([1, 0, 1], [1, 1, 0], instances=shown),
        audit_of([1, 0, 1], [0, 0, 1], instances=shown),
    )
    table = comparison.sections[-1].tables[0]
    assert [row[-1] for row in table.rows] == ["became wrong", "became right", "became right"]
    (instance,) = comparison.instances
    assert [each.method_title for each in instance.attributions] == [
        "SHAP, first run",
        "SHAP, second run",
    ]


@pytest.mark.parametrize(
    ("answers", "margin", "is_shown"),
    [(GOOD, 0.02, True), (BAD, 0.02, False), (BAD, 0.2, True), (GOOD, 0.0, False)],
)
def test_no_regression_is_shown_by_the_whole_interval(
    answers: Answers, margin: float, is_shown: bool
) -> None:
    regression = compare(audit_of(TRUTH, GOOD), audit_of(TRUTH, answers), margin).non_inferiority
    assert regression is not None
    assert regression.is_shown == is_shown
    assert regression.difference.lower is not None
    assert is_shown == (regression.difference.lower > -margin)


def frozen_audit(answers: Answers, margin: float | None, on: date) -> AuditRecord:
    """Return an audit of that day which has frozen a margin for comparisons."""
    audit = audit_of(TRUTH, answers)
    frozen = FrozenCriteria.of(audit.criteria, on, margin)
    return audit.model_copy(
        update={
            "regression_margin": margin,
            "criteria_sha256": None if frozen.is_empty else frozen.sha256,
            "criteria_frozen_on": on,
            "provenance": audit.provenance.model_copy(update={"audited_on": on}),
        }
    ).with_predictions(audit.predictions)


SPRING, SUMMER = date(2026, 3, 1), date(2026, 7, 1)


@pytest.mark.parametrize("stated", [None, "frozen", 0.02])
def test_a_frozen_margin_counts_and_is_said_to_be_frozen(
    stated: float | Literal["frozen"] | None,
) -> None:
    audits = frozen_audit(GOOD, 0.02, SPRING), frozen_audit(BAD, None, SUMMER)
    regression = compare(*audits, stated).non_inferiority
    assert regression is not None
    assert (regression.margin, regression.frozen_on) == (0.02, SPRING)
    assert not regression.is_shown
    assert regression.sha256 == audits[0].criteria_sha256
    assert "The first run froze this margin on 2026-03-01, before its rows" in regression.origin
    assert "could be known" not in regression.origin


def test_the_time_grows_with_the_rows_and_not_with_their_square() -> None:
    """Whether an answer is right is looked up once of each row, however many answers differ."""
    looked_up = []

    class Answer(tuple[str, ...]):
        __slots__ = ()

        def __iter__(self) -> Iterator[str]:
            looked_up.append(1)
            return super().__iter__()

    rows = pair_rows(audit_of(TRUTH, GOOD), audit_of(TRUTH, BAD))
    counted = replace(rows, labels=[labels and Answer(labels) for labels in rows.labels])
    flips_table(counted, ())
    assert 0 < len(looked_up) <= 3 * len(rows.ids)


def test_a_margin_that_is_chosen_afterwards_is_refused_or_said_to_be_that() -> None:
    frozen, later = frozen_audit(GOOD, 0.02, SPRING), frozen_audit(BAD, None, SUMMER)
    for other in (0.2, 0.01):
        with pytest.raises(
            ConfigurationError, match=r"first run froze the margin 0\.02 on 2026-03"
        ):
            compare(frozen, later, other)
    regression = compare(audit_of(TRUTH, GOOD), later, 0.2).non_inferiority
    assert regression is not None
    assert regression.is_shown
    assert (regression.frozen_on, regression.sha256) == (None, None)
    assert "it was not frozen before" in regression.origin
    with pytest.raises(ConfigurationError, match="neither audit froze a margin"):
        compare(audit_of(TRUTH, GOOD), later, "frozen")


@pytest.mark.parametrize("is_swapped", [False, True])
def test_of_two_margins_that_of_the_earlier_audit_counts(is_swapped: bool) -> None:
    early, late = frozen_audit(GOOD, 0.02, SPRING), frozen_audit(BAD, 0.3, SUMMER)
    regression = compare(*((late, early) if is_swapped else (early, late))).non_inferiority
    assert regression is not None
    assert (regression.margin, regression.frozen_on) == (0.02, SPRING)
    assert "The other run froze the margin 30 %, which is not used" in regression.origin


def test_a_margin_of_the_later_audit_says_that_results_could_be_known() -> None:
    """An audit that is made again with a margin, when the other one is known, shows by its day."""
    again, known = frozen_audit(GOOD, 0.3, SUMMER), frozen_audit(BAD, None, SPRING)
    regression = compare(again, known).non_inferiority
    assert regression is not None
    assert regression.is_shown
    assert "The results of the other run could be known then." in regression.origin


def test_a_margin_that_does_not_fit_its_hash_is_refused() -> None:
    frozen = frozen_audit(GOOD, 0.02, SPRING)
    edited = frozen.model_copy(update={"regression_margin": 0.2})
    with pytest.raises(RecordError, match="not as it was frozen"):
        compare(edited.with_predictions(frozen.predictions), audit_of(TRUTH, BAD))


def test_a_frozen_margin_needs_no_accuracy_unless_it_is_asked_for() -> None:
    frozen = frozen_audit(GOOD, 0.02, SPRING)
    unlabelled = frozen.with_predictions(frozen.predictions.assign(labels=None))
    assert compare(unlabelled, unlabelled).non_inferiority is None
    with pytest.raises(ConfigurationError, match="no accuracy could be compared"):
        compare(unlabelled, unlabelled, "frozen")


def test_an_audit_that_is_compared_with_itself_is_said_to_be_that() -> None:
    audit, other = audit_of(TRUTH, GOOD), audit_of(TRUTH, BAD)
    said = "Both runs are the same audit"
    assert said in compare(audit, audit).answer
    assert said not in compare(audit, other).answer
    identity = audit.identity.model_copy(update={"version": "2"})
    assert said not in compare(audit, audit.model_copy(update={"identity": identity})).answer


def test_labels_in_another_order_are_the_same_labels() -> None:
    audit = audit_of(TRUTH, BAD)
    model = audit.provenance.model.model_copy(update={"labels": ("positive", "negative")})
    provenance = audit.provenance.model_copy(update={"model": model})
    turned = audit.model_copy(update={"provenance": provenance})
    comparison = compare(audit, turned.with_predictions(audit.predictions))
    assert comparison.verdict == "no difference"
    assert not pair_rows(audit, turned).is_changed.any()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"removal": "delete"}, "1 explanation is not compared: the two runs removed words"),
        ({"parameters": {"unit": "token"}}, "1 explanation is not compared"),
        ({"parameters": {"unit": "word", "budget": 2_048}}, ""),
        ({"method": "lime", "method_title": "LIME"}, "Only the second run explains by LIME."),
    ],
)
def test_words_are_compared_where_both_runs_asked_the_same(
    changes: dict[str, object], says: str
) -> None:
    """What stands for a removed word, say, moves values of one and the same model."""
    explained = attribution("text", values=(0.5,), errors=(0.01,))
    explained = explained.model_copy(update={"parameters": {"unit": "word", "budget": 64}})
    other = explained.model_copy(update={"values": (3.0,), **changes})
    audits = []
    for each in (explained, other):
        (instance,) = instances(1)
        instance = instance.model_copy(update={"attributions": (each,), "parts": ("text",)})
        audits.append(audit_of(TRUTH, GOOD, instances=[instance]))
    comparison = compare(audits[0], audits[1])
    (summary,) = (section.summary for section in comparison.sections if section.id == "words")
    assert says in summary
    assert any(each.kind == "word" for each in comparison.changes) == (says == "")


def test_what_cannot_be_compared_is_said_in_a_line() -> None:
    audit = audit_of(TRUTH, GOOD)
    model = audit.provenance.model.model_copy(update={"labels": ("a", "b", "c")})
    provenance = audit.provenance.model_copy(update={"model": model})
    with pytest.raises(ConfigurationError, match=r"same labels.* 'positive' of the fir"):
        compare(audit, audit.model_copy(update={"provenance": provenance}))
    model = model.model_copy(update={"task": "multi_label"})
    provenance = audit.provenance.model_copy(update={"model": model})
    with pytest.raises(ConfigurationError, match="single_label and multi_label"):
        compare(audit, audit.model_copy(update={"provenance": provenance}))
    other = audit.predictions.assign(id=[f"x{i}" for i in range(1_000)])
    with pytest.raises(DataError, match="no row in common"):
        compare(audit, audit.with_predictions(other))
    with pytest.raises(RecordError, match="without the predictions"):
        compare(audit, record_of([]))
    with pytest.raises(ConfigurationError, match=r"0\.02 for two points"):
        compare(audit, audit, 2.0)


def test_two_runs_of_one_model_do_not_differ_and_a_regression_is_found() -> None:
    """A few seeds; all of them are in tests/statistical."""
    for seed in range(2):
        rng = np.random.default_rng(seed)
        assert compare(*noisy_pair(rng, 1_000)).verdict == "no difference"
        assert compare(*noisy_pair(rng, 1_000, loss=0.05)).verdict == "worse"


def test_the_page_shows_hostile_names_and_runs_none(tmp_path: Path) -> None:
    audit = audit_of(TRUTH, BAD, [finding(160, 400, HOSTILE)])
    identity = audit.identity.model_copy(update={"name": HOSTILE, "version": HOSTILE})
    comparison = compare(
        audit_of(TRUTH, GOOD), audit.model_copy(update={"identity": identity}), 0.01
    )
    page = comparison_page(comparison)
    assert "<img src=x" not in page
    assert "▼ worse" in page
    for name in ("diff.html", "diff.md", "diff.json"):
        write_comparison(comparison, tmp_path / name)
    assert Comparison.from_json((tmp_path / "diff.json").read_bytes()) == comparison
    assert json.loads((tmp_path / "diff.json").read_text())["verdict"] == "worse"
    assert "<img" not in (tmp_path / "diff.md").read_text().replace(r"\<img", "")
    assert any("✗ It is not shown" in line for line in comparison_lines(comparison))
    with pytest.raises(ConfigurationError, match=r"\.md"):
        write_comparison(comparison, tmp_path / "diff.docx")
