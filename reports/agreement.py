"""Where methods disagree."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from explain.record import Agreement, Attribution
from reports.languages import translate as _
from reports.numbers import bare
from reports.tables import EMPTY, CellView, TableView, table
from reports.text import visible
from reports.values import feature_name, repeat_numbers

__all__ = ["agreement_tables", "disputes_of"]


def disputes_of(agreement: Agreement, attributions: Sequence[Attribution]) -> Iterator[str]:
    """Yield where two methods disagree, in sentences."""
    pair = _pair(agreement)
    if agreement.tau is None:
        yield _(
            "{pair} cannot be compared: one of them gives all features the same value.", pair=pair
        )
    elif agreement.null_upper is not None and agreement.tau <= agreement.null_upper:
        tau, chance = bare(agreement.tau, 2), bare(agreement.null_upper, 2)
        yield _(
            "{pair} agree no better than chance: τ-b is {tau}, and chance reaches {chance}.",
            pair=pair,
            tau=tau,
            chance=chance,
        )
    if agreement.disputed:
        features = _disputed(agreement, attributions)
        yield _("{pair} give opposite signs to {features}.", pair=pair, features=features)


def agreement_tables(
    agreements: Sequence[Agreement], attributions: Sequence[Attribution]
) -> TableView | None:
    """Return how far the methods agree on one instance."""
    if not agreements:
        return None
    view = table(
        _("How far the methods agree"),
        (
            _("methods"),
            _("Kendall’s τ-b"),
            _("95 % of chance is below"),
            _("top features shared"),
            _("disputed"),
        ),
        (
            (
                CellView(_pair(agreement)),
                *(
                    CellView(EMPTY if number is None else bare(number, 2), numeric=True)
                    for number in (agreement.tau, agreement.null_upper)
                ),
                CellView(
                    _("{share:percent} of {n}", share=agreement.overlap, n=agreement.top),
                    numeric=True,
                ),
                CellView(_disputed(agreement, attributions) or _("none")),
            )
            for agreement in agreements
        ),
    )
    return replace(
        view,
        note=_("Disputed: top features to which methods give opposite signs, beyond their errors."),
    )


def _pair(agreement: Agreement) -> str:
    return _("{methods:and}", methods=[visible(title) for title in agreement.titles])


def _disputed(agreement: Agreement, attributions: Sequence[Attribution]) -> str:
    """Return the names of the features in dispute."""
    first = next((a for a in attributions if a.method in agreement.methods), None)
    spans = first.spans if first else ()
    numbers = repeat_numbers(first.parts, spans) if first else {}
    return _(", ").join(
        f"“{feature_name(first.parts, spans[place], numbers[spans[place]])}”"
        if first and place < len(spans)
        else _("feature {number}", number=place + 1)
        for place in agreement.disputed or ()
    )
