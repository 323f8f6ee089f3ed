"""What all looks at a table share."""

from scipy import stats

from explain.checks.base import LEVEL
from explain.record import InstanceRecord

__all__ = [
    "FINDING_LEVEL",
    "NOISE_LEVEL",
    "SECTION",
    "labels_predicted",
    "significantly_above",
]

SECTION = "data"

FINDING_LEVEL = LEVEL / 14
"""Error of each of seven findings, which leaves half of `LEVEL` to that of wrong labels."""

NOISE_LEVEL = LEVEL / 2
"""Error of the finding that labels are wrong, which takes most to see."""


def significantly_above(hits: int, n: int, size: float) -> bool:
    """Tell whether a share lies above a size, by the exact binomial test at `FINDING_LEVEL`."""
    return n > 0 and bool(
        stats.binomtest(hits, n, size, alternative="greater").pvalue <= FINDING_LEVEL
    )


def labels_predicted(instance: InstanceRecord) -> tuple[str, ...]:
    """Return all labels that the model gives a text."""
    if instance.predictions is None:
        return (instance.predicted,)
    return tuple(prediction.label for prediction in instance.predictions)
