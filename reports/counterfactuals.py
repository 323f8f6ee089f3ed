"""What would have changed an answer, and what suffices for it, in sentences."""

from collections.abc import Iterator, Sequence

from explain.record import Counterfactual, DecisiveSet
from reports.languages import translate as _
from reports.numbers import probability
from reports.text import shorten, visible
from reports.values import repeat_numbers, with_places

__all__ = ["decisive_sentences"]

LONGEST = 40
"""Characters of a feature that are shown: a word is shorter, a sentence is cut."""

UNITS = {"token": ("token", "tokens"), "sentence": ("sentence", "sentences")}
"""What features are called; otherwise they are words."""

WITHOUT = {
    "answer": "Without {features:quoted-and} the answer would be {label:quoted} (p {p}).",
    "lost": "Without {features:quoted-and} the model would not say {label:quoted} (p {p}).",
    "won": "Without {features:quoted-and} the model would say {label:quoted} (p {p}).",
}


def decisive_sentences(counterfactual: Counterfactual, *, multi_label: bool) -> tuple[str, ...]:
    """Return what the counterfactual of a label says, the answer first.

    Parameters
    ----------
    counterfactual : Counterfactual
        What was found of the label.
    multi_label : bool
        Whether other labels can be given beside the one under question.
    """
    said = [*_necessary(counterfactual, multi_label=multi_label), *_sufficient(counterfactual)]
    stated = [
        decisive
        for decisive in (counterfactual.necessary, counterfactual.sufficient)
        if decisive.places is not None
    ]
    if any(decisive.is_confirmed is None for decisive in stated):
        said.append(_("The model gave no answer when it was asked once more."))
    if any(decisive.is_confirmed is False for decisive in stated):
        said.append(
            _(
                "Asked once more, the model gave another answer to one of these texts: do not rely "
                "on this."
            )
        )
    said.append(_cost(counterfactual.evaluations, counterfactual.reused))
    return tuple(said)


def _cost(evaluations: int, reused: int) -> str:
    """Return how many texts were looked at, and how many of them were scored for this search."""
    if reused == evaluations:
        return _(
            "(Found among the {n} {n:text|texts} that were scored for the values.)", n=evaluations
        )
    return _(
        "({n} {n:text|texts} scored for this, beside {reused} that were scored for the values.)",
        n=evaluations - reused,
        reused=reused,
    )


def _necessary(counterfactual: Counterfactual, *, multi_label: bool) -> Iterator[str]:
    decisive, (unit, units) = counterfactual.necessary, _units(counterfactual)
    if decisive.places is None:
        if decisive.all_tried >= len(counterfactual.spans):
            yield _("No removal of {units} changes the answer: every set was tried.", units=units)
            return
        yield _("We found no {units} whose removal changes the answer.", units=units)
        if decisive.all_tried:
            yield _all_tried(decisive, unit, units)
        return
    way = "answer" if not multi_label else "lost" if counterfactual.is_given else "won"
    label = counterfactual.target.label if multi_label else decisive.predicted
    yield _(
        WITHOUT[way],
        features=_features(counterfactual, decisive),
        label=visible(label or ""),
        p=probability(decisive.probability or 0.0),
    )
    yield from _how_small(decisive, unit, units)


def _sufficient(counterfactual: Counterfactual) -> Iterator[str]:
    decisive, (unit, units) = counterfactual.sufficient, _units(counterfactual)
    if decisive.places is None:
        return
    if not decisive.places:
        yield _(
            "With all {units} removed, the model still gives the explained answer, its default.",
            units=units,
        )
        return
    yield _(
        "If only {features:quoted-and} {n:remains|remain}, the answer stays the same.",
        features=_features(counterfactual, decisive),
        n=len(decisive.places),
    )
    yield from _how_small(decisive, unit, units)


def _how_small(decisive: DecisiveSet, unit: str, units: str) -> Iterator[str]:
    """Yield whether the set is the smallest, and whether others of its size do the same."""
    n = len(decisive.places or ())
    if (others := (decisive.n_equal or 1) - 1) > 0:
        if n > 1:
            template = (
                "The same holds for {others} other {others:set|sets} of {n} {units}, and for none "
                "that is smaller."
            )
        elif others > 1:
            template = "The same holds for each of {others} other {units} alone."
        else:
            template = "The same holds for one other {unit} alone."
        yield _(template, others=others, n=n, unit=unit, units=units)
    elif decisive.smallest and n > 1:
        yield _("No smaller set of {units} does this.", units=units)
    elif not decisive.smallest:
        yield _("This is the smallest set that we found; there may be a smaller one.")
        if decisive.all_tried:
            yield _all_tried(decisive, unit, units)


def _all_tried(decisive: DecisiveSet, unit: str, units: str) -> str:
    if decisive.all_tried == 1:
        return _("Each {unit} was tried alone.", unit=unit)
    return _("All sets of up to {n} {units} were tried.", n=decisive.all_tried, units=units)


def _units(counterfactual: Counterfactual) -> tuple[str, str]:
    one, several = UNITS.get(str(counterfactual.parameters.get("unit")), ("word", "words"))
    return _(one), _(several)


def _features(counterfactual: Counterfactual, decisive: DecisiveSet) -> Sequence[str]:
    spans = [counterfactual.spans[place] for place in decisive.places or ()]
    numbers = repeat_numbers(counterfactual.parts, counterfactual.spans)
    texts = counterfactual.features_of(decisive)
    return [
        with_places(shorten(text, LONGEST), numbers[span])
        for text, span in zip(texts, spans, strict=True)
    ]
