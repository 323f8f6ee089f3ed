"""The jinja2 environment: where the templates are, and what happens to everything they print."""

import base64
import hashlib
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reports.text import is_lengthy, visible

__all__ = ["Verbatim", "render", "templates_folder"]


INDENTATION = re.compile(r"^ +", re.MULTILINE)


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
        .render(style_hash=_hash("report.css"), script_hash=_hash("report.js"), **context)
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
    return environment


def _printed(value: object) -> object:
    """Return what a template prints for `value`; what a macro made is left alone."""
    if not isinstance(value, str) or isinstance(value, Verbatim) or hasattr(value, "__html__"):
        return value
    return visible(value)


@cache
def _hash(template: str) -> str:
    """Return the hash by which a content security policy knows the inlined `template`."""
    inlined = _environment().get_template(template).render()
    return "sha256-" + base64.b64encode(hashlib.sha256(inlined.encode()).digest()).decode()
