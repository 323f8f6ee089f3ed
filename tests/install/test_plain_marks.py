"""What a command prints on a terminal that has only ASCII."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("setting", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}])
def test_a_command_prints_ascii_and_no_escape_on_such_a_terminal(
    setting: dict[str, str], tmp_path: Path
) -> None:
    known = {name: value for name, value in os.environ.items() if not name.startswith("LC_")}
    done = subprocess.run(
        [sys.executable, "-m", "explain.cli", "verify", str(tmp_path)],
        env={**known, **setting}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.stdout.isascii()
    assert done.stdout.startswith(b"x 1 problem")
    assert b"\\u" not in done.stdout
