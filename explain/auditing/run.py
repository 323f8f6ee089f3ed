"""Model and data in, one `AuditRecord` out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import JsonValue

from explain.adapters import Describable, TextClassifier, load, wrap
from explain.adapters.base import description_of
from explain.attribution import Setting, Wanted
from explain.attribution.methods import Explainer
from explain.auditing.configuration import Configuration, Criteria, Settings, settle
from explain.auditing.criteria import FrozenCriteria, judge
from explain.auditing.explained import assessed_or_not, explain_chosen, repeats_section
from explain.auditing.omissions import omissions
from explain.auditing.provenance import name_of_table, provenance_of, recorded_options, today
from explain.auditing.rows import (
    ask_rows,
    check_labels_known,
    instance_of,
    questions_of,
    rationales_of,
)
from explain.auditing.run_log import Log, RunLog
from explain.auditing.selection import plan_selection
from explain.checks import AuditContext, Check
from explain.checks.base.guarded import run_guarded
from explain.checks.unanswered import unanswered_rows
from explain.data.dataset import Dataset, read_dataset
from explain.engine import Engine
from explain.engine.games import Masker, make_target
from explain.engine.repeats import ask_again
from explain.errors import ConfigurationError
from explain.evaluation.assessment import Assessment, assess
from explain.record import (
    AuditRecord,
    InstanceRecord,
    MethodTrust,
    ModelDescription,
    Section,
    SelectionPlan,
    Skipped,
    SystemIdentity,
)
from explain.text.redaction import REMOVED, redacted_record
from explain.text.spans import text_of

__all__ = ["audit"]


def audit(
    model: TextClassifier | str | Path | Any,
    data: Any,
    *,
    config: Configuration | str | Path | None = None,
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    id: str | None = None,
    rationale: str | None = None,
    methods: Sequence[str | Explainer] | None = None,
    instances: int | None = None,
    unit: str | None = None,
    target: Wanted = None,
    budget: int | None = None,
    tolerance: float | None = None,
    masker: str | Masker | None = None,
    seed: int = 0,
    group: str | None = None,
    slices: Sequence[str] | None = None,
    training: Any = None,
    checks: Sequence[str | Check] | None = None,
    criteria: Criteria | None = None,
    model_options: Mapping[str, Any] | None = None,
    system: SystemIdentity | None = None,
    log: Log | None = None,
) -> AuditRecord:
    """Return the audit of a model on a table of texts.

    Parameters
    ----------
    model : path, hub id, TextClassifier, or anything that `explain.wrap` takes without labels
        The model.
    data : path, DataFrame, Dataset of the datasets library, or list of dict
        The table.
    config : Configuration or path, optional
        An ``audit.toml``, as `explain.auditing.configuration` has it. Any argument but None wins
        over it.
    text, text_pair, label : str
        Names of its columns, ``text`` for the text by default. Without `label` the performance is
        not measured. Of a multi-label model a label cell is a list, or a text with ``|`` between
        the labels; of a regression a number.
    id : str, optional
        Column by which reviewers know a row: its value is shown beside the instance. The id of the
        instance itself is derived from its text, whatever the table says.
    rationale : str, optional
        Column of what people marked as the reason for the label, see `explain.data.dataset`. How
        well explanations find it is then reported.
    methods : sequence of str or Explainer
        Attribution methods, by default shap, lime and integrated_gradients. One that the model
        cannot serve is reported as not measured.
    instances : int
        How many texts are explained, 50 by default: for the predicted label, or, of a multi-label
        model, for each label with p > .5 (at most 5; the most probable one where there is none).
    unit : {"word", "token", "sentence", "auto"}
        What a feature is, a word by default. Take ``auto`` for a table with long texts: those are
        explained by sentences first and then by the words of the sentences that matter most.
    target : str or int, optional
        The one label for which every chosen text is explained, instead of the predicted ones.
    budget, tolerance : int, float, optional
        Options of all methods given by name that have them; one that no method has is refused.
    masker : {"mask_token", "delete"}, Masker or None
        What stands in for a removed feature; None for the mask token where there is one.
    seed : int
        The same arguments, files, packages and seed give the same bytes of `AuditRecord.to_json`
        on the same day and machine.
    group : str, optional
        Column of the groups that the model is to treat alike.
    slices : sequence of str
        Columns whose values part the table into slices that are measured one by one.
    training : as `data`, optional
        What the model was trained on, under the same column names: texts of the table that occur
        in it are counted.
    checks : sequence of str or Check
        What is checked, by name or as instances with options, your own among them; by default all
        of `explain.checks.CHECKS`. One that is named takes its options from `config`.
    criteria : sequence of Criterion or mapping, or FrozenCriteria, optional
        What the model must reach, frozen and hashed before anything is scored: see
        `explain.auditing.criteria`.
    model_options : mapping, optional
        Options of `explain.load` for a model that is a path or hub id.
    system : SystemIdentity, optional
        What is audited and for whom, in the user's words.
    log : callable, optional
        Takes each `LogEntry` as it happens: stages and how long they took.

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
    if seed < 0:
        raise ConfigurationError(f"seed={seed} is negative; pass 0 or more")
    settings = settle(
        config,
        {
            "text": text,
            "text_pair": text_pair,
            "label": label,
            "id": id,
            "rationale": rationale,
            "methods": methods,
            "instances": instances,
            "unit": unit,
            "target": target,
            "budget": budget,
            "tolerance": tolerance,
            "group": group,
            "slices": slices,
            "training": training,
            "checks": checks,
            "criteria": criteria,
            "system": system,
        },
    )
    kept = criteria if isinstance(criteria, FrozenCriteria) else None
    frozen = kept or FrozenCriteria.of(settings.criteria, today())
    run_log = RunLog(log)
    if frozen.criteria:
        run_log.note("criteria frozen", sha256=frozen.sha256, on=frozen.frozen_on.isoformat())
    with run_log.stage("load"):
        classifier = _classifier(model, model_options or {})
        setting = Setting.of(classifier, unit=settings.unit, masker=masker, seed=seed)
        loaded = _read(classifier, data, settings)
    evidence = _measured(loaded, settings, setting, run_log)
    arguments: dict[str, JsonValue] = {
        **_arguments(settings, loaded),
        "model": str(model) if isinstance(model, str | Path) else loaded.description.name,
        "model_options": recorded_options(model_options or {}),
        "data": name_of_table(data),
        "masker": setting.masker.name,
        "seed": seed,
    }
    record = AuditRecord(
        identity=settings.identity(loaded.description.name),
        provenance=provenance_of(loaded.description, loaded.dataset, arguments, seed),
        rows=len(loaded.dataset.rows),
        sections=evidence.sections,
        criteria=judge(frozen.criteria, evidence.sections, settings.checks),
        criteria_sha256=frozen.sha256 if frozen.criteria else None,
        criteria_frozen_on=kept.frozen_on if kept else None,
        trust=evidence.trust,
        plan=evidence.plan,
        instances=tuple(evidence.instances),
        skipped=tuple(evidence.skipped),
        omitted=omissions(_given(settings, frozen), settings.checks),
    )
    return _without_secrets(record)


