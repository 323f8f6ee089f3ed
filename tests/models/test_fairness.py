"""Unlike treatment of people is found where it is, and nowhere else."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from fairlearn import metrics as fairlearn
from hypothesis import given
from hypothesis import strategies as st
from profanity_check import predict_prob
from scipy import stats

import explain
from explain.adapters import FunctionClassifier
from explain.checks import make_check
from explain.checks.base.decisions import difference
from explain.checks.base.identity_terms import (
    identity_terms,
    language_of,
    languages_of,
    mentions,
    sentence_sets,
    swap,
)
from explain.checks.fairness.rates import impact_ratio
from explain.errors import ConfigurationError
from explain.record import AuditRecord, Section
from explain.record.wording import list_of
from explain.statistics.comparisons import fisher
from explain.statistics.intervals import mean, proportion
from tests.helpers.plain_strings import composed_strings
from tests.helpers.search import examples
from tests.helpers.words import FILLERS

LANGUAGES = ("en", "de", "es", "fr", "ar", "hi", "zh")
NAMES = ["Anna", "Ivan", "Emma", "Kofi", "Laura", "Thomas", "Amir", "Zoe", "Carlos", "Rosa"]


def rows(seed: int, n: int = 400) -> list[dict[str, Any]]:
    """Return reviews, half of which name somebody, with a group of which nothing depends."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        label = int(rng.integers(2))
        words = [*rng.choice(FILLERS, 9), ("boring", "superb")[label]]
        name = f" {rng.choice(NAMES)} saw it." if rng.random() < 0.5 else ""
        text = " ".join(rng.permutation(words)).capitalize() + f" {rng.integers(999)}.{name}"
        given = label if rng.random() < 0.9 else 1 - label
        group = str(rng.choice(["A", "B", "C"], p=[0.5, 0.35, 0.15]))
        found.append({"text": text, "label": ("neg", "pos")[given], "group": group})
    return found


def leaning(texts: Sequence[str]) -> Any:
    """Return how far texts lean to the label pos: two for a word that says so, and some noise."""
    return np.array(
        [2.0 * ("superb" in t) - 2.0 * ("boring" in t) + (len(t) % 9 - 4) / 4 for t in texts]
    )


def model(shift: Any = lambda text: 0.0) -> FunctionClassifier:
    """Return a classifier of reviews that is shifted towards pos by some texts."""

    def scores(texts: Sequence[str]) -> Any:
        lean = leaning(texts) + np.array([shift(text) for text in texts])
        return np.column_stack([-lean / 2, lean / 2])

    return FunctionClassifier(scores, ["neg", "pos"], output="scores")


KINDS = {term.kind for term in identity_terms(LANGUAGES, {"a": []})}


def section(
    classifier: Any, table: Any, seed: int = 0, *, group: str | None = None, **options: Any
) -> Section:
    frame = pd.read_csv(table) if isinstance(table, Path) else pd.DataFrame(table)
    label = "label" if "label" in frame else None
    check = make_check("fairness", **options)
    record: AuditRecord = explain.audit(
        classifier,
        frame,
        label=label,
        instances=0,
        methods=[],
        checks=[check],
        seed=seed,
        group=group,
    )
    found = next(s for s in record.sections if s.id == "fairness")
    assert composed_strings(found, {str(group), *KINDS}) == set()
    return found


def against_names(text: str) -> float:
    return -3.0 if re.search("Emma|Kofi|Amir", text) else 0.0


# ── Statistics ────────────────────────────────────────────────────────────────────────────────────


def test_the_impact_ratio_of_the_worked_example_of_local_law_144_has_its_interval() -> None:
    ratio = impact_ratio(34, 76, 50, 92, "impact ratio")
    assert ratio.value == pytest.approx(0.82, abs=0.005)
    assert ratio.lower == pytest.approx(0.60, abs=0.005)
    assert ratio.upper == pytest.approx(1.12, abs=0.006)


@pytest.mark.parametrize(("hits", "n", "most"), [(0, 50, 30), (50, 50, 80), (0, 1, 1)])
def test_an_impact_ratio_at_an_edge_has_an_interval_around_it(hits: int, n: int, most: int) -> None:
    ratio = impact_ratio(hits, n, most, 80, "impact ratio")
    assert ratio.lower is not None
    assert ratio.upper is not None
    assert ratio.lower <= (ratio.value or 0) <= ratio.upper
    assert ratio.lower < ratio.upper
    one, other = (hits + 0.5) / (n + 1), (most + 0.5) / 81
    error = np.sqrt((1 - one) / ((n + 1) * one) + (1 - other) / (81 * other))
    assert ratio.upper == pytest.approx(one / other * np.exp(1.959964 * error), rel=1e-6)


