"""Two runs of one model rarely differ, and a regression is found."""

import numpy as np
import pytest

from explain.comparison import compare
from tests.helpers.comparisons import noisy_pair

pytestmark = pytest.mark.nightly

SEEDS = range(100)
ROWS = 1_000


def test_two_runs_of_one_model_do_not_differ() -> None:
    verdicts = [compare(*noisy_pair(np.random.default_rng(s), ROWS)).verdict for s in SEEDS]
    assert verdicts.count("no difference") >= 95


def test_a_regression_of_five_points_is_found() -> None:
    pairs = [noisy_pair(np.random.default_rng(s), ROWS, loss=0.05) for s in SEEDS]
    compared = [compare(*pair, 0.01) for pair in pairs]
    assert [each.verdict for each in compared].count("worse") >= 90
    assert not any(each.non_inferiority and each.non_inferiority.is_shown for each in compared)
