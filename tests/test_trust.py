"""Grades follow their rules, and tell a method that works from one that does not."""

import csv
from pathlib import Path
from typing import Any

import pytest

import explain
from explain.attribution import Setting, attribute
from explain.checks.trust import trust_section
from explain.engine import Engine
from explain.explainers import make_explainer
from explain.metrics.grades import (
    Verdict,
    faithfulness_verdict,
    grade,
    graded,
    own_verdicts,
    recall_verdict,
    shared_readings,
)
from explain.metrics.plausibility import Rationale
from explain.metrics.positive_control import PositiveControl, Recall, Rule
from explain.metrics.sensitivity import MOVES
from explain.record import Agreement, Attribution, Measure, MethodTrust, Section, Target
from explain.spans import Span, Text
from explain.trust import SAMPLED, Assessment, assess

DEMO = Path(explain.__file__).parent / "demo"
BETTER = Measure(name="gain", value=0.5, lower=0.2, upper=0.8, n=20, unit="log_odds")
NO_BETTER = BETTER.model_copy(update={"lower": -0.1})


def attribution(**changes: Any) -> Attribution:
    fields: dict[str, Any] = {
        "parts": ("bad film",),
        "spans": (Span(0, 0, 3), Span(0, 4, 8)),
        "target": Target(label="negative", index=0, scale="log_odds"),
        "method": "shap",
        "parameters": {},
        "removal": "[MASK]",
        "values": (2.0, 1.0),
        "standard_errors": (0.1, 0.1),
        "empty_value": -1.0,
        "full_value": 2.0,
        "efficient": True,
        "evaluations": 4,
        "seed": 0,
    }
    return Attribution(**{**fields, **changes})


def own_grade(**changes: Any) -> str:
    return grade(own_verdicts(attribution(**changes)))[0]


def flag(name: str, flagged: bool | None = True, **more: bool) -> Verdict:
    return Verdict(name, flagged, f"{name}.", **more)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], "A"),
        ([flag("a", False, fatal=True)], "A"),
        ([flag("a", None)], "A"),
        ([flag("a", None, needed=True)], "B"),
        ([flag("a")], "B"),
        ([flag("a"), flag("b", None, needed=True)], "B"),
        ([flag("a"), flag("b")], "C"),
        ([flag("a"), flag("b"), flag("c")], "C"),
        ([flag("a", fatal=True)], "D"),
    ],
)
def test_each_flag_costs_a_grade_and_a_fatal_one_all(
    verdicts: list[Verdict], expected: str
) -> None:
    assert grade(verdicts)[0] == expected


def test_reasons_name_flags_before_what_was_not_measured() -> None:
    verdicts = [flag("unknown", None), flag("passed", False), flag("flag"), flag("f", fatal=True)]
    assert grade(verdicts)[1] == ("f.", "flag.", "unknown.")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "A"),
        ({"values": (2.0, 0.84)}, "B"),
        ({"values": (2.0, 0.84), "efficient": False}, "A"),
        ({"standard_errors": (0.1, 0.21)}, "B"),
        ({"standard_errors": None}, "B"),
        ({"standard_errors": None, "diagnostics": {"ended_by": "exact"}}, "A"),
        ({"standard_errors": None, "diagnostics": {"converged": True}}, "A"),
        ({"standard_errors": None, "diagnostics": {"converged": False}}, "D"),
        ({"diagnostics": {"held_out_r2": 0.49}}, "B"),
        ({"diagnostics": {"held_out_r2": 0.5}}, "A"),
        ({"values": (0.0, 0.0), "full_value": -1.0, "standard_errors": (0.0, 0.0)}, "A"),
    ],
)
def test_an_attribution_is_graded_by_what_it_says(changes: dict[str, Any], expected: str) -> None:
    assert own_grade(**changes) == expected


