"""Records made by hand: pure data, the same in every run, with everything that a page can show."""

from datetime import UTC, date, datetime

from pydantic import JsonValue

from explain.record import (
    Agreement,
    Attribution,
    AuditRecord,
    ConfusionFigure,
    Diagnostics,
    FileHash,
    Finding,
    FrozenCriteria,
    Grade,
    Group,
    HistogramFigure,
    InstanceLink,
    InstanceRecord,
    Interaction,
    Interactions,
    IntervalsFigure,
    JudgedCriterion,
    LogEntry,
    Measure,
    MethodTrust,
    ModelDescription,
    Provenance,
    ReliabilityBin,
    ReliabilityFigure,
    Section,
    SelectionPlan,
    Sentence,
    Skipped,
    Stratum,
    SystemIdentity,
    Table,
    Target,
    Truncation,
)
from explain.text.spans import Span
from explain.text.words import words

__all__ = [
    "HOSTILE",
    "attribution",
    "attribution_by_sentences",
    "audit_record",
    "hostile_record",
    "interactions",
    "run_log",
]

HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)> \"'` {{ 7*7 }} {% raw %}"
    "\r\n a\rb \0 \x1b[31m \x85 \u2028 \u202e txt &amp; &#13; javascript:alert(3) | @all #1 **b**"
)
"""What a model, a table or an error message may hold."""


TITLES = {"shap": "SHAP", "lime": "LIME", "integrated_gradients": "Integrated gradients"}


def attribution(
    *parts: str,
    method: str = "shap",
    label: str = "negative",
    values: tuple[float, ...] | None = None,
    errors: tuple[float, ...] | None = None,
    grade: Grade | None = None,
    gap: float = 0.0,
    unread: tuple[Span, ...] = (),
    reasons: tuple[str, ...] = (),
    quality: tuple[Measure, ...] = (),
    **diagnostics: JsonValue,
) -> Attribution:
    """Return an attribution of the words of `parts`, by default with values 1, -1/2, 1/3, ..."""
    cut = {(span.part, place) for span in unread for place in range(span.start, span.end)}
    spans = tuple(span for span in words(parts) if (span.part, span.start) not in cut)
    if values is None:
        values = tuple((-1.0) ** place / (place + 1) for place in range(len(spans)))
    return Attribution(
        parts=parts,
        spans=spans,
        target=Target(label=label, index=0, scale="log_odds"),
        method=method,
        method_title=TITLES.get(method, method),
        parameters={"budget": 256},
        removal="[MASK]",
        values=values,
        standard_errors=errors,
        empty_value=-0.31,
        full_value=-0.31 + sum(values) + gap,
        efficient=method != "lime",
        evaluations=256,
        seed=0,
        diagnostics=Diagnostics.model_validate(diagnostics),
        unread=unread,
        grade=grade,
        reasons=reasons,
        quality=quality,
    )


def attribution_by_sentences() -> Attribution:
    """Return an attribution of three sentences, the second of which was explained by its words."""
    flat = attribution("A slow start.", "Not a bad film! <b>Go</b>.", algorithm="kernel")
    first, second, third = Span(0, 0, 13), Span(1, 0, 15), Span(1, 16, 26)
    inside = [span for span in flat.spans if span.part == 1 and span.start < 15]
    values = (0.5, -1.5, 0.25, 1.0, -0.5, 0.0, -0.25)
    return Attribution.model_validate(
        flat.model_dump()
        | {
            "spans": [first, *inside, third],
            "values": values,
            "full_value": flat.empty_value + sum(values),
            "groups": [
                Group(span=first, value=0.5),
                Group(span=second, value=-0.75),
                Group(span=third, value=-0.25),
            ],
            "diagnostics": {
                "sentences": {"algorithm": "exact"},
                "words": [{"sentence": 2, "contexts": 2, "correction": -0.0325}],
            },
        }
    )


def interactions(*parts: str, pairs: tuple[Interaction, ...], **facts: JsonValue) -> Interactions:
    """Return interactions of the words of `parts`."""
    return Interactions(
        parts=parts,
        spans=tuple(words(parts)),
        target=Target(label="negative", index=0, scale="log_odds"),
        parameters={},
        removal="[MASK]",
        pairs=pairs,
        evaluations=96,
        seed=0,
        diagnostics=Diagnostics.model_validate(facts),
    )


