"""The positive control: does a method find a rule that was planted into this very model.

The idea is that of Bastings et al. 2022 (doi:10.18653/v1/2022.emnlp-main.64), who train models on
data with a shortcut. Here nothing is trained: the model is wrapped, and where the rule holds for a
text, a large bonus is added to the score of one label.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias, TypeVar, runtime_checkable

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
from explain.adapters.base import Contributions, first_line
from explain.attribution import Setting, added_tokens, answer, ask
from explain.attribution.methods import Explainer
from explain.attribution.methods.base import overlap
from explain.attribution.methods.gradients import hooked
from explain.engine import Engine
from explain.engine.games import Masker, Question, make_target, target_values
from explain.engine.pulse import Pulse
from explain.errors import CapabilityError, DataError, ExplainError
from explain.evaluation.prose import READ
from explain.record import Attribution, Task
from explain.text.editing import inserted
from explain.text.spans import Segmentation, Span, Text, parts_of, text_of, words

if TYPE_CHECKING:
    import torch

__all__ = [
    "FIRST_LOOK",
    "KINDS",
    "LEAST_RECALL",
    "Kind",
    "PositiveControl",
    "Recall",
    "Rule",
    "found",
    "plant",
    "positive_control",
    "scored",
    "sound",
]

T = TypeVar("T")

Kind: TypeAlias = Literal["token", "context", "order"]
"""What must be in a text: one word; two words; two words, one before the other."""

KINDS: Final[tuple[Kind, ...]] = ("token", "context", "order")

LEAST_RECALL = 0.95
"""Share of the planted rules that a method is to find."""

N_TEXTS, FIRST_LOOK = 20, 12
"""Texts, and those after which nothing more is asked of a method that found the rule in each.

