"""One explained instance as it is shown: its text, ranked bars of each method, their errors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby
from math import exp

from pydantic import JsonValue

from explain.record import Agreement, Attribution, Group, InstanceRecord, JsonObject
from explain.record.wording import decimal, percent, signed
from explain.text.spans import Span
from reports.figures import BarView, bar, bar_axis
from reports.highlight import Piece, pieces, ranked
from reports.numbers import bare, count, plain, probability
from reports.precision import precision_warnings, repeats_note
from reports.tables import EMPTY, CellView, TableView, anchor, measures_table, table
from reports.text import shorten, visible

__all__ = [
    "InstanceView",
    "MethodView",
    "attribution_view",
    "ending",
    "error_note",
    "feature_name",
    "instance_view",
    "method_title",
    "ranks",
    "warnings",
]

TOP = 10
"""Features that are shown at once; the rest is in the table below them."""

LARGE_GAP = 0.05
"""Share of v(N) - v(empty) that an efficient method may leave unexplained without a warning."""

LONG = 1500
"""Characters from which a text fills more than half of a screen."""

LONGEST_CELL = 60
"""Columns of a cell of the table that are shown beside an instance."""

PART_LABELS = ("First text", "Second text")
"""What the texts of a pair are called where the names of their columns are not known."""

_TITLES = {"shap": "SHAP", "lime": "LIME"}
_ENDINGS = {
    "exact": "Ended with exact values after {}",
    "enumeration": "Ended when there was nothing left to ask, after {}",
    "tolerance": "Ended when the error fell below the tolerance, after {}",
    "budget": "Ended when the budget was spent, after {}",
    "seconds": "Ended when the time was up, after {}",
}
"""Why a method stopped to ask, what binds most last."""

_SCALES = {"log_odds": "log-odds", "logit": "logit", "value": "value"}


@dataclass(frozen=True, slots=True)
class ValueView:
    """What one method says of one feature."""

    value: str
    error: str
    bar: BarView


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """One feature, with what each method says of it."""

    feature: str
    side: str
    """The text of a pair that it stands in; nothing for a single text."""
    values: tuple[ValueView | None, ...]
    """One per method; None where the method has no such feature."""
    rank: str = ""
    """``1``, or ``2–4`` where it is not resolved, by the first method; nothing if none is known."""


@dataclass(frozen=True, slots=True)
class MethodView:
    """How far one method can be believed on this instance."""

    title: str
    grade: str
    """``A`` to ``D``, or nothing."""
    reasons: tuple[str, ...]
    """Why the grade is no better."""
    note: str
    """The error of the method in words."""
    ending: str
    """Why it stopped to ask, in a sentence; nothing if it does not say."""
    ends: str
    """What is explained, from v(empty) to v(N)."""
    warnings: tuple[str, ...]
    quality: TableView | None
    """What metrics measured of the attribution; None if none ran."""


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring pieces of the text."""

    style: str
    """Classes of a sentence that was explained by its words; nothing for all else."""
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One part of the text."""

    label: str
    """Nothing for the only part."""
    runs: tuple[Run, ...]
    long: bool
    """Whether it is shown in a box of its own that scrolls."""


@dataclass(frozen=True, slots=True)
class TargetView:
    """One label of an instance: the text coloured for it, and what each method says of it."""

    label: str
    probability: str
    """Nothing for regression, and for a text that is not explained."""
    paragraphs: tuple[Paragraph, ...]
    speech: str
    """The text's highlights as a sentence."""
    doubt: str
    """Why the text is greyed, where the highlighting method is graded D."""
    warnings: tuple[str, ...]
    """What holds for every method, said once."""
    methods: tuple[MethodView, ...]
    top: tuple[FeatureRow, ...]
    all: tuple[FeatureRow, ...]
    """Every feature in reading order; empty if all of them are in `top`."""
    sentences: TableView | None
    """What was explained first; None where no method began with sentences."""
    disputes: tuple[str, ...] = ()
    """Where methods disagree, in sentences."""
    agreements: TableView | None = None
    """How far each two methods agree; None if none were compared."""
    ranked: bool = False
    """Whether the first method knows its errors, so that ranks can be told."""


