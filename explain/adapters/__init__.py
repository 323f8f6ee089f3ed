"""Adapters: every kind of model behind one contract, `TextClassifier`."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module
from inspect import Parameter, signature
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from explain.adapters.base import (
    Contributions,
    Describable,
    Encoding,
    GradientClassifier,
    LinearClassifier,
    PerTextClassifier,
    TextClassifier,
    TokenizedClassifier,
)
from explain.adapters.failures import first_line
from explain.adapters.function import FunctionClassifier, Output
from explain.adapters.labels import Labels, with_labels
from explain.adapters.origin import Origin
from explain.adapters.safety import ADAPTER_CONFIG
from explain.adapters.scores import Scores
from explain.errors import AdapterError, ConfigurationError, ExplainError, nearest
from explain.record import Task

if TYPE_CHECKING:
    from explain.adapters.sklearn import SklearnClassifier
    from explain.adapters.torch import TorchClassifier

__all__ = [
    "Contributions",
    "Describable",
    "Encoding",
    "FunctionClassifier",
    "GradientClassifier",
    "LinearClassifier",
    "PerTextClassifier",
    "Scores",
    "SklearnClassifier",
    "Task",
    "TextClassifier",
    "TokenizedClassifier",
    "TorchClassifier",
    "is_address",
    "load",
    "wrap",
]

_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_HUB_FILES = ["*.safetensors", "*.json", "*.txt", "*.model"]

MOST_NAMES = 10_000
"""Names of a folder among which the nearest to a mistyped one is looked for."""

_SKLEARN_FILES = {
    ".skops": "from_skops",
    ".joblib": "from_pickle",
    ".pickle": "from_pickle",
    ".pkl": "from_pickle",
}

_HOMES = {
    "SklearnClassifier": "explain.adapters.sklearn",
    "TorchClassifier": "explain.adapters.torch",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: importing the package costs neither torch nor scikit-learn.
    if name not in _HOMES:
        raise AttributeError(f"module 'explain.adapters' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def load(
    source: str | Path,
    /,
    *,
    name: str | None = None,
    labels: Labels | None = None,
    **options: Any,
) -> TextClassifier:
    """Return the classifier in a folder or file, of a hub id, or behind an endpoint.

    Parameters
    ----------
    source : str or Path
        A folder that ``save_pretrained`` wrote, a file of scikit-learn (``.skops``; ``.joblib``,
        ``.pkl`` or ``.pickle`` on your word), or a hub id, always ``owner/name``. What is here
        never causes a download, nor does a word alone, or a path whose first folder is here. Of a
        hub id only weights in safetensors and tokenizer files are fetched. An address,
        ``http://`` or ``https://``, is an endpoint.
    name : str, optional
        What the model is called in reports; by default its folder or file.
    labels : sequence of str, mapping of int to str or mapping of str to int, optional
        Names of the columns in place of the model's own, as for `wrap`.
    **options
        Options of the loader of this kind of model; unknown ones are refused. For transformers:
        ``task``, ``long_text``, ``pool``, ``dtype``, ``device``
        (`TransformersClassifier.from_folder`). For adapters of peft also ``base`` (`load_peft`).
        For ONNX, which is taken where there are no safetensors: ``task``, ``long_text``, ``pool``,
        ``device`` (`OnnxClassifier.from_folder`). A ``template`` makes a classifier of a causal
        language model: ``template``, ``verbalizer``, ``length_normalised``, ``other_label``,
        ``gguf_file``, ``dtype``, ``device`` (`PromptedClassifier.from_folder`). For scikit-learn:
        ``task``, and ``trusted`` (`SklearnClassifier.from_skops`) or ``allow_pickle``
        (`SklearnClassifier.from_pickle`). For an endpoint ``kind`` and its question
        (`explain.adapters.remote.open_endpoint`).

    Raises
    ------
    AdapterError
        If it is missing, incomplete or no sequence classifier.
    ConfigurationError
        If this kind of model has no such option, or needs one that is not given, or `labels` do
        not fit it.
    UnsafeModelError
        If loading it would run code: pickled weights, ``auto_map``, ``*.py``, an unknown type.
    """
    if is_address(source):
        return _endpoint(source, name=name, labels=labels, **options)
    path = Path(source)
    hub_id: str | None = None
    is_file = path.suffix in _SKLEARN_FILES
    if not path.exists():
        if is_file or not (isinstance(source, str) and _is_hub_id(source)):
            raise AdapterError(_missing_source(path))
        path, hub_id = _download(source), source
        name = name or source
    loader = _loader(path, options)
    parameters = signature(loader).parameters
    allowed = sorted(set(parameters) - {"file", "folder", "name", "origin", "labels"})
    if unknown := sorted(set(options) - set(allowed)):
        raise ConfigurationError(
            f"{str(source)!r} cannot be loaded with {unknown[0]}=; {nearest(unknown[0], allowed)}"
        )
    required = [name for name in allowed if parameters[name].default is Parameter.empty]
    if missing := sorted(set(required) - set(options)):
        raise ConfigurationError(f"{str(source)!r} cannot be loaded without {missing[0]}=")
    names = {"labels": labels} if "labels" in parameters else {}
    calling: dict[str, Any] = (
        {"origin": Origin(name, hub_id)} if "origin" in parameters else {"name": name}
    )
    try:
        model = loader(path, **calling, **names, **options)
    except ExplainError:
        raise
    except (Exception, SystemExit) as error:
        raise AdapterError(f"{str(path)!r} cannot be loaded: {first_line(error)}") from error
    return model if labels is None else with_labels(model, labels)


def _endpoint(address: str, **options: Any) -> TextClassifier:
    from explain.adapters.remote import open_endpoint

    try:
        return open_endpoint(address, **options)
    except ExplainError:
        raise
    except Exception as error:
        raise AdapterError(f"the endpoint cannot be used: {first_line(error)}") from error


def is_address(source: object) -> TypeGuard[str]:
    """Tell whether a model is named by the address of an endpoint."""
    return isinstance(source, str) and _ADDRESS.match(source) is not None


def _loader(path: Path, options: Mapping[str, Any]) -> Callable[..., TextClassifier]:
    """Return what loads this kind of folder or file."""
    if path.suffix in _SKLEARN_FILES:
        from explain.adapters.sklearn import SklearnClassifier

        loader: Callable[..., TextClassifier] = getattr(
            SklearnClassifier, _SKLEARN_FILES[path.suffix]
        )
        return loader
    if "template" in options:
        from explain.adapters.prompted import PromptedClassifier

        return PromptedClassifier.from_folder
    if (path / ADAPTER_CONFIG).is_file():
        from explain.adapters.peft import load_peft

        return load_peft
    if any(path.glob("*.onnx")) and not any(path.glob("*.safetensors")):
        from explain.adapters.onnx import OnnxClassifier

        return OnnxClassifier.from_folder
    from explain.adapters.transformers import TransformersClassifier

    return TransformersClassifier.from_folder


def wrap(
    obj: Any,
    *,
    labels: Labels | None = None,
    name: str | None = None,
    output: Output = "probabilities",
    task: Task | None = None,
    decimals: int | None = None,
) -> TextClassifier:
    """Return a live object as a classifier.

    Parameters
    ----------
    obj : object
        A ``(model, tokenizer)`` pair or a text-classification pipeline of transformers, a fitted
        scikit-learn classifier with ``predict_proba`` or regressor, any function from a list of
        texts to an (n_texts, n_labels) array, or an object that is a `TextClassifier` already. Of
        a pipeline its own probabilities are explained: it is refused where it gives others than
        its model and tokenizer do alone.
    labels : sequence of str, mapping of int to str or mapping of str to int, optional
        Names of the columns, in their order; or ``id2label`` or ``label2id`` with the numbers of
        the columns. Needed for a function. The labels of a model that has its own are renamed,
        and its record states both; names that are among its own cannot change places.
    name : str, optional
        What the model is called in reports.
    output : {"probabilities", "scores"}
        What a function returns: probabilities, or scores on the natural-log scale (logits, log p).
    task : {"single_label", "multi_label", "regression"}, optional
        How the columns relate to each other; by default what the model says, or a single label.
    decimals : int, optional
        Decimals that a function rounds its probabilities to. Where nobody says so it is found out.

    Raises
    ------
    AdapterError
        If the object is none of these.
    ConfigurationError
        If `labels` is missing for a function, does not fit the model, or has no order.
    """
    if isinstance(obj, TextClassifier):
        if name is not None:
            raise ConfigurationError(f"{obj.name} has a name of its own; leave name out")
        return _with_own(obj, labels, output, task, decimals)
    if _is_pipeline(obj):
        from explain.adapters.pipeline import wrap_pipeline

        return _with_own(wrap_pipeline(obj, name=name, task=task), labels, output, task, decimals)
    if (pair := _model_and_tokenizer(obj)) is not None:
        from explain.adapters.transformers import TransformersClassifier

        classifier = TransformersClassifier(*pair, origin=Origin(name), task=task)
        return _with_own(classifier, labels, output, task, decimals)
    if hasattr(obj, "predict_proba") or "sklearn" in _families(obj):
        from explain.adapters.sklearn import SklearnClassifier

        estimator = SklearnClassifier(obj, labels=labels, task=task, name=name)
        return _with_own(estimator, labels, output, task, decimals)
    if callable(obj):
        return _wrap_function(obj, labels, name, output, task or "single_label", decimals)
    raise AdapterError(
        f"{type(obj).__name__} is no classifier that can be wrapped; pass (model, tokenizer), a "
        "text-classification pipeline, a fitted scikit-learn pipeline, or a function"
    )


def _wrap_function(
    function: Callable[[list[Any]], Any],
    labels: Labels | None,
    name: str | None,
    output: Output,
    task: Task,
    decimals: int | None,
) -> FunctionClassifier:
    if labels is None:
        raise ConfigurationError(
            "a function does not know its labels; pass labels=[...], one per column"
        )
    own_name = getattr(function, "__name__", type(function).__name__)
    return FunctionClassifier(
        function, labels, name=name or own_name, output=output, task=task, decimals=decimals
    )


def _with_own(
    model: TextClassifier,
    labels: Labels | None,
    output: Output,
    task: Task | None,
    decimals: int | None,
) -> TextClassifier:
    """Return a model that knows its output and task, if nothing else was asked of it; renamed."""
    if decimals is not None:
        raise ConfigurationError(f"{model.name} tells its own decimals; leave decimals out")
    if output != "probabilities":
        raise ConfigurationError(f"{model.name} has an output of its own; leave output out")
    if task not in (None, model.task):
        raise ConfigurationError(f"{model.name} is a {model.task} model, not {task}")
    return model if labels is None else with_labels(model, labels)


def _is_pipeline(obj: object) -> bool:
    """Tell a pipeline of transformers, without importing the library."""
    return any(
        base.__name__ == "Pipeline" and base.__module__.startswith("transformers.")
        for base in type(obj).__mro__
    )


def _model_and_tokenizer(obj: Any) -> tuple[Any, Any] | None:
    """Return a pair of transformers objects, without importing the library; else None."""
    candidates = obj if isinstance(obj, tuple) else (obj,)
    if not any("transformers" in _families(candidate) for candidate in candidates):
        return None
    model, tokenizer = candidates if len(candidates) == 2 else (None, None)
    if not hasattr(model, "config") or not callable(getattr(tokenizer, "pad", None)):
        raise AdapterError(
            f"{type(obj).__name__} of transformers objects is no classifier; pass "
            "(model, tokenizer), in this order, or a text-classification pipeline"
        )
    return model, tokenizer


def _families(obj: object) -> set[str]:
    """Return the packages that the classes of an object come from."""
    return {base.__module__.partition(".")[0] for base in type(obj).__mro__}


def _is_hub_id(source: str) -> bool:
    """Tell whether a name may be sent to a hub: it is not, or nearly, one of a folder here."""
    path = Path(source)
    return bool(_HUB_ID.fullmatch(source)) and not (path.parent.exists() or _nearest(path).exists())


def _nearest(path: Path) -> Path:
    """Return a path with its first name that is not here as the nearest that is; else as it is."""
    mistyped = path
    while not mistyped.parent.is_dir():
        mistyped = mistyped.parent
    with suppress(OSError):
        names = sorted(islice((entry.name for entry in mistyped.parent.iterdir()), MOST_NAMES))
        for close in get_close_matches(mistyped.name, names):
            return mistyped.with_name(close) / path.relative_to(mistyped)
    return path


def _missing_source(path: Path) -> str:
    """Return what to do about a path that is not here."""
    kind = "file" if path.suffix in _SKLEARN_FILES else "folder"
    nearest_path = _nearest(path)
    way_out = (
        "pass a folder that save_pretrained() wrote, or the file of a saved model"
        if nearest_path == path
        else f"did you mean {str(nearest_path)!r}?"
    )
    return f"no {kind} {str(path)!r} here; {way_out} (a hub id is owner/name)"


def _download(hub_id: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(hub_id, allow_patterns=_HUB_FILES))
    except Exception as error:
        raise AdapterError(
            f"{hub_id!r} is no folder here, and the hub did not give it: {first_line(error)}"
        ) from error
