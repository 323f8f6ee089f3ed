"""The command, run as a user would."""

import os
import re
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from io import BufferedWriter, FileIO, TextIOWrapper
from pathlib import Path
from typing import IO

from explain import cli, command

STAGE_LINE = re.compile(r"explain: \d+:\d\d (.+) \(\d+\.\d s\)$")
"""What the command prints when a stage of an audit ends, where there is no terminal."""


def complaints(stderr: str) -> list[str]:
    """Return the lines that are not those of the stages."""
    return [line for line in stderr.splitlines() if not STAGE_LINE.match(line)]


def run(*arguments: object, cwd: Path, seconds: float = 300) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would, with the interpreter of the tests."""
    return subprocess.run(
        [sys.executable, "-m", "explain.cli", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


@dataclass
class Forked:
    """The command in a fork of this process, in which all is imported already."""

    pid: int
    streams: tuple[IO[str], IO[str]]

    def wait(self) -> subprocess.CompletedProcess[str]:
        """Return how it ended, as `run`."""
        _, status = os.waitpid(self.pid, 0)
        said = []
        for stream in self.streams:
            with stream:
                stream.seek(0)
                said.append(stream.read())
        return subprocess.CompletedProcess([], os.waitstatus_to_exitcode(status), *said)


def fork(
    *arguments: object,
    cwd: Path,
    first: Callable[[], object] = lambda: None,
    encoding: str = "utf-8",
) -> Forked:
    """Start the command on streams of an encoding; its process calls `first` before all else."""
    with ExitStack() as stack:
        output, errors = (
            stack.enter_context(tempfile.TemporaryFile("w+", encoding=encoding, newline=""))
            for _ in range(2)
        )
        stack.pop_all()
    import_module("explain.auditing.run")  # Here once, or else in every fork: two seconds.
    pid = os.fork()
    if pid:
        return Forked(pid, (output, errors))
    code = 99
    try:
        os.chdir(cwd)
        os.dup2(output.fileno(), 1)
        os.dup2(errors.fileno(), 2)
        if "torch" in sys.modules:
            # A fork that asks for the threads of its parent waits for ever: it has none of them.
            sys.modules["torch"].set_num_threads(1)
        first()
        # Those of pytest are no streams of a process; the command takes these over.
        streams = [
            TextIOWrapper(BufferedWriter(FileIO(number, "w", closefd=False)), encoding)
            for number in (1, 2)
        ]
        sys.stdout, sys.stderr = streams
        sys.argv = ["explain", *map(str, arguments)]
        code = command.run(cli.app)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def run_forked(
    *arguments: object,
    cwd: Path,
    first: Callable[[], object] = lambda: None,
    encoding: str = "utf-8",
) -> subprocess.CompletedProcess[str]:
    """Run the command as `run`, without the time that its imports take."""
    return fork(*arguments, cwd=cwd, first=first, encoding=encoding).wait()