@pytest.mark.parametrize(("bad", "expected"), [(1, "A"), (2, "D")])
def test_a_method_is_flagged_with_most_of_its_attributions(bad: int, expected: str) -> None:
    failed = attribution(diagnostics={"converged": False})
    passed = attribution(diagnostics={"converged": True})
    readings = shared_readings([failed] * bad + [passed] * (3 - bad))
    assert grade([r.verdict for r in readings if r.verdict is not None])[0] == expected
    (share,) = [r.measure for r in readings if r.name == "explanations flagged: convergence"]
    assert share is not None
    assert (share.value, share.n) == (bad / 3, 3)


@pytest.mark.parametrize(("own", "method", "expected"), [("A", "C", "C"), ("D", "A", "D")])
def test_an_attribution_is_no_better_than_its_method(own: str, method: Any, expected: str) -> None:
    one = attribution(diagnostics={"converged": own == "A"})
    trust = MethodTrust(method="shap", grade=method, reasons=(), measures=())
    found = graded(one, trust, quality=[BETTER])
    assert found.grade == expected
    assert found.quality == (BETTER,)
    assert ("shap has grade C on this model." in found.reasons) == (expected == "C")


@pytest.mark.parametrize(("hits", "expected"), [(19, "A"), (18, "D")])
def test_missing_a_single_word_is_fatal(hits: int, expected: str) -> None:
    assert grade([recall_verdict(Recall("lime", "token", hits, 20))])[0] == expected
    other = "A" if expected == "A" else "B"
    assert grade([recall_verdict(Recall("lime", "order", hits, 20))])[0] == other


@pytest.mark.parametrize(
    ("measure", "fatal", "expected"),
    [(BETTER, True, "A"), (NO_BETTER, True, "D"), (NO_BETTER, False, "B"), (None, True, "B")],
)
def test_no_gain_over_random_rankings(measure: Measure | None, fatal: bool, expected: str) -> None:
    assert grade([faithfulness_verdict(measure, "its rankings", fatal=fatal)])[0] == expected


METHODS = ("shap", "integrated_gradients", "random")


@pytest.fixture(scope="module")
def assessed() -> tuple[Assessment, Engine]:
    """Return what is said of three methods on the demo model, and the way to it."""
    model = explain.load(DEMO / "model")
    with (DEMO / "messages.csv").open(encoding="utf-8", newline="") as file:
        texts: list[Text] = [row["text"] for row in csv.DictReader(file)]
    short = sorted(texts, key=len)[100:112]
    explainers = [make_explainer(method) for method in (*METHODS, "linear")]
    explained = {
        str(text): [attribute(model, text, method=explainer) for explainer in explainers[:-1]]
        for text in short
    }
    engine = Engine(model)
    marked = {str(text): Rationale(None, [Span(0, 0, 20)]) for text in short}
    return assess(engine, explained, explainers, Setting.of(model), texts, marked), engine


@pytest.mark.slow
def test_shap_is_trusted_on_the_demo_model_and_random_is_not(
    assessed: tuple[Assessment, Engine],
) -> None:
    found, _ = assessed
    grades = {trust.method: trust.grade for trust in found.trust}
    assert (grades["shap"], grades["random"]) == ("A", "D")
    pairs = list(found.attributions.values())
    assert sum(by_shap.grade == "A" for by_shap, *_ in pairs) > len(pairs) / 2
    assert all(by_random.grade == "D" for *_, by_random in pairs)
    assert found.evaluations > 1000
    shap = next(trust for trust in found.trust if trust.method == "shap")
    measures = {m.name: m for m in shap.measures}
    assert measures["comprehensiveness minus random"].n == 12
    assert measures["stability over seeds: median tau-b"].n == SAMPLED
    (recalls,) = [table for table in found.section.tables if table.title == "Positive control"]
    assert [row[0] for row in recalls.rows] == list(METHODS)
    assert Section.from_json(found.section.to_json()) == found.section