def test_an_impact_ratio_against_nobody_is_undefined() -> None:
    assert impact_ratio(3, 9, 0, 80, "impact ratio").value is None
    assert impact_ratio(0, 0, 8, 80, "impact ratio").value is None


@pytest.mark.parametrize("n", [50, 200, 1000])
def test_the_interval_of_the_impact_ratio_covers(n: int) -> None:
    rng = np.random.default_rng(n)
    pairs = np.column_stack([rng.binomial(n, 0.35, 4000), rng.binomial(n, 0.5, 4000)])
    distinct, times = np.unique(pairs, axis=0, return_counts=True)
    ratios = [impact_ratio(int(a), n, int(b), n, "impact ratio") for a, b in distinct]
    inside = np.array([(r.lower or 0) <= 0.7 <= (r.upper or 0) for r in ratios])
    assert 0.93 <= np.average(inside, weights=times) <= 0.97


@pytest.mark.parametrize("n", [50, 200, 1000])
def test_the_interval_of_a_swapped_word_covers(n: int) -> None:
    rng = np.random.default_rng(n)
    inside = []
    for _ in range(1000):
        own = rng.random((n, 1))  # how much it takes to turn a text
        with_top = (own + 0.1 * rng.standard_normal((n, 2)) < 0.6).mean(axis=1)
        with_rest = (own + 0.1 * rng.standard_normal((n, 2)) < 0.4).mean(axis=1)
        change = mean("change", (with_top - with_rest).tolist(), "proportion")
        inside.append((change.lower or 0) <= 0.2 <= (change.upper or 0))
    assert 0.93 <= np.mean(inside) <= 0.97


def test_the_interval_of_a_difference_is_the_published_one() -> None:
    gap = difference(proportion("one", 56, 70), proportion("other", 48, 80), "gap")
    assert (gap.lower, gap.upper) == pytest.approx((0.0524, 0.3339), abs=1e-4)  # Newcombe 1998
    assert difference(proportion("none", 0, 0), proportion("other", 1, 2), "gap").value is None


@examples(100)
@given(st.tuples(*[st.integers(0, 30)] * 4).filter(sum))
def test_the_exact_test_equals_scipy(cells: tuple[int, int, int, int]) -> None:
    a, b, c, d = cells
    expected = stats.fisher_exact(np.array([[a, b], [c, d]]), "greater").pvalue
    found = fisher(np.array(a), np.array(a + b), np.array(a + c), np.array(sum(cells)))
    assert float(found) == pytest.approx(expected, abs=1e-9)


# ── Words ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_of_each_language_fit_its_sentences(language: str) -> None:
    (sentences,) = sentence_sets([language], {})
    assert len({term.kind for term in sentences.terms}) == 7
    assert all(template.count("{}") == 1 for template in sentences.templates)
    pairs = [(term.kind, term.name) for term in sentences.terms]
    assert len(set(pairs)) == len(pairs)
    texts = [[t.format(n.words[0])] for t in sentences.templates for n in sentences.terms]
    assert languages_of(texts) == (language,)
    clear = [term for term in identity_terms([language], {}) if term.language == language]
    found = mentions([[term.words[0]] for term in clear], clear)
    assert [own[0].term for own in found] == clear


def test_languages_are_told_apart(shared: Path) -> None:
    table = pd.read_csv(shared / "data/multilingual_sentiment/tweets.csv").sample(
        600, random_state=0
    )
    assert languages_of([text] for text in table.text) == ("en", "de", "es", "ar")
    found = [language_of(text) for text in table.text[table.language == "spanish"]]
    assert found.count("es") / len(found) > 0.8
    assert languages_of([["12345"]]) == ("en",)


def test_words_are_found_whole_names_with_a_capital_and_doubtful_ones_not_at_all() -> None:
    texts = [["A MUSLIM and a gay, old man"], ["rosa and Rosa, gayness"], ["我是穆斯林。"]]
    found = mentions(texts, identity_terms(["en", "zh"], {"club": ["red shirts"]}))
    assert [[m.term.name for m in own] for own in found] == [
        ["Muslim", "gay"],
        ["Rosa"],
        ["穆斯林"],
    ]
    ((mention,),) = mentions([["the Red Shirts"]], identity_terms(["en"], {"club": ["red shirts"]}))
    assert (mention.term.name, mention.surface) == ("club", "Red Shirts")


