"""What an audit is asked to do: one model for ``audit.toml``, the arguments and the command.

::

    [system]             # name, version, purpose, decision_affected, out_of_scope, owner, auditor
    name = "support-router"

    [data]               # columns of the table; train is a file, relative to this one
    text = "text"        # also text_pair, label, id, rationale, group, train
    slices = ["language"]

    [model]
    threshold = { spam = 0.7 }    # decide by this probability and not by the highest one

    [explain]            # methods, instances, unit, target, budget, tolerance, masker, seed
    instances = 100

    [endpoint]           # of a model behind an address: kind, its question, key_env, max_calls ...
    kind = "systemone"

    [checks]             # which to run; all by default
    run = ["performance", "robustness"]

    [checks.robustness]  # options of a check
    texts = 200

    [[criteria]]         # metric, of, slice, at_least or at_most, minimum_n, gating, rationale
    metric = "performance.accuracy"
    at_least = 0.85
    gating = true

All of it is optional. An unknown key is refused, with the nearest known one.

A new option is one field here, with what it means below it, and the place where it is used: the
file, the keyword arguments of `explain.audit`, and the command take it from here.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, Self, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from explain.auditing.plan_values import Count, Names, Thresholds, Whole
from explain.errors import ConfigurationError, nearest
from explain.record import Criterion, FrozenCriteria, SystemIdentity, hash_of

__all__ = ["DEFAULT_METHODS", "AuditPlan", "Criteria", "Place", "place_of", "with_plan"]

DEFAULT_METHODS = ("shap", "lime", "integrated_gradients")

Criteria: TypeAlias = Sequence[Criterion | Mapping[str, Any]] | FrozenCriteria
"""Acceptance criteria, as mappings with the keys of ``[[criteria]]``, or frozen already."""

T = TypeVar("T", bound="AuditPlan")

TABLES = ("system", "data", "model", "explain", "endpoint", "checks", "criteria")
"""Tables of ``audit.toml``."""

FILES_OF_ENDPOINT = ("ca", "calls", "replay")
"""Keys of ``[endpoint]`` that name files."""


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


def _without_freezing(value: object) -> object:
    return value.criteria if isinstance(value, FrozenCriteria) else value


Column: TypeAlias = Annotated[str | None, Place("data")]


class AuditPlan(BaseModel):
    """All that an audit is asked to do, whoever has asked for it."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        arbitrary_types_allowed=True,
        use_attribute_docstrings=True,
    )

    text: Annotated[str, Place("data")] = "text"
    """Column of the text; text by default."""
    text_pair: Column = None
    """Column of the second text."""
    label: Column = None
    """Column of the given label. Without it the performance is not measured.

    Of a multi-label model a cell is a list, or a text with ``|`` between the labels; of a
    regression a number.
    """
    id: Column = None
    """Column by which reviewers know a row.

    Its value is shown beside the instance; the id of the instance itself is derived from its text,
    whatever the table says.
    """
    rationale: Column = None
    """Column of the places that people marked as the reason.

    How well explanations find them is then reported; see `explain.data.dataset`.
    """
    group: Column = None
    """Column of groups that the model is to treat alike."""
    slices: Annotated[tuple[str, ...], Names, Place("data", option="--slice", metavar="COL")] = ()
    """Column whose values are slices, measured one by one; repeat for more."""
    threshold: Annotated[
        Thresholds | None,
        Place("model", metavar="[LABEL=]P"),
    ] = None
    """Probability from which on a label is given, where the model does not decide by the highest
    one; repeat for more labels.

    A mapping of labels to thresholds; or one number, which is that of the second of two labels, or
    of every label of a multi-label model. Every check uses it.
    """
    training: Annotated[Any, Place("data", key="train", option="--train", metavar="FILE")] = None
    """What the model was trained on, with the same columns: texts that occur in it are counted."""
    checks: Annotated[
        tuple[Any, ...] | None, Names, Place("checks", "run", option="--check", metavar="NAME")
    ] = None
    """Run only this check; repeat for more. By default all run.

    By name, or as instances with options, your own among them.
    """
    methods: Annotated[tuple[Any, ...], Names, Place("explain", separator=",")] = DEFAULT_METHODS
    """Attribution methods, by commas; by default shap, lime and integrated_gradients.

    By name, or as instances with options. One that the model cannot serve is not measured.
    """
    instances: Annotated[Count, Place("explain", option="--explain")] = 50
    """How many predictions to explain, 50 by default.

    Of a multi-label model each label that it gives is explained, at most 5 of a text; the most
    probable one where there is none.
    """
    unit: Annotated[str, Place("explain")] = "word"
    """Feature: word (the default), token, sentence, or auto (long texts).

    With ``auto`` long texts are explained by their sentences first, then by the words of those that
    matter most.
    """
    target: Annotated[Count | str | None, Place("explain")] = None
    """The label that all texts are explained for; by default the predicted ones."""
    tolerance: Annotated[float | None, Place("explain")] = None
    """Stop when the largest standard error is below this share of the largest value."""
    budget: Annotated[Whole | None, Place("explain")] = None
    """Most evaluations of a text (texts scored, or gradients taken)."""
    masker: Annotated[Any, Place("explain", option="")] = None
    """What stands in for a removed feature: mask_token, delete, or a Masker; by default the mask
    token where there is one."""
    seed: Annotated[Count, Place("explain")] = 0
    """Same seed, same audit.

    The same arguments, files, packages and seed give the same bytes of `AuditRecord.to_json` on the
    same day and machine.
    """
    criteria: Annotated[
        tuple[Criterion, ...], BeforeValidator(_without_freezing), Place("criteria", option="")
    ] = ()
    """What the model must reach, frozen and hashed before anything is scored."""
    system: Annotated[SystemIdentity | dict[str, str], Place("system", option="")] = Field(
        default_factory=dict
    )
    """What is audited and for whom, in the user's words."""
    check_options: Annotated[dict[str, Any], Place("checks", key="", option="")] = Field(
        default_factory=dict
    )
    """Options of checks that are named, by the name of the check."""
    model_options: Annotated[dict[str, Any], Place("load", option="")] = Field(default_factory=dict)
    """Options of explain.load, for a model that is a path or hub id."""
    kind: Annotated[str | None, Place("endpoint")] = None
    """Wire format of a model that is an address, such as systemone, chat or tei."""
    replay: Annotated[str | None, Place("endpoint", metavar="RUN")] = None
    """Answer everything from the calls of an earlier run, its folder or calls.sqlite.

    Nothing is sent.
    """
    endpoint: Annotated[dict[str, Any], Place("endpoint", key="", option="")] = Field(
        default_factory=dict
    )
    """What else explain.load takes for an address: the question, key_env, max_calls and others."""

    def __hash__(self) -> int:
        return hash_of(self)

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Return what an ``audit.toml`` says.

        Raises
        ------
        ConfigurationError
            If the file is missing or no TOML, has an unknown key, or a value is out of range.
        """
        path = Path(path)
        options = _stated_options(path)
        if (train := options.get("training")) is not None:
            if not isinstance(train, str):
                raise ConfigurationError(
                    f"{path}: [data] cannot take train = {train!r}: name a file"
                )
            options["training"] = str(path.parent / train)
        for table in (options, options.get("endpoint", {})):
            for name in FILES_OF_ENDPOINT:
                if isinstance(table.get(name), str):
                    table[name] = str(path.parent / table[name])
        return _validate(cls, options, f"{path}: ")

    def override(self, **changes: object) -> Self:
        """Return the plan with other values of some fields; None stands for one that is not given.

        Raises
        ------
        ConfigurationError
            If there is no such field, or a value is out of range.
        """
        for name in changes:
            if name not in type(self).model_fields:
                known = nearest(name, type(self).model_fields)
                raise ConfigurationError(f"an audit has no argument {name!r}; {known}")
        stated = {name: getattr(self, name) for name in self.model_fields_set}
        stated |= {name: value for name, value in changes.items() if value is not None}
        return _validate(type(self), stated, "")

    def identity(self, model: str) -> SystemIdentity:
        """Return what is audited, named as the model is unless another name is stated."""
        if isinstance(self.system, SystemIdentity):
            return self.system
        return SystemIdentity(**{"name": model, **self.system})

    @property
    def load_options(self) -> dict[str, Any]:
        """What explain.load is told of a model that is a path, hub id or address."""
        named = {"kind": self.kind, "replay": self.replay}
        given = {name: value for name, value in named.items() if value is not None}
        options = {**self.endpoint, **self.model_options, **given}
        if self.replay is not None:
            options.pop("calls", None)
        return options

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that are kept beside texts and labels, each once."""
        named = (self.id, self.group, *self.slices)
        return tuple(dict.fromkeys(column for column in named if column is not None))


