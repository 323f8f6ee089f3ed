"""What an audit is asked to do: ``audit.toml``, overruled by what is given explicitly.

::

    [system]             # name, version, purpose, decision_affected, out_of_scope, owner, auditor
    name = "support-router"

    [data]               # columns of the table; train is a file, relative to this one
    text = "text"        # also text_pair, label, id, rationale, group, train
    slices = ["language"]

    [explain]            # methods, instances, unit, target, budget, tolerance
    instances = 100

    [checks]             # which to run; all by default
    run = ["performance", "robustness"]

    [checks.robustness]  # options of a check
    texts = 200

    [[criteria]]         # metric, slice, at_least or at_most, minimum_n, gating, rationale
    metric = "accuracy"
    at_least = 0.85
    gating = true

All of it is optional. An unknown key is refused, with the nearest known one.
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from explain.attribution import UNITS, Wanted
from explain.attribution.methods import METHODS, Explainer, make_explainer
from explain.auditing.criteria import Criterion, FrozenCriteria, check_metrics
from explain.checks import CHECKS, Check, make_check
from explain.errors import ConfigurationError, nearest
from explain.record import SystemIdentity, hash_of

__all__ = [
    "DEFAULT_METHODS",
    "Configuration",
    "Criteria",
    "Settings",
    "read_configuration",
    "settle",
]

DEFAULT_METHODS = ("shap", "lime", "integrated_gradients")

LIMITS: tuple[str, ...] = ("budget", "tolerance")
"""Options that hold for all methods that have them."""

Names: TypeAlias = tuple[str, ...]

Criteria: TypeAlias = Sequence[Criterion | Mapping[str, Any]] | FrozenCriteria
"""Acceptance criteria, as mappings with the keys of ``[[criteria]]``, or frozen already."""

T = TypeVar("T")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __hash__(self) -> int:
        return hash_of(self)


class Data(_Section):
    """``[data]``: names of columns, and the file that the model was trained on."""

    text: str | None = None
    text_pair: str | None = None
    label: str | None = None
    id: str | None = None
    rationale: str | None = None
    group: str | None = None
    slices: Names | None = None
    train: str | None = None


class Explain(_Section):
    """``[explain]``: which predictions are explained, and how."""

    methods: Names | None = None
    instances: Annotated[int, Field(ge=0, strict=True)] | None = None
    unit: str | None = None
    target: Annotated[int, Field(ge=0, strict=True)] | str | None = None
    budget: Annotated[int, Field(strict=True)] | None = None
    tolerance: float | None = None


class Configuration(_Section):
    """What ``audit.toml`` says; nothing in it is needed."""

    system: dict[str, str] = {}
    """Fields of `explain.record.SystemIdentity`."""
    data: Data = Data()
    explain: Explain = Explain()
    checks: dict[str, Any] = {}
    """Under ``run`` the checks that run, under the name of a check its options."""
    criteria: tuple[Criterion, ...] = ()

    @field_validator("system")
    @classmethod
    def _has_known_fields(cls, system: dict[str, str]) -> dict[str, str]:
        _refuse_unknown("system", system, SystemIdentity.model_fields)
        return system

    @field_validator("checks")
    @classmethod
    def _has_known_checks(cls, checks: dict[str, Any]) -> dict[str, Any]:
        _refuse_unknown("checks", checks, ["run", *CHECKS])
        for name, options in checks.items():
            if name == "run":
                _refuse_unless_names("run", options)
                _refuse_unknown_checks(options)
            elif isinstance(options, Mapping):
                make_check(name, **options)
            else:
                raise ConfigurationError(
                    f"[checks] {name} = {options!r} holds no options; write [checks.{name}]"
                )
        return checks


def read_configuration(path: str | Path) -> Configuration:
    """Return what an ``audit.toml`` says.

    Raises
    ------
    ConfigurationError
        If the file is missing or no TOML, has an unknown key, or a value is out of range.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise ConfigurationError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"{str(path)!r} is no TOML: {error}") from error
    except RecursionError as error:
        raise ConfigurationError(f"{str(path)!r} is nested too deep for a configuration") from error
    configuration = _validated(Configuration.model_validate, content, str(path))
    data = configuration.data
    if data.train is None:
        return configuration
    train = str(path.parent / data.train)
    return configuration.model_copy(update={"data": data.model_copy(update={"train": train})})


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that an audit is asked to do, whoever has asked for it.

    The fields are the arguments of `explain.audit` of the same name, `id` and `training` among
    them, with defaults filled in, names made into methods and checks, and criteria validated.
    """

    text: str = "text"
    text_pair: str | None = None
    label: str | None = None
    id: str | None = None
    rationale: str | None = None
    group: str | None = None
    slices: Names = ()
    training: Any = None
    methods: tuple[Explainer, ...] = ()
    instances: int = 50
    unit: str = "word"
    target: Wanted = None
    checks: tuple[Check, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    system: SystemIdentity | Mapping[str, str] = field(default_factory=dict)

    def identity(self, model: str) -> SystemIdentity:
        """Return what is audited, named as the model is unless another name is stated."""
        if isinstance(self.system, SystemIdentity):
            return self.system
        return SystemIdentity(**{"name": model, **self.system})

    @property
    def columns(self) -> Names:
        """Columns that are kept beside texts and labels, each once."""
        named = (self.id, self.group, *self.slices)
        return tuple(dict.fromkeys(column for column in named if column is not None))


def settle(config: Configuration | str | Path | None, given: Mapping[str, Any]) -> Settings:
    """Return what is to be done: what is given explicitly, then the file, then the defaults.

    Parameters
    ----------
    config : Configuration, path or None
        What the file says.
    given : mapping
        Arguments of `explain.audit` by name; None stands for one that was not given.

    Raises
    ------
    ConfigurationError
        If a name is unknown, a value is out of range, or a criterion asks for what no chosen check
        measures.
    """
    if config is None:
        config = Configuration()
    elif not isinstance(config, Configuration):
        config = read_configuration(config)
    stated = _stated(config) | {name: one for name, one in given.items() if one is not None}
    for name in ("methods", "checks", "slices"):
        _refuse_unless_names(name, stated.get(name, ()))
    limits = {name: stated.pop(name) for name in LIMITS if name in stated}
    methods = stated.pop("methods", DEFAULT_METHODS)
    checks = stated.pop("checks", tuple(CHECKS))
    criteria = stated.pop("criteria", ())
    settings = Settings(
        **stated,
        methods=_distinct("method", _explainers(methods, limits), lambda method: method.name),
        checks=_distinct("check", _checks(checks, config.checks), lambda check: check.id),
        criteria=_criteria(criteria),
    )
    if settings.instances < 0:
        raise ConfigurationError(f"instances={settings.instances} is negative; pass 0 or more")
    if settings.unit not in UNITS:
        raise ConfigurationError(
            f"there is no unit {settings.unit!r}; {nearest(settings.unit, UNITS)}"
        )
    check_metrics(settings.criteria, settings.checks)
    return replace(settings, slices=tuple(settings.slices))


def _stated(config: Configuration) -> dict[str, Any]:
    """Return what a file states, under the names that the arguments have."""
    stated = {**_given(config.data), **_given(config.explain), "criteria": config.criteria}
    if "train" in stated:
        stated["training"] = stated.pop("train")
    if "run" in config.checks:
        stated["checks"] = tuple(config.checks["run"])
    return stated | ({"system": config.system} if config.system else {})


def _given(section: BaseModel) -> dict[str, Any]:
    return {name: value for name, value in section if value is not None}


def _explainers(
    methods: Sequence[str | Explainer], limits: Mapping[str, object]
) -> list[Explainer]:
    """Return the methods, each with those of the limits that it knows.

    Raises
    ------
    ConfigurationError
        If a limit is known to none of them.
    """
    for name in limits:
        if not any(name in _options(method) for method in methods):
            raise ConfigurationError(f"no chosen method has the option {name!r}; leave it out")
    return [
        make_explainer(
            method, **{name: limit for name, limit in limits.items() if name in _options(method)}
        )
        for method in methods
    ]


def _options(method: str | Explainer) -> set[str]:
    """Return the options of a method that is given by name; an instance has set its own."""
    known = METHODS.get(method) if isinstance(method, str) else None
    return {option.name for option in fields(known)} if known else set()


def _checks(checks: Sequence[str | Check], options: Mapping[str, Any]) -> list[Check]:
    return [
        make_check(check, **options.get(check, {})) if isinstance(check, str) else make_check(check)
        for check in checks
    ]


def _criteria(criteria: Criteria) -> tuple[Criterion, ...]:
    if isinstance(criteria, FrozenCriteria):
        return criteria.criteria
    return _validated(
        lambda content: Configuration.model_validate({"criteria": content}),
        list(criteria),
        "criteria",
    ).criteria


def _distinct(kind: str, things: Sequence[T], name: Callable[[T], str]) -> tuple[T, ...]:
    names = list(map(name, things))
    if repeated := [name for name in names if names.count(name) > 1]:
        raise ConfigurationError(f"the {kind} {repeated[0]!r} is given twice; name it once")
    return tuple(things)


# ── Refusals ──────────────────────────────────────────────────────────────────────────────────────


def _refuse_unknown(section: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
    for name in given:
        if name not in known:
            raise ConfigurationError(f"[{section}] has no {name!r}; {nearest(name, known)}")


def _refuse_unknown_checks(names: Iterable[object]) -> None:
    known = list(CHECKS)
    for name in names:
        if name not in known:
            raise ConfigurationError(f"[checks] run has no {name!r}; {nearest(name, known)}")


def _refuse_unless_names(option: str, given: object) -> None:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise ConfigurationError(f"{option} = {given!r} is no list; pass a list of names")


def _validated(validate: Callable[[Any], T], content: Any, source: str) -> T:
    """Return what is validated, or raise one line that says where and what is wrong."""
    try:
        return validate(content)
    except ConfigurationError as error:
        raise ConfigurationError(f"{source}: {error}") from error
    except ValidationError as error:
        raise ConfigurationError(f"{source}: {_complaint(error)}") from error


_KEYS: dict[str, type[BaseModel]] = {"data": Data, "explain": Explain, "criteria": Criterion}


def _complaint(error: ValidationError) -> str:
    """Return the first problem in a sentence, with the nearest known key for an unknown one."""
    errors = error.errors()
    first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
    where, keys = _place(first["loc"]), [step for step in first["loc"] if isinstance(step, str)]
    if first["type"] == "extra_forbidden":
        table = Configuration if len(keys) == 1 else _KEYS[keys[0]]
        return f"{where} has no {keys[-1]!r}; {nearest(keys[-1], table.model_fields)}"
    if first["type"] == "missing":
        return f"{where} lacks {keys[-1]!r}"
    if first["type"] == "value_error":
        return f"{where}: {first['msg'].removeprefix('Value error, ')}"
    return f"{where} cannot take {keys[:2][-1]} = {first['input']!r}: {first['msg']}"


def _place(steps: Sequence[str | int]) -> str:
    """Return the table of the file in which something stands.

    Examples
    --------
    >>> _place(["criteria", 1, "metric"]), _place(["data", "text"]), _place(["dta"])
    ('[[criteria]] number 2', '[data]', 'the top level')
    """
    if len(steps) == 1:
        return "the top level"
    if steps[0] == "criteria":
        return f"[[criteria]] number {int(steps[1]) + 1}"
    return f"[{steps[0]}]"
