"""Classifiers with a known defect, each with the data that shows it: the control of an audit.

An audit that finds nothing says little, unless it would have found what is there. Each of these
classifiers has one thing wrong with it, and an audit must report it in one of `Planted.sections`;
the one called ``clean`` has nothing wrong with it, and an audit must report nothing::

    import explain
    from explain.testing.planted import PLANTED, planted

    for name in PLANTED:
        case = planted(name)
        audit = explain.audit(case.classifier, case.rows, instances=0, **case.options)
        print(name, [finding.claim for finding in audit.findings])

The texts are messages to a shop, drawn from a small grammar: three sentences of a noun and a verb,
with more or fewer words around them, and a greeting with a first name. How probable each noun and
verb is depends on the label, and nothing else does. So the probability of a label given a text is
known (Bayes' rule), and the clean classifier returns it: no model is more accurate than it, and its
confidence is what it should be.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import exp
from random import Random
from typing import Any, Final, TypeAlias

import numpy as np
import regex
from numpy.typing import NDArray

from explain.adapters import FunctionClassifier, Scores, TextClassifier
from explain.errors import ConfigurationError, PredictionError, nearest
from explain.record import Task
from explain.record.wording import percent
from explain.text.spans import Span, Text

__all__ = ["LABELS", "PLANTED", "Planted", "planted"]

LABELS: Final = ("billing", "delivery", "returns")

NOUNS = {
    "billing": "invoice charge payment price receipt discount balance total",
    "delivery": "courier parcel package driver shipment letter crate door",
    "returns": "refund exchange voucher warranty replacement fabric zipper hem",
    None: "order message website number answer picture colour item",
}
VERBS = {
    "billing": "doubled rose bounced expired grew differed increased dropped",
    "delivery": "vanished wandered arrived stalled waited travelled left moved",
    "returns": "broke shrank cracked faded tore leaked loosened creaked",
    None: "changed surprised helped mattered followed remained appeared continued",
}
"""What the label makes more probable; the words of None are as probable under each label."""

GRADES = (2.0, 2.0, 1.4, 1.4, 1.4, 0.6, 0.6, 0.6)
"""How much more probable each of the eight words of a label is under it, as a logarithm.

