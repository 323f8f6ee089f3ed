"""Metrics of selective use."""

from typing import Final

from explain.record import MetricSpec

__all__ = ["AURC", "ERROR_AUROC", "LET_THROUGH", "RISK"]

AURC: Final = MetricSpec(
    id="selective.aurc",
    title="area under the risk-coverage curve",
    unit="coefficient",
    better="lower",
)
ERROR_AUROC: Final = MetricSpec(
    id="selective.auroc",
    title="AUROC of right answers by confidence",
    unit="coefficient",
    better="higher",
    counts_failures=False,
)
LET_THROUGH: Final = MetricSpec(
    id="selective.coverage",
    title="share let through with at most {error} wrong",
    better="higher",
)
RISK: Final = MetricSpec(
    id="selective.risk",
    title="wrong answers of those let through with at most {error} wrong",
    better="lower",
    counts_failures=False,
)
