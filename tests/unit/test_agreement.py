"""How far methods agree is held against what chance gives."""

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import kendalltau

from explain.attribution.methods import METHODS
from explain.evaluation.agreement import _null_upper, agreement
from tests.helpers.attributions import attribution


@pytest.mark.parametrize("n", [5, 7])
def test_the_upper_end_of_chance_is_that_of_all_permutations(n: int) -> None:
    taus = [kendalltau(range(n), order).statistic for order in permutations(range(n))]
    expected = np.quantile(taus, 0.95, method="inverted_cdf")
    step = 4 / (n * (n - 1))
    assert _null_upper(n) == pytest.approx(expected, abs=step + 1e-9)


def test_a_method_says_itself_whether_its_signs_mean_something_and_whether_it_is_a_null() -> None:
    signs = {name: method.signed for name, method in METHODS.items()}
    assert [name for name, signed in signs.items() if not signed] == ["gradient_l2"]
    assert [name for name, method in METHODS.items() if method.is_null] == ["random"]
    titles = [method.title for method in METHODS.values()]
    assert len(set(titles)) == len(titles)
    unsigned = attribution(signed=False)
    null = attribution(is_null=True, method="random")
    flipped = attribution(values=(-2.0, -1.0))
    assert agreement(attribution(), flipped).disputed == (0,)
    assert agreement(unsigned, flipped).disputed is None
    assert agreement(null, flipped).disputed is None
    assert (agreement(null, flipped).null, agreement(unsigned, flipped).null) == ("random", None)
