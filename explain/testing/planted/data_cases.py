"""Messages to a shop with a fault in the table rather than in the model.

Labels that were changed, in one direction or in one group only; rows that are almost in the
training data; and a model that reads the beginning of a message, where a few are too long for it.
The model is the clean classifier otherwise.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random

from explain.adapters import FunctionClassifier, TextClassifier
from explain.record.wording import percent
from explain.testing.messages import LABELS, draw_message, posterior_of
from explain.testing.planted.base import Maker, Planted
from explain.testing.planted.messages_cases import TruncatedModel

__all__ = ["CASES"]

WRONG_LABEL, GIVEN_LABEL, ONE_SIDED = "returns", "billing", 0.25
"""The messages that lose their label, the label that they get, and how many of them."""

NOISY_GROUP, GROUP_NOISE = "B", 0.25
"""The group whose labels are wrong, and how many of them."""

NEAR_SHARE = 0.1
"""Share of the rows that are in the training table with a full stop more."""

WORDS_READ = 30
"""Words that the truncated model reads; no message has more without a preamble."""

LONG_SHARE = 0.05
"""Share of the messages that begin with a preamble of `WORDS_READ` words."""

PREAMBLE = (
    "I have written to you about this once before and nobody has answered so far so please read "
    "all of it this time before you send me one of those standard letters again"
)

Row = dict[str, str]


def _one_sided(row: Row, rng: Random) -> Row:
    is_wrong = row["label"] == WRONG_LABEL and rng.random() < ONE_SIDED
    return {**row, "label": GIVEN_LABEL} if is_wrong else row


def _group_noise(row: Row, rng: Random) -> Row:
    if row["group"] != NOISY_GROUP or rng.random() >= GROUP_NOISE:
        return row
    return {**row, "label": rng.choice([label for label in LABELS if label != row["label"]])}


def _preamble(row: Row, rng: Random) -> Row:
    return {**row, "text": f"{PREAMBLE} {row['text']}"} if rng.random() < LONG_SHARE else row


def _unchanged(row: Row, _: Random) -> Row:
    return row


def _clean() -> FunctionClassifier:
    return FunctionClassifier(posterior_of, LABELS, name="planted", output="scores")


@dataclass(frozen=True, slots=True)
class _Fault:
    """What is wrong with a table, and how it is made of a clean one.

    Attributes
    ----------
    code : str
        Of the finding that must name it.
    truth : str
        As in `Planted`.
    change : callable
        Takes a row and a source of chance, and returns the row as it is in the table.
    model : callable
        Returns the classifier.
    near : float
        Share of the rows that are almost in the training table.
    """

    code: str
    truth: str
    change: Callable[[Row, Random], Row] = _unchanged
    model: Callable[[], TextClassifier] = _clean
    near: float = 0.0


def _planted(name: str, seed: int, rows: int) -> Planted:
    fault = _FAULTS[name]
    rng, changes = Random(seed), Random(f"{name} {seed}")
    messages = [draw_message(rng).row() for _ in range(2 * rows)]
    table, unseen = [fault.change(row, changes) for row in messages[:rows]], messages[rows:]
    n_near = round(fault.near * rows)
    near = [{**row, "text": f"{row['text']}."} for row in table[:n_near]]
    return Planted(
        name=name,
        classifier=fault.model(),
        rows=table,
        options={"label": "label", "group": "group", "training": near + unseen[n_near:]},
        sections=("data",),
        truth=fault.truth,
        codes=(fault.code,),
    )


_FAULTS: Mapping[str, _Fault] = {
    "one_sided_label_noise": _Fault(
        "data.label_errors",
        f"Nothing is wrong with the model, but {percent(ONE_SIDED)} of the messages about "
        f"“{WRONG_LABEL}” are labelled “{GIVEN_LABEL}”, and none the other way round.",
        _one_sided,
    ),
    "group_label_noise": _Fault(
        "data.label_errors_in_group",
        f"Nothing is wrong with the model, but {percent(GROUP_NOISE)} of the messages with first "
        f"names of group {NOISY_GROUP} have a wrong label, and none of the others.",
        _group_noise,
    ),
    "near_leakage": _Fault(
        "data.near_training_copies",
        f"Nothing is wrong with the model, but {percent(NEAR_SHARE)} of the table are in its "
        "training set with a full stop more.",
        near=NEAR_SHARE,
    ),
    "rare_truncation": _Fault(
        "data.cut_texts",
        f"Reads the first {WORDS_READ} words of a message only; {percent(LONG_SHARE)} of the "
        "messages say nothing in them.",
        _preamble,
        partial(TruncatedModel, words_read=WORDS_READ),
    ),
}

CASES: Mapping[str, Maker] = {name: partial(_planted, name) for name in _FAULTS}
"""How each case is made."""
