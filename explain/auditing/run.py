"""Model and data in, one `AuditRecord` out."""

import os
import platform
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
from pydantic import JsonValue
from scipy.special import expit

import explain
from explain.adapters import Describable, TextClassifier, load, wrap
from explain.adapters.base import description_of
from explain.adapters.failures import first_line
from explain.adapters.labels import label_names
from explain.attribution import Setting, Wanted, answer, ask
from explain.attribution.methods import Explainer
from explain.auditing.configuration import DEFAULT_METHODS, Configuration, Criteria, settle
from explain.auditing.criteria import FrozenCriteria, judge
from explain.auditing.omissions import omissions
from explain.auditing.selection import plan_selection
from explain.checks import AuditContext, Check
from explain.checks.base.guarded import run_guarded, with_losses
from explain.checks.unanswered import unanswered_rows
from explain.data.dataset import Dataset, Row, read_dataset
from explain.engine import Engine
from explain.engine.games import Masker, Question, make_target, target_values
from explain.engine.pulse import Watch
from explain.engine.repeats import ask_again
from explain.errors import (
    CapabilityError,
    ConfigurationError,
    DataError,
    ExplainError,
    PredictionError,
    nearest,
)
from explain.evaluation.assessment import Assessment, assess
from explain.evaluation.plausibility import Rationale
from explain.record import (
    Attribution,
    AuditRecord,
    InstanceRecord,
    LogEntry,
    ModelDescription,
    Prediction,
    Provenance,
    Section,
    Skipped,
    SystemIdentity,
)
from explain.text.redaction import REMOVED, redacted_record
from explain.text.spans import text_of

__all__ = ["DEFAULT_METHODS", "audit", "today"]

PACKAGES = (
    "captum", "jieba", "jinja2", "lime", "numpy", "pandas", "pydantic", "regex", "scikit-learn",
    "scipy", "shap", "tokenizers", "torch", "transformers",
)  # fmt: skip

MOST_TARGETS = 5
"""Predicted labels of one text that are explained, the most probable first."""

Log: TypeAlias = Callable[[LogEntry], None]

T = TypeVar("T")


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
    explainers = settings.methods
    timer = _Timer(log)
    if frozen.criteria:
        timer.note("criteria frozen", sha256=frozen.sha256, on=frozen.frozen_on.isoformat())
    with timer.stage("load"):
        classifier = _classifier(model, model_options or {})
        setting = Setting.of(classifier, unit=settings.unit, masker=masker, seed=seed)
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
        known = None if settings.training is None else read(settings.training)
        _check_labels(dataset, classifier)
        description = _describe(classifier)
    engine = Engine(classifier)
    with timer.stage("predict", rows=len(dataset.rows)):
        asked, skipped = _ask(engine, dataset, setting)
    scored = [_instance(row, question, classifier) for row, question in asked]
    plan, strata = plan_selection(scored, settings.instances, seed, classifier.task)
    chosen = [
        (row, posed)
        for row, question in asked
        if row.id in strata
        for posed in _questions(question, classifier, wanted)
    ]
    with timer.stage("repeats"):
        with engine.watch() as watch:
            ask_again(engine, [question for _, question in chosen], setting.masker, seed)
        again = _again(watch, dataset)
    explained = _explain(engine, chosen, explainers, setting, timer)
    with timer.stage("trust"):
        texts = [text_of(row.parts) for row, _ in asked]
        marked = _rationales(asked, classifier)
        assessed = _assessed(
            partial(assess, engine, explained.attributions, explainers, setting, texts, marked),
            explained,
            dataset,
            engine,
            timer,
        )
    records = [
        instance.model_copy(
            update={
                "stratum": strata.get(instance.id),
                "attributions": tuple(assessed.attributions.get(instance.id, ())),
                "agreements": assessed.agreements.get(instance.id, ()),
            }
        )
        for instance in scored
    ]
    skipped += explained.skipped
    context = AuditContext(
        engine,
        description,
        dataset,
        records,
        skipped,
        plan,
        seed,
        settings.group,
        settings.slices,
        known,
        wanted,
    )
    sections = [
        timer.timed(check.id, partial(run_guarded, check, context, timer.failed))
        for check in settings.checks
    ]
    timer.note("counts", evaluations=engine.evaluations + assessed.evaluations, calls=engine.calls)
    measured = (
        *unanswered_rows(context),
        *sections,
        assessed.section,
        *explained.unable,
        *again,
    )
    arguments: dict[str, JsonValue] = {
        "model": str(model) if isinstance(model, str | Path) else description.name,
        "model_options": _recorded(model_options or {}),
        "data": _named(data),
        "text": settings.text,
        "text_pair": settings.text_pair,
        "label": settings.label,
        "id": settings.id,
        "rationale": settings.rationale,
        "methods": {explainer.name: asdict(explainer) for explainer in explainers},
        "instances": settings.instances,
        "unit": settings.unit,
        "target": wanted,
        "masker": setting.masker.name,
        "seed": seed,
        "group": settings.group,
        "slices": list(settings.slices),
        "training": _named(settings.training),
        "checks": {check.id: asdict(check) for check in settings.checks},
    }
    record = AuditRecord(
        identity=settings.identity(description.name),
        provenance=_provenance(description, dataset, arguments, seed),
        rows=len(dataset.rows),
        sections=measured,
        criteria=judge(frozen.criteria, measured, settings.checks),
        criteria_sha256=frozen.sha256 if frozen.criteria else None,
        criteria_frozen_on=kept.frozen_on if kept else None,
        trust=assessed.trust,
        plan=plan,
        instances=tuple(records),
        skipped=tuple(skipped),
        omitted=omissions(
            {
                "label": settings.label,
                "group": settings.group,
                "slices": settings.slices,
                "training": settings.training,
                "rationale": settings.rationale,
                "criteria": frozen.criteria,
            },
            settings.checks,
        ),
    )
    return _without_secrets(record)


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


