"""Groups of one column and of several: what is harmed is named, whatever its size, and nobody else.

The truth comes from fairlearn, from scipy, from sums over all outcomes, and from harm that is put
in by hand.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

import explain
from explain.adapters import FunctionClassifier
from explain.auditing.plan import AuditPlan
from explain.checks import make_check
from explain.checks.base.decisions import difference
from explain.checks.fairness.rates import FOUR_FIFTHS, impact_ratio, ratio_found
from explain.errors import ConfigurationError
from explain.record import Finding, Measure, Section
from explain.statistics.comparisons import fisher
from explain.statistics.intervals import proportion
from explain.statistics.power import detectable_beside
from tests.helpers.plain_strings import composed_strings
from tests.helpers.search import examples

Rows = list[dict[str, Any]]


def people(n: int, seed: int = 0, labels: Sequence[str] = ("no", "yes")) -> Rows:
    """Return rows whose group says nothing of the label, with the answers of a good model."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        label = str(rng.choice(labels))
        others = [other for other in labels if other != label]
        rows.append(
            {
                "text": f"case {i}",
                "label": label,
                "answer": label if rng.random() < 0.9 else str(rng.choice(others)),
                "sex": str(rng.choice(["men", "women"])),
                "age": str(rng.choice(["young", "middle", "old"])),
            }
        )
    return rows


def answer(rows: Rows, harmed: Callable[[dict[str, Any]], bool], label: str | None = None) -> Rows:
    """Give harmed rows one label, or a wrong one, two thirds of the time."""
    rng = np.random.default_rng(1)
    for row in rows:
        if harmed(row) and rng.random() < 2 / 3:
            row["answer"] = label or ("no" if row["label"] == "yes" else "yes")
    return rows


def audit_groups(
    rows: Rows, group: str | Sequence[str], *, has_labels: bool = True, **options: Any
) -> Section:
    """Return the section of a model that gives the answers of the rows."""
    labels = sorted({row["answer"] for row in rows} | {row["label"] for row in rows})
    answers = {row["text"]: labels.index(row["answer"]) for row in rows}

    def scores(texts: Sequence[str]) -> NDArray[np.float64]:
        return 3.0 * np.eye(len(labels))[[answers.get(text, 0) for text in texts]]

    record = explain.audit(
        FunctionClassifier(scores, labels, output="scores"),
        [{name: cell for name, cell in row.items() if name != "answer"} for row in rows],
        label="label" if has_labels else None,
        group=group,
        instances=0,
        methods=[],
        checks=[make_check("fairness", swaps=0, **options)],
    )
    section = next(section for section in record.sections if section.id == "fairness")
    assert composed_strings(section, {"sex", "age"}) == set()
    return section


def measure(section: Section, name: str, slice_: str) -> Measure:
    return next(m for m in section.measures if (m.name, m.slice) == (name, slice_))


def ids(section: Section) -> list[str]:
    return [finding.id for finding in section.findings]


def only(section: Section, code: str) -> Finding:
    (finding,) = [finding for finding in section.findings if finding.code == code]
    return finding


# ── Figures ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("columns", [["sex"], ["sex", "age"]])
def test_rates_of_groups_and_of_their_crossing_are_those_of_fairlearn(columns: list[str]) -> None:
    rows = answer(people(300), lambda row: row["sex"] == "women", "no")
    section = audit_groups(rows, columns, favourable="yes")
    frame = pd.DataFrame(rows)
    expected = MetricFrame(
        metrics={
            "selection rate, yes": selection_rate,
            "true-positive rate, yes": true_positive_rate,
            "false-positive rate, yes": false_positive_rate,
            "accuracy": lambda truth, predicted: float(np.mean(truth == predicted)),
        },
        y_true=frame.label == "yes",
        y_pred=frame.answer == "yes",
        sensitive_features=frame[columns],
    ).by_group
    highest = expected["selection rate, yes"].max()
    for cells, rates in expected.iterrows():
        values = (cells,) if isinstance(cells, str) else cells
        condition = ", ".join(
            f"{column} = {value}" for column, value in zip(columns, values, strict=True)
        )
        for name, rate in rates.items():
            assert measure(section, str(name), condition).value == pytest.approx(rate, abs=1e-12)
        if rates["selection rate, yes"] < highest:
            ratio = measure(section, "impact ratio, yes", condition)
            assert ratio.value == pytest.approx(rates["selection rate, yes"] / highest, abs=1e-12)