Twelve of twelve pass as 19 of 20 do. With both looks a method that finds .75 of all rules passes
with probability .75^12 + 12 (.25) .75^19 = .044.
"""

LONGEST = 10
"""Words of a text of the control; longer ones are cut, so that it stays cheap."""

SHORTEST = 3
SAMPLED = 200
"""Texts of the table that texts and words are drawn from."""

TRIED = 200
CANDIDATES = 24
PROBES = 4
"""Words that are looked at, that are scored, and texts that each is scored in."""

RIDGE = 1e-3
"""Ridge of the direction that tells a token from others, relative to their mean square."""

NEUTRAL = (
    "cello", "walnut", "zebra", "granite", "harbor", "pencil", "mosaic", "lantern", "copper",
    "violin", "meadow", "ladder", "pepper", "saddle", "turtle", "velvet", "marble", "basket",
    "canoe", "ribbon", "tunnel", "window", "garden", "island",
)  # fmt: skip
"""Tried where the table offers no rare word."""

_WORD = regex.compile(r"\p{L}{3,}")


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
        places = [list(_places(word, text)) for word in self.words]
        if not all(places):
            return False
        return self.kind != "order" or min(places[0]) < max(places[1])


@dataclass(frozen=True, slots=True)
class Recall:
    """How often a method gave a word of the rule the largest absolute value of all features.

    Attributes
    ----------
    method : str
        The method.
    kind : {"token", "context", "order"}
        The kind of rule.
    hits, n : int
        Texts in which the rule was found, and all texts; one that the method could not explain is
        no hit. No text where nothing was measured.
    reason : str or None
        Why nothing was measured.
    """

    method: str
    kind: Kind
    hits: int
    n: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class PositiveControl:
    """The rules that were planted, and who found them.

    Attributes
    ----------
    rules : tuple of Rule
        One of each kind.
    recalls : tuple of Recall
        One of each method and kind.
    evaluations : int
        Distinct texts scored for all of it, and gradients taken.
    """

    rules: tuple[Rule, ...]
    recalls: tuple[Recall, ...]
    evaluations: int


def positive_control(
    model: TextClassifier,
    texts: Sequence[Text],
    explainers: Sequence[Explainer],
    *,
    masker: str | Masker | None = None,
    n_texts: int = N_TEXTS,
    kinds: Sequence[Kind] = KINDS,
    seed: int = 0,
    pulse: Pulse | None = None,
) -> PositiveControl:
    """Return how often each method finds a planted rule of each kind.

    The words of the rules are rare words of the table (or, failing those, everyday English nouns)
    that a model with a tokenizer reads as one token: of 24, the two whose insertion moves the
    scores least. The label is the one with the lowest mean score, so the bonus must overcome the
    model; the column of a regression. The bonus is twice the range of that label's value over the
    texts as they are and with all words removed. The words are put between words of texts that lack
    them, at random places, and the explained target is the label of the rule.

    Both words stand in every text, also where the rule asks for one, and all kinds share the scores
    of the model without a rule. So the cost is little more than that of explaining ``n_texts``
    texts of at most 12 words; gradients are taken anew for each kind. The choice of the words
    takes some 150 evaluations.

    Parameters
    ----------
    model : TextClassifier
        The model.
    texts : sequence of str or pair of str
        Texts of the kind that it is made for, at least some with three words.
    explainers : sequence of Explainer
        The methods, with the options that they are to be judged with.
    masker : {"mask_token", "delete"}, Masker or None
        As for `explain.attribute`.
    n_texts : int
        Texts for each kind; fewer if the table has fewer, or the method finds the rule in all of
        the first twelve.
    kinds : sequence of {"token", "context", "order"}
        The kinds of rules.
    seed : int
        Seed of the choice of texts and places, and of the methods.
    pulse : Pulse, optional
        That of an engine of the model: one that was given up is not asked.

    Raises
    ------
    DataError
        If no text has three words, or no two words can be planted.
    PredictionError
        If the model fails.
    """
    rng = np.random.default_rng(seed)
    engine = Engine(model, pulse=pulse)
    setting = Setting.of(model, unit="word", masker=masker, seed=seed)
    short = _short_texts(texts, rng)
    chosen, rest = short[:n_texts], short[n_texts:]
    label, bonus = _label_and_bonus(engine, chosen, setting)
    pair = _choose_words(engine, chosen, _candidates(chosen, rest), label, rng)
    planted = [_with_words(text, pair, rng) for text in chosen]
    rules: list[Rule] = []
    recalls: list[Recall] = []
    gradients = 0
    for kind in kinds:
        rule = Rule(kind, pair[:1] if kind == "token" else pair, label, bonus)
        control = Engine(plant(engine, rule, planted), beneath=engine.pulse)
        questions = [sound(q) for q in ask(control, planted, setting, [label] * len(planted))]
        recalls += [_recall(control, questions, rule, e, setting) for e in explainers]
        gradients += control.gradients
        rules.append(rule)
    return PositiveControl(tuple(rules), tuple(recalls), engine.evaluations + gradients)


def found(attribution: Attribution, rule: Rule) -> bool:
    """Tell whether a word of the rule has a larger absolute value than all other features."""
    own, others = [0.0], [0.0]
    for feature, value in zip(attribution.features, attribution.values, strict=True):
        (own if feature in rule.words else others).append(abs(value))
    return max(own) > max(others)


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
        scores = scored(self._engine, texts)
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
        places = list(_places(self._rule.words[0], text))
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
        with hooked(self.embeddings[:1], keep):
            scores = self._differentiable.differentiable_scores(inputs)
        bonus = self._rule.bonus * self._strength([match(seen[0]) for match in self._matches])
        column = torch.zeros_like(scores[0])
        column[self._rule.label] = 1
        return scores + bonus.to(scores.dtype)[:, None] * column

    def _strength(self, matches: "Sequence[torch.Tensor]") -> "torch.Tensor":
        """Return how far the rule holds of each text, from the matches of its words."""
        if self._rule.kind != "order":
            strength = _any(matches[0])
            for match in matches[1:]:
                strength = strength * _any(match)
            return strength
        first, second = matches
        in_order = (first[:, :, None] * second[:, None, :]).triu(diagonal=1)
        return _any(in_order.flatten(start_dim=1))


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


def _any(matches: "torch.Tensor") -> "torch.Tensor":
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
        for place in _places(word, text):
            touched = [i for i, s in enumerate(spans) if s is not None and overlap(s, place)]
            if len(touched) != 1:
                raise CapabilityError(f"{model.name} reads {word!r} as {len(touched)} tokens")
            own.add(row[touched[0]])
    if len(own) != 1:
        raise CapabilityError(f"{model.name} reads {word!r} as {len(own)} different tokens")
    return own.pop(), {number for row in rows for number in row}


def _places(word: str, text: Text) -> Iterator[Span]:
    """Yield where a whole word stands."""
    pattern = regex.compile(rf"(?<!\w){regex.escape(word)}(?!\w)")
    for number, part in enumerate(parts_of(text)):
        for match in pattern.finditer(part):
            yield Span(number, match.start(), match.end())


def _short_texts(texts: Sequence[Text], rng: np.random.Generator) -> list[Text]:
    """Return texts of the table in random order, each once and cut to few words."""
    order = rng.permutation(len(texts))[:SAMPLED]
    cut = dict.fromkeys(_cut(texts[i]) for i in order)
    usable = [text for text in cut if list(_gaps(text))]
    if not usable:
        raise DataError(
            f"none of {len(texts)} texts has {SHORTEST} words or more to plant a rule between; "
            "pass longer texts"
        )
    return usable


def _cut(text: Text) -> Text:
    """Return the first words of each part, of what is read of it."""
    parts = parts_of(text)
    most = LONGEST // len(parts)
    return text_of([_first_words(part, most) for part in parts])


def _first_words(part: str, most: int) -> str:
    beginning = part[:READ]
    spans = words([beginning])
    if len(part) > READ:  # the last word may be cut
        spans = spans[:-1]
    return beginning[spans[0].start : spans[:most][-1].end] if spans else beginning


def _gaps(text: Text) -> Iterator[Span]:
    """Yield the beginnings of words, but the first, after a space where there are such."""
    for number, part in enumerate(parts_of(text)):
        spans = words([part])
        if len(spans) >= SHORTEST:
            starts = [span.start for span in spans[1:]]
            spaced = [start for start in starts if part[start - 1] == " "]
            yield from (Span(number, start, start) for start in spaced or starts)


def _with_words(text: Text, planted: Sequence[str], rng: np.random.Generator) -> Text:
    """Return the text with words between its own, at random places of one part, in that order."""
    gaps = list(_gaps(text))
    part = gaps[rng.integers(len(gaps))].part
    own = [gap.start for gap in gaps if gap.part == part]
    parts = list(parts_of(text))
    body = parts[part]
    places = sorted((own[i] for i in rng.integers(len(own), size=len(planted))), reverse=True)
    for start, word in zip(places, reversed(planted), strict=True):
        body = inserted(body, start, word)
    parts[part] = body
    return text_of(parts)


def _label_and_bonus(engine: Engine, texts: Sequence[Text], setting: Setting) -> tuple[int, float]:
    """Return the column with the lowest mean score, and twice the range of its value."""
    games = []
    for text in texts:
        segmentation = Segmentation(parts_of(text), words(parts_of(text)))
        games += [text, setting.masker(segmentation, np.zeros(len(segmentation), dtype=bool))]
    scores = scored(engine, games)
    label = int(scores[::2].mean(axis=0).argmin())
    values = target_values(scores, make_target(engine.classifier, scores[0], label))
    return label, 2 * float(np.ptp(values)) or 1.0


def _choose_words(
    engine: Engine,
    texts: Sequence[Text],
    candidates: Sequence[str],
    label: int,
    rng: np.random.Generator,
) -> tuple[str, str]:
    """Return the two candidates, each one token if possible, that move the scores least.

    Raises
    ------
    DataError
        If there are no two.
    """
    probes = texts[:PROBES]
    target = make_target(engine.classifier, np.zeros(len(engine.classifier.labels)), label)
    before = target_values(scored(engine, probes), target)
    moved: dict[str, float] = {}
    for is_fit in (_is_one_token, _is_feature):
        for word in candidates[:TRIED]:
            planted = [_with_words(text, [word], rng) for text in probes]
            if len(moved) < CANDIDATES and is_fit(engine.classifier, word, planted):
                after = target_values(scored(engine, planted), target)
                moved[word] = float(np.abs(after - before).mean())
        if len(moved) >= 2:
            break
    if len(moved) < 2:
        raise DataError(
            f"{engine.classifier.name} is given texts between whose words no two others can be "
            "put, so no rule can be planted; pass other texts"
        )
    first, second = sorted(moved, key=lambda word: (moved[word], word))[:2]
    return first, second


def _candidates(chosen: Sequence[Text], rest: Sequence[Text]) -> list[str]:
    """Return words that the chosen texts lack: of the rest, the rarest first, and everyday ones."""
    taken = "\n".join(part for text in chosen for part in parts_of(text)).casefold()
    counts: Counter[str] = Counter()
    for text in rest:
        counts.update({word for part in parts_of(text) for word in _WORD.findall(part)})
    rare = sorted(counts, key=lambda word: (counts[word], word))
    return [
        word
        for word in dict.fromkeys([*rare, *NEUTRAL])
        if word == word.lower() and word not in taken
    ]


def _is_one_token(model: TextClassifier, word: str, texts: Sequence[Text]) -> bool:
    """Tell whether a word is one feature of each text, and one token where tokens are known.

    Pipelines over n-grams have no tokens that stand in the text.
    """
    if not _is_feature(model, word, texts):
        return False
    if not isinstance(model, TokenizedClassifier):
        return True
    try:
        read = model.tokens(texts)
    except CapabilityError:
        return True
    return all(
        sum(overlap(token, place) > 0 for token in tokens for place in _places(word, text)) == 1
        for text, tokens in zip(texts, read, strict=True)
    )


def _is_feature(_: TextClassifier, word: str, texts: Sequence[Text]) -> bool:
    """Tell whether a word is one feature of each text."""
    return all(set(_places(word, text)) <= set(words(parts_of(text))) for text in texts)


def scored(engine: Engine, texts: Sequence[Text]) -> Scores:
    """Return the scores of texts, shape (n_texts, n_labels), or raise why there are none."""
    rows = engine.score(texts)
    return np.array([sound(row) for row in rows])


def sound(answered: T | ExplainError) -> T:
    """Return what was asked for, or raise why there is none."""
    if isinstance(answered, ExplainError):
        raise answered
    return answered


def _recall(
    engine: Engine,
    questions: Sequence[Question],
    rule: Rule,
    explainer: Explainer,
    setting: Setting,
) -> Recall:
    """Return how often a method finds a rule, in two looks; where it fails is left out."""
    values: list[Attribution | ExplainError] = []
    for look in (questions[:FIRST_LOOK], questions[FIRST_LOOK:]):
        try:
            values += [one.value for one in answer(engine, look, explainer, setting)]
        except CapabilityError as error:
            lost = getattr(engine.classifier, "without_gradients", None)
            return Recall(explainer.name, rule.kind, 0, 0, lost or str(error))
        hits = sum(isinstance(value, Attribution) and found(value, rule) for value in values)
        if hits == len(values):
            break
    failures = [value for value in values if isinstance(value, ExplainError)]
    if failures and len(failures) == len(values):
        return Recall(explainer.name, rule.kind, 0, 0, first_line(failures[0]))
    return Recall(explainer.name, rule.kind, hits, len(values) - len(failures))
