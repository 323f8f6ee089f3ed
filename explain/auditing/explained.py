"""What the methods make of the chosen instances, and how far that can be trusted."""

from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol, TypeAlias, runtime_checkable

from explain.adapters import TextClassifier
from explain.adapters.decision_rule import DecisionRule
from explain.adapters.failures import INTERRUPTS, first_line
from explain.attribution import AttributionSettings, attribute_batch
from explain.attribution.counterfactuals import Question, counterfactual_batch
from explain.attribution.methods import Explainer
from explain.auditing.rows import skipped_row
from explain.auditing.run_log import RunLog
from explain.checks.base.guarded import with_losses
from explain.data.dataset import Dataset, Row
from explain.engine import Engine, Outcome
from explain.engine.games import AttributionRequest
from explain.engine.liveness import Watch
from explain.errors import CapabilityError, EndpointError, ExplainError, PredictionError
from explain.evaluation.assessment import Assessment
from explain.evaluation.reliability_section import TITLE
from explain.record import Attribution, Counterfactual, Section, Sentence, Skipped
from explain.text.spans import Text, text_of

__all__ = [
    "Restarts",
    "assessed_or_not",
    "explain_chosen",
    "find_counterfactuals",
    "repeats_section",
]


FELL_INTO = "the model changed while this was explained, and it could not be explained again"

MIXED_AGAIN = "the model changed once more"

MOST_EVALUATIONS = 128
"""Evaluations of a text in the search for counterfactuals, beside those of the attributions."""


_Key: TypeAlias = tuple[str, str, int]
"""Id of a row, name of a method, column of the label."""


@runtime_checkable
class ChangingClassifier(TextClassifier, Protocol):
    """A classifier that may change while it is asked, and knows which of its texts that parts."""

    @property
    def end_error(self) -> EndpointError | None:
        """Why nothing more is asked; None while it is."""

    def test_for_change(self) -> None:
        """Find out now whether it has changed."""

    def versions(self, texts: Sequence[Text]) -> Sequence[tuple[str | None, int] | None]:
        """Return the model of each answer and how many changes came before; None if not known."""

    def restart(self) -> None:
        """Ask for every text anew from now on."""


@dataclass(frozen=True)
class Restarts:
    """What became of explanations that a change of the model fell into.

    Attributes
    ----------
    n_again : int
        How many were made again with answers of the model after the change.
    n_lost : int
        How many could not be, and are left out.
    """

    n_again: int = 0
    n_lost: int = 0


@dataclass
class _Explanations:
    """What the methods made of the chosen instances."""

    attributions: dict[str, list[Attribution]]
    skipped: dict[Skipped, None]
    """In order, each once though several labels of a text may fail for one reason."""
    unable: list[Section]
    counterfactuals: dict[str, list[Counterfactual]] = field(default_factory=dict)
    texts: dict[_Key, frozenset[Text]] = field(default_factory=dict)
    """The texts that were scored for each attribution."""
    restarts: Restarts = field(default_factory=Restarts)

    def replace(self, row: Row, old: Attribution, new: Attribution | None) -> None:
        """Put another attribution in the place of one, or none."""
        attributions = self.attributions[row.id]
        place = next(i for i, each in enumerate(attributions) if each is old)
        attributions[place : place + 1] = [] if new is None else [new]


