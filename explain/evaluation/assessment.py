"""Whether the explanations of an audit can be believed: each method and each attribution graded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from explain.attribution import AttributionSettings, make_requests
from explain.attribution.methods import Explainer
from explain.engine import Engine
from explain.engine.games import AttributionRequest
from explain.errors import CapabilityError, ExplainError
from explain.evaluation.agreement import FEWEST_FEATURES, agreements
from explain.evaluation.faithfulness import Faithfulness, faithfulness
from explain.evaluation.flags import Flag, MetricResult
from explain.evaluation.grades import (
    faithfulness_flag,
    graded,
    method_trust,
    shared_results,
)
from explain.evaluation.infidelity import Infidelity, infidelities
from explain.evaluation.known_value_results import known_values_results
from explain.evaluation.known_values import KnownValues, known_values
from explain.evaluation.plausibility import Rationale, plausibility, plausibility_results
from explain.evaluation.positive_control import PositiveControl, positive_control
from explain.evaluation.randomisation import randomised, resemblances
from explain.evaluation.reliability_section import recall_result, trust_section
from explain.evaluation.scorecard import (
    agreement_result,
    dispute_result,
    disputes,
    faithfulness_results,
    infidelity_result,
    randomisation_result,
    sensitivity_result,
    stability_results,
)
from explain.evaluation.sensitivity import max_sensitivities
from explain.evaluation.stability import stability
from explain.record import (
    Agreement,
    Attribution,
    Measure,
    MethodTrust,
    NotMeasured,
    Section,
    Sentence,
    Unit,
    without_full_stop,
)
from explain.statistics.intervals import mean
from explain.text.spans import Text, text_of

__all__ = ["ERASED", "MOST_REPEATED", "Assessment", "evaluate_explanations"]

MOST_REPEATED = 6
"""Explanations of a method that are made again: with another seed, near by, of a random model.

