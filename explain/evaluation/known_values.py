"""A control with known values: whether the values of a method, and their intervals, are right.

Weights of known size are planted on the words of the user's own texts as they are written, and
joint effects on words that stand together. The planted score of a text is

    p(text) = sum over T of m_T prod_{w in T} (how often w stands in the text),

so over the features of a text it is a sum of games that pay m where all of some features are there
(unanimity games). What a method should say of those has a
closed form (`explain.evaluation.unanimity`), and the methods that have one are linear in the game,
so the sum is known too.

The planted score stands alone on some texts, which costs no evaluation; with joint effects of three
words it is hard enough that methods must estimate, and state honest errors. On others it is added
to the score of the user's own model, with weights on words and pairs. There all coalitions are
scored: they, as unanimity games (Moebius transform), give the truth of the model's own part.

Methods of gradients see vectors, not words. What they should say is known of a function of the
vectors (`explain.evaluation.known_vectors`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from itertools import product
from math import prod
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from explain.adapters import Scores, TokenizedClassifier
from explain.attribution import AttributionSettings, attribute_batch, make_requests
from explain.attribution.methods import Explainer
from explain.attribution.methods.base import all_coalitions
from explain.attribution.methods.gradients import GradientExplainer, with_gradients
from explain.engine import Engine
from explain.engine.games import Masker, target_values
from explain.errors import ExplainError
from explain.evaluation.known_vectors import KnownVectors
from explain.evaluation.planted_rules import scores_of, sound
from explain.evaluation.sample_passages import WORD, prose, read
from explain.evaluation.unanimity import Payment, limit_of, truth, unanimity_games
from explain.record import Attribution, Task
from explain.text.spans import Span, Text, parts_of, text_of
from explain.text.words import words

__all__ = ["KnownValues", "Part", "known_values"]

N_ALONE, SHORTEST, LONGEST = 80, 8, 16
"""Texts of the planted score alone, and their features: short texts are quickly explained, and with
so many of them errors of half their size are told from honest ones in 19 of 20 seeds."""

N_ON_TOP, ON_TOP = 3, 9
"""Texts on top of the model, and their features: nine are the fewest that methods estimate, and
their 512 coalitions are all scored."""

JOINT = 0.5
"""Joint effects of each size in a text, for each of its words."""

MOST_OFF = 0.1
"""Of the largest value: what a value may be off beyond what is stated."""

Z90 = 1.645
"""Half the width of a 90 % interval, in standard errors."""

ROUNDING = 1e-5
"""Relative to the largest value: what float32 scores cost."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Part:
    """What a method said where the truth is known.

    Attributes
    ----------
    right : array, shape (n_texts,), bool
        Texts in which no value is off by more than a tenth of the largest beyond what is stated.
    is_covered : array, shape (n_values,), bool
        Values of which the 90 % interval holds the truth; none where no error is stated.
    text : array, shape (n_values,), int
        The text of each of those.
    errors : array, shape (n_texts,), float64
        Length of the error, relative to that of the true values.
    """

    right: NDArray[np.bool_]
    is_covered: NDArray[np.bool_]
    text: NDArray[np.int64]
    errors: FloatArray


@dataclass(frozen=True, slots=True)
class KnownValues:
    """What a method said of planted values.

    Attributes
    ----------
    method : str
        The method.
    alone, on_top : Part or None
        On texts of the planted score alone, and on top of the model.
    reason : str or None
        Why nothing was measured.
    """

    method: str
    planted_alone: Part | None = None
    on_top: Part | None = None
    reason: str | None = None

    @property
    def parts(self) -> tuple[Part, ...]:
        """What was measured."""
        return tuple(part for part in (self.planted_alone, self.on_top) if part is not None)