@dataclass(frozen=True, slots=True)
class Said:
    """A label, with its probability or value."""

    label: str
    number: str


@dataclass(frozen=True, slots=True)
class InstanceView:
    """One instance, explained or not."""

    id: str
    anchor: str
    row: str
    predicted: tuple[Said, ...]
    """What the model says: one label, or, of a multi-label model, any number of them."""
    nearest: Said | None
    """The most probable label, where a multi-label model predicts none."""
    given: tuple[str, ...] | None
    """None if nothing is."""
    outcome: str
    """``right``, ``wrong``, ``no label``, or ``not judged`` where several labels can hold."""
    stratum: str
    columns: tuple[tuple[str, str], ...]
    """Cells of the table that were kept: the row's own id, its group, its slices."""
    unread: str
    """How much the model never read; nothing if it read all."""
    targets: tuple[TargetView, ...]
    """One for each explained label; one without methods if none is explained."""


# ── Instances ─────────────────────────────────────────────────────────────────────────────────────


def instance_view(record: InstanceRecord, columns: Sequence[str] = ()) -> InstanceView:
    """Return the view of one row of an audit, whose texts come from the named columns."""
    best = Said(record.predicted, _number_of(record))
    predicted: tuple[Said, ...] = (best,)
    if record.predictions is not None:
        predicted = tuple(Said(p.label, probability(p.probability)) for p in record.predictions)
    return InstanceView(
        id=record.id,
        anchor=anchor(record.id),
        row=count(record.row),
        predicted=predicted,
        nearest=None if predicted else best,
        given=_given(record),
        outcome=_outcome(record),
        stratum=record.stratum or "",
        columns=tuple(
            (name, shorten(cell, LONGEST_CELL)) for name, cell in sorted(record.columns.items())
        ),
        unread=_unread_note(record.parts, record.unread),
        targets=_targets(record, columns),
    )


def attribution_view(attribution: Attribution) -> InstanceView:
    """Return the view of one attribution outside of an audit."""
    return InstanceView(
        id="",
        anchor="",
        row="",
        predicted=(Said(attribution.target.label, _target_probability(attribution)),),
        nearest=None,
        given=None,
        outcome="no label",
        stratum="",
        columns=(),
        unread=_unread_note(attribution.parts, attribution.unread),
        targets=(_target(attribution.parts, attribution.unread, (attribution,), (), ()),),
    )


def method_title(method: str) -> str:
    """Return the name of a method as it is written.

    Examples
    --------
    >>> method_title("shap"), method_title("integrated_gradients")
    ('SHAP', 'Integrated gradients')
    """
    return _TITLES.get(method, method.replace("_", " ").capitalize())


def _number_of(record: InstanceRecord) -> str:
    """Return the probability of the best label, or the value of a regression."""
    if record.probability is None:
        return plain(max(record.scores))
    return probability(record.probability)


def _given(record: InstanceRecord) -> tuple[str, ...] | None:
    """Return the given labels, or the given number of a regression in four digits."""
    if record.label is not None:
        return (record.label,)
    if record.given is None or record.probability is not None:
        return record.given
    return tuple(plain(float(number)) for number in record.given)


def _outcome(record: InstanceRecord) -> str:
    if record.right is None:
        return "no label" if record.given is None else "not judged"
    return "right" if record.right else "wrong"


def _targets(record: InstanceRecord, columns: Sequence[str]) -> tuple[TargetView, ...]:
    """Return a view for each explained label, in the order in which they are explained."""
    by_label: dict[int, list[Attribution]] = {}
    for attribution in record.attributions:
        by_label.setdefault(attribution.target.index, []).append(attribution)
    return tuple(
        _target(record.parts, record.unread, attributions, columns, record.agreements)
        for attributions in by_label.values() or [[]]
    )


