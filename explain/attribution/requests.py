"""One prediction, or many, attributed to the features of their texts."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TypeAlias, overload

import numpy as np
from pydantic import JsonValue

from explain.adapters import TextClassifier, TokenizedClassifier, wrap
from explain.attribution.methods import (
    MOST_WORDS,
    Estimate,
    Explainer,
    PerturbationExplainer,
    RefinedEstimate,
    WhiteBoxExplainer,
    make_explainer,
    sentence_runs,
    sentences_then_words,
)
from explain.attribution.units import UNITS, segment
from explain.engine import Engine, Outcome
from explain.engine.games import (
    AttributionRequest,
    MaskedTextGame,
    Masker,
    Plan,
    default_masker,
    make_target,
)
from explain.engine.repeats import ask_again
from explain.errors import CapabilityError, ConfigurationError, ExplainError, nearest
from explain.record import Attribution, Attributions, Group
from explain.text.redaction import redacted_record
from explain.text.spans import Segmentation, Span, Text, text_of

__all__ = [
    "AttributionSettings",
    "TargetSpec",
    "attribute",
    "attribute_batch",
    "features_of",
    "make_requests",
]

TargetSpec: TypeAlias = str | int | None
"""A label that is to be explained, or its index; None for the predicted one."""


@dataclass(frozen=True, slots=True)
class AttributionSettings:
    """What all attributions of a run have in common.

    Attributes
    ----------
    unit : {"word", "token", "sentence", "auto"}
        What a feature is.
    masker : Masker
        What stands in for a removed feature.
    seed : int
        Seed of the random streams.
    """

    unit: str
    masker: Masker
    seed: int = 0

    @classmethod
    def of(
        cls,
        model: TextClassifier,
        *,
        unit: str = "word",
        masker: str | Masker | None = None,
        seed: int = 0,
    ) -> "AttributionSettings":
        """Return the setting for a model, its mask token included.

        Raises
        ------
        CapabilityError
            If the model has no mask token, or tells no tokens, that were asked for.
        ConfigurationError
            If there is no such unit or masker.
        """
        if unit not in UNITS:
            raise ConfigurationError(f"there is no unit {unit!r}; {nearest(unit, UNITS)}")
        if unit == "token" and not isinstance(model, TokenizedClassifier):
            raise CapabilityError(f"{model.name} does not tell its tokens; pass unit='word'")
        if not callable(masker):
            masker = default_masker(model, masker)
        return cls(unit, masker, seed)


@overload
def attribute(
    model: object,
    texts: Text,
    *,
    method: str | Explainer = ...,
    target: TargetSpec = ...,
    unit: str = ...,
    masker: str | Masker | None = ...,
    seed: int = ...,
    **options: object,
) -> Attribution: ...


@overload
def attribute(
    model: object,
    texts: list[Text] | list[str] | list[tuple[str, str]],
    *,
    method: str | Explainer = ...,
    target: TargetSpec | Sequence[TargetSpec] = ...,
    unit: str = ...,
    masker: str | Masker | None = ...,
    seed: int = ...,
    **options: object,
) -> Attributions: ...


def attribute(
    model: object,
    texts: Text | list[Text] | list[str] | list[tuple[str, str]],
    *,
    method: str | Explainer = "shap",
    target: TargetSpec | Sequence[TargetSpec] = None,
    unit: str = "word",
    masker: str | Masker | None = None,
    seed: int = 0,
    **options: object,
) -> Attribution | Attributions:
    """Return the attribution of a text, or of each text of a list.

    Those of a list are a list, which a notebook shows as one table.

    Parameters
    ----------
    model : TextClassifier, or anything that `explain.wrap` takes without labels
        The model.
    texts : str, pair of str, or list of them
        One text (a pair is a tuple), or many.
    method : str or Explainer
        A name of `explain.attribution.methods.METHODS`, or an instance.
    target : str, int or None, or list of them
        Label that is explained, or its index; None for the predicted one of each text. A list
        names one for each text of a list. Several targets of one text, given as often as it has
        targets, share their evaluations: each text is scored once. Only gradients, and shap with
        ``algorithm="partition"``, which follows the values that it sees, pay for each target.
    unit : {"word", "token", "sentence", "auto"}
        What a feature is. ``auto`` is for texts that may be long: one of more than 60 words is
        explained by sentences first and then by the words of those that matter most, as
        `explain.attribution.hierarchy.sentences_then_words` has it; the sentences with their values
        are the `groups` of the attribution. A shorter text is explained by words, and so is every
        text by a method of gradients, to which words cost no more than sentences.
    masker : {"mask_token", "delete"}, Masker or None
        What stands in for a removed feature; None for the mask token where there is one.
    seed : int
        The same seed, text, target and method give the same attribution. All methods and targets
        of a text draw from the same random stream, so that they can share evaluations.
    **options
        Options of the method, such as ``budget`` or ``algorithm``; unknown ones are refused.

    Raises
    ------
    AdapterError
        If the model cannot be used, lacks what the method needs, or fails on a text.
    BudgetError
        If the budget is too small for the method.
    ConfigurationError
        If a name or value is unknown, or targets are not one for each text.
    SegmentationError
        If a text is no text.
    """
    many: list[Text] = list(texts) if isinstance(texts, list) else [texts]
    targets = _one_each(target, texts)
    explainer = make_explainer(method, **options)
    engine = Engine(wrap(model))
    settings = AttributionSettings.of(engine.classifier, unit=unit, masker=masker, seed=seed)
    requests = []
    for request in make_requests(engine, many, settings, targets):
        if isinstance(request, ExplainError):
            raise request
        requests.append(request)
    masker_of_method = None if isinstance(explainer, WhiteBoxExplainer) else settings.masker
    ask_again(engine, requests, masker_of_method, seed)
    outcomes = attribute_batch(engine, requests, explainer, settings)
    attributions = Attributions(redacted_record(outcome.unwrap())[0] for outcome in outcomes)
    return attributions if isinstance(texts, list) else attributions[0]


def _one_each(
    target: TargetSpec | Sequence[TargetSpec], texts: object
) -> Sequence[TargetSpec] | None:
    """Return one target for each text; None where all are asked for their predicted label."""
    n_texts = len(texts) if isinstance(texts, list) else 1
    if target is None:
        return None
    if isinstance(target, str) or not isinstance(target, Sequence | np.ndarray):
        return [target] * n_texts
    if not isinstance(texts, list):
        raise ConfigurationError(
            f"{len(target)} targets for one text; pass the text once for each, as a list"
        )
    if len(target) != n_texts:
        raise ConfigurationError(
            f"{len(target)} targets for {n_texts} texts; pass one for each text, or one for all"
        )
    return list(target)


def make_requests(
    engine: Engine,
    texts: Sequence[Text],
    settings: AttributionSettings,
    targets: Sequence[TargetSpec] | None = None,
    *,
    with_features: bool = True,
) -> list[AttributionRequest | ExplainError]:
    """Return the request for each text, or why there is none.

    `targets` names one label for each text; without it the predicted ones are asked for. To cut
    texts into features takes longer than many a model: what may never be explained goes without,
    and `features_of` gives them.
    """
    unit = settings.unit if with_features else None
    segmentations = segment(texts, engine.classifier, unit)
    segmented = [s for s in segmentations if isinstance(s, Segmentation)]
    scores = iter(engine.score([text_of(s.parts) for s in segmented]))

    def request_for(
        segmentation: Segmentation, wanted_target: TargetSpec
    ) -> AttributionRequest | ExplainError:
        row = next(scores)
        if isinstance(row, ExplainError):
            return row
        return AttributionRequest(
            segmentation, make_target(engine.classifier, row, wanted_target), row
        )

    return [
        request_for(s, wanted_target) if isinstance(s, Segmentation) else s
        for s, wanted_target in zip(segmentations, targets or [None] * len(texts), strict=True)
    ]


def features_of(
    requests: Sequence[AttributionRequest], model: TextClassifier, settings: AttributionSettings
) -> list[AttributionRequest | ExplainError]:
    """Return requests that were made without features with them, or why a text has none."""
    texts = [text_of(request.segmentation.parts) for request in requests]
    return [
        replace(request, segmentation=features) if isinstance(features, Segmentation) else features
        for request, features in zip(requests, segment(texts, model, settings.unit), strict=True)
    ]


def attribute_batch(
    engine: Engine,
    requests: Sequence[AttributionRequest],
    explainer: Explainer,
    settings: AttributionSettings,
) -> list[Outcome[Attribution]]:
    """Return the attribution of each request, or why there is none.

    Raises
    ------
    CapabilityError
        If the model lacks what the method needs.
    """
    with_decimals = engine.precision.with_decimals
    requests = [replace(q, seed=settings.seed, target=with_decimals(q.target)) for q in requests]
    if isinstance(explainer, WhiteBoxExplainer):
        removal = explainer.removal(engine.classifier)
        outcomes: Sequence[Outcome[Estimate] | Outcome[Estimate | RefinedEstimate]] = engine.open(
            explainer.explain, requests
        )
    else:
        removal = settings.masker.name
        outcomes = engine.run(
            (MaskedTextGame(q.segmentation, settings.masker, q.target) for q in requests),
            (_plan(q, explainer, settings) for q in requests),
        )
    complete = partial(_to_attribution, engine, explainer, settings, removal)
    return list(map(complete, requests, outcomes))


def _to_attribution(
    engine: Engine,
    explainer: Explainer,
    settings: AttributionSettings,
    removal: str,
    request: AttributionRequest,
    outcome: Outcome[Estimate] | Outcome[Estimate | RefinedEstimate],
) -> Outcome[Attribution]:
    """Return an estimate with all that belongs to it."""
    result = outcome.value
    if isinstance(result, ExplainError):
        return Outcome(result, outcome.evaluations)
    segmentation = request.segmentation
    estimate, spans, groups = _lay_out(result, segmentation)
    errors = estimate.standard_errors
    repeats = engine.precision.repeats(request.target)
    attribution = Attribution(
        parts=segmentation.parts,
        spans=spans,
        target=request.target,
        method=explainer.name,
        method_title=explainer.title,
        signed=explainer.signed,
        is_null=explainer.is_null,
        parameters={**_unit(settings.unit, with_sentences=bool(groups)), **asdict(explainer)},
        removal=removal,
        values=tuple(estimate.values.tolist()),
        standard_errors=None if errors is None else tuple(errors.tolist()),
        empty_value=estimate.empty_value,
        full_value=estimate.full_value,
        efficient=explainer.efficient,
        evaluations=outcome.evaluations,
        seed=settings.seed,
        diagnostics=estimate.diagnostics.model_copy(
            update={
                "special_tokens": _special_tokens_in(request, engine.classifier),
                "at_cap": None if request.target.cap is None else outcome.n_capped,
            }
        ),
        unread=segmentation.unread,
        repeats=repeats,
        groups=groups,
    )
    return Outcome(attribution, outcome.evaluations, texts=outcome.texts)


def _plan(
    request: AttributionRequest, explainer: PerturbationExplainer, settings: AttributionSettings
) -> Plan[Estimate | RefinedEstimate]:
    """Return the plan of a method on the features, or on sentences first where the unit is auto."""
    n_features = len(request.segmentation)
    rng = request.rng()
    if settings.unit == "auto" and n_features > MOST_WORDS:
        return sentences_then_words(explainer, sentence_runs(request.segmentation), rng)
    return explainer.plan(n_features, rng)


def _unit(unit: str, *, with_sentences: bool) -> dict[str, JsonValue]:
    """Return the unit that was asked for, and what came of it where that was left open."""
    if unit != "auto":
        return {"unit": unit}
    return {"unit": unit, "features": "sentences, then words" if with_sentences else "words"}


def _lay_out(
    result: Estimate | RefinedEstimate, segmentation: Segmentation
) -> tuple[Estimate, tuple[Span, ...], tuple[Group, ...]]:
    """Return the values of the features, the features, and the sentences where there are any."""
    if isinstance(result, Estimate):
        return result, segmentation.spans, ()

    def span_of_run(run: range) -> Span:
        first, last = segmentation.spans[run[0]], segmentation.spans[run[-1]]
        return Span(first.part, first.start, last.end)

    errors = result.outer.standard_errors
    groups = tuple(
        Group(
            span=span_of_run(run),
            value=float(result.outer.values[number]),
            standard_error=None if errors is None else float(errors[number]),
        )
        for number, run in enumerate(result.groups)
    )
    return result.estimate(), tuple(map(span_of_run, result.features)), groups


def _special_tokens_in(request: AttributionRequest, model: TextClassifier) -> tuple[str, ...]:
    """Return the model's own special tokens that the user has written out."""
    special = model.special_tokens if isinstance(model, TokenizedClassifier) else ()
    return tuple(t for t in special if any(t in part for part in request.segmentation.parts))
