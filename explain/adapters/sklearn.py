"""Fitted estimators of scikit-learn over texts, live or from a file."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import joblib
import numpy as np
from pydantic import JsonValue
from sklearn.base import is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from explain.adapters.bag_of_words import BagOfWords, final_estimator
from explain.adapters.base import Contributions, description_of
from explain.adapters.extras import import_extra
from explain.adapters.failures import failure, first_line
from explain.adapters.labels import Labels, check_labels, new_names
from explain.adapters.pattern_time import check_token_patterns
from explain.adapters.safety import LoadedFiles, check_archive
from explain.adapters.scores import Scores, check_scores, log_odds_scores
from explain.errors import (
    AdapterError,
    CapabilityError,
    ConfigurationError,
    PredictionError,
    UnsafeModelError,
)
from explain.record import PICKLE_FACT, FileHash, ModelDescription, Task, label_name
from explain.text.spans import Span, Text

__all__ = ["SklearnClassifier"]


class SklearnClassifier:
    """A fitted estimator of scikit-learn that takes a list of texts.

    A classifier must have ``predict_proba``; its scores are log p. The margins of a
    ``decision_function`` alone (LinearSVC, RidgeClassifier) are refused: they are on no
    probability scale, so log-odds made of them would be made up. Of a regressor the scores are
    what it predicts.

    Parameters
    ----------
    estimator : estimator
        Such as ``make_pipeline(TfidfVectorizer(), LogisticRegression())``.
    labels : sequence of str, optional
        Names of the columns, for estimators that only number them (several labels at once, or a
        regression), or in place of the estimator's own; a mapping as `explain.wrap` has it.
    task : {"single_label", "multi_label", "regression"}, optional
        How the columns relate to each other; what the estimator says, which cannot be changed.
    name : str, optional
        What the model is called in reports; by default its class.
    source : str, optional
        The file that it was loaded from.
    files : tuple of FileHash
        The same with its hash.
    facts : mapping
        What the record says of how it was loaded.

    Raises
    ------
    AdapterError
        If the estimator is not fitted, or is no classifier with probabilities and no regressor, or
        one of its outputs is not fitted on 0 and 1.
    ConfigurationError
        If `labels` have no order or another number, or `labels` or `task` contradict the estimator.
    """

    own_labels: tuple[str, ...] | None = None
    mask_token: str | None = None
    special_tokens: tuple[str, ...] = ()

    def __init__(
        self,
        estimator: Any,
        *,
        labels: Labels | None = None,
        task: Task | None = None,
        name: str | None = None,
        source: str | None = None,
        files: tuple[FileHash, ...] = (),
        facts: Mapping[str, JsonValue] | None = None,
    ) -> None:
        self.estimator = estimator
        self.name = name or type(estimator).__name__
        self._call_estimator = _answer_of(estimator, self.name)
        own_task, columns, has_names = _columns_of(estimator, self.name)
        if task not in (None, own_task):
            raise ConfigurationError(f"{self.name} is a {own_task} model, not {task}")
        self.task = own_task
        self.labels = check_labels(columns, own_task)
        if labels is not None:
            names = new_names(labels, self.labels, own_task, self.name)
            self.own_labels = self.labels if has_names and names != self.labels else None
            self.labels = names
        self._source = source
        self._files = files
        self._facts = dict(facts or {})
        self._bag: BagOfWords | CapabilityError
        try:
            self._bag = BagOfWords(estimator, self.task)
        except CapabilityError as error:
            self._bag = error

    @classmethod
    def from_skops(
        cls,
        file: str | Path,
        *,
        trusted: Sequence[str] = (),
        labels: Labels | None = None,
        task: Task | None = None,
        name: str | None = None,
    ) -> Self:
        """Return the estimator in a file that ``skops.io.dump`` wrote; no code of it is run.

        Parameters
        ----------
        file : str or Path
            The file.
        trusted : sequence of str
            Names (``module.Type``) of the types in it, beyond those that skops knows, that may be
            built. The record lists them.
        labels, task, name
            As for the class; `name` is by default that of the file.

        Raises
        ------
        AdapterError
            If the file is missing or damaged, skops is not installed, or the estimator is no
            classifier.
        ConfigurationError
            If `labels` or `task` contradict the estimator.
        UnsafeModelError
            If the file holds a type that is not trusted.
        """
        skops = import_extra("skops.io", "skops")
        path = _existing_file(file)
        loaded_files = LoadedFiles.of_file(path)
        content = path.read_bytes()
        check_archive(path, content)
        try:
            types = sorted(skops.get_untrusted_types(data=content))
        except Exception as error:
            raise AdapterError(f"{str(path)!r} is no skops file: {first_line(error)}") from error
        if unknown := [name for name in types if name not in trusted]:
            raise UnsafeModelError(
                f"{str(path)!r} holds types that nobody vouched for: {', '.join(unknown)}; look "
                f"them up, and if they are harmless pass trusted={tuple(types)!r} (--trust TYPE)"
            )
        facts: dict[str, JsonValue] = {"trusted types": list[JsonValue](types)}
        load = partial(skops.loads, content, trusted=types)
        return cls._from_file(
            path, load, loaded_files, labels=labels, task=task, name=name, facts=facts
        )

    @classmethod
    def from_pickle(
        cls,
        file: str | Path,
        *,
        allow_pickle: bool = False,
        labels: Labels | None = None,
        task: Task | None = None,
        name: str | None = None,
    ) -> Self:
        """Return the estimator in a file that joblib or pickle wrote, which can run any code.

        Parameters
        ----------
        file : str or Path
            The file.
        allow_pickle : bool
            The user's word that the file is harmless. Every report says that it was given.
        labels, task, name
            As for the class; `name` is by default that of the file.

        Raises
        ------
        AdapterError
            If the file is missing or damaged, or the estimator is no classifier.
        ConfigurationError
            If `labels` or `task` contradict the estimator.
        UnsafeModelError
            If `allow_pickle` is not given; the file has not been opened then.
        """
        path = _existing_file(file)
        if not allow_pickle:
            raise UnsafeModelError(
                f"{str(path)!r} is a pickle, which can run any code when it is loaded; save the "
                "model with skops.io.dump, or, if you trust whoever made the file, pass "
                "allow_pickle=True (--allow-pickle)"
            )
        facts: dict[str, JsonValue] = {
            PICKLE_FACT: "yes, on the user's word: a pickle can run any code"
        }
        load, loaded_files = partial(joblib.load, path), LoadedFiles.of_file(path)
        return cls._from_file(
            path, load, loaded_files, labels=labels, task=task, name=name, facts=facts
        )

    @classmethod
    def _from_file(
        cls,
        path: Path,
        load: Callable[[], Any],
        loaded_files: LoadedFiles,
        *,
        name: str | None,
        **options: Any,
    ) -> Self:
        try:
            estimator = load()
        except Exception as error:
            raise AdapterError(f"{str(path)!r} cannot be loaded: {first_line(error)}") from error
        check_token_patterns(estimator, path)
        return cls(
            estimator,
            name=name or path.stem,
            source=path.as_posix(),
            files=loaded_files.unchanged(),
            **options,
        )

    def predict(self, texts: Sequence[Text]) -> Scores:
        """Return the scores of `texts`, shape (n_texts, n_labels), natural-log scale.

        Raises
        ------
        PredictionError
            If the estimator raises, or its answer is no array of that shape, or no probabilities.
        """
        if not texts:
            return np.empty((0, len(self.labels)))
        try:
            probabilities = self._call_estimator(list(texts))
        except SystemExit as error:
            raise failure(self.name, error) from error
        except Exception as error:
            raise self._failure(texts, error) from error
        values = check_scores(probabilities, len(texts), self.labels, self.name)
        if self.task == "regression":
            return values
        return log_odds_scores(values, self.task, self.name)

    def tokens(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        """Return the spans of the words that the vectorizer reads of each text.

        Raises
        ------
        CapabilityError
            If the estimator is no pipeline over single words.
        PredictionError
            If the words of a text are not known.
        """
        bag = self._words()
        return [tuple(span for _, span in bag.tokens(text)) for text in texts]

    def unread(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        """Return nothing for each text: none is ever cut off."""
        return [()] * len(texts)

    def contributions(self, text: Text, index: int) -> Contributions:
        """Return what each word of a text adds to the value of the label with that index.

        Raises
        ------
        CapabilityError
            If the value is no weighted sum of words.
        PredictionError
            If the words of the text are not known.
        """
        return self._words().contributions(text, index)

    def describe(self) -> ModelDescription:
        """Return what is known of the model, with the hash of its file."""
        inner = final_estimator(self.estimator)
        steps = [type(s).__name__ for _, s in inner.steps] if isinstance(inner, Pipeline) else []
        return description_of(
            self,
            {"estimator": type(self.estimator).__name__, "steps": [*steps], **self._facts},
            source=self._source,
            files=self._files,
        )

    def _failure(self, texts: Sequence[Text], error: Exception) -> PredictionError:
        """Return what the estimator raised, and the table that it takes instead of a list."""
        for table, code in _tables(self.estimator):
            try:
                self._call_estimator(table(list(texts)))
            except Exception:
                continue
            call, more = {
                "single_label": (f"predict_proba({code})", ""),
                "multi_label": (f"predict_proba({code})", ", task='multi_label'"),
                "regression": (
                    f"predict({code}).reshape(-1, 1)",
                    ", task='regression', output='scores'",
                ),
            }[self.task]
            return PredictionError(
                f"{self.name} takes {code}, not a list of texts ({first_line(error)}); wrap a "
                f"function: explain.wrap(lambda texts: estimator.{call}, "
                f"labels={list(self.labels)}{more})"
            )
        return failure(self.name, error)

    def _words(self) -> BagOfWords:
        if isinstance(self._bag, CapabilityError):
            raise self._bag
        return self._bag


def _existing_file(file: str | Path) -> Path:
    path = Path(file)
    if not path.is_file():
        raise AdapterError(f"no file {str(path)!r}; pass the file of a saved model")
    return path


def _answer_of(estimator: Any, name: str) -> Callable[[list[Any]], Any]:
    """Return the function of a fitted estimator that answers, one column per label."""
    kind = type(estimator).__name__
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise AdapterError(f"{kind} is not fitted; fit it before it is wrapped") from error
    except TypeError as error:
        raise AdapterError(f"{kind} is no fitted estimator: {first_line(error)}") from error
    if hasattr(estimator, "predict_proba"):
        return lambda texts: _positive(estimator.predict_proba(texts))
    if is_classifier(estimator):
        raise AdapterError(
            f"{kind} has no predict_proba, and the margins of its decision_function are no "
            "log-odds; fit CalibratedClassifierCV around the classifier and wrap that"
        )
    if is_regressor(estimator):
        return lambda texts: np.reshape(estimator.predict(texts), (len(texts), -1))
    raise AdapterError(
        f"{kind} is neither a classifier with predict_proba nor a regressor; wrap a function"
    )


def _tables(estimator: Any) -> Iterator[tuple[Callable[[list[Any]], Any], str]]:
    """Yield the tables of texts that an estimator may take, and how they are written."""
    import pandas as pd

    columns = [str(name) for name in getattr(estimator, "feature_names_in_", ["text"])]
    filled = "texts" if len(columns) == 1 else "..."
    cells = ", ".join(f"{name!r}: {filled}" for name in columns)
    yield pd.Series, "pd.Series(texts)"
    yield lambda texts: pd.DataFrame(dict.fromkeys(columns, texts)), f"pd.DataFrame({{{cells}}})"
    yield lambda texts: np.array(texts, dtype=object), "np.array(texts, dtype=object)"
    yield (
        lambda texts: np.array(texts, dtype=object)[:, None],
        "np.array(texts, dtype=object)[:, None]",
    )


def _positive(probabilities: Any) -> Any:
    """Return one column per label where an estimator gives an array (n_texts, 2) for each."""
    return (
        np.column_stack([p[:, 1] for p in probabilities])
        if isinstance(probabilities, list)
        else probabilities
    )


def _columns_of(estimator: Any, name: str) -> tuple[Task, list[str], bool]:
    """Return task and columns, and whether the estimator has names for its columns."""
    if not hasattr(estimator, "predict_proba"):
        return "regression", ["value"], False
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        raise AdapterError(f"{name} has no classes_, so its labels are not known; wrap a function")
    if isinstance(classes, list):
        if wrong := [
            list(classes_of_output)
            for classes_of_output in classes
            if list(classes_of_output) != [0, 1]
        ]:
            raise AdapterError(
                f"{name} has an output of the classes {', '.join(map(str, wrong[0]))}, and only "
                "labels that hold (1) or do not hold (0) can be explained together; fit it on 0 "
                "and 1, or wrap a function for each output"
            )
        return "multi_label", [str(number) for number in range(len(classes))], False
    columns = [label_name(label) for label in classes]
    final = final_estimator(estimator)
    final = final.steps[-1][1] if isinstance(final, Pipeline) else final
    # A perceptron tells it by sigmoids alone, of which a single label of two has one.
    sigmoids = getattr(final, "out_activation_", "") == "logistic" and final.n_outputs_ > 1
    if getattr(final, "multilabel_", False) or sigmoids:
        return "multi_label", columns, False
    return "single_label", columns, True
