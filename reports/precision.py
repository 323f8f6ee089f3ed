"""How exactly a model's answers are known, in words: whether it repeats itself, and rounds."""

from explain.record import Attribution, Interactions, Repeats
from explain.record.wording import decimal
from reports.numbers import count

__all__ = ["precision_warnings", "repeats_note"]


def precision_warnings(result: Attribution | Interactions) -> list[str]:
    """Return in words how far the model's own answers differ, and what its rounding hides."""
    repeats, cap = result.repeats, result.target.cap
    said = []
    if repeats is not None and repeats.scored_alone:
        said.append(
            f"the model's answer to a text depends on the other texts of its batch: "
            f"{count(repeats.differences)} of {count(repeats.answers)} answers differ; for these "
            "values each text was scored alone"
        )
    elif repeats is not None and repeats.differences:
        said.append(
            f"the model does not repeat itself: {count(repeats.differences)} of "
            f"{count(repeats.answers)} answers to the same texts differ from the first, with a "
            f"standard deviation of {_sigma(repeats)}; {_whether_stated(result)}"
        )
    if cap is not None:
        said.append(
            f"log-odds are capped at {decimal(cap, 1)}, since the model rounds to "
            f"{result.target.decimals} decimals; {result.diagnostics.at_cap} of "
            f"{count(result.evaluations)} texts are at the cap"
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
    n = count(repeats.answers)
    return f"Asked the same texts again, the model gave the same answer {n} of {n} times."


def _sigma(repeats: Repeats) -> str:
    return decimal(repeats.sigma, 2) if repeats.sigma >= 0.1 else f"{repeats.sigma:.1g}"


def _whether_stated(result: Attribution | Interactions) -> str:
    """Return whether the noise is part of the stated errors."""
    if isinstance(result, Attribution) and result.standard_errors is None:
        return f"{result.method} does not state how far that moves its values"
    return "the stated errors allow for that"