def _target(
    parts: tuple[str, ...],
    unread: tuple[Span, ...],
    attributions: Sequence[Attribution],
    columns: Sequence[str],
    compared: Sequence[Agreement],
) -> TargetView:
    agreements = [a for a in compared if attributions and a.target == attributions[0].target.label]
    first = attributions[0] if attributions else None
    named = len(columns) == len(parts) > 1
    top, rest = _rows(attributions, columns if named else ("1", "2"))
    said = [warnings(attribution) for attribution in attributions]
    shared = [w for w in said[0] if all(w in others for others in said)] if len(said) > 1 else []
    return TargetView(
        label=first.target.label if first else "",
        probability=_target_probability(first) if first else "",
        paragraphs=_paragraphs(parts, first, unread, columns if named else PART_LABELS),
        speech=_speech(first) if first else "",
        doubt=_doubt(first) if first else "",
        warnings=tuple(shared),
        methods=tuple(
            _method(attribution, [w for w in own if w not in shared])
            for attribution, own in zip(attributions, said, strict=True)
        ),
        top=top,
        all=rest,
        sentences=_sentences([a for a in attributions if a.groups]),
        disputes=tuple(said for a in agreements for said in _disputes(a, attributions)),
        agreements=_agreements(agreements, attributions),
        ranked=first is not None and first.standard_errors is not None,
    )


def _paragraphs(
    parts: tuple[str, ...],
    first: Attribution | None,
    unread: tuple[Span, ...],
    columns: Sequence[str],
) -> tuple[Paragraph, ...]:
    labels = ("",) if len(parts) == 1 else columns
    cut = (
        pieces(parts, first.spans, first.values, first.unread)
        if first
        else pieces(parts, unread=unread)
    )
    return tuple(
        Paragraph(label, tuple(_runs(part, _refined(first, number))), len(parts[number]) > LONG)
        for number, (label, part) in enumerate(zip(labels, cut, strict=True))
    )


def _runs(cut: Sequence[Piece], refined: Sequence[Group]) -> Iterator[Run]:
    """Yield the pieces of a part, those of each refined sentence together."""
    starts = accumulate((len(piece.text) for piece in cut[:-1]), initial=0)

    def sentence_of(placed: tuple[int, Piece]) -> Group | None:
        inside = (g for g in refined if g.span.start <= placed[0] < g.span.end)
        return next(inside, None)

    for group, run in groupby(zip(starts, cut, strict=False), sentence_of):
        style = f"refined {'up' if group.value > 0 else 'down'}" if group else ""
        yield Run(style, tuple(piece for _, piece in run))


def _refined(attribution: Attribution | None, part: int | None = None) -> list[Group]:
    """Return the sentences that were explained by their words, of one part or of all."""
    groups = attribution.groups if attribution else ()
    return [
        group
        for group in groups
        if attribution and len(attribution.places_in(group)) > 1 and part in (None, group.span.part)
    ]


def _sentences(attributions: Sequence[Attribution]) -> TableView | None:
    """Return the value of each sentence by each method that began with sentences."""
    if not attributions:
        return None
    columns = [_sentence_cells(attribution) for attribution in attributions]
    first = attributions[0]
    return table(
        f"All {count(len(first.groups))} sentences, which were explained first",
        ("sentence", *(method_title(attribution.method) for attribution in attributions)),
        (
            (
                CellView(feature_name(first.parts, group.span)),
                *(column.get(group.span, CellView(EMPTY)) for column in columns),
            )
            for group in first.groups
        ),
    )


def _sentence_cells(attribution: Attribution) -> dict[Span, CellView]:
    digits = _digits([group.value for group in attribution.groups])
    refined = _refined(attribution)
    return {
        group.span: CellView(
            signed(group.value, digits), "then by words" if group in refined else "", numeric=True
        )
        for group in attribution.groups
    }


