"""How exactly a model answers is measured, and goes into every error that is stated."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import explain
from explain.adapters import FunctionClassifier, TextClassifier
from explain.adapters.rounding import are_enough, decimals_of
from explain.attribution.game_model import Limits
from explain.attribution.hierarchy import sentences_then_words
from explain.attribution.interaction import _plan
from explain.attribution.methods import Estimate, Lime, Occlusion, Shap
from explain.attribution.methods.shap import exact_shapley_values
from explain.engine import Engine
from explain.engine.games import ObservedValues, Plan, Values, target_values
from explain.engine.precision import Precision
from explain.errors import ConfigurationError, PredictionError
from explain.evaluation.grades import self_reported_flags
from explain.record import Attribution, Target
from reports.doubts import warnings
from reports.precision import repeats_note
from tests.helpers.plans import T, table_game
from tests.helpers.search import examples

WORDS = "a b c d e f"
N = len(WORDS.split())
Z90 = 1.645

FloatArray = NDArray[np.float64]
Score = Callable[[str], float]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def play_with(plan: Plan[T], values: FloatArray, variances: FloatArray) -> T:
    """Return what a plan returns of a table of values that are known as exactly as stated."""
    v, known = table_game(values), table_game(variances)
    try:
        coalitions = next(plan)
        while True:
            coalitions = plan.send(ObservedValues(v(coalitions), known(coalitions)))
    except StopIteration as done:
        result: T = done.value
        return result


# ── Errors follow from variances ──────────────────────────────────────────────────────────────────


def _interactions(n: int) -> Plan[Estimate]:
    found = yield from _plan(n, Limits(0.1, 512), rng())
    return Estimate(found.pairs.values, 0.0, 0.0, found.pairs.errors)


def _by_sentences(n: int) -> Plan[Estimate]:
    groups = [range(n - 1), range(n - 1, n)]
    return (yield from sentences_then_words(Shap(), groups, rng())).estimate()


LINEAR: dict[str, Callable[[int], Plan[Estimate]]] = {
    "shap": lambda n: Shap().plan(n, rng()),
    "lime": lambda n: Lime().plan(n, rng()),
    "occlusion": lambda n: Occlusion().plan(n, rng()),
    "interactions": _interactions,
    "sentences": _by_sentences,
}


@pytest.mark.parametrize("method", LINEAR)
@examples(15)
@given(n=st.integers(2, 5), seed=st.integers(0, 99))
def test_the_errors_of_a_method_that_is_linear_are_those_of_its_values(
    method: str, n: int, seed: int
) -> None:
    values, variances = rng(seed).normal(size=2**n), rng(seed).exponential(size=2**n)
    found = play_with(LINEAR[method](n), values, variances)
    # The value of each coalition in turn is one, all others zero.
    effects = np.array(
        [play_with(LINEAR[method](n), unit, np.zeros(2**n)).values for unit in np.eye(2**n)]
    )
    assert found.standard_errors is not None
    np.testing.assert_allclose(found.standard_errors, np.sqrt(variances @ effects**2), atol=1e-12)


@pytest.mark.parametrize("method", LINEAR)
def test_values_do_not_depend_on_variances_and_are_exact_without_any(method: str) -> None:
    values = rng().normal(size=2**4)
    exact = play_with(LINEAR[method](4), values, np.zeros(2**4))
    noisy = play_with(LINEAR[method](4), values, np.full(2**4, 0.1))
    np.testing.assert_array_equal(exact.values, noisy.values)
    assert exact.standard_errors is not None
    assert not exact.standard_errors.any()
    assert "exact" not in str(noisy.diagnostics)


# ── A model that does not repeat itself ───────────────────────────────────────────────────────────


def drawn_score(seed: int, scale: float = 1.0) -> Score:
    """Return a score of texts with a weight for each word and each pair."""
    weights = scale * rng(seed).normal(size=N)
    pairs = scale * np.triu(rng(seed + 1).normal(size=(N, N)), 1) * 0.3

    def score(text: str) -> float:
        x = np.array([word in text.split() for word in WORDS.split()], dtype=np.float64)
        return float(weights @ x + x @ pairs @ x)

    return score


def two_labels(log_odds: Callable[[list[str]], FloatArray], decimals: int | None = None) -> Any:
    """Return a function of probabilities, rounded or not."""

    def probabilities(texts: list[str]) -> FloatArray:
        p = 1 / (1 + np.exp(-log_odds(texts)))
        both = np.column_stack([1 - p, p])
        return both if decimals is None else np.array(np.round(both, decimals))

    return probabilities


def noisy(score: Score, sd: float, seed: int = 0) -> TextClassifier:
    source = rng(seed)

    def log_odds(texts: list[str]) -> FloatArray:
        noise = sd * source.normal(size=len(texts))
        return np.array([score(text) + e for text, e in zip(texts, noise, strict=True)])

    return explain.wrap(two_labels(log_odds), labels=["no", "yes"])


def rounding(score: Score, decimals: int, *, declared: bool = False) -> TextClassifier:
    function = two_labels(lambda texts: np.array(list(map(score, texts))), decimals)
    return explain.wrap(function, labels=["no", "yes"], decimals=decimals if declared else None)


def explained(model: TextClassifier, method: str = "shap", **options: Any) -> Attribution:
    return explain.attribute(model, WORDS, method=method, target="yes", masker="delete", **options)


def game(score: Score) -> Values:
    words = WORDS.split()
    kept = [[word for i, word in enumerate(words) if S >> i & 1] for S in range(2**N)]
    return np.array([score(" ".join(some)) for some in kept])


def truth(method: str, values: Values) -> FloatArray:
    if method == "shap":
        return exact_shapley_values(values)
    lost: FloatArray = values[-1] - values[[2**N - 1 - (1 << i) for i in range(N)]]
    return lost


def coverage(found: Sequence[Attribution], true: Sequence[FloatArray]) -> float:
    inside = [
        abs(value - expected) <= Z90 * error + 1e-9
        for attribution, values in zip(found, true, strict=True)
        for value, error, expected in zip(
            attribution.values, attribution.standard_errors or (), values, strict=True
        )
    ]
    return float(np.mean(inside))


@pytest.mark.parametrize("method", ["shap", "occlusion"])
@pytest.mark.parametrize("sd", [0.05, 0.1, 0.2, 0.5])
def test_intervals_hold_where_answers_are_noisy(method: str, sd: float) -> None:
    scores = [drawn_score(seed) for seed in range(40)]
    found = [explained(noisy(s, sd, i), method, seed=i) for i, s in enumerate(scores)]
    assert coverage(found, [truth(method, game(s)) for s in scores]) >= 0.85
    sigmas = [a.repeats.sigma for a in found if a.repeats is not None]
    assert len(sigmas) == 40
    assert np.mean(sigmas) == pytest.approx(sd, rel=0.2)


@pytest.mark.parametrize("method", ["shap", "occlusion", "lime"])
def test_a_noisy_model_is_never_called_exact(method: str) -> None:
    found = explained(noisy(drawn_score(0), 0.2), method)
    assert "exact" not in str(found.diagnostics)
    assert min(found.standard_errors or (0,)) > 0
    assert found.repeats
    assert found.repeats.differences
    assert "does not repeat itself" in warnings(found)[0]


def test_a_method_that_states_no_errors_says_so_of_a_noisy_model() -> None:
    said = warnings(explained(noisy(drawn_score(0), 0.2), "random"))
    assert "random does not state how far that moves its values" in said[0]


def test_the_noisier_of_small_and_large_values_is_what_is_stated() -> None:
    source = rng()
    answers = tuple(
        np.column_stack([np.zeros(50), level + sd * source.normal(size=50)])
        for level, sd in [(0.0, 0.01), (-5.0, 0.3)] * 4
    )
    target = Target(label="yes", index=1, scale="logit")
    repeats = Precision(answers).repeats(target)
    assert repeats is not None
    # The pool of all texts would be .21.
    assert repeats.sigma == pytest.approx(0.3, rel=0.15)
    assert (repeats.texts, repeats.answers) == (8, 8 * 49)
    assert repeats.degrees_of_freedom == 4 * 49


def test_the_same_seed_asks_the_same_texts_again() -> None:
    found = [explained(noisy(drawn_score(0), 0.2), seed=3) for _ in range(2)]
    assert found[0].to_json() == found[1].to_json()


# ── A model that repeats itself ───────────────────────────────────────────────────────────────────


class Counting:
    """A function of texts that counts what it is asked."""

    def __init__(self, score: Score) -> None:
        self.score = score
        self.batches: list[list[str]] = []

    def __call__(self, texts: list[str]) -> FloatArray:
        self.batches.append(list(texts))
        v = np.array([self.score(text) for text in texts])
        return np.column_stack([-v / 2, v / 2])


@pytest.mark.parametrize("n_texts", [1, 30])
def test_a_model_that_repeats_itself_is_asked_a_handful_of_texts_again(n_texts: int) -> None:
    function = Counting(drawn_score(0))
    model = explain.wrap(function, labels=["no", "yes"], output="scores")
    texts = [f"{WORDS} number {number}" for number in range(n_texts)]
    found = explain.attribute(model, texts)
    flat = [text for batch in function.batches for text in batch]
    assert 0 < len(flat) - len(set(flat)) <= 24
    for attribution in found:
        assert attribution.repeats is not None
        assert attribution.repeats.differences == 0
        assert attribution.repeats.sigma == 0
        assert "the same answer" in repeats_note(attribution.repeats)
        assert attribution.standard_errors == (0.0,) * len(attribution.values)
        assert attribution.diagnostics.ended_by == "exact"


def test_repeats_are_counted_as_evaluations_of_the_engine() -> None:
    engine = Engine(FunctionClassifier(Counting(len), ["no", "yes"], output="scores"))
    engine.score(["one", "two"])
    engine.score_again(["one", "two"])
    assert (engine.evaluations, engine.calls) == (4, 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_rounding_of_float32_is_no_noise(dtype: type) -> None:
    source, score = rng(), drawn_score(0)

    def log_odds(texts: list[str]) -> FloatArray:
        v = np.array(list(map(score, texts))) * (1 + 1e-6 * source.normal(size=len(texts)))
        return np.column_stack([-v / 2, v / 2]).astype(dtype)

    found = explained(explain.wrap(log_odds, labels=["no", "yes"], output="scores"))
    assert found.repeats is not None
    assert found.repeats.differences == 0
    assert found.diagnostics.ended_by == "exact"


def test_a_text_that_fails_is_not_asked_again_and_the_others_are() -> None:
    score = drawn_score(0)

    def function(texts: list[str]) -> FloatArray:
        if "" in texts:
            raise ValueError("no text")
        v = np.array(list(map(score, texts)))
        return np.column_stack([-v / 2, v / 2])

    model = explain.wrap(function, labels=["no", "yes"], output="scores")
    with pytest.raises(PredictionError, match="no text"):
        explained(model)


# ── Answers that depend on the batch ──────────────────────────────────────────────────────────────


def test_answers_that_depend_on_the_batch_are_those_of_each_text_alone() -> None:
    score = drawn_score(0)

    def log_odds(texts: list[str]) -> FloatArray:
        values = np.array(list(map(score, texts)))
        return values + 0.1 * float(np.sin(max(map(len, texts))))

    model = explain.wrap(two_labels(log_odds), labels=["no", "yes"])

    def alone(text: str) -> float:
        target = Target(label="yes", index=1, scale="log_odds")
        return float(target_values(model.predict([text]), target)[0])

    one = explained(model)
    beside = explain.attribute(model, [WORDS, "a b c d e f g h"], target="yes", masker="delete")[0]
    np.testing.assert_array_equal(one.values, exact_shapley_values(game(alone)))
    assert one.values == beside.values
    assert one.repeats is not None
    assert one.repeats.scored_alone
    assert one.repeats.differences > 0
    assert "each text was scored alone" in warnings(one)[0]


# ── Models that round ─────────────────────────────────────────────────────────────────────────────


def clip_at_cap(values: Values, decimals: int) -> Values:
    half_step = 0.5 * 10.0**-decimals
    cap = np.log((1 - half_step) / half_step)
    return np.clip(values, -cap, cap)


@pytest.mark.parametrize("scale", [1.0, 3.0])
@pytest.mark.parametrize(("decimals", "least"), [(4, 0.85), (3, 0.85), (2, 0.78)])
def test_intervals_hold_of_the_capped_game_where_probabilities_are_rounded(
    decimals: int, least: float, scale: float
) -> None:
    scores = [drawn_score(seed, scale) for seed in range(40)]
    found = [explained(rounding(score, decimals)) for score in scores]
    true = [exact_shapley_values(clip_at_cap(game(score), decimals)) for score in scores]
    assert coverage(found, true) >= least
    assert all(a.target.decimals == decimals for a in found)


@pytest.mark.parametrize("declared", [True, False])
def test_a_certain_answer_of_a_model_that_rounds_is_at_the_cap(declared: bool) -> None:
    def sure(text: str) -> float:
        return 12.0 * ("a" in text) - 4 + len(text) / 5

    found = explained(rounding(sure, 2, declared=declared))
    assert found.target.cap == pytest.approx(5.293, abs=1e-3)
    assert found.full_value == pytest.approx(found.target.cap)
    assert max(map(abs, found.values)) < 11
    at_cap = float((clip_at_cap(game(sure), 2) >= 5.29).sum())
    # What is not quite certain is rounded to a certainty too.
    assert found.diagnostics.at_cap == pytest.approx(at_cap, abs=2)
    assert "log-odds are capped at 5.3, since the model rounds to 2 decimals" in warnings(found)[0]
    (verdict,) = (v for v in self_reported_flags(found) if v.name == "rounding")
    assert verdict.answer == "flagged"
    assert verdict.severe


def test_what_is_declared_gives_the_same_as_what_is_found_out() -> None:
    one, other = (explained(rounding(drawn_score(0), 3, declared=d)) for d in (True, False))
    assert one.to_json() == other.to_json()


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_rounded_probabilities_of_both_tasks_have_the_same_log_odds(task: Any) -> None:
    model = FunctionClassifier(lambda texts: [[0.97, 0.03]] * len(texts), ["a", "b"], task=task)
    scale: Any = {"single_label": "log_odds", "multi_label": "logit"}[task]
    target = Target(label="a", index=0, scale=scale, decimals=2)
    ends = [np.log(p / (1 - p)) for p in (0.965, 0.975)]
    found = target_values(model.predict(["text"]), target)[0]
    assert found == pytest.approx(np.mean(ends))


def test_many_rounded_labels_may_miss_a_sum_of_one() -> None:
    answer = [[0.9, *[0.0] * 24, 0.02]]
    labels = [f"label {number}" for number in range(26)]
    FunctionClassifier(lambda texts: answer, labels, decimals=2).predict(["text"])
    with pytest.raises(PredictionError, match="decimals=2"):
        FunctionClassifier(lambda texts: answer, labels).predict(["text"])
    with pytest.raises(PredictionError, match="sum to"):
        FunctionClassifier(lambda texts: answer, labels, decimals=3).predict(["text"])


def test_the_log_odds_of_many_rounded_labels_are_those_of_the_label_itself() -> None:
    answer = [[0.9, *[0.0] * 24, 0.02]]
    labels = [f"label {number}" for number in range(26)]
    scores = FunctionClassifier(lambda texts: answer, labels, decimals=2).predict(["text"])
    target = Target(label=labels[0], index=0, scale="log_odds", decimals=2)
    assert target_values(scores, target)[0] == pytest.approx(np.log(0.9 / 0.1), abs=0.01)


def test_decimals_are_refused_of_what_is_not_rounded() -> None:
    with pytest.raises(ConfigurationError, match="returns scores"):
        explain.wrap(len, labels=["no", "yes"], output="scores", decimals=2)
    with pytest.raises(ConfigurationError, match="pass 1 to"):
        explain.wrap(len, labels=["no", "yes"], decimals=0)
    with pytest.raises(ConfigurationError, match="leave decimals out"):
        explain.wrap(FunctionClassifier(len, ["no", "yes"]), decimals=2)


@given(st.lists(st.floats(0, 1), min_size=8, max_size=30, unique=True), st.sampled_from([2, 3, 4]))
def test_rounding_is_told_from_many_decimals(values: list[float], decimals: int) -> None:
    p = np.array(values)
    found = decimals_of(np.round(p, decimals).astype(np.float32).astype(np.float64))
    assert found is not None
    assert found <= decimals


def test_few_or_trivial_probabilities_are_not_called_rounded() -> None:
    assert decimals_of(rng().random(8)) is None
    assert not are_enough(np.array([0.0, 1.0, 1.0]))
    assert not are_enough(np.array([0.9, 0.1, 0.8, 0.2]))
    assert are_enough(np.array([0.0, 0.52, 0.31, 0.07]))

    found = explain.attribute(
        explain.wrap(
            lambda texts: [[0.1, 0.9] if "good" in t else [0.9, 0.1] for t in texts],
            labels=["no", "yes"],
        ),
        "a good film",
    )
    assert found.target.decimals is None


# ── Records ───────────────────────────────────────────────────────────────────────────────────────


def test_interactions_state_noise_and_rounding_too() -> None:
    def pairs(model: TextClassifier) -> explain.Interactions:
        return explain.interactions(model, WORDS, target="yes", masker="delete")

    found = pairs(noisy(drawn_score(0), 0.2))
    assert found.repeats is not None
    assert found.repeats.sigma == pytest.approx(0.2, rel=0.35)
    assert min(pair.standard_error for pair in found.pairs) > 0
    assert found.diagnostics.ended_by == "enumeration"
    assert pairs(rounding(drawn_score(0), 2)).target.decimals == 2


def test_a_record_of_before_still_loads() -> None:
    found = explained(noisy(drawn_score(0), 0.2))
    assert Attribution.from_json(found.to_json()) == found
    before = found.model_dump(mode="json", exclude={"repeats": True, "target": {"decimals"}})
    old = Attribution.model_validate(before)
    assert (old.repeats, old.target.decimals) == (None, None)
    assert repeats_note(old.repeats) == ""
