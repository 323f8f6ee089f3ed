"""The scores in a log of calls, by the keys of the requests, for who was not there."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np

from explain.adapters.remote.answers import is_sampled
from explain.adapters.remote.call_log import LoggedQuestion, questions_of, read_log
from explain.adapters.remote.kinds import Kind, Reading, UnreadableAnswer
from explain.adapters.rounding import decimals_of
from explain.adapters.scores import Row, Scores, log_odds_scores
from explain.errors import ConfigurationError, ExplainError, PredictionError

__all__ = ["LoggedAnswers", "logged_answers", "logged_questions", "repeat_key", "scores_of"]

MOST_LOST = 4
"""Repeats of a text in a row without an answer after which no further ones are looked for."""


@dataclass(frozen=True, slots=True)
class LoggedAnswers:
    """What a log of calls says of the texts.

    Attributes
    ----------
    scores : dict of bytes to array of shape (n_answers, n_labels)
        Scores of each text by its key: the first answer, and those when it was asked again.
    n_unread : int
        Texts whose answer holds no scores of this question.
    models : Counter of str
        What the answers call the model, with its fingerprint, and how many do.
    sha256 : str
        Hash of keys and answers in their order.
    """

    scores: Mapping[bytes, Scores]
    n_unread: int
    models: Counter[str]
    sha256: str


def logged_questions(path: str | Path) -> list[LoggedQuestion]:
    """Return what the runs of a log have asked, the first one first; none in an old log.

    Raises
    ------
    ConfigurationError
        If it is no log of calls.
    """
    with closing(read_log(path)) as base:
        return questions_of(base)


def logged_answers(path: str | Path, kind: Kind, decimals: int | None = None) -> LoggedAnswers:
    """Return what a log of calls says of the texts.

    Parameters
    ----------
    path : path
        The log, or the folder of a run that has one.
    kind : Kind
        The question.
    decimals : int, optional
        Decimals of its probabilities, where they are known.

    Raises
    ------
    ConfigurationError
        If it is no log of calls, or one of answers that were counted.
    """
    if is_sampled(kind):
        raise ConfigurationError(
            "the log holds single answers, which are not compared text by text; compare the "
            "audits of the two runs"
        )
    rows: dict[bytes, Row | None] = {}
    models: Counter[str] = Counter()
    digest = hashlib.sha256()
    with closing(read_log(path)) as base:
        for key, place, texts, answer, model, fingerprint in base.execute(
            "SELECT key, place, calls.texts, unpacked(answer), model, fingerprint FROM texts"
            " JOIN calls ON calls.id = texts.call WHERE outcome = 'answered' AND answer IS NOT NULL"
            " ORDER BY calls.id, place"
        ):
            digest.update(key + answer)
            if key not in rows:
                rows[key] = _row(kind, answer, place, texts, decimals)
                models[" ".join(filter(None, (model, fingerprint))) or ""] += 1
    repeats = {repeat for key in rows for repeat in _repeats(key, rows)}
    scores = {
        key: np.array([row, *filter(_is_row, (rows[repeat] for repeat in _repeats(key, rows)))])
        for key, row in rows.items()
        if row is not None and key not in repeats
    }
    n_unread = sum(row is None for key, row in rows.items() if key not in repeats)
    return LoggedAnswers(scores, n_unread, models, digest.hexdigest())


def repeat_key(key: bytes, number: int) -> bytes:
    """Return the key of a repeat of a text, counted from 1."""
    return hashlib.sha256(key + b"%d" % number).digest()


def scores_of(kind: Kind, answer: Reading, name: str, decimals: int | None = None) -> Row:
    """Return what an answer says of a text on the natural-log scale.

    Raises
    ------
    PredictionError
        If its probabilities are none.
    """
    values: Scores = np.array([answer.values], dtype=np.float64)
    if kind.channel != "probabilities":
        return values.reshape(-1)
    try:
        scores = log_odds_scores(values, kind.task, name, decimals)
    except PredictionError:  # Those of few decimals need not sum to exactly one.
        scores = log_odds_scores(values, kind.task, name, decimals or decimals_of(values))
    return np.asarray(scores.reshape(-1))


def _row(kind: Kind, answer: bytes, place: int, texts: int, decimals: int | None) -> Row | None:
    try:
        # Only the number of the texts matters: the answer to several tells no texts apart.
        reading = kind.scores(json.loads(answer), [""] * texts)[place]
        return scores_of(kind, reading, "it", decimals) if isinstance(reading, Reading) else None
    except (ExplainError, UnreadableAnswer):
        return None


def _is_row(row: Row | None) -> bool:
    return row is not None


def _repeats(key: bytes, rows: Mapping[bytes, Row | None]) -> list[bytes]:
    """Return the keys of the repeats of a text that have an answer."""
    repeats: list[bytes] = []
    n_lost = 0
    for number in count(1):
        repeat = repeat_key(key, number)
        if repeat in rows:
            repeats.append(repeat)
            n_lost = 0
        else:
            n_lost += 1
        if n_lost == MOST_LOST:
            break
    return repeats
