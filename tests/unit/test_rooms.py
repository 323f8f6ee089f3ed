"""The rooms are what CONTRIBUTING says of them, and no file or function outgrows a reader."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
CODE = [path for room in ("explain", "reports") for path in (TESTS.parent / room).rglob("*.py")]
MOST_LINES = 400
MOST_LINES_OF_FUNCTION = 50
MOST_PARAMETERS = 8
PUBLIC_WITH_MANY_PARAMETERS = {
    "explain/adapters/prompted.py::from_folder",
    "explain/adapters/torch.py::__init__",
    "explain/attribution/interaction.py::interactions",
    "explain/cli.py::audit",
    "explain/cli.py::text",
}
"""What users call themselves, with an option for each: commands, `explain.interactions`, and
loaders of models."""
ROOMS = ("install", "models", "report", "statistical", "unit")


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imported(path: Path) -> set[str]:
    """Return the modules that a file imports, wherever it does."""
    found = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_contributing_says_what_every_room_holds() -> None:
    rooms = {path.name for path in (TESTS.parent / "explain").iterdir() if path.is_dir()}
    text = (TESTS.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)/` \|", text, re.MULTILINE)) == rooms - {"__pycache__"}


def test_every_test_lies_in_a_room() -> None:
    rooms = {path.parent.relative_to(TESTS).as_posix() for path in TESTS.rglob("test_*.py")}
    assert rooms == {*ROOMS}


@pytest.mark.parametrize("room", [*ROOMS, "helpers"])
def test_tests_import_from_no_other_tests_than_the_helpers(room: str) -> None:
    for path in (TESTS / room).rglob("*.py"):
        ours = {name for name in imported(path) if name.startswith("tests.")}
        assert all(name.startswith("tests.helpers") for name in ours), path


def test_unit_tests_import_no_torch() -> None:
    names = [f"tests.unit.{path.stem}" for path in sorted((TESTS / "unit").glob("test_*.py"))]
    script = (
        "import sys\n"
        "from importlib import import_module\n"
        "for name in sys.argv[1:]:\n"
        "    import_module(name)\n"
        "    assert 'torch' not in sys.modules, name\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "tests.conftest", *names],
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_no_file_is_longer_than_a_reader_takes_in() -> None:
    long = {str(path): n for path in CODE if (n := path.read_text().count("\n")) > MOST_LINES}
    assert not long


def lines_without_docstring(function: ast.FunctionDef) -> int:
    """Return how many lines of a function are code."""
    documented = ast.get_docstring(function) is not None
    start = function.body[0].end_lineno if documented else function.lineno
    return (function.end_lineno or 0) - (start or 0)


def test_no_function_is_longer_than_a_screen() -> None:
    found = {
        (path.name, node.name): n
        for path in CODE
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef)
        and (n := lines_without_docstring(node)) > MOST_LINES_OF_FUNCTION
    }
    assert not found


def test_no_warning_of_linter_or_types_is_silenced() -> None:
    silencer = re.compile(r"#\s*(type:\s*ignore|(ruff:\s*)?noqa|mypy:|pragma)")
    silenced = [
        path.relative_to(TESTS.parent).as_posix()
        for path in [*CODE, *TESTS.rglob("*.py")]
        if silencer.search(path.read_text(encoding="utf-8"))
    ]
    assert silenced == []


def test_only_what_users_call_has_many_parameters() -> None:
    many = {
        f"{path.relative_to(TESTS.parent)}::{function.name}"
        for path in CODE
        for function in nodes(path)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        and len(parameters_of(function)) > MOST_PARAMETERS
    }
    assert many == PUBLIC_WITH_MANY_PARAMETERS


def parameters_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Return the parameters that a caller can pass one by one."""
    stated = function.args
    names = [one.arg for one in (*stated.posonlyargs, *stated.args, *stated.kwonlyargs)]
    return [name for name in names if name not in ("self", "cls")]