def _recorded(options: Mapping[str, Any]) -> dict[str, JsonValue]:
    """Return options of a model as JSON has them, labels in the order of the columns."""
    labels = options.get("labels")
    return {**options, **({} if labels is None else {"labels": [*label_names(labels)]})}


def _named(data: Any) -> str | None:
    """Return what the record says a table was read from."""
    if data is None:
        return None
    return str(data) if isinstance(data, str | Path) else type(data).__name__


def _wanted(target: Wanted, model: TextClassifier) -> str | None:
    """Return the label that is asked for, before anything is scored; None for those predicted."""
    if target is None:
        return None
    return make_target(model, np.zeros(len(model.labels)), target).label


def _check_labels(dataset: Dataset, model: TextClassifier) -> None:
    if model.task == "regression":
        return
    given = {label: row.number for row in reversed(dataset.rows) for label in row.labels or ()}
    unknown = {label: row for label, row in given.items() if label not in model.labels}
    if not unknown:
        return
    label = min(unknown, key=unknown.__getitem__)
    named_otherwise = (
        "; where its columns go by other names in the table, pass those in the order of the "
        "columns: explain.wrap(model, labels=[...]), or --model-option 'labels=[...]'"
        if len(unknown) == len(given)
        else ""
    )
    raise DataError(
        f"row {unknown[label]} has the label {label!r}, which {model.name} lacks; "
        f"{nearest(label, model.labels)}{named_otherwise}"
    )


def _describe(model: TextClassifier) -> ModelDescription:
    if isinstance(model, Describable):
        return model.describe()
    return description_of(model)


def _ask(
    engine: Engine, dataset: Dataset, setting: Setting
) -> tuple[list[tuple[Row, Question]], list[Skipped]]:
    """Return the question of each row that can be scored, and the rows that cannot."""
    usable = [row for row in dataset.rows if row.problem is None]
    skipped = [
        Skipped(id=row.id, row=row.number, stage="read", reason=row.problem)
        for row in dataset.rows
        if row.problem is not None
    ]
    questions: list[tuple[Row, Question]] = []
    answers = ask(engine, [text_of(row.parts) for row in usable], setting)
    for row, question in zip(usable, answers, strict=True):
        if isinstance(question, ExplainError):
            skipped.append(_skip(row, "predict", question))
        else:
            questions.append((row, question))
    if not questions:
        failure = DataError if skipped[0].stage == "read" else PredictionError
        raise failure(f"none of {len(dataset.rows):,} rows could be scored: {skipped[0].reason}")
    return questions, skipped


def _rationales(
    asked: Sequence[tuple[Row, Question]], model: TextClassifier
) -> dict[str, Rationale]:
    """Return what people marked in each row; the value of a regression has no other label."""
    return {
        row.id: Rationale(None if model.task == "regression" else row.labels, row.rationale)
        for row, _ in asked
        if row.rationale is not None
    }


def _instance(row: Row, question: Question, model: TextClassifier) -> InstanceRecord:
    single = model.task == "single_label"
    return InstanceRecord(
        id=row.id,
        row=row.number,
        parts=row.parts,
        label=row.label if single else None,
        predicted=question.target.label,
        probability=None if model.task == "regression" else _probability(question),
        scores=tuple(question.scores.tolist()),
        given=None if single else row.labels,
        predictions=_predictions(question, model) if model.task == "multi_label" else None,
        columns=row.columns,
        unread=question.segmentation.unread,
    )


def _probability(question: Question) -> float:
    """Return the probability of the label that is asked about."""
    log_odds = target_values(question.scores[None], question.target)[0]
    return float(expit(log_odds))


def _predictions(question: Question, model: TextClassifier) -> tuple[Prediction, ...]:
    """Return the labels of a multi-label model with p > .5, most probable first."""
    return tuple(
        Prediction(label=model.labels[index], probability=float(expit(question.scores[index])))
        for index in np.argsort(-question.scores, kind="stable")
        if question.scores[index] > 0
    )


