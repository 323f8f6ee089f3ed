"""The rooms of the tests are what CONTRIBUTING says of them."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ROOMS = ("install", "models", "report", "statistical", "unit")


def imported(path: Path) -> set[str]:
    """Return the modules that a file imports, wherever it does."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


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
