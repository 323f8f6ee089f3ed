"""An endpoint as a classifier, from its address and what the user says of it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, Literal

from pydantic_core import to_jsonable_python

from explain.adapters.base import TextClassifier
from explain.adapters.labels import Labels, check_labels, label_names, with_labels
from explain.adapters.remote.answers import check_other_label
from explain.adapters.remote.asking import Asker
from explain.adapters.remote.budget import Budget, Prices
from explain.adapters.remote.call_log import CallLog, LoggedQuestion
from explain.adapters.remote.classifier import RemoteClassifier
from explain.adapters.remote.client import Client, Transport
from explain.adapters.remote.envelope import answered_model
from explain.adapters.remote.kinds import KINDS, Kind, NamesLabels, text_or_pair
from explain.adapters.remote.pace import Pace
from explain.errors import ConfigurationError, nearest
from explain.record import Task

__all__ = ["Endpoint", "EndpointOptions", "open_endpoint"]

FIRST_TEXT = "This is a text."
"""What an endpoint is asked for first: it shows whether key, model and format are right."""


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """How an endpoint is reached, whatever its format.

    Attributes
    ----------
    key_env : str or None
        The variable of the environment that holds the key. A key is read from nowhere else.
    key_header : str
        The header that carries it; ``Authorization`` as a bearer token.
    ca : path or None
        A file of certificates to trust instead of those of the system.
    timeout : float
        Seconds for a whole request.
    concurrency : int
        Requests at once at most.
    startup : float
        Seconds that a server may need until it is ready.
    calls : path or None
        The log of calls: what it holds is not asked for again.
    replay : path or None
        A log of calls, or the folder of a run that has one, which answers everything; nothing is
        sent.
    log_texts : {"plain", "hash"}
        Whether the log keeps requests, or only answers and the keys of texts.
    max_calls, max_tokens : int or None
        What may be spent, what the log holds included.
    max_cost : float or None
        The same in money, which needs prices.
    price_in, price_out : float or None
        What a million tokens cost that the model reads and writes.
    decimals : int or None
        Decimals that probabilities are rounded to, where that is known; else it is found out.
    other_label : str or None
        Name of one more label: what is refused, filtered or none of the labels. It can be explained
        and counted then; without it a text that is refused has no scores.
    transport : httpx2.AsyncBaseTransport or None
        What carries the requests in place of the network.
    """

    key_env: str | None = None
    key_header: str = "Authorization"
    ca: str | Path | None = None
    timeout: float = 60.0
    concurrency: int = 16
    startup: float = 120.0
    calls: str | Path | None = None
    replay: str | Path | None = None
    log_texts: Literal["plain", "hash"] = "plain"
    max_calls: int | None = None
    max_tokens: int | None = None
    max_cost: float | None = None
    price_in: float | None = None
    price_out: float | None = None
    decimals: int | None = None
    other_label: str | None = None
    transport: Transport = None

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.timeout <= 0:
            raise ConfigurationError("concurrency is 1 or more, and timeout more than 0 seconds")
        if self.log_texts not in ("plain", "hash"):
            raise ConfigurationError(f"log_texts={self.log_texts!r}; pass plain or hash")
        if self.calls is not None and self.replay is not None:
            raise ConfigurationError("replay asks nothing, so there are no calls to log")

    def budget(self, log: CallLog) -> Budget:
        """Return what may be spent beyond what the log holds."""
        return Budget(self.max_calls, self.max_tokens, self.max_cost, self.prices, log.spent())

    @property
    def prices(self) -> Prices | None:
        """What tokens cost; None if nobody says so."""
        if self.price_in is None and self.price_out is None:
            return None
        return Prices(self.price_in or 0.0, self.price_out or 0.0)

    def client(self, url: str, path: str) -> Client:
        """Return what reaches the endpoint; where nothing is sent, no key is needed."""
        return Client(
            url,
            path,
            key_env=self.key_env if self.replay is None else None,
            key_header=self.key_header,
            ca=self.ca if self.replay is None else None,
            timeout=self.timeout,
            transport=self.transport,
        )


def open_endpoint(
    url: str,
    /,
    *,
    kind: str = "",
    name: str | None = None,
    labels: Labels | None = None,
    **options: Any,
) -> TextClassifier:
    """Return a classifier that asks an endpoint. One text is sent at once, as a trial.

    Parameters
    ----------
    url : str
        The address. Without a path it gets the one of the kind.
    kind : str
        The wire format, a name of `explain.adapters.remote.KINDS`.
    name : str, optional
        What the model is called in reports; by default the model that is asked for, or the host.
    labels : sequence of str, mapping of int to str or mapping of str to int, optional
        The labels, for kinds that have none in the question; else names in place of its own.
    **options
        Fields of the kind, such as ``question``, ``options``, ``model``, ``template``, and of
        `EndpointOptions`, such as ``key_env``, ``calls``, ``max_calls``.

    Raises
    ------
    ConfigurationError
        If there is no such kind or option, or one is missing or out of range.
    EndpointError
        If the endpoint does not answer the first text in that format.
    """
    return Endpoint(url, kind=kind, name=name, labels=labels, **options).open()


class Endpoint:
    """An endpoint whose options are known to be right, and to which nothing was sent.

    Parameters
    ----------
    url, kind, name, labels, **options
        As for `open_endpoint`.

    Attributes
    ----------
    kind : Kind
        The wire format, with what the user says of the question.
    options : EndpointOptions
        How it is reached.
    """

    def __init__(
        self,
        url: str,
        /,
        *,
        kind: str = "",
        name: str | None = None,
        labels: Labels | None = None,
        **options: Any,
    ) -> None:
        if not kind:
            raise ConfigurationError(
                "an address needs kind=, the format in which the server is asked; there are "
                f"{', '.join(KINDS)}"
            )
        if kind not in KINDS:
            raise ConfigurationError(f"there is no kind {kind!r}; {nearest(kind, KINDS)}")
        general = {field.name for field in fields(EndpointOptions)}
        self.options = EndpointOptions(**{k: v for k, v in options.items() if k in general})
        self._question = {k: v for k, v in options.items() if k not in general}
        takes_labels = "labels" in signature(KINDS[kind]).parameters
        if takes_labels and labels is not None:
            self._question["labels"] = label_names(labels)
        self._new_labels = None if takes_labels else labels
        self.kind = _make_kind(kind, self._question)
        self._kind_name, self._name = kind, name
        if self.options.other_label is not None:
            check_other_label(self.options.other_label, self.kind)
        self._client = self.options.client(url, self.kind.path)

    @property
    def host(self) -> str:
        """Where everything is sent to."""
        return self._client.host

    @property
    def is_encrypted(self) -> bool:
        """Whether nobody on the way can read what is sent."""
        return self._client.url.scheme == "https"

    @property
    def name(self) -> str:
        """What the model is called in reports."""
        return self._name or getattr(self.kind, "model", None) or self._client.host

    @property
    def task(self) -> Task:
        """How the labels relate to each other."""
        return self.kind.task

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels; empty if only an answer tells them."""
        if self._new_labels is not None or not self.kind.labels:
            return ()
        other = self.options.other_label
        return self.kind.labels if other is None else (*self.kind.labels, other)

    def open(self) -> TextClassifier:
        """Send one text as a trial, and return the endpoint as a classifier.

        Raises
        ------
        EndpointError
            If the endpoint does not answer the text in that format.
        """
        door = _Door(self._kind_name, self.options, self._client, self.name)
        kind = self.kind
        model = door.classifier(kind)
        answer = model.first_answer(text_or_pair(kind, FIRST_TEXT, FIRST_TEXT))
        question = self._question
        if isinstance(kind, NamesLabels) and not kind.labels:
            own = check_labels(kind.labels_in(answer), kind.task)
            question = {**question, "labels": own}
            model = door.classifier(_make_kind(self._kind_name, question))
        door.note_question(question)
        model.expect(answered_model(answer))
        return model if self._new_labels is None else with_labels(model, self._new_labels)


