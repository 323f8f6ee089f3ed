"""What sways a language model is found, and said to be swayed by nothing else."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import explain
from explain.adapters.question import QuestionVariant, StatesConfidence
from explain.adapters.remote import KINDS, RemoteClassifier
from explain.adapters.remote.variants import kind_asked_as
from explain.checks import CHECKS
from explain.checks.language_model.questions import other_questions
from explain.checks.language_model.trials import Trial, p_value
from explain.errors import CapabilityError
from explain.record import AuditRecord, Section
from explain.testing.planted import planted
from explain.testing.planted.language_model_cases import CASES
from tests.helpers.endpoint import LABELS, QUESTIONS, Reply, Server
from tests.helpers.plain_strings import composed_strings
from tests.helpers.search import examples, seeds

MODELS = tuple(CASES)


def audited(model: Any, rows: list[dict[str, str]], seed: int = 0) -> AuditRecord:
    return explain.audit(
        model, rows, label="label", instances=0, methods=[], checks=["language_model"], seed=seed
    )


def section_of(record: AuditRecord) -> Section:
    (section,) = (section for section in record.sections if section.id == "language_model")
    return section


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("seed", seeds(20, 1))
def test_what_sways_a_model_is_the_one_finding(name: str, seed: int) -> None:
    case = planted(name, seed, rows=200)
    section = section_of(audited(case.classifier, case.rows, seed))
    assert tuple(finding.code for finding in section.findings) == case.codes
    assert not composed_strings(section)
    for finding in section.findings:
        assert finding.size is not None
        assert finding.measure is not None
        # Of two numbers the size is their distance, and the measure the worse one.
        is_rate = finding.code != "language-model.numbers"
        assert 0 < finding.size <= ((finding.measure.lower or 0) if is_rate else 1)


def test_other_models_are_not_asked_and_nothing_is_said_of_it() -> None:
    case = planted("clean", rows=60)
    record = explain.audit(case.classifier, case.rows, label="label", instances=0, methods=[])
    assert "language_model" not in {section.id for section in record.sections}
    assert not [left for left in record.omitted if "Language model" in left.subject]
    chosen = section_of(audited(case.classifier, case.rows))
    assert chosen.skipped is not None


# ── On an endpoint ────────────────────────────────────────────────────────────────────────────────


def first_option_wins(server: Server, texts: list[str], reply: Reply) -> Reply:
    """Answer as a model that only knows what stands first, as a random Qwen3 does."""
    answer = json.loads(reply.body)
    named = answer["answers"]["question"]["probabilities"]
    p = dict(zip(named, (0.984, *[0.016 / (len(named) - 1)] * (len(named) - 1)), strict=True))
    answer["answers"]["question"]["probabilities"] = p
    return Reply.of(answer)


def test_the_order_of_options_is_found_on_an_endpoint() -> None:
    rows = [{"text": f"a good text {i}", "label": LABELS[i % 2]} for i in range(60)]
    server = Server("systemone", fault=first_option_wins)
    model = explain.load(
        "http://endpoint.test/x", kind="systemone", transport=server.transport,
        **QUESTIONS["systemone"],
    )  # fmt: skip
    codes = {finding.code for finding in section_of(audited(model, rows)).findings}
    assert "language-model.order" in codes
    assert "language-model.injection" not in codes


@pytest.mark.parametrize("kind", ["systemone", "decisions", "sglang-decisions", "google-decisions"])
def test_another_order_and_other_names_give_the_columns_of_the_same_labels(kind: str) -> None:
    """A fake answers by the names that it sees: whoever mixes up the columns is found out."""
    options = {"bad": "what is bad", "good": None, "fair": None}
    made = KINDS[kind](**{**QUESTIONS[kind], "options": options})
    variant = QuestionVariant(order=(2, 0, 1), names=("A", "B", "C"), extra_option="none")
    varied, columns = kind_asked_as(made, variant)
    assert varied.labels == ("C", "A", "B", "none")
    assert [varied.labels[column] for column in columns] == ["A", "B", "C", "none"]
    request = json.dumps(varied.request(["text"]))
    assert "bad: what is bad" in request
    assert request.index('"C"') < request.index('"A"') < request.index('"B"')


def test_instructions_go_before_the_question_and_nothing_else_changes() -> None:
    for kind in ("systemone", "decisions", "chat"):
        made = KINDS[kind](**QUESTIONS[kind])
        varied, columns = kind_asked_as(made, QuestionVariant(instruction="Please."))
        assert varied.labels == made.labels
        assert columns == (0, 1)
        assert json.dumps(varied.request(["x"])) != json.dumps(made.request(["x"]))


def test_what_cannot_be_asked_in_another_way_says_so() -> None:
    with pytest.raises(CapabilityError, match="no question"):
        kind_asked_as(KINDS["tei"](), QuestionVariant(instruction="Please."))
    with pytest.raises(CapabilityError, match="text of your own"):
        kind_asked_as(KINDS["chat"](**QUESTIONS["chat"]), QuestionVariant(order=(1, 0)))


def test_kinds_without_a_question_are_no_language_models() -> None:
    check = CHECKS["language_model"]()
    for kind, expected in (("systemone", True), ("chat", True), ("tei", False)):
        model = explain.load(
            "http://endpoint.test/x", kind=kind, transport=Server(kind).transport, **QUESTIONS[kind]
        )
        assert isinstance(model, RemoteClassifier)
        assert check.applies_to(model) == expected


@pytest.mark.parametrize(
    ("kind", "of_probability"),
    [
        ("systemone", lambda p: 2 * p - 1),
        ("decisions", lambda p: p),
        ("google-decisions", lambda p: p),
    ],
)
def test_the_confidence_that_an_answer_states_is_read_without_another_call(
    kind: str, of_probability: Callable[[Any], Any]
) -> None:
    server = Server(kind)
    model = explain.load(
        "http://endpoint.test/x", kind=kind, transport=server.transport, **QUESTIONS[kind]
    )
    assert isinstance(model, StatesConfidence)
    p = np.exp(model.predict(["a good text", "dull"])).max(axis=1)
    asked = server.requests
    stated = np.array(model.stated_confidence(["a good text", "dull"]), dtype=np.float64)
    np.testing.assert_allclose(stated, of_probability(p))
    assert server.requests == asked


# ── The test ──────────────────────────────────────────────────────────────────────────────────────


def trial(hits: Any, control: Any, most: float = 0.05) -> Trial:
    places = np.arange(len(hits))
    return Trial("order", "", "", places, np.array(hits, bool), np.array(control, bool), most)


@examples(40)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_a_p_value_is_that_of_the_weaker_of_two_exact_tests(pairs: list[tuple[bool, bool]]) -> None:
    hits, control = zip(*pairs, strict=True)
    p = p_value(trial(hits, control))
    n = sum(hits)
    binomial = stats.binom.sf(n - 1, len(hits), 0.05)
    only, without = sum(h and not c for h, c in pairs), sum(c and not h for h, c in pairs)
    mcnemar = stats.binom.sf(only - 1, only + without, 0.5) if only else 1.0
    assert p == pytest.approx(max(binomial, mcnemar))


def test_flips_that_come_without_the_change_are_not_due_to_it() -> None:
    hits = np.arange(100) % 2 == 0
    assert p_value(trial(hits, ~hits)) > 0.4
    assert p_value(trial(hits, hits & False)) < 1e-6


def test_orders_are_permutations_and_each_is_another_one() -> None:
    for n in (2, 3, 5, 40):
        orders = [q.variant.order for q in other_questions(n) if q.variant.order is not None]
        assert all(sorted(order) == list(range(n)) for order in orders)
        assert len({*orders, tuple(range(n))}) == len(orders) + 1
