"""Bugs that this field has shipped: the suite fails on each of them."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.helpers.mutate import Mutation

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow

BUGS = {
    "sign flip": (
        Mutation("explain.attribution.methods.occlusion", " full - without,", " without - full,"),
        "unit/test_explainers.py::test_occlusion_is_what_is_lost_when_one_feature_goes",
    ),
    "wrong target": (
        Mutation("explain.engine.games", "model.labels.index(label)", "int(np.argmax(scores))"),
        "unit/test_games.py::test_the_target_is_a_label_an_index_or_the_predicted_one",
    ),
    "softmax twice": (
        Mutation(
            "explain.engine.games",
            "return log_odds_of(scores, target.index)",
            "scores = np.exp(scores - np.logaddexp.reduce(scores, axis=1)[:, None]); "
            "return log_odds_of(scores, target.index)",
        ),
        "unit/test_games.py::test_log_odds_are_those_of_the_softmax_probability",
    ),
    "off-by-one span": (
        Mutation(
            "explain.text.words",
            "in units:\n            starts[start + 1 : end] = bytes(end - start - 1)",
            "in units:\n            starts[start + 1 : end - 1] = bytes(max(end - start - 2, 0))",
        ),
        "unit/test_spans.py::test_words_follow_unicode_boundaries_with_punctuation",
    ),
    "special tokens masked": (
        Mutation(
            "explain.attribution.methods.gradients",
            "token is not None and any(overlap",
            "token is None or any(overlap",
        ),
        "models/test_architectures.py::test_integrated_gradients_close_their_gap[BERT]",
    ),
    "baseline = input": (
        Mutation(
            "explain.attribution.methods.gradients",
            "_start(model, layer, baseline), vectors)",
            "vectors, vectors)",
        ),
        "models/test_attribution.py::test_the_baseline_of_integrated_gradients_can_be_chosen",
    ),
    "seed ignored": (
        Mutation("explain.engine.games", "json.dumps([self.seed, self", "json.dumps([0, self"),
        "models/test_attribution.py::test_the_same_seed_gives_the_same_bytes_and_another_other_values",
    ),
    "standard error without the square root": (
        Mutation("explain.attribution.game_model.posterior", "np.sqrt(spread)", "spread"),
        "unit/test_game_model.py::test_values_and_errors_scale_with_the_game",
    ),
    "even orders not cancelled": (
        Mutation(
            "explain.attribution.game_model.model",
            "(values[:, 0] - values[:, 1]) / 2",
            "values[:, 0] - values.mean()",
        ),
        "statistical/test_game_model.py::test_errors_on_real_games_beat_the_prototype[128-0.065-0.09]",
    ),
    "verdict from an estimate": (
        Mutation(
            "explain.evaluation.flags",
            "if best < better * bar",
            "if better * measure.value < bar",
        ),
        "models/test_trust.py::test_a_share_is_judged_by_its_whole_interval",
    ),
    "known values of halves that are not shared": (
        Mutation("explain.evaluation.unanimity", "1 / np.maximum(sizes, 1)", "none + 1"),
        "models/test_known_values.py::test_the_truth_is_that_of_the_definitions",
    ),
    "tolerance 1e6": (
        Mutation("explain.attribution.methods.linear", "TOLERANCE = 1e-6", "TOLERANCE = 1e6"),
        "models/test_linear.py::test_weights_that_do_not_give_the_models_own_score_are_not_shown",
    ),
}
"""Each bug as a mutation, and a quick test that fails on it."""


@pytest.fixture(scope="module")
def outcomes(shared: Path) -> dict[str | None, tuple[int, str]]:
    """Return what became of the test of each bug, and of all of them without a bug."""
    runs: list[tuple[str | None, list[str]]] = [
        (mutation.text, [f"tests/{test}"]) for mutation, test in BUGS.values()
    ]
    runs.append((None, [f"tests/{test}" for _, test in BUGS.values()]))
    done = subprocess.run(
        [sys.executable, "-m", "tests.helpers.forks"],
        cwd=ROOT,
        input=json.dumps(runs),
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    found = [(code, output) for code, output in json.loads(done.stdout)]
    return dict(zip([*BUGS, None], found, strict=True))


@pytest.mark.parametrize("bug", BUGS)
def test_a_seeded_bug_is_caught(bug: str, outcomes: dict[str | None, tuple[int, str]]) -> None:
    mutation, _ = BUGS[bug]
    spec = find_spec(mutation.module)
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text(encoding="utf-8")
    compile(mutation.mutated(source), spec.origin, "exec")
    code, output = outcomes[bug]
    assert code == pytest.ExitCode.TESTS_FAILED, output


def test_without_the_bugs_the_same_tests_pass(outcomes: dict[str | None, tuple[int, str]]) -> None:
    code, output = outcomes[None]
    assert code == pytest.ExitCode.OK, output
    assert "skipped" not in output


def test_a_mutation_of_code_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="holds 'a' 2 times, expected once"):
        Mutation("module", "a", "b").mutated("a = a")
