"""Collects what the code says to readers, for the catalogues of translations."""

import ast
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import get_args

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po
from jinja2 import Environment, nodes

from explain.checks.robustness.perturbations import NEGATIONS, PERTURBATIONS
from explain.checks.shortcuts.text_styles import STYLES
from explain.cli import DEMO
from explain.evaluation.flags import Answer
from explain.record.base import Severity, Unit, Verdict
from explain.record.comparison import ComparisonVerdict, Outcomes
from explain.record.frames import COLUMNS
from explain.record.reviews import ReviewVerdict
from explain.record.verification import SignOffVerdict
from reports.environment import OUTCOMES
from reports.exports.spreadsheets import TABLES

__all__ = ["sentences_of"]

ROOT = Path(__file__).parents[2]

LANGUAGES = ROOT / "reports" / "languages"

HEADER = """msgid ""
msgstr ""
"Language: zh_CN\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"
"Content-Type: text/plain; charset=utf-8\\n"

"""
"""Without dates, which would change a catalogue whenever it is written."""

IDENTITIES = tomllib.loads((ROOT / "explain/checks/identities.toml").read_text(encoding="utf-8"))

SHOWN_NAMES: tuple[tuple[str, Iterable[str]], ...] = (
    ("explain/record/base.py", (*get_args(Severity), *get_args(Verdict))),
    ("explain/record/comparison.py", (*get_args(ComparisonVerdict), *get_args(Outcomes))),
    ("explain/record/reviews.py", [name.replace("_", " ") for name in get_args(ReviewVerdict)]),
    (
        "templates/review.html",
        ("irrelevant words", "negation missed", "label unclear", "two labels", "personal data"),
    ),
    (
        "explain/record/verification.py",
        [name.replace("_", " ") for name in get_args(SignOffVerdict)],
    ),
    ("reports/environment.py", OUTCOMES),
    ("reports/exports/spreadsheets.py", (*TABLES, *get_args(Unit))),
    (
        "reports/exports/spreadsheets.py",
        [head for kind in TABLES for head in COLUMNS.get(kind, ())],
    ),
    ("reports/counterfactuals.py", ("word", "words", "token", "tokens", "sentence", "sentences")),
    ("reports/doubts.py", ("log-odds", "logit", "value")),
    ("reports/provenance.py", ("regression",)),
    ("explain/auditing/criteria.py", ("above", "below")),
    ("explain/auditing/selection.py", ("random", "borderline")),
    ("explain/checks/shortcuts/spurious_findings.py", ("z",)),
    ("explain/checks/shortcuts/text_styles.py", [style.name for style in STYLES]),
    (
        "explain/checks/robustness/perturbations.py",
        [transform.name for transform in (*PERTURBATIONS, *NEGATIONS)],
    ),
    ("explain/checks/identities.toml", list(IDENTITIES["languages"]["en"]["terms"])),
    ("explain/checks/shortcuts/spurious_findings.py", ("often", "usually")),
    ("explain/checks/base/phrases.py", ("start", "end")),
    ("explain/checks", ("yes", "no", "search", "named")),
    ("explain/evaluation/flags.py", get_args(Answer)),
    ("explain/evaluation/stability.py", ("seeds", "baselines")),
    (
        "explain/attribution/methods",
        ("gaussian_process", "permutation", "sampling", "game model", "partition", "budget"),
    ),
    ("explain/attribution/methods", ("Integrated gradients", "integrated_gradients")),
    ("explain/cli.py", DEMO.values()),
    ("explain/evaluation", ("completeness", "convergence", "infidelity", "max-sensitivity")),
    ("explain/evaluation/scorecard.py", ("Sufficiency", "Infidelity", "Max-sensitivity")),
    ("explain/auditing/endpoint_section.py", ("decimals", "lowest", "median")),
    ("explain/statistics/bootstrap.py", ("rows", "clusters")),
    (
        "explain/attribution/methods/gradients.py",
        ("embedding of the mask token", "embedding of the pad token", "zero embedding"),
    ),
)
"""Names of one word, or composed ones, that are shown where a reader expects a sentence."""

ENGLISH_MODULES = ("__init__",)
"""What says nothing but in errors."""

SPEAKING_ROOMS = (
    "attribution", "auditing", "checks", "comparison", "evaluation", "record", "review",
    "statistics", "adapters/remote", "adapters/failures.py",
)  # fmt: skip
"""Parts of `explain` whose strings reach a record."""

READER_FIELDS = """
answer axis claim columns description method name note problem reason reasons reference_label remedy
rule skipped subject suggestion summary title
"""
"""Fields of records that hold what is said to a reader, or a name that is shown."""

WORDS = re.compile(r"[A-Za-z]{2,}\W* \W*[A-Za-z{0-9]|[}] [A-Za-z]|[A-Za-z] [{]|[{]\w+:\w+[|]")
"""What a sentence has and a key has not: words with a space between."""

CODE = re.compile(
    r"\A\s*(SELECT|INSERT|UPDATE|PRAGMA|CREATE|DELETE)\b|\A[a-z]+_[a-z_]+\Z|\(\?"
    r"|\bdict\[|\btuple\[|\blist\[|\| None\Z"
)

FIELD = re.compile(r"[{][^{}|]*[}]")
"""A field that is filled with a value; one with a noun for it is text itself."""

SILENT_CALLS = re.compile(r"(Error|\bre\.compile|\bregex\.compile|\bwarn\w*|\bcast|progress)\Z")
"""Calls whose strings never reach a record."""

Parents = tuple[tuple[ast.AST, str], ...]


