"""Messages made from templates, and what is true of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import exp
from random import Random
from typing import Final

import numpy as np
import regex

from explain.adapters import Scores

__all__ = [
    "LABELS",
    "MARKED_LABEL",
    "MARKED_SHARE",
    "NAMES",
    "REVERSED_SHARE",
    "STRAY_SHARE",
    "WORD",
    "draw_message",
    "marked_texts",
    "posterior_of",
    "weigh",
    "words_of",
]

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

MARKED_LABEL = "returns"

MARKED_SHARE, STRAY_SHARE = 0.4, 0.02
"""Share of the messages of `MARKED_LABEL`, and of the others, that hold the shortcut."""

REVERSED_SHARE = 0.2
"""Share of the messages without the pair that hold its two words the other way round."""

WORD = regex.compile(r"\p{L}+")


@dataclass(frozen=True, slots=True)
class _Message:
    sentences: tuple[str, ...]
    label: str
    group: str

    def row(self) -> dict[str, str]:
        return {"text": " ".join(self.sentences), "label": self.label, "group": self.group}


def _probabilities(words: Mapping[str | None, str]) -> dict[str, tuple[float, ...]]:
    """Return the probability of each word under each label."""
    ratios = np.array(
        [
            [exp(STRENGTHS[label] * grade) if label == label_of_words else 1.0 for label in LABELS]
            for label_of_words, group in words.items()
            for _, grade in zip(group.split(), GRADES, strict=True)
        ]
    )
    all_words = " ".join(words.values()).split()
    return dict(zip(all_words, map(tuple, ratios / ratios.sum(axis=0)), strict=True))


_NOUNS, _VERBS = _probabilities(NOUNS), _probabilities(VERBS)

_COLUMNS = {word: number for number, word in enumerate(_NOUNS | _VERBS, start=1)}

_EVIDENCE = np.log([(1.0,) * len(LABELS), *_NOUNS.values(), *_VERBS.values()])
"""Log-probability of each word under each label, after a row of zeros for all other words."""

_WORD_DRAWS = [
    (tuple(words), np.cumsum([*words.values()], axis=0).T.tolist()) for words in (_NOUNS, _VERBS)
]

_GROUPS = {name: group for group, names in NAMES.items() for name in names.split()}

_FIRST_NAMES = tuple(_GROUPS)


def draw_message(rng: Random) -> _Message:
    """Draw one message."""
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
        rng.choices(words, cum_weights=cumulated[column])[0] for words, cumulated in _WORD_DRAWS
    )
    frame = rng.choice(FRAMES[length])
    return frame.format(noun=noun, Noun=noun.capitalize(), verb=verb, when=rng.choice(WHEN))


def marked_texts(message: _Message, marks: Sequence[str], rng: Random) -> _Message:
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


def words_of(texts: Sequence[str]) -> list[list[str]]:
    """Return the words of each text in small letters."""
    return [WORD.findall(text.lower()) for text in texts]


def weigh(words: Sequence[Sequence[str]]) -> Scores:
    """Return the log-probability of each label given some words of each text, up to a constant.

    By Bayes' rule it is the sum of the log-probabilities of the words, as labels are equally
    frequent. Words that no label makes more probable, and unknown ones, add nothing.
    """
    rows = [_COLUMNS.get(word, 0) for word in chain.from_iterable(words)]
    owners = np.repeat(np.arange(len(words)), [len(words_of_text) for words_of_text in words])
    scores = np.zeros((len(words), len(LABELS)))
    np.add.at(scores, owners, _EVIDENCE[rows])
    return scores


def posterior_of(texts: Sequence[str]) -> Scores:
    """Return the log-probabilities of the labels of texts, as they were drawn."""
    return weigh(words_of(texts))
