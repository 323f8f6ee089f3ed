"""What known values say of a method: how many texts it gets right, how many its intervals hold."""

import numpy as np

from explain.evaluation.flags import Flag, MetricResult, at_least
from explain.evaluation.known_values import KnownValues
from explain.record import Sentence, without_full_stop
from explain.statistics.intervals import clustered_proportion, proportion

__all__ = ["LEAST_COVERED", "known_values_results"]

LEAST_RIGHT, ENOUGH_RIGHT = 0.95, 0.75
"""Texts whose known values a method is to get right, and the lower end of 19 of 20."""

LEAST_COVERED, ENOUGH_COVERED = 0.9, 0.85
"""Known values that 90 % intervals are to hold. Honest errors hold .96 to .99, since they allow for
harder games, and errors of half the size .79 to .85."""


def known_values_results(known_values: KnownValues) -> list[MetricResult]:
    """Return how many known values a method gets right, and how many its intervals hold."""
    name = "known values"
    if not known_values.parts:
        reason = without_full_stop(known_values.reason or "")
        said = Sentence("Known values were not measured: {reason}.", reason=reason)
        return [MetricResult(name, None, None, Flag(name, "not measured", said))]
    right = np.concatenate([part.right for part in known_values.parts])
    texts = proportion("known values: texts that are right", int(right.sum()), len(right))
    results = [
        MetricResult(
            texts.name,
            texts,
            Sentence("at least {limit}", limit=LEAST_RIGHT),
            Flag(
                name,
                at_least(texts, LEAST_RIGHT, ENOUGH_RIGHT),
                Sentence(
                    "It gets the known values right in {hits} of {n} texts; at least "
                    "{limit:percent} is required.",
                    hits=int(right.sum()),
                    n=len(right),
                    limit=LEAST_RIGHT,
                ),
                fatal=True,
                is_needed=True,
            ),
        )
    ]
    covered = np.concatenate([part.is_covered for part in known_values.parts])
    if len(covered):
        offsets = np.cumsum([0, *(len(part.right) for part in known_values.parts)])
        text = np.concatenate(
            [part.text + start for part, start in zip(known_values.parts, offsets, strict=False)]
        )
        share = clustered_proportion("known values: inside 90 % intervals", covered, text)
        sentence = Sentence(
            "Its 90 % intervals contain {share.value:percent} of the known values; at least "
            "{limit:percent} is required.",
            share=share,
            limit=LEAST_COVERED,
        )
        answer = at_least(share, LEAST_COVERED, ENOUGH_COVERED)
        results.append(
            MetricResult(
                share.name,
                share,
                Sentence("at least {limit}", limit=LEAST_COVERED),
                Flag("known intervals", answer, sentence, severe=True, is_needed=True),
            )
        )
    return results
