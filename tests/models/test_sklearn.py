"""Estimators of scikit-learn say what they are, and files of them are opened on trust only."""

import html
import pickle
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from pandas import DataFrame
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

import explain
import reports
from explain.adapters import SklearnClassifier, TokenizedClassifier
from explain.errors import (
    AdapterError,
    CapabilityError,
    ConfigurationError,
    PredictionError,
    UnsafeModelError,
)
from explain.record import PICKLE_FACT
from tests.helpers.command import run_forked

skops = pytest.importorskip("skops.io")

TEXTS = ["good film", "bad film", "good", "bad", "a good one", "so bad", "good good", "bad bad"]
LABELS = ["pos", "neg"] * 4
SEVERAL = np.array([[1, 0], [0, 1], [1, 1], [0, 0]] * 2)


def fitted(model: Any, answers: Any = None, vectorizer: Any = None) -> Pipeline:
    pipeline = make_pipeline(vectorizer or CountVectorizer(), model)
    return pipeline.fit(TEXTS, LABELS if answers is None else answers)


def test_a_classifier_gives_log_probabilities() -> None:
    pipeline = fitted(LogisticRegression())
    model = explain.wrap(pipeline)
    assert model.labels == ("neg", "pos")
    assert model.task == "single_label"
    np.testing.assert_allclose(model.predict(TEXTS), pipeline.predict_log_proba(TEXTS))
    assert model.predict([]).shape == (0, 2)
    with pytest.raises(AdapterError, match="fit it before"):
        explain.wrap(make_pipeline(CountVectorizer(), LogisticRegression()))


@pytest.mark.parametrize(
    "estimator",
    [
        OneVsRestClassifier(LogisticRegression()),
        MultiOutputClassifier(LogisticRegression()),
        RandomForestClassifier(5, random_state=0),
    ],
)
def test_several_labels_at_once_are_read_from_the_estimator(estimator: Any) -> None:
    pipeline = fitted(estimator, SEVERAL)
    model = explain.wrap(pipeline, labels=["praise", "blame"])
    assert (model.task, model.labels) == ("multi_label", ("praise", "blame"))
    answer = pipeline.predict_proba(TEXTS)
    p = answer if isinstance(answer, np.ndarray) else np.stack([a[:, 1] for a in answer], axis=1)
    expected = np.log(np.clip(p, 2.3e-16, 1)) - np.log(np.clip(1 - p, 2.3e-16, 1))
    np.testing.assert_allclose(model.predict(TEXTS), expected, atol=0.1)
    assert explain.wrap(pipeline).labels == ("0", "1")
    with pytest.raises(ConfigurationError, match="is a multi_label model, not single_label"):
        explain.wrap(pipeline, task="single_label")
    with pytest.raises(ConfigurationError, match=r"has 2 labels \(0, 1\), 3 were given"):
        explain.wrap(pipeline, labels=["a", "b", "c"])


def test_an_output_of_three_classes_among_several_is_refused() -> None:
    answers = np.array([[0, 1], [1, 0], [2, 1], [0, 0]] * 2)
    with pytest.raises(AdapterError, match="has an output of the classes 0, 1, 2"):
        explain.wrap(fitted(MultiOutputClassifier(LogisticRegression()), answers))


def test_a_regressor_gives_what_it_predicts() -> None:
    pipeline = fitted(Ridge(), np.arange(8.0))
    model = explain.wrap(pipeline, labels=["stars"])
    assert (model.task, model.labels) == ("regression", ("stars",))
    np.testing.assert_allclose(model.predict(TEXTS)[:, 0], pipeline.predict(TEXTS))
    with pytest.raises(ConfigurationError, match="regression model, not single_label"):
        explain.wrap(pipeline, task="single_label")
    with pytest.raises(PredictionError, match=r"shape \(8, 2\)"):
        explain.wrap(fitted(Ridge(), SEVERAL)).predict(TEXTS)


@pytest.mark.parametrize("estimator", [LinearSVC(), RidgeClassifier()])
def test_margins_are_no_probabilities(estimator: Any) -> None:
    with pytest.raises(AdapterError, match="fit CalibratedClassifierCV around"):
        explain.wrap(fitted(estimator))
    assert explain.wrap(fitted(CalibratedClassifierCV(estimator, cv=2))).labels == ("neg", "pos")


