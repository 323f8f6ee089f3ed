"""Rules that are planted into a model, so that what decides is known."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
import regex

from explain.adapters import (
    Encoding,
    GradientClassifier,
    LinearClassifier,
    Scores,
    TextClassifier,
    TokenizedClassifier,
)
from explain.adapters.base import Contributions
from explain.attribution import added_tokens
from explain.attribution.methods.base import overlap
from explain.attribution.methods.gradients import with_hook
from explain.engine import Engine
from explain.errors import CapabilityError, ExplainError
from explain.record import Task
from explain.text.spans import Span, Text, parts_of

if TYPE_CHECKING:
    import torch

__all__ = ["Kind", "Rule", "places_of", "plant", "scores_of", "sound"]

T = TypeVar("T")

Kind: TypeAlias = Literal["token", "context", "order"]
"""What must be in a text: one word; two words; two words, one before the other."""

RIDGE = 1e-3
"""Ridge of the direction that tells a token from others, relative to their mean square."""


@runtime_checkable
class _TokenizedLinear(LinearClassifier, TokenizedClassifier, Protocol):
    """A model that tells its tokens, and what each adds."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What is added to a score, and when.

    Attributes
    ----------
    kind : {"token", "context", "order"}
        Whether one word suffices, two must be there, or the first must stand before the second.
    words : tuple of str
        One word, or two. They count as whole words, as they are written here.
    label : int
        Column of the scores that the bonus is added to.
    bonus : float
        How much is added, in the unit of the scores.
    """

    kind: Kind
    words: tuple[str, ...]
    label: int
    bonus: float

    def holds(self, text: Text) -> bool:
        """Tell whether a text gets the bonus."""
        places = [list(places_of(word, text)) for word in self.words]
        if not all(places):
            return False
        return self.kind != "order" or min(places[0]) < max(places[1])


def plant(engine: Engine, rule: Rule, texts: Sequence[Text]) -> TextClassifier:
    """Return the model of an engine with a rule planted, as differentiable as it can be.

    `predict` follows the rule on every text. With gradients, the bonus is a soft match of the
    token embeddings: with e the embedding of a token, o that of the mask token (or of the padding
    token) and ``p = w (e - o)``, the match is ``max(0, (p - f) / (1 - f))^2``. The direction w
    gives the word of the rule p = 1 and all other tokens of `texts` as little as possible (ridge
    regression); f is the largest p that one of them has. So the word itself gives one, the baseline
    and all other words exactly zero, and on `texts` the gradients are those of the very function
    that `predict` computes, unless a text holds the token within a longer word. Where two tokens
    cannot be told apart so, the model with the rule has no gradients.

    Parameters
    ----------
    engine : Engine
        The way to the model: what it has scored for one rule, no other pays for.
    rule : Rule
        The rule.
    texts : sequence of str or pair of str
        Texts that gradients are to be asked for; some hold each word of the rule.
    """
    model = engine.classifier
    if isinstance(model, GradientClassifier):
        try:
            return _PlantedGradients(engine, model, rule, texts)
        except CapabilityError as error:
            return _PlantedTokens(engine, model, rule, str(error))
    if isinstance(model, _TokenizedLinear):
        return _PlantedWeights(engine, model, rule)
    if isinstance(model, TokenizedClassifier):
        return _PlantedTokens(engine, model, rule)
    return _Planted(engine, rule)


class _Planted:
    """A model with a rule planted."""

    def __init__(self, engine: Engine, rule: Rule) -> None:
        self._engine = engine
        self._rule = rule
        self.name = f"{engine.classifier.name} with a planted rule"
        self.labels = engine.classifier.labels

    @property
    def task(self) -> Task:
        return self._engine.classifier.task

    def predict(self, texts: Sequence[Text]) -> Scores:
        scores = scores_of(self._engine, texts)
        scores[[self._rule.holds(text) for text in texts], self._rule.label] += self._rule.bonus
        return scores


class _PlantedTokens(_Planted):
    """The same of a model that tells its tokens."""

    def __init__(
        self,
        engine: Engine,
        model: TokenizedClassifier,
        rule: Rule,
        without_gradients: str | None = None,
    ) -> None:
        super().__init__(engine, rule)
        self.without_gradients = without_gradients
        self._tokenized = model
        self.mask_token = model.mask_token
        self.special_tokens = model.special_tokens

    def tokens(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        return self._tokenized.tokens(texts)

    def unread(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        return self._tokenized.unread(texts)

    def added_tokens(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        return added_tokens(texts, self._tokenized)


class _PlantedWeights(_PlantedTokens):
    """The same of a model that tells what each word adds: one planted word is one weight more."""

    def __init__(self, engine: Engine, model: _TokenizedLinear, rule: Rule) -> None:
        super().__init__(engine, model, rule)
        self._linear = model

    def contributions(self, text: Text, index: int) -> Contributions:
        own = self._linear.contributions(text, index)
        if self._rule.kind != "token":
            raise CapabilityError("what two words do together is no sum over words")
        places = list(places_of(self._rule.words[0], text))
        towards = float(index == self._rule.label)
        if self.task == "single_label":
            towards = 2 * towards - 1
        shares = np.full(len(places), towards * self._rule.bonus / max(len(places), 1))
        return Contributions(
            (*own.tokens, *places),
            np.concatenate([own.values, shares]),
            own.additive and len(places) < 2,
        )


class _PlantedGradients(_PlantedTokens):
    """The same of a model with gradients."""

    def __init__(
        self, engine: Engine, model: GradientClassifier, rule: Rule, texts: Sequence[Text]
    ) -> None:
        super().__init__(engine, model, rule)
        self._differentiable = model
        self.token_budget = model.token_budget
        self._matches = [_SoftMatch.of(model, word, texts) for word in rule.words]

    @property
    def embeddings(self) -> "tuple[torch.nn.Module, ...]":
        return self._differentiable.embeddings

    def encode(self, texts: Sequence[Text]) -> Encoding:
        return self._differentiable.encode(texts)

    def baseline_id(self, baseline: str) -> int:
        return self._differentiable.baseline_id(baseline)

    def differentiable_scores(self, inputs: "dict[str, torch.Tensor]") -> "torch.Tensor":
        import torch

        seen: list[torch.Tensor] = []

        def keep(_: torch.nn.Module, __: object, output: torch.Tensor) -> None:
            seen.append(output)

        # Registered last, so it sees what a method has put in the place of the embeddings.
        with with_hook(self.embeddings[:1], keep):
            scores = self._differentiable.differentiable_scores(inputs)
        bonus = self._rule.bonus * self._strength([match(seen[0]) for match in self._matches])
        column = torch.zeros_like(scores[0])
        column[self._rule.label] = 1
        return scores + bonus.to(scores.dtype)[:, None] * column

    def _strength(self, matches: "Sequence[torch.Tensor]") -> "torch.Tensor":
        """Return how far the rule holds of each text, from the matches of its words."""
        if self._rule.kind != "order":
            strength = _any_match(matches[0])
            for match in matches[1:]:
                strength = strength * _any_match(match)
            return strength
        first, second = matches
        in_order = (first[:, :, None] * second[:, None, :]).triu(diagonal=1)
        return _any_match(in_order.flatten(start_dim=1))


@dataclass(frozen=True, slots=True)
class _SoftMatch:
    """How far embeddings are those of one token, see `plant`; in float64."""

    origin: "torch.Tensor"
    direction: "torch.Tensor"
    floor: float

    @classmethod
    def of(cls, model: GradientClassifier, word: str, texts: Sequence[Text]) -> "_SoftMatch":
        """Return the match of the one token that `word` is in all texts.

        Raises
        ------
        CapabilityError
            If it is not one and the same token in all of them, or looks like another.
        """
        import torch

        own, ids = _token_ids(model, word, texts)
        baselines = list(_baselines(model))
        others = sorted({*ids, *baselines} - {own})
        with torch.no_grad():
            layer = model.embeddings[0]
            device = next(layer.parameters()).device
            every = layer(torch.tensor([[own, baselines[0], *others]], device=device))[0].double()
        origin, own_vector = every[1], every[0] - every[1]
        rest = every[2:] - origin
        spread = rest.T @ rest
        ridge = RIDGE * float(spread.trace()) / len(origin) or 1.0
        direction = torch.linalg.solve(
            spread + ridge * torch.eye(len(origin)).to(spread), own_vector
        )
        direction = direction / (direction @ own_vector)
        floor = max([0.0, *(rest @ direction).tolist()])
        if not floor < 1:
            raise CapabilityError(f"{model.name} has a token that cannot be told from {word!r}")
        return cls(origin, direction, floor)

    def __call__(self, vectors: "torch.Tensor") -> "torch.Tensor":
        along = (vectors.double() - self.origin) @ self.direction
        return ((along - self.floor) / (1 - self.floor)).clamp(min=0) ** 2


def _any_match(matches: "torch.Tensor") -> "torch.Tensor":
    """Return the soft "or" of each row."""
    return 1 - (1 - matches).prod(dim=1)


def _baselines(model: GradientClassifier) -> Iterator[int]:
    """Yield the ids of the tokens that a path may start from, the usual one first."""
    for baseline in ("mask", "pad"):
        try:
            yield model.baseline_id(baseline)
        except CapabilityError:
            if baseline == "pad" and model.mask_token is None:
                raise


def _token_ids(model: GradientClassifier, word: str, texts: Sequence[Text]) -> tuple[int, set[int]]:
    """Return the id of the token that a word is, and the ids of all tokens of the texts."""
    encoding = model.encode(texts)
    rows = encoding.inputs["input_ids"].tolist()
    own: set[int] = set()
    for text, row, spans in zip(texts, rows, encoding.spans[0], strict=True):
        for place in places_of(word, text):
            touched = [i for i, s in enumerate(spans) if s is not None and overlap(s, place)]
            if len(touched) != 1:
                raise CapabilityError(f"{model.name} reads {word!r} as {len(touched)} tokens")
            own.add(row[touched[0]])
    if len(own) != 1:
        raise CapabilityError(f"{model.name} reads {word!r} as {len(own)} different tokens")
    return own.pop(), {number for row in rows for number in row}


def places_of(word: str, text: Text) -> Iterator[Span]:
    """Yield where a whole word stands."""
    pattern = regex.compile(rf"(?<!\w){regex.escape(word)}(?!\w)")
    for number, part in enumerate(parts_of(text)):
        for match in pattern.finditer(part):
            yield Span(number, match.start(), match.end())


def scores_of(engine: Engine, texts: Sequence[Text]) -> Scores:
    """Return the scores of texts, shape (n_texts, n_labels), or raise why there are none."""
    rows = engine.score(texts)
    return np.array([sound(row) for row in rows])


def sound(outcome: T | ExplainError) -> T:
    """Return what was asked for, or raise why there is none."""
    if isinstance(outcome, ExplainError):
        raise outcome
    return outcome
