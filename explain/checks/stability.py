"""Whether the same text gets the same answer: again, alone, in another order or batch."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from explain.adapters import TextClassifier
from explain.adapters.base import ModuleClassifier
from explain.checks.base import AuditContext, not_measured, probabilities
from explain.engine import Engine, Row
from explain.engine.liveness import Pulse
from explain.errors import CapabilityError, PredictionError
from explain.record import (
    Cell,
    Finding,
    InstanceLink,
    Measure,
    MetricSpec,
    Section,
    Sentence,
    Table,
    Task,
    Unit,
    join_sentences,
)
from explain.statistics.intervals import proportion
from explain.text.spans import Text, text_of

__all__ = ["StabilityCheck"]

ROUNDING = {"float16": 1e-3, "bfloat16": 8e-3}
"""Change of a probability that may be rounding: above 6e-4, measured for float16 between batches;
bfloat16 has three bits less."""

EXACT_ROUNDING = 1e-6
"""The same for float32 and all else: above 6e-7, measured for float32 between batches."""

LARGE_CHANGE = 0.01
"""Change of a probability with the batch of a text that no rounding explains in any dtype."""

MOST_COPIED = 500_000_000
"""Parameters up to which a model is copied to be run in another dtype."""

MOST_IN_OTHER_DTYPE = 16
"""Texts scored in another dtype: in bfloat16 a processor without it takes six times as long."""

MOST_OF_EACH = 5

_Answers: TypeAlias = list[Row | PredictionError]
"""What each text got in one run."""

AGAIN = "same text again"
DTYPE = "other dtype"
BATCHES = {
    "one text at a time": "alone",
    "another order": "in another order",
    "with the longest text": "together with a longer text",
}
"""How findings tell of the ways that change what a text is scored with."""

FLIPS: Final = MetricSpec(id="stability.flips", title="flip rate, {way}", better="lower")
LARGEST_CHANGE: Final = MetricSpec(
    id="stability.largest_change", title="largest change of a probability, {way}", better="lower"
)
LARGEST_CHANGE_OF_VALUE: Final = MetricSpec(
    id="stability.largest_value_change",
    title="largest change of the value, {way}",
    unit="coefficient",
    high=None,
    better="lower",
)


@dataclass(frozen=True, slots=True)
class StabilityCheck:
    """The same texts again: unchanged, one by one, in another order, padded, in another dtype.

    Attributes
    ----------
    texts : int
        Distinct texts that are scored again, drawn at random.
    repeats : int
        How often they are scored again as they were.
    """

    texts: Annotated[int, Field(ge=2)] = 64
    repeats: Annotated[int, Field(ge=1)] = 3

    id: ClassVar[str] = "stability"
    title: ClassVar[str] = "Stability"
    metrics: ClassVar[tuple[MetricSpec, ...]] = (FLIPS, LARGEST_CHANGE)

    def run(self, context: AuditContext) -> Section:
        """Return what changes where nothing should."""
        rows = _sample(context, self.texts)
        texts = [text_of(context.instances[row].parts) for row in rows]
        base = _answers_of(context.engine.classifier, texts, context.engine.pulse)
        if len(lost := _failures([base])) == len(base):
            reason = Sentence(
                "the model failed on texts that it scored before: {reason}",
                reason=next(iter(lost.values())),
            )
            return not_measured(self, reason)
        trials: list[_Trial] = []
        skipped: list[tuple[str, str]] = []
        for name, score in self._ways(context, texts).items():
            try:
                answers = score()
            except CapabilityError as error:
                skipped.append((name, str(error)))
                continue
            n = len(answers[0])
            if lost := _failures([base[:n], *answers]):
                reason = Sentence(
                    "{lost} of {n} {n:text|texts} got no answer: {reason}",
                    lost=len(lost),
                    n=n,
                    reason=next(iter(lost.values())),
                )
                skipped.append((name, reason))
            if places := [place for place in range(n) if place not in lost]:
                trials.append(_trial(context, name, rows, places, base, answers))
        findings = _findings(context, trials)
        return Section(
            id=self.id,
            title=self.title,
            summary=_summary(context, trials, len(rows)),
            measures=tuple(
                measure for trial in trials for measure in trial.measures(context.model.task)
            ),
            tables=(
                *_changed_texts(context, trials),
                *(
                    [Table(title="Not measured", columns=("what", "reason"), rows=tuple(skipped))]
                    if skipped
                    else []
                ),
            ),
            findings=findings,
        )

    def _ways(
        self, context: AuditContext, texts: Sequence[Text]
    ) -> dict[str, Callable[[], list[_Answers]]]:
        """Return the ways to score the texts again, each of which gives one or more answers."""
        order = context.rng(f"{self.id}, order").permutation(len(texts))
        longest = text_of(max(context.instances, key=lambda i: sum(map(len, i.parts))).parts)

        engine = context.engine
        model = engine.classifier

        def shuffled() -> _Answers:
            answers = engine.score_again([texts[i] for i in order])
            return [answers[i] for i in np.argsort(order)]

        return {
            AGAIN: lambda: [_answers_of(model, texts, engine.pulse) for _ in range(self.repeats)],
            "one text at a time": lambda: [[engine.score_together([text])[0] for text in texts]],
            "another order": lambda: [shuffled()],
            "with the longest text": lambda: [
                [engine.score_together([text, longest])[0] for text in texts]
            ],
            DTYPE: lambda: [_answers_of(_in_other_dtype(engine), texts[:MOST_IN_OTHER_DTYPE])],
        }


@dataclass(frozen=True, slots=True)
class _Trial:
    """The texts scored in one other way, against how they were scored first.

    Attributes
    ----------
    name : str
        What was done.
    rows : array, shape (n_texts,)
        Number of the instance of each text.
    changes : array, shape (n_texts,)
        Largest change of a probability of each (of the value, for a regression).
    flips : array, shape (n_texts,)
        Whether a label of each changed.
    """

    name: str
    rows: NDArray[np.int64]
    changes: NDArray[np.float64]
    flips: NDArray[np.bool_]

    @property
    def largest(self) -> float:
        """The largest change of all."""
        return float(self.changes.max())

    def measures(self, task: Task) -> tuple[Measure, ...]:
        """Return the flips, and the largest change; it is observed, so it has no interval."""
        unit: Unit = "coefficient" if task == "regression" else "proportion"
        metric = LARGEST_CHANGE_OF_VALUE if task == "regression" else LARGEST_CHANGE
        largest = Measure(
            name=metric.name(way=self.name),
            value=self.largest,
            n=len(self.changes),
            unit=unit,
        )
        if task == "regression":
            return (largest,)
        name = FLIPS.name(way=self.name)
        return proportion(name, int(self.flips.sum()), len(self.flips)), largest


def _sample(context: AuditContext, most: int) -> NDArray[np.int64]:
    """Return the numbers of distinct texts drawn at random, in the order of the table."""
    first = {instance.parts: i for i, instance in reversed(list(enumerate(context.instances)))}
    rows = np.array(sorted(first.values()))
    return np.sort(context.rng("stability").permutation(rows)[:most])


def _answers_of(
    model: TextClassifier, texts: Sequence[Text], pulse: Pulse | None = None
) -> _Answers:
    """Return answers made as an audit makes them, by an engine that remembers nothing."""
    return Engine(model, pulse=pulse).score(texts)


def _failures(runs: Sequence[_Answers]) -> dict[int, str]:
    """Return the places of the texts that some run did not answer, with the reasons."""
    return {
        place: str(row)
        for run in runs
        for place, row in enumerate(run)
        if isinstance(row, PredictionError)
    }


def _in_other_dtype(engine: Engine) -> TextClassifier:
    """Return a copy of the model in bfloat16, or in float32 if it is in less.

    Raises
    ------
    CapabilityError
        If it is not a module of torch, is too large to be copied, or was given up.
    """
    model = engine.classifier
    if engine.pulse.given_up is not None:
        raise CapabilityError(engine.pulse.given_up)
    if not isinstance(model, ModuleClassifier):
        raise CapabilityError("the model is not a torch module whose dtype can be set")
    import torch

    n = sum(parameter.numel() for parameter in model.network.parameters())
    if n > MOST_COPIED:
        raise CapabilityError(
            Sentence(
                "the model has {n} parameters; above {most} it is not copied",
                n=n,
                most=MOST_COPIED,
            )
        )
    copy = deepcopy(model)
    half = {parameter.dtype for parameter in copy.network.parameters()} & {
        torch.float16,
        torch.bfloat16,
    }
    copy.network.to(torch.float32 if half else torch.bfloat16)
    return copy


def _trial(
    context: AuditContext,
    name: str,
    rows: NDArray[np.int64],
    places: Sequence[int],
    base: _Answers,
    runs: Sequence[_Answers],
) -> _Trial:
    """Return what changed among the texts that got all answers, at some places."""
    task = context.model.task
    first, *repeats = (np.array([run[place] for place in places], float) for run in (base, *runs))
    before = probabilities(first, task)
    changes = [np.abs(probabilities(scores, task) - before).max(axis=1) for scores in repeats]
    answers = context.rule.holds(first)
    flips = [(context.rule.holds(scores) != answers).any(axis=1) for scores in repeats]
    return _Trial(name, rows[[*places]], np.max(changes, axis=0), np.any(flips, axis=0))


def _rounding(context: AuditContext) -> float:
    """Return the change that may be rounding; of a regression, relative to its values."""
    rounding = ROUNDING.get(str(context.model.facts.get("dtype")), EXACT_ROUNDING)
    if context.model.task == "regression":
        return rounding * max(1.0, float(np.abs(context.scores).max()))
    return rounding


def _summary(context: AuditContext, trials: Sequence[_Trial], n: int) -> str:
    method = Sentence(
        "We scored {n} random {n:text|texts} again in {ways} {ways:way|ways}.",
        n=n,
        ways=len(trials),
    )
    again = next((trial for trial in trials if trial.name == AGAIN), None)
    if again is None:
        return method
    if again.largest == 0:
        template = "The same text, scored again, gets exactly the same answer."
    elif again.largest <= _rounding(context):
        template = (
            "The same text, scored again, gets the same answer (largest change {largest:.1e}, "
            "which is rounding)."
        )
    else:
        template = (
            "The same text, scored again, does not always get the same answer (largest change "
            "{largest:.1e})."
        )
    return join_sentences(Sentence(template, largest=again.largest), method)


def _findings(context: AuditContext, trials: Sequence[_Trial]) -> tuple[Finding, ...]:
    """Return a finding if the same input, or else its batch, changes what a text gets.

    These are facts about the calls that were made, and need no test.
    """
    again = [t for t in trials if t.name == AGAIN and t.largest > _rounding(context)]
    in_batches = [
        t for t in trials if t.name in BATCHES and t.largest > max(LARGE_CHANGE, _rounding(context))
    ]
    largest_first = sorted(in_batches, key=lambda t: -t.largest)
    return tuple(_finding(context, trial) for trial in again or largest_first[:1])


def _finding(context: AuditContext, trial: _Trial) -> Finding:
    regression = context.model.task == "regression"
    change = Sentence(
        "The value changed by up to {largest:.2g} ({n} {n:text|texts})."
        if regression
        else "{flips} of {n} {n:text|texts} got another label, and a probability changed by up to "
        "{largest:.2g}.",
        flips=int(trial.flips.sum()),
        n=len(trial.rows),
        largest=trial.largest,
    )
    if trial.name == AGAIN:
        claim = "The model gives different answers to the very same texts."
        suggestion = (
            "Switch off what is random in the model (dropout, sampling, an endpoint that changes) "
            "before you rely on anything else in this report."
        )
    else:
        claim = Sentence(
            "The model gives another answer when a text is scored {way}.", way=BATCHES[trial.name]
        )
        suggestion = "Check that padding is masked, and that nothing is averaged over a batch."
    worst = np.argsort(-trial.changes, kind="stable")[:3]
    first, *_ = trial.measures(context.model.task)
    return Finding(
        code="stability.changes",
        subject=trial.name,
        claim=join_sentences(claim, change),
        severity="critical" if trial.flips.any() else "major",
        size=first.distance_from(0),
        measure=first,
        evidence=("stability", *(context.instances[trial.rows[i]].id for i in worst)),
        suggestion=suggestion,
    )


def _changed_texts(context: AuditContext, trials: Sequence[_Trial]) -> tuple[Table, ...]:
    """Return the texts that change most beyond rounding."""
    rows: list[tuple[float, tuple[Cell, ...]]] = []
    for trial in trials:
        for i in np.argsort(-trial.changes, kind="stable")[:MOST_OF_EACH]:
            change = float(trial.changes[i])
            if change > _rounding(context):
                link = InstanceLink(instance=context.instances[trial.rows[i]].id)
                flipped = "yes" if trial.flips[i] else "no"
                rows.append((-change, (link, trial.name, change, flipped)))
    if not rows:
        return ()
    rows.sort(key=lambda row: row[0])
    return (
        Table(
            title="Largest changes",
            columns=("instance", "scored", "largest change", "another label"),
            rows=tuple(row for _, row in rows),
            note=Sentence(
                "For each way, up to {most} texts whose change is more than rounding (above "
                "{rounding:.0e}).",
                most=MOST_OF_EACH,
                rounding=_rounding(context),
            ),
        ),
    )
