"""How the model was reached: what an endpoint shows of itself, as a section of the record."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from scipy.special import expit

from explain.adapters import TextClassifier
from explain.adapters.remote import EndpointObservations, ReadingLimit, reading_limit
from explain.auditing.explained import Restarts
from explain.engine import Engine
from explain.engine.games import make_target
from explain.record import (
    Cell,
    Finding,
    InstanceRecord,
    MetricSpec,
    Section,
    Sentence,
    Table,
    join_sentences,
)
from explain.statistics.intervals import mean, proportion
from explain.text.spans import Text, text_of

__all__ = ["endpoint_section"]

LOW_MASS = 0.5
"""Label mass below which the model mostly wanted to say something else than a label."""

MOST_LOW_MASS = 0.05
"""Share of the rows with so little label mass that is not worth a finding."""

MOST_EXAMPLES = 3

SAME_DECIMALS = 9
"""Decimals to which probabilities are equal: they went through a logarithm."""

NAMELESS = "(not named)"

LOW_MASS_RATE = MetricSpec(
    id="endpoint.low_label_mass", title="texts for which no label was likely", better="lower"
)
CUT_RATE = MetricSpec(id="endpoint.cut_texts", title="texts that the server cuts", better="lower")
DRIFT = MetricSpec(
    id="endpoint.drift", title="change of a probability under the same name", better="lower"
)
METRICS = (LOW_MASS_RATE, CUT_RATE, DRIFT)


@runtime_checkable
class EndpointClassifier(TextClassifier, Protocol):
    """A classifier behind an endpoint, which knows what its answers show."""

    @property
    def channel(self) -> str:
        """What the endpoint shows of each label."""

    def observations(self) -> EndpointObservations:
        """Return what the answers to all texts of this run show."""

    def label_mass(self, texts: Sequence[Text]) -> list[float | None]:
        """Return the probability of all labels together, of each text."""

    def tokens_read(self, texts: Sequence[Text]) -> list[int | None]:
        """Return the tokens that the server says it read for each text."""


def endpoint_section(
    engine: Engine, instances: Sequence[InstanceRecord], restarts: Restarts
) -> tuple[Section, ...]:
    """Return the section on the endpoint; none for a model that runs here."""
    model = engine.classifier
    if not isinstance(model, EndpointClassifier):
        return ()
    observations = model.observations()
    texts = [text_of(instance.parts) for instance in instances]
    masses = model.label_mass(texts)
    limit = reading_limit([len("".join(i.parts)) for i in instances], model.tokens_read(texts))
    low = [place for place, mass in enumerate(masses) if mass is not None and mass < LOW_MASS]
    n_masses = sum(mass is not None for mass in masses)
    findings = (
        *_changes(observations),
        *_cut(limit, instances),
        *_low_mass(low, n_masses, instances),
    )
    section = Section(
        id="endpoint",
        title="How the model was reached",
        summary=join_sentences(_summary(observations, restarts), _restarted(restarts)),
        measures=tuple(finding.measure for finding in findings if finding.measure is not None),
        tables=(
            _properties(
                engine, model, observations, [m for m in masses if m is not None], limit, instances
            ),
            *_models(observations),
            *_parts(observations),
            *_reasons(observations),
        ),
        findings=findings,
    )
    return (section.with_metrics(METRICS),)


def _summary(observations: EndpointObservations, restarts: Restarts) -> str:
    counts = Sentence(
        "The endpoint was asked for {n} distinct {n:text|texts}; {answered} got scores.",
        n=observations.texts,
        answered=observations.n_answered,
    )
    if observations.is_mixed:
        told = "The model changed during the audit, so its numbers mix two models."
    elif restarts.n_again or restarts.n_lost:
        return counts  # What is told of the change follows, and is no contradiction.
    elif observations.canary_rounds:
        told = Sentence(
            "The same texts, asked {rounds} {rounds:time|times} between the others, show no sign "
            "that the model changed.",
            rounds=observations.canary_rounds,
        )
    else:
        told = "The run was too short to see if the model changes."
    return join_sentences(counts, told)


def _restarted(restarts: Restarts) -> str:
    """Return what became of the explanations that a change fell into; empty if there were none."""
    if not restarts.n_again and not restarts.n_lost:
        return ""
    return join_sentences(
        Sentence(
            "A change fell into {n} {n:explanation|explanations}.",
            n=restarts.n_again + restarts.n_lost,
        ),
        Sentence(
            "{n} {n:was|were} made again with the model after it.",
            n=restarts.n_again,
        ),
        Sentence(
            "{n} could not be made again and {n:is|are} left out.",
            n=restarts.n_lost,
        )
        if restarts.n_lost
        else "",
    )


def _properties(
    engine: Engine,
    model: EndpointClassifier,
    observations: EndpointObservations,
    masses: Sequence[float],
    limit: ReadingLimit | None,
    instances: Sequence[InstanceRecord],
) -> Table:
    """Return what the answers show, and what they do not."""
    decimals = engine.precision.decimals
    unknown = "the server does not say"
    rows: list[tuple[Cell, ...]] = [
        ("what is shown of each label", model.channel.replace("_", " ")),
        ("decimals", "more than four, or no probabilities" if decimals is None else decimals),
        ("distinct texts asked for", observations.texts),
        ("texts without scores", observations.texts - observations.n_answered),
        *_refusals(observations),
        ("most tokens read of a request", unknown if limit is None else limit.tokens),
        ("times that the model was tested for a change", observations.canary_rounds),
    ]
    if decimals is not None:
        cap = float(np.log(1 - 0.5 * 10.0**-decimals) - np.log(0.5 * 10.0**-decimals))
        rows.insert(2, ("log-odds are capped at", cap))
    rows += [*_clip(model, instances), *_noise(engine)]
    for name, share in (("lowest", 0.0), ("median", 0.5)):
        mass = float(np.quantile(masses, share)) if masses else unknown
        rows.append((Sentence("{which} label mass of a row", which=name), mass))
    return Table(
        title="What the endpoint shows",
        columns=("property", "value"),
        rows=tuple(rows),
        note="Label mass is the probability that the model gives to all labels together. Where it "
        "is small, the model mostly wanted to say something else. An endpoint clips probabilities "
        "where many rows have exactly the lowest and the highest one.",
    )


def _refusals(observations: EndpointObservations) -> list[tuple[Cell, ...]]:
    """Return how many texts were refused or filtered, and with what words."""
    refusals = observations.refusals
    counts = Sentence("{n} of {texts}", n=refusals.total(), texts=observations.texts)
    return [
        ("texts refused or filtered", counts),
        *(
            (Sentence("of these: {reason}", reason=reason), n)
            for reason, n in refusals.most_common(MOST_EXAMPLES)
        ),
    ]


def _clip(model: EndpointClassifier, instances: Sequence[InstanceRecord]) -> list[tuple[Cell, ...]]:
    """Return the range of the probabilities, and how many rows lie at its ends."""
    if model.channel != "probabilities" or not instances:
        return []
    scores = np.array([instance.scores for instance in instances])
    p = np.round(np.exp(scores) if model.task == "single_label" else expit(scores), SAME_DECIMALS)
    rows: list[tuple[Cell, ...]] = []
    for which, end in (("lowest", float(p.min())), ("highest", float(p.max()))):
        rows += [
            (Sentence("{which} probability of a label", which=which), end),
            ("rows with it", int((p == end).any(axis=1).sum())),
        ]
    return rows


def _noise(engine: Engine) -> list[tuple[Cell, ...]]:
    """Return what became of answers when texts were asked again before anything was explained."""
    model = engine.classifier
    if engine.precision.is_sampled:  # Counts state their own noise.
        return []
    nothing = np.zeros(len(model.labels))
    targets = [make_target(model, nothing, label) for label in range(len(model.labels))]
    repeats = [said for each in targets if (said := engine.precision.repeats(each)) is not None]
    if not repeats:
        return [("answers when a text was asked again", "nothing was explained, so none was")]
    noisiest = max(repeats, key=lambda said: (said.sigma, said.differences))
    return [
        ("answers when a text was asked again", noisiest.answers),
        ("of these different", noisiest.differences),
        ("noise of the log-odds (standard deviation)", noisiest.sigma),
    ]


def _models(observations: EndpointObservations) -> tuple[Table, ...]:
    rows = [(span.name or NAMELESS, span.first, span.texts) for span in observations.models]
    return (
        Table(
            title="Models that answered",
            columns=("name in the answers", "first text", "texts"),
            rows=tuple(rows),
        ),
    )


def _parts(observations: EndpointObservations) -> tuple[Table, ...]:
    """Return which texts of the run are certainly of one model, and where it changed."""
    rows: list[tuple[str, int, int]] = []
    begin = 1
    for number, shift in enumerate(observations.shifts, start=1):
        rows.append((Sentence("model {n}", n=number), begin, shift.since))
        between = Sentence("model {n} or {m}", n=number, m=number + 1)
        rows.append((between, shift.since + 1, shift.after))
        begin = shift.after + 1
    if not rows:
        return ()
    rows.append((Sentence("model {n}", n=len(observations.shifts) + 1), begin, observations.texts))
    return (
        Table(
            title="Parts of the run, by the answers to the same texts",
            columns=("answered by", "from text", "to text"),
            rows=tuple(row for row in rows if row[1] <= row[2]),
        ),
    )


def _reasons(observations: EndpointObservations) -> tuple[Table, ...]:
    if not observations.reasons:
        return ()
    return (
        Table(
            title="Why texts got no scores",
            columns=("reason", "texts"),
            rows=tuple(observations.reasons.most_common(10)),
        ),
    )


def _changes(observations: EndpointObservations) -> tuple[Finding, ...]:
    """Return what says that not all answers come from one model; a fact of the answers."""
    findings = []
    suggestion = "Name a fixed version of the model, not an alias, and run the audit again."
    if len(observations.models) > 1:
        first, second, *_ = observations.models
        findings.append(
            Finding(
                code="endpoint.model-changed",
                claim=Sentence(
                    "Two models answered in this audit: {first:quoted} answered {n} texts, and "
                    "{second:quoted} answered {m}, the first of them after {place} texts. The "
                    "numbers of this report mix both, and criteria get no verdict.",
                    first=first.name or NAMELESS,
                    second=second.name or NAMELESS,
                    n=first.texts,
                    m=second.texts,
                    place=second.first - 1,
                ),
                severity="critical",
                size=None,
                measure=None,
                evidence=("endpoint",),
                suggestion=suggestion,
            )
        )
    for shift in observations.shifts:
        change = mean(DRIFT.title, list(shift.changes), "proportion")
        findings.append(
            Finding(
                code="endpoint.drift",
                subject=f"after {shift.after}",
                claim=Sentence(
                    "The endpoint changed its answers during the audit, and not its name. The "
                    "change lies between text {since} and text {after}: {change.n} texts that were "
                    "asked before and after it got other probabilities (mean change {change}).",
                    since=shift.since,
                    after=shift.after,
                    change=change,
                ),
                severity="critical",
                size=change.distance_from(0),
                measure=change,
                evidence=("endpoint",),
                suggestion=suggestion,
            )
        )
    return tuple(findings)


def _cut(limit: ReadingLimit | None, instances: Sequence[InstanceRecord]) -> tuple[Finding, ...]:
    """Return that long texts are cut without a word, if the server's own counts show it."""
    if limit is None:
        return ()
    rate = proportion(CUT_RATE.title, len(limit.texts), len(instances))
    return (
        Finding(
            code="endpoint.truncation",
            claim=Sentence(
                "The server reads at most {tokens} tokens and does not say that it cuts longer "
                "texts: it counted as many for {n} of {rate.n} texts of different lengths. "
                "Words at the end of these texts have no influence.",
                tokens=limit.tokens,
                n=len(limit.texts),
                rate=rate,
            ),
            severity="major",
            size=rate.distance_from(0),
            measure=rate,
            evidence=("endpoint", *_ids(limit.texts, instances)),
            suggestion="Shorten the texts yourself, or use a server that refuses those that are "
            "too long.",
        ),
    )


def _low_mass(
    low: Sequence[int], n: int, instances: Sequence[InstanceRecord]
) -> tuple[Finding, ...]:
    """Return that the model often had no label in mind, if that is certain."""
    rate = proportion(LOW_MASS_RATE.title, len(low), n)
    if (rate.lower or 0.0) <= MOST_LOW_MASS:
        return ()
    return (
        Finding(
            code="endpoint.label-mass",
            claim=Sentence(
                "For {n} of {rate.n} texts the model mostly wanted to say something else than a "
                "label: all labels together had less than {low:percent} of the probability.",
                n=len(low),
                rate=rate,
                low=LOW_MASS,
            ),
            severity="major",
            size=rate.distance_from(0),
            measure=rate,
            evidence=("endpoint", *_ids(low, instances)),
            suggestion="Tell the model in the question to answer with a label only, or write the "
            "labels as the model would.",
        ),
    )


def _ids(places: Sequence[int], instances: Sequence[InstanceRecord]) -> list[str]:
    return [instances[place].id for place in places[:MOST_EXAMPLES]]