def known_values(
    engine: Engine,
    texts: Sequence[Text],
    explainers: Sequence[Explainer],
    *,
    masker: str | Masker | None = None,
    seed: int = 0,
) -> list[KnownValues]:
    """Return what each method says where the truth is known.

    Parameters
    ----------
    engine : Engine
        The way to the model; it scores 512 coalitions of each of three short texts.
    texts : sequence of str or pair of str
        Texts of the kind that the model is made for.
    explainers : sequence of Explainer
        The methods, with the options that they are to be judged with.
    masker : {"mask_token", "delete"}, Masker or None
        As for `explain.attribute`.
    seed : int
        Seed of the texts, of what is planted, and of the methods.

    Raises
    ------
    DataError
        If no text has three words.
    PredictionError
        If the model fails.
    """
    # A stream for each, so that what one method is asked does not depend on the others.
    rng, by_itself, on_model, vectors = np.random.default_rng([seed, *b"known values"]).spawn(4)
    setting = AttributionSettings.of(engine.classifier, unit="word", masker=masker, seed=seed)
    alone = prose(texts, N_ALONE, SHORTEST, LONGEST, rng)
    on_top = prose(texts, N_ON_TOP, ON_TOP, ON_TOP, rng)

    @cache
    def planted() -> tuple[_Planted, _Planted]:
        own = _EnumeratedGames.of(engine, on_top, setting)
        return (
            _Planted(engine, None, _draw_texts(alone, 3, 1.0, by_itself)),
            _Planted(engine, own, _draw_texts(on_top, 2, own.scale, on_model)),
        )

    def measure(explainer: Explainer) -> KnownValues:
        try:
            if isinstance(explainer, GradientExplainer):
                model = with_gradients(engine.classifier)
                known = KnownVectors(model, alone, deepcopy(vectors))
                return KnownValues(
                    explainer.name, _measure(known, alone, explainer, setting, engine)
                )
            limit_of(explainer, SHORTEST)
            first, second = planted()
            return KnownValues(
                explainer.name,
                _measure(first, alone, explainer, setting, engine),
                _measure(second, on_top, explainer, setting, engine),
            )
        except ExplainError as error:
            return KnownValues(explainer.name, reason=str(error))

    return [measure(explainer) for explainer in explainers]


def _measure(
    game: "_Planted | KnownVectors",
    texts: Sequence[Text],
    explainer: Explainer,
    setting: AttributionSettings,
    unplanted: Engine,
) -> Part:
    engine = Engine(game, inner_pulse=unplanted.pulse)
    questions = [
        sound(question) for question in make_requests(engine, texts, setting, [0] * len(texts))
    ]
    found = [outcome.unwrap() for outcome in attribute_batch(engine, questions, explainer, setting)]
    return _compare(found, [game.truth(attribution, explainer) for attribution in found])


_Numbered: TypeAlias = tuple[int, tuple[str, ...], float]
"""A group of words, in the order in which they were drawn, and what the game pays for it."""


