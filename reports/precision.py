"""How exactly a model's answers are known, in words: whether it repeats itself, and rounds."""

from explain.record import Attribution, Interactions, Repeats
from explain.record.wording import decimal
from reports.languages import translate as _

__all__ = ["precision_warnings", "repeats_note"]


def precision_warnings(result: Attribution | Interactions) -> list[str]:
    """Return in words how far the model's own answers differ, and what its rounding hides."""
    repeats, cap = result.repeats, result.target.cap
    said = []
    if repeats is not None and repeats.scored_alone:
        said.append(
            _(
                "the model's answer to a text depends on the other texts of its batch: {n} of "
                "{answers} answers differ; for these values each text was scored alone",
                n=repeats.differences,
                answers=repeats.answers,
            )
        )
    elif repeats is not None and repeats.differences:
        said.append(
            _(
                "the model does not repeat itself: {n} of {answers} answers to the same texts "
                "differ from the first, with a standard deviation of {sigma}; {whether_stated}",
                n=repeats.differences,
                answers=repeats.answers,
                sigma=_sigma(repeats),
                whether_stated=_whether_stated(result),
            )
        )
    if cap is not None:
        said.append(
            _(
                "log-odds are capped at {cap}, since the model rounds to {decimals} decimals; "
                "{at_cap} of {n} texts are at the cap",
                cap=decimal(cap, 1),
                decimals=result.target.decimals,
                at_cap=result.diagnostics.at_cap,
                n=result.evaluations,
            )
        )
    return said


def repeats_note(repeats: Repeats | None) -> str:
    """Return in a sentence that a model repeats itself; nothing if it does not, or was not asked.

    Examples
    --------
    >>> repeats_note(Repeats(texts=4, answers=6, differences=0, sigma=0.0, degrees_of_freedom=6))
    'Asked the same texts again, the model gave the same answer 6 of 6 times.'
    """
    if repeats is None or repeats.differences:
        return ""
    return _(
        "Asked the same texts again, the model gave the same answer {n} of {n} times.",
        n=repeats.answers,
    )


def _sigma(repeats: Repeats) -> str:
    return decimal(repeats.sigma, 2) if repeats.sigma >= 0.1 else f"{repeats.sigma:.1g}"


def _whether_stated(result: Attribution | Interactions) -> str:
    """Return whether the noise is part of the stated errors."""
    if isinstance(result, Attribution) and result.standard_errors is None:
        return _("{method} does not state how far that moves its values", method=result.method)
    return _("the stated errors allow for that")
