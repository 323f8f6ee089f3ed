"""What an audit could have looked at, and was not asked or given."""

from collections.abc import Sequence

from explain.auditing.plan import AuditPlan
from explain.checks import CHECKS, Check
from explain.record import Omitted, Sentence

__all__ = ["omissions"]

INPUTS = {
    "label": (
        "whether the predictions are right",
        "no label column was named; name it (--label, or label=)",
    ),
    "group": (
        "whether groups are treated alike",
        "no column of groups was named; name one (--group, or group=)",
    ),
    "slices": (
        "slices of your own",
        "no column of slices was named; name one or more (--slice, or slices=)",
    ),
    "training": (
        "texts that the model was trained on",
        "no training data was given; pass it (--train, or training=)",
    ),
    "rationale": (
        "explanations against what people marked as the reason",
        "no column of rationales was named; name it (--rationale, or rationale=)",
    ),
    "criteria": (
        "whether the model is good enough",
        "no acceptance criteria were set; write [[criteria]] in audit.toml, or pass criteria=",
    ),
}
"""For each field of the plan that may be left out, what it would have shown, and how to pass it."""


def omissions(plan: AuditPlan, checks: Sequence[Check]) -> tuple[Omitted, ...]:
    """Return the checks that were not chosen, and the inputs that were not given.

    Parameters
    ----------
    plan : AuditPlan
        What was asked for.
    checks : sequence of Check
        The checks that were chosen.
    """
    chosen = {check.id for check in checks}
    left_out = [
        Omitted(
            subject=Sentence("{title} (a check)", title=check.title),
            remedy=Sentence("it was not chosen; add it (--check {name}, or checks=)", name=name),
        )
        for name, check in CHECKS.items()
        if name not in chosen
    ]
    absent = [
        Omitted(subject=what, remedy=how)
        for name, (what, how) in INPUTS.items()
        if not _is_given(getattr(plan, name))
    ]
    return (*left_out, *absent)


def _is_given(argument: object) -> bool:
    """Tell whether an argument says anything; a table has no truth value of its own."""
    return argument is not None and not (isinstance(argument, str | tuple | list) and not argument)
