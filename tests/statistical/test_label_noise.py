"""How many labels contradict their texts: drawn labels are found, hard texts are not."""

import numpy as np

from explain.checks.data.label_noise import label_noise
from explain.testing.messages import LABELS
from explain.testing.planted import planted
from tests.helpers.search import seeds


def noisy(seed: int, share: float, rows: int = 500) -> tuple[float, float, float, float]:
    """Return p-value, estimate and interval of a table some of whose labels are moved by one."""
    case, rng = planted("clean", seed, rows), np.random.default_rng(seed)
    given = np.array([LABELS.index(row["label"]) for row in case.rows])
    wrong = rng.random(rows) < share
    found = label_noise(
        [(row["text"],) for row in case.rows], np.where(wrong, (given + 1) % 3, given), rng
    )
    measure = found.measure
    assert measure.value is not None
    assert measure.lower is not None
    assert measure.upper is not None
    return found.p_value, measure.value, measure.lower, measure.upper


def test_tables_without_wrong_labels_seldom_look_as_if_they_had_some() -> None:
    found = [noisy(seed, 0) for seed in seeds(40, 3)]
    assert sum(p <= 0.0025 and lower >= 0.01 for p, _, lower, _ in found) <= 1


def test_one_label_in_ten_that_is_wrong_is_found() -> None:
    found = [noisy(seed, 0.1) for seed in seeds(8, 4)]
    assert sum(p <= 0.0025 for p, *_ in found) >= 0.75 * len(found)
    assert sum(lower <= 0.1 <= upper for *_, lower, upper in found) >= 0.75 * len(found)
