"""Parts of an audit: findings, sections, criteria, what was skipped or not measured."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from explain.record.base import SEVERITIES, Grade, JsonObject, Record, Severity, Verdict
from explain.record.measures import Figure, IntervalsFigure, Measure, MetricSpec, Table
from explain.record.sentences import Sentence, SentenceLike
from explain.text.redaction import redacted_record

__all__ = [
    "Criterion",
    "Finding",
    "FrozenCriteria",
    "JudgedCriterion",
    "MethodTrust",
    "NotMeasured",
    "Omitted",
    "Section",
    "Skipped",
]


class NotMeasured(Record):
    """Why something was not measured: what is returned in its place."""

    reason: SentenceLike
    """The reason, without a full stop at its end."""


class Finding(Record):
    """What a reader must know: a claim with its size, and what to do about it."""

    code: Annotated[str, Field(pattern=r"^[a-z0-9-]+\.[a-z0-9_-]+$")]
    """What kind of finding it is, the same in every run: ``slices.worse``."""
    subject: str = ""
    """What it is about, the same in every run: a slice, a word, a group, a label. Empty for the
    whole model."""
    claim: SentenceLike
    severity: Severity
    size: float | None
    """How large the gap or harm is for certain, from 0 to 1: the end of its interval that is nearer
    to no harm (`Measure.beyond`). Findings of one severity are ranked by it. None for a fact that
    needs no statistic."""
    measure: Measure | None
    """The number behind the claim; None for a fact that needs no statistic."""
    members: Table | None = None
    """What the finding sums up, such as all slices of one column, the worst first."""
    cause: str | None = None
    """`id` of the finding that explains this one, and is ranked before it."""
    evidence: tuple[str, ...]
    """Ids of the sections and instances that the claim rests on."""
    suggestion: SentenceLike

    @property
    def id(self) -> str:
        """The code and what the finding is about, by which lists name it: ``slices.worse[a = b]``.

        Two runs of one model give one finding the same id.
        """
        return f"{self.code}[{self.subject}]" if self.subject else self.code

    @property
    def rank(self) -> tuple[int, float]:
        """What findings are sorted by: the most severe first, then the largest."""
        return SEVERITIES.index(self.severity), -(self.size or 0.0)

    def with_measure(self, transform: Callable[[Measure], Measure]) -> Self:
        """Return the finding with its measure changed."""
        if self.measure is None:
            return self
        return self.model_copy(update={"measure": transform(self.measure)})


class Section(Record):
    """What one check found, or why it measured nothing."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    """Anchor of the section: ``performance``."""
    title: SentenceLike
    summary: SentenceLike
    """One or two sentences that a reader needs if they read no further."""
    measures: tuple[Measure, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    findings: tuple[Finding, ...] = ()
    skipped: SentenceLike | None = None
    """Why nothing was measured; None if something was."""

    @classmethod
    def not_measured(cls, id: str, title: str, reason: SentenceLike) -> Self:
        """Return the section of what measured nothing."""
        return cls(id=id, title=title, summary="Nothing was measured.", skipped=reason)

    def all_measures(self) -> Iterator[Measure]:
        """Yield the measures, also those in tables and figures."""
        yield from self.measures
        for table in self.tables:
            for row in table.rows:
                yield from (cell for cell in row if isinstance(cell, Measure))
        for figure in self.figures:
            if isinstance(figure, IntervalsFigure):
                yield from figure.measures

    def with_metrics(self, metrics: Sequence[MetricSpec]) -> Self:
        """Return the section with the ids of metrics on all that bears their titles."""
        ids = {metric.title: metric.id for metric in metrics}

        def identified(measure: Measure) -> Measure:
            name = measure.name
            title = name.template if isinstance(name, Sentence) else name
            return measure.model_copy(update={"metric": ids[title]}) if title in ids else measure

        return self.model_copy(
            update={
                "measures": tuple(map(identified, self.measures)),
                "tables": tuple(table.with_measures(identified) for table in self.tables),
                "figures": tuple(
                    figure.with_measures(identified)
                    if isinstance(figure, IntervalsFigure)
                    else figure
                    for figure in self.figures
                ),
                "findings": tuple(finding.with_measure(identified) for finding in self.findings),
            }
        )


class MethodTrust(Record):
    """Whether the explanations of one method on this model can be believed."""

    method: str
    """Name of the method in the registry."""
    title: SentenceLike
    """Name of the method as readers see it."""
    grade: Grade
    reasons: tuple[SentenceLike, ...]
    """Why the grade is no better, each in a sentence; also what could not be measured."""
    measures: tuple[Measure, ...]
    """The metrics that the grade rests on."""


class Criterion(Record):
    """An acceptance criterion: what a metric must be, said before anything is scored."""

    metric: Annotated[str, Field(min_length=1)]
    """Id of the metric: ``performance.accuracy``."""
    of: dict[str, str] = Field(default_factory=dict)
    """What the metric is of, where it is of something: ``{"label": "positive"}``."""
    slice: str = "all"
    """Which instances: ``all``, or a condition such as ``language = de``."""
    at_least: float | None = None
    """Lowest value that is accepted, in the unit of the metric."""
    at_most: float | None = None
    """Highest value that is accepted; a criterion states one of the two."""
    minimum_n: Annotated[int, Field(ge=1)] | None = None
    """Instances below which there is no verdict; None for any number."""
    gating: bool = False
    """Whether the whole audit fails where this criterion does."""
    rationale: str = ""
    """Why the threshold is what it is."""

    @model_validator(mode="after")
    def _states_one_threshold(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            stated = "neither" if self.at_least is None else "both"
            raise ValueError(f"a criterion states at_least or at_most, this one states {stated}")
        return self

    @property
    def comparator(self) -> Literal["at_least", "at_most"]:
        """On which side of the threshold the accepted values lie."""
        return "at_most" if self.at_least is None else "at_least"

    @property
    def threshold(self) -> float:
        """The value of `at_least` or `at_most`."""
        return next(end for end in (self.at_least, self.at_most) if end is not None)

    def statement(self) -> JsonObject:
        """Return all that was said before the run, and no verdict."""
        return self.model_dump(mode="json", include=set(Criterion.model_fields))


class FrozenCriteria(Record):
    """Acceptance criteria as they stood before anything was scored."""

    criteria: tuple[Criterion, ...]
    regression_margin: float | None = None
    """Loss of accuracy that a comparison with another run tolerates, as a share; None if no margin
    is stated."""
    sha256: str
    """Hash of the criteria as JSON: keys in order, no white space, sorted, in a list; the margin is
    one of them."""
    frozen_on: date
    """Day on which they were frozen, in UTC."""

    @classmethod
    def of(
        cls,
        criteria: Sequence[Criterion],
        frozen_on: date,
        regression_margin: float | None = None,
    ) -> Self:
        """Return the criteria without keys and with their hash; what was judged is left out."""
        stated = tuple(
            redacted_record(Criterion.model_validate(criterion.statement()))[0]
            for criterion in criteria
        )
        return cls(
            criteria=stated,
            regression_margin=regression_margin,
            sha256=_digest(stated, regression_margin),
            frozen_on=frozen_on,
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing was frozen: no criterion, and no margin."""
        return not self.criteria and self.regression_margin is None

    @model_validator(mode="after")
    def _is_unchanged(self) -> Self:
        if self.sha256 != _digest(self.criteria, self.regression_margin):
            raise ValueError("sha256 is not that of the criteria: they have been changed since")
        return self