def explain_chosen(
    engine: Engine,
    requests: Sequence[tuple[Row, AttributionRequest]],
    explainers: Sequence[Explainer],
    setting: AttributionSettings,
    timer: "RunLog",
) -> _Explanations:
    """Return what each method makes of the chosen rows, and why some can make nothing."""
    explained = _Explanations({row.id: [] for row, _ in requests}, {}, [])
    questions = [question for _, question in requests]
    for explainer in explainers:
        try:
            outcomes = timer.timed(
                explainer.name, partial(attribute_batch, engine, questions, explainer, setting)
            )
        except CapabilityError as error:
            explained.unable.append(_unable(explainer, str(error)))
            continue
        except (ExplainError, *INTERRUPTS):
            raise
        except BaseException as error:
            timer.failed(explainer.name, error)
            reason = Sentence("the method failed with {error}", error=first_line(error))
            explained.unable.append(_unable(explainer, reason))
            continue
        for (row, _), outcome in zip(requests, outcomes, strict=True):
            if isinstance(outcome.value, ExplainError):
                explained.skipped[skipped_row(row, explainer.name, outcome.value)] = None
            else:
                attribution = outcome.value
                explained.attributions[row.id].append(attribution)
                explained.texts[_key(row, attribution)] = outcome.texts
    _explain_again(engine, requests, explainers, explained, setting, timer)
    return explained


def _key(row: Row, attribution: Attribution) -> _Key:
    return row.id, attribution.method, attribution.target.index


def _explain_again(
    engine: Engine,
    requests: Sequence[tuple[Row, AttributionRequest]],
    explainers: Sequence[Explainer],
    explanations: _Explanations,
    setting: AttributionSettings,
    timer: RunLog,
) -> None:
    """Make once more, of the model after it, what a change of the model fell into.

    An explanation that has answers of two models explains neither. It is made again once; if the
    model changes again, or is asked no more, it is left out and counted.
    """
    model = engine.classifier
    if not isinstance(model, ChangingClassifier) or not explanations.texts:
        return
    model.test_for_change()
    mixed = {key for key, texts in explanations.texts.items() if _is_mixed(model, texts)}
    if not mixed:
        return
    if model.end_error is None:
        model.restart()
        engine.forget()
    n_again = 0
    for explainer in explainers:
        chosen = [*_mixed_by(explainer, requests, explanations, mixed)]
        if not chosen:
            continue
        work = partial(
            _attributions_again, engine, [request for _, request, _ in chosen], explainer, setting
        )
        name = f"{explainer.name} after a change"
        try:
            outcomes = timer.timed(name, work)
        except (ExplainError, *INTERRUPTS):
            raise
        except BaseException as error:
            timer.failed(name, error)
            outcomes = [Outcome(PredictionError(first_line(error)), 0)] * len(chosen)
        for (row, _, old), outcome in zip(chosen, outcomes, strict=True):
            new = outcome.value
            if not isinstance(new, ExplainError) and _is_mixed(model, outcome.texts):
                new = PredictionError(MIXED_AGAIN)
            if isinstance(new, ExplainError):
                explanations.replace(row, old, None)
                reason = PredictionError(f"{FELL_INTO}: {new}")
                explanations.skipped[skipped_row(row, explainer.name, reason)] = None
            else:
                explanations.replace(row, old, new)
                n_again += 1
    explanations.restarts = Restarts(n_again, len(mixed) - n_again)


def _mixed_by(
    explainer: Explainer,
    requests: Sequence[tuple[Row, AttributionRequest]],
    explanations: _Explanations,
    mixed: Set[_Key],
) -> Iterator[tuple[Row, AttributionRequest, Attribution]]:
    """Yield the explanations of a method that a change fell into."""
    for row, request in requests:
        for old in [*explanations.attributions[row.id]]:
            is_of_request = (old.method, old.target.index) == (explainer.name, request.target.index)
            if is_of_request and _key(row, old) in mixed:
                yield row, request, old


def _attributions_again(
    engine: Engine,
    requests: Sequence[AttributionRequest],
    explainer: Explainer,
    setting: AttributionSettings,
) -> list[Outcome[Attribution]]:
    """Explain the same labels of texts by answers that are all new."""
    model = engine.classifier
    if isinstance(model, ChangingClassifier) and model.end_error is not None:
        return [Outcome(PredictionError(str(model.end_error)), 0) for _ in requests]
    rows = engine.score([text_of(request.segmentation.parts) for request in requests])
    answered = [
        replace(request, scores=scores)
        for request, scores in zip(requests, rows, strict=True)
        if not isinstance(scores, PredictionError)
    ]
    made = iter(attribute_batch(engine, answered, explainer, setting) if answered else ())
    return [
        Outcome(scores, 1) if isinstance(scores, PredictionError) else next(made) for scores in rows
    ]