@pytest.mark.slow
def test_random_fails_every_metric_that_is_graded(assessed: tuple[Assessment, Engine]) -> None:
    found, _ = assessed
    (table,) = [table for table in found.section.tables if table.title == "What was measured"]
    said = {str(row[1]): row[4] for row in table.rows if row[0] == "random"}
    assert {name: verdict for name, verdict in said.items() if verdict != "flagged"} == {
        "explanations flagged: standard errors": "not measured",
        "stability over seeds: top features shared": "reported only",
        "max-sensitivity": "not measured",
        "plausibility: AUPRC": "reported only",
        "plausibility: token F1": "reported only",
    }
    assert list(said.values()).count("flagged") == 6
    (random,) = [trust for trust in found.trust if trust.method == "random"]
    assert any("It put the planted word first in" in r for r in random.reasons)


@pytest.mark.slow
def test_every_metric_is_shown_of_every_method(assessed: tuple[Assessment, Engine]) -> None:
    found, _ = assessed
    (table,) = [table for table in found.section.tables if table.title == "What was measured"]
    for method in METHODS:
        names = " ".join(str(row[1]) for row in table.rows if row[0] == method)
        for metric in (
            "standard errors" if method != "integrated_gradients" else "convergence",
            "comprehensiveness",
            "sufficiency",
            "infidelity",
            "stability over",
            "max-sensitivity",
            "parameter randomisation",
            "agreement with",
            "AUPRC",
            "token F1",
        ):
            assert metric in names, (method, metric)
    for row in table.rows:
        assert (row[2] is None) == (row[4] == "not measured")


@pytest.mark.slow
def test_what_is_asked_again_is_counted(assessed: tuple[Assessment, Engine]) -> None:
    found, engine = assessed
    gradients = 20 * SAMPLED * (2 + MOVES)
    assert engine.evaluations > gradients + SAMPLED * 2 * 32
    control = 3 * 20 * 20
    assert found.evaluations > control + SAMPLED * (32 + 20)


def test_a_control_that_cannot_run_is_said() -> None:
    model = explain.load(DEMO / "model")
    explainer = make_explainer("occlusion")
    explained = {"a": [attribute(model, "no", method="occlusion")]}
    found = assess(Engine(model), explained, [explainer], Setting.of(model), ["no"])
    assert found.trust[0].grade == "B"
    assert any("3 words" in reason for reason in found.trust[0].reasons)


def test_nothing_explained_is_nothing_measured() -> None:
    model = explain.load(DEMO / "model")
    found = assess(Engine(model), {}, [], Setting.of(model), ["a text of words"])
    assert found.section.skipped is not None
    assert found.trust == ()


def test_agreement_is_shown_against_chance() -> None:
    def agreement(tau: float | None) -> Agreement:
        return Agreement(
            methods=("shap", "lime"), target="x", tau=tau, null_upper=0.5, overlap=0.8, top=5
        )

    trust = [MethodTrust(method="shap", grade="A", reasons=(), measures=())]
    control = PositiveControl(
        (Rule("token", ("cello",), 0, 9.0),), (Recall("shap", "token", 0, 0, "no reason"),), 5
    )
    agreements = {"a": [agreement(0.9)], "b": [agreement(0.3)], "c": [agreement(None)]}
    section = trust_section(trust, control, agreements, {})
    tables = {table.title: table for table in section.tables}
    assert tables["Positive control"].rows == (("shap", "no reason"),)
    matrix = tables["Agreement between methods"]
    assert matrix.rows[0][1] is None
    assert matrix.rows[0][2] == matrix.rows[1][1]
    (row,) = tables["Agreement against chance"].rows
    tau, _, beyond = row[1:4]
    assert isinstance(tau, Measure)
    assert isinstance(beyond, Measure)
    assert tau.value == pytest.approx(0.6)
    assert tau.n == 2
    assert (beyond.value, beyond.n) == (0.5, 2)