@dataclass(frozen=True)
class _Loaded:
    """The model and the tables that are audited."""

    classifier: TextClassifier
    description: ModelDescription
    dataset: Dataset
    training: Dataset | None
    wanted: str | None
    """The one label that is explained; None for the predicted ones."""


@dataclass(frozen=True)
class _Evidence:
    """All that was measured."""

    sections: tuple[Section, ...]
    trust: tuple[MethodTrust, ...]
    plan: SelectionPlan
    instances: list[InstanceRecord]
    skipped: list[Skipped]


def _read(classifier: TextClassifier, data: Any, settings: Settings) -> _Loaded:
    """Return the tables as the model takes them."""
    wanted = _wanted(settings.target, classifier)
    read = partial(
        read_dataset,
        text=settings.text,
        text_pair=settings.text_pair,
        label=settings.label,
        task=classifier.task,
        labels=classifier.labels,
    )
    dataset = read(data, columns=settings.columns, rationale=settings.rationale)
    training = None if settings.training is None else read(settings.training)
    check_labels_known(dataset, classifier)
    return _Loaded(classifier, _describe(classifier), dataset, training, wanted)


def _measured(loaded: _Loaded, settings: Settings, setting: Setting, run_log: RunLog) -> _Evidence:
    """Score the rows, explain some, try the methods, and run the checks."""
    classifier, dataset = loaded.classifier, loaded.dataset
    engine = Engine(classifier)
    with run_log.stage("predict", rows=len(dataset.rows)):
        asked, skipped = ask_rows(engine, dataset, setting)
    scored = [instance_of(row, question, classifier) for row, question in asked]
    plan, strata = plan_selection(scored, settings.instances, setting.seed, classifier.task)
    chosen = [
        (row, posed)
        for row, question in asked
        if row.id in strata
        for posed in questions_of(question, classifier, loaded.wanted)
    ]
    with run_log.stage("repeats"):
        with engine.watch() as watch:
            ask_again(engine, [question for _, question in chosen], setting.masker, setting.seed)
        again = repeats_section(watch, dataset)
    explained = explain_chosen(engine, chosen, settings.methods, setting, run_log)
    with run_log.stage("trust"):
        texts = [text_of(row.parts) for row, _ in asked]
        marked = rationales_of(asked, classifier)
        work = partial(
            assess, engine, explained.attributions, settings.methods, setting, texts, marked
        )
        assessed = assessed_or_not(work, explained, dataset, engine, run_log)
    instances = _with_attributions(scored, strata, assessed)
    skipped += explained.skipped
    context = AuditContext(
        engine,
        loaded.description,
        dataset,
        instances,
        skipped,
        plan,
        setting.seed,
        settings.group,
        settings.slices,
        loaded.training,
        loaded.wanted,
    )
    sections = [
        run_log.timed(check.id, partial(run_guarded, check, context, run_log.failed))
        for check in settings.checks
    ]
    evaluations = engine.evaluations + assessed.evaluations
    run_log.note("counts", evaluations=evaluations, calls=engine.calls)
    lost = unanswered_rows(context)
    measured = (*lost, *sections, assessed.section, *explained.unable, *again)
    return _Evidence(measured, assessed.trust, plan, instances, skipped)


