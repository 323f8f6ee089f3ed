"""The options of the command: those that come from the plan of an audit, and those of a model."""

import inspect
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer

from explain.auditing.plan import AuditPlan, place_of
from explain.errors import ConfigurationError

__all__ = ["Language", "TerminalLanguage", "model_options_of", "with_plan_options"]

Language = Annotated[
    Literal["en", "zh"],
    typer.Option(help="Language of the report and of what is printed: en, or zh (Simplified)."),
]

TerminalLanguage = Annotated[
    Literal["en", "zh"], typer.Option(help="Language of what is printed: en, or zh (Simplified).")
]


def with_plan_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command that takes ``**given`` an option for each field of the plan that has one.

    An option that is not given is None. Its help is the first paragraph of the field's docstring.
    """
    signature = inspect.signature(command)
    parameters = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    place = next(i for i, p in enumerate(parameters) if p.name == "config") + 1
    options = [_option(name) for name in AuditPlan.model_fields if place_of(name).option != ""]
    parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in parameters]
    parameters[place:place] = options
    vars(command)["__signature__"] = signature.replace(parameters=parameters)
    return command


def model_options_of(
    assignments: list[str] | None, trust: list[str] | None, allow_pickle: bool
) -> dict[str, Any]:
    """Return the options of `explain.load` that were given; a value is JSON or else text."""
    options: dict[str, Any] = {}
    for option in assignments or ():
        name, equals, value = option.partition("=")
        if not equals:
            raise ConfigurationError(f"--model-option {option!r} is no NAME=VALUE")
        try:
            options[name] = json.loads(value)
        except ValueError:
            options[name] = value
        except RecursionError as error:
            raise ConfigurationError(f"--model-option {name} is nested too deep") from error
    if trust:
        options["trusted"] = trust
    if allow_pickle:
        options["allow_pickle"] = True
    return options


def _option(name: str) -> inspect.Parameter:
    field, place = AuditPlan.model_fields[name], place_of(name)
    separator = place.separator
    option = typer.Option(
        place.option or f"--{name.replace('_', '-')}",
        metavar=place.metavar,
        help=" ".join((field.description or "").partition("\n\n")[0].split()),
        callback=None if separator is None else lambda text: _split(text, separator),
    )
    kind = _kind(set(_types(field.annotation)), is_repeated=separator is None)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )


def _kind(types: set[object], *, is_repeated: bool) -> Any:
    """Return what the command reads a field as."""
    if types & {tuple, dict} and is_repeated:
        return list[str]
    if Any in types:
        return Path
    return next((kind for kind in (str, int, float) if kind in types), str)


def _types(annotation: object) -> Iterator[object]:
    """Yield the types that a field may have."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _types(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for argument in get_args(annotation):
            yield from _types(argument)
    elif annotation is not NoneType:
        yield origin or annotation


def _split(text: str | None, separator: str) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(separator)]
