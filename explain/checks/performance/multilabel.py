"""Performance of a model that may give a text any number of labels."""

import numpy as np

from explain.checks.base import Check
from explain.checks.base.labelled_rows import LabelledRows
from explain.checks.base.metrics import SUBSET_ACCURACY
from explain.checks.performance.confusion import Totals, f1_of, macro_f1_of
from explain.checks.performance.label_findings import dead_labels
from explain.checks.performance.metrics import HAMMING_LOSS, MACRO_F1, MICRO_F1
from explain.checks.performance.per_class import PerClass
from explain.checks.performance.roc import ranking_measures
from explain.record import Measure, ModelDescription, Section, Sentence, join_sentences

__all__ = ["micro_f1_of", "performance"]


def micro_f1_of(hits: Totals, labels: Totals, predicted: Totals) -> Totals:
    """Return F1 over the decisions on all labels taken together, shape (...)."""
    return f1_of(hits.sum(-1), labels.sum(-1), predicted.sum(-1))


def performance(check: Check, sample: LabelledRows) -> Section:
    """Return how often the labels of a text are right, together and one by one."""
    context = sample.context
    answered = sample.answered_rows
    per_class = PerClass(sample, sample.predicted)
    wrong = (sample.predicted != sample.truth).mean(axis=1)
    wrong[len(answered) :] = 1
    subset = sample.share(SUBSET_ACCURACY.title, wrong == 0)
    hamming = sample.resample(np.stack([wrong, np.ones_like(wrong)], axis=1)).measure(
        HAMMING_LOSS.title, lambda sums: sums[..., 0] / sums[..., 1], "proportion"
    )
    return Section(
        id=check.id,
        title=check.title,
        summary=join_sentences(
            _summary(subset, hamming, len(wrong), context.model),
            sample.note(),
            sample.left_out("AUROC and AUPRC"),
        ),
        measures=(
            subset,
            hamming,
            per_class.measure(MICRO_F1.title, micro_f1_of),
            per_class.measure(MACRO_F1.title, macro_f1_of),
            *ranking_measures(
                context.probabilities[sample.rows], answered.truth, answered.clusters
            ),
        ),
        figures=(per_class.figure(subset),),
        tables=(per_class.table(),),
        findings=tuple(
            dead_labels(
                check.id, context.model.labels, *PerClass(answered, answered.predicted).totals
            )
        ),
    )


def _summary(subset: Measure, hamming: Measure, n: int, model: ModelDescription) -> str:
    right = Sentence(
        "All {n_labels} labels are right on {subset} of {n} labelled {n:row|rows}. Of single "
        "labels, {hamming.value:percent} are wrong.",
        n_labels=len(model.labels),
        subset=subset,
        n=n,
        hamming=hamming,
    )
    rule = "The model gives a label where its probability is above 0.5."
    if model.decision_rule:
        rule = Sentence("Labels are given by threshold: {rule}.", rule=model.decision_rule)
    no_baseline = "No baseline model is fitted for models with several labels per text."
    return join_sentences(right, rule, no_baseline)
