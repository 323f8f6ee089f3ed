"""Slices: a worse one is found and tested on other rows, a clean table has none."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

import explain
from explain.adapters import FunctionClassifier
from explain.checks.slices import SlicesCheck
from explain.checks.slices.candidates import _ADDRESS, Slice
from explain.checks.slices.slice_tests import Losses, compare_with_rest, judge_tests
from explain.record import Measure, Section
from explain.statistics.adjustments import holm_where_testable
from tests.helpers.search import examples, seeds

WORDS = ("apple", "pear", "plum", "fig", "lime")


def table(seed: int, n: int = 400) -> list[dict[str, Any]]:
    """Return texts whose label no model can see, and whose last word is what one answers."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        said = rng.choice(WORDS, rng.integers(1, 6)).tolist()
        label = rng.choice(["no", "yes"])
        rows.append(
            {
                "text": " ".join([*said, str(number), label]),
                "label": str(label),
                "language": str(rng.choice(["de", "en", "fr"], p=[0.2, 0.5, 0.3])),
                "rng": rng.random(),
            }
        )
    return rows


def wrong(rows: list[dict[str, Any]], where: NDArray[np.bool_], rate: float) -> None:
    """Give some rows the label that the model will not give, a tenth of the others too."""
    for row, inside in zip(rows, where, strict=True):
        if row["rng"] < (rate if inside else 0.1):
            row["label"] = "no" if row["label"] == "yes" else "yes"


def last_word(texts: Sequence[str]) -> NDArray[np.float64]:
    yes = np.array([text.endswith("yes") for text in texts], dtype=float)
    return np.stack([-yes, yes - 0.5], axis=1)


MODEL = FunctionClassifier(last_word, ["no", "yes"], name="last word", output="scores")


def measured(rows: Any, model: Any = MODEL, *, seed: int = 0, **options: Any) -> Section:
    columns = options.pop("slices", ())
    record = explain.audit(
        model, rows, label=options.pop("label", "label"), instances=0, methods=(),
        slices=columns, seed=seed, checks=[SlicesCheck(**options)],
    )  # fmt: skip
    return record.sections[0]


def test_the_difference_of_two_shares_has_the_published_interval() -> None:
    """Newcombe 1998, table II, contrast (a) by method 10: 56/70 against 48/80."""
    wrong = np.repeat([1.0, 0.0, 1.0, 0.0], [56, 14, 48, 32])
    members = np.arange(150) < 70
    gap = Losses(wrong, "single_label").gap(members, ~members, "side = a")
    ends = (gap.value, gap.lower, gap.upper)
    assert ends == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)
    assert (gap.n, gap.slice, gap.method) == (70, "side = a", "Newcombe")


@examples(50)
@given(errors=st.lists(st.booleans(), min_size=8, max_size=40), inside=st.integers(1, 7))
def test_errors_are_compared_by_fishers_exact_test(errors: list[bool], inside: int) -> None:
    members = np.arange(len(errors)) < inside
    own, rest = np.array(errors)[members], np.array(errors)[~members]
    counts = np.array([[own.sum(), (~own).sum()], [rest.sum(), (~rest).sum()]])
    expected = stats.fisher_exact(counts, alternative="greater").pvalue
    losses = Losses(np.array(errors, dtype=float), "single_label")
    assert losses.p_value(members, ~members) == pytest.approx(expected, abs=1e-9)


def test_a_named_slice_that_is_worse_is_found_in_nearly_every_table() -> None:
    found, tables = 0, seeds(20, 3)
    for seed in tables:
        rows = table(seed)
        wrong(rows, np.array([row["language"] == "de" for row in rows]), 0.5)
        section = measured(rows, slices=["language"], seed=seed)
        found += any("language = de" in f.claim for f in section.findings)
    assert found >= 0.95 * len(tables)