def run_log() -> tuple[LogEntry, ...]:
    """Return the log of a short run."""
    at = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
    return (
        LogEntry(at=at, event="predict", seconds=12.345, detail={"texts": 872, "calls": 14}),
        LogEntry(at=at, event="done"),
    )


# ── An audit that shows everything ────────────────────────────────────────────────────────────────


def audit_record() -> AuditRecord:
    """Return an audit with criteria, findings, figures, two texts, gaps and skipped parts."""
    frozen = FrozenCriteria.of(_criteria(), date(2026, 11, 20))
    return AuditRecord(
        identity=SystemIdentity(
            name="sst2-minilm",
            version="1.2",
            purpose="Sentiment of one sentence, negative or positive",
            decision_affected="which reviews a person reads first",
            owner="Reviews team",
            notice="Made by hand for the tests of the report; no model stands behind it.",
        ),
        provenance=_provenance(),
        rows=8,
        scored_rows=5,
        truncation=Truncation.of_rows(_instances()),
        sections=_sections(),
        criteria=_criteria(),
        criteria_sha256=frozen.sha256,
        criteria_frozen_on=frozen.frozen_on,
        trust=_trust(),
        plan=SelectionPlan(
            requested=4,
            strata=(
                Stratum(
                    name="random", rule="Drawn by chance.", quota=2, n_available=873, n_chosen=2
                ),
                Stratum(
                    name="confident error",
                    rule="Wrong, the most confident first.",
                    quota=2,
                    n_available=51,
                    n_chosen=2,
                ),
            ),
        ),
        instances=_instances(),
        skipped=(
            Skipped(id="e0", row=3, stage="predict", reason="the text is empty"),
            Skipped(id="e1", row=7, stage="predict", reason="the text is empty"),
            Skipped(id="e2", row=8, stage="predict", reason="the model gave NaN"),
            Skipped(id="d2a7", row=5, stage="shap", reason="312 features; at most 256 allowed"),
        ),
    )


def _measure(name: str, value: float, lower: float, upper: float, n: int) -> Measure:
    return Measure(name=name, value=value, lower=lower, upper=upper, n=n, method="Wilson")


def _provenance() -> Provenance:
    return Provenance(
        audited_on=date(2026, 11, 23),
        model=ModelDescription(
            name="sst2-minilm",
            adapter="TransformersClassifier",
            source="models/sst2-minilm",
            task="single_label",
            labels=("negative", "positive"),
            facts={"parameters": 22713986, "max_length": 128, "truncation": "right"},
            files=(FileHash(path="model.safetensors", bytes=90864192, sha256="5e" * 32),),
        ),
        data=(FileHash(path="dev.csv", bytes=97510, sha256="a1" * 32),),
        rows_sha256="0c" * 32,
        arguments={"text": "sentence", "label": "label", "methods": ["shap", "lime"]},
        seed=0,
        packages={"explain-audit": "0.1.0", "torch": "2.13.0"},
        python="3.11.9",
        platform="Linux x86_64",
    )