class _Planted:
    """A model whose score of one label is what was planted, alone or on top of its own."""

    def __init__(
        self,
        engine: Engine,
        enumerated_games: "_EnumeratedGames | None",
        payments: Mapping[tuple[str, ...], float],
    ) -> None:
        model = engine.classifier
        tokenized = model if isinstance(model, TokenizedClassifier) else None
        self.name = f"{model.name} with planted values"
        self.labels = model.labels
        self.mask_token = None if tokenized is None else tokenized.mask_token
        self.special_tokens = () if tokenized is None else tokenized.special_tokens
        self._engine = engine
        self._enumerated_games = enumerated_games
        self._payments = payments
        self._groups_from: dict[str, list[tuple[_Numbered, frozenset[str]]]] = {}
        for number, (group, payment) in enumerate(payments.items()):
            entry = (number, group, payment), frozenset(group)
            self._groups_from.setdefault(group[0], []).append(entry)

    @property
    def task(self) -> Task:
        return self._engine.classifier.task

    def predict(self, texts: Sequence[Text]) -> Scores:
        scores = (
            np.zeros((len(texts), len(self.labels)))
            if self._enumerated_games is None
            else scores_of(self._engine, texts)
        )
        scores[:, 0] += [self._planted(text) for text in texts]
        return scores

    def tokens(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        return [words(parts_of(text)) for text in texts]

    def unread(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        return [()] * len(texts)

    def truth(self, attribution: Attribution, explainer: Explainer) -> FloatArray:
        """Return the values that a method should give, shape (n_features,)."""
        n = len(attribution.spans)
        places: dict[str, list[int]] = {}
        for number, feature in enumerate(attribution.features):
            places.setdefault(feature.lower(), []).append(number)
        games = [
            (members, payment)
            for group, payment in self._payments.items()
            for members in product(*(places.get(word, ()) for word in group))
        ]
        if self._enumerated_games is not None:
            games += self._enumerated_games.games[text_of(attribution.parts)]
        return truth(games, n, limit_of(explainer, n))

    def _planted(self, text: Text) -> float:
        """Return the planted score: each word counts as often as it stands there."""
        parts = parts_of(text)
        if self.mask_token is not None:
            parts = tuple(part.replace(self.mask_token, " ") for part in parts)
        counts = Counter(word.lower() for word in read(parts))
        # Of all groups only those that begin with a word of the text, added up as they were drawn.
        groups = sorted(
            entry
            for word in counts
            for entry, members in self._groups_from.get(word, ())
            if counts.keys() >= members
        )
        score = 0.0
        for _, group, payment in groups:
            score += payment * prod(counts[word] for word in group)
        return score


@dataclass(frozen=True, slots=True)
class _EnumeratedGames:
    """Some short texts of which the model has scored every coalition.

    Attributes
    ----------
    games : dict of text to list of Payment
        The game of each text as unanimity games.
    scale : float
        Size of a weight that matters as much as a word does to the model.
    """

    games: dict[Text, list[Payment]]
    scale: float

    @classmethod
    def of(
        cls, engine: Engine, texts: Sequence[Text], setting: AttributionSettings
    ) -> "_EnumeratedGames":
        games, spreads = {}, []
        for text in texts:
            (question,) = (sound(q) for q in make_requests(engine, [text], setting, [0]))
            n = len(question.segmentation)
            masked = [setting.masker(question.segmentation, kept) for kept in all_coalitions(n)]
            values = target_values(scores_of(engine, masked), question.target)
            # Of weights w the standard deviation over all coalitions is |w| / 2.
            spreads.append(2 * float(values.std()) / np.sqrt(n))
            games[text] = unanimity_games(values, n)
        return cls(games, float(np.mean(spreads)) or 1.0)


def _draw_texts(
    texts: Sequence[Text], largest: int, scale: float, rng: np.random.Generator
) -> dict[tuple[str, ...], float]:
    """Return weights on every word, of unlike sizes, and joint effects of two words or more.

    Words count by their lower-cased form; marks weigh nothing.
    """
    payments: dict[tuple[str, ...], float] = {}

    def plant(group: tuple[str, ...], unlike: float) -> None:
        size = scale * np.exp(rng.normal(-(unlike**2), unlike))
        payments.setdefault(group, float(rng.choice([-1, 1]) * size))

    for text in texts:
        known = [word.lower() for word in read(parts_of(text)) if WORD.search(word)]
        known = list(dict.fromkeys(known))
        for word in known:
            plant((word,), 1.0)
        for size in range(2, largest + 1):
            for _ in range(int(JOINT * len(known)) if len(known) >= size else 0):
                plant(tuple(sorted(rng.choice(known, size, replace=False).tolist())), 0.5)
    return payments


def _compare(attributions: Sequence[Attribution], true_values: Sequence[FloatArray]) -> Part:
    right, covered, text, lengths = [], [], [], []
    for number, (attribution, expected) in enumerate(zip(attributions, true_values, strict=True)):
        largest = float(np.abs(expected).max(initial=0.0))
        off = np.abs(np.array(attribution.values) - expected) - ROUNDING * largest
        errors = attribution.standard_errors
        beyond = off - Z90 * np.array(errors or 0.0)
        right.append(bool((beyond <= MOST_OFF * largest).all()))
        if errors is not None:
            covered += (beyond <= 0).tolist()
            text += [number] * len(off)
        length = float(np.linalg.norm(expected))
        lengths.append(float(np.linalg.norm(np.maximum(off, 0))) / length if length else 0.0)
    return Part(
        np.array(right, dtype=bool),
        np.array(covered, dtype=bool),
        np.array(text, dtype=np.int64),
        np.array(lengths),
    )
