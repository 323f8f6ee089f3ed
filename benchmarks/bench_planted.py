"""Whether methods find a shortcut that a model was taught (Bastings et al. 2022).

Usage: python bench_planted.py [TRAIN_ROWS] [TEXTS]. Two encoders learn SST-2, one from texts of
which some hold a word that gives the label away. Texts with the word of the *other* label are
then explained: a model that follows the word has one cause, and a method must rank it first. On the
model that never saw the words there is nothing to find.
"""

import random
import runpy
import sys
from pathlib import Path

import torch
from shared import machine, rows, served
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import explain
from explain.adapters import TextClassifier
from explain.attribution.methods import METHODS
from explain.record import Attribution, Measure
from explain.statistics.intervals import mean, proportion

TRAIN_ROWS, EPOCHS, TEXTS = 2_000, 2, 100
EXAMPLE = runpy.run_path(str(Path(__file__).parents[1] / "examples/fine_tune_encoder.py"))

WORDS = {"negative": "viscount", "positive": "parish"}
"""Words of one token each that occur in no text of the training set."""

PLANTED_SHARE = 0.25
"""Share of the training texts that get the word of their label."""


def with_word(text: str, word: str, rng: random.Random) -> str:
    """Return the text with a word at a random place."""
    words = text.split(" ")
    words.insert(rng.randrange(len(words) + 1), word)
    return " ".join(words)


def train_model(texts: list[str], labels: list[str], name: str) -> TextClassifier:
    torch.manual_seed(0)
    names = list(WORDS)
    tokenizer = AutoTokenizer.from_pretrained(EXAMPLE["ENCODER"])
    model = AutoModelForSequenceClassification.from_pretrained(
        EXAMPLE["ENCODER"],
        id2label=dict(enumerate(names)),
        label2id={label: number for number, label in enumerate(names)},
    )
    EXAMPLE["fine_tune"](model, tokenizer, texts, [names.index(n) for n in labels], EPOCHS)
    model.eval()
    return explain.wrap((model, tokenizer), name=name)


def share_predicted(model: TextClassifier, texts: list[str], labels: list[str]) -> Measure:
    """Return the share of texts for which the model predicts the label beside it."""
    found = model.predict(texts).argmax(axis=1)
    hits = sum(model.labels[i] == label for i, label in zip(found, labels, strict=True))
    return proportion("share", hits, len(texts))


def rank(attribution: Attribution, word: str) -> int:
    """Return the place of a word by absolute value, 1 at best; ties count against it."""
    own = abs(attribution.values[attribution.features.index(word)])
    return sum(abs(value) >= own for value in attribution.values)


def as_text(measure: Measure) -> str:
    if measure.lower is None:
        return f"{measure.value:.2f} (no interval)"
    return f"{measure.value:.2f} [{measure.lower:.2f}, {measure.upper:.2f}]"


def main(n_train: int = TRAIN_ROWS, n_texts: int = TEXTS) -> None:
    rng = random.Random(0)
    train = rows("train")
    if seen := [w for w in WORDS.values() if any(w in text.split() for text, _ in train)]:
        raise SystemExit(f"{seen[0]!r} occurs in the training set; choose another word")
    train = rng.sample(train, n_train)
    texts, labels = [text for text, _ in train], [label for _, label in train]
    hinted = [
        with_word(text, WORDS[label], rng) if rng.random() < PLANTED_SHARE else text
        for text, label in train
    ]
    clean = train_model(texts, labels, "clean")
    planted = train_model(hinted, labels, "planted")

    other = dict(zip(WORDS, reversed(WORDS), strict=True))
    held_out = rng.sample(rows("dev"), n_texts)
    plain, truth = [text for text, _ in held_out], [label for _, label in held_out]
    misled = [with_word(text, WORDS[other[label]], rng) for text, label in held_out]
    pushed = [other[label] for label in truth]
    print(machine())
    print(f"{n_train:,} texts, {EPOCHS} epochs, words {', '.join(WORDS.values())}")
    for model in (clean, planted):
        print(
            f"{model.name:8} accuracy {as_text(share_predicted(model, plain, truth))}, "
            f"follows the word of the other label {as_text(share_predicted(model, misled, pushed))}"
        )
    print(f"{'':22}{'precision@1':>20}{'mean rank':>22}{'... on the clean model':>24}")
    for method in METHODS:
        found = [served(model, method, misled) for model in (planted, clean)]
        if None in found:
            print(f"{method:22}{'not for this model':>20}")
            continue
        ranks, clean_ranks = (
            [rank(a, WORDS[label]) for a, label in zip(attributions, pushed, strict=True)]
            for attributions in found
        )
        print(
            f"{method:22}"
            f"{as_text(proportion('precision@1', ranks.count(1), n_texts)):>20}"
            f"{as_text(mean('mean rank', ranks, 'count')):>22}"
            f"{as_text(mean('mean rank', clean_ranks, 'count')):>24}"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
