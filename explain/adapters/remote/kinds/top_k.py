"""What the most probable tokens say of labels that may not be among them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Bounds", "LabelBounds", "bounds_of_labels"]

Bounds: TypeAlias = tuple[float, float]
"""Lowest and highest value that is possible."""

OUTSIDE = -9000.0
"""Below it a log-probability stands for a token that is not among the best: OpenAI writes -9999."""


@dataclass(frozen=True, slots=True)
class LabelBounds:
    """What is known of the labels.

    Attributes
    ----------
    log_probabilities : tuple of Bounds
        Of each label; -inf to a number if none of its words was seen.
    log_odds : tuple of Bounds
        Of each label against all others.
    """

    log_probabilities: tuple[Bounds, ...]
    log_odds: tuple[Bounds, ...]


def bounds_of_labels(
    log_probs: Mapping[str, float], words: Sequence[Sequence[str]], n_requested: int | None
) -> LabelBounds:
    """Return what the best tokens say of labels, which are sums over their words.

    With m the mass of all tokens seen and l the smallest log-probability among them, a token that
    is missing has at most min(e^l, 1 - m); all that are missing have 1 - m together.

    Parameters
    ----------
    log_probs : mapping of str to float
        Log-probability by token.
    words : sequence of sequence of str
        The tokens of each label, all different.
    n_requested : int or None
        How many of the best tokens were asked for. If fewer came back, or None, the smallest of
        them says nothing of others.
    """
    within = {token: logged for token, logged in log_probs.items() if logged > OUTSIDE}
    left = max(0.0, 1 - math.fsum(map(math.exp, within.values())))
    most = min(math.exp(min(within.values())), left) if len(within) == n_requested else left
    lows = [math.fsum(math.exp(within[word]) for word in own if word in within) for own in words]
    missing = [sum(word not in within for word in own) for own in words]

    def high(labels: Sequence[int]) -> float:
        hidden = min(sum(missing[label] for label in labels) * most, left)
        return math.fsum(lows[label] for label in labels) + hidden

    every = range(len(words))
    others = [[other for other in every if other != label] for label in every]
    return LabelBounds(
        tuple((_log(lows[label]), _log(high([label]))) for label in every),
        tuple(
            (
                _difference(lows[label], high(rest)),
                _difference(high([label]), math.fsum(lows[other] for other in rest)),
            )
            for label, rest in enumerate(others)
        ),
    )


def _log(p: float) -> float:
    return math.log(p) if p > 0 else -math.inf


def _difference(p: float, q: float) -> float:
    """Return log p - log q; where neither is known to be above zero, nothing is known."""
    if q <= 0:
        return math.inf
    return _log(p) - math.log(q)
