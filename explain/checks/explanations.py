"""All attributions together."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from explain.checks.base import AuditContext
from explain.record import (
    Attribution,
    Cell,
    IntervalsFigure,
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

FEWEST_DOCUMENTS = 3
"""Instances that a word must occur in: below that an interval says nothing."""

MOST_WORDS = 25
MOST_DRAWN = 15


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
    """The selection plan, the cost and errors of each method, and the words with most weight."""

    id: ClassVar[str] = "explanations"
    title: ClassVar[str] = "Explanations"
    metrics: ClassVar[tuple[str, ...]] = ()

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
        first = next(iter(by_method))
        words = _words(by_method)
        unit: Unit = "coefficient" if context.model.task == "regression" else "log_odds"
        return Section(
            id=self.id,
            title=self.title,
            summary=join_sentences(
                Sentence(
                    EXPLAINED_SCALE[context.model.task]
                    if context.target is None
                    else EXPLAINED_TARGET,
                    n=len(explained),
                    methods=list(by_method),
                    label=context.target,
                ),
                "They were chosen by the plan below before any of them was explained.",
            ),
            measures=tuple(_method_measures(by_method, instances, len(explained))),
            figures=_figures(first, words, unit),
            tables=(_plan(context), _methods(by_method), _word_table(list(by_method), words, unit)),
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
        explained = Sentence("{method}: instances explained", method=method)
        measures.append(count(explained, instances[method], n))
        if any(a.diagnostics.converged is not None for a in attributions):
            converged = sum(a.diagnostics.converged is True for a in attributions)
            name = Sentence("{method}: converged", method=method)
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
                method,
                attributions[0].removal,
                mean("evaluations", [a.evaluations for a in attributions], "count"),
                max(abs(a.completeness_gap) for a in attributions)
                if attributions[0].efficient
                else "not promised",
                sum(a.standard_errors is not None for a in attributions),
                mean("held-out R²", held_out, "coefficient") if held_out else None,
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


def _words(
    by_method: dict[str, list[Attribution]],
) -> dict[tuple[str, str], dict[str, list[float]]]:
    """Return the value of each (word, target label) per method, one number per instance.

    A word that occurs several times in an instance counts with the sum of its values.
    """
    word_values: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for method, attributions in by_method.items():
        for attribution in attributions:
            totals: dict[str, float] = defaultdict(float)
            for feature, value in zip(attribution.features, attribution.values, strict=True):
                totals[feature.casefold()] += value
            for word, total in totals.items():
                word_values[word, attribution.target.label][method].append(total)
    frequent = {
        key: values
        for key, values in word_values.items()
        if max(map(len, values.values())) >= FEWEST_DOCUMENTS
    }
    first = next(iter(by_method))
    ranked = sorted(frequent, key=lambda key: (-abs(_mean(frequent[key][first])), key))
    return {key: frequent[key] for key in ranked}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _word_table(
    methods: Sequence[str], words: dict[tuple[str, str], dict[str, list[float]]], unit: Unit
) -> Table:
    shown = list(words.items())[:MOST_WORDS]
    return Table(
        title="Words with the largest values",
        columns=("word", "target", "instances", *methods),
        rows=tuple(
            (
                word,
                label,
                max(map(len, values.values())),
                *(
                    mean(
                        Sentence("{word} ({method})", word=word, method=method),
                        values[method],
                        unit,
                    )
                    for method in methods
                ),
            )
            for (word, label), values in shown
        ),
        note=Sentence(
            "Mean value per instance for the target. {shown} of {n} words that occur in at least "
            "{fewest} explained instances with that target. The instances are the chosen ones, "
            "not a random sample of all rows.",
            shown=len(shown),
            n=len(words),
            fewest=FEWEST_DOCUMENTS,
        ),
    )


def _figures(
    method: str, words: dict[tuple[str, str], dict[str, list[float]]], unit: Unit
) -> tuple[IntervalsFigure, ...]:
    if not words:
        return ()
    return (
        IntervalsFigure(
            title=Sentence("Words with the largest values, by {method}", method=method),
            description="Mean value per instance for the target, with its 95 % interval.",
            measures=tuple(
                mean(Sentence("{word} → {label}", word=word, label=label), values[method], unit)
                for (word, label), values in list(words.items())[:MOST_DRAWN]
            ),
            reference=0.0,
        ),
    )
