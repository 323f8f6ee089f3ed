"""How far methods agree is held against what chance gives."""

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import kendalltau

from explain.evaluation.agreement import _null_upper


@pytest.mark.parametrize("n", [5, 7])
def test_the_upper_end_of_chance_is_that_of_all_permutations(n: int) -> None:
    taus = [kendalltau(range(n), order).statistic for order in permutations(range(n))]
    expected = np.quantile(taus, 0.95, method="inverted_cdf")
    step = 4 / (n * (n - 1))
    assert _null_upper(n) == pytest.approx(expected, abs=step + 1e-9)
