"""Labels in any form are read right, or refused with the way out."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline

import explain
from explain.adapters import Describable, GradientClassifier
from explain.adapters.labels import label_names
from explain.adapters.transformers import TransformersClassifier
from explain.errors import AdapterError, ConfigurationError, DataError
from explain.record import AuditRecord
from tests.helpers.tiny import LIMIT, piece_tokenizer, random_model

TEXTS = ["a good film", "a bad film", "really good", "really bad"] * 5


def constant_scores(texts: Sequence[str]) -> list[list[float]]:
    return [[0.9, 0.1] if "bad" in text else [0.2, 0.8] for text in texts]


@pytest.mark.parametrize(
    "labels",
    [
        ["bad", "good"],
        ("bad", "good"),
        np.array(["bad", "good"]),
        {0: "bad", 1: "good"},
        OrderedDict([(1, "good"), (0, "bad")]),
        {"0": "bad", "1": "good"},
        {"good": 1, "bad": 0},
        {"bad": np.int64(0), "good": np.int64(1)},
    ],
)
def test_labels_whose_order_is_known_are_read(labels: Any) -> None:
    assert explain.wrap(constant_scores, labels=labels).labels == ("bad", "good")


@pytest.mark.parametrize(
    "labels",
    [
        {"bad", "good"},
        frozenset({"bad", "good"}),
        {"bad": 0, "good": 1}.keys(),
        {"bad": 0, "good": 1}.values(),
        (name for name in ("bad", "good")),
        "ab",
        5,
        {"bad": 1, "good": 2},
        {"bad": 0, "good": 2},
        {"bad": 0, "good": 0},
        {"bad": "x", "good": "y"},
        {0: "bad", 2: "good"},
        {False: "bad", True: "good"},
        {},
        {0: 1, 1: 2, 2: 0},
    ],
)
def test_labels_of_no_order_are_refused_with_the_way_out(labels: Any) -> None:
    with pytest.raises(ConfigurationError, match="pass a list of names, one for each column"):
        explain.wrap(constant_scores, labels=labels)


@given(st.permutations(range(4)))
def test_a_mapping_of_numbers_is_read_only_if_both_readings_agree(order: list[int]) -> None:
    mapping: Any = dict(enumerate(order))
    inverse = {name: column for column, name in mapping.items()}
    if mapping == inverse:
        assert label_names(mapping) == tuple(map(str, order))
    else:
        with pytest.raises(ConfigurationError, match="can be read in two ways"):
            label_names(mapping)


@given(st.lists(st.text("abc1", min_size=1), min_size=2, max_size=6, unique=True), st.randoms())
def test_id2label_and_label2id_are_read_as_the_list_in_any_order_of_writing(
    names: list[str], random: Any
) -> None:
    pairs = list(enumerate(names))
    random.shuffle(pairs)
    columns = {str(column) for column in range(len(names))}
    if set(names) != columns:
        assert label_names(dict(pairs)) == tuple(names)
        assert label_names({name: column for column, name in pairs}) == tuple(names)


# ── Renaming ──────────────────────────────────────────────────────────────────────────────────────


def bert(**options: Any) -> tuple[Any, Any]:
    tokenizer = piece_tokenizer()
    return random_model("bert", tokenizer, max_position_embeddings=LIMIT, **options), tokenizer


def test_a_renamed_model_explains_the_same_columns_under_other_names() -> None:
    pair = bert()
    plain, renamed = explain.wrap(pair), explain.wrap(pair, labels=["bad", "good"])
    assert plain.labels == ("LABEL_0", "LABEL_1")
    assert renamed.labels == ("bad", "good")
    assert isinstance(renamed, GradientClassifier)
    for method in ("shap", "integrated_gradients", "lime"):
        before, after = (
            explain.attribute(model, "a good film", method=method, target=target)
            for model, target in ((plain, "LABEL_1"), (renamed, "good"))
        )
        assert after.values == before.values
        assert after.target.label == "good"
    assert isinstance(renamed, Describable)
    described = renamed.describe()
    assert described.labels == ("bad", "good")
    assert described.facts["labels before they were renamed"] == ["LABEL_0", "LABEL_1"]
    assert pair[0].config.id2label == {0: "LABEL_0", 1: "LABEL_1"}


def test_a_saved_model_is_renamed_as_it_is_loaded(tmp_path: Any) -> None:
    model, tokenizer = bert()
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    renamed = explain.load(tmp_path, labels={"bad": 0, "good": 1})
    assert renamed.labels == ("bad", "good")
    with pytest.raises(ConfigurationError, match=r"has 2 labels .*, 3 were given"):
        explain.load(tmp_path, labels=["a", "b", "c"])
    rows = [{"text": text, "label": "bad" if "bad" in text else "good"} for text in TEXTS]
    options = {"labels": {0: "bad", 1: "good"}}
    record = explain.audit(
        str(tmp_path), rows, label="label", instances=0, checks=["performance"],
        model_options=options,
    )  # fmt: skip
    assert record.provenance.model.labels == ("bad", "good")
    assert record.provenance.arguments["model_options"] == {"labels": ["bad", "good"]}


def estimator(model: Any = None, answers: Any = None) -> Any:
    given = [int("good" in text) for text in TEXTS] if answers is None else answers
    return make_pipeline(CountVectorizer(), model or LogisticRegression()).fit(TEXTS, given)


def test_classes_of_scikit_learn_are_renamed_and_stay_linear() -> None:
    fitted = estimator()
    plain, renamed = explain.wrap(fitted), explain.wrap(fitted, labels=["bad", "good"])
    assert (plain.labels, renamed.labels) == (("0", "1"), ("bad", "good"))
    before = explain.attribute(plain, "a good film", method="linear", target="1")
    after = explain.attribute(renamed, "a good film", method="linear", target="good")
    assert after.values == before.values
    assert isinstance(renamed, Describable)
    facts = renamed.describe().facts
    assert facts["labels before they were renamed"] == ["0", "1"]


def test_any_classifier_is_renamed_and_stays_as_it_was() -> None:
    own = explain.wrap(constant_scores, labels=["a", "b"])
    other = explain.wrap(own, labels=["bad", "good"])
    assert (own.labels, other.labels) == (("a", "b"), ("bad", "good"))
    np.testing.assert_array_equal(own.predict(TEXTS), other.predict(TEXTS))
    assert explain.wrap(own, labels=["a", "b"]) is own


def test_a_classifier_that_makes_its_labels_says_how_else() -> None:
    class FixedLabels:
        name, task = "fixed", "single_label"

        @property
        def labels(self) -> tuple[str, ...]:
            return "a", "b"

        def predict(self, texts: Sequence[Any]) -> Any:
            return np.log(constant_scores(texts))

    with pytest.raises(ConfigurationError, match=r"wrap a function: explain.wrap\(model.predict"):
        explain.wrap(FixedLabels(), labels=["bad", "good"])


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (["only"], "has 2 labels .*, 1 were given"),
        (["b", "a"], "would make 'b' the name of another"),
        (["b", "c"], "would make 'b' the name of another"),
        ({"a": 1, "b": 0}, "would make 'b' the name of another"),
    ],
)
def test_names_that_do_not_fit_are_refused(labels: Any, says: str) -> None:
    own = explain.wrap(constant_scores, labels=["a", "b"])
    with pytest.raises(ConfigurationError, match=says):
        explain.wrap(own, labels=labels)
    with pytest.raises(AdapterError, match="appears 2 times"):
        explain.wrap(own, labels=["x", "x"])


def test_a_number_that_is_a_label_and_the_index_of_another_is_not_guessed_at() -> None:
    stars = explain.wrap(constant_scores, labels=["1", "2"])
    with pytest.raises(ConfigurationError, match=r"1 is a label of .*, and the index of '2'"):
        explain.attribute(stars, "a good film", target=1)
    assert explain.attribute(stars, "a good film", target="1").target.index == 0
    assert explain.attribute(stars, "a good film", target=0).target.label == "1"
    same = explain.wrap(constant_scores, labels=["0", "1"])
    assert explain.attribute(same, "a good film", target=1).target.label == "1"


# ── One output ────────────────────────────────────────────────────────────────────────────────────


def test_one_logit_is_no_regression_unless_that_is_said() -> None:
    with pytest.raises(ConfigurationError, match="pass task='regression' or task='multi_label'"):
        explain.wrap(bert(num_labels=1))
    assert explain.wrap(bert(num_labels=1), task="regression").task == "regression"
    assert explain.wrap(bert(num_labels=1, problem_type="regression")).task == "regression"


def accuracy(record: AuditRecord) -> float | None:
    return next(m.value for m in record.sections[0].measures if m.name == "subset accuracy")


@pytest.mark.parametrize("cells", [(1, 0), ("1", "0"), (1.0, 0.0), (True, False), (["spam"], [])])
def test_one_label_is_given_as_whether_it_holds(cells: tuple[Any, Any]) -> None:
    model = TransformersClassifier(*bert(num_labels=1), task="multi_label")
    spam = explain.wrap(model, labels=["spam"])
    truth = spam.predict(TEXTS)[:, 0] > 0
    rows = [
        {"text": text, "label": cells[0] if holds else cells[1]}
        for text, holds in zip(TEXTS, truth, strict=True)
    ]
    record = explain.audit(spam, rows, label="label", instances=0, checks=["performance"])
    assert accuracy(record) == 1


def test_a_label_called_0_is_not_taken_for_one_that_does_not_hold() -> None:
    fitted = estimator(MultiOutputClassifier(LogisticRegression()), [["good" in t] for t in TEXTS])
    model = explain.wrap(fitted)
    assert model.labels == ("0",)
    rows = [{"text": text, "label": int("good" in text)} for text in TEXTS]
    with pytest.raises(DataError, match=r"name the label: explain\.wrap"):
        explain.audit(model, rows, label="label", instances=0, checks=["performance"])
    named = explain.wrap(fitted, labels=["good"])
    record = explain.audit(named, rows, label="label", instances=0, checks=["performance"])
    assert accuracy(record) == 1


# ── Tables ────────────────────────────────────────────────────────────────────────────────────────


class ClassLabel:
    """The public shape of ``datasets.ClassLabel``."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)


