"""The examples run as they stand."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
RUNNABLE = sorted(p.name for p in EXAMPLES.glob("*.py") if p.name != "make_demo_model.py")


@pytest.mark.parametrize("name", RUNNABLE)
def test_an_example_runs_and_writes_a_page(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("*.html"))
