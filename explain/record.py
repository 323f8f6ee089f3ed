"""What an audit leaves behind: immutable, versioned data from which every report is rendered.

A record is made of general parts (`Measure`, `Figure`, `Table`, `Section`, `Finding`), so that a
new check needs no new template. Records are frozen pydantic models; equal records give equal bytes.
"""

import hashlib
import json
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import date, datetime
from itertools import pairwise
from math import isfinite, log
from numbers import Integral, Real
from statistics import NormalDist
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)

from explain.errors import RecordError
from explain.redaction import redacted_record
from explain.rendering import require_own_reports
from explain.spans import Segmentation, Span

__all__ = [
    "SCHEMA_VERSION",
    "Agreement",
    "Attribution",
    "AuditRecord",
    "Cell",
    "Conformance",
    "ConformanceRow",
    "ConfusionFigure",
    "Criterion",
    "Figure",
    "FileHash",
    "Finding",
    "FrozenCriteria",
    "Group",
    "HistogramFigure",
    "InstanceLink",
    "InstanceRecord",
    "Interaction",
    "Interactions",
    "IntervalsFigure",
    "JudgedCriterion",
    "LogEntry",
    "Measure",
    "MethodTrust",
    "ModelDescription",
    "Omitted",
    "Prediction",
    "Provenance",
    "ReliabilityBin",
    "ReliabilityFigure",
    "Repeats",
    "Scale",
    "Section",
    "SelectionPlan",
    "Skipped",
    "Stratum",
    "SystemIdentity",
    "Table",
    "Target",
    "Task",
    "Unit",
    "hash_of",
    "label_name",
]

Z95: Final = NormalDist().inv_cdf(0.975)
"""The 97.5 % point of the standard normal distribution."""

SCHEMA_VERSION: Final = 1
"""Version of the schema of `AuditRecord`; a file of another version is refused, not guessed at."""

Task: TypeAlias = Literal["single_label", "multi_label", "regression"]
Scale: TypeAlias = Literal["log_odds", "logit", "value"]
Unit: TypeAlias = Literal["proportion", "count", "log_odds", "coefficient", "tokens", "words"]
Verdict: TypeAlias = Literal["pass", "fail", "inconclusive"]
Outcome: TypeAlias = Literal["pass", "fail", "not applicable"]
Severity: TypeAlias = Literal["critical", "major", "minor"]
Grade: TypeAlias = Literal["A", "B", "C", "D"]

_SEVERITIES: Final[tuple[Severity, ...]] = ("critical", "major", "minor")


def label_name(label: object) -> str:
    """Return a label as text. Whole numbers lose the point that pandas gives them.

    Examples
    --------
    >>> label_name(1.0), label_name("spam")
    ('1', 'spam')
    """
    if isinstance(label, Real) and not isinstance(label, Integral) and float(label).is_integer():
        return str(int(float(label)))
    return str(label)


def _in_order(value: JsonValue) -> JsonValue:
    """Return a JSON value whose objects have their keys in order, at every depth."""
    if isinstance(value, float) and not isfinite(value):
        raise ValueError(f"{value} is no number that JSON can hold")
    if isinstance(value, dict):
        return {key: _in_order(value[key]) for key in sorted(value)}
    return [_in_order(item) for item in value] if isinstance(value, list) else value


JsonObject: TypeAlias = Annotated[dict[str, JsonValue], AfterValidator(_in_order)]
"""A JSON object with its keys in order, so that it is shown the same before and after storage."""


def hash_of(value: Any) -> int:
    """Return a hash of frozen models, and of what they hold: the same of what is equal."""
    if isinstance(value, BaseModel):
        return hash((type(value), *map(hash_of, value.__dict__.values())))
    if isinstance(value, dict):
        return hash(frozenset((key, hash_of(one)) for key, one in value.items()))
    return hash(tuple(map(hash_of, value))) if isinstance(value, list | tuple) else hash(value)


