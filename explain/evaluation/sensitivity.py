"""Max-sensitivity: how far an attribution moves when its input moves a little.

Yeh et al. 2019 (arXiv:1901.09392): the largest ``|phi(y) - phi(x)|`` over y in a small ball around
the input x. Of a text that needs a decision. The smallest step between texts is another word, which
a good explanation must follow, so there is no small ball of texts and the measure is not defined
for methods that see nothing but texts; how steady those are under what they draw at random is what
`explain.evaluation.stability` measures. For methods of gradients the input are the vectors of the
tokens, special ones included, and each of their coordinates is moved by a uniform number of at most
5 % of their root mean square; baselines stay where they are. The text of the tokens, which a model
may also look at, stays the same. The distance is relative to |phi(x)|, and is compared with that
of random attributions: the largest of as many permutations of the values.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from explain.adapters import GradientClassifier
from explain.attribution import AttributionSettings, attribute_batch
from explain.attribution.methods import Explainer
from explain.attribution.methods.gradients import GradientExplainer, with_hook
from explain.engine import Engine
from explain.engine.games import AttributionRequest
from explain.record import Attribution, NotMeasured, Sentence

__all__ = ["Sensitivity", "max_sensitivities", "max_sensitivity", "nudged"]

RADIUS = 0.05
"""Largest move of a coordinate, relative to the root mean square of all."""

MOVES = 3
"""Points of the ball that are looked at, where captum looks at 10, for an audit that stays cheap.

Random values move by a multiple of what a method does, so that eight texts of three points tell.
"""


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """The largest move of an attribution, relative to its length.

    Attributes
    ----------
    observed : float
        Of the method, when the input moves a little.
    random : float
        Of its values, when they are permuted as often.
    """

    observed: float
    random: float


def max_sensitivity(
    values: Sequence[float], moved_values: Sequence[Sequence[float]], rng: np.random.Generator
) -> Sensitivity | None:
    """Return the largest relative move of the values; None if they are all zero.

    Parameters
    ----------
    values : sequence of float
        The attribution of the text.
    moved_values : sequence of sequence of float
        Its attributions near the text, one at least.
    rng : numpy.random.Generator
        Source of the permutations.
    """
    own = np.array(values)
    length = float(np.linalg.norm(own))
    if not length:
        return None
    random = np.array([rng.permutation(own) for _ in moved_values])

    def largest(neighbours: np.ndarray) -> float:
        return float(np.linalg.norm(neighbours - own, axis=1).max()) / length

    return Sensitivity(largest(np.array(moved_values)), largest(random))


def max_sensitivities(
    engine: Engine,
    requests: Sequence[tuple[AttributionRequest, Attribution]],
    explainer: Explainer,
    setting: AttributionSettings,
) -> list[Sensitivity] | NotMeasured:
    """Return the max-sensitivity of each attribution that has one, or why the method has none.

    Parameters
    ----------
    engine : Engine
        The way to the model.
    requests : sequence of (AttributionRequest, Attribution)
        Questions, and what the method says of each.
    explainer : Explainer
        The method.
    setting : AttributionSettings
        Masker and seed of the audit.
    """
    model = engine.classifier
    if not isinstance(explainer, GradientExplainer) or not isinstance(model, GradientClassifier):
        return NotMeasured(
            reason=Sentence(
                "the vectors of a text are moved a little, and {method} only removes whole "
                "pieces of it",
                method=explainer.title,
            )
        )
    questions = [question for question, _ in requests for _ in range(MOVES)]
    with nudged(model, setting.seed):
        outcomes = attribute_batch(engine, questions, explainer, setting)
    found = []
    for number, (question, attribution) in enumerate(requests):
        values = [outcome.value for outcome in outcomes[number * MOVES : (number + 1) * MOVES]]
        moved = [v.values for v in values if isinstance(v, Attribution)]
        rng = replace(question, seed=setting.seed).rng().spawn(3)[2]
        if len(moved) == MOVES:
            found.append(max_sensitivity(attribution.values, moved, rng))
    return [one for one in found if one is not None]


@contextmanager
def nudged(model: GradientClassifier, seed: int, radius: float = RADIUS) -> Iterator[None]:
    """Move the vectors of every text a little that the model embeds, each time anew."""
    import torch

    def move(_: torch.nn.Module, __: object, vectors: torch.Tensor) -> torch.Tensor:
        if vectors.shape[1] == 1:
            return vectors  # A single token is what a path starts from.
        size = radius * vectors.square().mean(dim=(1, 2), keepdim=True).sqrt()
        # Drawn on the CPU, so that every device sees the same.
        uniform = torch.rand(vectors.shape, generator=generator).to(vectors)
        return vectors + size * (2 * uniform - 1)

    generator = torch.Generator().manual_seed(seed)
    with with_hook(dict.fromkeys(model.embeddings), move):
        yield