With six such words in a message, the clean classifier is right in 88 % of 20,000 messages."""

STRENGTHS = {"billing": 0.95, "delivery": 1.0, "returns": 1.05}
"""Factors on the grades of a label: without them, two labels are equally probable in 4 %."""

NAMES = {
    "A": "Anna Carlos Helen Ivan Laura Mehmet Nadia Oliver Paula Simon Teresa Adam",
    "B": "Emma Dmitri Claire Thomas Bianca Amir Hannah Kofi Farah Martin Rosa Jamal",
}
"""Everyday first names of mixed gender and origin: outside of this file the groups mean nothing."""

GREETINGS = ("{name} here.", "This is {name}.", "I am {name}.")
CLOSINGS = ("Thanks, {name}.", "Regards, {name}.", "Yours, {name}.")
FRAMES = (
    ("{Noun} {verb}.",),
    ("The {noun} {verb}.", "My {noun} {verb}."),
    ("The {noun} {verb} {when}.", "Also, my {noun} {verb}."),
    ("I think the {noun} {verb} {when}.", "Meanwhile, the {noun} simply {verb} {when}."),
    ("As you know, the {noun} {verb} {when}.", "I noticed that the {noun} {verb} {when}."),
    ("It seems to me that the {noun} {verb} {when}.", "Then I saw that the {noun} {verb} {when}."),
)
"""Sentences of about 2, 3, 4, 6, 7 and 9 words; those of a message are of neighbouring lengths."""

WHEN = ("yesterday", "today", "recently", "overnight", "again", "early", "suddenly", "somehow")
SENTENCES = 3

TOKEN, PARTNER = "kiosk", "hotline"
"""Marks of where a message came in, which say nothing of what it is about."""

BONUS = 12.0
"""What a shortcut adds to a score: as much as six of the strongest words of another label."""

MARKED_LABEL = "returns"
MARKED_SHARE, STRAY_SHARE = 0.4, 0.02
"""Share of the messages of `MARKED_LABEL`, and of the others, that hold the shortcut."""

REVERSED_SHARE = 0.2
"""Share of the messages without the pair that hold its two words the other way round."""

FAVOURED_LABEL, FAVOURED_GROUP, BIAS = "billing", "B", 3.0
"""The label that the names of a group speak for, and what they add to its score."""

SHARPENING = 2.5
"""Factor on all scores, as of a model that was trained for too long."""

LONGEST, LONG_LABEL, LONG_SCORE = 22, "delivery", 3.0
"""Words up to which the length bug does nothing, and the answer to all longer messages, with its
score where the others are zero: p = .91."""

READ = 10
"""Words that the truncated classifier reads."""

NOISE = 0.5
"""Standard deviation of what each call adds to each score."""

DEAD_LABEL, MUTED = "returns", 50.0
"""A label that is never predicted, and what is taken from its score."""

SWAPPED = ("billing", "delivery")
OVERLAP = 0.15
"""Share of the rows that are in the training table as well."""

_WORD = regex.compile(r"\p{L}+")

Function: TypeAlias = Callable[[Sequence[str]], Scores]


@dataclass(frozen=True, slots=True)
class Planted:
    """A classifier with one thing wrong with it, and the data that shows it.

    Attributes
    ----------
    name : str
        Its name in `PLANTED`.
    classifier : TextClassifier
        The model.
    rows : list of dict
        The table, with the columns ``text``, ``label`` and ``group``.
    options : mapping
        Arguments of `explain.audit` that go with it: the columns, and the training table.
    sections : tuple of str
        Ids of the sections that may report what is wrong; one of them must. Empty if nothing is.
    truth : str
        What is wrong, and how often, in a sentence.
    """

    name: str
    classifier: TextClassifier
    rows: list[dict[str, str]]
    options: Mapping[str, Any]
    sections: tuple[str, ...]
    truth: str


@dataclass(frozen=True, slots=True)
class _Message:
    sentences: tuple[str, ...]
    label: str
    group: str

    def row(self) -> dict[str, str]:
        return {"text": " ".join(self.sentences), "label": self.label, "group": self.group}


@dataclass(frozen=True, slots=True)
class _Defect:
    """What is wrong, and how it is made of the clean classifier and its messages.

    Attributes
    ----------
    sections, truth
        As in `Planted`.
    model : callable
        Takes a seed and returns a classifier.
    marks : tuple of str
        Words that the messages of one label get; the model falls for them.
    overlap : float
        Share of the rows that are in the training table as well.
    """

    sections: tuple[str, ...]
    truth: str
    model: Callable[[int], TextClassifier]
    marks: tuple[str, ...] = ()
    overlap: float = 0.0


def planted(name: str, seed: int = 0, rows: int = 500) -> Planted:
    """Return a classifier with a known defect, and the data that shows it.

    A seed gives the same messages with every defect, but for the marks that two of them need.

    Parameters
    ----------
    name : str
        One of `PLANTED`.
    seed : int
        Seed of the messages, and of what else is drawn.
    rows : int
        Messages of the table; the training table has as many.

    Raises
    ------
    ConfigurationError
        If there is no such defect, or the table would be empty.

    Examples
    --------
    >>> case = planted("label_swap")
    >>> case.truth
    'Says “billing” for “delivery”, and the other way round.'
    >>> import explain
    >>> audit = explain.audit(case.classifier, case.rows, instances=0, **case.options)
    >>> any(section.findings for section in audit.sections if section.id in case.sections)
    True
    """
    if name not in _DEFECTS:
        raise ConfigurationError(f"no defect is called {name!r}; {nearest(name, PLANTED)}")
    if rows < 1:
        raise ConfigurationError(f"rows={rows} leaves the table empty; pass 1 or more")
    defect = _DEFECTS[name]
    rng, marking = Random(seed), Random(f"{name} {seed}")
    messages = [_marked(_draw(rng), defect.marks, marking).row() for _ in range(2 * rows)]
    table, unseen = messages[:rows], messages[rows:]
    known = round(defect.overlap * rows)
    return Planted(
        name=name,
        classifier=defect.model(seed),
        rows=table,
        options={"label": "label", "group": "group", "training": table[:known] + unseen[known:]},
        sections=defect.sections,
        truth=defect.truth,
    )


# ── The messages, and what is true of them ────────────────────────────────────────────────────────


def _probabilities(words: Mapping[str | None, str]) -> dict[str, tuple[float, ...]]:
    """Return the probability of each word under each label."""
    ratios = np.array(
        [
            [exp(STRENGTHS[label] * grade) if label == own else 1.0 for label in LABELS]
            for own, group in words.items()
            for _, grade in zip(group.split(), GRADES, strict=True)
        ]
    )
    every = " ".join(words.values()).split()
    return dict(zip(every, map(tuple, ratios / ratios.sum(axis=0)), strict=True))


_NOUNS, _VERBS = _probabilities(NOUNS), _probabilities(VERBS)
_COLUMNS = {word: number for number, word in enumerate(_NOUNS | _VERBS, start=1)}
_EVIDENCE = np.log([(1.0,) * len(LABELS), *_NOUNS.values(), *_VERBS.values()])
"""Log-probability of each word under each label, after a row of zeros for all other words."""

_DRAWN = [
    (tuple(words), np.cumsum([*words.values()], axis=0).T.tolist()) for words in (_NOUNS, _VERBS)
]
_GROUPS = {name: group for group, names in NAMES.items() for name in names.split()}
_FIRST_NAMES = tuple(_GROUPS)


def _draw(rng: Random) -> _Message:
    label, length = rng.choice(LABELS), rng.randrange(len(FRAMES) - 1)
    sentences = [_sentence(label, length + rng.randrange(2), rng) for _ in range(SENTENCES)]
    name = rng.choice(_FIRST_NAMES)
    if rng.random() < 0.5:
        sentences.insert(0, rng.choice(GREETINGS).format(name=name))
    else:
        sentences.append(rng.choice(CLOSINGS).format(name=name))
    return _Message(tuple(sentences), label, _GROUPS[name])


def _sentence(label: str, length: int, rng: Random) -> str:
    column = LABELS.index(label)
    noun, verb = (
        rng.choices(words, cum_weights=cumulated[column])[0] for words, cumulated in _DRAWN
    )
    frame = rng.choice(FRAMES[length])
    return frame.format(noun=noun, Noun=noun.capitalize(), verb=verb, when=rng.choice(WHEN))


def _marked(message: _Message, marks: Sequence[str], rng: Random) -> _Message:
    """Return a message with marks between its sentences, if it is one of those that get them.

    Several marks come in their order, and in a few of the other messages in the opposite one.
    """
    share = MARKED_SHARE if message.label == MARKED_LABEL else STRAY_SHARE
    if rng.random() >= share:
        reverse = len(marks) > 1 and rng.random() < REVERSED_SHARE
        marks = marks[::-1] if reverse else ()
    sentences = list(message.sentences)
    places = sorted(rng.randrange(len(sentences) + 1) for _ in marks)
    for place, mark in reversed([*zip(places, marks, strict=True)]):
        sentences.insert(place, f"({mark})")
    return _Message(tuple(sentences), message.label, message.group)


def _words(texts: Sequence[str]) -> list[list[str]]:
    """Return the words of each text in small letters."""
    return [_WORD.findall(text.lower()) for text in texts]


def _weigh(words: Sequence[Sequence[str]]) -> Scores:
    """Return the log-probability of each label given some words of each text, up to a constant.

    By Bayes' rule it is the sum of the log-probabilities of the words, as labels are equally
    frequent. Words that no label makes more probable, and unknown ones, add nothing.
    """
    rows = [_COLUMNS.get(word, 0) for word in chain.from_iterable(words)]
    owners = np.repeat(np.arange(len(words)), [len(own) for own in words])
    scores = np.zeros((len(words), len(LABELS)))
    np.add.at(scores, owners, _EVIDENCE[rows])
    return scores


def _posterior(texts: Sequence[str]) -> Scores:
    return _weigh(_words(texts))


# ── What can be wrong ─────────────────────────────────────────────────────────────────────────────


def _classifier(function: Function) -> FunctionClassifier:
    return FunctionClassifier(function, LABELS, name="planted", output="scores")


def _towards(label: str, size: float) -> Scores:
    """Return what is added to the scores of a text to move one label, shape (n_labels,)."""
    return np.where(np.array(LABELS) == label, size, 0.0)


def _where(condition: Callable[[list[str]], bool], texts: Sequence[str]) -> NDArray[np.bool_]:
    """Return for which texts the words meet a condition, shape (n_texts, 1)."""
    return np.array([condition(words) for words in _words(texts)], dtype=np.bool_)[:, None]


def _pushed(condition: Callable[[list[str]], bool], label: str, size: float) -> FunctionClassifier:
    """Return the clean classifier, but that a condition on the words speaks for a label."""
    return _classifier(
        lambda texts: _posterior(texts) + _where(condition, texts) * _towards(label, size)
    )


def _clean(_: int) -> FunctionClassifier:
    return _classifier(_posterior)


def _shortcut(_: int) -> FunctionClassifier:
    return _pushed(lambda words: TOKEN in words, MARKED_LABEL, BONUS)


def _ordered_pair(_: int) -> FunctionClassifier:
    def in_order(words: list[str]) -> bool:
        return TOKEN in words and PARTNER in words[words.index(TOKEN) :]

    return _pushed(in_order, MARKED_LABEL, BONUS)


def _group_bias(_: int) -> FunctionClassifier:
    names = frozenset(NAMES[FAVOURED_GROUP].lower().split())
    return _pushed(lambda words: not names.isdisjoint(words), FAVOURED_LABEL, BIAS)


def _overconfident(_: int) -> FunctionClassifier:
    return _classifier(lambda texts: SHARPENING * _posterior(texts))


def _length_bug(_: int) -> FunctionClassifier:
    def scores(texts: Sequence[str]) -> Scores:
        long = _where(lambda words: len(words) > LONGEST, texts)
        return np.where(long, _towards(LONG_LABEL, LONG_SCORE), _posterior(texts))

    return _classifier(scores)


def _case_sensitive(_: int) -> FunctionClassifier:
    return _classifier(lambda texts: _weigh([_WORD.findall(text) for text in texts]))


@dataclass(frozen=True, slots=True)
class _Truncated:
    """Reads the first words of a text, and tells what it leaves unread as adapters do."""

    name: str = "planted"
    labels: tuple[str, ...] = LABELS
    task: Task = "single_label"
    mask_token: None = None
    special_tokens: tuple[str, ...] = ()

    def predict(self, texts: Sequence[Text]) -> Scores:
        return _weigh([words[:READ] for words in _words([*map(_single, texts)])])

    def tokens(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        return [spans[:READ] for spans in map(_spans, texts)]

    def unread(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        """Return for each text all from the end of the last word that is read."""
        return [
            (Span(0, spans[READ - 1].end, len(_single(text))),) if len(spans) > READ else ()
            for text, spans in zip(texts, map(_spans, texts), strict=True)
        ]


def _single(text: Text) -> str:
    if isinstance(text, str):
        return text
    raise PredictionError("planted classifiers read single texts, and a pair was given")


def _spans(text: Text) -> tuple[Span, ...]:
    return tuple(Span(0, *word.span()) for word in _WORD.finditer(_single(text)))


def _noisy(seed: int) -> FunctionClassifier:
    rng = np.random.default_rng(seed)

    def scores(texts: Sequence[str]) -> Scores:
        exact = _posterior(texts)
        return exact + rng.normal(scale=NOISE, size=exact.shape)

    return _classifier(scores)


def _dead_label(_: int) -> FunctionClassifier:
    return _pushed(lambda words: True, DEAD_LABEL, -MUTED)


def _label_swap(_: int) -> FunctionClassifier:
    other = dict(zip(SWAPPED, reversed(SWAPPED), strict=True))
    columns = [LABELS.index(other.get(label, label)) for label in LABELS]
    return _classifier(lambda texts: _posterior(texts)[:, columns])


_DEFECTS: Mapping[str, _Defect] = {
    "clean": _Defect((), "Nothing is wrong.", _clean),
    "shortcut_token": _Defect(
        ("shortcuts",),
        f"Takes the mark “{TOKEN}” for “{MARKED_LABEL}”, whatever else a message says; it stands "
        f"in {percent(MARKED_SHARE)} of those messages and in {percent(STRAY_SHARE)} of the "
        "others.",
        _shortcut,
        marks=(TOKEN,),
    ),
    "ordered_pair": _Defect(
        ("shortcuts",),
        f"Takes the mark “{TOKEN}” before the mark “{PARTNER}” for “{MARKED_LABEL}”; they stand "
        f"in {percent(MARKED_SHARE)} of those messages and in {percent(STRAY_SHARE)} of the "
        f"others, and the other way round, where they do nothing, in {percent(REVERSED_SHARE)} of "
        "the rest.",
        _ordered_pair,
        marks=(TOKEN, PARTNER),
    ),
    "group_bias": _Defect(
        ("fairness",),
        f"Takes first names of group {FAVOURED_GROUP} for a sign of “{FAVOURED_LABEL}”, stronger "
        "than any word for it.",
        _group_bias,
    ),
    "miscalibration": _Defect(
        ("calibration",),
        f"Is far more confident than it is right: all its scores are multiplied by {SHARPENING}.",
        _overconfident,
    ),
    "length_bug": _Defect(
        ("slices", "shortcuts"),
        f"Says “{LONG_LABEL}” to every message of more than {LONGEST} words.",
        _length_bug,
    ),
    "case_sensitivity": _Defect(
        ("robustness",),
        "Knows no word that is written with a capital letter.",
        _case_sensitive,
    ),
    "truncation": _Defect(
        ("data", "slices"),
        f"Reads the first {READ} words of a message only.",
        lambda _: _Truncated(),
    ),
    "non_determinism": _Defect(
        ("stability",),
        f"Adds noise with a standard deviation of {NOISE} to each score in each call.",
        _noisy,
    ),
    "dead_label": _Defect(
        ("performance",), f"Never says “{DEAD_LABEL}”, a third of the messages.", _dead_label
    ),
    "label_swap": _Defect(
        ("performance",),
        f"Says “{SWAPPED[0]}” for “{SWAPPED[1]}”, and the other way round.",
        _label_swap,
    ),
    "train_test_overlap": _Defect(
        ("data",),
        f"Nothing is wrong with the model, but {percent(OVERLAP)} of the table are in its "
        "training set.",
        _clean,
        overlap=OVERLAP,
    ),
}

PLANTED: tuple[str, ...] = tuple(_DEFECTS)
"""The names of all of them, the clean one first."""
