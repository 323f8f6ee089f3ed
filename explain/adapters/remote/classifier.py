"""A classifier behind an endpoint."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from threading import Lock

import numpy as np
from pydantic import JsonValue

from explain.adapters.base import TextClassifier, description_of
from explain.adapters.question import QuestionVariant
from explain.adapters.remote.answers import (
    check_decimals,
    combined,
    facts_of_answers,
    request_keys,
    samples_of,
)
from explain.adapters.remote.asking import Asker, Query, fault_of
from explain.adapters.remote.call_log import CallLog
from explain.adapters.remote.canaries import CANARIES, MOST_SHIFTS, TextCanaries
from explain.adapters.remote.envelope import tokens_read_of
from explain.adapters.remote.kinds import Channel, Json, Kind, LostText, Reading, text_or_pair
from explain.adapters.remote.logged_scores import repeat_key
from explain.adapters.remote.observations import EndpointObservations, TextAnswer
from explain.adapters.remote.scored_answers import ScoredAnswers
from explain.adapters.remote.variants import (
    ReorderedClassifier,
    has_question,
    kind_asked_as,
    with_column,
)
from explain.adapters.scores import Row, Scores
from explain.errors import ConfigurationError, EndpointError, PredictionError
from explain.record import ModelDescription, Task
from explain.text.spans import Text

__all__ = ["RemoteClassifier"]

NOT_ASKED = "nothing was asked any more"


class RemoteClassifier:
    """Scores texts by asking an endpoint for each only once, as its log of calls remembers.

    Parameters
    ----------
    kind : Kind
        The wire format.
    kind_name : str
        What a user calls it.
    address : str
        Host and path of the endpoint.
    log : CallLog
        All calls so far.
    asker : Asker or None
        Asks for what the log does not hold; None where nothing may be asked.
    name : str
        What the model is called in reports.
    decimals : int, optional
        Decimals that its probabilities are rounded to, where that is known.
    other_label : str, optional
        Name of one more label, which is what is refused or none of the labels.
    """

    def __init__(
        self,
        kind: Kind,
        kind_name: str,
        address: str,
        log: CallLog,
        asker: Asker | None,
        *,
        name: str,
        decimals: int | None = None,
        other_label: str | None = None,
    ) -> None:
        check_decimals(decimals, kind, kind_name)
        self.kind = kind
        self.kind_name = kind_name
        self.address = address
        self.name, self.decimals = name, decimals
        self.labels = kind.labels if other_label is None else (*kind.labels, other_label)
        self.task: Task = kind.task
        self._other_label = other_label
        self._log = log
        self._asker = asker
        self._repeats: Counter[bytes] = Counter()
        self._failures: dict[bytes, LostText] = {}
        self._texts: dict[bytes, Text] = {}
        self._keys: dict[Text, bytes] = {}  # By which a text was asked last, restarts or not.
        self._n_restarts = 0
        self._canaries = TextCanaries(self.task, self.shows_probabilities, samples_of(kind))
        self._answer_scores = ScoredAnswers(kind, name, decimals, other_label)
        self._end_error: EndpointError | None = None
        self._answering_model: str | None = None
        self._lock = Lock()

    @property
    def shows_probabilities(self) -> bool:
        """Whether its scores come from probabilities."""
        return self.kind.channel == "probabilities"

    @property
    def is_sampled(self) -> bool:
        """Whether its scores are logarithms of counts, of which each is a half more."""
        return self.kind.channel == "counts"

    @property
    def channel(self) -> Channel:
        """What the endpoint shows of each label."""
        return self.kind.channel

    @property
    def texts_per_call(self) -> int:
        """Most texts that one request carries."""
        return self.kind.batch

    @property
    def end_error(self) -> EndpointError | None:
        """Why nothing more is asked; None while it is."""
        of_asker = None if self._asker is None else self._asker.end_error
        return self._end_error or self._answer_scores.end_error or of_asker

    def predict(self, texts: Sequence[Text]) -> Scores:
        """Return the scores of `texts`, shape (n_texts, n_labels), natural-log scale.

        Raises
        ------
        PredictionError
            If a text has none; the others are remembered.
        """
        rows = self.predict_each(texts)
        for row in rows:
            if isinstance(row, PredictionError):
                raise row
        return np.array(rows, dtype=np.float64).reshape(len(texts), len(self.labels))

    def predict_each(
        self, texts: Sequence[Text], *, fresh: bool = False
    ) -> list[Row | PredictionError]:
        """Return the scores of each text, or why it has none.

        Parameters
        ----------
        texts : sequence of Text
            The texts.
        fresh : bool
            Whether they are asked for once more although they have an answer.

        Raises
        ------
        PredictionError
            If nothing is asked any more.
        """
        with self._lock:
            if self.end_error is not None:
                raise PredictionError(str(self.end_error))
            return self._rows(texts, fresh) if fresh else self._rows_and_canaries(texts)

    def _rows(self, texts: Sequence[Text], fresh: bool) -> list[Row | PredictionError]:
        keys = [self._key(text) for text in texts]
        if fresh:
            keys = [self._repeat_key(key) if isinstance(key, bytes) else key for key in keys]
        keyed = {key: text for key, text in zip(keys, texts, strict=True) if isinstance(key, bytes)}
        known = self._answers(keyed)
        if not fresh:
            self._texts |= keyed
            self._keys |= {text: key for key, text in keyed.items()}
        answers = [known.get(key) if isinstance(key, bytes) else key for key in keys]
        return [
            PredictionError(str(self.end_error)) if a is None else self._answer_scores.row(a)
            for a in answers
        ]

    def _rows_and_canaries(self, texts: Sequence[Text]) -> list[Row | PredictionError]:
        """Return the scores of each text, and ask for the first ones again now and then.

        When that is rests on the texts of the run alone, so that a run that is continued or
        replayed asks for the same.
        """
        rows: list[Row | PredictionError] = []
        while len(rows) < len(texts):
            if self.end_error is not None:
                return rows + [PredictionError(str(self.end_error))] * (len(texts) - len(rows))
            n_left = self._canaries.texts_left(len(self._texts))
            part = texts[len(rows) : len(rows) + n_left]
            answers = self._rows(part, fresh=False)
            rows += answers
            self._canaries.choose(part, answers)
            self._test_canaries(self._canaries.answers_due(len(self._texts)))
        return rows

    def _test_canaries(self, n_answers: int) -> None:
        canaries = self._canaries
        if not n_answers or self.end_error is not None:
            return
        rows = self._rows(canaries.texts * n_answers, fresh=True)  # All of them at once.
        n = len(canaries.texts)
        again = [rows[start : start + n] for start in range(0, len(rows), n)]
        canaries.take(again, len(self._texts), self.decimals)
        if len(canaries.shifts) >= MOST_SHIFTS:
            self._end_error = EndpointError(
                f"the answers of {self.address} to the same {CANARIES} texts changed "
                f"{MOST_SHIFTS} times; name the version of the model, and begin again with another "
                "file of calls"
            )

    def test_for_change(self) -> None:
        """Ask for the first texts again now; not in a run that was too short for that so far."""
        with self._lock:
            self._test_canaries(1 if self._canaries.rounds else 0)

    def versions(self, texts: Sequence[Text]) -> list[tuple[str | None, int] | None]:
        """Return the model of each answer and how many changes came before; None if not known."""
        places = {key: place for place, key in enumerate(self._texts, start=1)}
        keys = [self._keys.get(text, b"") for text in texts]
        names = self._log.answering_models(keys)
        parts = [self._canaries.part_of(places[key]) if key else None for key in keys]
        return [
            None if part is None else (name, part) for part, name in zip(parts, names, strict=True)
        ]

    def restart(self) -> None:
        """Ask for every text anew from now on, once, whatever the log holds."""
        self._n_restarts += 1

    def label_mass(self, texts: Sequence[Text]) -> list[float | None]:
        """Return the probability that the model gives to all labels together, of each text.

        None where the endpoint does not say so, or gives no answer. Where it is small, the model
        mostly wanted to say something else.
        """
        return [None if read is None else read.label_mass for read in self._readings(texts)]

    def stated_confidence(self, texts: Sequence[Text]) -> list[float | None]:
        """Return how sure the answer to each text says it is; see `StatesConfidence`."""
        return [None if read is None else read.confidence for read in self._readings(texts)]

    def _readings(self, texts: Sequence[Text]) -> list[Reading | None]:
        """Return the answers, asked for now unless the run has ended."""
        with self._lock:
            keyed = [(self._last_key(text), text) for text in texts]
            wanted = {key: text for key, text in keyed if isinstance(key, bytes)}
            if self.end_error is None:
                self._answers(wanted)
            known = {key: self._remembered(key, text) for key, text in wanted.items()}
        said = [known.get(key) if isinstance(key, bytes) else None for key, _ in keyed]
        return [answer if isinstance(answer, Reading) else None for answer in said]

    def tokens_read(self, texts: Sequence[Text]) -> list[int | None]:
        """Return the tokens that the endpoint says it read for each text that was answered.

        None where it does not say so, or counts several texts together.
        """
        keys = [self._last_key(text) for text in texts]
        logged = [self._log.find(key) if isinstance(key, bytes) else None for key in keys]
        return [
            tokens_read_of(each.answer) if each and each.texts == 1 else None for each in logged
        ]

    def observations(self) -> EndpointObservations:
        """Return what the answers to all distinct texts of this run show of the endpoint."""
        answers, seen = [self._text_answer(*each) for each in self._texts.items()], self._canaries
        return EndpointObservations.of_answers(answers, seen.rounds, seen.shifts)

    def _text_answer(self, key: bytes, text: Text) -> TextAnswer:
        answer, logged = self._remembered(key, text), self._log.find(key)
        name = (logged.model, logged.fingerprint) if logged is not None else ()
        return TextAnswer(
            NOT_ASKED if answer is None else self._answer_scores.reason_without(answer),
            answer.reason if isinstance(answer, LostText) and answer.is_refusal else None,
            " ".join(filter(None, name)) or None,
            is_last=self._keys[text] == key,
        )

    def first_answer(self, text: Text) -> Json:
        """Return the whole answer to a text, which shows whether the endpoint can be used.

        Raises
        ------
        EndpointError
            If there is none.
        """
        [row], key = self.predict_each([text]), self._key(text)
        if self.end_error is not None:
            raise self.end_error
        logged = self._log.find(key) if isinstance(key, bytes) else None
        known = self._remembered(key, text) if isinstance(key, bytes) else None
        if fault_of(known) or logged is None or logged.answer is None:
            raise EndpointError(f"{self.address} gives no answer to a first text: {row}")
        content: Json = json.loads(logged.answer)
        return content

    def expect(self, model: str | None) -> None:
        """Take what the first answer calls the model for the one that must answer all texts."""
        self._answering_model = model
        if self._asker is not None:
            self._asker.models, self._asker.proven = [] if model is None else [model], True

    @property
    def has_question(self) -> bool:
        """Whether a question is put to a language model."""
        return has_question(self.kind)

    def asked_as(self, variant: QuestionVariant) -> TextClassifier:
        """Return the classifier that asks in another way; see `QuestionClassifier.asked_as`."""
        kind, columns = kind_asked_as(self.kind, variant)
        asker = None if self._asker is None else self._asker.for_kind(kind)
        other = RemoteClassifier(
            kind, self.kind_name, self.address, self._log, asker, name=self.name,
            decimals=self.decimals, other_label=self._other_label,
        )  # fmt: skip
        if self._other_label is not None:
            columns = with_column(columns, len(self.kind.labels), len(kind.labels))
        return ReorderedClassifier(other, columns)

    def describe(self) -> ModelDescription:
        """Return what is known of the model, and what is sent to it."""
        facts: dict[str, JsonValue] = {
            "endpoint": self.address,
            "kind": self.kind_name,
            "what it shows": self.kind.channel.replace("_", " "),
        }
        if self._answering_model is not None:
            facts |= {"model that answered": self._answering_model}
        facts["request"] = self.kind.request([text_or_pair(self.kind, "{text}", "{text_pair}")])
        facts |= facts_of_answers(self.kind, self.decimals, self._other_label)
        return description_of(self, facts, source=self.address)

    def _key(self, text: Text) -> bytes | PredictionError:
        """Return by what a text is known in the log: all that decides its answer.

        The order of keys is a part of it: servers show options to a model in that order.
        """
        try:
            decides: list[Json] = [self.kind_name, self.address, self.kind.request([text])]
        except ConfigurationError as error:  # A pair where the question has no place for it.
            return PredictionError(str(error))
        if self._n_restarts:
            decides.append(self._n_restarts)
        return hashlib.sha256(json.dumps(decides).encode()).digest()

    def _last_key(self, text: Text) -> bytes | PredictionError:
        return self._keys.get(text) or self._key(text)

    def _repeat_key(self, key: bytes) -> bytes:
        """Return the key of the next repeat of a text."""
        self._repeats[key] += 1
        return repeat_key(key, self._repeats[key])

    def _answers(self, texts: dict[bytes, Text]) -> dict[bytes, Reading | LostText]:
        """Return what the endpoint says, as the log has it or when asked now."""
        requests = {key: request_keys(self.kind, key) for key in texts}
        known = self._answered_requests(
            {one: texts[key] for key, keys in requests.items() for one in keys}
        )
        together = {k: combined(self.kind, [*map(known.get, keys)]) for k, keys in requests.items()}
        return {key: answer for key, answer in together.items() if answer is not None}

    def _answered_requests(self, texts: dict[bytes, Text]) -> dict[bytes, Reading | LostText]:
        """Return the answers to requests for texts, as the log has them or when asked now."""
        remembered = {key: self._remembered_request(key, text) for key, text in texts.items()}
        known = {key: said for key, said in remembered.items() if said is not None}
        missing = [Query(text, key) for key, text in texts.items() if key not in known]
        if missing and self._asker is None:
            self._end_error = EndpointError(
                f"the log of calls has no answer to {len(missing)} of {len(texts)} texts, first to "
                f"{missing[0].text!r:.60}; replay with the same data, options and seed"
            )
        elif missing and self._asker is not None:
            new = self._asker.make_requests(missing)
            self._failures |= {key: said for key, said in new.items() if isinstance(said, LostText)}
            known |= new
        return known

    def _remembered(self, key: bytes, text: Text) -> Reading | LostText | None:
        """Return what was said of a text before."""
        keys = request_keys(self.kind, key)
        return combined(self.kind, [self._remembered_request(one, text) for one in keys])

    def _remembered_request(self, key: bytes, text: Text) -> Reading | LostText | None:
        """Return what was said before in answer to one of the requests for a text.

        What was lost by bad luck is asked for again by a later run, but not by this one.
        """
        if key in self._failures:
            return self._failures[key]
        logged = self._log.find(key)
        if logged is None:
            return None
        if logged.answer is not None and logged.outcome == "answered":
            # Only the number of the others matters: the answer to several tells no texts apart.
            texts = [text] * logged.texts
            return self.kind.scores(json.loads(logged.answer), texts)[logged.place]
        if logged.outcome == "lost" or (self._log.replay and logged.outcome == "again"):
            return LostText(logged.reason or "it got no answer")
        return None
