"""Model and data in, one `AuditRecord` out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import JsonValue
from pydantic_core import to_jsonable_python

from explain.adapters import Describable, PerTextClassifier, TextClassifier, load, wrap
from explain.adapters.base import description_of
from explain.adapters.decision_rule import DecisionRule, thresholds_of
from explain.attribution import AttributionSettings, TargetSpec
from explain.auditing.causes import with_causes
from explain.auditing.criteria import FrozenCriteria, judge
from explain.auditing.endpoint_section import endpoint_section
from explain.auditing.explained import (
    assessed_or_not,
    explain_chosen,
    find_counterfactuals,
    repeats_section,
)
from explain.auditing.gates import gates_of
from explain.auditing.omissions import omissions
from explain.auditing.plan import AuditPlan, with_plan
from explain.auditing.predictions import predictions_of, shown_instances
from explain.auditing.provenance import name_of_table, provenance_of, recorded_options, today
from explain.auditing.resolve import ResolvedPlan, for_model, resolve
from explain.auditing.rows import (
    ask_rows,
    instance_of,
    questions_of,
    rationales_of,
    with_features,
)
from explain.auditing.run_log import Log, RunLog
from explain.auditing.selection import plan_selection
from explain.auditing.tables import check_tables_first, read_tables
from explain.checks import AuditContext
from explain.checks.base.guarded import losses_of_methods, run_guarded
from explain.checks.unanswered import unanswered_rows
from explain.data.dataset import Dataset
from explain.engine import Engine
from explain.engine.games import AttributionRequest, make_target
from explain.engine.repeats import ask_again
from explain.errors import ConfigurationError, EndpointError, PredictionError, SpentError
from explain.evaluation.assessment import Assessment, evaluate_explanations
from explain.record import (
    AuditRecord,
    Counterfactual,
    InstanceRecord,
    MethodTrust,
    ModelDescription,
    Section,
    SelectionPlan,
    Sentence,
    Skipped,
    Truncation,
)
from explain.text.redaction import REPLACEMENT, redacted_record
from explain.text.spans import text_of

__all__ = ["ENDPOINT_ENDED", "audit"]

ENDPOINT_ENDED = "endpoint ended"
"""The event of the log that says that a model was asked no more, and why."""


def audit(
    model: TextClassifier | str | Path | Any,
    data: Any,
    *,
    config: AuditPlan | str | Path | None = None,
    log: Log | None = None,
    **options: Any,
) -> AuditRecord:
    """Return the audit of a model on a table of texts.

    Parameters
    ----------
    model : path, hub id, TextClassifier, or anything that `explain.wrap` takes without labels
        The model.
    data : path, DataFrame, Dataset of the datasets library, or list of dict
        The table.
    config : AuditPlan or path, optional
        A plan, or an ``audit.toml`` (`explain.auditing.plan`).
    log : callable, optional
        Takes each `LogEntry` as it happens: stages and how long they took.
    **options
        Fields of `explain.auditing.plan.AuditPlan`: ``text``, ``label``, ``methods``, ``instances``
        and others. They win over `config`; None stands for one that is not given.

    Raises
    ------
    AdapterError
        If the model cannot be used, or fails on every row.
    ConfigurationError
        If a name or value is unknown, a column of groups or slices is missing, or a criterion asks
        for what no chosen check measures.
    DataError
        If the table cannot be read, or holds a label that the model lacks.
    """
    resolved = resolve(config, options)
    plan, criteria = resolved.plan, options.get("criteria")
    from_file = criteria if isinstance(criteria, FrozenCriteria) else None
    gates = gates_of(plan)
    frozen = from_file or FrozenCriteria.of(plan.criteria, today(), plan.regression_margin)
    run_log = RunLog(log)
    if not frozen.is_empty:
        run_log.note("criteria frozen", sha256=frozen.sha256, on=frozen.frozen_on.isoformat())
    with run_log.stage("load"):
        check_tables_first(model, data, plan)
        classifier = _classifier(model, plan.load_options)
        to_do = for_model(resolved, classifier)
        setting = AttributionSettings.of(
            classifier, unit=plan.unit, masker=plan.masker, seed=plan.seed
        )
        loaded = _read(classifier, data, plan)
    evidence = _measure_or_say_why(loaded, to_do, setting, run_log)
    arguments: dict[str, JsonValue] = {
        **_arguments(to_do),
        "model": str(model) if isinstance(model, str | Path) else loaded.description.name,
        "data": name_of_table(data),
        "target": loaded.target,
        "masker": setting.masker.name,
    }
    record = AuditRecord(
        identity=plan.identity(loaded.description.name),
        provenance=provenance_of(loaded.description, loaded.dataset, arguments, plan.seed),
        criteria=judge(frozen.criteria, evidence.sections, resolved.checks),
        criteria_sha256=None if frozen.is_empty else frozen.sha256,
        regression_margin=frozen.regression_margin,
        criteria_frozen_on=from_file.frozen_on if from_file else None,
        gates=gates,
        omitted=omissions(plan, resolved.checks),
        **evidence.fields(len(loaded.dataset.rows)),
    )
    predictions = predictions_of(evidence.instances, classifier.labels)
    return _without_secrets(record).with_predictions(predictions)


vars(audit)["__signature__"] = with_plan(audit, "options")


@dataclass(frozen=True)
class _Loaded:
    """The model and the tables that are audited."""

    classifier: TextClassifier
    description: ModelDescription
    dataset: Dataset
    training: Dataset | None
    target: str | None
    """The one label that is explained; None for the predicted ones."""


@dataclass(frozen=True)
class _Evidence:
    """All that was measured."""

    sections: tuple[Section, ...]
    trust: tuple[MethodTrust, ...]
    plan: SelectionPlan
    instances: list[InstanceRecord]
    skipped: list[Skipped]

    def fields(self, n_rows: int) -> dict[str, Any]:
        """Return what the record keeps of it, by field."""
        return {
            "rows": n_rows,
            "scored_rows": len(self.instances),
            "sections": self.sections,
            "trust": self.trust,
            "plan": self.plan,
            "instances": shown_instances(self.instances, self.sections),
            "truncation": Truncation.of_rows(self.instances),
            "skipped": tuple(self.skipped),
        }


def _read(classifier: TextClassifier, data: Any, plan: AuditPlan) -> _Loaded:
    """Return the tables as the model takes them."""
    target = _target_label(plan.target, classifier)
    dataset, training = read_tables(classifier, data, plan)
    thresholds = thresholds_of(plan.threshold, classifier.task, classifier.labels)
    description = _describe(classifier).model_copy(update={"thresholds": thresholds})
    return _Loaded(classifier, description, dataset, training, target)


def _measure_or_say_why(
    loaded: _Loaded, to_do: ResolvedPlan, setting: AttributionSettings, run_log: RunLog
) -> _Evidence:
    """Return what was measured; the log says why an endpoint was asked no more, if it was not."""
    try:
        evidence = _measure(loaded, to_do, setting, run_log)
    except PredictionError as error:
        raise _end_of(loaded.classifier) or error from error
    if (end := _end_of(loaded.classifier)) is not None:
        run_log.note(ENDPOINT_ENDED, reason=str(end), spent=isinstance(end, SpentError))
    return evidence


def _measure(
    loaded: _Loaded, to_do: ResolvedPlan, setting: AttributionSettings, run_log: RunLog
) -> _Evidence:
    """Score the rows, explain some, try the methods, and run the checks."""
    classifier, dataset = loaded.classifier, loaded.dataset
    engine, rule = Engine(classifier), DecisionRule.of(loaded.description)
    with run_log.stage("predict", rows=len(dataset.rows)):
        asked, skipped = ask_rows(engine, dataset, setting, rule)
    scored = [instance_of(row, question, classifier, rule) for row, question in asked]
    plan = to_do.plan
    selection, strata = plan_selection(scored, plan.instances, setting.seed, rule)
    posed, without_features = with_features(
        [(row, question) for row, question in asked if row.id in strata], classifier, setting
    )
    skipped += without_features
    chosen = [
        (row, each)
        for row, question in posed
        for each in questions_of(question, classifier, rule, loaded.target)
    ]
    with run_log.stage("repeats"):
        again = _repeats(engine, [question for _, question in chosen], setting, dataset)
    with engine.watch() as watch:
        explained = explain_chosen(engine, chosen, to_do.methods, setting, run_log)
        find_counterfactuals(
            engine, chosen, explained, setting, rule, budget=plan.budget, timer=run_log
        )
    with run_log.stage("trust"):
        texts = [text_of(row.parts) for row, _ in asked]
        work = partial(
            evaluate_explanations, engine, explained.attributions, to_do.methods, setting, texts,
            rationales_of(asked, classifier),
        )  # fmt: skip
        assessed = assessed_or_not(work, explained, dataset, engine, run_log)
    instances = _with_attributions(scored, strata, assessed, explained.counterfactuals)
    skipped += explained.skipped
    context = AuditContext(
        engine, loaded.description, dataset, instances, skipped, selection, setting.seed,
        plan.group, plan.slices, loaded.training, loaded.target,
    )  # fmt: skip
    sections = [
        run_log.timed(check.id, partial(run_guarded, check, context, run_log.failed))
        for check in to_do.checks
    ]
    evaluations = engine.evaluations + assessed.evaluations
    run_log.note("counts", evaluations=evaluations, calls=engine.calls)
    lost = unanswered_rows(context)
    reached = endpoint_section(engine, scored, explained.restarts)
    measured = (
        *lost, *with_causes(sections, context), assessed.section, *explained.unable, *again,
        *losses_of_methods(watch, dataset), *reached,
    )  # fmt: skip
    return _Evidence(measured, assessed.trust, selection, instances, skipped)


def _repeats(
    engine: Engine,
    questions: Sequence[AttributionRequest],
    setting: AttributionSettings,
    dataset: Dataset,
) -> tuple[Section, ...]:
    """Ask for some texts again, and return what was lost then."""
    with engine.watch() as watch:
        ask_again(engine, questions, setting.masker, setting.seed)
    return repeats_section(watch, dataset)


def _with_attributions(
    instances: Sequence[InstanceRecord],
    strata: Mapping[str, str],
    assessment: Assessment,
    counterfactuals: Mapping[str, Sequence[Counterfactual]],
) -> list[InstanceRecord]:
    """Return the instances with what explains them."""
    return [
        instance.model_copy(
            update={
                "stratum": strata.get(instance.id),
                "attributions": tuple(assessment.attributions.get(instance.id, ())),
                "agreements": assessment.agreements.get(instance.id, ()),
                "counterfactuals": tuple(counterfactuals.get(instance.id, ())),
            }
        )
        for instance in instances
    ]


def _arguments(to_do: ResolvedPlan) -> dict[str, JsonValue]:
    """Return what was asked for, as the record keeps it."""
    plan = to_do.plan
    left_out = {
        "tolerance", "budget", "criteria", "system", "check_options", "training", "fail_on",
        "accepted", "regression_margin",
        "kind", "replay", "endpoint",  # What is sent to an endpoint is a fact of the model.
    }  # fmt: skip
    return {
        **{name: value for name, value in plan if name not in left_out},
        "group": list(plan.group),
        "slices": list(plan.slices),
        "training": name_of_table(plan.training),
        "model_options": recorded_options(plan.model_options),
        "methods": {explainer.name: asdict(explainer) for explainer in to_do.methods},
        "checks": {check.id: to_jsonable_python(asdict(check)) for check in to_do.checks},
    }


def _without_secrets(record: AuditRecord) -> AuditRecord:
    """Return a record without keys, which says that some were removed."""
    clean, strings = redacted_record(record)
    if not strings:
        return clean
    section = Section(
        id="removed-secrets",
        title="Removed keys and passwords",
        summary=Sentence(
            "{n} {n:message, setting or cell|messages, settings or cells} of tables held what is, "
            "or looks like, a key or a password. {removed:quoted} stands there now. The explained "
            "texts are unchanged.",
            n=strings,
            removed=REPLACEMENT,
        ),
    )
    return clean.model_copy(update={"sections": (*clean.sections, section)})


def _classifier(model: Any, options: Mapping[str, Any]) -> TextClassifier:
    if isinstance(model, str | Path):
        return load(model, **options)
    if options:
        raise ConfigurationError(
            f"a live object is not loaded, so it has no {min(options)}; leave model_options out"
        )
    return wrap(model)


def _end_of(model: TextClassifier) -> EndpointError | None:
    """Return why a model was asked no more; None if it was, or cannot say so."""
    return model.end_error if isinstance(model, PerTextClassifier) else None


def _target_label(target: TargetSpec, model: TextClassifier) -> str | None:
    """Return the label that is asked for, before anything is scored; None for those predicted."""
    if target is None:
        return None
    return make_target(model, np.zeros(len(model.labels)), target).label


def _describe(model: TextClassifier) -> ModelDescription:
    if isinstance(model, Describable):
        return model.describe()
    return description_of(model)
