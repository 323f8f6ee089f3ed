"""How exactly an attribution is known, and what warns of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from explain.record import Attribution, Diagnostics, EndedBy, Group
from explain.record.wording import decimal, percent, signed
from reports.numbers import bare, count
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
    "exact": "Exact values, computed from {}",
    "enumeration": "Computed from {}, which are all that there are",
    "tolerance": "Computed from {}; stopped when the error was as small as requested",
    "budget": "Computed from {}; stopped at the limit, so it may be less precise than requested",
    "seconds": "Computed from {}; stopped when the time was up, so it may be less precise than "
    "requested",
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
    target = attribution.target
    return MethodView(
        title=attribution.method_title,
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
        ends_note=(
            f"Score of {visible(target.label)} ({_SCALES[target.scale]}): "
            f"{signed(attribution.empty_value)} without any feature, v(empty), and "
            f"{signed(attribution.full_value)} with all of them, v(N). {_removal(attribution)}"
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
        return "Removed features were deleted."
    return f"Removed features were replaced by {visible(attribution.removal)}."


def ending(diagnostics: Diagnostics, evaluations: int) -> str:
    """Return in a sentence why a method stopped to ask; nothing if it does not say.

    Of a text that was explained by sentences and then by words, that which binds most is told.
    """
    levels = [diagnostics, diagnostics.sentences or Diagnostics(), *diagnostics.words]
    reasons = {level.ended_by for level in levels}
    reason = next((reason for reason in reversed(_ENDINGS) if reason in reasons), None)
    what = "test text" if diagnostics.steps is None else "gradient"
    n_asked = f"{count(evaluations)} {what}{'' if evaluations == 1 else 's'}"
    return f"{_ENDINGS[reason].format(n_asked)}." if reason else ""


def doubt_of(attribution: Attribution) -> str:
    """Return why the colours of a text are greyed; nothing if they are not."""
    if attribution.grade != "D":
        return ""
    why = " ".join(map(visible, attribution.reasons)) or "No reason is recorded."
    return f"Greyed out: {visible(attribution.method_title)} has grade D on this text. {why}"


def error_note(attribution: Attribution) -> str:
    """Return in words how much work an attribution cost and how far it may be off."""
    diagnostics, said, which = attribution.diagnostics, list[str](), ""
    if attribution.groups:
        said += _by_sentences(attribution)
        diagnostics = diagnostics.sentences or Diagnostics()
        which = " for the sentences"
    if diagnostics.algorithm is not None:
        said.append(visible(diagnostics.algorithm) + which)
    if diagnostics.steps is not None:
        said.append(f"{count(diagnostics.steps)} steps")
    elif not ending(attribution.diagnostics, attribution.evaluations):
        said.append(f"{count(attribution.evaluations)} evaluations")
    own = [error + which for error in _own_error(diagnostics)]
    errors = attribution.standard_errors
    if errors is None:
        said += [*own, "error not estimated"]
    elif any(errors):
        said += [
            *own,
            f"standard error up to {decimal(max(errors), digits_for(attribution.values))}",
        ]
    else:
        said += own if diagnostics.algorithm == "exact" else [*own, "exact"]
    return ", ".join(said)


def _by_sentences(attribution: Attribution) -> list[str]:
    """Return in words that sentences came first, and what their words were corrected by."""
    n_refined = len(refined_sentences(attribution))
    which = "one that matters" if n_refined == 1 else f"{count(n_refined)} that matter"
    said = [f"explained by sentences first, then by the words of the {which} most"]
    corrections = [abs(words.correction or 0.0) for words in attribution.diagnostics.words]
    if any(corrections):
        size = decimal(max(corrections), digits_for(attribution.values))
        said.append(f"up to {size} added to each word so that a sentence is the sum of its words")
    return said


def _own_error(diagnostics: Diagnostics) -> list[str]:
    """Return what a method says of its own fit."""
    r2, held_out, gap = diagnostics.r2, diagnostics.held_out_r2, diagnostics.relative_gap
    said = [] if r2 is None else [f"R² {bare(r2, 2)}"]
    said += [] if held_out is None else [f"held out {bare(held_out, 2)}"]
    return said + ([] if gap is None else [f"gap {percent(gap)}"])


def warnings(attribution: Attribution) -> list[str]:
    """Return what a reader of an attribution must be warned of, in sentences."""
    target, diagnostics = visible(attribution.target.label), attribution.diagnostics
    said = []
    if attribution.grade == "D":
        said.append("grade D: do not rely on these values")
    relative, steps = diagnostics.relative_gap, diagnostics.steps
    if diagnostics.converged is False:
        gap = "" if relative is None else f": gap {percent(relative)}"
        after = "" if steps is None else f" after {count(steps)} steps"
        said.append(f"did not converge{gap}{after}")
    elif misses_its_sum(attribution):
        difference = signed(attribution.full_value - attribution.empty_value)
        total = signed(sum(attribution.values))
        said.append(f"the values add up to {total}, but v(N) − v(empty) is {difference}")
    if diagnostics.special_tokens:
        named = ", ".join(map(visible, diagnostics.special_tokens))
        said.append(f"the text holds {named}, which the model reads as a token of its own")
    said += precision_warnings(attribution)
    if attribution.empty_value > attribution.target.cut and attribution.target.scale != "value":
        said.append(
            f"the model answers “{target}” even for an empty text, so “{target}” is partly its "
            "default"
        )
    return said


def misses_its_sum(attribution: Attribution) -> bool:
    """Return whether an efficient method leaves much of v(N) - v(empty) unexplained."""
    explained = abs(attribution.full_value - attribution.empty_value)
    # Where both ends are equal, rounding alone must not pass for a gap.
    allowed = LARGE_GAP * explained + 1e-6
    return attribution.efficient and abs(attribution.completeness_gap) > allowed