def _unread_note(parts: tuple[str, ...], unread: tuple[Span, ...]) -> str:
    if not unread:
        return ""
    cut = sum(span.end - span.start for span in unread)
    whole = sum(map(len, parts))
    return (
        f"Struck through: {count(cut)} of {count(whole)} characters, which the model cut off and "
        "never read."
    )


def _speech(attribution: Attribution) -> str:
    """Return the largest values as a sentence, for who cannot see the colours."""
    target, said = visible(attribution.target.label), []
    for side, way in ((1, f"Towards {target}"), (-1, "Against")):
        places = [
            place for place in ranked(attribution.values) if attribution.values[place] * side > 0
        ]
        named = [
            f"“{visible(attribution.features[place])}” {signed(attribution.values[place])}"
            for place in places[:5]
        ]
        said += [f"{way}: {', '.join(named)}."] if named else []
    return " ".join(said)


def _target_probability(attribution: Attribution) -> str:
    if attribution.target.scale == "value":
        return ""
    return probability(_sigmoid(attribution.full_value))


def _sigmoid(odds: float) -> float:
    return 1 / (1 + exp(-odds)) if odds > 0 else exp(odds) / (1 + exp(odds))


# ── Values ────────────────────────────────────────────────────────────────────────────────────────


def _rows(
    attributions: Sequence[Attribution], parts: Sequence[str]
) -> tuple[tuple[FeatureRow, ...], tuple[FeatureRow, ...]]:
    """Return the first method's largest features, and all features if those are not all."""
    if not attributions:
        return (), ()
    first = attributions[0]
    columns = [_values(attribution) for attribution in attributions]

    def row(span: Span, rank: str = "") -> FeatureRow:
        return FeatureRow(
            feature=visible(first.parts[span.part][span.start : span.end]),
            side=parts[span.part] if len(first.parts) > 1 else "",
            values=tuple(column.get(span) for column in columns),
            rank=rank,
        )

    known = ranks(first)
    top = tuple(row(first.spans[place], known[place]) for place in ranked(first.values)[:TOP])
    spans = sorted({span for attribution in attributions for span in attribution.spans})
    return top, tuple(map(row, spans)) if len(spans) > len(top) else ()


def feature_name(parts: Sequence[str], span: Span) -> str:
    """Return the text of a feature, with the number of its part where there are two."""
    feature = visible(parts[span.part][span.start : span.end])
    return feature if len(parts) == 1 else f"{feature} ({span.part + 1})"


def ranks(attribution: Attribution) -> list[str]:
    """Return the rank of each feature, ``2–4`` where it is not resolved, nothing if unknown."""
    if (found := attribution.ranks) is None:
        return [""] * len(attribution.values)
    return [count(a) if a == b else f"{count(a)}–{count(b)}" for a, b in found]


def _values(attribution: Attribution) -> dict[Span, ValueView]:
    errors = attribution.standard_errors
    axis = bar_axis(attribution.values, errors)
    digits = _digits(attribution.values)
    return {
        span: ValueView(
            value=signed(value, digits),
            error=f"±\u2009{decimal(error, digits)}" if error else "",
            bar=bar(value, error, axis),
        )
        for span, value, error in zip(
            attribution.spans,
            attribution.values,
            errors or [None] * len(attribution.values),
            strict=True,
        )
    }


def _digits(values: Sequence[float]) -> int:
    """Return how many decimals leave two digits to the largest value."""
    largest = max(map(abs, values), default=0.0)
    return next((digits for digits in (2, 3, 4, 5) if largest >= 10.0 ** (1 - digits)), 6)


# ── Errors ────────────────────────────────────────────────────────────────────────────────────────