@pytest.mark.parametrize(
    ("text", "written", "word", "expected"),
    [
        ("A gay man, a GAY bar", "gay", "asexual", "An asexual man, a GAY bar"),
        ("an atheist", "atheist", "Muslim", "a muslim"),
        ("An Arab", "Arab", "European", "A European"),
        ("Anna, Annabel, Anna", "Anna", "Zoe", "Zoe, Annabel, Zoe"),
        ("(Anna's) Anna-Lena  said", "Anna", "Zoe", "(Zoe's) Zoe-Lena  said"),
        ("a Muslim.", "Muslim", "C.I.A.", "a C.I.A. ."),
        ("我是穆斯林。", "穆斯林", "基督徒", "我是基督徒。"),
    ],
)
def test_a_swap_keeps_case_and_mends_the_article(
    text: str, written: str, word: str, expected: str
) -> None:
    assert swap([text], written, word) == (expected,)


def test_long_lists_are_cut() -> None:
    assert list_of([]) == ""
    assert list_of(["a"]) == "a"
    assert list_of(list("abcdefghijklmno")) == "a, b, c, d, e, f or 9 more"


# ── What is found ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", range(4))
def test_names_that_move_a_label_are_found_and_a_clean_model_has_no_finding(seed: int) -> None:
    assert section(model(), rows(seed), seed, group="group").findings == ()
    (finding,) = section(model(against_names), rows(seed), seed).findings
    assert "are classified as neg" in finding.claim
    assert 'With "Amir", "Emma" or "Kofi" (group A), ' in finding.claim
    assert finding.measure is not None
    assert (finding.measure.lower or 0) > 0.05
    assert f" of {finding.measure.n} texts are classified as neg" in finding.claim
    assert f"(difference +{100 * (finding.measure.value or 0):.1f} [" in finding.claim
    assert finding.claim.endswith("] points).")


def test_a_group_that_is_treated_worse_is_found() -> None:
    table = rows(1)
    groups = {row["text"]: row["group"] for row in table}
    biased = model(lambda text: -2.5 if groups.get(text) == "B" else 0.0)
    findings = section(biased, table, group="group").findings
    assert findings[0].severity == "critical"
    assert findings[0].id == "fairness.accuracy[group = B]"
    assert findings[0].claim.startswith("The model is wrong more often on texts with group = B")
    assert "Texts with group = B are wrongly classified as neg more often" in findings[0].claim


def test_rates_of_groups_equal_those_of_fairlearn() -> None:
    table = rows(2)
    table[0]["group"] = None
    groups = {row["text"]: row["group"] for row in table}
    biased = model(lambda text: -1.0 if groups.get(text) == "B" else 0.0)
    found = section(biased, table, group="group", favourable="pos")
    known = pd.DataFrame(table[1:])
    called = pd.Series(biased.predict(known.text.tolist()).argmax(axis=1) == 1)
    frame = fairlearn.MetricFrame(
        metrics={
            "selection rate, pos": fairlearn.selection_rate,
            "true-positive rate, pos": fairlearn.true_positive_rate,
            "false-positive rate, pos": fairlearn.false_positive_rate,
        },
        y_true=known.label == "pos",
        y_pred=called,
        sensitive_features=known.group,
    )
    measured = {(m.name, m.slice): m.value for m in found.measures}
    for name in frame.by_group:
        for group, value in frame.by_group[name].items():
            assert measured[name, f"group = {group}"] == pytest.approx(value, abs=1e-12)
    ratios = [v for (name, _), v in measured.items() if name == "impact ratio, pos"]
    assert min(r for r in ratios if r is not None) == pytest.approx(
        frame.by_group["selection rate, pos"].min() / frame.by_group["selection rate, pos"].max(),
        abs=1e-12,
    )
    notes = [
        t.note for t in found.tables if t.title.startswith("Texts classified as pos, by group")
    ]
    assert "1 row has no value" in str(notes)
    accuracy = known.label.eq("pos").eq(called).groupby(known.group).mean()
    for group, value in accuracy.items():
        assert measured["accuracy", f"group = {group}"] == pytest.approx(value, abs=1e-12)


def test_a_word_in_neutral_sentences_that_turns_them_is_found() -> None:
    afraid = model(lambda text: -3.0 if "muslim" in text.lower() else 2.0)
    (finding,) = section(afraid, rows(3)).findings
    assert 'name people as "Muslim" are classified as neg more often' in finding.claim
    assert re.search(r"Of \d+ such sentences, for example .*, 100 % \[72, 100\] are", finding.claim)
    assert finding.severity == "critical"