def with_plan(function: Callable[..., Any], parameter: str) -> Signature:
    """Return the signature of a function with the fields of the plan in place of ``**given``."""
    parameters = dict(signature(function).parameters)
    parameters.pop(parameter)
    fields = [
        Parameter(
            name,
            Parameter.KEYWORD_ONLY,
            default=field.get_default(call_default_factory=True),
            annotation=field.annotation,
        )
        for name, field in AuditPlan.model_fields.items()
    ]
    return signature(function).replace(parameters=[*parameters.values(), *fields])


def place_of(name: str) -> Place:
    """Return where else a field of the plan is said."""
    metadata = AuditPlan.model_fields[name].metadata
    return next(entry for entry in metadata if isinstance(entry, Place))


# ── The file ──────────────────────────────────────────────────────────────────────────────────────


def _stated_options(path: Path) -> dict[str, Any]:
    """Return what a file says by the names of the fields, not validated but for its keys."""
    try:
        content = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise ConfigurationError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"{str(path)!r} is no TOML: {error}") from error
    except RecursionError as error:
        raise ConfigurationError(f"{str(path)!r} is nested too deep for a configuration") from error
    keys = {
        table: {
            place_of(name).key or name: name
            for name in AuditPlan.model_fields
            if place_of(name).table == table
        }
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


# ── What is wrong, in one line ────────────────────────────────────────────────────────────────────


def _validate(plan: type[T], options: Mapping[str, object], source: str) -> T:
    """Return a plan, or raise one line that says where and what is wrong."""
    try:
        return plan.model_validate(options)
    except ValidationError as error:
        raise ConfigurationError(f"{source}{_complaint(error, bool(source))}") from error


def _complaint(error: ValidationError, in_file: bool) -> str:
    """Return the first problem in a sentence, with the nearest known key for an unknown one."""
    errors = error.errors()
    first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
    steps, what = first["loc"], first["msg"].removeprefix("Value error, ")
    if steps[0] == "criteria" and len(steps) > 1:
        return _of_criterion(int(steps[1]), steps, first["type"], first["input"], what)
    name = str(steps[0])
    place = place_of(name)
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
