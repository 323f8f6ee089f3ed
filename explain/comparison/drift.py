"""What an endpoint answers to the same texts at two dates, as its two logs of calls have it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from explain.adapters.remote import (
    Endpoint,
    LoggedAnswers,
    LoggedQuestion,
    logged_answers,
    logged_questions,
)
from explain.comparison.call_changes import (
    MODEL,
    SIZE,
    PairedAnswers,
    flips,
    flips_by_noise,
)
from explain.comparison.outcomes import PLAIN, changes_section
from explain.errors import ConfigurationError, DataError
from explain.record import (
    Change,
    Section,
    Sentence,
    Table,
    join_sentences,
)

__all__ = ["MOST_MODELS", "NAMELESS", "NOWHERE", "Drift", "drift_between", "no_drift_section"]

NOWHERE = "http://log.invalid/log"
"""An address that is never asked: a log answers."""

NAMELESS = "(not named)"

TITLE = "Answers of the endpoint"

MOST_MODELS = 10


@dataclass(frozen=True, slots=True)
class Drift:
    """What was compared of two logs of calls.

    Attributes
    ----------
    pairs : PairedAnswers
        The texts that both logs have an answer to.
    logs : tuple of two LoggedAnswers
        What each log says.
    address : str
        What was asked.
    days : tuple of two date or None
        When.
    """

    pairs: PairedAnswers
    logs: tuple[LoggedAnswers, LoggedAnswers]
    address: str
    days: tuple[date | None, date | None]

    @property
    def n_texts(self) -> int:
        """How many texts both have an answer to."""
        return len(self.pairs.first)

    @property
    def is_one_log(self) -> bool:
        """Whether both logs hold the same answers of one day."""
        return self.logs[0].sha256 == self.logs[1].sha256 and len({*self.days}) == 1

    def answer(self, changes: Sequence[Change]) -> str:
        """Return whether the endpoint drifted, with the number of texts."""
        return _answer(changes, self)

    def sections(self, changes: Sequence[Change]) -> tuple[Section, ...]:
        """Return what differs between the days, and what differs on one."""
        compared = changes_section("calls", TITLE, changes, _summary(changes, self))
        return (
            compared.model_copy(
                update={
                    "measures": (flips(self.pairs), flips_by_noise(self.pairs)),
                    "tables": (*compared.tables, _models_table(self.logs)),
                }
            ),
        )


def drift_between(first: Path, second: Path, endpoint: Endpoint | None = None) -> Drift:
    """Return the texts of two logs that both have an answer to; see `compare_calls`."""
    questions = [next(iter(logged_questions(path)), None) for path in (first, second)]
    endpoint = endpoint or _endpoint_of(*questions)
    if not endpoint.labels:
        raise ConfigurationError(
            "only the answers tell the labels of this kind; name them as labels in [endpoint]"
        )
    decimals = endpoint.options.decimals
    logs = [logged_answers(path, endpoint.kind, decimals) for path in (first, second)]
    common = [key for key in logs[0].scores if key in logs[1].scores]
    if not common:
        raise DataError(
            f"the two logs have no text in common, of {len(logs[0].scores):,} and "
            f"{len(logs[1].scores):,}; compare logs of one address, question and table"
        )
    pairs = PairedAnswers(
        task=endpoint.kind.task,
        labels=endpoint.kind.labels,
        first=[logs[0].scores[key] for key in common],
        second=[logs[1].scores[key] for key in common],
        models=([*logs[0].models], [*logs[1].models]),
    )
    days = [None if question is None else question.day for question in questions]
    address = next((q.address for q in reversed(questions) if q is not None), endpoint.host)
    return Drift(pairs, (logs[0], logs[1]), address, (days[0], days[1]))


def no_drift_section(reason: str) -> Section:
    """Return that the logs of two audits are not compared, and why."""
    summary = Sentence("The logs of calls are not compared: {reason}.", reason=reason)
    return Section(id="calls", title=TITLE, summary=summary)


def _endpoint_of(first: LoggedQuestion | None, second: LoggedQuestion | None) -> Endpoint:
    """Return what two logs have asked, as an endpoint that nothing is sent to."""
    if first is None or second is None:
        which = "first" if first is None else "second"
        raise ConfigurationError(
            f"the {which} log of calls does not say what was asked, as logs of earlier versions do "
            "not; pass --config with the [endpoint] that it was written with"
        )
    if first.kind != second.kind:
        raise ConfigurationError(
            f"the two logs are of endpoints of different kinds, {first.kind} and {second.kind}; "
            "compare logs of one endpoint"
        )
    return Endpoint(NOWHERE, kind=second.kind, **second.fields)


def _answer(changes: Sequence[Change], drift: Drift) -> str:
    """Return whether the endpoint drifted, with the number of texts."""
    outcomes = {change.id: change.outcome for change in changes if change.kind == "call"}
    is_moved = any(outcome not in PLAIN for id, outcome in outcomes.items() if id != MODEL)
    template = (
        "The endpoint answers otherwise than before: its answers to the same {n} {n:text|texts} "
        "changed by more than its own noise."
        if is_moved
        else "The answers of the endpoint to the same {n} {n:text|texts} do not differ by more "
        "than its own noise."
    )
    return join_sentences(
        Sentence(template, n=drift.n_texts),
        Sentence(
            "{share} of them have another answer; {noise} do when they are asked twice on one day.",
            share=flips(drift.pairs),
            noise=flips_by_noise(drift.pairs),
        )
        if flips_by_noise(drift.pairs).n
        else Sentence("{share} of them have another answer.", share=flips(drift.pairs)),
        "The answers name another model." if MODEL in outcomes else "",
    )


def _summary(changes: Sequence[Change], drift: Drift) -> str:
    return join_sentences(_answer(changes, drift), _size_in_words(changes))


def _size_in_words(changes: Sequence[Change]) -> str:
    size = next(change for change in changes if change.id == SIZE)
    if size.p_value is None:
        return (
            "Fewer than five texts were asked twice on one day. Only a change in one direction can "
            "be told from noise then."
        )
    return Sentence(
        "An answer changes by {second} between the days, and by {first} on one day.",
        first=size.first,
        second=size.second,
    )


def _models_table(logs: Sequence[LoggedAnswers]) -> Table:
    names = Counter(name for log in logs for name in log.models)
    return Table(
        title="Models that answered",
        columns=("name in the answers", "first log", "second log"),
        rows=tuple(
            (name or NAMELESS, logs[0].models[name], logs[1].models[name])
            for name, _ in names.most_common(MOST_MODELS)
        ),
    )
