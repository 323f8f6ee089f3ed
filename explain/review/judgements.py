"""What reviewers say of instances, taken together."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from explain.record import InstanceRecord, ReviewLine

__all__ = ["by_instance", "contradicts_label", "is_wrong", "judgements", "majority"]

RIGHT = ("correct", "wrong_reason")
WRONG = ("wrong_label", "unsafe")
"""Verdicts that say whether the answer of the model is right; the others leave it open."""

T = TypeVar("T")


def by_instance(lines: Iterable[ReviewLine]) -> dict[str, dict[str, ReviewLine]]:
    """Return the lines of each instance by reviewer."""
    reviews: dict[str, dict[str, ReviewLine]] = {}
    for line in lines:
        reviews.setdefault(line.instance, {})[line.reviewer] = line
    return reviews


def is_wrong(line: ReviewLine) -> bool | None:
    """Tell whether a reviewer calls the answer of the model wrong; None if that is left open."""
    return line.verdict in WRONG if line.verdict in RIGHT + WRONG else None


def contradicts_label(line: ReviewLine, instance: InstanceRecord) -> bool | None:
    """Tell whether a reviewer contradicts the label of the table; None if that is left open.

    The reviewer's own label decides, as it is given before the answer of the model is shown.
    Without one, who calls the model right contradicts another label, and who calls it wrong
    contradicts the same one.
    """
    wrong = is_wrong(line)
    if instance.label is None or wrong is None:
        return None
    if line.label is not None:
        return line.label != instance.label
    return wrong == (instance.label == instance.predicted)


def majority(answers: Sequence[T | None]) -> T | None:
    """Return what most say of those that say something; None for a draw.

    Examples
    --------
    >>> majority([True, None, True, False]), majority([True, False]), majority([None])
    (True, None, None)
    """
    counts = Counter(answer for answer in answers if answer is not None).most_common(2)
    if not counts or (len(counts) == 2 and counts[0][1] == counts[1][1]):
        return None
    return counts[0][0]


def judgements(
    lines: Mapping[str, Mapping[str, ReviewLine]], instances: Sequence[InstanceRecord]
) -> tuple[list[bool | None], list[bool | None]]:
    """Return for each instance whether the model, and whether the label, is wrong by majority."""
    model, labels = [], []
    for instance in instances:
        reviews = lines.get(instance.id, {}).values()
        model.append(majority([is_wrong(line) for line in reviews]))
        labels.append(majority([contradicts_label(line, instance) for line in reviews]))
    return model, labels
