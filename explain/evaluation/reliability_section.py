"""What an audit says of its own explanations: grades, positive control, metrics, agreement."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from explain.attribution.methods import title_of
from explain.evaluation.flags import Answer, MetricResult, at_most
from explain.evaluation.grades import KIND_NAMES, recall_flag
from explain.evaluation.known_value_results import ENOUGH_COVERED, ENOUGH_RIGHT, LEAST_COVERED
from explain.evaluation.known_values import KnownValues, Part
from explain.evaluation.positive_control import LEAST_RECALL, PositiveControl, Recall
from explain.evaluation.scorecard import LEAST_TAU, MOST_DISPUTED, disputes
from explain.record import (
    Agreement,
    Cell,
    Finding,
    IntervalsFigure,
    Measure,
    MethodTrust,
    NotMeasured,
    Section,
    Sentence,
    Table,
    join_sentences,
)
from explain.statistics.intervals import (
    CHANGES,
    NOT_NEGATIVE,
    SHARES,
    clustered_proportion,
    mean,
    proportion,
)

__all__ = ["TITLE", "recall_measure", "recall_result", "trust_section"]

TITLE = "Reliability of the explanations"


def trust_section(
    trust: Sequence[MethodTrust],
    control: PositiveControl | NotMeasured,
    known_values: Mapping[str, KnownValues],
    agreements: Mapping[str, Sequence[Agreement]],
    results: Mapping[str, Sequence[MetricResult]],
) -> Section:
    """Return the section on whether the explanations can be believed.

    Parameters
    ----------
    trust : sequence of MethodTrust
        Each method with its grade.
    control : PositiveControl or NotMeasured
        What the positive control found, or why it could not be run.
    known_values : mapping of str to KnownValues
        What each method says where the truth is known, by its name.
    agreements : mapping of str to sequence of Agreement
        For each explained instance, by its id, how far its methods agree.
    results : mapping of str to sequence of MetricResult
        What each metric says of each method, by its name.
    """
    if not trust:
        return Section.not_measured("trust", TITLE, "no method explained anything")
    recalls = () if isinstance(control, NotMeasured) else control.recalls
    measures = tuple(recall_measure(recall) for recall in recalls if recall.reason is None)
    return Section(
        id="trust",
        title=TITLE,
        summary=_summary(trust),
        measures=measures,
        figures=_figures(measures),
        tables=(
            _grades(trust),
            *([] if isinstance(control, NotMeasured) else [_control(control)]),
            *_known_values_tables(known_values),
            _metrics(results),
            *_agreements(agreements),
        ),
        findings=tuple(_opposite_signs(trust, agreements)),
    )


def _opposite_signs(
    trust: Sequence[MethodTrust], agreements: Mapping[str, Sequence[Agreement]]
) -> Iterator[Finding]:
    """Yield each pair of methods that certainly dispute the top features, neither of grade D."""
    poor = {method.method for method in trust if method.grade == "D"}
    titles = {method.method: method.title for method in trust}
    shares = disputes([one for found in agreements.values() for one in found])
    for pair, share in shares.items():
        if poor & {*pair} or at_most(share, MOST_DISPUTED) != "flagged":
            continue
        yield Finding(
            code="trust.contradiction",
            subject=" and ".join(pair),
            claim=Sentence(
                "{methods:and} contradict each other: on {share} of {share.n} explained "
                "predictions they disagree on whether one of the most important words speaks for "
                "or against the prediction.",
                methods=[titles[method] for method in pair],
                share=share,
            ),
            severity="minor",
            size=share.distance_from(0),
            measure=share,
            evidence=("trust",),
            suggestion="Do not base a decision on the sign of a word on which the two disagree. "
            "Each explained prediction lists these words.",
        )


def recall_measure(recall: Recall) -> Measure:
    """Return the share of texts in which a method found the planted rule."""
    name = Sentence(
        "{rule}: {method}", rule=KIND_NAMES[recall.kind], method=title_of(recall.method)
    )
    return proportion(name, recall.hits, recall.n)


def recall_result(recall: Recall) -> MetricResult:
    """Return how often a method finds a planted rule, and what follows for its grade."""
    measure = recall_measure(recall)
    return MetricResult(
        measure.name,
        None if recall.reason is not None else measure,
        Sentence("at least {limit}", limit=LEAST_RECALL),
        recall_flag(recall),
    )


def _summary(trust: Sequence[MethodTrust]) -> str:
    by_grade: dict[str, list[str]] = defaultdict(list)
    for method in trust:
        by_grade[method.grade].append(method.title)
    grades = [
        Sentence("{grade} for {methods:and}", grade=grade, methods=by_grade[grade])
        for grade in sorted(by_grade)
    ]
    return join_sentences(
        Sentence(
            "Each method was tried on this model and got a grade, A being the best: {grades}.",
            grades=join_sentences(*grades, by="; "),
        ),
        "Do not rely on explanations of grade D." if "D" in by_grade else "",
    )


def _grades(trust: Sequence[MethodTrust]) -> Table:
    return Table(
        title="Grades",
        columns=("method", "grade", "why no better, and what was not measured"),
        rows=tuple(
            (m.title, m.grade, join_sentences(*m.reasons) or "nothing was flagged") for m in trust
        ),
        note=_RULE,
    )


_RULE = Sentence(
    "A metric passes if its whole 95 % interval meets the limit, and is flagged if none of it "
    "does. Few texts cannot show that much of four metrics, so these pass with a wider interval: "
    "rules found and known values right from {right} on, known values inside 90 % intervals from "
    "{covered} on, and parameter randomisation up to {tau}. "
    "Otherwise it is not resolved, and there is no verdict from too few instances; neither of "
    "these lowers the grade below B. "
    "D: it is certain that the method misses a single planted word, gets known values wrong, "
    "ranks no better than at random, or did not converge for most explanations. "
    "C at best: most of its explanations are flagged, or its 90 % intervals contain less than "
    "{limit:percent} of known values. Otherwise each flag costs one grade, down to C. "
    "A requires that errors are stated (of integrated gradients, that it converged), and that the "
    "planted word, known values, the gain over random rankings, errors and convergence could all "
    "be judged.",
    limit=LEAST_COVERED,
    right=ENOUGH_RIGHT,
    covered=ENOUGH_COVERED,
    tau=LEAST_TAU,
)


def _metrics(results: Mapping[str, Sequence[MetricResult]]) -> Table:
    """Return what each metric says of each method, but for the control, which has its own table."""
    rows: dict[str, list[tuple[Cell, ...]]] = {}
    for method, found in results.items():
        for result in found:
            if result.flag is None or not result.flag.name.startswith("positive control"):
                row = (
                    title_of(method),
                    result.name,
                    result.measure,
                    result.against,
                    _answer_in_words(result),
                )
                rows.setdefault(result.name, []).append(row)
    return Table(
        title="What was measured",
        columns=("method", "measure", "result", "compared with", "verdict"),
        rows=tuple(row for same in rows.values() for row in same),
        note=_NOTE,
    )


_NOTE = (
    "Stability, max-sensitivity and parameter randomisation make a few explanations, drawn at "
    "random, a second time. Stability: with another seed or other baselines. Max-sensitivity: "
    "after a small change of the text's vectors. Parameter randomisation: for a copy of the model "
    "with shuffled parameters; a good explanation must not resemble that one. Infidelity: the "
    "share of the effect of removing features that the values, scaled to fit best, do not "
    "predict; 0 is perfect. Agreement beyond chance: the share of predictions whose features "
    "another method orders more alike than chance does; of all methods, the one with the largest "
    "share. A number under “compared with” is what random values reach: the "
    "method's own values at random features. Plausibility: whether the values point at what people "
    "marked as the reason. It is not graded, because a model can be right for another reason."
)


def _answer_in_words(result: MetricResult) -> str:
    if result.flag is None:
        return "reported only"
    return _ANSWERS.get(result.flag.answer, result.flag.answer)


_ANSWERS: Mapping[Answer, str] = {
    "not resolved": "not resolved: the interval includes the limit",
    "too few": "too few to tell",
}
"""Answers of which a table says more than their names."""


def _control(control: PositiveControl) -> Table:
    cells: dict[str, dict[str, Cell]] = defaultdict(dict)
    for recall in control.recalls:
        measured = recall_measure(recall) if recall.reason is None else recall.reason
        cells[recall.method][recall.kind] = measured
    rules = [
        Sentence("{kind}: {words:quoted-and}", kind=KIND_NAMES[rule.kind], words=rule.words)
        for rule in control.rules
    ]
    return Table(
        title="Positive control",
        columns=("method", *(KIND_NAMES[rule.kind] for rule in control.rules)),
        rows=tuple(
            (title_of(method), *(found.get(rule.kind) for rule in control.rules))
            for method, found in cells.items()
        ),
        note=Sentence(
            "We built known rules into a copy of the model to see whether the methods find them. "
            "Shown is the share of short texts in which a word of the rule gets the largest value; "
            "at least {limit:percent} is required. The rules are {rules}. Where a rule holds, "
            "{bonus:.3g} is added to the score of one label.",
            limit=LEAST_RECALL,
            rules=join_sentences(*rules, by="; "),
            bonus=max((rule.bonus for rule in control.rules), default=0.0),
        ),
    )


def _known_values_tables(known_values: Mapping[str, KnownValues]) -> tuple[Table, ...]:
    """Return what each method says of planted values, alone and on top of the model."""
    measured = [found for found in known_values.values() if found.parts]
    if not measured:
        return ()
    return (
        Table(
            title="Known values",
            columns=(
                "method",
                "what was explained",
                "texts with right values",
                "values inside their 90 % intervals",
                "relative error",
            ),
            rows=tuple(
                (title_of(found.method), what, *_cells(part))
                for found in measured
                for what, part in (
                    ("planted alone", found.planted_alone),
                    ("on this model", found.on_top),
                )
                if part is not None
            ),
            note="We gave words of the table's own texts weights of known size, and some "
            "neighbouring words a joint effect. Once these weights were the whole score (planted "
            "alone); once they were added to the scores of this model, which scored every "
            "combination of words (on this model). The true values are therefore known. A text "
            "counts as right if no value is off by more than a tenth of the largest, beyond its "
            "90 % interval. Relative error: length of the error vector divided by that of the true "
            "values.",
        ),
    )


def _cells(part: Part) -> tuple[Cell, ...]:
    right = proportion("texts with right values", int(part.right.sum()), len(part.right))
    covered = clustered_proportion("inside 90 % intervals", part.is_covered, part.text)
    errors = mean("relative error", part.errors.tolist(), "coefficient", within=NOT_NEGATIVE)
    if errors.lower is not None:
        errors = errors.model_copy(update={"lower": max(errors.lower, 0.0)})
    return right, covered if len(part.is_covered) else "no errors stated", errors


def _figures(measures: Sequence[Measure]) -> tuple[IntervalsFigure, ...]:
    if not measures:
        return ()
    return (
        IntervalsFigure(
            title="Positive control",
            description="Share of texts in which the planted rule is ranked first, by method and "
            "kind of rule, with 95 % intervals.",
            measures=tuple(measures),
            reference=LEAST_RECALL,
            reference_label="required",
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
        columns=("mean Kendall's tau-b", *map(title_of, methods)),
        rows=tuple((title_of(row), *(cell(row, column) for column in methods)) for row in methods),
        note="1: the same order of values; 0: unrelated orders. Agreement does not prove that two "
        "methods are right, because they can share an error.",
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
                Sentence("{first} and {second}", first=title_of(first), second=title_of(second)),
                _tau(found),
                mean("upper end of chance", nulls, "coefficient", within=SHARES),
                proportion("beyond chance", beyond, len(known)),
                mean(
                    "shared top features", [a.overlap for a in found], "proportion", within=SHARES
                ),
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
            "predictions with opposite signs of a top feature",
        ),
        rows=tuple(rows),
        note="Upper end of chance: 95th percentile of tau-b when the values of one method are "
        "shuffled. By chance alone, 5 % of the predictions lie beyond it.",
    )


def _tau(agreements: Sequence[Agreement]) -> Measure:
    taus = [a.tau for a in agreements if a.tau is not None]
    return mean("tau-b", taus, "coefficient", within=CHANGES)