def test_a_finding_says_whether_the_model_is_less_sure_there() -> None:
    rows = table(0, 600)
    wrong(rows, np.array(["plum" in row["text"] for row in rows]), 0.4)

    def less_sure(texts: Sequence[str]) -> NDArray[np.float64]:
        return last_word(texts) * np.where(["plum" in text for text in texts], 0.01, 1)[:, None]

    unsure = FunctionClassifier(less_sure, ["no", "yes"], name="unsure", output="scores")
    blind_claim, unsure_claim = (
        next(
            f.claim
            for f in measured(rows, model).findings
            if 'texts with the word "plum"' in f.claim
        )
        for model in (MODEL, unsure)
    )
    assert "Its confidence does not show it: on average it is 7" in blind_claim
    assert ". On average it is 50 % sure of its answers there, and" in unsure_claim


def test_a_gap_that_may_be_large_is_not_called_too_small() -> None:
    rows = table(3, 600)
    wrong(rows, np.zeros(len(rows), dtype=bool), 0.0)
    (tested,) = (t for t in measured(rows, slices=["language"]).tables if "tested" in t.title)
    gaps = [(row[4], row[-1]) for row in tested.rows]
    assert any(isinstance(gap, Measure) and (gap.upper or 0) > 0.05 for gap, _ in gaps)
    for gap, reason in gaps:
        assert isinstance(gap, Measure)
        assert gap.upper is not None
        is_small = reason in ("the gap is too small to matter", "the model is better here")
        assert is_small == (gap.upper <= 0.05)
        assert (reason == "the model is better here") == (gap.upper < 0)


def test_a_slice_that_nobody_named_is_found_in_nearly_every_table() -> None:
    found, tables = 0, seeds(20, 3)
    for seed in tables:
        rows = table(seed, 600)
        inside = np.array(["plum" in row["text"] for row in rows])
        wrong(rows, inside, 0.5)
        section = measured(rows, seed=seed)
        found += any("plum" in f.claim for f in section.findings)
        (plum,) = (m for m in section.measures if m.slice == "word = plum")
        assert plum.n < 0.7 * inside.sum()
    assert found >= 0.95 * len(tables)


def test_a_table_whose_errors_lie_anywhere_has_no_finding() -> None:
    false = 0
    for seed in seeds(30, 4):
        rows = table(seed)
        wrong(rows, np.zeros(len(rows), dtype=bool), 0)
        false += bool(measured(rows, slices=["language"], seed=seed).findings)
    assert false == 0


def test_the_evidence_is_errors_of_the_slice_and_the_claim_has_the_numbers() -> None:
    rows = table(0)
    wrong(rows, np.array([row["language"] == "de" for row in rows]), 0.9)
    record = explain.audit(
        MODEL, rows, label="label", instances=0, methods=(), slices=["language"], checks=["slices"]
    )
    finding = record.sections[0].findings[0]
    named = {instance.id: instance for instance in record.instances}
    shown = [named[i] for i in finding.evidence[1:]]
    assert shown
    assert all(not i.right and i.columns["language"] == "de" for i in shown)
    assert finding.measure is not None
    assert f"{100 * (finding.measure.value or 0):.1f} % [" in finding.claim
    assert f"of the {finding.measure.n} texts where language = de" in finding.claim
    assert finding.severity == "critical"


def test_a_criterion_can_name_the_accuracy_of_a_slice() -> None:
    rows = table(3)
    measures = measured(rows, slices=["language"]).measures
    german = next(m for m in measures if m.slice == "language = de")
    right = [row for row in rows if row["language"] == "de"]
    assert (german.name, german.value, german.n) == ("accuracy", 1.0, len(right))
    assert all(m.name in {metric.title for metric in SlicesCheck.metrics} for m in measures)


def test_the_worst_bound_comes_first() -> None:
    rows = table(1)
    wrong(rows, np.zeros(len(rows), dtype=bool), 0)
    lowers = [m.lower or 0.0 for m in measured(rows, slices=["language"]).measures]
    assert lowers == sorted(lowers)


def test_what_cannot_be_measured_is_said() -> None:
    rows = table(0)
    assert "no label column" in str(measured(rows, label=None).skipped)
    assert "too few" not in measured(rows).summary
    few = measured(rows[:20])
    assert "20 scored rows have a label, but a search for slices needs 120" in str(few.skipped)
    assert "too few to search" in measured(rows[:20], slices=["language"]).summary
    assert measured([row | {"label": None} for row in rows]).skipped