class Listed:
    """The public shape of ``datasets.Sequence`` and ``datasets.List``."""

    def __init__(self, feature: object) -> None:
        self.feature = feature


class HubDataset:
    """The public shape of ``datasets.Dataset``."""

    def __init__(self, features: Mapping[str, object], **columns: Any) -> None:
        self.features = {name: features.get(name) for name in columns}
        self._columns = columns

    def to_pandas(self) -> pd.DataFrame:
        return pd.DataFrame(self._columns)


def one_hot(labels: Sequence[str], scores_of: dict[str, str]) -> Any:
    """Return a function that is right by the names of the labels."""
    return lambda texts: [[float(scores_of[t] == label) for label in labels] for t in texts]


def test_ids_of_a_class_label_are_read_by_their_names_also_in_groups() -> None:
    labels = ["0", "1", "2"]
    given = {"awful": "0", "so so": "1", "great": "2"}
    model = explain.wrap(one_hot(labels, given), labels=labels)
    data = HubDataset(
        {"label": ClassLabel(["2", "1", "0"]), "author": ClassLabel(["ann", "bob"])},
        text=["awful", "so so", "great"],
        label=[2, 1, 0],
        author=[1, 0, 1],
    )
    record = explain.audit(
        model, data, label="label", slices=["author"], instances=0, checks=["performance"]
    )
    assert next(m.value for m in record.sections[0].measures if m.name == "accuracy") == 1
    assert list(record.predictions["column.author"]) == ["bob", "ann", "bob"]