def test_the_gap_of_a_group_is_tested_exactly() -> None:
    rows = answer(people(120, 3), lambda row: row["age"] == "old")
    (table,) = [t for t in audit_groups(rows, "age").tables if t.title == "Accuracy, by age"]
    frame = pd.DataFrame(rows)
    wrong, old = frame.label != frame.answer, frame.age == "old"
    cells = [
        [(wrong & old).sum(), (~wrong & old).sum()],
        [(wrong & ~old).sum(), (~wrong & ~old).sum()],
    ]
    gap = next(row for row in table.rows if row[0] == "old")[3]
    assert isinstance(gap, Measure)
    assert gap.value == pytest.approx(wrong[old].mean() - wrong[~old].mean())
    assert stats.fisher_exact(np.array(cells), "greater").pvalue < 1e-6
    assert ids(audit_groups(rows, "age")) == ["fairness.accuracy[age = old]"]


def test_unknown_rows_are_counted_and_categories_below_two_per_cent_named() -> None:
    rows = people(200, 4)
    for row in rows[:7]:
        row["sex"] = None
    rows[7]["sex"] = rows[8]["sex"] = "other"
    rows[7]["answer"] = rows[8]["answer"] = "yes"
    section = audit_groups(rows, ["sex", "age"], favourable="yes")
    (table,) = [t for t in section.tables if t.title == "Texts classified as yes, by sex"]
    note = str(table.note)
    assert "Unknown: 7 rows have no value in this column" in note
    assert "Below 2 % of the rows: sex = other." in note
    assert "most selected group, sex = other" not in note  # both of its rows were selected
    assert [row[:3] for row in table.rows if row[0] == "other"] == [("other", 2, 2)]
    crossed = [t for t in section.tables if t.title == "Texts classified as yes, by sex and age"]
    assert "Unknown: 7 rows lack a value in one of these columns" in str(crossed[0].note)


# ── Who is harmed ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("harmed", "subject"),
    [
        ({"sex": "women"}, "sex = women"),
        ({"age": "old"}, "age = old"),
        ({"sex": "women", "age": "old"}, "sex = women, age = old"),
    ],
)
def test_the_harmed_group_is_named_and_no_other(
    seed: int, harmed: Mapping[str, str], subject: str
) -> None:
    rows = answer(people(400, seed), lambda row: harmed.items() <= row.items())
    section = audit_groups(rows, ["sex", "age"])
    errors = [f for f in section.findings if f.code != "fairness.impact_ratio"]
    assert [finding.subject for finding in errors] == [subject]
    assert errors[0].id == f"fairness.accuracy[{subject}]"
    assert f"The model is wrong more often on texts with {subject} than" in errors[0].claim
    assert section.findings[0] == errors[0]


def test_two_harmed_groups_of_one_column_are_both_named() -> None:
    rows = answer(people(600, 5), lambda row: row["age"] != "middle")
    found = {finding.subject for finding in audit_groups(rows, "age").findings}
    assert {"age = old", "age = young"} <= found


def test_a_handful_of_rows_is_enough_if_all_of_them_are_wrong() -> None:
    rows = people(400, 6)
    for row in rows[:9]:
        row |= {"age": "very old", "answer": "no" if row["label"] == "yes" else "yes"}
    finding = audit_groups(rows, "age").findings[0]
    assert finding.id == "fairness.accuracy[age = very old]"
    assert "it is right on 0 % [0.0, 29.9] of 9," in finding.claim