With eight, grading 100 explained rows of SST-2 took longer than explaining them, 49.0 s and 46.3 s.
"""

TWIN_BUDGET = 64
"""Evaluations, or gradients, of a text that are asked of a copy with random parameters."""

ERASED = 32
"""Instances from which features are removed: some 80 evaluations each, and as many explanations
as a mean over a method needs."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What an audit record holds of the reliability of its explanations.

    Attributes
    ----------
    attributions : dict of str to list of Attribution
        The attributions of each instance, graded, in the order given.
    trust : tuple of MethodTrust
        Each method that explained something.
    agreements : dict of str to tuple of Agreement
        How far the methods agree on each instance.
    section : Section
        The section ``trust``.
    evaluations : int
        Distinct texts scored, and gradients taken, of other models than that of the audit: for the
        positive control, and of the randomised copy.
    """

    attributions: dict[str, list[Attribution]]
    trust: tuple[MethodTrust, ...]
    agreements: dict[str, tuple[Agreement, ...]]
    section: Section
    evaluations: int


def evaluate_explanations(
    engine: Engine,
    attributions: Mapping[str, Sequence[Attribution]],
    explainers: Sequence[Explainer],
    setting: AttributionSettings,
    texts: Sequence[Text],
    rationales: Mapping[str, Rationale] | None = None,
) -> Assessment:
    """Grade methods and attributions, by what they say of themselves, by the control, by metrics.

    Parameters
    ----------
    engine : Engine
        The way to the model.
    attributions : mapping of str to sequence of Attribution
        The attributions of each instance, by its id.
    explainers : sequence of Explainer
        The methods; those that explained nothing are left out.
    setting : AttributionSettings
        Masker and seed of the audit.
    texts : sequence of str or pair of str
        Texts of the table; the positive control draws from them.
    rationales : mapping of str to Rationale, optional
        What people marked in the texts, by the id of the instance.
    """
    by_method: dict[str, list[tuple[str, Attribution]]] = {}
    for instance, of_instance in attributions.items():
        for attribution in of_instance:
            by_method.setdefault(attribution.method, []).append((instance, attribution))
    used = [explainer for explainer in explainers if explainer.name in by_method]
    erased = _erased(engine, attributions, setting)
    agreed = {instance: agreements(found) for instance, found in attributions.items()}
    nothing = NotMeasured(reason="no method explained anything")
    control = _control(engine, texts, used, setting) if used else nothing
    known = _known_values(engine, texts, used, setting)
    again = _Repetition.of(engine, by_method, setting)
    results = {
        e.name: [
            *_recalls(e.name, control),
            *known_values_results(known[e.name]),
            *shared_results([a for _, a in by_method[e.name]]),
            *erased.of_methods[e.name],
            *again.results(e),
            agreement_result(e.name, [one for found in agreed.values() for one in found]),
            *plausibility_results(plausibility(rationales or {}, by_method[e.name])),
        ]
        for e in used
    }
    poor = {e.name for e in used if _method(e, results[e.name]).grade == "D"}
    opposed = disputes([one for found in agreed.values() for one in found])
    for name, found in results.items():
        found.append(dispute_result(name, opposed, poor))
    trust = {e.name: _method(e, results[e.name]) for e in used}
    other = 0 if isinstance(control, NotMeasured) else control.evaluations
    return Assessment(
        attributions={
            instance: [
                graded(a, trust[a.method], flags=own.flags, quality=own.measures)
                for a, own in zip(attributions, erased.of_instances[instance], strict=True)
            ]
            for instance, attributions in attributions.items()
        },
        trust=tuple(trust.values()),
        agreements=agreed,
        section=trust_section(tuple(trust.values()), control, known, agreed, results),
        evaluations=other + again.evaluations,
    )


@dataclass(frozen=True, slots=True)
class _OwnEvidence:
    """What metrics say of one attribution."""

    flags: Sequence[Flag]
    measures: Sequence[Measure] = ()


@dataclass(frozen=True, slots=True)
class _Erased:
    """What removing features says of each method, and of each attribution of an instance."""

    of_methods: dict[str, list[MetricResult]]
    of_instances: dict[str, list[_OwnEvidence]]


def _erased(
    engine: Engine, attributions: Mapping[str, Sequence[Attribution]], setting: AttributionSettings
) -> _Erased:
    """Return comprehensiveness, sufficiency and infidelity, each against random values.

    They are measured on instances drawn at random; the others are graded without them.
    """
    drawn = np.random.default_rng(setting.seed).permutation(len(attributions))[:ERASED]
    some = {list(attributions)[number] for number in drawn}
    flat = [(instance, a) for instance, found in attributions.items() for a in found]
    given = [a for instance, a in flat if a.spans and instance in some]
    ranked = iter(faithfulness(engine, given, setting.masker, setting.seed))
    fitted = iter(infidelities(engine, given, setting.masker, setting.seed))
    of_instances: dict[str, list[_OwnEvidence]] = {instance: [] for instance in attributions}
    rankings: dict[str, list[Faithfulness]] = {a.method: [] for _, a in flat}
    fits: dict[str, list[Infidelity]] = {a.method: [] for _, a in flat}
    units = {a.method: _unit(a) for _, a in flat}
    for instance, attribution in flat:
        if instance not in some:
            of_instances[instance].append(_OwnEvidence([_NOT_DRAWN]))
            continue
        ranking = next(ranked) if attribution.spans else None
        fit = next(fitted) if attribution.spans else None
        if isinstance(ranking, Faithfulness):
            rankings[attribution.method].append(ranking)
        if isinstance(fit, Infidelity):
            fits[attribution.method].append(fit)
        of_instances[instance].append(_own_evidence(ranking, fit, _unit(attribution)))
    return _Erased(
        {
            method: [
                *faithfulness_results(rankings[method], units[method]),
                infidelity_result(fits[method]),
            ]
            for method in rankings
        },
        of_instances,
    )


_NOT_DRAWN = Flag(
    "comprehensiveness",
    "not measured",
    Sentence(
        "This ranking was not compared with random ones; {n} other instances were drawn for that.",
        n=ERASED,
    ),
)


def _own_evidence(ranking: object, fit: object, unit: Unit) -> _OwnEvidence:
    """Return what removing features says of one attribution, over the random rankings."""
    gained: Measure | None = None
    spread = 0.0
    measures: list[Measure] = []
    if isinstance(ranking, Faithfulness):
        gained = mean("comprehensiveness minus random", ranking.comprehensiveness.tolist(), unit)
        kept = mean("sufficiency minus random", ranking.sufficiency.tolist(), unit)
        measures += [gained, kept]
        spread = float(ranking.comprehensiveness.std())
    if isinstance(fit, Infidelity):
        lost = (fit.random - fit.observed).tolist()
        measures.append(mean("infidelity of random values minus its own", lost, "proportion"))
    return _OwnEvidence([faithfulness_flag(gained, spread, "this ranking", fatal=False)], measures)


def _unit(attribution: Attribution) -> Unit:
    return "coefficient" if attribution.target.scale == "value" else "log_odds"


@dataclass(frozen=True, slots=True)
class _Repetition:
    """A few explanations that are made again, and the models that are asked for them."""

    engine: Engine
    randomised_engine: Engine | NotMeasured
    sample: dict[str, list[tuple[AttributionRequest, Attribution]]]
    setting: AttributionSettings

    @classmethod
    def of(
        cls,
        engine: Engine,
        by_method: Mapping[str, Sequence[tuple[str, Attribution]]],
        setting: AttributionSettings,
    ) -> "_Repetition":
        """Draw the explanations: the same predictions for all methods, as far as they have them."""
        keys = sorted({_key(i, a) for found in by_method.values() for i, a in found})
        shuffled = np.random.default_rng(setting.seed).permutation(len(keys))
        place = {keys[number]: at for at, number in enumerate(shuffled)}
        sample: dict[str, list[tuple[AttributionRequest, Attribution]]] = {}
        for method, found in by_method.items():
            usable = [(i, a) for i, a in found if len(a.spans) >= FEWEST_FEATURES]
            chosen = [
                a for _, a in sorted(usable, key=lambda one: place[_key(*one)])[:MOST_REPEATED]
            ]
            texts = [text_of(a.parts) for a in chosen]
            posed = make_requests(engine, texts, setting, [a.target.index for a in chosen])
            sample[method] = [
                (question, a)
                for question, a in zip(posed, chosen, strict=True)
                if isinstance(question, AttributionRequest)
            ]
        nothing = NotMeasured(reason="no method explained anything")
        randomised_model = _randomised_model(engine, setting) if keys else nothing
        return cls(engine, randomised_model, sample, setting)

    def results(self, explainer: Explainer) -> list[MetricResult]:
        """Return what another seed or other baselines, points near by and random parameters say."""
        asked = self.sample[explainer.name]
        moved = max_sensitivities(self.engine, asked, explainer, self.setting)
        resembling = (
            self.randomised_engine
            if isinstance(self.randomised_engine, NotMeasured)
            else resemblances(
                self.randomised_engine, _thrifty(explainer), [a for _, a in asked], self.setting
            )
        )
        return [
            *stability_results(stability(self.engine, asked, explainer, self.setting)),
            sensitivity_result(explainer.name, moved),
            randomisation_result(resembling),
        ]

    @property
    def evaluations(self) -> int:
        """Distinct texts that the randomised model scored, and gradients taken of it."""
        return (
            0
            if isinstance(self.randomised_engine, NotMeasured)
            else self.randomised_engine.evaluations
        )


def _key(instance: str, attribution: Attribution) -> tuple[str, int]:
    return instance, attribution.target.index


def _thrifty(explainer: Explainer) -> Explainer:
    """Return the method with a budget that suffices for a ranking, if it has a larger one.

    Of a random model no method gets certain, and each would spend all that it may.
    """
    budget = getattr(explainer, "budget", None)
    if not isinstance(budget, int) or budget <= TWIN_BUDGET:
        return explainer
    return replace(explainer, budget=TWIN_BUDGET)


def _randomised_model(engine: Engine, setting: AttributionSettings) -> Engine | NotMeasured:
    """Return the way to a copy of the model with random parameters, or why there is none."""
    if engine.pulse.given_up is not None:
        return NotMeasured(reason=engine.pulse.given_up)
    try:
        return Engine(randomised(engine.classifier, setting.seed))
    except CapabilityError as error:
        return NotMeasured(reason=str(error))


def _control(
    engine: Engine,
    texts: Sequence[Text],
    explainers: Sequence[Explainer],
    setting: AttributionSettings,
) -> PositiveControl | NotMeasured:
    try:
        return positive_control(
            engine.classifier,
            texts,
            explainers,
            masker=setting.masker,
            seed=setting.seed,
            pulse=engine.pulse,
        )
    except ExplainError as error:
        return NotMeasured(reason=str(error))


def _known_values(
    engine: Engine,
    texts: Sequence[Text],
    explainers: Sequence[Explainer],
    setting: AttributionSettings,
) -> dict[str, KnownValues]:
    """Return what each method says where the truth is known, or why that was not measured."""
    try:
        found = known_values(engine, texts, explainers, masker=setting.masker, seed=setting.seed)
    except ExplainError as error:
        return {e.name: KnownValues(e.name, reason=str(error)) for e in explainers}
    return {one.method: one for one in found}


def _recalls(method: str, control: PositiveControl | NotMeasured) -> list[MetricResult]:
    """Return how often a method finds planted rules, or why that was not measured."""
    if isinstance(control, NotMeasured):
        said = Sentence(
            "We could not measure whether it finds a planted rule: {reason}.",
            reason=without_full_stop(control.reason),
        )
        name = "positive control"
        return [MetricResult(name, None, None, Flag(name, "not measured", said, is_needed=True))]
    return [recall_result(recall) for recall in control.recalls if recall.method == method]


def _method(explainer: Explainer, results: Sequence[MetricResult]) -> MethodTrust:
    return method_trust(
        explainer,
        [result.flag for result in results if result.flag is not None],
        [result.measure for result in results if result.measure is not None],
    )
