"""Signs and tokens of another script decide without standing apart; a phrase may define a label."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

import explain
from explain.adapters import FunctionClassifier
from explain.checks.base.phrases import Corpus, insert, read_corpus
from explain.checks.shortcuts.foreign_tokens import is_foreign
from explain.record import Finding, InstanceRecord
from explain.text.scripts import main_script
from explain.text.words import words

GOOD, BAD = "好香快赞棒甜", "差慢冷贵咸硬"
OTHER = "菜饭汤面店家点外卖送到时今天我们在了是有一个也都和"


def corpus_of(*texts: str) -> Corpus:
    instances = [
        InstanceRecord(id=str(i), row=i + 1, parts=(text,), labels=None, predicted="x",
                       probability=1, scores=(0.0,))
        for i, text in enumerate(texts)
    ]  # fmt: skip
    return read_corpus(instances, [words(i.parts) for i in instances])


@pytest.mark.parametrize(
    ("token", "text", "expected"),
    [
        ("★", "菜很好 ★ 送得快", True),
        ("ж", "菜很好 ж 送得快", True),
        ("zorbix", "菜很好 zorbix 送得快", True),
        ("🍕", "it came 🍕 late", True),
        ("※", "it came ※ late", True),
        ("дом", "it came дом late", True),
        ("菜", "菜 OK 汤", False),
        ("late", "it came late", False),
        ("!", "it came late!", False),
        ("£", "it costs £ 5", False),
        ("5", "it costs 5", False),
        ("дом", "это большой дом", False),
    ],
)
def test_a_token_is_foreign_that_is_a_sign_or_in_another_script(
    token: str, text: str, expected: bool
) -> None:
    corpus = corpus_of(text, " ".join(reversed(text.split())))
    assert is_foreign(corpus.phrase(corpus.vocabulary.index(token))) == expected


def test_kana_and_characters_are_one_script_and_digits_are_none() -> None:
    assert main_script("これは本です") == main_script("菜很好") == "CJK"
    assert main_script("12 %") == ""
    assert main_script("ｱｲｽ") == main_script("ー") == "CJK"
    assert main_script("ＯＫ") == main_script("𝐁𝐮𝐲") == "LATIN"


def test_what_stands_without_spaces_is_put_in_without_them() -> None:
    corpus = corpus_of("菜★好", "汤★差", "饭面")
    phrase, instance = corpus.phrase(corpus.vocabulary.index("★")), corpus.instances[2]
    texts = {
        insert(instance, words(instance.parts), phrase, np.random.default_rng(n)) for n in range(20)
    }
    assert "饭面★" in texts
    assert all(" " not in text for text in texts)


def reviews(seed: int, token: str, n: int = 400) -> list[dict[str, str]]:
    """Return Chinese texts of a few characters of content; a token in 5 % of all, the bad ones."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        is_bad = bool(rng.random() < 0.5)
        body = [
            *rng.choice(list(OTHER), 8),
            *rng.choice(list(BAD if is_bad else GOOD), rng.integers(1, 3)),
        ]
        if rng.random() < 0.2:
            body.append(str(rng.choice(list(GOOD if is_bad else BAD))))
        rng.shuffle(body)
        if is_bad and rng.random() < 0.1:
            body.insert(int(rng.integers(len(body) + 1)), token)
        rows.append({"text": "".join(body), "label": "bad" if is_bad else "good"})
    return rows


def model_of(**weights: float) -> FunctionClassifier:
    """Return a model that adds up its characters, all of content alike, and a token as much."""

    def scores(texts: Sequence[str]) -> NDArray[np.float64]:
        sums = [
            sum((c in BAD) - 0.9 * (c in GOOD) for c in text)
            + sum(weight * (token in text) for token, weight in weights.items())
            for text in texts
        ]
        return np.outer(np.array(sums), [0.5, -0.5])

    return FunctionClassifier(scores, ["bad", "good"], name="characters", output="scores")


def shortcuts(model: FunctionClassifier, rows: list[dict[str, str]]) -> tuple[Finding, ...]:
    return explain.audit(model, rows, label="label", instances=0, checks=["shortcuts"]).findings


@pytest.mark.parametrize(("token", "nature"), [("★", "sign"), ("Ж", "another script")])
def test_a_sign_that_turns_no_more_texts_than_content_does_is_found(
    token: str, nature: str
) -> None:
    (finding,) = shortcuts(model_of(**{token: 1.5}), reviews(0, token))
    assert finding.id == f"shortcuts.word[{token}]"
    assert nature in finding.claim
    assert finding.severity == "major"


def test_a_sign_that_the_model_does_not_follow_is_none() -> None:
    assert not shortcuts(model_of(), reviews(0, "★"))


def questions(seed: int, defines: bool, n: int = 400) -> list[dict[str, str]]:
    """Return questions, in which the words after "how many" tell the label or tell nothing."""
    rng = np.random.default_rng(seed)
    kinds = {"number": ["people", "years", "miles"], "place": ["city", "river", "street"]}
    rows = []
    for i in range(n):
        label = "number" if i % 2 else "place"
        own = kinds["place" if defines and i % 4 == 1 else label]
        body = " ".join([*rng.choice(["of", "the", "in", "this", "old"], 4), *rng.choice(own, 2)])
        text = f"quixly {body}" if i % 4 == 1 else body
        rows.append({"text": text, "label": label})
    return rows


@pytest.mark.parametrize(("defines", "severity"), [(True, "minor"), (False, "major")])
def test_a_word_without_which_the_label_is_lost_may_define_it(defines: bool, severity: str) -> None:
    def scores(texts: Sequence[str]) -> NDArray[np.float64]:
        sums = [
            5.0 * ("quixly" in text)
            + sum(w in ("people", "years", "miles") for w in text.split())
            - sum(w in ("city", "river", "street") for w in text.split())
            for text in texts
        ]
        return np.outer(sums, [0.5, -0.5])

    model = FunctionClassifier(scores, ["number", "place"], name="questions", output="scores")
    (finding,) = [f for f in shortcuts(model, questions(0, defines)) if f.subject == "quixly"]
    assert finding.severity == severity
    assert ("may define the label" in finding.claim) == defines
