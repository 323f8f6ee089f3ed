"""What the benchmarks have in common: where the models and data lie, and how time is taken."""

import csv
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

SHARED = Path(os.environ.get("EXPLAIN_SHARED", Path(__file__).parents[2] / "shared"))


def sentences(n: int) -> list[str]:
    """Return the first n sentences of the SST-2 development set."""
    with (SHARED / "data/sst2/dev.csv").open(encoding="utf-8", newline="") as lines:
        return [row["text"] for row in csv.DictReader(lines)][:n]


def interleaved(contestants: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median seconds of each contestant, all run in turn in every round.

    Machines are noisy, so only contestants of one run are compared. A first round is not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, work in contestants.items():
            started = time.perf_counter()
            work()
            if number:
                seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def machine() -> str:
    """Return machine and versions in one line."""
    import torch
    import transformers

    return (
        f"{os.cpu_count()} cores, {platform.machine()}, Python {sys.version.split()[0]}, "
        f"torch {torch.__version__}, transformers {transformers.__version__}"
    )
