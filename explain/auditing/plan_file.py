"""Where the fields of a plan are said in ``audit.toml``, and what is wrong there, in one line."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from explain.errors import ConfigurationError, nearest
from explain.record import Criterion
from explain.record.files import plain_bytes

__all__ = ["FILES", "Place", "complaint", "stated_options"]

TABLES = (
    "system",
    "data",
    "model",
    "explain",
    "endpoint",
    "checks",
    "criteria",
    "gates",
    "compare",
)
"""Tables of ``audit.toml``."""

FILES = ("ca", "calls", "replay", "accepted")
"""Keys that name files, relative to ``audit.toml``."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a field is said other than as an argument.

    Attributes
    ----------
    table : str
        Table of ``audit.toml``.
    key : str, optional
        Its key there, if that is not the name of the field.
    option : str, optional
        Option of the command, if that is not the name of the field; empty if there is none.
    metavar : str, optional
        What the help of the command calls its value.
    separator : str, optional
        What stands between several values of the option; without one it is repeated.
    """

    table: str
    key: str | None = None
    option: str | None = None
    metavar: str | None = None
    separator: str | None = None


def stated_options(path: Path, places: Mapping[str, Place]) -> dict[str, Any]:
    """Return what a file says by the names of the fields, not validated but for its keys."""
    try:
        content = tomllib.loads(plain_bytes(path).decode())
    except OSError as error:
        raise ConfigurationError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"{str(path)!r} is no TOML: {error}") from error
    except RecursionError as error:
        raise ConfigurationError(f"{str(path)!r} is nested too deep for a configuration") from error
    keys = {
        table: {place.key or name: name for name, place in places.items() if place.table == table}
        for table in TABLES
    }
    options: dict[str, Any] = {}
    for table, value in content.items():
        if table not in TABLES:
            raise ConfigurationError(
                f"{path}: the top level has no {table!r}; {nearest(table, TABLES)}"
            )
        if table in ("criteria", "system"):
            options[table] = value
        elif not isinstance(value, dict):
            raise ConfigurationError(f"{path}: the top level cannot take {table} = {value!r}")
        elif table == "checks":
            options |= {"checks": value["run"]} if "run" in value else {}
            options["check_options"] = {k: v for k, v in value.items() if k != "run"}
        elif table == "endpoint":
            fields = {key: value[key] for key in ("kind", "replay") if key in value}
            options |= fields
            options["endpoint"] = {k: v for k, v in value.items() if k not in fields}
        else:
            for key, one in value.items():
                if key not in keys[table]:
                    raise ConfigurationError(
                        f"{path}: [{table}] has no {key!r}; {nearest(key, keys[table])}"
                    )
                options[keys[table][key]] = one
    return options


def complaint(error: ValidationError, places: Mapping[str, Place], *, in_file: bool) -> str:
    """Return the first problem in a sentence, with the nearest known key for an unknown one."""
    errors = error.errors()
    first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
    steps, what = first["loc"], first["msg"].removeprefix("Value error, ")
    if steps[0] == "criteria" and len(steps) > 1:
        return _of_criterion(int(steps[1]), steps, first["type"], first["input"], what)
    name = str(steps[0])
    place = places[name]
    where = f"[{place.table}] " if in_file else ""
    key = (place.key or name) if in_file else name
    if name == "system" and len(steps) > 1:
        return f"[system] cannot take {steps[-1]} = {first['input']!r}: {what}"
    return f"{where}cannot take {key} = {first['input']!r}: {what}"


def _of_criterion(
    number: int, steps: Sequence[str | int], kind: str, value: object, problem: str
) -> str:
    where, key = f"[[criteria]] number {number + 1}", str(steps[-1])
    if kind == "extra_forbidden":
        return f"{where} has no {key!r}; {nearest(key, Criterion.model_fields)}"
    if kind == "missing":
        return f"{where} lacks {key!r}"
    if kind == "value_error":
        return f"{where}: {problem}"
    return f"{where} cannot take {key} = {value!r}: {problem}"
