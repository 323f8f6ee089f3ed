"""A control with known values: right methods pass, and each seeded bug is caught."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import explain
from explain.adapters import TextClassifier
from explain.attribution.methods import Estimate, Explainer, Lime, Occlusion, Shap, make_explainer
from explain.attribution.methods.base import PerturbationExplainer, all_coalitions, empty_and_full
from explain.engine import Engine
from explain.engine.games import Coalition, Masker, Plan, Values
from explain.errors import DataError
from explain.evaluation.flags import Answer
from explain.evaluation.known_value_results import known_values_results
from explain.evaluation.known_values import KnownValues, known_values
from explain.evaluation.unanimity import limit_of, truth, unanimity_games
from explain.text.spans import Segmentation, Text, parts_of, text_of
from tests.helpers import strategies
from tests.helpers.demo import DEMO
from tests.helpers.plans import Game, run_plan, table_game
from tests.helpers.search import examples
from tests.helpers.tiny import ARCHITECTURES

BROKEN_ERRORS = "halved errors"


@dataclass(frozen=True, slots=True)
class Deleting:
    """Deletes features; glues what stands around them where it takes a space along."""

    glues: bool
    name: str = "deleting"

    def __call__(self, segmentation: Segmentation, kept: Coalition) -> Text:
        """Return the text without the removed features."""
        parts = [[*part] for part in segmentation.parts]
        for span, keep in zip(segmentation.spans, kept.tolist(), strict=True):
            if keep:
                continue
            part = parts[span.part]
            part[span.start : span.end] = ["" if self.glues else " "] * (span.end - span.start)
            for beside in (span.start - 1, span.end):
                if self.glues and 0 <= beside < len(part) and part[beside] == " ":
                    part[beside] = ""
                    break
        return text_of(["".join(part) for part in parts])


RIGHT, GLUING = Deleting(glues=False), Deleting(glues=True)


def flip_one(estimate: Estimate) -> Estimate:
    """Return the estimate with the sign of its largest value turned."""
    values = estimate.values.copy()
    values[np.abs(values).argmax()] *= -1
    return replace(estimate, values=values)


BUGS: dict[str, Callable[[Estimate], Estimate]] = {
    "one sign": flip_one,
    "all signs": lambda e: replace(e, values=-e.values),
    "next feature": lambda e: replace(e, values=np.roll(e.values, 1)),
    "twice the unit": lambda e: replace(e, values=2 * e.values),
    BROKEN_ERRORS: lambda e: replace(
        e, standard_errors=None if e.standard_errors is None else e.standard_errors / 2
    ),
}


ESTIMATES: dict[tuple[object, ...], Estimate] = {}
"""What methods said of games before a bug was put in: all bugs of a seed share it."""


def with_bug(
    base: type[Shap | Lime], bug: str | None, n_features: int, rng: np.random.Generator
) -> Plan[Estimate]:
    observed = yield empty_and_full(n_features)
    game = (base, n_features, str(rng.bit_generator.state), observed.values.tobytes())
    if game not in ESTIMATES:
        ESTIMATES[game] = yield from base().plan(n_features, rng)
    return ESTIMATES[game] if bug is None else BUGS[bug](ESTIMATES[game])


@dataclass(frozen=True)
class BrokenShap(Shap):
    """Shapley values with a bug."""

    bug: ClassVar[str | None]

    def plan(self, n_features: int, rng: np.random.Generator) -> Plan[Estimate]:
        return (yield from with_bug(Shap, self.bug, n_features, rng))


@dataclass(frozen=True)
class BrokenLime(Lime):
    """The coefficients of LIME with a bug."""

    bug: ClassVar[str | None]

    def plan(self, n_features: int, rng: np.random.Generator) -> Plan[Estimate]:
        return (yield from with_bug(Lime, self.bug, n_features, rng))


def broken(method: str, bug: str | None) -> Explainer:
    base = {"shap": BrokenShap, "lime": BrokenLime}[method]
    found: Explainer = type("Broken", (base,), {"bug": bug})()
    return found


@pytest.fixture(scope="module")
def prose(shared: Path) -> list[Text]:
    """Return reviews as people write them."""
    path = shared / "data/counterfactual_reviews/dev.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return [row["text"].replace("<br />", " ") for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def bag(shared: Path) -> TextClassifier:
    """Return a bag of words, fitted on reviews."""
    path = shared / "data/counterfactual_reviews/train.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    pipeline = make_pipeline(CountVectorizer(), LogisticRegression(max_iter=1000))
    return explain.wrap(pipeline.fit([r["text"] for r in rows], [r["label"] for r in rows]))


def answers(found: KnownValues) -> list[Answer]:
    return [r.flag.answer for r in known_values_results(found) if r.flag is not None]


def measured(
    model: TextClassifier,
    texts: list[Text],
    explainer: Explainer,
    seed: int,
    masker: Masker = RIGHT,
) -> KnownValues:
    (found,) = known_values(Engine(model), texts, [explainer], masker=masker, seed=seed)
    return found


def by_orders(v: Game, n: int) -> list[float]:
    """Return what each feature adds, averaged over all orders."""
    total = [0.0] * n
    orders = [*permutations(range(n))]
    for order in orders:
        kept = np.zeros((1, n), dtype=bool)
        for feature in order:
            before = v(kept)[0]
            kept[0, feature] = True
            total[feature] += float(v(kept)[0] - before) / len(orders)
    return total


@examples(20)
@given(values=strategies.games(3, 5))
def test_the_truth_is_that_of_the_definitions(values: Values) -> None:
    n = len(values).bit_length() - 1
    v, games = table_game(values), unanimity_games(values, n)
    scale = max(1.0, float(np.abs(values).max()))
    kept = all_coalitions(n)
    rebuilt = sum(pay * kept[:, [*members]].all(axis=1) for members, pay in games)
    np.testing.assert_allclose(rebuilt, values - values[0], atol=1e-9 * scale)
    lime = make_explainer("lime")
    assert isinstance(lime, PerturbationExplainer)
    for method, expected in (
        ("shap", by_orders(v, n)),
        ("occlusion", (values[-1] - v(~np.eye(n, dtype=bool))).tolist()),
        ("lime", run_plan(lime.plan(n, np.random.default_rng(0)), v).values),
    ):
        found = truth(games, n, limit_of(make_explainer(method), n))
        np.testing.assert_allclose(found, expected, atol=1e-6 * scale, err_msg=method)


@pytest.mark.parametrize("method", ["shap", "lime", "occlusion"])
def test_right_methods_pass_on_prose(bag: TextClassifier, prose: list[Text], method: str) -> None:
    found = measured(bag, prose, make_explainer(method), seed=0)
    assert answers(found) == ["passed", "passed"]
    assert found.planted_alone is not None
    assert found.on_top is not None
    assert (len(found.planted_alone.right), len(found.on_top.right)) == (80, 3)


@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.parametrize("method", ["shap", "lime"])
def test_a_seeded_bug_is_flagged(
    bag: TextClassifier, prose: list[Text], method: str, bug: str
) -> None:
    right, intervals = answers(measured(bag, prose, broken(method, bug), seed=0))
    assert (intervals if bug == BROKEN_ERRORS else right) == "flagged"


@pytest.mark.parametrize(
    "explainer", [Shap(budget=128), Lime(budget=128), Occlusion()], ids=lambda each: each.name
)
def test_gluing_words_is_flagged(
    bag: TextClassifier, prose: list[Text], explainer: Explainer
) -> None:
    found = measured(bag, prose, explainer, seed=0, masker=GLUING)
    assert answers(found)[0] == "flagged"


@pytest.mark.nightly
@pytest.mark.parametrize("method", ["shap", "lime"])
@pytest.mark.parametrize("bug", [None, "gluing", *BUGS])
def test_in_19_of_20_seeds(
    bag: TextClassifier, prose: list[Text], method: str, bug: str | None
) -> None:
    # Where words are glued other coalitions have other values, which the estimates would not share.
    explainer = make_explainer(method) if bug == "gluing" else broken(method, bug)
    masker = GLUING if bug == "gluing" else RIGHT
    found = [measured(bag, prose, explainer, seed, masker) for seed in range(20)]
    flagged = sum("flagged" in answers(one) for one in found)
    assert flagged <= 1 if bug is None else flagged >= 19


@pytest.mark.parametrize("name", ["BERT", "GPT-2, padded left", "BART"])
@pytest.mark.parametrize("method", ["integrated_gradients", "gradient_x_input", "gradient_l2"])
def test_gradients_of_a_known_function_are_right(name: str, method: str) -> None:
    (model,) = [a.classifier() for a in ARCHITECTURES if a.name == name]
    texts: list[Text] = ["a good film , really good", "the payment failed", "a bad film"]
    (found,) = known_values(Engine(model), texts, [make_explainer(method)])
    assert found.reason is None
    assert found.planted_alone is not None
    assert found.planted_alone.right.all()
    assert found.planted_alone.errors.max() < 1e-3
    assert found.on_top is None


def test_what_has_no_closed_form_is_said() -> None:
    model = explain.load(DEMO / "model")
    texts: list[Text] = ["please download what I changed"]
    methods = ["random", "deep_lift", "linear"]
    for found in known_values(Engine(model), texts, [*map(make_explainer, methods)]):
        assert found.parts == ()
        assert found.reason is not None
        assert answers(found) == ["not measured"]


def test_what_the_model_scores_is_counted_and_shared(
    bag: TextClassifier, prose: list[Text]
) -> None:
    engine = Engine(bag)
    known_values(engine, prose, [make_explainer("occlusion")], masker=RIGHT)
    once = engine.evaluations
    assert 2 * 512 < once <= 3 * 512
    known_values(engine, prose, [Shap(budget=64), Lime(budget=64)], masker=RIGHT)
    assert engine.evaluations == once


def test_pairs_long_texts_and_marks() -> None:
    def lengths(texts: Sequence[Text]) -> list[list[float]]:
        return [[float(sum(map(len, parts_of(text))))] for text in texts]

    model = explain.wrap(lengths, labels=["x"], task="regression", output="scores")
    tables: list[list[Text]] = [
        [("A man sleeps here, alone.", "He rests."), ("Two dogs run.", "Animals are asleep.")],
        ["word " * 100_000 + "end"],
        ["Фильм — «хороший», да?", "Не знаю... (может быть)"],
    ]
    for texts in tables:
        (found,) = known_values(Engine(model), texts, [make_explainer("occlusion")], masker=RIGHT)
        assert found.reason is None, found.reason
        assert all(part.right.all() and part.is_covered.all() for part in found.parts)


def test_words_that_depend_on_their_neighbours_are_left_out() -> None:
    texts: list[Text] = ["我喜歡這部電影，非常好看。", "這部電影不好看，我不喜歡。"]
    model = explain.wrap(
        lambda texts: [[0.0]] * len(texts), labels=["x"], task="regression", output="scores"
    )
    try:
        found = known_values(Engine(model), texts, [make_explainer("occlusion")], masker=RIGHT)
    except DataError:
        return
    assert all(part.right.all() for one in found for part in one.parts)


def test_texts_without_words_are_said() -> None:
    model = explain.wrap(
        lambda texts: [[0.0]] * len(texts), labels=["x"], task="regression", output="scores"
    )
    with pytest.raises(DataError, match="3 words to plant values on"):
        known_values(Engine(model), ["...", "", "one two"], [make_explainer("shap")])