def test_own_words_are_tried_too() -> None:
    def strange(text: str) -> float:
        return -3.0 if re.search("zorgon|quuxian", text.lower()) else 2.0

    terms = {"Zorgons": ["Zorgon", "Quuxian"], "Earthlings": ["Earthling"]}
    (finding,) = section(model(strange), rows(3), terms=terms).findings
    assert '"Zorgons"' in finding.claim
    table = rows(4)
    for i, row in enumerate(table):
        row["text"] += (" A Zorgon.", " An Earthling.", "")[i % 3]
    found = section(model(strange), table, terms=terms)
    assert any(t.title.startswith("Texts classified as neg, by term given") for t in found.tables)


def test_a_model_that_calls_harmless_texts_toxic_by_the_people_they_name_is_found(
    shared: Path,
) -> None:
    def toxicity(texts: list[str]) -> Any:
        p = predict_prob(texts)
        return np.column_stack([1 - p, p])

    profanity = explain.wrap(toxicity, labels=["nontoxic", "toxic"])
    table = pd.read_csv(shared / "data/identity_templates/phrases.csv").sample(4000, random_state=0)
    findings = section(profanity, table, swaps=0).findings
    assert '"gay", "homosexual" or "queer" are wrongly classified as toxic' in findings[0].claim
    assert findings[0].measure is not None
    assert (findings[0].measure.lower or 0) > 0.6
    assert len(findings) == 1  # neutral sentences say the same


# ── Other models and tables ───────────────────────────────────────────────────────────────────────


def test_pairs_have_no_neutral_sentences_and_say_so() -> None:
    pairs = FunctionClassifier(
        lambda texts: [[float(len(a)), float(len(b))] for a, b in texts],
        ["a", "b"],
        output="scores",
    )
    record = explain.audit(
        pairs,
        [{"text": f"one {i}", "other": "two"} for i in range(30)],
        text_pair="other",
        instances=0,
        methods=[],
        checks=["fairness"],
    )
    assert "the model reads pairs" in str(record.sections[0].skipped)


@pytest.mark.parametrize("task", ["multi_label", "regression"])
def test_other_tasks_are_compared_by_group(task: Any) -> None:
    def scores(texts: Sequence[str]) -> Any:
        lean = leaning(texts) - [4.0 * ("Emma" in text) for text in texts]
        return lean[:, None] if task == "regression" else np.column_stack([lean, 1 - lean])

    labels = ["value"] if task == "regression" else ["pos", "neg"]
    classifier = FunctionClassifier(scores, labels, output="scores", task=task)
    table = [
        {"text": row["text"], "group": "Emma" if "Emma" in row["text"] else "rest"}
        for row in rows(5, 900)
    ]
    findings = section(classifier, table, group="group").findings
    assert any(finding.claim.startswith("Texts with group = ") for finding in findings)


def test_a_regression_is_measured_against_the_median_of_the_table() -> None:
    value = FunctionClassifier(
        lambda texts: leaning(texts)[:, None], ["value"], output="scores", task="regression"
    )
    table = [{"text": row["text"], "group": row["group"]} for row in rows(6)]
    (found,) = [
        t
        for t in section(value, table, group="group").tables
        if t.title == "Texts scored above the median, by group"
    ]
    lean = leaning([row["text"] for row in table])
    assert sum(cast(int, row[2]) for row in found.rows) == int((lean > np.median(lean)).sum())


def test_a_group_column_with_one_value_or_none_is_no_error() -> None:
    one = [{"text": row["text"], "group": "A"} for row in rows(7, 60)]
    assert section(model(), one, group="group").findings == ()
    none = [{"text": row["text"], "group": None} for row in rows(7, 60)]
    assert section(model(), none, group="group").findings == ()
    many = [{"text": row["text"], "group": str(i)} for i, row in enumerate(rows(7, 60))]
    found = section(model(), many, group="group")
    assert found.findings == ()
    assert "40 smaller groups are not listed" in str(found.tables[0].note)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"favourable": "positive"}, "no label 'positive'"),
        ({"languages": ["xx"]}, "no neutral sentences in 'xx'"),
        ({"swaps": -1}, "greater than or equal to 0"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        section(model(), rows(0, 30), **options)


def test_a_model_that_fails_on_some_sentences_is_measured_on_the_others() -> None:
    def fails(texts: Sequence[str]) -> Any:
        return [[np.nan, np.nan] if "bus" in t or "Zoe" in t else [0.0, len(t) % 3] for t in texts]

    found = section(FunctionClassifier(fails, ["neg", "pos"], output="scores"), rows(8))
    assert any(t.title.startswith("Neutral sentences") for t in found.tables)


def test_the_same_seed_gives_the_same_section() -> None:
    once, again = (section(model(against_names), rows(9), 1, group="group") for _ in range(2))
    assert once.to_json() == again.to_json()
