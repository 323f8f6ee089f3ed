"""The methods and checks that a plan names, made and checked."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TypeVar

from explain.adapters import PerTextClassifier, TextClassifier
from explain.attribution import UNITS
from explain.attribution.methods import DEFAULT_BUDGET, METHODS, Explainer, make_explainer
from explain.auditing.criteria import check_metrics
from explain.auditing.plan import AuditPlan
from explain.checks import CHECKS, Check, NarrowCheck, make_check
from explain.errors import ConfigurationError, nearest
from explain.record import SystemIdentity

__all__ = ["ResolvedPlan", "for_model", "resolve"]

LIMITS = ("budget", "tolerance")
"""Options that hold for all methods that have them."""

TOLERANCE = 0.1
"""Largest standard error of a text, relative to its largest value, at which SHAP and LIME stop to
ask in an audit, where none is stated. It takes three fifths of the evaluations of 0.05, their own
default, and leaves the errors of 26 November, whose intervals held on fewer games (decision 34)."""

BUDGET_OF_ENDPOINTS = DEFAULT_BUDGET
"""Evaluations of a text that is paid by the call, where no budget is stated: without it one long
text costs as much as four short ones."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ResolvedPlan:
    """A plan whose names were found.

    Attributes
    ----------
    plan : AuditPlan
        What was asked for.
    methods : tuple of Explainer
        Its methods with their options.
    checks : tuple of Check
        Its checks with their options.
    """

    plan: AuditPlan
    methods: tuple[Explainer, ...]
    checks: tuple[Check, ...]


def resolve(config: AuditPlan | str | Path | None, overrides: Mapping[str, object]) -> ResolvedPlan:
    """Return what is to be done: what is given explicitly, then the file, then the defaults.

    Parameters
    ----------
    config : AuditPlan, path or None
        What the file says.
    overrides : mapping
        Fields of the plan by name; None stands for one that was not given.

    Raises
    ------
    ConfigurationError
        If a name is unknown, a value is out of range, or a criterion asks for what no chosen check
        measures.
    """
    if config is None:
        config = AuditPlan()
    elif not isinstance(config, AuditPlan):
        config = AuditPlan.read(config)
    plan = config.override(**overrides)
    if plan.unit not in UNITS:
        raise ConfigurationError(f"there is no unit {plan.unit!r}; {nearest(plan.unit, UNITS)}")
    if not isinstance(plan.system, SystemIdentity):
        _refuse_unknown("[system]", plan.system, SystemIdentity.model_fields)
    methods = _distinct("method", _methods(plan), lambda method: method.name)
    checks = _distinct("check", _checks(plan), lambda check: check.id)
    check_metrics(plan.criteria, checks)
    return ResolvedPlan(plan, methods, checks)


def for_model(to_do: ResolvedPlan, model: TextClassifier) -> ResolvedPlan:
    """Return what is to be done with one model: nothing that does not apply to it.

    Checks that nobody chose are left out where they do not apply. Explanations of a model behind an
    endpoint stop earlier, unless it is stated when.
    """
    plan = to_do.plan
    checks = to_do.checks
    if plan.checks is None:
        checks = tuple(
            check
            for check in checks
            if not isinstance(check, NarrowCheck) or check.applies_to(model)
        )
    methods = to_do.methods
    if isinstance(model, PerTextClassifier) and plan.budget is None:
        methods = tuple(
            replace(method, budget=BUDGET_OF_ENDPOINTS) if _asks_until_certain(name) else method
            for name, method in zip(plan.methods, methods, strict=True)
        )
    return replace(to_do, methods=methods, checks=checks)


def _methods(plan: AuditPlan) -> list[Explainer]:
    """Return the methods, each with those of the limits that it knows."""
    _refuse_others("method", plan.methods, "name", METHODS)
    stated = {name: getattr(plan, name) for name in LIMITS}
    limits = {name: limit for name, limit in stated.items() if limit is not None}
    for name in limits:
        if not any(name in _options(method) for method in plan.methods):
            raise ConfigurationError(f"no chosen method has the option {name!r}; leave it out")
    return [_method(method, limits) for method in plan.methods]


def _method(method: str | Explainer, stated_limits: Mapping[str, object]) -> Explainer:
    """Return a method with the limits that it knows; an instance has set its own."""
    limits = (
        {"tolerance": TOLERANCE, **stated_limits} if _asks_until_certain(method) else stated_limits
    )
    known = _options(method)
    return make_explainer(
        method, **{name: limit for name, limit in limits.items() if name in known}
    )


def _asks_until_certain(method: str | Explainer) -> bool:
    """Tell whether a method that is given by name asks for values until its errors are small."""
    is_of_values = isinstance(method, str) and hasattr(METHODS.get(method), "plan")
    return is_of_values and "tolerance" in _options(method)


def _options(method: str | Explainer) -> set[str]:
    """Return the options of a method that is given by name; an instance has set its own."""
    known = METHODS.get(method) if isinstance(method, str) else None
    return {option.name for option in fields(known)} if known else set()


def _checks(plan: AuditPlan) -> list[Check]:
    """Return the checks, those that are named with the options that the plan has for them."""
    _refuse_unknown("[checks]", plan.check_options, ["run", *CHECKS])
    for name, options in plan.check_options.items():
        if not isinstance(options, Mapping):
            raise ConfigurationError(
                f"[checks] {name} = {options!r} holds no options; write [checks.{name}]"
            )
        make_check(name, **options)
    chosen = list(CHECKS) if plan.checks is None else plan.checks
    _refuse_others("check", chosen, "id", CHECKS)
    return [
        make_check(check, **plan.check_options.get(check, {}))
        if isinstance(check, str)
        else make_check(check)
        for check in chosen
    ]


def _distinct(kind: str, things: Sequence[T], name: Callable[[T], str]) -> tuple[T, ...]:
    names = list(map(name, things))
    if repeated := [name for name in names if names.count(name) > 1]:
        raise ConfigurationError(f"the {kind} {repeated[0]!r} is given twice; name it once")
    return tuple(things)


def _refuse_others(
    kind: str, entries: Iterable[object], mark: str, known_names: Iterable[str]
) -> None:
    """Refuse what is neither a name nor an instance, which has a mark."""
    for one in entries:
        if not isinstance(one, str) and not hasattr(one, mark):
            raise ConfigurationError(f"there is no {kind} {one!r}; {nearest(one, known_names)}")


def _refuse_unknown(where: str, names: Iterable[str], known_names: Iterable[str]) -> None:
    for name in names:
        if name not in known_names:
            raise ConfigurationError(f"{where} has no {name!r}; {nearest(name, known_names)}")