def _digest(criteria: Sequence[Criterion], regression_margin: float | None) -> str:
    statements = [criterion.statement() for criterion in criteria]
    if regression_margin is not None:
        statements.append({"regression_margin": regression_margin})
    items = sorted(
        json.dumps(statement, sort_keys=True, separators=(",", ":")) for statement in statements
    )
    return hashlib.sha256(f"[{','.join(items)}]".encode()).hexdigest()


class JudgedCriterion(Criterion):
    """An acceptance criterion with what was measured, and its verdict."""

    title: SentenceLike
    """The metric in a reader's words: ``recall of positive``."""
    measure: Measure | None
    """What the run measured; None if the metric was skipped."""
    section: str | None = None
    """Id of the section that holds the measure; None if nothing was measured."""
    p_value: float | None = None
    """Two-sided p-value of the threshold being the true value; None where there is no interval."""
    adjusted_p_value: float | None = None
    """The same, adjusted for the number of gating criteria (Holm 1979); None if not gating."""
    verdict: Verdict
    reason: SentenceLike
    """Why the verdict is what it is, from the interval."""


class Skipped(Record):
    """A row or a method on a row that could not be done; it counts in the denominators."""

    id: str
    """Id of the instance."""
    row: int
    """Row of the table, counted from 1 after the header."""
    stage: str
    """What could not be done: ``predict``, ``shap``."""
    reason: SentenceLike


class Omitted(Record):
    """What an audit could have looked at, and was not asked or given."""

    subject: SentenceLike
    """The check that was not chosen, or what an input would have shown."""
    remedy: SentenceLike
    """Why it was not looked at, and how to get it, in one line."""
