"""How far methods agree is held against what chance gives."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from scipy.stats import kendalltau

from explain.attribution.methods import METHODS
from explain.evaluation.agreement import _null_upper, agreement
from tests.helpers.attributions import attribution


@pytest.mark.parametrize("n", [5, 7, 12])
def test_the_upper_end_of_chance_is_that_of_all_permutations(n: int) -> None:
    """Of n! orders, as many have k inversions as the product of 1 + q + ... + q^(i-1) says."""
    counts = np.ones(1)
    for i in range(2, n + 1):
        counts = np.convolve(counts, np.ones(i))
    if n == 5:
        found = Counter(kendalltau(range(n), order).statistic for order in permutations(range(n)))
        assert [found[tau] for tau in sorted(found)] == counts.tolist()
    step = 4 / (n * (n - 1))
    is_reached = counts.cumsum() >= 0.95 * counts.sum()
    expected = -1 + step * int(is_reached.argmax())
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