def test_the_kind_of_errors_is_named_with_the_label() -> None:
    rows = answer(people(400, 7, ("blue", "green", "red")), lambda row: row["sex"] == "men", "red")
    finding = only(audit_groups(rows, "sex"), "fairness.accuracy")
    assert "Texts with sex = men are wrongly classified as red more often" in finding.claim or (
        "Texts with sex = men that should be classified as" in finding.claim
    )
    assert finding.members is not None
    errors = [str(row[0]) for row in finding.members.rows]
    assert "wrongly classified as red" in errors
    assert "wrongly classified as green" not in errors
    assert all("sex = women" not in f"{f.subject}" for f in audit_groups(rows, "sex").findings)


def test_with_a_favourable_label_only_its_refusal_is_a_harm() -> None:
    favoured = answer(people(400, 8), lambda row: row["sex"] == "men", "yes")
    refused = answer(people(400, 8), lambda row: row["sex"] == "women", "no")
    for rows in (favoured, refused):
        section = audit_groups(rows, "sex", favourable="yes")
        assert {finding.subject.split(":")[0] for finding in section.findings} == {"sex = women"}
        ratio = only(section, "fairness.impact_ratio")
        assert ratio.claim.startswith(
            "Texts with sex = women are classified as yes less often than texts with sex = men: "
        )
    assert ids(audit_groups(favoured, "sex", favourable="yes")) == [
        "fairness.impact_ratio[sex = women: yes]"
    ]


def test_an_impact_ratio_is_a_finding_also_where_errors_say_something_alike() -> None:
    rows = answer(people(400, 9), lambda row: row["sex"] == "women", "no")
    section = audit_groups(rows, "sex")
    assert [finding.code for finding in section.findings] == [
        "fairness.accuracy",
        "fairness.impact_ratio",
    ]
    ratio = only(section, "fairness.impact_ratio")
    assert ratio.measure is not None
    assert ratio.measure.upper is not None
    assert ratio.measure.upper < FOUR_FIFTHS
    assert "sex = men" not in ratio.subject
    assert "By the labels in the data, it should be" in ratio.claim


@pytest.mark.parametrize("has_labels", [True, False])
def test_without_labels_it_says_which_label_falls_more_often_on_whom(has_labels: bool) -> None:
    rows = people(400, 10, ("blue", "green", "red"))
    for row in rows:
        row["answer"] = row["label"]
    rows = answer(rows, lambda row: row["age"] == "old", "red")
    section = audit_groups(rows, "age", has_labels=has_labels)
    ratio = only(section, "fairness.impact_ratio")
    assert ratio.claim.startswith("Texts with age = old are classified as red more often than")
    assert "age = old: red" in ratio.subject


def test_groups_that_differ_in_their_labels_alone_are_not_said_to_get_more_errors() -> None:
    rows = people(600, 11)
    rng = np.random.default_rng(0)
    for row in rows:
        row["label"] = "yes" if rng.random() < (0.7 if row["sex"] == "men" else 0.3) else "no"
        row["answer"] = row["label"]
    section = audit_groups(rows, "sex")
    assert {finding.code for finding in section.findings} == {"fairness.impact_ratio"}
    assert "By the labels in the data, it should be" in section.findings[0].claim


@pytest.mark.parametrize("seed", range(4))
def test_a_model_that_treats_groups_alike_makes_no_finding(seed: int) -> None:
    assert ids(audit_groups(people(300, seed + 20), ["sex", "age"])) == []


def test_a_column_that_parts_the_table_as_another_does_is_not_crossed_with_it() -> None:
    rows = people(100, 12)
    for row in rows:
        row["age"] = f"{row['sex']} again"
    titles = [str(table.title) for table in audit_groups(rows, ["sex", "age"]).tables]
    assert not any("sex and age" in title for title in titles)


# ── What could have been found ────────────────────────────────────────────────────────────────────


def test_groups_that_are_too_small_to_tell_are_said_to_be() -> None:
    rows = people(200, 13)
    rows[0]["age"] = "one of a kind"
    section = audit_groups(rows, "age")
    assert "1 group is too small to be reported, however wrong the model is on it." in (
        section.summary
    )
    assert re.search(
        r"Harm to a small group can stay hidden: age = \w+ \(\d+ rows\) would be reported with a "
        r"chance of 80 % only if the model were right on \d+ % of it or less\.",
        section.summary,
    )
    (table,) = [t for t in section.tables if t.title == "Accuracy, by age"]
    by_age = {str(row[0]): row for row in table.rows}
    assert by_age["one of a kind"][4] is None
    shares = [by_age[age][4] for age in ("young", "middle", "old")]
    assert all(isinstance(share, float) and 0 < share < 0.9 for share in shares)


