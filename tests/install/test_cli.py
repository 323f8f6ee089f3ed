"""The command says in one line what went wrong, with the right exit code, and leaves nothing."""

import json
import shutil
from pathlib import Path

import pytest

import explain
from tests.helpers.command import run_forked
from tests.helpers.demo import DEMO


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """Import what a model needs once: forks of this process have it."""
    explain.load(DEMO / "model")


def test_text_shows_features_and_can_write_a_page_and_a_record(tmp_path: Path) -> None:
    arguments = ("text", DEMO / "model", "I forgot my password!")
    shown = run_forked(*arguments, "--method", "occlusion", "--html", "page.html", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "password" in shown.stdout
    assert "\x1b[" not in shown.stdout
    assert (tmp_path / "page.html").is_file()
    as_json = run_forked(*arguments, "--method", "occlusion", "--json", cwd=tmp_path)
    record = json.loads(as_json.stdout)
    assert record["parts"] == ["I forgot my password!"]
    assert record["target"]["label"] == "account"


def test_limits_of_the_method_are_passed_on_only_if_they_are_given(tmp_path: Path) -> None:
    arguments = (
        "text",
        DEMO / "model",
        "I forgot my password again!",
        "--method",
        "lime",
        "--json",
    )
    done = run_forked(*arguments, "--budget", 20, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["parameters"]["budget"] == 20
    for option in ("tolerance", "seconds"):
        done = run_forked(*arguments, "--method", "occlusion", f"--{option}", 3, cwd=tmp_path)
        assert done.returncode == 2
        assert f"occlusion has no option {option!r}" in done.stderr


def test_the_unit_of_a_text_and_of_an_audit_can_be_chosen(tmp_path: Path) -> None:
    long = "I forgot my password! Nobody answers. " * 10
    shown = run_forked(
        "text", DEMO / "model", long, "--method", "occlusion", "--unit", "auto", "--json",
        cwd=tmp_path,
    )  # fmt: skip
    record = json.loads(shown.stdout)
    assert record["parameters"]["features"] == "sentences, then words"
    assert len(record["groups"]) == 20
    (tmp_path / "rows.csv").write_text("text\nI forgot it. Please help!\n")
    done = run_forked(
        "audit", DEMO / "model", "rows.csv", "--methods", "occlusion", "--unit", "sentence",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (instance,) = json.loads((tmp_path / "audit/audit.json").read_text())["instances"]
    assert len(instance["attributions"][0]["spans"]) == 2


def test_a_column_of_rationales_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text('text,why\nI forgot my password,"[[12, 20]]"\n')
    arguments = ("audit", DEMO / "model", "rows.csv", "--methods", "occlusion")
    done = run_forked(*arguments, "--rationale", "why", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "audit/audit.json").read_text())
    assert record["provenance"]["arguments"]["rationale"] == "why"
    names = [measure["name"] for measure in record["trust"][0]["measures"]]
    assert "plausibility: AUPRC" in names


def test_what_an_audit_explains_and_how_far_can_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,ticket\nI forgot my password again!,T-17\n")
    arguments = ("audit", DEMO / "model", "rows.csv", "--methods", "lime", "--check", "data")
    limits = ("--target", "account", "--id", "ticket", "--budget", 20, "--tolerance", 0.2)
    done = run_forked(*arguments, *limits, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (instance,) = json.loads((tmp_path / "audit/audit.json").read_text())["instances"]
    assert instance["columns"] == {"ticket": "T-17"}
    (attribution,) = instance["attributions"]
    assert attribution["target"]["label"] == "account"
    assert attribution["parameters"]["budget"] == 20
    assert attribution["parameters"]["tolerance"] == 0.2
    refused = run_forked(*arguments, "--target", "acount", cwd=tmp_path)
    assert refused.returncode == 2
    assert "did you mean 'account'" in refused.stderr


@pytest.fixture
def spoilt(tmp_path: Path) -> Path:
    """Return a folder with a model and a table, to be spoilt."""
    shutil.copytree(DEMO / "model", tmp_path / "model")
    (tmp_path / "rows.csv").write_text("text,label\nhello,account\n")
    return tmp_path


def refused(folder: Path, *arguments: object, code: int, says: str) -> None:
    """Check that an audit ends with one line and a code, and writes nothing."""
    before = sorted(folder.rglob("*"))
    done = run_forked("audit", *arguments, cwd=folder)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sorted(folder.rglob("*")) == before


def test_a_missing_model_folder(spoilt: Path) -> None:
    refused(spoilt, "./missing", "rows.csv", code=3, says="no folder 'missing'")


def test_a_model_folder_without_weights(spoilt: Path) -> None:
    (spoilt / "model/model.safetensors").unlink()
    refused(spoilt, "model", "rows.csv", code=3, says="holds no weights")


def test_a_model_folder_with_only_a_pickle(spoilt: Path) -> None:
    (spoilt / "model/model.safetensors").rename(spoilt / "model/pytorch_model.bin")
    refused(spoilt, "model", "rows.csv", code=3, says="only as a pickle")


def test_a_wrong_column(spoilt: Path) -> None:
    refused(spoilt, "model", "rows.csv", "--text", "txt", code=3, says="did you mean 'text'?")


def test_an_empty_file(spoilt: Path) -> None:
    (spoilt / "rows.csv").write_text("")
    refused(spoilt, "model", "rows.csv", code=3, says="holds no rows")


def test_a_label_that_the_model_lacks(spoilt: Path) -> None:
    (spoilt / "rows.csv").write_text("text,label\nhello,acount\n")
    refused(spoilt, "model", "rows.csv", "--label", "label", code=3, says="mean 'account'?")


def test_a_file_that_is_not_utf8(spoilt: Path) -> None:
    (spoilt / "rows.csv").write_bytes(b"text,label\ncaf\xe9,account\n")
    refused(spoilt, "model", "rows.csv", code=3, says="not UTF-8")


def test_an_unknown_method(spoilt: Path) -> None:
    refused(spoilt, "model", "rows.csv", "--methods", "shop", code=2, says="mean 'shap'?")


def test_weights_that_are_nan(spoilt: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    path = spoilt / "model/model.safetensors"
    weights = load_file(path)
    weights["classifier.bias"] = torch.full_like(weights["classifier.bias"], float("nan"))
    path.unlink()
    save_file(weights, path, metadata={"format": "pt"})
    refused(spoilt, "model", "rows.csv", code=3, says="classifier.bias hold NaN")


def test_a_folder_that_cannot_be_written(spoilt: Path) -> None:
    (spoilt / "taken").write_text("a file")
    refused(
        spoilt,
        "model",
        "rows.csv",
        "--explain",
        0,
        "--out",
        "taken",
        code=2,
        says="cannot read or write",
    )


@pytest.mark.parametrize(
    ("option", "code", "says"),
    [
        ("long_text=windows", 3, "which gradients do not follow"),
        ('task="multi_label"', 2, "which is not multi_label"),
        ("long_txt=cut", 2, "did you mean 'long_text'"),
        ("source=here", 2, "cannot be loaded with source="),
        ("dtype=16", 2, "there is no dtype 16"),
        ("cut", 2, "no NAME=VALUE"),
    ],
)
def test_options_of_the_model_are_json_or_text(
    tmp_path: Path, option: str, code: int, says: str
) -> None:
    method = ("--method", "integrated_gradients")
    done = run_forked("text", DEMO / "model", "a", *method, "--model-option", option, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (code, 1)
    assert says in done.stderr


def test_usage_errors_exit_with_2(tmp_path: Path) -> None:
    assert run_forked("audit", cwd=tmp_path).returncode == 2
    assert run_forked("nonsense", cwd=tmp_path).returncode == 2


def test_a_record_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "audit.json").write_text("{}")
    done = run_forked("render", "audit.json", cwd=tmp_path)
    assert done.returncode == 3
    assert "not a record" in done.stderr
    assert not (tmp_path / "audit.html").exists()
