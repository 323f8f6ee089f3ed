"""Scripts, each run as its own program, without the time that imports take.

Each is a fork of a clean process in which all is imported: a fork of the tests themselves could not
take gradients when a test has done so before.
"""

import multiprocessing
import os
import runpy
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from subprocess import CompletedProcess

from tests.helpers.search import NIGHTLY
from tests.helpers.small_controls import small_controls

__all__ = ["run_script"]

SECONDS = 600
IMPORTED = (
    "captum.attr", "explain.adapters.torch", "explain.adapters.transformers",
    "explain.auditing.run", "pandas", "reports", "sklearn.linear_model", "tests.helpers.scripts",
)  # fmt: skip

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([*IMPORTED])


def run_script(path: Path, *arguments: object, cwd: Path) -> CompletedProcess[str]:
    """Run a script; by day its audits try their explanations on few texts."""
    streams = cwd / "output.txt", cwd / "errors.txt"
    given = [str(path), *map(str, arguments)]
    process = PROCESSES.Process(target=_run, args=(given, cwd, streams))
    process.start()
    process.join(SECONDS)
    process.kill()
    process.join()
    output, errors = (stream.read_text(encoding="utf-8") for stream in streams)
    return CompletedProcess(given, process.exitcode or 0, output, errors)


def _run(arguments: list[str], cwd: Path, streams: Sequence[Path]) -> None:
    os.chdir(cwd)
    for number, stream in enumerate(streams, 1):
        os.dup2(os.open(stream, os.O_WRONLY | os.O_CREAT, 0o600), number)
    sys.argv = arguments
    with nullcontext() if NIGHTLY else small_controls():
        runpy.run_path(arguments[0], run_name="__main__")
