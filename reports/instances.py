"""One explained instance as it is shown: its text, ranked bars of each method, their errors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby
from math import exp

from explain.record import (
    Z95,
    Agreement,
    Attribution,
    Counterfactual,
    Group,
    InstanceRecord,
)
from explain.record.wording import signed
from explain.text.spans import Span
from reports.agreement import agreement_tables, disputes_of
from reports.counterfactuals import decisive_sentences
from reports.doubts import (
    MethodView,
    doubt_of,
    method_view,
    refined_sentences,
    warnings,
)
from reports.highlight import Piece, pieces, ranked
from reports.languages import join_texts
from reports.languages import translate as _
from reports.numbers import plain, probability
from reports.tables import EMPTY, CellView, TableView, anchor, table
from reports.text import shorten, visible
from reports.values import (
    FeatureRow,
    digits_for,
    feature_name,
    feature_rows,
    repeat_numbers,
)

__all__ = [
    "InstanceView",
    "Paragraph",
    "Run",
    "attribution_view",
    "given_labels",
    "instance_view",
    "outcome",
    "part_labels",
    "predicted_labels",
    "row_name",
    "target_probability",
]

LONG = 1500
"""Characters from which a text fills more than half of a screen."""

LONGEST_CELL = 60
"""Columns of a cell of the table that are shown beside an instance."""


MOST_SPOKEN = 5
SPOKEN_SIDES = ((1, "Towards {target}: {values}."), (-1, "Against: {values}."))


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
    doubt_note: str
    """Why the text is greyed, where the highlighting method is graded D."""
    warnings: tuple[str, ...]
    """What holds for every method, said once."""
    methods: tuple[MethodView, ...]
    top: tuple[FeatureRow, ...]
    all_rows: tuple[FeatureRow, ...]
    """Every feature in reading order; empty if all of them are in `top`."""
    sentences: TableView | None
    """What was explained first; None where no method began with sentences."""
    disputes: tuple[str, ...] = ()
    """Where methods disagree, in sentences."""
    agreements: TableView | None = None
    """How far each two methods agree; None if none were compared."""
    decisive: tuple[str, ...] = ()
    """What would change the answer, and what suffices for it, in sentences."""
    ranked: bool = False
    """Whether the first method knows its errors, so that ranks can be told."""


@dataclass(frozen=True, slots=True)
class LabelView:
    """A label, with its probability or value."""

    label: str
    number: str


@dataclass(frozen=True, slots=True)
class InstanceView:
    """One instance, explained or not."""

    id: str
    anchor: str
    row: str
    """``row 18``."""
    predicted: tuple[LabelView, ...]
    """What the model says: one label, or, of a multi-label model, any number of them."""
    nearest: LabelView | None
    """The most probable label, where a multi-label model predicts none."""
    labels: tuple[str, ...] | None
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
    cited_by: tuple[int, ...] = ()
    """Places of the findings that rest on it."""


def instance_view(
    record: InstanceRecord, columns: Sequence[str] = (), cited_by: tuple[int, ...] = ()
) -> InstanceView:
    """Return the view of one row of an audit, whose texts come from the named columns."""
    predicted = predicted_labels(record)
    return InstanceView(
        id=record.id,
        anchor=anchor(record.id),
        row=row_name(record),
        predicted=predicted,
        nearest=None if predicted else _best_label(record),
        labels=given_labels(record),
        outcome=outcome(record),
        stratum=_(record.stratum) if record.stratum else "",
        columns=tuple(
            (name, shorten(cell, LONGEST_CELL)) for name, cell in sorted(record.columns.items())
        ),
        unread=_unread_note(record.parts, record.unread),
        targets=_targets(record, columns),
        cited_by=cited_by,
    )


def attribution_view(attribution: Attribution) -> InstanceView:
    """Return the view of one attribution outside of an audit."""
    return InstanceView(
        id="",
        anchor="",
        row="",
        predicted=(LabelView(attribution.target.label, target_probability(attribution)),),
        nearest=None,
        labels=None,
        outcome="no label",
        stratum="",
        columns=(),
        unread=_unread_note(attribution.parts, attribution.unread),
        targets=(_target(attribution.parts, attribution.unread, (attribution,), (), ()),),
    )


def part_labels() -> tuple[str, str]:
    """Return what the texts of a pair are called where their columns have no known names."""
    return _("First text"), _("Second text")


def row_name(record: InstanceRecord) -> str:
    """Return what a reader calls an instance; its id is a hash."""
    return _("row {number}", number=record.row)


def _number_of(record: InstanceRecord) -> str:
    """Return the probability of the best label, or the value of a regression."""
    if record.probability is None:
        return plain(max(record.scores))
    return probability(record.probability)


def predicted_labels(record: InstanceRecord) -> tuple[LabelView, ...]:
    """Return what the model says: one label, or, of a multi-label model, any number of them."""
    if record.predictions is None:
        return (_best_label(record),)
    return tuple(LabelView(p.label, probability(p.probability)) for p in record.predictions)


def _best_label(record: InstanceRecord) -> LabelView:
    return LabelView(record.predicted, _number_of(record))


def given_labels(record: InstanceRecord) -> tuple[str, ...] | None:
    """Return the given labels, or the given number of a regression in four digits."""
    if record.labels is None or record.probability is not None:
        return record.labels
    return tuple(plain(float(number)) for number in record.labels)


def outcome(record: InstanceRecord) -> str:
    """Return how the answer compares with the label: ``right``, ``wrong``, or why neither."""
    if record.right is None:
        return "no label" if record.labels is None else "not judged"
    return "right" if record.right else "wrong"


def _targets(record: InstanceRecord, columns: Sequence[str]) -> tuple[TargetView, ...]:
    """Return a view for each explained label, in the order in which they are explained."""
    by_label: dict[int, list[Attribution]] = {}
    for attribution in record.attributions:
        by_label.setdefault(attribution.target.index, []).append(attribution)
    views = [
        _target(record.parts, record.unread, attributions, columns, record.agreements)
        for attributions in by_label.values() or [[]]
    ]
    said = {
        counterfactual.target.index: _decisive(counterfactual, record)
        for counterfactual in record.counterfactuals
    }
    return tuple(
        replace(view, decisive=said.get(label, ()))
        for view, label in zip(views, by_label or [-1], strict=True)
    )


def _decisive(counterfactual: Counterfactual, record: InstanceRecord) -> tuple[str, ...]:
    return decisive_sentences(counterfactual, multi_label=record.predictions is not None)


def _target(
    parts: tuple[str, ...],
    unread: tuple[Span, ...],
    attributions: Sequence[Attribution],
    columns: Sequence[str],
    of_instance: Sequence[Agreement],
) -> TargetView:
    target = attributions[0].target.label if attributions else None
    agreements = [agreement for agreement in of_instance if agreement.target == target]
    first = attributions[0] if attributions else None
    named = len(columns) == len(parts) > 1
    top, rest = feature_rows(attributions, columns if named else ("1", "2"))
    said = [warnings(attribution) for attribution in attributions]
    shared = [w for w in said[0] if all(w in others for others in said)] if len(said) > 1 else []
    return TargetView(
        label=first.target.label if first else "",
        probability=target_probability(first) if first else "",
        paragraphs=_paragraphs(parts, first, unread, columns if named else part_labels()),
        speech=_speech(first) if first else "",
        doubt_note=doubt_of(first) if first else "",
        warnings=tuple(shared),
        methods=tuple(
            method_view(attribution, [w for w in own if w not in shared])
            for attribution, own in zip(attributions, said, strict=True)
        ),
        top=top,
        all_rows=rest,
        sentences=_sentences([a for a in attributions if a.groups]),
        disputes=tuple(said for a in agreements for said in disputes_of(a, attributions)),
        agreements=agreement_tables(agreements, attributions),
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
        Paragraph(
            label, tuple(_runs(part, refined_sentences(first, number))), len(parts[number]) > LONG
        )
        for number, (label, part) in enumerate(zip(labels, cut, strict=True))
    )


def _runs(cut: Sequence[Piece], refined_groups: Sequence[Group]) -> Iterator[Run]:
    """Yield the pieces of a part, those of each refined sentence together."""
    starts = accumulate((len(piece.text) for piece in cut[:-1]), initial=0)

    def sentence_of(placed: tuple[int, Piece]) -> Group | None:
        inside = (g for g in refined_groups if g.span.start <= placed[0] < g.span.end)
        return next(inside, None)

    for group, run in groupby(zip(starts, cut, strict=False), sentence_of):
        style = f"refined {'up' if group.value > 0 else 'down'}" if group else ""
        yield Run(style, tuple(piece for _, piece in run))


def _sentences(attributions: Sequence[Attribution]) -> TableView | None:
    """Return the value of each sentence by each method that began with sentences."""
    if not attributions:
        return None
    columns = [_sentence_cells(attribution) for attribution in attributions]
    first = attributions[0]
    return table(
        _("All {n} sentences, which were explained first", n=len(first.groups)),
        (_("sentence"), *(attribution.method_title for attribution in attributions)),
        (
            (
                CellView(feature_name(first.parts, group.span)),
                *(column.get(group.span, CellView(EMPTY)) for column in columns),
            )
            for group in first.groups
        ),
    )


def _sentence_cells(attribution: Attribution) -> dict[Span, CellView]:
    digits = digits_for([group.value for group in attribution.groups])
    refined = refined_sentences(attribution)
    return {
        group.span: CellView(
            signed(group.value, digits),
            _("then by words") if group in refined else "",
            numeric=True,
        )
        for group in attribution.groups
    }


def _unread_note(parts: tuple[str, ...], unread: tuple[Span, ...]) -> str:
    if not unread:
        return ""
    cut = sum(span.end - span.start for span in unread)
    whole = sum(map(len, parts))
    return _(
        "Struck through: {cut} of {whole} characters, which the model cut off and never read.",
        cut=cut,
        whole=whole,
    )


def _speech(attribution: Attribution) -> str:
    """Return the largest values as a sentence, for who cannot see the colours.

    Values whose intervals contain zero speak for neither side.
    """
    target, said, values = visible(attribution.target.label), [], attribution.values
    parts, spans = attribution.parts, attribution.spans
    numbers = repeat_numbers(parts, spans)
    features = [feature_name(parts, span, numbers[span]) for span in spans]
    errors = attribution.standard_errors or (0.0,) * len(values)
    certain = [place for place in ranked(values) if abs(values[place]) > Z95 * errors[place]]
    for side, template in SPOKEN_SIDES:
        named = [
            f"“{features[place]}” {signed(values[place])}"
            for place in certain
            if values[place] * side > 0
        ]
        if named:
            said.append(_(template, target=target, values=_(", ").join(named[:MOST_SPOKEN])))
    return join_texts(*said)


def target_probability(attribution: Attribution) -> str:
    """Return the probability of what is explained; nothing for the value of a regression."""
    if attribution.target.scale == "value":
        return ""
    return probability(_sigmoid(attribution.full_value))


def _sigmoid(odds: float) -> float:
    return 1 / (1 + exp(-odds)) if odds > 0 else exp(odds) / (1 + exp(odds))
