"""Time, evaluations and memory of a whole audit, against what it may take.

Usage: python bench_audit.py [INSTANCES]. The development set of SST-2 is audited with all checks
and its training set at hand, and 100 texts are explained, on two cores. Stages are printed as they
end, then the findings.
"""

import resource
import sys
import time

from shared import SHARED, machine

import explain
from explain.record import LogEntry

CORES = 2
INSTANCES = 100
MOST_MINUTES, MOST_GB = 6.0, 2.5


class Stages:
    """Prints what an audit says of its stages, as it says it."""

    def __init__(self) -> None:
        self.evaluations = 0

    def __call__(self, entry: LogEntry) -> None:
        if entry.seconds is not None:
            print(f"{entry.event:24}{entry.seconds:8.1f} s", flush=True)
        self.evaluations = entry.detail.get("evaluations", self.evaluations)


def spent() -> tuple[float, float]:
    """Return the seconds of all cores that this process has used, and its peak memory in GB."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 1e9


def main(instances: int = INSTANCES) -> None:
    import torch

    torch.set_num_threads(CORES)
    print(machine())
    stages, started = Stages(), time.perf_counter()
    audit = explain.audit(
        SHARED / "models/sst2-minilm",
        SHARED / "data/sst2/dev.csv",
        label="label",
        training=SHARED / "data/sst2/train.csv",
        instances=instances,
        log=stages,
    )
    total = time.perf_counter() - started
    cpu, memory = spent()
    print(f"{'whole audit':24}{total:8.1f} s, at most {60 * MOST_MINUTES:.0f} s")
    print(f"{'processor time':24}{cpu:8.1f} s")
    print(f"{'evaluations':24}{stages.evaluations:8,}")
    print(f"{'peak memory':24}{memory:8.2f} GB, at most {MOST_GB} GB")
    print(f"{'rows, explained':24}{len(audit.instances):8,}, {instances:,}")
    for finding in audit.findings:
        print(f"{finding.severity:10}{finding.claim}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