@pytest.mark.parametrize(
    ("n", "n_women", "n_wrong", "reason"),
    [
        (120, 1, 1, "too few rows to tell"),
        (120, 30, 6, r"p 0\.\d+, limit 0\.005"),
        (120, 60, 3, "too few rows to tell"),  # it may be large
        (1200, 600, 6, "the gap is too small to matter"),
    ],
)
def test_a_gap_that_is_no_finding_carries_its_reason(
    n: int, n_women: int, n_wrong: int, reason: str
) -> None:
    rows = people(n, 14)
    for i, row in enumerate(rows):
        row |= {"sex": "women" if i < n_women else "men", "answer": row["label"]}
    wrong = [*rows[:n_wrong], *rows[-2:]]
    for row in wrong:
        row["answer"] = "no" if row["label"] == "yes" else "yes"
    section = audit_groups(rows, "sex")
    assert section.findings == ()
    (table,) = [t for t in section.tables if t.title == "Accuracy, by sex"]
    reasons = {str(row[0]): str(row[-1]) for row in table.rows}
    assert re.fullmatch(reason, reasons["women"]), reasons
    assert reasons["men"] == ""


@examples(30)
@given(st.integers(1, 60), st.integers(1, 400), st.floats(0, 0.9), st.sampled_from([0.005, 0.0005]))
def test_the_detectable_share_is_found_in_80_per_cent_of_samples(
    n: int, other_n: int, other_share: float, level: float
) -> None:
    other_hits = round(other_share * other_n)
    share = detectable_beside(n, other_hits, other_n, level, 0.05)

    def is_found(hits: int) -> bool:
        p = float(fisher(hits, n, hits + other_hits, n + other_n))
        gap = difference(proportion("", hits, n), proportion("", other_hits, other_n), "")
        return p <= level and (gap.lower or 0) > 0.05

    outcomes = [hits for hits in range(n + 1) if is_found(hits)]
    if share is None:
        assert outcomes == []
    else:
        assert np.sum(stats.binom.pmf(outcomes, n, share)) == pytest.approx(0.8, abs=1e-6)


@examples(30)
@given(st.integers(1, 60), st.integers(2, 400), st.floats(0.02, 1))
def test_the_detectable_selection_rate_is_found_in_80_per_cent_of_samples(
    n: int, most_n: int, most_share: float
) -> None:
    most_hits = max(1, round(most_share * most_n))
    share = ratio_found(n, proportion("", most_hits, most_n), 0.005)

    def is_found(hits: int) -> bool:
        p = float(fisher(most_hits, most_n, hits + most_hits, n + most_n))
        upper = impact_ratio(hits, n, most_hits, most_n, "").upper
        return p <= 0.005 and upper is not None and upper < FOUR_FIFTHS

    outcomes = [hits for hits in range(n + 1) if is_found(hits)]
    if share is None:
        assert outcomes == []
    else:
        assert np.sum(stats.binom.pmf(outcomes, n, share)) == pytest.approx(0.8, abs=1e-6)


# ── How columns are named ─────────────────────────────────────────────────────────────────────────


def test_one_column_or_several_can_be_named() -> None:
    assert AuditPlan().override(group="sex, at birth").group == ("sex, at birth",)
    assert AuditPlan().override(group=["sex", "age"]).group == ("sex", "age")
    assert AuditPlan().group == ()
    assert AuditPlan().override(id="sex", group=["sex", "age"]).columns == ("sex", "age")
    with pytest.raises(ConfigurationError, match="group"):
        AuditPlan().override(group=3)
    with pytest.raises(ConfigurationError, match="no column 'sexx'"):
        audit_groups(people(20), ["sexx"])
