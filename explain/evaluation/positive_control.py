"""The positive control: does a method find a rule that was planted into this very model.

The idea is that of Bastings et al. 2022 (doi:10.18653/v1/2022.emnlp-main.64), who train models on
data with a shortcut. Here nothing is trained: the model is wrapped, and where the rule holds for a
text, a large bonus is added to the score of one label.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from explain.adapters import TextClassifier
from explain.adapters.failures import first_line
from explain.attribution import AttributionSettings, attribute_batch, make_requests
from explain.attribution.methods import Explainer
from explain.engine import Engine
from explain.engine.games import AttributionRequest, Masker
from explain.engine.liveness import Pulse
from explain.errors import CapabilityError, ExplainError
from explain.evaluation.planted_rules import Kind, Rule, plant, sound
from explain.evaluation.rule_words import (
    candidates,
    choose_words,
    label_and_bonus,
    short_texts,
    with_words,
)
from explain.record import Attribution
from explain.text.spans import Text

__all__ = [
    "FIRST_LOOK",
    "KINDS",
    "LEAST_RECALL",
    "PositiveControl",
    "Recall",
    "is_found",
    "positive_control",
]

KINDS: Final[tuple[Kind, ...]] = ("token", "context", "order")

LEAST_RECALL = 0.95
"""Share of the planted rules that a method is to find."""

N_TEXTS, FIRST_LOOK = 20, 12
"""Texts, and those after which nothing more is asked of a method that found the rule in each.

Twelve of twelve pass as 19 of 20 do. With both looks a method that finds .75 of all rules passes
with probability .75^12 + 12 (.25) .75^19 = .044.
"""


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
    setting = AttributionSettings.of(model, unit="word", masker=masker, seed=seed)
    short = short_texts(texts, rng)
    chosen, rest = short[:n_texts], short[n_texts:]
    label, bonus = label_and_bonus(engine, chosen, setting)
    pair = choose_words(engine, chosen, candidates(chosen, rest), label, rng)
    planted = [with_words(text, pair, rng) for text in chosen]
    rules: list[Rule] = []
    recalls: list[Recall] = []
    gradients = 0
    for kind in kinds:
        rule = Rule(kind, pair[:1] if kind == "token" else pair, label, bonus)
        control = Engine(plant(engine, rule, planted), inner_pulse=engine.pulse)
        questions = [
            sound(q) for q in make_requests(control, planted, setting, [label] * len(planted))
        ]
        recalls += [_recall(control, questions, rule, e, setting) for e in explainers]
        gradients += control.gradients
        rules.append(rule)
    return PositiveControl(tuple(rules), tuple(recalls), engine.evaluations + gradients)


def is_found(attribution: Attribution, rule: Rule) -> bool:
    """Tell whether a word of the rule has a larger absolute value than all other features."""
    in_rule, elsewhere = [0.0], [0.0]
    for feature, value in zip(attribution.features, attribution.values, strict=True):
        (in_rule if feature in rule.words else elsewhere).append(abs(value))
    return max(in_rule) > max(elsewhere)


def _recall(
    engine: Engine,
    questions: Sequence[AttributionRequest],
    rule: Rule,
    explainer: Explainer,
    setting: AttributionSettings,
) -> Recall:
    """Return how often a method finds a rule, in two looks; where it fails is left out."""
    values: list[Attribution | ExplainError] = []
    for look in (questions[:FIRST_LOOK], questions[FIRST_LOOK:]):
        try:
            values += [one.value for one in attribute_batch(engine, look, explainer, setting)]
        except CapabilityError as error:
            lost = getattr(engine.classifier, "without_gradients", None)
            return Recall(explainer.name, rule.kind, 0, 0, lost or str(error))
        hits = sum(isinstance(value, Attribution) and is_found(value, rule) for value in values)
        if hits == len(values):
            break
    failures = [value for value in values if isinstance(value, ExplainError)]
    if failures and len(failures) == len(values):
        return Recall(explainer.name, rule.kind, 0, 0, first_line(failures[0]))
    return Recall(explainer.name, rule.kind, hits, len(values) - len(failures))
