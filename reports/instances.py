"""One explained instance as it is shown: its text, ranked bars of each method, their errors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from math import exp

from pydantic import JsonValue

from explain.record import Attribution, Group, InstanceRecord
from explain.spans import Span
from reports.figures import BarView, bar, bar_axis
from reports.highlight import Piece, pieces, ranked
from reports.numbers import bare, count, decimal, percent, probability, signed
from reports.tables import EMPTY, CellView, TableView, anchor, table
from reports.text import visible

__all__ = ["InstanceView", "MethodView", "attribution_view", "instance_view", "method_title"]

TOP = 10
"""Features that are shown at once; the rest is in the table below them."""

LARGE_GAP = 0.05
"""Share of v(N) - v(empty) that an efficient method may leave unexplained without a warning."""

_TITLES = {"shap": "SHAP", "lime": "LIME"}
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
    values: tuple[ValueView | None, ...]
    """One per method; None where the method has no such feature."""


@dataclass(frozen=True, slots=True)
class MethodView:
    """How far one method can be believed on this instance."""

    title: str
    grade: str
    """``A`` to ``D``, or nothing."""
    note: str
    """The error of the method in words."""
    ends: str
    """What is explained, from v(empty) to v(N)."""
    warnings: tuple[str, ...]


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


@dataclass(frozen=True, slots=True)
class InstanceView:
    """One instance, explained or not."""

    id: str
    anchor: str
    row: str
    predicted: str
    probability: str
    given: str
    outcome: str
    """``right``, ``wrong`` or ``no label``."""
    stratum: str
    paragraphs: tuple[Paragraph, ...]
    unread: str
    """How much the model never read; nothing if it read all."""
    speech: str
    """The text's highlights as a sentence."""
    doubtful: bool
    """Whether the highlighting method is graded D."""
    warnings: tuple[str, ...]
    """What holds for every method, said once."""
    methods: tuple[MethodView, ...]
    top: tuple[FeatureRow, ...]
    all: tuple[FeatureRow, ...]
    """Every feature in reading order; empty if all of them are in `top`."""
    sentences: TableView | None
    """What was explained first; None where no method began with sentences."""


# ── Instances ─────────────────────────────────────────────────────────────────────────────────────


def instance_view(record: InstanceRecord) -> InstanceView:
    """Return the view of one row of an audit."""
    outcome = {True: "right", False: "wrong", None: "no label"}[record.right]
    return _view(
        record.parts,
        record.unread,
        record.attributions,
        id=record.id,
        row=count(record.row),
        predicted=record.predicted,
        probability=_probability(record.probability),
        given=record.label or "",
        outcome=outcome,
        stratum=record.stratum or "",
    )


def attribution_view(attribution: Attribution) -> InstanceView:
    """Return the view of one attribution outside of an audit."""
    target = attribution.target
    odds = None if target.scale == "value" else _sigmoid(attribution.full_value)
    return _view(
        attribution.parts,
        attribution.unread,
        (attribution,),
        id="",
        row="",
        predicted=target.label,
        probability=_probability(odds),
        given="",
        outcome="no label",
        stratum="",
    )


def method_title(method: str) -> str:
    """Return the name of a method as it is written.

    Examples
    --------
    >>> method_title("shap"), method_title("integrated_gradients")
    ('SHAP', 'Integrated gradients')
    """
    return _TITLES.get(method, method.replace("_", " ").capitalize())


def _view(
    parts: tuple[str, ...],
    unread: tuple[Span, ...],
    attributions: tuple[Attribution, ...],
    *,
    id: str,
    row: str,
    predicted: str,
    probability: str,
    given: str,
    outcome: str,
    stratum: str,
) -> InstanceView:
    first = attributions[0] if attributions else None
    top, rest = _rows(attributions)
    said = [warnings(attribution) for attribution in attributions]
    shared = [w for w in said[0] if all(w in others for others in said)] if len(said) > 1 else []
    return InstanceView(
        id=id,
        anchor=anchor(id),
        row=row,
        predicted=predicted,
        probability=probability,
        given=given,
        outcome=outcome,
        stratum=stratum,
        paragraphs=_paragraphs(parts, first, unread),
        unread=_unread_note(unread),
        speech=_speech(first) if first else "",
        doubtful=first is not None and first.grade == "D",
        warnings=tuple(shared),
        methods=tuple(
            _method(attribution, [w for w in own if w not in shared])
            for attribution, own in zip(attributions, said, strict=True)
        ),
        top=top,
        all=rest,
        sentences=_sentences([a for a in attributions if a.groups]),
    )


def _paragraphs(
    parts: tuple[str, ...], first: Attribution | None, unread: tuple[Span, ...]
) -> tuple[Paragraph, ...]:
    labels = ("",) if len(parts) == 1 else ("First text", "Second text")
    cut = (
        pieces(parts, first.spans, first.values, first.unread)
        if first
        else pieces(parts, unread=unread)
    )
    return tuple(
        Paragraph(label, tuple(_runs(part, _refined(first, number))))
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
                CellView(_feature(first, group.span)),
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


def _unread_note(unread: tuple[Span, ...]) -> str:
    if not unread:
        return ""
    characters = count(sum(span.end - span.start for span in unread))
    return f"Struck through: {characters} characters that the model cut off and never read."


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


def _probability(value: float | None) -> str:
    return "" if value is None else probability(value)


def _sigmoid(odds: float) -> float:
    return 1 / (1 + exp(-odds)) if odds > 0 else exp(odds) / (1 + exp(odds))


# ── Values ────────────────────────────────────────────────────────────────────────────────────────


def _rows(
    attributions: tuple[Attribution, ...],
) -> tuple[tuple[FeatureRow, ...], tuple[FeatureRow, ...]]:
    """Return the first method's largest features, and all features if those are not all."""
    if not attributions:
        return (), ()
    first = attributions[0]
    columns = [_values(attribution) for attribution in attributions]

    def row(span: Span) -> FeatureRow:
        return FeatureRow(_feature(first, span), tuple(column.get(span) for column in columns))

    top = tuple(row(first.spans[place]) for place in ranked(first.values)[:TOP])
    spans = sorted({span for attribution in attributions for span in attribution.spans})
    return top, tuple(map(row, spans)) if len(spans) > len(top) else ()


def _feature(attribution: Attribution, span: Span) -> str:
    """Return the text of a feature, with the number of its part where there are two."""
    feature = visible(attribution.parts[span.part][span.start : span.end])
    return feature if len(attribution.parts) == 1 else f"{feature} ({span.part + 1})"


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
        note=error_note(attribution),
        ends=(
            f"{_SCALES[target.scale]} of {visible(target.label)}: "
            f"v(empty) {signed(attribution.empty_value)}, v(N) {signed(attribution.full_value)}; "
            f"removed: {visible(attribution.removal)}"
        ),
        warnings=tuple(own_warnings),
    )


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
    if steps is None:
        said.append(f"{count(attribution.evaluations)} evaluations")
    else:
        said.append(f"{count(round(steps))} steps")
    own = [error + which for error in _own_error(facts)]
    errors = attribution.standard_errors
    if errors is None:
        said += own or ["error not estimated"]
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
