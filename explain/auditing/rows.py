"""Rows of the table as instances: what the model says of them, and which it cannot read."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.special import expit

from explain.adapters import TextClassifier
from explain.adapters.base import NamesItsLabels
from explain.adapters.decision_rule import DecisionRule
from explain.attribution import AttributionSettings, features_of, make_requests
from explain.data.dataset import Dataset, Row
from explain.engine import Engine
from explain.engine.games import AttributionRequest, make_target, target_values
from explain.errors import DataError, ExplainError, PredictionError, nearest
from explain.evaluation.plausibility import Rationale
from explain.record import InstanceRecord, Prediction, Skipped
from explain.text.spans import text_of

__all__ = [
    "ask_rows",
    "check_labels_known",
    "instance_of",
    "questions_of",
    "rationales_of",
    "skipped_row",
    "with_features",
]

MOST_TARGETS = 5
"""Predicted labels of one text that are explained, the most probable first."""


def check_labels_known(dataset: Dataset, model: NamesItsLabels) -> None:
    """Refuse a table with a label that the model lacks."""
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


def ask_rows(
    engine: Engine, dataset: Dataset, setting: AttributionSettings, rule: DecisionRule
) -> tuple[list[tuple[Row, AttributionRequest]], list[Skipped]]:
    """Return the question of each row that can be scored, and the rows that cannot.

    It asks for the label that is the answer by the rule, and has no features yet.
    """
    usable = [row for row in dataset.rows if row.problem is None]
    skipped = [
        Skipped(id=row.id, row=row.number, stage="read", reason=row.problem)
        for row in dataset.rows
        if row.problem is not None
    ]
    questions: list[tuple[Row, AttributionRequest]] = []
    texts = [text_of(row.parts) for row in usable]
    answers = make_requests(engine, texts, setting, with_features=False)
    for row, question in zip(usable, answers, strict=True):
        if isinstance(question, ExplainError):
            skipped.append(skipped_row(row, "predict", question))
        else:
            answer = int(rule.answers(question.scores[None])[0])
            target = make_target(engine.classifier, question.scores, answer)
            questions.append((row, replace(question, target=target)))
    if not questions:
        failure = DataError if skipped[0].stage == "read" else PredictionError
        raise failure(f"none of {len(dataset.rows):,} rows could be scored: {skipped[0].reason}")
    return questions, skipped


def with_features(
    requests: Sequence[tuple[Row, AttributionRequest]],
    model: TextClassifier,
    setting: AttributionSettings,
) -> tuple[list[tuple[Row, AttributionRequest]], list[Skipped]]:
    """Return the questions of chosen rows with features, and the rows that have none."""
    questions: list[tuple[Row, AttributionRequest]] = []
    skipped: list[Skipped] = []
    rows = [row for row, _ in requests]
    answers = features_of([question for _, question in requests], model, setting)
    for row, question in zip(rows, answers, strict=True):
        if isinstance(question, ExplainError):
            skipped.append(skipped_row(row, "explain", question))
        else:
            questions.append((row, question))
    return questions, skipped


def rationales_of(
    requests: Sequence[tuple[Row, AttributionRequest]], model: TextClassifier
) -> dict[str, Rationale]:
    """Return what people marked in each row; the value of a regression has no other label."""
    return {
        row.id: Rationale(None if model.task == "regression" else row.labels, row.rationale)
        for row, _ in requests
        if row.rationale is not None
    }


def instance_of(
    row: Row, question: AttributionRequest, model: TextClassifier, rule: DecisionRule
) -> InstanceRecord:
    """Return the record of a row that was scored."""
    return InstanceRecord(
        id=row.id,
        row=row.number,
        parts=row.parts,
        labels=row.labels,
        predicted=question.target.label,
        probability=None if model.task == "regression" else _probability(question),
        scores=tuple(question.scores.tolist()),
        predictions=_predictions(question, model, rule) if model.task == "multi_label" else None,
        columns=row.columns,
        unread=question.segmentation.unread,
    )


def _probability(question: AttributionRequest) -> float:
    """Return the probability of the label that is asked about."""
    log_odds = target_values(question.scores[None], question.target)[0]
    return float(expit(log_odds))


def _predictions(
    question: AttributionRequest, model: TextClassifier, rule: DecisionRule
) -> tuple[Prediction, ...]:
    """Return the labels that a multi-label model gives, most probable first."""
    holds = rule.holds(question.scores[None])[0]
    return tuple(
        Prediction(label=model.labels[index], probability=float(expit(question.scores[index])))
        for index in np.argsort(-question.scores, kind="stable")
        if holds[index]
    )


def questions_of(
    question: AttributionRequest, model: TextClassifier, rule: DecisionRule, label: str | None
) -> list[AttributionRequest]:
    """Return a question for each label that is explained: the wanted one, or those predicted."""
    labels = [label or question.target.label]
    if label is None and model.task == "multi_label":
        predicted = _predictions(question, model, rule)[:MOST_TARGETS]
        labels = [prediction.label for prediction in predicted] or labels
    targets = [make_target(model, question.scores, label) for label in labels]
    cuts = [rule.cut(target.index, len(model.labels)) for target in targets]
    return [
        replace(question, target=target.model_copy(update={"cut": cut}))
        for target, cut in zip(targets, cuts, strict=True)
    ]


def skipped_row(row: Row, stage: str, error: ExplainError) -> Skipped:
    """Return the record of a row that was not, or that a method failed on."""
    return Skipped(id=row.id, row=row.number, stage=stage, reason=str(error))