def _questions(question: Question, model: TextClassifier, wanted: str | None) -> list[Question]:
    """Return a question for each label that is explained: the wanted one, or those predicted."""
    labels = [wanted]
    if wanted is None and model.task == "multi_label":
        predicted = _predictions(question, model)[:MOST_TARGETS]
        labels = [prediction.label for prediction in predicted] or [None]
    return [
        replace(question, target=make_target(model, question.scores, label)) for label in labels
    ]


@dataclass
class _Explained:
    """What the methods made of the chosen instances."""

    attributions: dict[str, list[Attribution]]
    skipped: dict[Skipped, None]
    """In order, each once though several labels of a text may fail for one reason."""
    unable: list[Section]


def _explain(
    engine: Engine,
    chosen: Sequence[tuple[Row, Question]],
    explainers: Sequence[Explainer],
    setting: Setting,
    timer: "_Timer",
) -> _Explained:
    explained = _Explained({row.id: [] for row, _ in chosen}, {}, [])
    questions = [question for _, question in chosen]
    for explainer in explainers:
        try:
            outcomes = timer.timed(
                explainer.name, partial(answer, engine, questions, explainer, setting)
            )
        except CapabilityError as error:
            explained.unable.append(_unable(explainer, str(error)))
            continue
        except ExplainError:
            raise
        except Exception as error:
            timer.failed(explainer.name, error)
            reason = f"the method failed with {first_line(error)}"
            explained.unable.append(_unable(explainer, reason))
            continue
        for (row, _), outcome in zip(chosen, outcomes, strict=True):
            if isinstance(outcome.value, ExplainError):
                explained.skipped[_skip(row, explainer.name, outcome.value)] = None
            else:
                explained.attributions[row.id].append(outcome.value)
    return explained


def _again(watch: Watch, dataset: Dataset) -> tuple[Section, ...]:
    """Return what was lost when texts were asked for again; no section if nothing was."""
    section = Section(
        id="repeats",
        title="Asking the model again",
        summary="Before anything was explained, a few texts were asked for again.",
    )
    counted = with_losses(section, watch, dataset, "this step")
    return () if counted == section else (counted,)


def _assessed(
    work: Callable[[], Assessment],
    explained: "_Explained",
    dataset: Dataset,
    engine: Engine,
    timer: "_Timer",
) -> Assessment:
    """Return how far explanations can be trusted, without grades where that cannot be told."""
    with engine.watch() as watch:
        try:
            assessed = work()
        except Exception as error:
            timer.failed("trust", error)
            section = Section(
                id="trust",
                title="Reliability of the explanations",
                summary="Nothing was measured.",
                skipped=f"the grading failed with {first_line(error)}",
            )
            assessed = Assessment(explained.attributions, (), {}, section, 0)
    section = with_losses(assessed.section, watch, dataset, "the grading")
    if section.skipped is not None:
        return Assessment(explained.attributions, (), {}, section, assessed.evaluations)
    return replace(assessed, section=section)


def _skip(row: Row, stage: str, error: ExplainError) -> Skipped:
    return Skipped(id=row.id, row=row.number, stage=stage, reason=str(error))


def _unable(explainer: Explainer, reason: str) -> Section:
    return Section(
        id=f"method-{explainer.name}",
        title=f"Explanations by {explainer.name}",
        summary="Nothing was measured.",
        skipped=reason,
    )


def _provenance(
    model: ModelDescription, dataset: Dataset, arguments: dict[str, JsonValue], seed: int
) -> Provenance:
    versions = {"explain-audit": explain.__version__}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return Provenance(
        audited_on=today(),
        model=model,
        data=dataset.files,
        rows_sha256=dataset.sha256,
        arguments=arguments,
        seed=seed,
        packages=dict(sorted(versions.items())),
        python=platform.python_version(),
        platform=platform.platform(),
    )


def today() -> date:
    """Return today in UTC, or the day of SOURCE_DATE_EPOCH for builds that must repeat."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        return datetime.fromtimestamp(float(seconds or time.time()), UTC).date()
    except (ValueError, OverflowError, OSError) as error:
        raise ConfigurationError(
            f"SOURCE_DATE_EPOCH is {seconds!r}, which is no time; set it to seconds since 1970, "
            "or unset it"
        ) from error


class _Timer:
    """Tells a log what happened and how long it took."""

    def __init__(self, log: Log | None) -> None:
        self._log = log or (lambda entry: None)

    def note(self, event: str, seconds: float | None = None, **detail: JsonValue) -> None:
        entry = LogEntry(at=datetime.now(UTC), event=event, seconds=seconds, detail=detail)
        self._log(redacted_record(entry)[0])

    def failed(self, stage: str, error: BaseException) -> None:
        self.note("failed", stage=stage, traceback="".join(traceback.format_exception(error)))

    @contextmanager
    def stage(self, name: str, **detail: JsonValue) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.note(name, round(time.perf_counter() - started, 3), **detail)

    def timed(self, name: str, work: Callable[[], T]) -> T:
        with self.stage(name):
            return work()
