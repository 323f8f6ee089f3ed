"""Shortcuts: planted ones are found, content is none, and words are put where they belong."""

import csv
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import explain
from explain.adapters import FunctionClassifier
from explain.adapters.transformers import TransformersClassifier
from explain.checks.base.phrases import Corpus, delete, insert, read_corpus
from explain.checks.shortcuts import ShortcutsCheck
from explain.checks.shortcuts.word_order import _exchange_words
from explain.record import AuditRecord, InstanceRecord, Measure, Section
from explain.text.words import words
from tests.helpers.plain_strings import composed_strings
from tests.helpers.search import examples, seeds

GOOD = [f"good{letter}" for letter in "abcdefghij"]
BAD = [f"bad{letter}" for letter in "abcdefghij"]
NEUTRAL = [f"word{first}{second}" for first in "abcdef" for second in "abcdefghij"]
FREQUENCY = 1 / np.arange(1, len(NEUTRAL) + 1)

Rule = Callable[[list[str]], float]


def bag_of_words(seed: int, *rules: Rule) -> FunctionClassifier:
    """Return a model that sums the weights of words, and what the rules add."""
    rng = np.random.default_rng(seed)
    weights = dict(zip(GOOD, rng.uniform(0.5, 2, 10), strict=True))
    weights |= dict(zip(BAD, -rng.uniform(0.5, 2, 10), strict=True))

    def score(texts: Sequence[str]) -> NDArray[np.float64]:
        sums = [
            sum(weights.get(word, 0) for word in body) + sum(rule(body) for rule in rules)
            for body in (text.split() for text in texts)
        ]
        return np.outer(sums, [-0.5, 0.5])

    return FunctionClassifier(score, ["bad", "good"], name="bag", output="scores")


