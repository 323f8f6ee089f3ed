"""What a section says that it would have found is what its own rule finds in 80 % of tables."""

import numpy as np
import pytest
from scipy import stats

from explain.checks.base import LEVEL
from explain.checks.base.baseline_model import DIFFERENCE, WORSE, lead_found
from explain.statistics.bootstrap import paired_difference


@pytest.mark.parametrize(("n_different", "n"), [(60, 500), (25, 100), (200, 872)])
def test_a_lead_that_is_said_to_be_found_is_found_in_four_tables_of_five(
    n_different: int, n: int
) -> None:
    """By simulation: which of the two is right is drawn anew for each of the rows that differ."""
    lead = lead_found(n_different, n)
    assert lead is not None
    share = (1 + lead * n / n_different) / 2
    wins = np.random.default_rng(0).binomial(n_different, share, 4_000)
    found = {}
    for count in np.unique(wins).tolist():
        second, first = np.arange(n) < count, np.arange(n) < n_different
        upper = paired_difference(DIFFERENCE, first & ~second, second).upper
        p = stats.binomtest(count, n_different).pvalue
        found[count] = p <= LEVEL and upper is not None and upper < -WORSE
    assert 0.77 < np.mean([found[count] for count in wins.tolist()]) < 0.83


@pytest.mark.parametrize(("n_different", "n"), [(0, 100), (5, 100), (0, 0)])
def test_no_lead_is_said_where_too_few_rows_differ(n_different: int, n: int) -> None:
    assert lead_found(n_different, n) is None