class Record(BaseModel):
    """Base of all records: frozen, strict about unknown fields, finite numbers only."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    def __hash__(self) -> int:
        return hash_of(self)

    def to_json(self) -> str:
        """Return JSON with sorted keys: equal records give equal bytes."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Return the record that `to_json` wrote.

        Raises
        ------
        RecordError
            If the text is no JSON, or does not follow the schema.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(step) for step in first["loc"]) or "the top level"
            raise RecordError(
                f"not a record of explain-audit: {first['msg']} at {where} "
                f"({error.error_count()} problems); pass the audit.json that `explain audit` wrote"
            ) from error


# ── Numbers ───────────────────────────────────────────────────────────────────────────────────────


class Measure(Record):
    """One statistic with its interval and the number of instances behind it."""

    name: str
    """What is measured, in a reader's words: ``accuracy``, ``recall of 'positive'``."""
    value: float | None
    """The estimate; None where it is undefined (no row, say)."""
    lower: float | None = None
    """Lower end of the 95 % interval, in the unit of `value`."""
    upper: float | None = None
    """Upper end of the 95 % interval, in the unit of `value`."""
    n: int
    """Number of instances that the estimate rests on."""
    method: str | None = None
    """How the interval was made: ``Wilson``, ``BCa bootstrap, 2,000 resamples``; None if none."""
    unit: Unit = "proportion"
    """Unit of `value`, `lower` and `upper`; log-odds are natural logarithms."""
    slice: str = "all"
    """Which instances: ``all``, or a condition on them such as ``language = de``."""


class InstanceLink(Record):
    """A way from a number to an instance behind it."""

    instance: str
    """Id of an instance of the record."""


Cell: TypeAlias = Measure | InstanceLink | str | int | float | None
"""One cell of a table."""