def _sections() -> tuple[Section, ...]:
    accuracy = _measure("accuracy", 0.876, 0.853, 0.896, 872)
    negated = _measure("sentences with a negation", 0.741, 0.670, 0.801, 174)
    undefined = Measure(name="sentences in Thai", value=None, n=0)
    return (
        Section(
            id="data",
            title="Data",
            summary="872 rows, two labels, no text twice.",
            findings=_findings(),
            figures=(
                HistogramFigure(
                    title="Length of the texts",
                    description="Most texts have between 10 and 30 words.",
                    edges=(0, 10, 20, 30, 40, 60),
                    counts=(96, 301, 322, 121, 32),
                    axis="words per text",
                ),
            ),
        ),
        Section(
            id="performance",
            title="Performance",
            summary="The model is right on 88 of 100 texts, and less often with a negation.",
            measures=(
                accuracy,
                Measure(
                    name="Matthews correlation",
                    value=0.752,
                    lower=0.708,
                    upper=0.794,
                    n=872,
                    method="BCa bootstrap, 2,000 resamples",
                    unit="coefficient",
                ),
            ),
            figures=(
                IntervalsFigure(
                    title="Accuracy by slice",
                    description="Only sentences with a negation lie below the criterion.",
                    measures=(accuracy, negated, undefined),
                    reference=0.85,
                    reference_label="criterion",
                ),
                ConfusionFigure(
                    title="Given against predicted labels",
                    description="Positive texts are called negative more often than the reverse.",
                    labels=("negative", "positive"),
                    counts=((389, 39), (69, 375)),
                ),
                ReliabilityFigure(
                    title="Confidence and accuracy",
                    description="The most confident answers are less often right than they say.",
                    bins=(
                        _bin(0.58, _measure("lowest", 0.6, 0.543, 0.655, 290), 0.521, 0.634),
                        _bin(0.83, _measure("middle", 0.8, 0.75, 0.842, 290), 0.786, 0.872),
                        _bin(0.97, Measure(name="none", value=None, n=0), 0.948, 0.986),
                        _bin(0.99, _measure("highest", 0.92, 0.884, 0.946, 292), 0.976, 1.0),
                    ),
                ),
            ),
            tables=(
                Table(
                    title="Confident errors",
                    columns=("instance", "predicted", "probability", "accuracy of its length"),
                    rows=(
                        (InstanceLink(instance="77e0"), "positive", 0.9912, accuracy),
                        (InstanceLink(instance="f00d"), "negative", 0.9875, None),
                        (InstanceLink(instance="e2"), "–", 1234, negated),
                    ),
                    note="The most confident ones first.",
                ),
            ),
        ),
        Section(
            id="trust",
            title="Reliability of the explanations",
            summary="Grades of the methods on this model, A the best: A: shap; B: lime; D: "
            "integrated_gradients. Do not rely on explanations of grade D.",
            tables=(
                Table(
                    title="Positive control",
                    columns=("method", "planted word", "planted pair"),
                    rows=(
                        ("shap", _measure("found", 1.0, 0.93, 1.0, 50), None),
                        ("lime", _measure("found", 0.94, 0.84, 0.98, 50), "too few texts"),
                    ),
                ),
            ),
        ),
        Section(
            id="fairness",
            title="Fairness",
            summary="No group was compared.",
            skipped="no column names a group",
        ),
    )


def _bin(confidence: float, accuracy: Measure, low: float, high: float) -> ReliabilityBin:
    return ReliabilityBin(confidence=confidence, accuracy=accuracy, null_low=low, null_high=high)


def _trust() -> tuple[MethodTrust, ...]:
    return (
        MethodTrust(
            method="shap",
            title=TITLES.get("shap", "shap"),
            grade="A",
            reasons=(),
            measures=(_measure("planted word found", 1.0, 0.93, 1.0, 50),),
        ),
        MethodTrust(
            method="lime",
            title=TITLES.get("lime", "lime"),
            grade="B",
            reasons=("It does not state its errors.", "Whether it is stable was not measured."),
            measures=(),
        ),
        MethodTrust(
            method="integrated_gradients",
            title=TITLES.get("integrated_gradients", "integrated_gradients"),
            grade="D",
            reasons=("It did not converge on 1 of 2 texts.",),
            measures=(),
        ),
    )


def _criteria() -> tuple[JudgedCriterion, ...]:
    return (
        JudgedCriterion(
            metric="performance.accuracy",
            title="accuracy",
            at_least=0.85,
            gating=True,
            rationale="the rate of the rules that it replaces",
            measure=_measure("accuracy", 0.876, 0.853, 0.896, 872),
            section="performance",
            p_value=0.0306,
            adjusted_p_value=0.0306,
            verdict="pass",
            reason="the whole 95 % interval lies at or above 0.85",
        ),
        JudgedCriterion(
            metric="performance.accuracy",
            title="accuracy",
            slice="negation = yes",
            at_least=0.85,
            minimum_n=100,
            gating=True,
            measure=_measure("accuracy", 0.741, 0.670, 0.801, 174),
            section="performance",
            p_value=0.00006,
            adjusted_p_value=0.00012,
            verdict="fail",
            reason="the whole 95 % interval lies below 0.85",
        ),
        JudgedCriterion(
            metric="fairness.impact_ratio",
            of={"outcome": "called positive"},
            title=Sentence("impact ratio, {outcome}", outcome="called positive"),
            at_least=0.8,
            measure=None,
            verdict="inconclusive",
            reason="not measured. Fairness: no column names a group",
        ),
    )


def _findings() -> tuple[Finding, ...]:
    return (
        Finding(
            code="performance.negation",
            claim="Negation is misread.",
            severity="major",
            size=0.199,
            measure=_measure("wrong with “not”", 0.259, 0.199, 0.330, 174),
            evidence=("performance", "77e0", "f00d", "e2"),
            suggestion="Add negated sentences to the training data.",
        ),
        Finding(
            code="data.short_texts",
            claim="No text is longer than 60 words.",
            severity="minor",
            size=None,
            measure=None,
            evidence=("data",),
            suggestion="Do not use the model on longer texts.",
        ),
    )


