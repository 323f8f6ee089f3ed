"""Which words a planted rule is about, and in which texts they are put."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import regex

from explain.adapters import TextClassifier, TokenizedClassifier
from explain.attribution import AttributionSettings
from explain.attribution.methods.base import overlap
from explain.engine import Engine
from explain.engine.games import make_target, target_values
from explain.errors import CapabilityError, DataError
from explain.evaluation.planted_rules import places_of, scores_of
from explain.evaluation.sample_passages import WORDS_READ
from explain.text.editing import insert_word
from explain.text.spans import Segmentation, Span, Text, parts_of, text_of
from explain.text.words import words

__all__ = ["candidates", "choose_words", "label_and_bonus", "short_texts", "with_words"]

LONGEST = 10
"""Words of a text of the control; longer ones are cut, so that it stays cheap."""

SHORTEST = 3

TEXTS_SAMPLED = 200
"""Texts of the table that texts and words are drawn from."""

MOST_TRIED = 200

CANDIDATES = 24

PROBES = 4
"""Words that are looked at, that are scores_of, and texts that each is scores_of in."""

NEUTRAL = (
    "cello", "walnut", "zebra", "granite", "harbor", "pencil", "mosaic", "lantern", "copper",
    "violin", "meadow", "ladder", "pepper", "saddle", "turtle", "velvet", "marble", "basket",
    "canoe", "ribbon", "tunnel", "window", "garden", "island",
)  # fmt: skip
"""Tried where the table offers no rare word."""

_WORD = regex.compile(r"\p{L}{3,}")


def short_texts(texts: Sequence[Text], rng: np.random.Generator) -> list[Text]:
    """Return texts of the table in random order, each once and cut to few words."""
    order = rng.permutation(len(texts))[:TEXTS_SAMPLED]
    cut = dict.fromkeys(_cut(texts[i]) for i in order)
    usable = [text for text in cut if list(_gaps(text))]
    if not usable:
        raise DataError(
            f"none of {len(texts)} texts has {SHORTEST} words or more to plant a rule between; "
            "pass longer texts"
        )
    return usable


def _cut(text: Text) -> Text:
    """Return the first words of each part, of what is read of it."""
    parts = parts_of(text)
    most = LONGEST // len(parts)
    return text_of([_first_words(part, most) for part in parts])


def _first_words(part: str, most: int) -> str:
    beginning = part[:WORDS_READ]
    spans = words([beginning])
    if len(part) > WORDS_READ:  # the last word may be cut
        spans = spans[:-1]
    return beginning[spans[0].start : spans[:most][-1].end] if spans else beginning


def _gaps(text: Text) -> Iterator[Span]:
    """Yield the beginnings of words, but the first, after a space where there are such."""
    for number, part in enumerate(parts_of(text)):
        spans = words([part])
        if len(spans) >= SHORTEST:
            starts = [span.start for span in spans[1:]]
            spaced = [start for start in starts if part[start - 1] == " "]
            yield from (Span(number, start, start) for start in spaced or starts)


def with_words(text: Text, planted: Sequence[str], rng: np.random.Generator) -> Text:
    """Return the text with words between its own, at random places of one part, in that order."""
    gaps = list(_gaps(text))
    part = gaps[rng.integers(len(gaps))].part
    own = [gap.start for gap in gaps if gap.part == part]
    parts = list(parts_of(text))
    body = parts[part]
    places = sorted((own[i] for i in rng.integers(len(own), size=len(planted))), reverse=True)
    for start, word in zip(places, reversed(planted), strict=True):
        body = insert_word(body, start, word)
    parts[part] = body
    return text_of(parts)


def label_and_bonus(
    engine: Engine, texts: Sequence[Text], setting: AttributionSettings
) -> tuple[int, float]:
    """Return the column with the lowest mean score, and twice the range of its value."""
    games = []
    for text in texts:
        segmentation = Segmentation(parts_of(text), words(parts_of(text)))
        games += [text, setting.masker(segmentation, np.zeros(len(segmentation), dtype=bool))]
    scores = scores_of(engine, games)
    label = int(scores[::2].mean(axis=0).argmin())
    values = target_values(scores, make_target(engine.classifier, scores[0], label))
    return label, 2 * float(np.ptp(values)) or 1.0


def choose_words(
    engine: Engine,
    texts: Sequence[Text],
    candidates: Sequence[str],
    label: int,
    rng: np.random.Generator,
) -> tuple[str, str]:
    """Return the two candidates, each one token if possible, that move the scores least.

    Raises
    ------
    DataError
        If there are no two.
    """
    probes = texts[:PROBES]
    target = make_target(engine.classifier, np.zeros(len(engine.classifier.labels)), label)
    before = target_values(scores_of(engine, probes), target)
    moved: dict[str, float] = {}
    for is_fit in (_is_one_token, _is_feature):
        for word in candidates[:MOST_TRIED]:
            planted = [with_words(text, [word], rng) for text in probes]
            if len(moved) < CANDIDATES and is_fit(engine.classifier, word, planted):
                after = target_values(scores_of(engine, planted), target)
                moved[word] = float(np.abs(after - before).mean())
        if len(moved) >= 2:
            break
    if len(moved) < 2:
        raise DataError(
            f"{engine.classifier.name} is given texts between whose words no two others can be "
            "put, so no rule can be planted; pass other texts"
        )
    first, second = sorted(moved, key=lambda word: (moved[word], word))[:2]
    return first, second


def candidates(texts: Sequence[Text], rest: Sequence[Text]) -> list[str]:
    """Return words that the chosen texts lack: of the rest, the rarest first, and everyday ones."""
    taken = "\n".join(part for text in texts for part in parts_of(text)).casefold()
    counts: Counter[str] = Counter()
    for text in rest:
        counts.update({word for part in parts_of(text) for word in _WORD.findall(part)})
    rare = sorted(counts, key=lambda word: (counts[word], word))
    return [
        word
        for word in dict.fromkeys([*rare, *NEUTRAL])
        if word == word.lower() and word not in taken
    ]


def _is_one_token(model: TextClassifier, word: str, texts: Sequence[Text]) -> bool:
    """Tell whether a word is one feature of each text, and one token where tokens are known.

    Pipelines over n-grams have no tokens that stand in the text.
    """
    if not _is_feature(model, word, texts):
        return False
    if not isinstance(model, TokenizedClassifier):
        return True
    try:
        read = model.tokens(texts)
    except CapabilityError:
        return True
    return all(
        sum(overlap(token, place) > 0 for token in tokens for place in places_of(word, text)) == 1
        for text, tokens in zip(texts, read, strict=True)
    )


def _is_feature(_: TextClassifier, word: str, texts: Sequence[Text]) -> bool:
    """Tell whether a word is one feature of each text."""
    return all(set(places_of(word, text)) <= set(words(parts_of(text))) for text in texts)
