"""What the benchmarks have in common: where the models and data lie, and how time is taken."""

import csv
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import explain
from explain.adapters import TextClassifier
from explain.errors import CapabilityError
from explain.record import Attribution

SHARED = Path(os.environ.get("EXPLAIN_SHARED", Path(__file__).parents[2] / "shared"))


def sentences(n: int) -> list[str]:
    """Return the first n sentences of the SST-2 development set."""
    return [text for text, _ in rows("dev")[:n]]


def rows(split: str) -> list[tuple[str, str]]:
    """Return texts and labels of a split of SST-2: ``train`` or ``dev``."""
    with (SHARED / f"data/sst2/{split}.csv").open(encoding="utf-8", newline="") as lines:
        return [(row["text"], row["label"]) for row in csv.DictReader(lines)]


def served(model: TextClassifier, method: str, texts: Sequence[str]) -> list[Attribution] | None:
    """Return what a method says of each text; None if the model lacks what it needs."""
    try:
        return explain.attribute(model, list(texts), method=method)
    except CapabilityError:
        return None


def interleaved(
    contestants: Mapping[str, Callable[[], Callable[[], object]]], rounds: int
) -> dict[str, float]:
    """Return the median seconds of each contestant, all run in turn in every round.

    A contestant is first called to prepare, which is not timed, and returns what is.

    Machines are noisy, so only contestants of one run are compared. A first round is not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, prepare in contestants.items():
            work = prepare()
            started = time.perf_counter()
            work()
            if number:
                seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def with_processor_time(
    prepare: Callable[[], Callable[[], None]], taken: list[float]
) -> Callable[[], Callable[[], None]]:
    """Return the contestant, whose seconds of a processor are noted: a busy machine adds none."""

    def prepared() -> Callable[[], None]:
        work = prepare()

        def run() -> None:
            started = time.process_time()
            work()
            taken.append(time.process_time() - started)

        return run

    return prepared


def machine() -> str:
    """Return machine and versions in one line."""
    import torch
    import transformers

    return (
        f"{os.cpu_count()} cores, {platform.machine()}, Python {sys.version.split()[0]}, "
        f"torch {torch.__version__}, transformers {transformers.__version__}"
    )
