"""What known values say of a method: how many texts it gets right, how many its intervals hold."""

import numpy as np

from explain.evaluation.known_values import KnownValues
from explain.evaluation.verdicts import Flag, MetricResult, at_least
from explain.record.wording import percent
from explain.statistics.intervals import clustered_proportion, proportion

__all__ = ["LEAST_COVERED", "known_values_readings"]

LEAST_RIGHT, ENOUGH_RIGHT = 0.95, 0.75
"""Texts whose known values a method is to get right, and the lower end of 19 of 20."""

LEAST_COVERED, ENOUGH_COVERED = 0.9, 0.85
"""Known values that 90 % intervals are to hold. Honest errors hold .96 to .99, since they allow for
harder games, and errors of half the size .79 to .85."""


def known_values_readings(found: KnownValues) -> list[MetricResult]:
    """Return how many known values a method gets right, and how many its intervals hold."""
    name = "known values"
    if not found.parts:
        said = f"Known values were not measured: {found.reason}.".replace("..", ".")
        return [MetricResult(name, None, None, Flag(name, "not measured", said))]
    right = np.concatenate([part.right for part in found.parts])
    texts = proportion(f"{name}: texts that are right", int(right.sum()), len(right))
    readings = [
        MetricResult(
            texts.name,
            texts,
            f"at least {LEAST_RIGHT}",
            Flag(
                name,
                at_least(texts, LEAST_RIGHT, ENOUGH_RIGHT),
                f"Of known values it gets right those of {right.sum()} of {len(right)} texts; "
                f"at least {percent(LEAST_RIGHT)} is wanted.",
                fatal=True,
                needed=True,
            ),
        )
    ]
    covered = np.concatenate([part.covered for part in found.parts])
    if len(covered):
        offsets = np.cumsum([0, *(len(part.right) for part in found.parts)])
        text = np.concatenate(
            [part.text + start for part, start in zip(found.parts, offsets, strict=False)]
        )
        share = clustered_proportion(f"{name}: inside of 90 % intervals", covered, text)
        said = (
            f"Its 90 % intervals hold {percent(share.value)} of the known values; at least "
            f"{percent(LEAST_COVERED)} is wanted."
        )
        answer = at_least(share, LEAST_COVERED, ENOUGH_COVERED)
        readings.append(
            MetricResult(
                share.name,
                share,
                f"at least {LEAST_COVERED}",
                Flag("known intervals", answer, said, severe=True, needed=True),
            )
        )
    return readings