class Table(Record):
    """Rows of cells under named columns."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str | None = None
    """A sentence on how to read the table."""


class IntervalsFigure(Record):
    """Estimates with their intervals on one axis (a forest plot)."""

    kind: Literal["intervals"] = "intervals"
    title: str
    description: str
    """What the figure shows, for who cannot see it."""
    measures: tuple[Measure, ...]
    reference: float | None = None
    """Where a line is drawn across all rows: a threshold, the overall value, zero."""
    reference_label: str | None = None


class ConfusionFigure(Record):
    """Counts of given against predicted labels."""

    kind: Literal["confusion"] = "confusion"
    title: str
    description: str
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    """``counts[i][j]``: rows with given label i that the model calls j."""

    @model_validator(mode="after")
    def _is_square(self) -> Self:
        if {len(self.counts), *map(len, self.counts)} != {len(self.labels)}:
            raise ValueError(f"counts are no square of {len(self.labels)} labels")
        return self


class HistogramFigure(Record):
    """Counts in neighbouring bins."""

    kind: Literal["histogram"] = "histogram"
    title: str
    description: str
    edges: tuple[float, ...]
    """Ends of the bins, ascending, one more than `counts`."""
    counts: tuple[int, ...]
    axis: str
    """What the bins measure, with its unit."""

    @model_validator(mode="after")
    def _has_bins(self) -> Self:
        if len(self.edges) != len(self.counts) + 1 or any(a >= b for a, b in pairwise(self.edges)):
            raise ValueError("edges must ascend and be one more than the counts")
        return self


class ReliabilityBin(Record):
    """Answers of about equal confidence."""

    confidence: float
    """Their mean confidence."""
    accuracy: Measure
    """Share of them that are right."""
    null_low: float
    """Where the accuracy of a calibrated model would start to lie, in 95 % of tables like it."""
    null_high: float
    """Where it would end."""


class ReliabilityFigure(Record):
    """Accuracy against confidence, with what chance gives a calibrated model."""

    kind: Literal["reliability"] = "reliability"
    title: str
    description: str
    bins: tuple[ReliabilityBin, ...]
    """The least confident first."""

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if any(a.confidence > b.confidence for a, b in pairwise(self.bins)):
            raise ValueError("the bins must be in the order of their confidence")
        return self


Figure: TypeAlias = Annotated[
    IntervalsFigure | ConfusionFigure | HistogramFigure | ReliabilityFigure,
    Field(discriminator="kind"),
]


# ── Parts of an audit ─────────────────────────────────────────────────────────────────────────────


class Finding(Record):
    """What a reader must know: a claim with its size, and what to do about it."""

    claim: str
    severity: Severity
    measure: Measure | None
    """The size behind the claim; None for a fact that needs no statistic."""
    evidence: tuple[str, ...]
    """Ids of the sections and instances that the claim rests on."""
    suggestion: str


class Section(Record):
    """What one check found, or why it measured nothing."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    """Anchor of the section: ``performance``."""
    title: str
    summary: str
    """One or two sentences that a reader needs if they read no further."""
    measures: tuple[Measure, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    findings: tuple[Finding, ...] = ()
    skipped: str | None = None
    """Why nothing was measured; None if something was."""


class MethodTrust(Record):
    """Whether the explanations of one method on this model can be believed."""

    method: str
    grade: Grade
    reasons: tuple[str, ...]
    """Why the grade is no better, each in a sentence; also what could not be measured."""
    measures: tuple[Measure, ...]
    """The metrics that the grade rests on."""


class Criterion(Record):
    """An acceptance criterion: what a metric must be, said before anything is scored."""

    metric: Annotated[str, Field(min_length=1)]
    """Name of the measure: ``accuracy``, ``recall of positive``."""
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

    def stated(self) -> JsonObject:
        """Return all that was said before the run, and no verdict."""
        return self.model_dump(mode="json", include=set(Criterion.model_fields))


class FrozenCriteria(Record):
    """Acceptance criteria as they stood before anything was scored."""

    criteria: tuple[Criterion, ...]
    sha256: str
    """Hash of the criteria as JSON: keys in order, no white space, sorted, in a list."""
    frozen_on: date
    """Day on which they were frozen, in UTC."""

    @classmethod
    def of(cls, criteria: Sequence[Criterion], frozen_on: date) -> Self:
        """Return the criteria without keys and with their hash; what was judged is left out."""
        stated = tuple(
            redacted_record(Criterion.model_validate(criterion.stated()))[0]
            for criterion in criteria
        )
        return cls(criteria=stated, sha256=_digest(stated), frozen_on=frozen_on)

    @model_validator(mode="after")
    def _is_unchanged(self) -> Self:
        if self.sha256 != _digest(self.criteria):
            raise ValueError("sha256 is not that of the criteria: they have been changed since")
        return self


def _digest(criteria: Sequence[Criterion]) -> str:
    items = sorted(
        json.dumps(criterion.stated(), sort_keys=True, separators=(",", ":"))
        for criterion in criteria
    )
    return hashlib.sha256(f"[{','.join(items)}]".encode()).hexdigest()


class JudgedCriterion(Criterion):
    """An acceptance criterion with what was measured, and its verdict."""

    measured: Measure | None
    """What the run measured; None if the metric was skipped."""
    section: str | None = None
    """Id of the section that holds the measure; None if nothing was measured."""
    p_value: float | None = None
    """Two-sided p-value of the threshold being the true value; None where there is no interval."""
    adjusted_p_value: float | None = None
    """The same, adjusted for the number of gating criteria (Holm 1979); None if not gating."""
    verdict: Verdict
    reason: str
    """Why the verdict is what it is, from the interval."""


class Skipped(Record):
    """A row or a method on a row that could not be done; it counts in the denominators."""

    id: str
    """Id of the instance."""
    row: int
    """Row of the table, counted from 1 after the header."""
    stage: str
    """What could not be done: ``predict``, ``shap``."""
    reason: str


class Omitted(Record):
    """What an audit could have looked at, and was not asked or given."""

    what: str
    """The check that was not chosen, or what an input would have shown."""
    how: str
    """Why it was not looked at, and how to get it, in one line."""


# ── Instances ─────────────────────────────────────────────────────────────────────────────────────


class Target(Record):
    """The one number of a prediction that is explained."""

    label: str
    index: int
    """Column of `label` in the scores."""
    scale: Scale
    """What is explained of it.

    ``log_odds``: log p/(1-p) of the softmax probability, natural logarithm; ``logit``: the same of
    the label's own sigmoid; ``value``: the plain output of a regression.
    """
    decimals: int | None = None
    """Decimals that the model rounds its probabilities to; None if it shows all.

    Log-odds are then capped at half a step from 0 and 1, as nothing beyond that can be seen.
    """

    @property
    def cap(self) -> float | None:
        """Where log-odds are capped; None if the model does not round."""
        if self.decimals is None:
            return None
        half_step = 0.5 * 10.0**-self.decimals
        return log((1 - half_step) / half_step)


class Repeats(Record):
    """What the model said when it was asked the same texts again, past every cache."""

    texts: int
    """Distinct texts that were asked again, in other batches and alone."""
    answers: int
    """Answers to them beyond the first."""
    differences: int
    """Answers whose value differs from the first by more than the rounding of float32."""
    sigma: float
    """Standard deviation of the value of a text from answer to answer, in the unit of the target's
    scale: the larger one of the texts with small and with large values. Zero if none differs, or
    if only the other texts of a batch made the difference and each text was scored alone then."""
    degrees_of_freedom: int
    """Degrees of freedom of `sigma`."""
    scored_alone: bool = False
    """Whether each text was scored alone, because the company of others changes its answer."""


class Group(Record):
    """A run of words that was explained as one feature first."""

    span: Span
    value: float
    """Value of the whole run, in the unit of the target's scale."""
    standard_error: float | None = None
    """Zero if exact; None if the method does not estimate it."""


