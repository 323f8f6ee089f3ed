"""What an audit of an endpoint would cost: the same audit, against two models that run here.

How many texts an audit asks for depends on the model: one that adds up what few words say is
explained soon, one in which all words depend on each other takes all that is allowed. The audit
runs against one model of each kind, and its requests are counted instead of sent.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from math import ceil, floor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explain.adapters import Scores
from explain.adapters.remote import (
    START,
    CallStats,
    Endpoint,
    StandIn,
    call_stats,
    canary_calls,
    requests_per_text,
    tokens_written,
)
from explain.auditing.plan import AuditPlan
from explain.auditing.resolve import resolve
from explain.auditing.run import audit
from explain.auditing.tables import read_tables
from explain.errors import ConfigurationError
from explain.record import AuditRecord, LogEntry, Sentence
from explain.text.spans import Text, text_of

__all__ = ["CostEstimate", "Range", "estimate_cost"]

TOO_FEW, TOO_MANY = 0.7, 1.15
"""Factors on the calls of the two models: even simpler models take fewer (a quarter, for one of
eight words on SST-2), and one call in ten may have to be made again."""

UNSURE = 1.25
"""Factor by which tokens for each call may be off, measured on three calls or more."""

BYTES_PER_TOKEN = (2.0, 8.0)
"""Bytes of JSON for each token, where nothing was measured: of dense scripts, and of plain
English whose keys and quotes a server does not count."""

RARE = 1.15
"""Quantile of the normal distribution that one number in eight exceeds: in the simple model so many
words count."""

METHODS_STAGE = "explanation methods"

TANGLE = 2.0
"""How much of the tangled model's score no single word explains, in units of a word's weight."""


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the most that something may be."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """What an audit of an endpoint would cost.

    Attributes
    ----------
    host : str
        Where everything would be sent.
    is_encrypted : bool
        Whether what is sent would be encrypted.
    calls, texts, tokens : Range
        Requests, distinct texts in them, and tokens that the model reads.
    cost : Range or None
        In the currency of the prices; None if none was stated.
    seconds : Range or None
        How long it would take; None where no call was timed.
    stages : dict of str to Range
        Calls of each stage of the audit.
    n_measured : int
        Calls on which tokens and seconds rest.
    not_measured : dict of str to str
        What the audit could not measure on an endpoint, or on this table, and why.
    """

    host: str
    is_encrypted: bool
    calls: Range
    texts: Range
    tokens: Range
    cost: Range | None
    seconds: Range | None
    stages: dict[str, Range]
    n_measured: int
    not_measured: dict[str, str]

    def lines(self) -> list[str]:
        """Return the estimate as lines to read."""
        money = (
            "unknown: pass price_in= and price_out= per million tokens"
            if self.cost is None
            else Sentence("{low:.2f} to {high:.2f}", low=self.cost.low, high=self.cost.high)
        )
        seconds = (
            "unknown: no call was timed (add --probe to send three texts)"
            if self.seconds is None
            else _minutes(self.seconds)
        )
        lines = [
            f"calls     {_whole(self.calls)}",
            f"tokens    {_whole(self.tokens)}{self._basis()}",
            f"cost      {money}",
            f"waiting   {seconds}",
            *(f"  {name:<20} {_whole(calls)} calls" for name, calls in self.stages.items()),
            Sentence(
                "What leaves this machine: the question, and {texts} texts (those of the table, "
                "and edited copies of them), to {host}{how}.",
                texts=_whole(self.texts),
                host=self.host,
                how="" if self.is_encrypted else ", without encryption",
            ),
        ]
        return lines + [f"not measured: {what} ({why})" for what, why in self.not_measured.items()]

    def _basis(self) -> str:
        if self.n_measured:
            return f" (from {self.n_measured:,} calls)"
        return " (by the size of the requests; the server may add a prompt of its own)"


def estimate_cost(
    model: str,
    data: Any,
    *,
    config: AuditPlan | str | Path | None = None,
    calls: str | Path | None = None,
    probe: bool = False,
    **options: Any,
) -> CostEstimate:
    """Return what an audit of an endpoint would cost. Nothing is sent, but for a probe.

    Parameters
    ----------
    model : str
        The address.
    data, config, **options
        As for `explain.audit`.
    calls : path, optional
        The log of calls of that audit; what it holds tells tokens and seconds.
    probe : bool
        Whether three texts are sent to measure them: one to open the endpoint, and the shortest and
        the longest of the table. The audit does not pay for them again if `calls` is its log.

    Raises
    ------
    ConfigurationError, DataError
        As `explain.audit`.
    """
    plan = resolve(config, options).plan
    if plan.replay is not None:
        raise ConfigurationError("replay asks nothing, so it costs nothing; leave it out")
    loading = {"calls": calls, **plan.load_options}
    endpoint = Endpoint(model, **loading)
    dataset, _ = read_tables(endpoint, data, plan)
    texts = [text_of(row.parts) for row in dataset.rows if row.parts]
    labels = endpoint.labels
    if probe:
        opened = endpoint.open()
        by_size = sorted(texts, key=lambda text: len(str(text)))
        opened.predict([by_size[0], by_size[-1]])
        labels = opened.labels
    given = sorted({label for row in dataset.rows for label in row.labels or ()})
    labels = labels or tuple(given if len(given) > 1 else ("first", "second"))
    runs = [
        _Rehearsal(endpoint, labels, function(len(labels)), data, plan)
        for function in (_sparse, _tangled)
    ]
    path = loading.get("calls")
    log_stats = None if path is None or not Path(path).exists() else call_stats(path)
    return _estimate(endpoint, runs, log_stats)


class _Rehearsal:
    """An audit of a model that stands in for an endpoint."""

    def __init__(
        self,
        endpoint: Endpoint,
        labels: tuple[str, ...],
        function: Callable[[Sequence[Text]], Scores],
        data: Any,
        plan: AuditPlan,
    ) -> None:
        self.stages: dict[str, int] = {}
        self._methods = {str(getattr(method, "name", method)) for method in plan.methods}
        self._n_seen = 0
        self._stand_in = StandIn(endpoint.kind, labels, function)
        self.tally = self._stand_in.tally
        self.record: AuditRecord = audit(
            self._stand_in,
            data,
            config=plan.model_copy(update={"kind": None, "model_options": {}, "endpoint": {}}),
            log=self._note,
        )

    def _note(self, entry: LogEntry) -> None:
        if entry.seconds is not None and (new := self.tally.calls - self._n_seen):
            # What one method has asked for, the next need not.
            name = METHODS_STAGE if entry.event in self._methods else entry.event
            self.stages[name] = self.stages.get(name, 0) + new
            self._n_seen = self.tally.calls


def _estimate(
    endpoint: Endpoint, runs: Sequence[_Rehearsal], log_stats: CallStats | None
) -> CostEstimate:
    # One text is sent to open the endpoint.
    n_each = requests_per_text(endpoint.kind)
    calls = _range(
        [run.tally.calls + n_each * (1 + canary_calls(len(run.tally.texts))) for run in runs]
    )
    sizes = [run.tally.size / max(1, run.tally.calls) for run in runs]
    is_enough = log_stats is not None and len(log_stats.seconds) >= 3
    each = _tokens_of_sizes(log_stats, sizes) if log_stats is not None and is_enough else None
    tokens = (
        Range(sizes[0] / BYTES_PER_TOKEN[1], max(sizes) / BYTES_PER_TOKEN[0])
        if each is None
        else Range(min(each) / UNSURE, max(each) * UNSURE)
    )
    tokens = Range(calls.low * tokens.low, calls.high * tokens.high)
    seconds = None
    if log_stats is not None and is_enough:
        middle = float(np.median(log_stats.seconds))
        lanes = endpoint.options.concurrency
        seconds = Range(calls.low * middle / lanes, calls.high * middle / min(START, lanes))
    prices = endpoint.options.prices
    names = dict.fromkeys(name for run in runs for name in run.stages)
    return CostEstimate(
        host=endpoint.host,
        is_encrypted=endpoint.is_encrypted,
        calls=calls,
        texts=_range([len(run.tally.texts) for run in runs]),
        tokens=tokens,
        cost=None
        if prices is None
        else Range(
            prices.of(tokens.low, 0),
            prices.of(tokens.high, calls.high * tokens_written(endpoint.kind)),
        ),
        seconds=seconds,
        stages={name: _range([run.stages.get(name, 0) for run in runs]) for name in names},
        n_measured=len(log_stats.seconds) if log_stats is not None and is_enough else 0,
        not_measured={
            str(section.title): str(section.skipped)
            for section in runs[0].record.sections
            if section.skipped is not None
        },
    )


def _range(counts: Sequence[int]) -> Range:
    return Range(floor(TOO_FEW * min(counts)), ceil(TOO_MANY * max(counts)))


def _tokens_of_sizes(log_stats: CallStats, sizes: Sequence[float]) -> list[float]:
    """Return the tokens of requests of some sizes, on the line through those of a log."""
    x, y = np.array(log_stats.sizes, float), np.array(log_stats.tokens_of_answers, float)
    if len(np.unique(x)) < 2:
        return [float(y.mean())] * len(sizes)
    slope, start = np.polyfit(x, y, 1)
    return [max(1.0, float(start + slope * size)) for size in sizes]


# ── The two models ────────────────────────────────────────────────────────────────────────────────


def _noise(text: str, n_labels: int) -> NDArray[np.float64]:
    """Return numbers that depend on nothing but the text, and look random."""
    seed = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(seed)).normal(size=n_labels)


def _words(text: Text) -> list[str]:
    return (text if isinstance(text, str) else " ".join(text)).split()


def _additive(texts: Sequence[Text], weight: Callable[[str], NDArray[np.float64]]) -> Scores:
    n_labels = len(weight(""))
    rows = [sum(map(weight, _words(text)), np.zeros(n_labels)) for text in texts]
    return np.array(rows, dtype=np.float64).reshape(len(texts), n_labels)


def _sparse(n_labels: int) -> Callable[[Sequence[Text]], Scores]:
    """Return a model in which few words count, each by itself."""

    @cache
    def weight(word: str) -> NDArray[np.float64]:
        drawn = _noise(word, n_labels + 1)
        weights: NDArray[np.float64] = 2 * drawn[:-1] * (drawn[-1] > RARE)
        return weights

    return partial(_additive, weight=weight)


def _tangled(n_labels: int) -> Callable[[Sequence[Text]], Scores]:
    """Return a model in which each word counts, and what it counts depends on all others."""
    weight = cache(partial(_noise, n_labels=n_labels))

    def scores(texts: Sequence[Text]) -> Scores:
        mixed = [TANGLE * _noise(" ".join(_words(text)), n_labels) for text in texts]
        return _additive(texts, weight) + np.array(mixed).reshape(len(texts), n_labels)

    return scores


# ── Words for numbers ─────────────────────────────────────────────────────────────────────────────


def _whole(numbers: Range) -> Sentence:
    return Sentence("{low} to {high}", low=round(numbers.low), high=round(numbers.high))


def _minutes(seconds: Range) -> Sentence:
    if seconds.high < 120:
        return Sentence("{low:.0f} to {high:.0f} seconds", low=seconds.low, high=seconds.high)
    return Sentence("{low:.0f} to {high:.0f} minutes", low=seconds.low / 60, high=seconds.high / 60)
