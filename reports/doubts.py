"""How exactly an attribution is known, and what warns of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from explain.record import Attribution, Diagnostics, EndedBy, Group
from explain.record.wording import decimal, signed
from reports.languages import join_texts, language
from reports.languages import translate as _
from reports.numbers import bare
from reports.precision import precision_warnings, repeats_note
from reports.tables import TableView, measures_table
from reports.text import visible
from reports.values import digits_for

__all__ = [
    "MethodView",
    "doubt_of",
    "ending",
    "error_note",
    "method_view",
    "misses_its_sum",
    "refined_sentences",
    "warnings",
]

LARGE_GAP = 0.05
"""Share of v(N) - v(empty) that an efficient method may leave unexplained without a warning."""

_ENDINGS: dict[EndedBy, str] = {
    "exact": "Exact values, computed from {evaluations}.",
    "enumeration": "Computed from {evaluations}, which are all that there are.",
    "tolerance": "Computed from {evaluations}; stopped when the error was as small as requested.",
    "budget": "Computed from {evaluations}; stopped at the limit, so it may be less precise than "
    "requested.",
    "seconds": "Computed from {evaluations}; stopped when the time was up, so it may be less "
    "precise than requested.",
}
"""Why a method stopped to ask, what binds most last."""

_SCALES = {"log_odds": "log-odds", "logit": "logit", "value": "value"}


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
    ends_note: str
    """What is explained, from v(empty) to v(N)."""
    warnings: tuple[str, ...]
    quality: TableView | None
    """What metrics measured of the attribution; None if none ran."""


def refined_sentences(attribution: Attribution | None, part: int | None = None) -> list[Group]:
    """Return the sentences that were explained by their words, of one part or of all."""
    groups = attribution.groups if attribution else ()
    return [
        group
        for group in groups
        if attribution and len(attribution.places_in(group)) > 1 and part in (None, group.span.part)
    ]


def method_view(attribution: Attribution, own_warnings: Sequence[str]) -> MethodView:
    """Return what is said of one attribution and how exactly it is known."""
    target, note = attribution.target, error_note(attribution)
    return MethodView(
        title=attribution.method_title,
        grade=attribution.grade or "",
        reasons=attribution.reasons,
        note=note[:1].upper() + note[1:],
        ending=join_texts(
            ending(attribution.diagnostics, attribution.evaluations),
            repeats_note(attribution.repeats),
        ),
        ends_note=join_texts(
            _(
                "Score of {label} ({scale}): {empty} without any feature, v(empty), and {full} "
                "with all of them, v(N).",
                label=visible(target.label),
                scale=_(_SCALES[target.scale]),
                empty=signed(attribution.empty_value),
                full=signed(attribution.full_value),
            ),
            _removal(attribution),
        ),
        warnings=tuple(own_warnings),
        quality=(
            measures_table(attribution.method_title, attribution.quality)
            if attribution.quality
            else None
        ),
    )


def _removal(attribution: Attribution) -> str:
    """Return what stands in for a removed feature, in a sentence."""
    if attribution.removal == "delete":
        return _("Removed features were deleted.")
    return _(
        "Removed features were replaced by {replacement}.",
        replacement=visible(_(attribution.removal)),
    )


def ending(diagnostics: Diagnostics, evaluations: int) -> str:
    """Return in a sentence why a method stopped to ask; nothing if it does not say.

    Of a text that was explained by sentences and then by words, that which binds most is told.
    """
    levels = [diagnostics, diagnostics.sentences or Diagnostics(), *diagnostics.words]
    reasons = {level.ended_by for level in levels}
    reason = next((reason for reason in reversed(_ENDINGS) if reason in reasons), None)
    template = (
        "{n} {n:test text|test texts}"
        if diagnostics.steps is None
        else "{n} {n:gradient|gradients}"
    )
    return _(_ENDINGS[reason], evaluations=_(template, n=evaluations)) if reason else ""


def doubt_of(attribution: Attribution) -> str:
    """Return why the colours of a text are greyed; nothing if they are not."""
    if attribution.grade != "D":
        return ""
    why = join_texts(*map(visible, attribution.reasons)) or _("No reason is recorded.")
    return join_texts(
        _(
            "Greyed out: {method} has grade D on this text.",
            method=visible(attribution.method_title),
        ),
        why,
    )


def error_note(attribution: Attribution) -> str:
    """Return in words how much work an attribution cost and how far it may be off."""
    diagnostics, said, which = attribution.diagnostics, list[str](), ""
    if attribution.groups:
        said += _by_sentences(attribution)
        diagnostics = diagnostics.sentences or Diagnostics()
        which = _(" for the sentences")
    if diagnostics.algorithm is not None:
        said.append(visible(_algorithm(diagnostics.algorithm)) + which)
    if diagnostics.steps is not None:
        said.append(_("{n} steps", n=diagnostics.steps))
    elif not ending(attribution.diagnostics, attribution.evaluations):
        said.append(_("{n} evaluations", n=attribution.evaluations))
    own = [error + which for error in _own_error(diagnostics)]
    errors = attribution.standard_errors
    if errors is None:
        said += [*own, _("error not estimated")]
    elif any(errors):
        largest = decimal(max(errors), digits_for(attribution.values))
        said += [*own, _("standard error up to {largest}", largest=largest)]
    else:
        said += own if diagnostics.algorithm == "exact" else [*own, _("exact")]
    return language().comma.join(said)


def _algorithm(name: str) -> str:
    """Return an algorithm in words."""
    if name in ("gaussian_process", "game model"):
        return _("fitted by a Gaussian process")
    return _(name)


def _by_sentences(attribution: Attribution) -> list[str]:
    """Return in words that sentences came first, and what their words were corrected by."""
    n_refined = len(refined_sentences(attribution))
    said = [
        _("explained by sentences first, then by the words of the one that matters most")
        if n_refined == 1
        else _(
            "explained by sentences first, then by the words of the {n} that matter most",
            n=n_refined,
        )
    ]
    corrections = [abs(words.correction or 0.0) for words in attribution.diagnostics.words]
    if any(corrections):
        size = decimal(max(corrections), digits_for(attribution.values))
        said.append(
            _(
                "up to {size} added to each word so that a sentence is the sum of its words",
                size=size,
            )
        )
    return said


def _own_error(diagnostics: Diagnostics) -> list[str]:
    """Return what a method says of its own fit."""
    r2, held_out, gap = diagnostics.r2, diagnostics.held_out_r2, diagnostics.relative_gap
    said = [] if r2 is None else [f"R² {bare(r2, 2)}"]
    said += [] if held_out is None else [_("held out {r2}", r2=bare(held_out, 2))]
    return said + ([] if gap is None else [_("completeness gap {gap:percent}", gap=gap)])


def warnings(attribution: Attribution) -> list[str]:
    """Return what a reader of an attribution must be warned of, in sentences."""
    target, diagnostics = visible(attribution.target.label), attribution.diagnostics
    said = []
    if attribution.grade == "D":
        said.append(_("grade D: do not rely on these values"))
    relative, steps = diagnostics.relative_gap, diagnostics.steps
    if diagnostics.converged is False:
        gap = "" if relative is None else _(": gap {gap:percent}", gap=relative)
        after = "" if steps is None else _(" after {n} steps", n=steps)
        said.append(_("did not converge{gap}{after}", gap=gap, after=after))
    elif misses_its_sum(attribution):
        difference = signed(attribution.full_value - attribution.empty_value)
        total = signed(sum(attribution.values))
        said.append(
            _(
                "the values add up to {total}, but v(N) − v(empty) is {difference}",
                total=total,
                difference=difference,
            )
        )
    if diagnostics.special_tokens:
        named = _(", ").join(map(visible, diagnostics.special_tokens))
        said.append(
            _("the text holds {tokens}, which the model reads as a token of its own", tokens=named)
        )
    said += precision_warnings(attribution)
    if attribution.empty_value > attribution.target.cut and attribution.target.scale != "value":
        said.append(
            _(
                "the model answers “{target}” even for an empty text, so “{target}” is partly its "
                "default",
                target=target,
            )
        )
    return said


def misses_its_sum(attribution: Attribution) -> bool:
    """Return whether an efficient method leaves much of v(N) - v(empty) unexplained."""
    explained = abs(attribution.full_value - attribution.empty_value)
    # Where both ends are equal, rounding alone must not pass for a gap.
    allowed = LARGE_GAP * explained + 1e-6
    return attribution.efficient and abs(attribution.completeness_gap) > allowed