class _Door:
    """What all classifiers of one endpoint share: the log, the budget, the pace."""

    def __init__(self, kind: str, options: EndpointOptions, client: Client, name: str):
        self._kind = kind
        self._options = options
        self._client = client
        self._name = name
        replay = options.replay is not None
        path = options.replay if replay else options.calls
        self._log = CallLog(path, replay=replay, texts=options.log_texts)
        self._budget = options.budget(self._log)
        self._pace = Pace(options.concurrency)
        self._last_asker: Asker | None = None

    def note_question(self, question: Mapping[str, Any]) -> None:
        """Keep what is asked beside the answers to it."""
        fields = to_jsonable_python(question)
        today = datetime.now(UTC).date()
        self._log.note_question(LoggedQuestion(today, self._address, self._kind, fields))

    @property
    def _address(self) -> str:
        return f"{self._client.host}{self._client.url.path}"

    def classifier(self, kind: Kind) -> RemoteClassifier:
        """Return the endpoint as a classifier of a question."""
        asker = None if self._log.replay else self._asker(kind)
        return RemoteClassifier(
            kind,
            self._kind,
            self._address,
            self._log,
            asker,
            name=self._name,
            decimals=self._options.decimals,
            other_label=self._options.other_label,
        )

    def _asker(self, kind: Kind) -> Asker:
        """Return what asks; a later one knows what the endpoint has answered to an earlier one."""
        if self._last_asker is not None:
            self._last_asker = self._last_asker.for_kind(kind)
            return self._last_asker
        self._last_asker = Asker(
            kind,
            self._kind,
            self._client,
            self._log,
            budget=self._budget,
            pace=self._pace,
            startup=self._options.startup,
        )
        return self._last_asker


def _make_kind(kind: str, question: Mapping[str, Any]) -> Kind:
    """Return a kind with what the user says of it.

    Raises
    ------
    ConfigurationError
        If something is unknown or missing.
    """
    parameters = signature(KINDS[kind]).parameters
    known = [*parameters, *(field.name for field in fields(EndpointOptions))]
    for name in question:
        if name not in parameters:
            raise ConfigurationError(f"the kind {kind} has no {name}=; {nearest(name, known)}")
    for name, parameter in parameters.items():
        if parameter.default is Parameter.empty and name not in question:
            raise ConfigurationError(f"the kind {kind} needs {name}=")
    return KINDS[kind](**question)
