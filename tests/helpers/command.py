"""The command, run as a user would."""

import subprocess
import sys
from pathlib import Path


def run(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would, with the interpreter of the tests."""
    return subprocess.run(
        [sys.executable, "-m", "explain.cli", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