def test_what_neither_classifies_nor_predicts_a_number_is_refused() -> None:
    with pytest.raises(AdapterError, match="neither a classifier"):
        explain.wrap(fitted(KMeans(2, n_init=1)))


def test_a_search_stands_for_what_it_found() -> None:
    search = GridSearchCV(
        make_pipeline(CountVectorizer(), LogisticRegression()),
        {"logisticregression__C": [0.1, 1]},
        cv=2,
    ).fit(TEXTS, LABELS)
    model = explain.wrap(search)
    assert isinstance(model, TokenizedClassifier)
    assert model.tokens(["a good film"]) == [((0, 2, 6), (0, 7, 11))]
    assert explain.attribute(model, "a good film", method="linear").values[1] != 0


@pytest.mark.parametrize(
    ("vectorizer", "text", "words"),
    [
        (CountVectorizer(), "Don't, GOOD-will a x", ["Don", "GOOD", "will"]),
        (
            CountVectorizer(strip_accents="unicode"),
            "İstanbul Café ﬁne",
            ["İstanbul", "Café", "ﬁne"],
        ),
        (CountVectorizer(token_pattern=r"\S+"), "İİİ good", ["İİİ", "good"]),
        (CountVectorizer(token_pattern=r"#(\w+)"), "no #good", ["good"]),
        (CountVectorizer(stop_words=["film"]), "a Film so good", ["so", "good"]),
        (CountVectorizer(token_pattern=r"\S+"), "ΟΔΟΣ 👍🏽 !", ["ΟΔΟΣ", "👍🏽", "!"]),
    ],
)
def test_words_of_the_vectorizer_are_found_in_the_text(
    vectorizer: Any, text: str, words: Sequence[str]
) -> None:
    vectorizer.fit([*TEXTS, "#good #bad"])
    model = explain.wrap(
        make_pipeline(vectorizer, LogisticRegression()).fit(
            ["#good film good x", "#bad film so y"], ["a", "b"]
        )
    )
    assert isinstance(model, TokenizedClassifier)
    (tokens,) = model.tokens([text])
    assert [text[t.start : t.end] for t in tokens] == words
    assert model.unread([text]) == [()]