def _instances() -> tuple[InstanceRecord, ...]:
    return (
        _valueless(),
        _pair(),
        _cut_off(),
        InstanceRecord(
            id="f00d",
            row=4,
            parts=("not a bad journey at all .",),
            labels=("positive",),
            predicted="negative",
            probability=0.9875,
            scores=(2.2, -2.2),
        ),
    )


def _valueless() -> InstanceRecord:
    text = "a valueless kiddie paean to pro basketball underwritten by the nba ."
    shap = (0.39, 3.24, 0.26, -0.05, 0.12, 0.12, -0.24, 2.50, 0.03, 0.02, -0.01, 0.0)
    lime = (0.35, 2.62, 0.09, 0.01, 0.04, -0.07, -0.12, 2.10, 0.0, 0.02, 0.01, 0.01)
    gradients = (0.14, 5.50, 0.08, 0.21, 0.08, -0.32, -0.14, 1.33, 0.01, -0.02, 0.3, -0.11)
    return InstanceRecord(
        id="a41c",
        row=1,
        parts=(text,),
        labels=("negative",),
        predicted="negative",
        probability=0.982,
        scores=(2.0, -2.0),
        columns={"ticket": "T-1041", "negation": "no"},
        stratum="random",
        attributions=(
            attribution(
                text,
                values=shap,
                errors=(0.05, 0.12, 0.12, 0.04, 0.04, 0.04, 0.08, 0.12, 0.02, 0.02, 0.02, 0.0),
                grade="A",
                quality=(
                    Measure(name="deletion, log-odds lost", value=2.31, n=12, unit="log_odds"),
                    _measure("sign of the top words confirmed", 0.9, 0.6, 0.98, 10),
                ),
                algorithm="kernel",
                ended_by="tolerance",
            ),
            attribution(
                text,
                method="lime",
                values=lime,
                grade="B",
                reasons=("It does not state its errors.",),
                r2=0.784,
                held_out_r2=0.741,
                draws=256,
                ended_by="budget",
            ),
            attribution(
                text,
                method="integrated_gradients",
                values=gradients,
                grade="A",
                steps=64,
                converged=True,
                relative_gap=0.004,
                ended_by="tolerance",
            ),
        ),
        agreements=(
            Agreement(
                methods=("shap", "lime"),
                titles=(TITLES.get("shap", "shap"), TITLES.get("lime", "lime")),
                target="negative",
                tau=0.78,
                null_upper=0.36,
                overlap=1.0,
                top=3,
            ),
            Agreement(
                methods=("shap", "integrated_gradients"),
                titles=(
                    TITLES.get("shap", "shap"),
                    TITLES.get("integrated_gradients", "integrated_gradients"),
                ),
                target="negative",
                tau=0.31,
                null_upper=0.36,
                overlap=2 / 3,
                top=3,
                disputed=(3, 5),
            ),
        ),
    )


def _pair() -> InstanceRecord:
    parts = ("A man  plays\tguitar.\r\nOutside.", "قال: لا <b>\u202e no music</b>")
    return InstanceRecord(
        id="77e0",
        row=2,
        parts=parts,
        labels=("negative",),
        predicted="positive",
        probability=0.9912,
        scores=(-2.4, 2.4),
        stratum="confident error",
        attributions=(
            attribution(
                *parts,
                label="positive",
                errors=(0.0,) * len(words(parts)),
                grade="C",
                reasons=("Its top words are no better than random ones.",),
                algorithm="exact",
                ended_by="exact",
            ),
            attribution(
                *parts,
                method="integrated_gradients",
                label="positive",
                grade="D",
                reasons=("It did not converge.",),
                gap=0.06,
                steps=512,
                converged=False,
                relative_gap=0.07,
                ended_by="seconds",
            ),
        ),
        agreements=(
            Agreement(
                methods=("shap", "integrated_gradients"),
                titles=(
                    TITLES.get("shap", "shap"),
                    TITLES.get("integrated_gradients", "integrated_gradients"),
                ),
                target="positive",
                tau=None,
                null_upper=None,
                overlap=1.0,
                top=3,
                disputed=(1,),
            ),
        ),
    )


