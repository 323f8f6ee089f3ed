"""Names say of what: no bare pronoun or participle, and no word that the field has a term for."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]

FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for room in ("explain", "reports")
    for path in (ROOT / room).rglob("*.py")
)

PRONOUNS = """
all any both each either every everything it mine neither none nothing one ones others ours own some
something that theirs them these they this those what which who whom whose
"""

PARTICIPLES = """
agreed answered asked assessed attached beaten bounded broken called changed checked chosen
clipped clustered compared confirmed copied corrected counted covered crossed declared deleted
doubted done drawn ended enumerated exchanged explained fixed flipped foretold found given guarded
heard held inserted joined judged kept known labelled leant learned left listed looked lost made
marked meant measured merged met missed modelled moved named needed normed noted parted played
pooled posed pushed read refined removed renamed repeated replaced resampled resolved rewritten
rounded said sampled saved scored seen sent settled shortened shown signalled stated swapped taken
taught tested thawed thought told tossed tried turned used validated wanted watched weighed won
worded wrapped written
"""
"""Without what was found, or known. Terms are none of them: observed, expected, predicted."""

REPLACED = """
alike alone along ask assess becomes beneath beside beyond challenger doubt doubts ends ground
leaning likes naming namings once play pulls rival rivals settle surely transforms twin
"""
"""Words for which the field has a term, such as requests, scores, baseline model, uncertainty."""

BANNED = frozenset(f"{PRONOUNS} {PARTICIPLES} {REPLACED}".split())

COALITION = ("Coalition", "bool")
"""What `kept` is annotated with where it is a coalition: True where a feature is present."""


class Name(NamedTuple):
    """A name that code outside of a function's body can see."""

    text: str
    line: int
    is_allowed: bool = False


def names_in(node: ast.AST, *, in_function: bool = False) -> Iterator[Name]:
    """Yield the names of a module, its classes and functions, their fields and parameters."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Name(child.name, child.lineno, child.name.strip("_") == "read")
            yield from map(parameter, parameters_of(child.args))
            yield from names_in(child, in_function=True)
        elif isinstance(child, ast.ClassDef):
            yield Name(child.name, child.lineno)
            yield from names_in(child)
        else:
            yield from assigned(child, in_function=in_function)
            yield from names_in(child, in_function=in_function)


def parameters_of(arguments: ast.arguments) -> list[ast.arg]:
    starred = [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *starred]


def parameter(argument: ast.arg) -> Name:
    return Name(argument.arg, argument.lineno, is_coalition(argument.arg, argument.annotation))


def assigned(node: ast.AST, *, in_function: bool) -> Iterator[Name]:
    """Yield what a statement stores: attributes, and variables outside of functions."""
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        yield Name(node.attr, node.lineno)
    if in_function:
        return
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield Name(node.target.id, node.lineno, is_coalition(node.target.id, node.annotation))
    if isinstance(node, ast.Assign):
        names = (n for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name))
        yield from (Name(n.id, n.lineno) for n in names if isinstance(n.ctx, ast.Store))


def is_coalition(name: str, annotation: ast.expr | None) -> bool:
    kind = "" if annotation is None else ast.unparse(annotation)
    return name == "kept" and any(word in kind for word in COALITION)


def banned_names(source: str) -> list[Name]:
    """Return the banned names of a module's source."""
    return [
        name
        for name in names_in(ast.parse(source))
        if name.text.lstrip("_").lower() in BANNED
        and not name.is_allowed
        and not name.text.startswith("__")
    ]


@pytest.mark.parametrize("file", FILES)
def test_no_name_is_a_bare_pronoun_or_participle(file: str) -> None:
    names = banned_names((ROOT / file).read_text(encoding="utf-8"))
    places = [f"{name.text} in line {name.line}" for name in names]
    assert not places, f"{file} has {', '.join(places)}; say of what, such as known_values"


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def found(): ...", ["found"]),
        ("async def _found(): ...", ["_found"]),
        ("def f(a, /, own, *others, wanted=1, **given): ...", ["own", "wanted", "others", "given"]),
        ("class Said:\n    known: int\n    asked = 1", ["Said", "known", "asked"]),
        ("ASKED, (x, DRAWN) = 1, (2, 3)", ["ASKED", "DRAWN"]),
        ("def f(self):\n    self._lost: int = 1\n    self.left = 2", ["_lost", "left"]),
        ("def f():\n    def one(): ...\n    other = found = 1", ["one"]),
        ("def f(kept: Sequence[bool], known_values: int): ...", []),
        ("def f(kept: int): ...", ["kept"]),
        ("__all__ = []\nclass A:\n    def read(self): ...\n    def f(self, read): ...", ["read"]),
        ("index[known] = 1\nx = {found for found in y}", []),
    ],
)
def test_the_names_of_a_source_are_found_where_others_see_them(
    source: str, names: list[str]
) -> None:
    assert [name.text for name in banned_names(source)] == names