class Attribution(Record):
    """One prediction attributed to the features of its text, with everything needed to check it."""

    parts: tuple[str, ...]
    """The user's own text: one string, or two for a pair."""
    spans: tuple[Span, ...]
    """The features ``(part, start, end)``: half-open ranges of code points, in reading order."""
    target: Target
    method: str
    """Name of the method in the registry."""
    parameters: JsonObject
    """All parameters of the method as resolved, defaults included."""
    removal: str
    """What stands in for a removed feature: the masker or baseline, ``[MASK]`` or ``delete``."""
    values: tuple[float, ...]
    """One value per span, in the unit of the target's scale; positive speaks for the target."""
    standard_errors: tuple[float, ...] | None = None
    """One standard error per value; zero if exact; None if the method does not estimate them."""
    empty_value: float
    """v(empty): the target's value with every feature removed."""
    full_value: float
    """v(N): the target's value of the text as it is."""
    efficient: bool
    """Whether the method promises that the values sum to v(N) - v(empty)."""
    evaluations: int
    """Distinct texts scored for this attribution, or gradients taken."""
    seed: int
    """Seed the random stream was derived from, together with text and method."""
    diagnostics: JsonObject = {}
    """What the method says of itself: steps, R2, whether it converged."""
    unread: tuple[Span, ...] = ()
    """What the model cut off and never read."""
    repeats: Repeats | None = None
    """Whether the model repeats itself; None if that was not asked."""
    groups: tuple[Group, ...] = ()
    """The sentences of a text that was explained by sentences first, in reading order.

    A feature is one of them, or a word of one that was refined. The words of an efficient method
    sum to the value of their sentence.
    """
    quality: tuple[Measure, ...] = ()
    """What metrics measured of this attribution; empty until they have run."""
    grade: Grade | None = None
    """Reliability of this attribution; None until metrics have run."""
    reasons: tuple[str, ...] = ()
    """Why the grade is no better, each in a sentence."""

    @model_validator(mode="after")
    def _fits_its_text(self) -> Self:
        Segmentation(self.parts, self.spans, self.unread)
        for numbers in (self.values, self.standard_errors):
            if numbers is not None and len(numbers) != len(self.spans):
                raise ValueError(f"{len(numbers)} values for {len(self.spans)} spans")
        return self

    @model_validator(mode="after")
    def _fits_its_groups(self) -> Self:
        if not self.groups:
            return self
        Segmentation(self.parts, tuple(group.span for group in self.groups), self.unread)
        done = 0
        for group in self.groups:
            places = self.places_in(group)
            spans = self.spans[places.start : places.stop]
            if places.start != done or not spans or spans[-1].end > group.span.end:
                raise ValueError(f"features and groups differ at {group.span}")
            values = self.values[places.start : places.stop]
            allowed = 1e-6 * (1 + sum(map(abs, values)))
            if self.efficient and abs(sum(values) - group.value) > allowed:
                raise ValueError(f"values in {group.span} do not sum to {group.value}")
            done = places.stop
        if done != len(self.spans):
            raise ValueError(f"{len(self.spans) - done} features lie in no group")
        return self

    def places_in(self, group: Group) -> range:
        """Return the places of the features that begin in `group`."""
        part, start, end = group.span
        return range(
            bisect_left(self.spans, Span(part, start, 0)),
            bisect_left(self.spans, Span(part, end, 0)),
        )

    @property
    def features(self) -> tuple[str, ...]:
        """The text of each feature."""
        return tuple(self.parts[s.part][s.start : s.end] for s in self.spans)

    @property
    def ranks(self) -> tuple[tuple[int, int], ...] | None:
        """The best and the worst rank by absolute value that each feature may have, 1 the largest.

        Two features are told apart where the 95 % intervals of their values do not meet, with
        signs laid aside. None if the method does not estimate its errors.
        """
        if self.standard_errors is None:
            return None
        lower, upper = [], []
        for value, error in zip(self.values, self.standard_errors, strict=True):
            lower.append(abs(value) - Z95 * error)
            upper.append(abs(value) + Z95 * error)
        ascending_lower, ascending_upper = sorted(lower), sorted(upper)
        n = len(lower)
        return tuple(
            (
                1 + n - bisect_right(ascending_lower, high),
                n - bisect_left(ascending_upper, low),
            )
            for low, high in zip(lower, upper, strict=True)
        )

    @property
    def completeness_gap(self) -> float:
        """v(N) - v(empty) - sum of values; about zero for an efficient method that converged."""
        return self.full_value - self.empty_value - sum(self.values)

    def _repr_html_(self) -> str:
        require_own_reports()
        from reports import notebook_html

        return notebook_html(self)


