"""Metrics of the performance check."""

from typing import Final

from explain.record import MetricSpec

__all__ = [
    "AUPRC",
    "AUROC",
    "HAMMING_LOSS",
    "MACRO_F1",
    "MATTHEWS",
    "MEAN_ABSOLUTE_ERROR",
    "MICRO_F1",
    "PRECISION",
    "R2",
    "RECALL",
    "SPEARMAN",
]

MACRO_F1: Final = MetricSpec(
    id="performance.macro_f1", title="macro-F1", unit="coefficient", better="higher"
)
MICRO_F1: Final = MetricSpec(
    id="performance.micro_f1", title="micro-F1", unit="coefficient", better="higher"
)
MATTHEWS: Final = MetricSpec(
    id="performance.matthews",
    title="Matthews correlation",
    unit="coefficient",
    low=-1.0,
    better="higher",
)
AUROC: Final = MetricSpec(
    id="performance.auroc",
    title="AUROC",
    unit="coefficient",
    better="higher",
    counts_failures=False,
)
AUPRC: Final = MetricSpec(
    id="performance.auprc",
    title="AUPRC",
    unit="coefficient",
    better="higher",
    counts_failures=False,
)
PRECISION: Final = MetricSpec(
    id="performance.precision", title="precision of {label}", better="higher"
)
RECALL: Final = MetricSpec(id="performance.recall", title="recall of {label}", better="higher")
HAMMING_LOSS: Final = MetricSpec(
    id="performance.hamming_loss", title="Hamming loss", better="lower"
)
MEAN_ABSOLUTE_ERROR: Final = MetricSpec(
    id="performance.mean_absolute_error",
    title="mean absolute error",
    unit="coefficient",
    high=None,
    better="lower",
    counts_failures=False,
)
R2: Final = MetricSpec(
    id="performance.r2",
    title="R2",
    unit="coefficient",
    low=None,
    better="higher",
    counts_failures=False,
)
SPEARMAN: Final = MetricSpec(
    id="performance.spearman",
    title="Spearman correlation",
    unit="coefficient",
    low=-1.0,
    better="higher",
    counts_failures=False,
)
