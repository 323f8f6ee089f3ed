"""Counterfactuals of one text, or of many at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from explain.adapters import wrap
from explain.adapters.decision_rule import DecisionRule, thresholds_of
from explain.attribution.counterfactuals.game import DecisionGame
from explain.attribution.counterfactuals.plan import FoundSets, decisive_sets
from explain.attribution.counterfactuals.search import FoundSet
from explain.attribution.methods import MOST_WORDS, sentence_runs
from explain.attribution.methods.base import Budget
from explain.attribution.requests import AttributionSettings, TargetSpec, make_requests
from explain.engine import Engine, Outcome
from explain.engine.engine import Row
from explain.engine.games import AttributionRequest, Masker, make_target, target_values
from explain.engine.repeats import ask_again
from explain.errors import CapabilityError, ExplainError, PredictionError
from explain.record import Attribution, Counterfactual, DecisiveSet, Target
from explain.text.redaction import redacted_record
from explain.text.spans import Text, parts_of

__all__ = ["Question", "counterfactual", "counterfactual_batch"]

MOST_ENUMERATED = 12
"""Features of a text of which all sets are tried where that is needed, unless a budget is given."""

DEFAULT_BUDGET = 1024
"""Evaluations of a text of more features: all pairs of thirty words for both searches."""

MOST_REUSED = 256
"""Coalitions that were scored before of which each search looks at the smallest."""


Answer: TypeAlias = Row | PredictionError
"""Scores of a text, or why it has none."""


@dataclass(frozen=True, slots=True)
class Question:
    """A text, the label under question, and what is known of its features.

    Attributes
    ----------
    request : AttributionRequest
        The text and the label.
    attribution : Attribution, optional
        Of the same text and label: the search tries the features with the largest values first.
    """

    request: AttributionRequest
    attribution: Attribution | None = None


def counterfactual(
    model: object,
    text: Text,
    *,
    target: TargetSpec = None,
    unit: str = "word",
    masker: str | Masker | None = None,
    threshold: float | Mapping[str, float] | None = None,
    budget: Budget | None = None,
    seed: int = 0,
) -> Counterfactual:
    """Return the smallest set of features that changes the answer, and the smallest that keeps it.

    The sets of one feature, of two, and so on are all tried as long as the budget lasts. Beyond
    that sets of the features that weigh most are tried, and reduced until each feature of them is
    needed. The result says which of the two it is, and holds the two texts that the model was
    given, which were scored once more at the end.

    Parameters
    ----------
    model : TextClassifier, or anything that `explain.wrap` takes without labels
        The model.
    text : str, or pair of str
        The text.
    target, unit, masker
        As for `explain.attribute`. The answer is whether the target is given to the text. With
        ``auto`` a long text is searched by sentences first, then by the words of those found.
    threshold : float, or mapping of str to float, optional
        Probability from which on a label is given, as for `explain.audit`.
    budget : int or None
        Most evaluations, beside the text itself and the empty one. None for 1,024, and for all sets
        of a text of at most twelve features.
    seed : int
        Seed of which answers are asked for again, to see whether the model repeats itself.

    Raises
    ------
    AdapterError
        If the model cannot be used, is a regression, or fails on the text.
    BudgetError
        If the features are too many.
    ConfigurationError
        If a name or value is unknown.
    """
    engine = Engine(wrap(model))
    classifier = engine.classifier
    if classifier.task == "regression":
        raise CapabilityError(
            f"{classifier.name} gives a number and no answer that could be another one; "
            "counterfactuals need a model with labels"
        )
    settings = AttributionSettings.of(classifier, unit=unit, masker=masker, seed=seed)
    labels = tuple(classifier.labels)
    thresholds = thresholds_of(threshold, classifier.task, labels)
    rule = DecisionRule(classifier.task, {labels.index(k): p for k, p in thresholds.items()})
    request = make_requests(engine, [text], settings, [target])[0]
    if isinstance(request, ExplainError):
        raise request
    if target is None:
        answer = int(rule.answers(request.scores[None])[0])
        request = replace(request, target=make_target(classifier, request.scores, labels[answer]))
    ask_again(engine, [request], settings.masker, seed)
    n_features = len(request.segmentation)
    if budget is None:
        budget = 2 * 2**n_features if n_features <= MOST_ENUMERATED else DEFAULT_BUDGET
    outcome = counterfactual_batch(engine, [Question(request)], settings, rule, budget)[0]
    return redacted_record(outcome.unwrap())[0]


def counterfactual_batch(
    engine: Engine,
    questions: Sequence[Question],
    settings: AttributionSettings,
    rule: DecisionRule,
    budget: int,
) -> list[Outcome[Counterfactual]]:
    """Return the counterfactual of each question, or why there is none.

    What was scored before for the same text is looked at first, and does not count in the budget.
    """
    games = [
        DecisionGame(
            question.request.segmentation,
            settings.masker,
            engine.precision.with_decimals(question.request.target),
            rule,
        )
        for question in questions
    ]
    outcomes = engine.run(
        games,
        (
            decisive_sets(
                game.n_features,
                budget,
                known_coalitions=engine.scored_coalitions(game, MOST_REUSED),
                weights=_word_weights(question),
                runs=_runs(question.request, settings),
            )
            for game, question in zip(games, questions, strict=True)
        ),
    )
    records = _Records(engine, settings, rule, budget)
    return records.of(games, outcomes)


def _runs(request: AttributionRequest, settings: AttributionSettings) -> Sequence[range]:
    """Return the sentences that are tried first; none for a text that is tried word by word."""
    if settings.unit != "auto" or len(request.segmentation) <= MOST_WORDS:
        return ()
    return sentence_runs(request.segmentation)


def _word_weights(question: Question) -> NDArray[np.float64] | None:
    """Return the value of each feature; that of a sentence is shared by its words."""
    attribution = question.attribution
    if attribution is None or not attribution.signed:
        return None
    spans = question.request.segmentation.spans
    weights = np.zeros(len(spans))
    for span, value in zip(attribution.spans, attribution.values, strict=True):
        inside = [
            number
            for number, word in enumerate(spans)
            if word.part == span.part and span.start <= word.start < span.end
        ]
        weights[inside] = value / max(len(inside), 1)
    return weights


@dataclass(frozen=True, slots=True)
class _Records:
    """Makes records of what was found, and asks the model once more for what they state."""

    engine: Engine
    settings: AttributionSettings
    rule: DecisionRule
    budget: int

    def of(
        self, games: Sequence[DecisionGame], outcomes: Sequence[Outcome[FoundSets]]
    ) -> list[Outcome[Counterfactual]]:
        """Return the record of each game, or why there is none."""
        texts = dict.fromkeys(
            text
            for game, outcome in zip(games, outcomes, strict=True)
            if isinstance(outcome.value, FoundSets)
            for text in _found_texts(game, outcome.value)
            if text is not None
        )
        again = dict(zip(texts, self.engine.score_again(list(texts)), strict=True)) if texts else {}
        return [
            self._outcome(game, outcome, again)
            for game, outcome in zip(games, outcomes, strict=True)
        ]

    def _outcome(
        self, game: DecisionGame, outcome: Outcome[FoundSets], again: Mapping[Text, Answer]
    ) -> Outcome[Counterfactual]:
        try:
            record = self._record(game, outcome.unwrap(), outcome.evaluations, again)
        except ExplainError as error:
            return Outcome(error, outcome.evaluations)
        return Outcome(record, outcome.evaluations)

    def _record(
        self,
        game: DecisionGame,
        found_sets: FoundSets,
        evaluations: int,
        again: Mapping[Text, Answer],
    ) -> Counterfactual:
        segmentation = game.segmentation
        necessary, sufficient = (
            self._decisive_set(game, found_set, text, again)
            for found_set, text in zip(
                (found_sets.necessary, found_sets.sufficient),
                _found_texts(game, found_sets),
                strict=True,
            )
        )
        return Counterfactual(
            parts=segmentation.parts,
            spans=segmentation.spans,
            target=game.target,
            is_given=found_sets.is_given,
            parameters={"unit": self.settings.unit, "budget": self.budget},
            removal=self.settings.masker.name,
            necessary=necessary,
            sufficient=sufficient,
            evaluations=evaluations,
            reused=found_sets.n_reused,
            unread=segmentation.unread,
            repeats=self.engine.precision.repeats(game.target),
        )

    def _decisive_set(
        self,
        game: DecisionGame,
        found_set: FoundSet,
        text: Text | None,
        again: Mapping[Text, Answer],
    ) -> DecisiveSet:
        if text is None:
            return DecisiveSet(places=None, all_tried=found_set.all_tried)
        (row,) = self.engine.score([text])
        if isinstance(row, ExplainError):
            raise row
        is_given = bool(self.rule.holds(row[None])[0, game.target.index])
        answer = int(self.rule.answers(row[None])[0])
        stated = game.target.index if self.rule.task == "multi_label" else answer
        return DecisiveSet(
            places=found_set.members,
            all_tried=found_set.all_tried,
            irreducible=found_set.irreducible,
            n_equal=found_set.n_equal,
            parts=parts_of(text),
            is_given=is_given,
            predicted=self.engine.classifier.labels[answer],
            probability=self._probability(row, stated),
            is_confirmed=self._gives_again(again[text], game.target) == is_given,
        )

    def _gives_again(self, answer: Answer, target: Target) -> bool | None:
        """Return whether the target is given in another answer; None if the model failed."""
        if isinstance(answer, ExplainError):
            return None
        return bool(self.rule.holds(answer[None])[0, target.index])

    def _probability(self, row: Row, column: int) -> float:
        target = make_target(self.engine.classifier, row, self.engine.classifier.labels[column])
        return float(expit(target_values(row[None], target)[0]))


def _found_texts(game: DecisionGame, found_sets: FoundSets) -> list[Text | None]:
    """Return the text without what is necessary, and the one of what is sufficient alone."""
    texts: list[Text | None] = []
    for members, keeps in (
        (found_sets.necessary.members, False),
        (found_sets.sufficient.members, True),
    ):
        kept = np.full(game.n_features, not keeps)
        kept[list(members or ())] = keeps
        texts.append(None if members is None else game.texts(kept[None])[0])
    return texts
