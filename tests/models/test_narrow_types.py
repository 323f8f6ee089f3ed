"""What `typings/` says of other packages is true of the packages that are installed."""

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

TYPINGS = Path(__file__).parents[2] / "typings"


def _definitions(body: list[ast.stmt], path: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each class, function and attribute, with its node."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield (*path, node.name), node
            yield from _definitions(node.body, (*path, node.name))
        elif isinstance(node, ast.FunctionDef) and node.name != "__getattr__":
            yield (*path, node.name), node


DEFINITIONS = [
    (".".join(file.relative_to(TYPINGS).with_suffix("").parts).removesuffix(".__init__"), *found)
    for file in sorted(TYPINGS.rglob("*.pyi"))
    for found in _definitions(ast.parse(file.read_text(encoding="utf-8")).body, ())
]


def _of(module: str, path: tuple[str, ...]) -> Any:
    value: Any = import_module(module)
    for name in path:
        value = getattr(value, name)
    return value


def _parameters(function: Any) -> set[str] | None:
    """Return the names that a function takes; None where it takes any."""
    parameters = inspect.signature(function).parameters.values()
    any_name = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    return None if any_name else {parameter.name for parameter in parameters}


@pytest.mark.parametrize(
    ("module", "path", "node"), DEFINITIONS, ids=[".".join(path) for _, path, _ in DEFINITIONS]
)
def test_what_is_declared_is_there(
    module: str, path: tuple[str, ...], node: ast.ClassDef | ast.FunctionDef
) -> None:
    value = _of(module, path)
    if isinstance(node, ast.ClassDef):
        bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
        assert all(issubclass(value, _of(module, (b,))) for b in bases if not b.startswith("_"))
        return
    declared = {argument.arg for argument in node.args.args} - {"self", "cls"}
    taken = set() if isinstance(value, property) else _parameters(value)
    assert taken is None or declared <= taken
