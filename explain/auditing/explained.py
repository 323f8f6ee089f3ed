"""What the methods make of the chosen instances, and how far that can be trusted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from explain.adapters.decision_rule import DecisionRule
from explain.adapters.failures import INTERRUPTS, first_line
from explain.attribution import AttributionSettings, attribute_batch
from explain.attribution.counterfactuals import Question, counterfactual_batch
from explain.attribution.methods import Explainer
from explain.auditing.rows import skipped_row
from explain.auditing.run_log import RunLog
from explain.checks.base.guarded import with_losses
from explain.data.dataset import Dataset, Row
from explain.engine import Engine
from explain.engine.games import AttributionRequest
from explain.engine.liveness import Watch
from explain.errors import CapabilityError, ExplainError
from explain.evaluation.assessment import Assessment
from explain.evaluation.reliability_section import TITLE
from explain.record import Attribution, Counterfactual, Section, Sentence, Skipped

__all__ = ["assessed_or_not", "explain_chosen", "find_counterfactuals", "repeats_section"]


MOST_EVALUATIONS = 128
"""Evaluations of a text in the search for counterfactuals, beside those of the attributions."""


@dataclass
class _Explanations:
    """What the methods made of the chosen instances."""

    attributions: dict[str, list[Attribution]]
    skipped: dict[Skipped, None]
    """In order, each once though several labels of a text may fail for one reason."""
    unable: list[Section]
    counterfactuals: dict[str, list[Counterfactual]] = field(default_factory=dict)


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
                explained.attributions[row.id].append(outcome.value)
    return explained


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
    """Return the attribution that says which words to try first; None if nothing was explained."""
    of_label = [a for a in attributions if a.target.index == request.target.index]
    return min(of_label, key=lambda a: (a.is_null, not a.signed), default=None)


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