def _method(attribution: Attribution, own_warnings: Sequence[str]) -> MethodView:
    target = attribution.target
    return MethodView(
        title=method_title(attribution.method),
        grade=attribution.grade or "",
        reasons=attribution.reasons,
        note=error_note(attribution),
        ending=" ".join(
            filter(
                None,
                (
                    ending(attribution.diagnostics, attribution.evaluations),
                    repeats_note(attribution.repeats),
                ),
            )
        ),
        ends=(
            f"{_SCALES[target.scale]} of {visible(target.label)}: "
            f"v(empty) {signed(attribution.empty_value)}, v(N) {signed(attribution.full_value)}; "
            f"removed: {visible(attribution.removal)}"
        ),
        warnings=tuple(own_warnings),
        quality=(
            measures_table(method_title(attribution.method), attribution.quality)
            if attribution.quality
            else None
        ),
    )


def ending(diagnostics: JsonObject, evaluations: int) -> str:
    """Return in a sentence why a method stopped to ask; nothing if it does not say.

    Of a text that was explained by sentences and then by words, that which binds most is told.
    """
    within = diagnostics.get("words")
    told = [
        diagnostics,
        diagnostics.get("sentences"),
        *(within if isinstance(within, list) else ()),
    ]
    reasons = [facts.get("ended_by") for facts in told if isinstance(facts, dict)]
    reason = next((reason for reason in reversed(_ENDINGS) if reason in reasons), None)
    what = "gradient" if "steps" in diagnostics else "evaluation"
    n_asked = f"{count(evaluations)} {what}{'' if evaluations == 1 else 's'}"
    return f"{_ENDINGS[reason].format(n_asked)}." if reason else ""


def _doubt(attribution: Attribution) -> str:
    """Return why the colours of a text are greyed; nothing if they are not."""
    if attribution.grade != "D":
        return ""
    why = " ".join(map(visible, attribution.reasons)) or "No reason is recorded."
    return f"Greyed: {visible(method_title(attribution.method))} is graded D on this text. {why}"


def error_note(attribution: Attribution) -> str:
    """Return in words how much work an attribution cost and how far it may be off."""
    facts, said, which = attribution.diagnostics, list[str](), ""
    if attribution.groups:
        said += _by_sentences(attribution)
        of_sentences = facts.get("sentences")
        facts = of_sentences if isinstance(of_sentences, dict) else {}
        which = " for the sentences"
    algorithm, steps = facts.get("algorithm"), _number(facts, "steps")
    if isinstance(algorithm, str):
        said.append(visible(algorithm) + which)
    if steps is not None:
        said.append(f"{count(round(steps))} steps")
    elif not ending(attribution.diagnostics, attribution.evaluations):
        said.append(f"{count(attribution.evaluations)} evaluations")
    own = [error + which for error in _own_error(facts)]
    errors = attribution.standard_errors
    if errors is None:
        said += [*own, "error not estimated"]
    elif any(errors):
        said += [*own, f"standard error up to {decimal(max(errors), _digits(attribution.values))}"]
    else:
        said += own if algorithm == "exact" else [*own, "exact"]
    return ", ".join(said)


def _by_sentences(attribution: Attribution) -> list[str]:
    """Return in words that sentences came first, and what their words were corrected by."""
    n_refined = len(_refined(attribution))
    which = "one that matters" if n_refined == 1 else f"{count(n_refined)} that matter"
    said = [f"explained by sentences first, then by the words of the {which} most"]
    words = attribution.diagnostics.get("words")
    facts = [own for own in words if isinstance(own, dict)] if isinstance(words, list) else []
    corrections = [abs(_number(own, "correction") or 0.0) for own in facts]
    if any(corrections):
        size = decimal(max(corrections), _digits(attribution.values))
        said.append(f"up to {size} added to each word so that a sentence is the sum of its words")
    return said


def _own_error(facts: Mapping[str, JsonValue]) -> list[str]:
    """Return what a method says of its own fit."""
    r2, held_out = _number(facts, "r2"), _number(facts, "held_out_r2")
    gap = _number(facts, "relative_gap")
    said = [] if r2 is None else [f"R² {bare(r2, 2)}"]
    said += [] if held_out is None else [f"held out {bare(held_out, 2)}"]
    return said + ([] if gap is None else [f"gap {percent(gap)}"])


