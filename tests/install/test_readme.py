"""What the README, CONTRIBUTING and docs/ show can be run, and prints what they say."""

import re
import shlex
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

import explain
from explain.auditing.gates import read_accepted
from explain.auditing.resolve import resolve
from explain.cli import app
from explain.testing import check_classifier
from tests.helpers.command import run
from tests.helpers.documentation import README, ROOT, blocks

Readme = Callable[[str, str], None]

PAGES = (
    *("README.md", "README.zh.md", "docs/first-audit.md", "docs/first-audit.zh.md"),
    *("docs/endpoint-tutorial.md", "docs/endpoint-tutorial.zh.md"),
    *("docs/audits.md", "docs/endpoints.md", "docs/methods.md", "docs/models.md"),
)
COMMANDS = typer.main.get_command(app)
FIRST, AUDIT, WRAP = blocks("python", "README.md")


def by_length(texts: Sequence[Any]) -> list[list[float]]:
    """Return probabilities of two labels: the longer a text, the less of the first."""
    shares = [1 / (2 + len(str(text))) for text in texts]
    return [[share, 1 - share] for share in shares]


def test_the_first_lines_print_what_the_readme_shows(
    readme: Readme, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    with redirect_stdout(StringIO()) as output:
        exec(FIRST, {})
    readme(f"{FIRST}```\n\n```text\n", output.getvalue())


def test_the_command_prints_what_the_readme_shows(readme: Readme) -> None:
    (line,) = re.findall(r"^\$ explain (text .*)\n", README.read_text(), re.MULTILINE)
    done = run(*shlex.split(line), cwd=ROOT)
    assert done.returncode == 0, done.stderr
    output = "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())
    readme(f"$ explain {line}\n", output)


def test_the_other_code_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data.csv").write_text("text,label\n" + "a good film,negative\na bad one,positive\n" * 5)
    names: dict[str, Any] = {"explain": explain, "my_function": by_length}
    exec(WRAP, names)
    quick = 'label="label", instances=1, checks=["performance"], methods=["occlusion"]'
    assert 'label="label"' in AUDIT
    exec(AUDIT.replace('label="label"', quick), names)
    assert "</html>" in Path("audit.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["README", "docs/endpoint-tutorial"])
def test_a_chinese_page_shows_the_code_and_output_of_the_english_one(page: str) -> None:
    chinese, english = (
        [re.sub(r" +# .*", "", block) for block in blocks(r"\w+", f"{page}{ending}")]
        for ending in (".zh.md", ".md")
    )
    assert chinese == english != []


@pytest.mark.parametrize("page", ["docs/methods.md", "docs/models.md"])
def test_code_of_the_documentation_runs(page: str) -> None:
    model = explain.wrap(by_length, labels=["negative", "positive"])
    names = {"explain": explain, "model": model, "text": "not good", "MyClassifier": lambda: model}
    for code in blocks("python", page):
        exec(code, names)


def test_the_check_the_method_and_the_adapter_of_contributing_work() -> None:
    names: dict[str, Any] = {}
    for code in blocks("python", "CONTRIBUTING.md"):
        exec(code, names)
    model = names["ExclamationClassifier"]()
    assert check_classifier(model).failed == ()
    method = names["KeepOne"]()
    attribution = explain.attribute(model, "not bad !", target="loud", method=method)
    assert attribution.values == pytest.approx((0, 0, 1))
    rows = [{"text": text} for text in ("a film", "", "good !")]
    check = names["EmptyTextsCheck"]()
    record = explain.audit(model, rows, instances=1, methods=[method], checks=[check])
    (section,) = (section for section in record.sections if section.id == check.id)
    assert section.summary == "1 of 3 texts have no word."
    assert [(measure.metric, measure.n) for measure in section.measures] == [(names["EMPTY"].id, 3)]


def test_code_of_an_audit_is_python() -> None:
    for code in blocks("python", "docs/audits.md"):
        compile(code, "docs/audits.md", "exec")


@pytest.mark.parametrize("page", PAGES)
def test_configurations_are_accepted_and_their_criteria_name_metrics(
    page: str, tmp_path: Path
) -> None:
    for content in blocks("toml", page):
        path = tmp_path / "audit.toml"
        path.write_text(content, encoding="utf-8")
        if content.startswith("[[accepted]]"):
            assert read_accepted(path)
        else:
            resolve(path, {})


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_their_options_exist(page: str) -> None:
    assert isinstance(COMMANDS, TyperGroup)
    for line in "".join(blocks("bash", page)).replace("\\\n", " ").splitlines():
        program, *words = shlex.split(line, comments=True) or [""]
        if program == "explain":
            command = COMMANDS.commands[words[0]]
            if isinstance(command, TyperGroup):
                command = command.commands[words[1]]
            options = {name for param in command.params for name in param.opts}
            assert {word for word in words if word.startswith("--")} <= options, line


@pytest.mark.parametrize("page", [*PAGES, "CONTRIBUTING.md"])
def test_links_lead_to_files_and_headings(page: str) -> None:
    source = ROOT / page
    for link in re.findall(r"\]\((?!https?:)(.*?)\)", source.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = source.parent / path
        assert target.exists(), link
        if anchor:
            titles = re.findall(r"^#+ (.*)", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {title.lower().replace(" ", "-") for title in titles}, link


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("page", "packages"),
    [("docs/first-audit.md", ["skops"]), ("docs/first-audit.zh.md", ["jieba", "skops"])],
)
def test_a_tutorial_shows_what_its_code_and_its_audit_print(
    page: str, packages: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in packages:
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    attributed, audited = blocks("text", page)
    names: dict[str, Any] = {}
    with redirect_stdout(StringIO()) as output:
        for code in blocks("python", page):
            exec(code, names)
    assert output.getvalue() == attributed
    Path("audit.toml").write_text("".join(blocks("toml", page)), encoding="utf-8")
    (line,) = re.findall(r"^explain (audit .*)", (ROOT / page).read_text("utf-8"), re.MULTILINE)
    done = run(*shlex.split(line), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == audited