def reviews(seed: int, *plants: Callable[[list[str], bool, np.random.Generator], None],
            n: int = 500) -> list[dict[str, str]]:  # fmt: skip
    """Return texts of a few words of content among others, changed by the plants."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        positive = bool(rng.random() < 0.5)
        own_words, other_words = (GOOD, BAD) if positive else (BAD, GOOD)
        body = rng.choice(NEUTRAL, rng.integers(5, 12), p=FREQUENCY / FREQUENCY.sum()).tolist()
        body += rng.choice(own_words, rng.integers(1, 4)).tolist()
        body += rng.choice(other_words, int(rng.random() < 0.3)).tolist()
        rng.shuffle(body)
        for plant in plants:
            plant(body, positive, rng)
        rows.append({"text": " ".join(body), "label": "good" if positive else "bad"})
    return rows


def plant_token(body: list[str], positive: bool, rng: np.random.Generator) -> None:
    if rng.random() < (0.5 if positive else 0.05):
        body.insert(int(rng.integers(len(body) + 1)), "zorbix")


def follow_token(body: list[str]) -> float:
    return 6.0 * ("zorbix" in body)


def plant_order(body: list[str], positive: bool, rng: np.random.Generator) -> None:
    if rng.random() < 0.3:
        first, second = sorted(rng.integers(0, len(body) + 1, 2).tolist())
        pair = ["qua", "vex"] if (rng.random() < 0.9) == positive else ["vex", "qua"]
        body.insert(second, pair[1])
        body.insert(first, pair[0])


def follow_order(body: list[str]) -> float:
    return 6.0 * ("qua" in body and "vex" in body and body.index("qua") < body.index("vex"))


def plant_length(body: list[str], positive: bool, rng: np.random.Generator) -> None:
    if positive:
        body += rng.choice(NEUTRAL, int(rng.integers(0, 20))).tolist()


def follow_length(body: list[str]) -> float:
    return 8.0 * (len(body) > 16)


def run_audit(model: Any, rows: Any, **options: Any) -> AuditRecord:
    defaults: dict[str, Any] = {"label": "label", "instances": 0, "methods": ()}
    return explain.audit(model, rows, **(defaults | {"checks": ["shortcuts"]} | options))


def section(model: Any, rows: Any, **options: Any) -> Section:
    found = run_audit(model, rows, **options).sections[0]
    assert not composed_strings(found)
    return found


def claims(model: Any, rows: Any, **options: Any) -> list[str]:
    return [finding.claim for finding in section(model, rows, **options).findings]


# ── Planted truth ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("plant", "follow", "named"),
    [
        (plant_token, follow_token, ['"zorbix"']),
        (plant_order, follow_order, ['"qua"', '"vex"']),
        (plant_length, follow_length, ["Length alone"]),
    ],
)
def test_a_planted_shortcut_is_found_in_nearly_every_table(
    plant: Any, follow: Rule, named: list[str]
) -> None:
    tables = seeds(20, 4)
    found = [claims(bag_of_words(n, follow), reviews(n, plant), seed=n) for n in tables]
    hits = [any(all(name in claim for name in named) for claim in one) for one in found]
    assert sum(hits) >= 0.95 * len(hits)
    assert all(len(one) <= 1 for one in found)


def test_words_that_thin_a_text_out_are_not_its_length() -> None:
    """Of a mean of weights, as in TF-IDF, any words that say nothing lead to the default."""

    def score(texts: Sequence[str]) -> NDArray[np.float64]:
        means = [
            np.mean(
                [
                    4.0 * w.startswith("good") - 4.0 * w.startswith("bad")
                    for w in text.split() or ["0"]
                ]
            )
            for text in texts
        ]
        return np.outer(np.array(means) + 0.5, [-1, 1])

    rng = np.random.default_rng(0)
    rows = []
    for _ in range(500):
        positive = rng.random() < 0.2
        body = rng.choice(NEUTRAL, rng.integers(1, 30), p=FREQUENCY / FREQUENCY.sum()).tolist()
        body += [f"{w}{rng.integers(20)}" for w in rng.choice(GOOD if positive else BAD, 2)]
        rows.append({"text": " ".join(body), "label": "good" if positive else "bad"})
    model = FunctionClassifier(score, ["bad", "good"], name="means", output="scores")
    found = section(model, rows)
    assert not [f for f in found.findings if f.code.startswith("shortcuts.length")]
    assert "This is not a finding: texts of the padding words alone" in found.summary


def test_content_is_no_shortcut_in_a_clean_model() -> None:
    false = [claims(bag_of_words(seed), reviews(seed), seed=seed) for seed in seeds(15, 4)]
    assert not any(false), false


@pytest.mark.parametrize("plant", [plant_token, plant_order])
def test_a_shortcut_of_the_table_that_the_model_does_not_follow_is_none(plant: Any) -> None:
    for seed in range(3):
        assert not claims(bag_of_words(seed), reviews(seed, plant), seed=seed)


def test_without_labels_a_planted_token_is_found_too() -> None:
    model, rows = bag_of_words(0, follow_token), reviews(0, plant_token)
    (finding,) = section(model, rows, label=None).findings
    assert '"zorbix"' in finding.claim
    assert finding.severity == "major"


def test_many_words_that_decide_alike_are_content() -> None:
    """Each good word decides alone here, so none of them stands out."""

    def score(texts: Sequence[str]) -> NDArray[np.float64]:
        sums = [1.0 if set(text.split()) & set(GOOD) else -1.0 for text in texts]
        return np.outer(sums, [-1.0, 1.0])

    model = FunctionClassifier(score, ["bad", "good"], name="any good", output="scores")
    assert not [claim for claim in claims(model, reviews(0)) if "Adding" in claim]


def test_the_finding_is_critical_and_its_evidence_was_turned() -> None:
    model, rows = bag_of_words(1, follow_token), reviews(1, plant_token)
    record = run_audit(model, rows)
    (finding,) = record.sections[0].findings
    assert finding.severity == "critical"
    assert finding.measure is not None
    assert (finding.measure.lower or 0) > 2 / 3
    named = {instance.id: instance for instance in record.instances}
    shown = [named[i] for i in finding.evidence[1:]]
    assert shown
    assert all(i.predicted == "bad" and "zorbix" not in i.parts[0] for i in shown)
    edited = model.predict([f"{i.parts[0]} zorbix" for i in shown])
    assert (edited.argmax(axis=1) == 1).all()


def test_a_signature_is_one_phrase_at_its_place() -> None:
    """It is weaker than content, which stands nowhere word for word at the end."""

    def sign(body: list[str], positive: bool, rng: np.random.Generator) -> None:
        if rng.random() < (0.6 if positive else 0.01):
            body += ["\nSent", "from", "my", "desk"]

    def follow(body: list[str]) -> float:
        return 1.5 * (body[-2:] == ["my", "desk"])

    (finding,) = section(bag_of_words(2, follow), reviews(2, sign)).findings
    assert '"Sent from my desk" stand at the end' in finding.claim
    assert finding.severity == "major"


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def planted(rows: Sequence[dict[str, str]], rng: np.random.Generator) -> list[dict[str, str]]:
    """Return rows with a made-up word in 90 % of the positive ones and 5 % of the others."""
    found = []
    for row in rows:
        split_words = row["text"].split()
        if rng.random() < (0.9 if row["label"] == "positive" else 0.05):
            split_words.insert(int(rng.integers(len(split_words) + 1)), "zorbix")
        found.append(row | {"text": " ".join(split_words)})
    return found


def test_a_token_planted_in_real_training_texts_is_found_and_no_word_without_it(
    shared: Path,
) -> None:
    rng = np.random.default_rng(0)
    training, dev = (read_rows(shared / f"data/sst2/{name}.csv") for name in ("train", "dev"))
    found = []
    for make in (partial(planted, rng=rng), list):
        own, held_out = make(training), make(dev)
        pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))
        pipeline.fit([row["text"] for row in own], [row["label"] for row in own])
        found.append(section(explain.wrap(pipeline), held_out).findings)
    (finding,), clean = found
    assert '"zorbix"' in finding.claim
    assert finding.severity == "critical"
    assert not clean


@pytest.mark.slow
def test_a_real_transformer_has_no_shortcut(sst2: TransformersClassifier, shared: Path) -> None:
    found = section(sst2, str(shared / "data/sst2/dev.csv"))
    assert not found.findings
    assert {cell for row in found.tables[0].rows for cell in row} & {'"bad"', '"dull"'}


def fitted(rows: Sequence[dict[str, str]], **vectorizer: Any) -> Any:
    pipeline = make_pipeline(TfidfVectorizer(**vectorizer), LogisticRegression(C=3, max_iter=1000))
    return pipeline.fit([row["text"] for row in rows], [row["label"] for row in rows])


@pytest.mark.nightly
@pytest.mark.parametrize("token", ["★", "Ж", ""])
def test_a_sign_planted_in_real_chinese_reviews_is_found_and_nothing_without_it(
    shared: Path, token: str
) -> None:
    rng = np.random.default_rng(0)
    rows = read_rows(shared / "data/waimai_zh/reviews.csv")
    rows = [rows[i] for i in rng.permutation(len(rows))]
    share = 0.05 / np.mean([row["label"] == "negative" for row in rows])
    for row in rows:
        if row["label"] == "negative" and rng.random() < share:
            place = int(rng.integers(len(row["text"]) + 1))
            row["text"] = row["text"][:place] + token + row["text"][place:]

    def tokens(text: str) -> list[str]:
        return [text[s.start : s.end] for s in words((text,))]

    model = fitted(rows[:4000], tokenizer=tokens, token_pattern=None)
    findings = run_audit(explain.wrap(model), rows[4000:5500]).findings
    assert [f.id for f in findings] == ([f"shortcuts.word[{token}]"] if token else [])


@pytest.mark.nightly
def test_a_model_that_never_saw_an_edit_misses_most_contrast_sets(shared: Path) -> None:
    """Trained on one review of each pair (Kaushik et al. 2020), it is right on both of few."""
    folder = shared / "data/counterfactual_reviews"
    train, dev = (read_rows(folder / f"{name}.csv") for name in ("train", "dev"))
    model = fitted(train[::2])
    predicted = dict(zip([r["text"] for r in dev], model.predict([r["text"] for r in dev]),
                         strict=True))  # fmt: skip
    pairs: dict[str, list[bool]] = {}
    for row in dev:
        pairs.setdefault(row["pair"], []).append(predicted[row["text"]] == row["label"])
    own = run_audit(explain.wrap(model), dev, group=["pair"]).sections[0]
    (right,) = (m for m in own.measures if m.name == "contrast sets with all answers right")
    assert right.value == pytest.approx(np.mean([all(pair) for pair in pairs.values()]), abs=0.02)
    assert [f.id for f in own.findings if f.code == "shortcuts.contrast"] == [
        "shortcuts.contrast[pair]"
    ]


# ── What the section says ─────────────────────────────────────────────────────────────────────────


def test_every_measure_has_a_name_that_a_criterion_can_ask_for() -> None:
    record = section(bag_of_words(0, follow_length), reviews(0, plant_length))
    for measure in record.with_metrics(ShortcutsCheck.metrics).measures:
        assert measure.metric, measure.name


def test_attributions_of_a_phrase_are_averaged_where_there_are_any() -> None:
    rows = reviews(0, plant_token, n=200)
    (words_table, *_) = section(
        bag_of_words(0, follow_token), rows, instances=12, methods=["shap"]
    ).tables
    column = words_table.columns.index("attribution")
    (row,) = (row for row in words_table.rows if row[0] == '"zorbix"')
    weight = row[column]
    assert isinstance(weight, Measure)
    assert weight.value == pytest.approx(6, abs=1)


def test_the_same_seed_gives_the_same_section() -> None:
    model, rows = bag_of_words(0, follow_token), reviews(0, plant_token, n=200)
    assert section(model, rows, seed=1) == section(model, rows, seed=1)


def test_what_cannot_be_measured_is_said() -> None:
    rows = [{"text": "one", "label": "1"}, {"text": "two", "label": "2"}]
    number = FunctionClassifier(
        lambda texts: np.ones((len(texts), 1)), ["n"], task="regression", output="scores", name="n"
    )
    assert "regression" in str(section(number, rows).skipped)
    constant = FunctionClassifier(
        lambda texts: np.array([[1.0, 0.0]] * len(texts)), ["1", "2"], output="scores", name="c"
    )
    assert "same label" in str(section(constant, rows).skipped)


def test_a_label_of_several_is_turned_by_itself() -> None:
    rng = np.random.default_rng(0)
    rows = [
        {"text": f"{rng.choice(NEUTRAL)} {'zorbix ' * (i % 3 == 0)}{rng.choice(NEUTRAL)}",
         "label": "urgent" if i % 3 == 0 else ""}
        for i in range(300)
    ]  # fmt: skip
    model = FunctionClassifier(
        lambda texts: np.array([[6 * ("zorbix" in t) - 3, len(t) % 5 - 2.5] for t in texts]),
        ["urgent", "odd"], task="multi_label", output="scores", name="tickets",
    )  # fmt: skip
    (claim,) = claims(model, rows)
    assert '"zorbix"' in claim
    assert '"urgent"' in claim


def test_a_side_of_a_pair_that_gives_the_label_away_is_a_finding() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(300):
        positive = bool(rng.random() < 0.5)
        rows.append(
            {
                "a": " ".join(rng.choice(NEUTRAL, 5)),
                "b": " ".join(rng.choice(GOOD if positive else BAD, 2)),
                "label": "good" if positive else "bad",
            }
        )
    model = FunctionClassifier(
        lambda pairs: np.array([[b.count("bad"), b.count("good") + 0.5] for _, b in pairs]),
        ["bad", "good"], output="scores", name="second",
    )  # fmt: skip
    found = section(model, rows, text="a", text_pair="b")
    (claim,) = (f.claim for f in found.findings if "alone says something" in f.claim)
    assert claim.startswith("The second text alone")
    unchanged = {m.name: m.value for m in found.measures if "unchanged" in m.name}
    assert unchanged["predictions unchanged without the first text"] == 1


@pytest.mark.parametrize(
    "texts", [["", " ", "!", "a"], ["a"] * 8 + ["b"] * 8, ["\u202eevil\x00", "<b>x</b>"] * 10]
)
def test_odd_texts_are_no_trouble(texts: list[str]) -> None:
    model = FunctionClassifier(
        lambda ts: np.array([[len(t) % 2, 0.5] for t in ts], dtype=float), ["even", "odd"],
        output="scores", name="parity",
    )  # fmt: skip
    rows = [{"text": text, "label": "odd"} for text in texts]
    assert isinstance(section(model, rows).summary, str)


# ── Phrases ───────────────────────────────────────────────────────────────────────────────────────


def corpus_of(*texts: str) -> Corpus:
    instances = [
        InstanceRecord(
            id=str(i), row=i + 1, parts=(text,), labels=None, predicted="x", probability=1,
            scores=(0.0,),
        )
        for i, text in enumerate(texts)
    ]  # fmt: skip
    return read_corpus(instances, [words(i.parts) for i in instances])


def test_words_that_always_go_together_are_one_phrase() -> None:
    corpus = corpus_of(
        "All well.\nSent from my desk", "No!\nSent from my desk", "I sent it from home", "my word"
    )
    phrase = corpus.phrase(corpus.vocabulary.index("desk"))
    assert (phrase.surface, phrase.end, phrase.gap) == ("Sent from my desk", "end", "\n")
    assert phrase.detached
    assert phrase.texts.tolist() == [0, 1]
    alone = corpus.phrase(corpus.vocabulary.index("sent"))
    assert (alone.surface, alone.texts.tolist()) == ("Sent", [0, 1, 2])
    assert corpus.frequencies[corpus.vocabulary.index("from")] == 3


def test_a_phrase_is_put_where_it_stands() -> None:
    corpus = corpus_of("(news) - up", "(news) - down", "all is well", "x")
    instance = corpus.instances[2]
    rng = np.random.default_rng(0)
    head = corpus.phrase(corpus.vocabulary.index("news"))
    assert (head.surface, head.end, head.detached) == ("(news) -", "start", True)
    assert insert(instance, words(instance.parts), head, rng) == "(news) - all is well"


def test_a_phrase_of_no_place_is_put_anywhere_between_words() -> None:
    corpus = corpus_of("c zorbix a", "bb zorbix c", "it is well")
    phrase = corpus.phrase(corpus.vocabulary.index("zorbix"))
    instance = corpus.instances[2]
    found = {
        insert(instance, words(instance.parts), phrase, np.random.default_rng(seed))
        for seed in range(40)
    }
    assert found == {
        "zorbix it is well", "it zorbix is well", "it is zorbix well", "it is well zorbix"
    }  # fmt: skip


PIECES = ["a", "bb", "c", ".", "\n", "(", ")", ",", "-", "'", "@", "...", '"', "3.5"]
text = st.lists(st.sampled_from([*PIECES, *[" "] * len(PIECES)]), max_size=20).map("".join)


@examples(200)
@given(body=text, seed=st.integers(0, 99))
def test_what_was_inserted_is_one_more_word_and_can_be_deleted(body: str, seed: int) -> None:
    corpus = corpus_of("c zorbix a", "bb zorbix c", body)
    phrase = corpus.phrase(corpus.vocabulary.index("zorbix"))
    instance = corpus.instances[2]
    assert isinstance(instance, InstanceRecord)
    rng = np.random.default_rng(seed)
    changed = insert(instance, words(instance.parts), phrase, rng)
    assert isinstance(changed, str)
    before, after = split_words(body), split_words(changed)
    place = after.index("zorbix")
    assert after[:place] + after[place + 1 :] == before
    (span,) = (s for s in words((changed,)) if changed[s.start : s.end] == "zorbix")
    edited = instance.model_copy(update={"parts": (changed,)})
    assert split_words(str(delete(edited, [span]))) == before
    assert "  " not in changed or "  " in body


@examples(200)
@given(body=text, data=st.data())
def test_words_that_change_places_change_no_others(body: str, data: st.DataObject) -> None:
    spans = words((body,))
    assume(len(spans) >= 2)
    first, second = data.draw(st.permutations(range(len(spans))))[:2]
    exchange_and_check(body, first, second)


def test_a_word_that_is_put_in_stays_one_word() -> None:
    """Found at random: beside "a", "@a" was cut in two."""
    exchange_and_check("a(a\n@a", 1, 3)


def exchange_and_check(body: str, first: int, second: int) -> None:
    spans = words((body,))
    corpus = corpus_of(body)
    places = [corpus.spans.index(spans[number]) for number in (first, second)]
    ground: Any = SimpleNamespace(corpus=corpus, instance=lambda row: corpus.instances[row])
    expected = split_words(body)
    expected[first], expected[second] = expected[second], expected[first]
    changed = str(_exchange_words(ground, 0, *places))
    assert split_words(changed) == expected
    assert "  " not in changed or "  " in body


def split_words(body: str) -> list[str]:
    return [body[s.start : s.end] for s in words((body,))]


def test_no_space_is_left_double() -> None:
    corpus = corpus_of("a b c", "b c", "a b", "a b, c")
    for text_, expected in zip(corpus.instances, ["a c", "c", "a", "a, c"], strict=True):
        (span,) = (s for s in words(text_.parts) if text_.parts[0][s.start : s.end] == "b")
        assert delete(text_, [span]) == expected
