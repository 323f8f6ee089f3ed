"""The conformance kit: whether a model keeps the contract that every explanation rests on.

An adapter of your own is checked in your own tests::

    from explain.testing import check_classifier
    from mine import MyClassifier

    def test_my_classifier_keeps_the_contract():
        assert check_classifier(MyClassifier()).failed == ()

and a saved model on the command line with ``explain check-model FOLDER``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from explain.adapters import TextClassifier, wrap
from explain.adapters.failures import failure
from explain.errors import CapabilityError, ConfigurationError
from explain.record import Conformance, ConformanceRow, Outcome
from explain.testing import gradients, scores, tokens
from explain.testing.subject import PAIRS, TEXTS, Fault, NotApplicable, Subject
from explain.text.redaction import redacted_record
from explain.text.spans import Text, parts_of

__all__ = ["CHECKS", "PAIRS", "TEXTS", "Conformance", "ConformanceRow", "check_classifier"]

ROUNDING = 1e-5
"""Largest difference between one batch and another in float32: 6e-7 seen, and a margin."""

CHECKS: Mapping[str, Callable[[Subject], str]] = {
    **scores.CHECKS,
    **tokens.CHECKS,
    **gradients.CHECKS,
}
"""All checks by name. Each returns what it measured, or raises `Fault` or `NotApplicable`."""

BASIC = ("shape", "finite")
"""Checks without which no other one can be made."""


def check_classifier(
    model: Any, texts: Sequence[Text] | None = None, *, tolerance: float | None = None
) -> Conformance:
    """Check that a model keeps the contract of a classifier, and what it offers beyond it.

    A model that fails raises nothing: each check that fails is a row that says what was seen, what
    was expected and what to do. Checks of what the model does not offer are not applicable.

    Parameters
    ----------
    model : TextClassifier or object
        The model, or anything that `explain.wrap` takes without further arguments.
    texts : sequence of str, or of pairs of str, optional
        Ordinary texts of the model's domain, two or more that differ; pairs for a model that reads
        pairs. By default `TEXTS`, or `PAIRS` for a model that refuses single texts.
    tolerance : float, optional
        Largest difference that counts as rounding, relative to scores beyond one. By default 1e-5,
        and ten times the precision of the weights where they are in half precision.

    Returns
    -------
    Conformance
        A row for each check; `ok` tells whether none failed, `failed` lists those that did.

    Raises
    ------
    AdapterError
        If `model` is nothing that can be wrapped.
    ConfigurationError
        If `texts` are fewer than two that differ, or mix single texts and pairs.

    Examples
    --------
    >>> def exclaims(texts):
    ...     return [[1.0, 0.0] if text.endswith("!") else [0.0, 1.0] for text in texts]
    >>> import explain
    >>> result = check_classifier(explain.wrap(exclaims, labels=["yes", "no"]), ["Oh!", "No."])
    >>> result.ok
    True
    """
    classifier = wrap(model)
    test_texts = _readable(classifier) if texts is None else _require_texts(texts)
    if tolerance is None:
        tolerance = _rounding(classifier)
    subject = Subject(classifier, test_texts, tolerance)
    rows: list[ConformanceRow] = []
    for name, check in CHECKS.items():
        broken = [row.check for row in rows if row.check in BASIC and row.outcome == "fail"]
        if broken:
            outcome, detail = _not_applicable(f"cannot be told while “{broken[0]}” fails")
        else:
            outcome, detail = _run(check, subject)
        rows.append(ConformanceRow(check=name, outcome=outcome, detail=detail))
    return redacted_record(
        Conformance(model=str(classifier.name), tolerance=subject.tolerance, rows=tuple(rows))
    )[0]


def _run(check: Callable[[Subject], str], subject: Subject) -> tuple[Outcome, str]:
    try:
        return "pass", check(subject)
    except (NotApplicable, CapabilityError) as reason:
        return _not_applicable(str(reason))
    except Fault as fault:
        return "fail", str(fault)
    except (Exception, SystemExit) as error:
        return "fail", str(failure(subject.model.name, error))


def _not_applicable(reason: str) -> tuple[Outcome, str]:
    return "not applicable", reason


def _rounding(model: TextClassifier) -> float:
    precision = gradients.half_precision(model)
    return ROUNDING if precision is None else 10 * precision


def _require_texts(texts: Sequence[Text]) -> tuple[Text, ...]:
    if len(set(texts)) < 2 or len({len(parts_of(text)) for text in texts}) > 1:
        raise ConfigurationError(
            f"{len(set(texts))} texts that differ were given; pass two or more, all of them single "
            "texts or all of them pairs"
        )
    return tuple(texts)


def _readable(model: TextClassifier) -> tuple[Text, ...]:
    """Return pairs for a model that reads nothing else, single texts for all others."""
    for texts in (TEXTS, PAIRS):
        try:
            model.predict(list(texts))
        except (Exception, SystemExit):
            continue
        return texts
    return TEXTS
