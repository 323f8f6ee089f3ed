"""Things that are known by a name and made with options: methods, and checks."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from explain.errors import ConfigurationError, nearest

__all__ = ["make"]


def make(
    kind: str, registry: Mapping[str, type[Any]], name: str, options: Mapping[str, object]
) -> Any:
    """Return the dataclass of a registry with the given options, each validated by its type.

    Raises
    ------
    ConfigurationError
        If there is no such name, it has no such option, or a value is out of range.
    """
    if name not in registry:
        raise ConfigurationError(f"there is no {kind} {name!r}; {nearest(name, registry)}")
    known_options = [option.name for option in fields(registry[name])]
    if unknown := [option for option in options if option not in known_options]:
        raise ConfigurationError(
            f"{name} has no option {unknown[0]!r}; {nearest(unknown[0], known_options)}"
        )
    try:
        return TypeAdapter(registry[name]).validate_python(options)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigurationError(
            f"{name} cannot take {first['loc'][0]}={first['input']!r}: {first['msg']}"
        ) from error