def _cut_off() -> InstanceRecord:
    text = "it all feels like a monty python sketch gone horribly wrong"
    unread = (Span(0, text.index("horribly"), len(text)),)
    return InstanceRecord(
        id="d2a7",
        row=5,
        parts=(text,),
        labels=("negative",),
        predicted="negative",
        probability=0.61,
        scores=(0.2, -0.2),
        unread=unread,
        stratum="random",
        attributions=(
            attribution(
                text,
                method="lime",
                unread=unread,
                grade="D",
                reasons=("It misses a single planted word.",),
            ),
        ),
    )


# ── An audit of somebody who means ill ────────────────────────────────────────────────────────────


def hostile_record() -> AuditRecord:
    """Return an audit in which every string that can come from outside is hostile."""
    kind = audit_record()
    provenance = kind.provenance
    return kind.model_copy(
        update={
            "identity": SystemIdentity(
                name=HOSTILE, version=HOSTILE, purpose=HOSTILE, auditor=HOSTILE, notice=HOSTILE
            ),
            "provenance": provenance.model_copy(
                update={
                    "model": provenance.model.model_copy(
                        update={
                            "name": HOSTILE,
                            "source": HOSTILE,
                            "labels": (HOSTILE, "b"),
                            "facts": {HOSTILE: HOSTILE},
                            "files": (FileHash(path=HOSTILE, bytes=1, sha256="0" * 64),),
                        }
                    ),
                    "arguments": {HOSTILE: [HOSTILE]},
                }
            ),
            "sections": (_hostile_section(),),
            "criteria": tuple(
                criterion.model_copy(update={"slice": HOSTILE, "reason": HOSTILE})
                for criterion in kind.criteria
            ),
            "trust": (
                MethodTrust(
                    method=HOSTILE,
                    title=TITLES.get(HOSTILE, HOSTILE),
                    grade="D",
                    reasons=(HOSTILE,),
                    measures=(_measure(HOSTILE, 0.5, 0.4, 0.6, 10),),
                ),
            ),
            "instances": (_hostile_instance(HOSTILE), _hostile_instance("second")),
            "skipped": (Skipped(id=HOSTILE, row=3, stage="predict", reason=HOSTILE),),
        }
    )


def _hostile_section() -> Section:
    measure = _measure(HOSTILE, 0.5, 0.4, 0.6, 10)
    return Section(
        id="performance",
        title=HOSTILE,
        summary=HOSTILE,
        measures=(measure,),
        figures=(
            IntervalsFigure(
                title=HOSTILE, description=HOSTILE, measures=(measure,), reference_label=HOSTILE
            ),
            ConfusionFigure(
                title=HOSTILE, description=HOSTILE, labels=(HOSTILE, "b"), counts=((1, 2), (0, 0))
            ),
            HistogramFigure(
                title=HOSTILE, description=HOSTILE, edges=(0, 1), counts=(0,), axis=HOSTILE
            ),
            ReliabilityFigure(
                title=HOSTILE, description=HOSTILE, bins=(_bin(0.5, measure, 0.4, 0.6),)
            ),
        ),
        tables=(Table(title=HOSTILE, columns=(HOSTILE,), rows=((HOSTILE,),), note=HOSTILE),),
        findings=(
            Finding(
                code="hostile.finding",
                subject=HOSTILE,
                claim=HOSTILE,
                severity="minor",
                size=None,
                measure=measure,
                evidence=(HOSTILE, "no such thing"),
                suggestion=HOSTILE,
            ),
        ),
    )


def _hostile_instance(id: str) -> InstanceRecord:
    return InstanceRecord(
        id=id,
        row=1,
        parts=(HOSTILE,),
        labels=(HOSTILE,),
        predicted="b",
        probability=0.5,
        scores=(0.0, 0.0),
        columns={HOSTILE: HOSTILE},
        stratum=HOSTILE,
        attributions=(
            attribution(
                HOSTILE,
                label=HOSTILE,
                method=HOSTILE,
                grade="D",
                reasons=(HOSTILE,),
                quality=(_measure(HOSTILE, 0.5, 0.4, 0.6, 10),),
                algorithm=HOSTILE,
                ended_by="budget",
            ),
        ),
        agreements=(
            Agreement(
                methods=(HOSTILE, HOSTILE),
                titles=(TITLES.get(HOSTILE, HOSTILE), TITLES.get(HOSTILE, HOSTILE)),
                target=HOSTILE,
                tau=0.0,
                null_upper=0.0,
                overlap=0.0,
                top=1,
                disputed=(0, 999),
            ),
        ),
    )