class Interaction(Record):
    """What two features of a text do together beyond what each does alone."""

    first: int
    second: int
    """Numbers of the two features, in reading order."""
    value: float
    """Shapley interaction index, in the unit of the target's scale."""
    standard_error: float
    """Zero if exact."""


class Interactions(Record):
    """All pairs of features of a text: which act together for one prediction."""

    parts: tuple[str, ...]
    """The user's own text: one string, or two for a pair."""
    spans: tuple[Span, ...]
    """The features ``(part, start, end)``: half-open ranges of code points, in reading order."""
    target: Target
    parameters: JsonObject
    """All parameters as resolved, defaults included."""
    removal: str
    """What stands in for a removed feature: ``[MASK]`` or ``delete``."""
    pairs: tuple[Interaction, ...]
    """Every pair once, the largest absolute value first."""
    evaluations: int
    """Distinct texts scored for them, whoever asked first."""
    seed: int
    diagnostics: JsonObject = {}
    unread: tuple[Span, ...] = ()
    """What the model cut off and never read."""
    repeats: Repeats | None = None
    """Whether the model repeats itself; None if that was not asked."""

    @model_validator(mode="after")
    def _fits_its_text(self) -> Self:
        Segmentation(self.parts, self.spans, self.unread)
        seen = {(pair.first, pair.second) for pair in self.pairs}
        n = len(self.spans)
        if len(seen) != len(self.pairs) or any(not 0 <= a < b < n for a, b in seen):
            raise ValueError(f"pairs are not distinct pairs of {n} features in order")
        return self


