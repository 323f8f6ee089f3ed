"""How far methods agree is held against what chance gives."""

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import kendalltau

from explain.metrics import agreement
from explain.metrics.agreement import _null_upper


@pytest.mark.parametrize("n", [2, 3, 5, 7])
def test_the_upper_end_of_chance_is_that_of_all_permutations(n: int) -> None:
    taus = [kendalltau(range(n), order).statistic for order in permutations(range(n))]
    expected = np.quantile(taus, 0.95, method="inverted_cdf")
    assert _null_upper(n) == pytest.approx(expected)


def test_for_many_features_chance_is_as_good_as_normal(monkeypatch: pytest.MonkeyPatch) -> None:
    normal = [_null_upper(n) for n in (61, 100)]
    monkeypatch.setattr(agreement, "EXACT_NULL", 100)
    _null_upper.cache_clear()
    assert normal == pytest.approx([_null_upper(n) for n in (61, 100)], abs=0.002)
    _null_upper.cache_clear()