def sentences_of(source: str) -> Iterator[str]:
    """Yield the strings of a module that are said to readers."""
    for node, parents in _walk(ast.parse(source), ()):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.search(r"[^\W\d_]", FIELD.sub("", node.value))
            and not CODE.search(node.value)
            and not _is_silent(parents)
            and (WORDS.search(node.value) or _is_shown(parents))
        ):
            yield node.value


def _walk(node: ast.AST, parents: Parents) -> Iterator[tuple[ast.AST, Parents]]:
    yield node, parents
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _walk(child, (*parents, (node, field)))


def _is_silent(parents: Parents) -> bool:
    """Tell whether a string is a docstring, an error, a type or a key."""
    if isinstance(parents[-1][0], ast.Expr):
        return True
    return any(
        isinstance(node, ast.Raise | ast.JoinedStr | ast.Compare)
        or (isinstance(node, ast.Subscript) and field == "slice")
        or (isinstance(node, ast.AnnAssign) and _is_type(node, field))
        or (isinstance(node, ast.arg | ast.FunctionDef) and field in ("annotation", "returns"))
        or (isinstance(node, ast.Call) and SILENT_CALLS.search(ast.unparse(node.func)) is not None)
        for node, field in parents
    )


def _is_type(node: ast.AnnAssign, field: str) -> bool:
    return field == "annotation" or ast.unparse(node.annotation) == "TypeAlias"


def _is_shown(parents: Parents) -> bool:
    return any(
        (isinstance(node, ast.keyword) and node.arg in READER_FIELDS.split())
        or (isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "title")
        or (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "Sentence"
            and field == "args"
        )
        for node, field in parents
    )


@cache
def sentences() -> dict[str, list[str]]:
    """Return the strings of `explain` that are said to readers, with the files that hold them."""
    files = [
        file
        for room in SPEAKING_ROOMS
        for file in sorted((ROOT / "explain" / room).rglob("*.py")) or [ROOT / "explain" / room]
    ]
    return _in_files(files, sentences_of)


@cache
def pages() -> dict[str, list[str]]:
    """Return the strings of `reports` and its templates, without those of `explain`."""
    files = [
        file
        for folder in ("reports", "reports/exports")
        for file in (ROOT / folder).glob("*.py")
        if file.stem not in ENGLISH_MODULES
    ]
    of_code = _in_files(sorted(files), page_texts_of)
    of_templates = _in_files(sorted((ROOT / "templates").iterdir()), template_texts_of)
    known = sentences()
    of_code |= {name: [place] for place, names in SHOWN_NAMES for name in names}
    merged = {
        text: of_code.get(text, []) + of_templates.get(text, []) for text in of_code | of_templates
    }
    return {text: places for text, places in merged.items() if text not in known}


def page_texts_of(source: str) -> Iterator[str]:
    """Yield the strings of a module of `reports` that are translated where they are used.

    These are what `_` is called with, and the constants of a module that calls it.
    """
    for node, parents in _walk(ast.parse(source), ()):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and (
                (node.value.strip(" _") and _is_translated(node, parents))
                or (_is_constant(parents) and not _is_silent(parents) and WORDS.search(node.value))
            )
        ):
            yield node.value


def _is_translated(node: ast.Constant, parents: Parents) -> bool:
    """Tell whether a string is what `_` is called with, or stands in an entry of the glossary."""
    for call, field in parents:
        match call:
            case ast.Call(func=ast.Name("_")) if field == "args":
                return True
            case ast.Call(func=ast.Name("Entry"), args=[_, *texts], keywords=keywords):
                texts += [keyword.value for keyword in keywords if keyword.arg == "formula"]
                return any(node in ast.walk(text) for text in texts[:4])
    return False


def _is_constant(parents: Parents) -> bool:
    """Tell whether a string is part of a constant, or of a template that is chosen."""
    return not any(isinstance(node, ast.Call) for node, _ in parents) and any(
        isinstance(node, ast.Assign | ast.AnnAssign)
        and (name := ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target))
        and (name.isupper() or name == "template")
        for node, _ in parents
    )


def template_texts_of(source: str) -> Iterator[str]:
    """Yield the strings of a template that are translated."""
    for call in Environment().parse(source).find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in ("_", "script_text"):
            yield from (arg.value for arg in call.args if isinstance(arg, nodes.Const))


def _in_files(
    files: Iterable[Path], texts_of: Callable[[str], Iterator[str]]
) -> dict[str, list[str]]:
    places: dict[str, list[str]] = {}
    for file in files:
        for text in texts_of(file.read_text(encoding="utf-8")):
            place = file.relative_to(ROOT).as_posix()
            if place not in places.setdefault(text, []):
                places[text].append(place)
    return places


def update(path: Path, messages: Mapping[str, list[str]]) -> None:
    """Write a catalogue anew: translations are kept, and what is said no more is dropped."""
    known = Catalog(locale="zh_CN")
    if path.exists():
        with path.open("rb") as file:
            known = read_po(file, locale="zh_CN")
    fresh = Catalog(locale="zh_CN")
    for text, places in messages.items():
        message = known.get(text)
        fresh.add(
            text, message.string if message else "", locations=[(place, 1) for place in places]
        )
        fresh[text].flags.clear()
    with path.open("wb") as file:
        file.write(HEADER.encode())
        write_po(file, fresh, width=0, include_lineno=False, omit_header=True)


if __name__ == "__main__":
    for name, found in (("sentences", sentences()), ("pages", pages())):
        update(LANGUAGES / "zh_CN" / "LC_MESSAGES" / f"{name}.po", found)