def _is_mixed(model: ChangingClassifier, texts: Set[Text]) -> bool:
    """Tell whether texts were answered by two models, or may have been."""
    names: set[str] = set()
    parts: set[int] = set()
    for version in model.versions([*texts]):
        if version is None:
            return True
        name, part = version
        parts.add(part)
        if name is not None:  # What was refused names no model, and is no other one for that.
            names.add(name)
    return len(names) > 1 or len(parts) > 1


def find_counterfactuals(
    engine: Engine,
    requests: Sequence[tuple[Row, AttributionRequest]],
    explanations: _Explanations,
    setting: AttributionSettings,
    rule: DecisionRule,
    *,
    budget: int | None,
    timer: RunLog,
) -> None:
    """Add what would have changed the answers that were explained, or why that is not known."""
    asked = [
        (row, Question(request, attribution))
        for row, request in requests
        if (attribution := _guide(explanations.attributions[row.id], request)) is not None
    ]
    if rule.task == "regression" or not asked:
        return
    most = MOST_EVALUATIONS if budget is None else min(budget, MOST_EVALUATIONS)
    questions = [question for _, question in asked]
    work = partial(counterfactual_batch, engine, questions, setting, rule, most)
    try:
        outcomes = timer.timed("counterfactuals", work)
    except (ExplainError, *INTERRUPTS):
        raise
    except BaseException as error:
        timer.failed("counterfactuals", error)
        reason = Sentence("the search failed with {error}", error=first_line(error))
        section = Section.not_measured("counterfactuals", "Counterfactuals", reason)
        explanations.unable.append(section)
        return
    for (row, _), outcome in zip(asked, outcomes, strict=True):
        if isinstance(outcome.value, ExplainError):
            explanations.skipped[skipped_row(row, "counterfactual", outcome.value)] = None
        else:
            explanations.counterfactuals.setdefault(row.id, []).append(outcome.value)


def _guide(attributions: Sequence[Attribution], request: AttributionRequest) -> Attribution | None:
    """Return the attribution that says which words to try first; None if nothing was explained.

    Random values explain nothing.
    """
    index = request.target.index
    of_label = [a for a in attributions if a.target.index == index and not a.is_null]
    return min(of_label, key=lambda attribution: not attribution.signed, default=None)


def repeats_section(watch: Watch, dataset: Dataset) -> tuple[Section, ...]:
    """Return what was lost when texts were asked for again; no section if nothing was."""
    section = Section(
        id="repeats",
        title="Asking the model again",
        summary="Before anything was explained, a few texts were asked for again.",
    )
    counted = with_losses(section, watch, dataset, "this step")
    return () if counted == section else (counted,)


def assessed_or_not(
    work: Callable[[], Assessment],
    explanations: "_Explanations",
    dataset: Dataset,
    engine: Engine,
    timer: "RunLog",
) -> Assessment:
    """Return how far explanations can be trusted, without grades where that cannot be told."""
    with engine.watch() as watch:
        try:
            assessed = work()
        except INTERRUPTS:
            raise
        except BaseException as error:
            timer.failed("trust", error)
            reason = Sentence("the grading failed with {error}", error=first_line(error))
            section = Section.not_measured("trust", TITLE, reason)
            assessed = Assessment(explanations.attributions, (), {}, section, 0)
    section = with_losses(assessed.section, watch, dataset, "the grading")
    if section.skipped is not None:
        return Assessment(explanations.attributions, (), {}, section, assessed.evaluations)
    return replace(assessed, section=section)


def _unable(explainer: Explainer, reason: str) -> Section:
    title = Sentence("Explanations by {method}", method=explainer.name)
    return Section.not_measured(f"method-{explainer.name}", title, reason)
