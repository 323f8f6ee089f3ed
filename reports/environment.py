"""The jinja2 environment: where the templates are, and what happens to everything they print."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from reports.bidi import isolated_runs
from reports.languages import is_english, join_texts, language, translate
from reports.text import is_lengthy, visible

__all__ = ["Verbatim", "render", "templates_folder"]


INDENTATION = re.compile(r"^ +", re.MULTILINE)

OUTCOMES = ("right", "wrong", "no label", "not judged")
"""How an answer compares with its label, as `reports.instances.outcome` says it."""

_FIELD = re.compile(r"[{](\w+)[}]")


class Verbatim(str):
    """Text that is printed as it is; all other text is printed with marks for what is invisible."""

    __slots__ = ()


def render(template: str, **context: object) -> str:
    """Return the page that `template` makes of `context`.

    An HTML parser drops NUL, and turns a bare carriage return into a line feed: the first is shown
    as ``␀``, the second is written as a character reference. No template holds either.
    """
    page = (
        _environment()
        .get_template(template)
        .render(
            language=language().tag,
            style_hash=_hash("report.css", language().tag),
            script_hash=_hash("report.js", language().tag),
            **context,
        )
    )
    return page.replace("\0", "␀").replace("\r", "&#13;")


def templates_folder() -> Path:
    """Return the folder of the templates: inside of the package, or at the top of a checkout."""
    installed = Path(__file__).parent / "templates"
    return installed if installed.is_dir() else Path(__file__).parents[1] / "templates"


class _Loader(FileSystemLoader):
    """Loads templates; what a script is indented by is for who writes it, and no page holds it."""

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        source, file, is_current = super().get_source(environment, template)
        return INDENTATION.sub("", source) if template.endswith(".js") else source, file, is_current


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=_Loader(templates_folder()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printed,
    )
    environment.tests["lengthy"] = is_lengthy
    environment.filters["join_texts"] = lambda sentences: join_texts(*sentences)
    environment.globals["script_text"] = _script_text
    environment.globals["script_name"] = _script_name
    environment.globals["outcomes"] = OUTCOMES
    environment.globals["is_english"] = is_english
    environment.globals["_"] = translate
    return environment


def _printed(value: object) -> object:
    """Return what a template prints for `value`; what a macro made is left alone."""
    if not isinstance(value, str) or isinstance(value, Verbatim) or hasattr(value, "__html__"):
        return value
    return isolated_runs(visible(value))


def _script_text(template: str, **expressions: str) -> Markup:
    r"""Return a string of JavaScript in the language that is spoken.

    Examples
    --------
    >>> str(_script_text("finding {n}", n="rank")), str(_script_text("Correct"))
    ('`finding ${rank}`', '"Correct"')
    """
    text = htmlsafe_json_dumps(language().translation(template), _literal)
    if not expressions:
        return text
    filled = text[1:-1].replace("`", r"\`")
    return Markup(f"`{_FIELD.sub(lambda field: f'${{{expressions[field[1]]}}}', filled)}`")


def _script_name(expression: str, names: Sequence[str]) -> Markup:
    """Return JavaScript for what one of some names is called in the language that is spoken."""
    if is_english():
        return Markup(expression)
    known = {name: language().translation(name) for name in names}
    return Markup("({})[{}]").format(htmlsafe_json_dumps(known, _literal), Markup(expression))


def _literal(text: object, **options: object) -> str:
    return json.dumps(text, ensure_ascii=False)


@cache
def _hash(template: str, tag: str) -> str:
    """Return the hash by which a content security policy knows the inlined `template`."""
    inlined = _environment().get_template(template).render()
    return "sha256-" + base64.b64encode(hashlib.sha256(inlined.encode()).digest()).decode()
