"""The command, run as a user would."""

import re
import subprocess
import sys
from pathlib import Path

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
