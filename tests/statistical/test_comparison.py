"""Two runs of one model, or of one endpoint, rarely differ, and a regression or drift is found.

Of records made from arrays: no audit is run. Figures of 100 seeds stand in the docstrings.
"""

from importlib import import_module

import numpy as np
import pytest

from explain.comparison import compare
from explain.comparison.call_changes import call_changes
from explain.comparison.outcomes import adjusted, verdict_of
from tests.helpers.comparisons import noisy_answers, noisy_pair

pytestmark = pytest.mark.nightly

SEEDS = range(100)
ROWS = 1_000


@pytest.fixture(autouse=True)
def _without_macro_f1(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes most of the time and decides no verdict."""
    module = import_module("explain.comparison.compare")
    monkeypatch.setattr(module, "macro_f1_difference", lambda *_: None)


def test_two_runs_of_one_model_do_not_differ() -> None:
    verdicts = [compare(*noisy_pair(np.random.default_rng(s), ROWS)).verdict for s in SEEDS]
    assert verdicts.count("no difference") >= 95


def test_a_regression_of_five_points_is_found() -> None:
    pairs = [noisy_pair(np.random.default_rng(s), ROWS, loss=0.05) for s in SEEDS]
    compared = [compare(*pair, 0.01) for pair in pairs]
    assert [each.verdict for each in compared].count("worse") >= 90
    assert not any(each.non_inferiority and each.non_inferiority.is_shown for each in compared)


@pytest.mark.parametrize("noise", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("repeats", [1, 3])
def test_a_noisy_endpoint_shows_no_drift(noise: float, repeats: int) -> None:
    assert sum(is_drift(s, 0.0, noise, repeats) for s in SEEDS) <= 5


@pytest.mark.parametrize("noise", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("repeats", [1, 3])
def test_a_shift_of_half_a_logit_is_found_through_noise(noise: float, repeats: int) -> None:
    assert sum(is_drift(s, 0.5, noise, repeats) for s in SEEDS) >= 95


def is_drift(seed: int, shift: float, noise: float, repeats: int) -> bool:
    """Tell whether 200 texts, of which 16 are asked again, show a drift."""
    pairs = noisy_answers(np.random.default_rng(seed), 200, shift, noise, repeats)
    return verdict_of(adjusted([*call_changes(pairs)])) == "different"