class Agreement(Record):
    """How far two methods agree on one prediction, against what chance would give."""

    methods: tuple[str, str]
    target: str
    """The label that both explain."""
    tau: float | None
    """Kendall's tau-b of the values; None if one method gives all features the same value."""
    null_upper: float | None
    """95th percentile of tau-b when the values of one method are permuted."""
    overlap: float
    """Share of the top features by absolute value that both name."""
    top: int
    """How many top features that is."""
    disputed: tuple[int, ...] = ()
    """Top features of either method to which the two give opposite signs, beyond their errors."""


class Prediction(Record):
    """One label that a model gives to a text, beside which others may hold."""

    label: str
    probability: float


class InstanceRecord(Record):
    """One row of the table: its text, what the model says, and the explanations if any."""

    id: str
    """Derived from the text, so the same in every run; repeats of a text are numbered."""
    row: int
    """Row of the table, counted from 1 after the header."""
    parts: tuple[str, ...]
    label: str | None
    """The given label; None if there is none, or the task has no one right label."""
    predicted: str
    """The label with the highest score, which for a multi-label model need not hold."""
    probability: float | None
    """Probability of that label; None for regression."""
    scores: tuple[float, ...]
    """One score per label on the natural-log scale (or the plain output for regression)."""
    given: tuple[str, ...] | None = None
    """What the table says where the task has no one right label: all labels that hold, or the
    number of a regression. None if it says nothing, and for single-label models."""
    predictions: tuple[Prediction, ...] | None = None
    """All labels with p > .5 of a multi-label model, most probable first; None for others."""
    columns: dict[str, str] = {}
    """Cells of the columns that name the row's own id, its group and its slices, as text; missing
    ones are left out."""
    unread: tuple[Span, ...] = ()
    """What the model cut off and never read."""
    stratum: str | None = None
    """Why the instance was chosen to be explained; None if it was not."""
    attributions: tuple[Attribution, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    """Each pair of methods that explain the same label."""

    @property
    def right(self) -> bool | None:
        """Whether the prediction equals the given label; None without one."""
        return None if self.label is None else self.label == self.predicted


class Stratum(Record):
    """One kind of instance that is chosen for explanation, and how many."""

    name: str
    rule: str
    """How its instances are chosen, in a sentence."""
    wanted: int
    available: int
    chosen: int


class SelectionPlan(Record):
    """Which instances are explained, stated before any is."""

    requested: int
    strata: tuple[Stratum, ...]


# ── Where it comes from ───────────────────────────────────────────────────────────────────────────


class FileHash(Record):
    """One file that the audit rests on."""

    path: str
    """Relative to the folder that was given, with forward slashes."""
    bytes: int
    sha256: str


PICKLE_FACT = "loaded from a pickle"
"""Name of the fact about a model that every reader must see first."""


class ModelDescription(Record):
    """What is known of the audited model without looking at its predictions."""

    name: str
    adapter: str
    """Class of the adapter: ``TransformersClassifier``."""
    source: str | None
    """Folder or hub id as given; None for a live object."""
    task: Task
    labels: tuple[str, ...]
    facts: JsonObject = {}
    """Architecture, parameters, maximum length, truncation side, dtype, device."""
    files: tuple[FileHash, ...] = ()


class SystemIdentity(Record):
    """What is audited and for whom, as stated by the user; nothing here is measured."""

    name: str
    version: str | None = None
    purpose: str | None = None
    decision_affected: str | None = None
    out_of_scope: str | None = None
    owner: str | None = None
    auditor: str | None = None
    notice: str | None = None
    """A sentence that every reader must see first (a demo, a draft)."""


class Provenance(Record):
    """Everything needed to run the audit again and get the same bytes."""

    audited_on: date
    """Day of the run in UTC, or of ``SOURCE_DATE_EPOCH`` if that is set."""
    model: ModelDescription
    data: tuple[FileHash, ...]
    """Hashes of the data files; empty for data passed as a live object."""
    rows_sha256: str
    """Hash of the rows as read, whatever they were read from."""
    arguments: JsonObject
    """The arguments of the audit as resolved, defaults included."""
    seed: int
    packages: dict[str, str]
    """Versions of explain-audit and of the packages that compute."""
    python: str
    platform: str


class LogEntry(Record):
    """One line of ``run.jsonl``: what happened when, and how long it took."""

    at: datetime
    event: str
    seconds: float | None = None
    detail: JsonObject = {}


class AuditRecord(Record):
    """A whole audit. It alone suffices to render every report."""

    schema_version: Literal[1] = SCHEMA_VERSION
    identity: SystemIdentity
    provenance: Provenance
    rows: int
    """Rows of the table: scored plus skipped before scoring."""
    sections: tuple[Section, ...]
    criteria: tuple[JudgedCriterion, ...] = ()
    criteria_sha256: str | None = None
    """Hash of the criteria as they were frozen before anything was scored; None without any."""
    criteria_frozen_on: date | None = None
    """Day on which a file froze them, in UTC; None if only the run itself did."""
    trust: tuple[MethodTrust, ...] = ()
    """Each method that explained something, with its grade."""
    plan: SelectionPlan
    instances: tuple[InstanceRecord, ...]
    """All scored rows, in the order of the table."""
    skipped: tuple[Skipped, ...] = ()
    omitted: tuple[Omitted, ...] = ()
    """Checks that were not chosen, and inputs that were not given."""

    @model_validator(mode="after")
    def _has_distinct_ids(self) -> Self:
        for kind, ids in (
            ("section", [section.id for section in self.sections]),
            ("instance", [instance.id for instance in self.instances]),
        ):
            if len(set(ids)) != len(ids):
                raise ValueError(f"two {kind}s have the same id")
        return self

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of all sections, the most severe first, and then the largest."""
        found = [finding for section in self.sections for finding in section.findings]
        return tuple(sorted(found, key=_weight))

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON schema of ``audit.json``."""
        return cls.model_json_schema()

    def _repr_html_(self) -> str:
        require_own_reports()
        from reports import notebook_html

        return notebook_html(self)


def _weight(finding: Finding) -> tuple[int, float, str]:
    """Return what findings are ranked by; the size is that of the end nearer to zero."""
    size, measure = 0.0, finding.measure
    if measure is not None and measure.unit == "proportion" and measure.value is not None:
        size = min(
            abs(measure.value if end is None else end) for end in (measure.lower, measure.upper)
        )
    return _SEVERITIES.index(finding.severity), -size, finding.claim


# ── Does an adapter keep its contract? ────────────────────────────────────────────────────────────


class ConformanceRow(Record):
    """What one check of an adapter found."""

    check: str
    outcome: Outcome
    detail: str
    """What was measured and the bar it was held to, or why the check does not apply."""


class Conformance(Record):
    """Whether a model keeps the contract of a classifier, check by check."""

    model: str
    """Name of the model."""
    tolerance: float
    """Largest difference, relative to scores beyond one, that counts as rounding."""
    rows: tuple[ConformanceRow, ...]
    """All checks, in the order in which they were made."""

    @property
    def failed(self) -> tuple[ConformanceRow, ...]:
        """The checks that failed."""
        return tuple(row for row in self.rows if row.outcome == "fail")

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return not self.failed