def test_missing_and_many_values_of_a_column_are_said() -> None:
    rows = [row | {"language": None if i < 7 else i} for i, row in enumerate(table(0))]
    (notes,) = (t for t in measured(rows, slices=["language"]).tables if "note" in t.columns)
    assert notes.rows[0][1] == "7 rows have no value and are in no slice"
    assert "50 most frequent of 393" in str(notes.rows[1][1])


def test_a_regression_is_measured_by_its_squared_error() -> None:
    rng = np.random.default_rng(0)
    words = ["plum" if i % 3 else "fig" for i in range(400)]
    rows = [
        {"text": f"{word} {i}", "label": float(rng.normal(0, 4 if word == "fig" else 1))}
        for i, word in enumerate(words)
    ]
    model = FunctionClassifier(
        lambda texts: np.zeros((len(texts), 1)), ["value"], task="regression", name="zero",
        output="scores",
    )  # fmt: skip
    section = measured(rows, model)
    assert any("fig" in f.claim and "mean squared error" in f.claim for f in section.findings)
    assert {m.name for m in section.measures} == {"mean squared error"}


def test_a_text_with_several_labels_is_right_if_all_are() -> None:
    rows = [
        {"text": f"a {'b' if i % 2 else 'c'} {i}", "label": "a" if i % 2 else "a|b"}
        for i in range(300)
    ]
    model = FunctionClassifier(
        lambda texts: np.array([[1.0, "b" in text] for text in texts]) * 2 - 1,
        ["a", "b"], task="multi_label", output="scores", name="letters",
    )  # fmt: skip
    section = measured(rows, model)
    assert {m.name for m in section.measures} <= {"subset accuracy"}
    assert all(isinstance(m, Measure) and m.value in (0, 1) for m in section.measures)