def _with_attributions(
    scored: Sequence[InstanceRecord], strata: Mapping[str, str], assessed: Assessment
) -> list[InstanceRecord]:
    """Return the instances with what explains them."""
    return [
        instance.model_copy(
            update={
                "stratum": strata.get(instance.id),
                "attributions": tuple(assessed.attributions.get(instance.id, ())),
                "agreements": assessed.agreements.get(instance.id, ()),
            }
        )
        for instance in scored
    ]


def _arguments(settings: Settings, loaded: _Loaded) -> dict[str, JsonValue]:
    """Return what was asked for, as the record keeps it."""
    return {
        "text": settings.text,
        "text_pair": settings.text_pair,
        "label": settings.label,
        "id": settings.id,
        "rationale": settings.rationale,
        "methods": {explainer.name: asdict(explainer) for explainer in settings.methods},
        "instances": settings.instances,
        "unit": settings.unit,
        "target": loaded.wanted,
        "group": settings.group,
        "slices": list(settings.slices),
        "training": name_of_table(settings.training),
        "checks": {check.id: asdict(check) for check in settings.checks},
    }


def _given(settings: Settings, frozen: FrozenCriteria) -> dict[str, object]:
    """Return what may be given to an audit and was, or was not."""
    return {
        "label": settings.label,
        "group": settings.group,
        "slices": settings.slices,
        "training": settings.training,
        "rationale": settings.rationale,
        "criteria": frozen.criteria,
    }


def _without_secrets(record: AuditRecord) -> AuditRecord:
    """Return a record without keys, which says that some were removed."""
    clean, strings = redacted_record(record)
    if not strings:
        return clean
    section = Section(
        id="removed-secrets",
        title="Removed keys and passwords",
        summary=f"{strings} messages, settings or cells of tables held what is, or looks like, a "
        f"key or a password. “{REMOVED}” stands there now. The explained texts are unchanged.",
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


def _wanted(target: Wanted, model: TextClassifier) -> str | None:
    """Return the label that is asked for, before anything is scored; None for those predicted."""
    if target is None:
        return None
    return make_target(model, np.zeros(len(model.labels)), target).label


def _describe(model: TextClassifier) -> ModelDescription:
    if isinstance(model, Describable):
        return model.describe()
    return description_of(model)