@pytest.mark.parametrize(
    "vectorizer",
    [
        CountVectorizer(analyzer="char"),
        CountVectorizer(ngram_range=(1, 2)),
        CountVectorizer(tokenizer=str.split, token_pattern=None),
        CountVectorizer(preprocessor=str.upper),
    ],
)
def test_columns_that_are_no_words_in_the_text_are_no_tokens(vectorizer: Any) -> None:
    model = explain.wrap(fitted(LogisticRegression(), vectorizer=vectorizer))
    with pytest.raises(CapabilityError, match="so its columns are not single words"):
        explain.attribute(model, "good film", unit="token")
    with pytest.raises(CapabilityError, match="so its columns are not single words"):
        explain.attribute(model, "good film", method="linear")
    assert explain.attribute(model, "good film", method="shap").values[0] != 0


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Return a folder with one pipeline saved in each way."""
    pipeline = fitted(LogisticRegression(), vectorizer=TfidfVectorizer())
    skops.dump(pipeline, tmp_path / "model.skops")
    own = fitted(LogisticRegression(), vectorizer=CountVectorizer(preprocessor=html.unescape))
    skops.dump(own, tmp_path / "own.skops")
    joblib.dump(pipeline, tmp_path / "model.joblib")
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(pipeline))
    (tmp_path / "rows.csv").write_text("text,label\ngood film,pos\nbad film,neg\n")
    return tmp_path


def test_a_skops_file_is_loaded_and_hashed(models: Path) -> None:
    model = explain.load(models / "model.skops")
    assert model.name == "model"
    np.testing.assert_allclose(
        model.predict(TEXTS),
        explain.load(models / "model.pkl", allow_pickle=True).predict(TEXTS),
    )
    assert isinstance(model, SklearnClassifier)
    description = model.describe()
    assert [file.path for file in description.files] == ["model.skops"]
    assert description.facts["steps"] == ["TfidfVectorizer", "LogisticRegression"]
    assert description.facts["trusted types"] == []


def test_a_type_that_nobody_vouched_for_is_named(models: Path) -> None:
    with pytest.raises(UnsafeModelError, match=r"vouched for: html\.unescape"):
        explain.load(models / "own.skops")
    with pytest.raises(UnsafeModelError, match="vouched for"):
        explain.load(models / "own.skops", trusted=("html.escape",))
    model = explain.load(models / "own.skops", trusted=("html.unescape",))
    assert isinstance(model, SklearnClassifier)
    assert model.describe().facts["trusted types"] == ["html.unescape"]


def test_files_that_are_missing_or_damaged_are_one_clear_error(tmp_path: Path) -> None:
    for name in ("gone.skops", "gone.joblib"):
        with pytest.raises(AdapterError, match="no file"):
            explain.load(tmp_path / name)
    with pytest.raises(AdapterError, match=r"no file 'gone\.skops'"):
        explain.load("gone.skops")
    (tmp_path / "bad.skops").write_bytes(b"junk")
    with pytest.raises(AdapterError, match="is no skops file"):
        explain.load(tmp_path / "bad.skops")
    (tmp_path / "bad.pkl").write_bytes(b"junk")
    with pytest.raises(AdapterError, match="cannot be loaded"):
        explain.load(tmp_path / "bad.pkl", allow_pickle=True)
    with pytest.raises(ConfigurationError, match="cannot be loaded with allow_pickle="):
        explain.load(tmp_path / "bad.skops", allow_pickle=True)


def test_skops_is_asked_for_where_it_is_missing(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "skops.io", None)
    with pytest.raises(AdapterError, match=r'pip install "explain-audit\[skops\]"'):
        explain.load(models / "model.skops")


class Trap:
    """A pickle that leaves a mark when it is opened."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("name", ["trap.pkl", "trap.pickle", "trap.joblib"])
def test_a_pickle_is_never_opened_without_the_users_word(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(Trap(tmp_path / "mark")))
    with pytest.raises(UnsafeModelError, match="can run any code"):
        explain.load(tmp_path / name)
    assert not (tmp_path / "mark").exists()
    with pytest.raises(AdapterError, match="no fitted estimator"):
        explain.load(tmp_path / name, allow_pickle=True)
    assert (tmp_path / "mark").exists()


def test_a_report_says_first_that_a_pickle_was_loaded(models: Path) -> None:
    record = explain.audit(
        models / "model.joblib",
        models / "rows.csv",
        label="label",
        model_options={"allow_pickle": True},
    )
    said = "The model was loaded from a pickle, which can run any code. Its user allowed that."
    assert PICKLE_FACT in record.provenance.model.facts
    assert record.provenance.arguments["model_options"] == {"allow_pickle": True}
    page = reports.render_html(record)
    assert 0 < page.index("Unsafe.</strong>") < page.index("<h1")
    assert said.replace("'", "&#39;") in page
    assert said in reports.render_markdown(record)
    safe = explain.audit(models / "model.skops", models / "rows.csv", label="label")
    assert "Unsafe.</strong>" not in reports.render_html(safe)
    with pytest.raises(ConfigurationError, match="a live object is not loaded"):
        explain.audit(fitted(LogisticRegression()), [], model_options={"allow_pickle": True})


def test_the_command_line_takes_the_users_word(models: Path) -> None:
    refused = run_forked("text", "model.joblib", "good film", cwd=models)
    assert refused.returncode == 3
    assert "--allow-pickle" in refused.stderr
    shown = run_forked("text", "model.joblib", "good film", "--allow-pickle", cwd=models)
    assert shown.returncode == 0, shown.stderr
    untrusted = run_forked("audit", "own.skops", "rows.csv", cwd=models)
    assert untrusted.returncode == 3
    assert "html.unescape" in untrusted.stderr
    arguments = ("--trust", "html.unescape", "--methods", "shap", "--label", "label")
    done = run_forked("audit", "own.skops", "rows.csv", *arguments, cwd=models)
    assert done.returncode == 0, done.stderr