def test_scripts_marks_and_capitals_are_slices() -> None:
    texts = ["Привет мир!", "hello world", "HELLO WORLD", "see www.example.org 🙂", "你好 1"]
    rows = [{"text": texts[i % 5] + " " * (i // 5 % 2), "label": "no"} for i in range(400)]
    section = measured(rows, smallest=10)
    tried = int(section.summary.split(" tried ")[1].split()[0])
    assert tried > 10
    rows = [row | {"label": "yes" if "П" in str(row["text"]) else "no"} for row in rows]
    claims = [f.claim for f in measured(rows, smallest=10).findings]
    assert any("texts in Cyrillic script" in claim for claim in claims)


@given(st.text("aé1.@-_+ w:/"))
def test_an_address_is_found_where_the_plain_pattern_finds_one(text: str) -> None:
    plain = regex.compile(r"(?i)https?://|www\.|[\w.+-]+@[\w-]+\.[\w.]+")
    assert bool(_ADDRESS.search(text)) == bool(plain.search(text))


@pytest.mark.parametrize("unit", ["a", "1", ".", "a-", "@", "a@", "a.a@", "好", " "])
def test_looking_for_addresses_takes_no_square_of_time(unit: str) -> None:
    assert bool(_ADDRESS.search(unit * (10**6 // len(unit)))) == (unit == "a.a@")


def reported(wrong: NDArray[np.bool_], slices: Sequence[NDArray[np.bool_]]) -> list[str]:
    """Return the names of the slices that are reported, by where the model is wrong."""
    losses = Losses(wrong.astype(float), "single_label")
    named = [Slice("unit", str(i), members) for i, members in enumerate(slices)]
    among = np.ones(len(wrong), dtype=bool)
    tests = compare_with_rest(losses, named, among, from_search=False)
    return [t.slice.value for t in judge_tests(tests, losses, 30) if not t.reason]


@pytest.mark.parametrize(("n", "rest"), [(12, 600), (25, 600), (50, 50), (200, 600), (1000, 3000)])
def test_a_slice_is_reported_with_the_chance_that_is_stated(n: int, rest: int) -> None:
    rng, error = np.random.default_rng(n), 0.1
    members = np.arange(n + rest) < n
    found, times = 0, 400
    for _ in range(times):
        others = rng.random(rest) < error
        losses = Losses(np.r_[np.zeros(n), others].astype(float), "single_label")
        (test,) = compare_with_rest(
            losses, [Slice("unit", "a", members)], members | True, from_search=False
        )
        assert test.accuracy_found is not None
        wrong = np.r_[rng.random(n) < 1 - test.accuracy_found, others]
        found += reported(wrong, [members]) == ["0"]
    # The rest is taken as it is, so the chance is exactly .8: 400 tables, five standard errors.
    assert found / times == pytest.approx(0.8, abs=0.1)


def test_slices_of_a_few_rows_are_found_among_a_hundred() -> None:
    sizes = np.repeat([3, 6, 12, 25], 25)
    owners = np.repeat(np.arange(100), sizes)
    rng = np.random.default_rng(0)
    wrong = rng.random(len(owners)) < 0.05
    wrong[np.isin(owners, [40, 60, 90])] = True  # slices of 6, 12 and 25 rows
    found = reported(wrong, [owners == i for i in range(100)])
    assert found == ["90", "60", "40"]


def test_slices_without_a_right_answer_are_too_small_to_be_found_where_no_error_could_tell() -> (
    None
):
    members = np.arange(40) < 2
    losses = Losses(np.ones(40), "single_label")
    (test,) = compare_with_rest(
        losses, [Slice("unit", "a", members)], members | True, from_search=False
    )
    assert (test.accuracy_found, test.p_value) == (None, 1.0)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8),
    st.sampled_from([0.005, 0.05, 0.3]),
)
def test_a_test_that_cannot_be_significant_costs_the_others_nothing(
    drawn: list[tuple[float, float]], level: float
) -> None:
    p = [max(pair) for pair in drawn]
    least = [min(pair) for pair in drawn]
    adjusted, counted = holm_where_testable(p, least, level)
    assert all(a >= b for a, b in zip(adjusted, p, strict=True))
    # Tarone's rule, in words: the fewest tests k of which at most k can be significant at level/k.
    k = min(k for k in range(1, len(p) + 1) if sum(x <= level / k for x in least) <= k)
    assert counted == sum(x <= level / k for x in least)
    with_hopeless, same = holm_where_testable([*p, 1.0], [*least, 1.0], level)
    assert (with_hopeless.tolist(), same) == ([*adjusted.tolist(), 1.0], counted)


def test_a_hundred_small_tests_raise_no_more_false_alarms_than_one() -> None:
    """Discrete tests at margins where Holm over all would be needlessly blind."""
    rng = np.random.default_rng(1)
    owners = np.repeat(np.arange(60), 10)
    slices = [owners == i for i in range(60)]
    false = sum(bool(reported(rng.random(600) < 0.1, slices)) for _ in range(60))
    assert false <= 2


def test_a_large_gap_that_is_not_reported_says_why() -> None:
    rows = table(0, 300)
    for i, row in enumerate(rows):
        row["unit"] = "rare" if i < 4 else "other"
    wrong(rows, np.array([row["unit"] == "rare" for row in rows]), 0.7)
    section = measured(rows, slices=["unit"])
    (shown,) = (t for t in section.tables if t.title == "Slices that were tested")
    reasons = {str(row[0]): str(row[-1]) for row in shown.rows}
    assert "limit 0.005" in reasons["unit = rare"]


def test_slices_of_one_column_are_one_finding_with_its_table() -> None:
    rows = table(0, 1_200)
    rng = np.random.default_rng(0)
    for row in rows:
        row["unit"] = str(rng.choice(list("abcdef")))
    rates = {"a": 0.95, "b": 0.8, "c": 0.7}
    for row in rows:
        if row["rng"] < rates.get(row["unit"], 0.05):
            row["label"] = "no" if row["label"] == "yes" else "yes"
    (finding,) = measured(rows, slices=["unit"]).findings
    assert finding.id == "slices.worse[unit = a, unit = b, unit = c]"
    assert finding.members is not None
    assert [str(row[0]) for row in finding.members.rows] == ["unit = a", "unit = b", "unit = c"]
    gap = finding.members.rows[0][4]
    assert isinstance(gap, Measure)
    assert finding.size == gap.lower
