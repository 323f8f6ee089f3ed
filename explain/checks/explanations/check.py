"""All attributions together."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from math import inf
from typing import Annotated, ClassVar, Final

from pydantic import Field

from explain.attribution.methods import title_of
from explain.checks.base import AuditContext
from explain.checks.explanations.occluded import occlusion_table
from explain.checks.explanations.words import (
    FEWEST_DOCUMENTS,
    RANDOM,
    WeighedWord,
    weighed_words,
    word_figure,
    word_tables,
)
from explain.record import (
    Attribution,
    Cell,
    Measure,
    Section,
    Sentence,
    Table,
    Task,
    Unit,
    join_sentences,
)
from explain.statistics.intervals import count, mean

__all__ = ["ExplanationsCheck"]

EXPLAINED_SCALE: Final[dict[Task, str]] = {
    "single_label": "We explained {n} {n:prediction|predictions} with {methods:and}, each for its "
    "predicted label.",
    "multi_label": "We explained {n} {n:text|texts} with {methods:and}, each for its predicted "
    "labels (at most five; if none is predicted, for the most probable one).",
    "regression": "We explained {n} {n:prediction|predictions} with {methods:and}, each for its "
    "score.",
}
EXPLAINED_TARGET: Final = (
    "We explained {n} {n:text|texts} with {methods:and}, each for the label {label:quoted}, "
    "whether it is predicted or not."
)


@dataclass(frozen=True, slots=True)
class ExplanationsCheck:
    """The selection plan, the cost and errors of each method, and the words with most weight.

    Parameters
    ----------
    occlusions : int
        Most texts that are scored to see what words weigh in rows that were not explained; 0 for
        none.
    """

    id: ClassVar[str] = "explanations"
    title: ClassVar[str] = "Explanations"
    metrics: ClassVar[tuple[str, ...]] = ()

    occlusions: Annotated[int, Field(ge=0)] = 1_000

    def run(self, context: AuditContext) -> Section:
        """Return the summary of all attributions."""
        explained = [instance for instance in context.instances if instance.stratum is not None]
        by_method: dict[str, list[Attribution]] = defaultdict(list)
        instances: Counter[str] = Counter()
        for instance in explained:
            instances.update({attribution.method for attribution in instance.attributions})
            for attribution in instance.attributions:
                by_method[attribution.method].append(attribution)
        if not by_method:
            return Section(
                id=self.id,
                title=self.title,
                summary="No prediction was explained.",
                skipped="no instance was chosen"
                if not explained
                else "none of the requested methods could explain any of the chosen instances",
            )
        methods = list(by_method)
        unit: Unit = "coefficient" if context.model.task == "regression" else "log_odds"
        at_random = [instance for instance in explained if instance.stratum == RANDOM]
        words = weighed_words([i for i in at_random if i.attributions], unit)
        occluded = occlusion_table(context, methods[0], self.occlusions, unit)
        return Section(
            id=self.id,
            title=self.title,
            summary=join_sentences(
                Sentence(
                    EXPLAINED_SCALE[context.model.task]
                    if context.target is None
                    else EXPLAINED_TARGET,
                    n=len(explained),
                    methods=tuple(map(title_of, methods)),
                    label=context.target,
                ),
                "They were chosen by the plan below before any of them was explained.",
                _frequent_words(words, methods[0], len(at_random)),
            ),
            measures=tuple(_method_measures(by_method, instances, len(explained))),
            figures=word_figure(words, methods[0], len(at_random)),
            tables=(
                _plan(context),
                _methods(by_method),
                *word_tables(words, methods, len(at_random)),
                *([occluded] if occluded else []),
            ),
        )


def _frequent_words(words: list[WeighedWord], method: str, n_random: int) -> str:
    """Return of how many words it is known what they weigh over the whole table."""
    if not words:
        return Sentence(
            "We do not sum up words over the whole table. A word must occur in at least {fewest} "
            "of the instances drawn at random, and {n} {n:was|were} drawn. Explain more instances "
            "for that.",
            fewest=FEWEST_DOCUMENTS,
            n=n_random,
        )
    resolved = sum(word.is_resolved(method) for word in words)
    return Sentence(
        "{n} {n:word|words}, counted once for each target, {n:occurs|occur} in at least {fewest} "
        "of the {n_random} instances drawn at random. For {resolved} of these the 95 % interval of "
        "the mean value by {method} excludes zero.",
        fewest=FEWEST_DOCUMENTS,
        n_random=n_random,
        n=len(words),
        resolved=resolved,
        method=title_of(method),
    )


def _plan(context: AuditContext) -> Table:
    return Table(
        title="Selection plan",
        columns=("stratum", "rule", "rows to choose from", "chosen"),
        rows=tuple((s.name, s.rule, s.n_available, s.n_chosen) for s in context.plan.strata),
        note=Sentence(
            "Seed {seed:d}. Only the random stratum represents the whole table.", seed=context.seed
        ),
    )


def _method_measures(
    by_method: dict[str, list[Attribution]], instances: Counter[str], n: int
) -> list[Measure]:
    measures = []
    for method, attributions in by_method.items():
        explained = Sentence("{method}: instances explained", method=title_of(method))
        measures.append(count(explained, instances[method], n))
        if any(a.diagnostics.converged is not None for a in attributions):
            converged = sum(a.diagnostics.converged is True for a in attributions)
            name = Sentence("{method}: converged", method=title_of(method))
            measures.append(count(name, converged, len(attributions)))
    return measures


def _methods(by_method: dict[str, list[Attribution]]) -> Table:
    """Return cost and largest error of each method."""
    rows: list[tuple[Cell, ...]] = []
    for method, attributions in by_method.items():
        fits = [a.diagnostics.held_out_r2 for a in attributions]
        held_out = [r2 for r2 in fits if r2 is not None]
        rows.append(
            (
                title_of(method),
                attributions[0].removal,
                mean("evaluations per explanation", [a.evaluations for a in attributions], "count"),
                max(abs(a.completeness_gap) for a in attributions)
                if attributions[0].efficient
                else "not promised",
                sum(a.standard_errors is not None for a in attributions),
                mean("held-out R²", held_out, "coefficient", within=(-inf, 1))
                if held_out
                else None,
            )
        )
    return Table(
        title="Methods",
        columns=(
            "method",
            "removed features become",
            "evaluations per explanation",
            "largest completeness gap",
            "with standard errors",
            "held-out R²",
        ),
        rows=tuple(rows),
        note="Completeness gap: v(N) - v(empty), the score with all words minus that without any, "
        "less the sum of the values, in the unit of the target. Held-out R²: how well the linear "
        "model of LIME predicts the model on texts that it was not fitted to.",
    )