def test_classes_that_pandas_made_floats_are_the_labels_of_the_table() -> None:
    table = DataFrame({"text": ["good", "bad"] * 3, "label": [1.0, 0.0] * 3})
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(table.text, table.label)
    record = explain.audit(explain.wrap(model), table, label="label", methods=["random"])
    assert record.provenance.model.labels == ("0", "1")
    assert {i.right for i in record.instances} == {True}


def test_one_label_of_three_is_never_several_labels() -> None:
    model = make_pipeline(CountVectorizer(), LogisticRegression())
    model.fit(["first", "second", "third"], [0, 1, 2])
    with pytest.raises(ConfigurationError, match="is a single_label model, not multi_label"):
        explain.wrap(model, task="multi_label")


def test_outputs_whose_classes_are_words_are_not_guessed_at() -> None:
    several = MultiOutputClassifier(LogisticRegression())
    model = make_pipeline(CountVectorizer(), several).fit(
        ["fine", "poor"], [["ham", "good"], ["spam", "not good"]]
    )
    with pytest.raises(AdapterError, match="classes ham, spam, and only labels that hold"):
        explain.wrap(model)


@pytest.mark.parametrize("labels", [5, "ab", {"a": 1}])
def test_labels_that_are_no_list_are_refused(labels: Any) -> None:
    with pytest.raises(ConfigurationError, match="pass a list of names"):
        SklearnClassifier(fitted(LogisticRegression()), labels=labels)


def test_a_perceptron_tells_several_labels_from_one() -> None:
    quick = {"hidden_layer_sizes": (2,), "tol": 10, "n_iter_no_change": 1, "random_state": 0}
    one = SklearnClassifier(fitted(MLPClassifier(**quick)))
    assert one.task == "single_label"
    both = [[int(label == LABELS[0]), 1 - int(label == LABELS[0])] for label in LABELS]
    several = SklearnClassifier(fitted(MLPClassifier(**quick), np.array(both)))
    assert (several.task, len(several.labels)) == ("multi_label", 2)


X = ["good fun film", "bad dull film"] * 10
TITLED = pd.DataFrame({"title": X, "text": X})


@pytest.mark.parametrize(
    ("steps", "table", "way_out"),
    [
        (
            (ColumnTransformer([("t", CountVectorizer(), "text")]), LogisticRegression()),
            TITLED[["text"]],
            "pd.DataFrame({'text': texts})",
        ),
        (
            (ColumnTransformer([("t", CountVectorizer(), "text")]), LogisticRegression()),
            TITLED,
            "pd.DataFrame({'title': ..., 'text': ...})",
        ),
        (
            (FunctionTransformer(lambda s: s.str.lower()), CountVectorizer(), LogisticRegression()),
            TITLED["text"],
            "pd.Series(texts)",
        ),
        (
            (FunctionTransformer(lambda a: a[:, 0]), CountVectorizer(), LogisticRegression()),
            TITLED[["text"]].to_numpy(),
            "np.array(texts, dtype=object)[:, None]",
        ),
        (
            (FunctionTransformer(lambda s: s.str.lower()), CountVectorizer(), Ridge()),
            TITLED["text"],
            "pd.Series(texts)",
        ),
    ],
)
def test_a_pipeline_over_a_table_names_the_function_to_wrap(
    steps: tuple[Any, ...], table: Any, way_out: str
) -> None:
    estimator = make_pipeline(*steps).fit(table, [1, 0] * 10)
    with pytest.raises(PredictionError) as refusal:
        explain.wrap(estimator).predict(X[:2])
    message = str(refusal.value)
    assert f"takes {way_out}, not a list of texts" in message
    assert "\n" not in message
    if "..." not in way_out:
        scope = {"explain": explain, "estimator": estimator, "pd": pd, "np": np}
        named = eval(message.partition("wrap a function: ")[2], scope)
        answer = estimator.predict_proba if named.task == "single_label" else estimator.predict
        scores = named.predict(X) if named.task == "regression" else np.exp(named.predict(X))
        np.testing.assert_allclose(scores, np.reshape(answer(table), scores.shape))
