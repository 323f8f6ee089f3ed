"""Whether the same text gets the same answer: again, alone, in another order or batch."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from explain.adapters import PerTextClassifier, TextClassifier
from explain.adapters.base import ModuleClassifier
from explain.checks.base import AuditContext, not_measured
from explain.checks.stability.findings import changed_texts, findings_of, summary_of
from explain.checks.stability.metrics import FLIPS, LARGEST_CHANGE
from explain.checks.stability.trials import (
    AGAIN,
    DTYPE,
    Answers,
    Trial,
    answers_of,
    failures_of,
    trial_of,
)
from explain.engine import Engine
from explain.errors import CapabilityError
from explain.record import MetricSpec, Section, Sentence, Table
from explain.text.spans import Text, text_of

__all__ = ["StabilityCheck"]

MOST_COPIED = 500_000_000
"""Parameters up to which a model is copied to be run in another dtype."""

MOST_IN_OTHER_DTYPE = 16
"""Texts scored in another dtype: in bfloat16 a processor without it takes six times as long."""


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
        base = answers_of(context.engine.classifier, texts, context.engine.pulse)
        if len(lost := failures_of([base])) == len(base):
            reason = Sentence(
                "the model failed on texts that it scored before: {reason}",
                reason=next(iter(lost.values())),
            )
            return not_measured(self, reason)
        trials: list[Trial] = []
        skipped: list[tuple[str, str]] = []
        for name, score in self._ways(context, texts).items():
            try:
                answers = score()
            except CapabilityError as error:
                skipped.append((name, str(error)))
                continue
            n = len(answers[0])
            if lost := failures_of([base[:n], *answers]):
                reason = Sentence(
                    "{lost} of {n} {n:text|texts} got no answer: {reason}",
                    lost=len(lost),
                    n=n,
                    reason=next(iter(lost.values())),
                )
                skipped.append((name, reason))
            if places := [place for place in range(n) if place not in lost]:
                trials.append(trial_of(context, name, rows, places, base, answers))
        if not trials:
            return not_measured(self, skipped[0][1])
        findings = findings_of(context, trials)
        return Section(
            id=self.id,
            title=self.title,
            summary=summary_of(context, trials, len(rows)),
            measures=tuple(
                measure for trial in trials for measure in trial.measures(context.model.task)
            ),
            tables=(
                *changed_texts(context, trials),
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
    ) -> dict[str, Callable[[], list[Answers]]]:
        """Return the ways to score the texts again, each of which gives one or more answers."""
        order = context.rng(f"{self.id}, order").permutation(len(texts))
        longest = text_of(max(context.instances, key=lambda i: sum(map(len, i.parts))).parts)

        engine = context.engine
        model = engine.classifier

        def shuffled() -> Answers:
            answers = engine.score_again([texts[i] for i in order])
            return [answers[i] for i in np.argsort(order)]

        def again() -> Answers:
            if engine.precision.is_sampled:
                raise CapabilityError(
                    "each answer is a count of samples, which differs from the next by chance"
                )
            if isinstance(model, PerTextClassifier):  # It remembers what it was asked.
                return engine.score_again(texts)
            return answers_of(model, texts, engine.pulse)

        return {
            AGAIN: lambda: [again() for _ in range(self.repeats)],
            "one text at a time": _in_batches(
                model, lambda: [[engine.score_together([text])[0] for text in texts]]
            ),
            "another order": _in_batches(model, lambda: [shuffled()]),
            "with the longest text": _in_batches(
                model,
                lambda: [[engine.score_together([text, longest])[0] for text in texts]],
            ),
            DTYPE: lambda: [answers_of(_in_other_dtype(engine), texts[:MOST_IN_OTHER_DTYPE])],
        }


def _in_batches(
    model: TextClassifier, score: Callable[[], list[Answers]]
) -> Callable[[], list[Answers]]:
    """Return a way to score texts that differs from others by what else is in their batch."""

    def refused() -> list[Answers]:
        raise CapabilityError("each request to the endpoint carries one text alone")

    alone = isinstance(model, PerTextClassifier) and model.texts_per_call == 1
    return refused if alone else score


def _sample(context: AuditContext, most: int) -> NDArray[np.int64]:
    """Return the numbers of distinct texts drawn at random, in the order of the table."""
    first = {instance.parts: i for i, instance in reversed(list(enumerate(context.instances)))}
    rows = np.array(sorted(first.values()))
    return np.sort(context.rng("stability").permutation(rows)[:most])


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