@pytest.mark.parametrize("listed", [Listed, lambda feature: [feature]])
def test_lists_of_class_labels_are_lists_of_names(listed: Any) -> None:
    labels = ["toxic", "insult", "threat"]
    model = explain.wrap(
        lambda texts: [[0.1, 0.9, 0.9] if t == "both" else [0.1] * 3 for t in texts],
        labels=labels,
        task="multi_label",
    )
    data = HubDataset(
        {"label": listed(ClassLabel(["insult", "toxic", "threat"]))},
        text=["both", "none"],
        label=[np.array([0, 2]), np.array([], dtype=int)],
    )
    record = explain.audit(model, data, label="label", instances=0, checks=["performance"])
    assert accuracy(record) == 1


def test_classes_that_are_not_known_or_do_not_exist() -> None:
    model = explain.wrap(constant_scores, labels=["bad", "good"])
    feature = {"label": ClassLabel(["bad", "good"])}
    data = HubDataset(feature, text=["a bad film", "a good film"], label=[-1, 1])
    record = explain.audit(model, data, label="label", instances=0, checks=["performance"])
    assert list(record.predictions.labels) == [None, ["good"]]
    with pytest.raises(DataError, match="holds the class 2, its ClassLabel names 0 to 1"):
        explain.audit(model, HubDataset(feature, text=["a"], label=[2]), label="label")


def test_names_that_the_model_does_not_use_are_refused_with_the_way_to_name_its_columns() -> None:
    fitted = estimator()
    data = HubDataset(
        {"label": ClassLabel(["bad", "good"])},
        text=TEXTS,
        label=[int("good" in text) for text in TEXTS],
    )
    with pytest.raises(DataError, match=r"explain.wrap\(model, labels=\[...\]\)"):
        explain.audit(explain.wrap(fitted), data, label="label", instances=0)
    named = explain.wrap(fitted, labels=["bad", "good"])
    record = explain.audit(named, data, label="label", instances=0, checks=["performance"])
    assert next(m.value for m in record.sections[0].measures if m.name == "accuracy") == 1


@pytest.mark.parametrize(
    "cell",
    [[0, 1, 1], [1, 0, 0], np.array([0.0, 1.0, 1.0]), [False, True, True], "[0, 1, 1]", "0|1|1"],
)
@pytest.mark.parametrize("labels", [["0", "1", "2"], ["toxic", "insult", "threat"]])
def test_a_vector_of_what_holds_is_never_taken_for_names(cell: Any, labels: list[str]) -> None:
    model = explain.wrap(lambda texts: [[0.1] * 3] * len(texts), labels=labels, task="multi_label")
    with pytest.raises(DataError, match="of the names that hold"):
        explain.audit(model, [{"text": "a", "label": cell}], label="label", instances=0)


@pytest.mark.parametrize("cell", [["0", "1"], [0, 2], "0|1", [1]])
def test_numbers_that_can_only_be_names_are_names(cell: Any) -> None:
    model = explain.wrap(
        lambda texts: [[0.1] * 3] * len(texts), labels=["0", "1", "2"], task="multi_label"
    )
    record = explain.audit(
        model, [{"text": "a", "label": cell}], label="label", instances=0, checks=["performance"]
    )
    names = cell.split("|") if isinstance(cell, str) else [str(one) for one in cell]
    assert record.predictions.labels[0] == names
