"""What an audit says of its own explanations: grades, positive control, agreement."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from explain.intervals import mean, proportion
from explain.metrics.grades import KIND_NAMES
from explain.metrics.positive_control import LEAST_RECALL, PositiveControl, Recall
from explain.record import (
    Agreement,
    Cell,
    IntervalsFigure,
    Measure,
    MethodTrust,
    Section,
    Table,
)

__all__ = ["recall_measure", "trust_section"]


def trust_section(
    trust: Sequence[MethodTrust],
    control: PositiveControl | str,
    agreements: Mapping[str, Sequence[Agreement]],
) -> Section:
    """Return the section on whether the explanations can be believed.

    Parameters
    ----------
    trust : sequence of MethodTrust
        Each method with its grade.
    control : PositiveControl or str
        What the positive control found, or why it could not be run.
    agreements : mapping of str to sequence of Agreement
        For each explained instance, by its id, how far its methods agree.
    """
    if not trust:
        return Section(
            id="trust",
            title="Reliability of the explanations",
            summary="Nothing was measured.",
            skipped="no method explained anything",
        )
    recalls = () if isinstance(control, str) else control.recalls
    measures = tuple(recall_measure(recall) for recall in recalls if recall.reason is None)
    return Section(
        id="trust",
        title="Reliability of the explanations",
        summary=_summary(trust),
        measures=measures,
        figures=_figures(measures),
        tables=(
            _grades(trust),
            *([] if isinstance(control, str) else [_control(control)]),
            *_agreements(agreements),
        ),
    )


def recall_measure(recall: Recall) -> Measure:
    """Return the share of texts in which a method found the planted rule."""
    name = f"{recall.method}: {KIND_NAMES[recall.kind]} that was planted comes first"
    return proportion(name, recall.hits, recall.n)


def _summary(trust: Sequence[MethodTrust]) -> str:
    by_grade: dict[str, list[str]] = defaultdict(list)
    for method in trust:
        by_grade[method.grade].append(method.method)
    said = "; ".join(f"{grade}: {', '.join(by_grade[grade])}" for grade in sorted(by_grade))
    doubt = " Do not rely on explanations of grade D." if "D" in by_grade else ""
    return f"Grades of the methods on this model, A the best: {said}.{doubt}"


def _grades(trust: Sequence[MethodTrust]) -> Table:
    return Table(
        title="Grades",
        columns=("method", "grade", "why no better, and what was not measured"),
        rows=tuple(
            (m.method, m.grade, " ".join(m.reasons) or "nothing was flagged") for m in trust
        ),
        note="D: the method misses a single planted word, its ranking is no better than random "
        "ones, or it did not converge. Otherwise each flag costs one grade, down to C; without "
        "stated errors there is no A.",
    )


def _control(control: PositiveControl) -> Table:
    cells: dict[str, dict[str, Cell]] = defaultdict(dict)
    for recall in control.recalls:
        measured = recall_measure(recall) if recall.reason is None else recall.reason
        cells[recall.method][recall.kind] = measured
    rules = "; ".join(
        f"{KIND_NAMES[rule.kind]}: {', '.join(map(repr, rule.words))}" for rule in control.rules
    )
    bonus = max((rule.bonus for rule in control.rules), default=0.0)
    return Table(
        title="Positive control",
        columns=("method", *(KIND_NAMES[rule.kind] for rule in control.rules)),
        rows=tuple(
            (method, *(found.get(rule.kind) for rule in control.rules))
            for method, found in cells.items()
        ),
        note="Share of short texts of the table in which a word of a rule that was planted into "
        f"this very model gets the largest value; at least {LEAST_RECALL} is wanted. Planted were "
        f"{rules}. Where the rule holds, {bonus:.3g} is added to the score of one label.",
    )


def _figures(measures: Sequence[Measure]) -> tuple[IntervalsFigure, ...]:
    if not measures:
        return ()
    return (
        IntervalsFigure(
            title="Positive control",
            description="Share of texts in which the planted rule comes first, by method and kind "
            "of rule, with 95 % intervals.",
            measures=tuple(measures),
            reference=LEAST_RECALL,
            reference_label="wanted",
        ),
    )


def _agreements(agreements: Mapping[str, Sequence[Agreement]]) -> tuple[Table, ...]:
    """Return who agrees with whom: as a matrix, and each pair against chance."""
    pairs: dict[tuple[str, str], list[Agreement]] = defaultdict(list)
    for found in agreements.values():
        for agreement in found:
            pairs[agreement.methods].append(agreement)
    if not pairs:
        return ()
    methods = list(dict.fromkeys(method for pair in pairs for method in pair))
    return (_matrix(methods, pairs), _pairs(pairs))


def _matrix(methods: Sequence[str], pairs: Mapping[tuple[str, str], Sequence[Agreement]]) -> Table:
    def cell(row: str, column: str) -> Cell:
        both = [*pairs.get((row, column), ()), *pairs.get((column, row), ())]
        return _tau(both) if row != column and both else None

    return Table(
        title="Agreement between methods",
        columns=("mean Kendall's tau-b", *methods),
        rows=tuple((row, *(cell(row, column) for column in methods)) for row in methods),
        note="1: the same order of values; 0: none in common. Agreement is no proof: methods can "
        "share an error.",
    )


def _pairs(pairs: Mapping[tuple[str, str], Sequence[Agreement]]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for (first, second), found in pairs.items():
        nulls = [a.null_upper for a in found if a.null_upper is not None]
        known = [
            (a.tau, a.null_upper) for a in found if a.tau is not None and a.null_upper is not None
        ]
        beyond = sum(tau > upper for tau, upper in known)
        rows.append(
            (
                f"{first} and {second}",
                _tau(found),
                mean("upper end of chance", nulls, "coefficient"),
                proportion("beyond chance", beyond, len(known)),
                mean("shared top features", [a.overlap for a in found], "proportion"),
                proportion("disputed", sum(bool(a.disputed) for a in found), len(found)),
            )
        )
    return Table(
        title="Agreement against chance",
        columns=(
            "methods",
            "tau-b",
            "upper end of chance",
            "predictions beyond chance",
            "top features shared",
            "predictions with opposite signs at the top",
        ),
        rows=tuple(rows),
        note="Upper end of chance: 95th percentile of tau-b when the values of one method are "
        "permuted. By chance 5 % of the predictions lie beyond it.",
    )


def _tau(found: Sequence[Agreement]) -> Measure:
    return mean("tau-b", [a.tau for a in found if a.tau is not None], "coefficient")