def warnings(attribution: Attribution) -> list[str]:
    """Return what a reader of an attribution must be warned of, in sentences."""
    target, facts = visible(attribution.target.label), attribution.diagnostics
    said = []
    if attribution.grade == "D":
        said.append("graded D: do not rely on these values")
    relative, steps = _number(facts, "relative_gap"), _number(facts, "steps")
    if facts.get("converged") is False:
        gap = "" if relative is None else f": gap {percent(relative)}"
        after = "" if steps is None else f" after {count(round(steps))} steps"
        said.append(f"did not converge{gap}{after}")
    elif _misses_its_sum(attribution):
        difference = signed(attribution.full_value - attribution.empty_value)
        total = signed(sum(attribution.values))
        said.append(f"the values sum to {total}, but v(N) − v(empty) is {difference}")
    if isinstance(tokens := facts.get("special_tokens"), list):
        named = ", ".join(visible(str(token)) for token in tokens)
        said.append(f"the text holds {named}, which the model reads as a token of its own")
    said += precision_warnings(attribution)
    if attribution.empty_value > 0 and attribution.target.scale != "value":
        said.append(f"with every feature removed the model already says {target}")
    return said


def _misses_its_sum(attribution: Attribution) -> bool:
    """Return whether an efficient method leaves much of v(N) - v(empty) unexplained."""
    explained = abs(attribution.full_value - attribution.empty_value)
    # Where both ends are equal, rounding alone must not pass for a gap.
    allowed = LARGE_GAP * explained + 1e-6
    return attribution.efficient and abs(attribution.completeness_gap) > allowed


def _number(facts: Mapping[str, JsonValue], name: str) -> float | None:
    """Return a number that a method told of itself; None if it told none."""
    value = facts.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


# ── Agreement ─────────────────────────────────────────────────────────────────────────────────────


def _disputes(agreement: Agreement, attributions: Sequence[Attribution]) -> Iterator[str]:
    """Yield where two methods disagree, in sentences."""
    pair = _pair(agreement)
    if agreement.tau is None:
        yield f"{pair} cannot be compared: one of them gives all features the same value."
    elif agreement.null_upper is not None and agreement.tau <= agreement.null_upper:
        tau, chance = bare(agreement.tau, 2), bare(agreement.null_upper, 2)
        yield f"{pair} agree no better than chance: τ-b {tau}, where chance reaches {chance}."
    if agreement.disputed:
        yield f"{pair} give opposite signs to {_disputed(agreement, attributions)}."


def _agreements(
    agreements: Sequence[Agreement], attributions: Sequence[Attribution]
) -> TableView | None:
    if not agreements:
        return None
    view = table(
        "How far the methods agree",
        ("methods", "Kendall’s τ-b", "95 % of chance is below", "top features shared", "disputed"),
        (
            (
                CellView(_pair(agreement)),
                *(
                    CellView(EMPTY if number is None else bare(number, 2), numeric=True)
                    for number in (agreement.tau, agreement.null_upper)
                ),
                CellView(f"{percent(agreement.overlap)} of {agreement.top}", numeric=True),
                CellView(_disputed(agreement, attributions) or "none"),
            )
            for agreement in agreements
        ),
    )
    return replace(view, note="Disputed: top features with opposite signs, beyond their errors.")


def _pair(agreement: Agreement) -> str:
    return " and ".join(visible(method_title(method)) for method in agreement.methods)


def _disputed(agreement: Agreement, attributions: Sequence[Attribution]) -> str:
    """Return the names of the features in dispute."""
    first = next((a for a in attributions if a.method in agreement.methods), None)
    spans = first.spans if first else ()
    return ", ".join(
        f"“{feature_name(first.parts, spans[place])}”"
        if first and place < len(spans)
        else f"feature {count(place + 1)}"
        for place in agreement.disputed
    )
