"""Whether the explanations of an audit can be believed: each method and each attribution graded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from explain.attribution import Setting
from explain.checks.trust import recall_measure, trust_section
from explain.engine import Engine
from explain.errors import ExplainError
from explain.explainers import Explainer
from explain.intervals import mean
from explain.metrics.agreement import agreements
from explain.metrics.faithfulness import Faithfulness, faithfulness
from explain.metrics.grades import (
    Verdict,
    faithfulness_verdict,
    graded,
    method_trust,
    recall_verdict,
    shared_verdicts,
)
from explain.metrics.positive_control import PositiveControl, positive_control
from explain.record import Agreement, Attribution, Measure, MethodTrust, Section, Unit
from explain.spans import Text

__all__ = ["Assessment", "Evidence", "assess"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What metrics say of one method, or of one attribution.

    Attributes
    ----------
    faithfulness : Measure or None
        Comprehensiveness minus that of random rankings; None if it was not measured.
    verdicts : sequence of Verdict
        Passes, flags, and what was not measured, of other metrics.
    measures : sequence of Measure
        The numbers behind the verdicts.
    """

    faithfulness: Measure | None = None
    verdicts: Sequence[Verdict] = ()
    measures: Sequence[Measure] = ()

    def all_verdicts(self, subject: str, *, fatal: bool) -> list[Verdict]:
        """Return all verdicts, that on faithfulness first."""
        return [faithfulness_verdict(self.faithfulness, subject, fatal=fatal), *self.verdicts]

    def all_measures(self) -> list[Measure]:
        """Return all numbers, that on faithfulness first."""
        return [*([] if self.faithfulness is None else [self.faithfulness]), *self.measures]


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
        Distinct texts scored for the positive control, and gradients taken.
    """

    attributions: dict[str, list[Attribution]]
    trust: tuple[MethodTrust, ...]
    agreements: dict[str, tuple[Agreement, ...]]
    section: Section
    evaluations: int


def assess(
    engine: Engine,
    explained: Mapping[str, Sequence[Attribution]],
    explainers: Sequence[Explainer],
    setting: Setting,
    texts: Sequence[Text],
) -> Assessment:
    """Grade methods and attributions, by what they say of themselves, by the control, by metrics.

    Parameters
    ----------
    engine : Engine
        The way to the model.
    explained : mapping of str to sequence of Attribution
        The attributions of each instance, by its id.
    explainers : sequence of Explainer
        The methods; those that explained nothing are left out.
    setting : Setting
        Masker and seed of the audit.
    texts : sequence of str or pair of str
        Texts of the table; the positive control draws from them.
    """
    by_method: dict[str, list[Attribution]] = {}
    for attributions in explained.values():
        for attribution in attributions:
            by_method.setdefault(attribution.method, []).append(attribution)
    used = [explainer for explainer in explainers if explainer.name in by_method]
    evidence = _erased(engine, explained, setting)
    agreed = {instance: agreements(found) for instance, found in explained.items()}
    control = _control(engine, texts, used, setting) if used else "no method explained anything"
    trust = {
        e.name: _method(e.name, by_method[e.name], control, evidence.of_methods[e.name])
        for e in used
    }
    return Assessment(
        attributions={
            instance: [
                graded(
                    a,
                    trust[a.method],
                    verdicts=own.all_verdicts("this ranking", fatal=False),
                    quality=own.all_measures(),
                )
                for a, own in zip(attributions, evidence.of_instances[instance], strict=True)
            ]
            for instance, attributions in explained.items()
        },
        trust=tuple(trust.values()),
        agreements=agreed,
        section=trust_section(tuple(trust.values()), control, agreed),
        evaluations=0 if isinstance(control, str) else control.evaluations,
    )


@dataclass(frozen=True, slots=True)
class _Erased:
    """What removing features says of each method, and of each attribution of an instance."""

    of_methods: dict[str, Evidence]
    of_instances: dict[str, list[Evidence]]


def _erased(
    engine: Engine, explained: Mapping[str, Sequence[Attribution]], setting: Setting
) -> _Erased:
    """Return comprehensiveness and sufficiency, each minus those of random rankings."""
    flat = [(instance, a) for instance, found in explained.items() for a in found]
    measured = iter(
        faithfulness(engine, [a for _, a in flat if a.spans], setting.masker, setting.seed)
    )
    of_instances: dict[str, list[Evidence]] = {instance: [] for instance in explained}
    by_method: dict[str, list[Faithfulness]] = {a.method: [] for _, a in flat}
    for instance, attribution in flat:
        found = next(measured) if attribution.spans else None
        if not isinstance(found, Faithfulness):
            of_instances[instance].append(Evidence())
            continue
        by_method[attribution.method].append(found)
        of_instances[instance].append(
            _evidence(found.comprehensiveness.tolist(), found.sufficiency.tolist(), attribution)
        )
    of_methods = {
        method: _evidence(
            [float(f.comprehensiveness.mean()) for f in found],
            [float(f.sufficiency.mean()) for f in found],
            next(a for _, a in flat if a.method == method),
        )
        for method, found in by_method.items()
    }
    return _Erased(of_methods, of_instances)


def _evidence(
    comprehensiveness: Sequence[float], sufficiency: Sequence[float], example: Attribution
) -> Evidence:
    """Return what differences to random rankings say, over those rankings or over instances."""
    unit: Unit = "coefficient" if example.target.scale == "value" else "log_odds"
    return Evidence(
        mean("comprehensiveness minus random", comprehensiveness, unit),
        measures=[mean("sufficiency minus random", sufficiency, unit)],
    )


def _control(
    engine: Engine, texts: Sequence[Text], explainers: Sequence[Explainer], setting: Setting
) -> PositiveControl | str:
    try:
        return positive_control(
            engine.classifier, texts, explainers, masker=setting.masker, seed=setting.seed
        )
    except ExplainError as error:
        return str(error)


def _method(
    name: str,
    attributions: Sequence[Attribution],
    control: PositiveControl | str,
    evidence: Evidence,
) -> MethodTrust:
    if isinstance(control, str):
        said = f"Whether it finds a planted rule was not measured: {control}."
        verdicts = [Verdict("positive control", None, said, needed=True)]
        measures: list[Measure] = []
    else:
        recalls = [recall for recall in control.recalls if recall.method == name]
        verdicts = [recall_verdict(recall) for recall in recalls]
        measures = [recall_measure(recall) for recall in recalls if recall.reason is None]
    return method_trust(
        name,
        [
            *verdicts,
            *shared_verdicts(attributions),
            *evidence.all_verdicts("its rankings", fatal=True),
        ],
        [*measures, *evidence.all_measures()],
    )
