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

    [gates]              # findings that fail the audit, and a file of those that are accepted
    fail_on = "critical"

    [compare]            # the loss of accuracy that a comparison with another audit tolerates
    margin = 0.02

All of it is optional. An unknown key is refused, with the nearest known one.

A new option is one field here, with what it means below it, and the place where it is used: the
file, the keyword arguments of `explain.audit`, and the command take it from here.
"""

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, Signature, signature
from numbers import Integral
from pathlib import Path
from typing import Annotated, Any, Self, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from explain.auditing.plan_file import FILES, Place, complaint, stated_options
from explain.errors import ConfigurationError, nearest
from explain.record import Criterion, FrozenCriteria, Severity, SystemIdentity, hash_of

__all__ = ["DEFAULT_METHODS", "AuditPlan", "Criteria", "Place", "place_of", "with_plan"]

DEFAULT_METHODS = ("shap", "lime", "integrated_gradients")

Criteria: TypeAlias = Sequence[Criterion | Mapping[str, Any]] | FrozenCriteria
"""Acceptance criteria, as mappings with the keys of ``[[criteria]]``, or frozen already."""

T = TypeVar("T", bound="AuditPlan")


def _names(value: object) -> object:
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError("this is not a list; pass a list of names")
    return tuple(value)


def _one_or_more_names(value: object) -> object:
    return (value,) if isinstance(value, str) else _names(() if value is None else value)


def _whole(value: object) -> object:
    """Return a whole number of another package as one of Python."""
    return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else value


def _not_negative(number: int) -> int:
    if number < 0:
        raise ValueError("it is negative; pass 0 or more")
    return number


def _threshold(value: object) -> object:
    """Return what the command says, a list of P or LABEL=P, as a number or by label."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return value
    by_label = {label: p for label, _, p in (str(one).rpartition("=") for one in value)}
    if len(by_label) < len(value):
        raise ValueError("a label is named twice; pass one threshold for each")
    return by_label[""] if [*by_label] == [""] else by_label


def _without_freezing(value: object) -> object:
    return value.criteria if isinstance(value, FrozenCriteria) else value


Names = BeforeValidator(_names)
Whole: TypeAlias = Annotated[int, Field(strict=True), BeforeValidator(_whole)]
Share: TypeAlias = Annotated[float, Field(gt=0, lt=1)]
Count: TypeAlias = Annotated[Whole, AfterValidator(_not_negative)]
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
    group: Annotated[
        tuple[str, ...], BeforeValidator(_one_or_more_names), Place("data", metavar="COL")
    ] = ()
    """Column of groups that the model is to treat alike; repeat for more.

    Of several columns each is compared by itself, and then all of them together: the groups that
    they part the table into, such as old women.
    """
    slices: Annotated[tuple[str, ...], Names, Place("data", option="--slice", metavar="COL")] = ()
    """Column whose values are slices, measured one by one; repeat for more."""
    threshold: Annotated[
        Share | dict[str, Share] | None,
        BeforeValidator(_threshold),
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
    """Stop when the largest standard error is below this share of the largest value; by default 0.1
    for SHAP and LIME."""
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
    fail_on: Annotated[Severity | None, Place("gates")] = None
    """Fail on findings of this severity or a higher one: critical, major or minor."""
    accepted: Annotated[str | None, Place("gates", metavar="FILE")] = None
    """File of accepted findings, which do not fail the audit (explain.auditing.gates)."""
    regression_margin: Annotated[
        Annotated[float, Field(ge=0, lt=1)] | None, Place("compare", "margin", option="")
    ] = None
    """Loss of accuracy that a comparison with another audit tolerates, as a share of the rows.

    It is frozen with the criteria, so that nobody can choose it when the difference is known.
    """
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
        options = stated_options(path, _places())
        if (train := options.get("training")) is not None:
            if not isinstance(train, str):
                raise ConfigurationError(
                    f"{path}: [data] cannot take train = {train!r}: name a file"
                )
            options["training"] = str(path.parent / train)
        for table in (options, options.get("endpoint", {})):
            for name in FILES:
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
        named = (self.id, *self.group, *self.slices)
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


def _places() -> dict[str, Place]:
    return {name: place_of(name) for name in AuditPlan.model_fields}


def place_of(name: str) -> Place:
    """Return where else a field of the plan is said."""
    metadata = AuditPlan.model_fields[name].metadata
    return next(entry for entry in metadata if isinstance(entry, Place))


def _validate(plan: type[T], options: Mapping[str, object], source: str) -> T:
    """Return a plan, or raise one line that says where and what is wrong."""
    try:
        return plan.model_validate(options)
    except ValidationError as error:
        raise ConfigurationError(
            f"{source}{complaint(error, _places(), in_file=bool(source))}"
        ) from error
