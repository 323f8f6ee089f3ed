"""What the files of settings in a model folder ask for, before anything reads them."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from explain.adapters.tokenizer_files import check_added, check_tokenizer_file
from explain.errors import AdapterError, UnsafeModelError

__all__ = ["ADAPTER_CONFIG", "INDEX", "WEIGHTS", "check_readable", "is_read", "read_json"]

ADAPTER_CONFIG = "adapter_config.json"
"""What tells an adapter of the peft package, which is no whole model."""

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
"""Where transformers looks for weights, in this order; an index names files for each of them."""

MOST_JSON_BYTES = 16 * 2**20
"""Size of a configuration or an index. That of a model of 400 billion weights has 0.2 MB, that of
100,000 labels 5 MB."""

MOST_TOKENIZER_BYTES = 128 * 2**20
"""Size of a file of a tokenizer. That of the largest vocabularies (a quarter of a million tokens)
has 35 MB."""

MOST_LABELS = 100_000
"""Labels of a model; extreme classification ends below that."""

MOST_LAYERS = 1_000
"""Layers of a model; the deepest published ones have about 200."""

MOST_SIZE = 2**27
"""Any other size of a configuration, such as rows of an embedding or positions."""

MOST_RANK = 4_096
"""Rank of an adapter: that of the matrices of the largest models, which it is to be far below."""

MOST_REPLICATED = 256
"""Layers that an adapter makes by repeating those of its base. peft copies them one by one, and
1,000 take minutes; the deepest published models have about 200."""

_LABELS = re.compile(r"num_labels|num_classes")
_LAYERS = re.compile(r"(^|_)layers?$|_layers_|_blocks$|^depth$")
_SIZES = re.compile(
    r"size|_dim|dim$|heads?$|experts|positions?$|embeddings$|^n_|^d_|groups|buckets|channels"
)

_RANKS = re.compile(r"r|init_r|target_r")
_NESTED = re.compile(r"\)[*+{]")
"""A repeated group, which in a pattern for names of modules can take for ever."""

_ADDED = ("additional_special_tokens", "extra_special_tokens", "added_tokens_decoder")
"""Settings of a tokenizer that add tokens."""

_TOKENIZER_FILES = re.compile(
    r"(tokenizer|vocab|merges|added_tokens|encoder|dict|tekken)\S*\.(json|txt)|bpe\.codes"
    r"|.*\.(model|spm|tiktoken|bpe)"
)
_SETTINGS_FILES = re.compile(
    r"(config|generation_config|special_tokens_map|preprocessor_config|processor_config"
    r"|quantize_config|adapter_config|tokenizer_config|chat_template)\.(json|jinja)"
    r"|.*\.index\.json"
)
"""What transformers and peft may read at the top of a folder, beside weights."""


def is_read(name: str) -> bool:
    """Tell whether a file of that name at the top of a folder is read, weights apart."""
    return bool(_SETTINGS_FILES.fullmatch(name) or _TOKENIZER_FILES.fullmatch(name))


def check_readable(path: Path) -> None:
    """Check a file at the top of a folder: its size, and, of JSON, what it asks for.

    Raises
    ------
    AdapterError
        If it is larger than those of all models that are known, states sizes beyond theirs, or is
        no JSON by its name.
    UnsafeModelError
        If it would have code run, or a file outside of the folder or a pickle opened.
    """
    size = path.stat().st_size
    is_setting = _SETTINGS_FILES.fullmatch(path.name)
    if is_read(path.name):
        most = MOST_JSON_BYTES if is_setting else MOST_TOKENIZER_BYTES
        if size > most:
            raise AdapterError(
                f"{path.name} in {str(path.parent)!r} has {size:,} bytes, at most {most:,} are "
                "read; save the model again"
            )
        if not is_setting:
            check_tokenizer_file(path)
            return
    if path.suffix != ".json" or size > MOST_JSON_BYTES:
        return
    content = read_json(path)
    for key, value in _settings(content):
        _check_setting(path, key, value)
    if path.name.endswith(".index.json"):
        _check_index(path, content)
    for key, value in _settings(content):
        if path.name == "config.json":
            _check_size(path, key, value)
        elif path.name == ADAPTER_CONFIG:
            _check_adapter(path, key, value)


def read_json(path: Path) -> Any:
    """Return what a file of JSON holds.

    Raises
    ------
    AdapterError
        If it is none.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise AdapterError(f"{path.name} is no JSON: {error}; save the model again") from error


def _settings(content: Any) -> Iterator[tuple[str, Any]]:
    """Yield names and values of all objects in a JSON value."""
    values = [content]
    while values:
        value = values.pop()
        if isinstance(value, dict):
            yield from value.items()
            values.extend(value.values())
        elif isinstance(value, list):
            values.extend(value)


def _check_setting(path: Path, key: str, value: Any) -> None:
    """Check that a setting makes nobody run code or open a file elsewhere."""
    if key == "auto_map":
        raise UnsafeModelError(
            f"{path.name} in {str(path.parent)!r} asks for remote code (auto_map), which is never "
            "run; save the model with an architecture that transformers ships"
        )
    if key in _ADDED:
        check_added(path, key, value)
    names = value.values() if isinstance(value, dict) else [value]
    if key.endswith("_implementation") and any("/" in str(name) for name in names):
        raise UnsafeModelError(
            f"{path.name} in {str(path.parent)!r} asks for code of a hub ({key} {value!r}), which "
            "is never run; remove the setting"
        )
    if key == "transformers_weights" and value not in (None, WEIGHTS, INDEX):
        raise UnsafeModelError(
            f"{path.name} in {str(path.parent)!r} asks for weights in {value!r}, expected "
            f"{WEIGHTS} or its index; save the model again"
        )
    # What an author's machine left behind is not there; of this one transformers rebuilds.
    if key.endswith("_file") and key != "special_tokens_map_file" and isinstance(value, str):
        target = path.parent / value
        inside = target.resolve().is_relative_to(path.parent.resolve())
        if not inside and target.exists():
            raise UnsafeModelError(
                f"{path.name} in {str(path.parent)!r} names a file outside of the folder ({key} "
                f"{value!r}), which is never read; remove the setting"
            )


def _check_index(path: Path, content: Any) -> None:
    """Check that an index of weights names files beside it, and one of safetensors only such."""
    of_weights = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(of_weights, Mapping):
        raise AdapterError(
            f"{path.name} in {str(path.parent)!r} holds no weight_map; save the model again"
        )
    safe = path.name.endswith(".safetensors.index.json")
    for name in dict.fromkeys(map(str, of_weights.values())):
        if not name or {PurePosixPath(name).name, PureWindowsPath(name).name} != {name}:
            raise UnsafeModelError(
                f"{path.name} in {str(path.parent)!r} names weights outside of the folder "
                f"({name!r}), which are never read; save the model again"
            )
        if safe and not name.endswith(".safetensors"):
            raise UnsafeModelError(
                f"{path.name} in {str(path.parent)!r} names weights that are no safetensors "
                f"({name!r}), which are never opened; save the model again"
            )
        if safe and not (path.parent / name).is_file():
            raise AdapterError(
                f"{path.name} in {str(path.parent)!r} names {name!r}, which is not there; "
                "save the model again"
            )


def _check_adapter(path: Path, key: str, value: Any) -> None:
    """Check that a setting of an adapter asks for no more than its share of room and time."""
    ranks = value.values() if key == "rank_pattern" and isinstance(value, dict) else [value]
    is_rank = key == "rank_pattern" or _RANKS.fullmatch(key)
    if is_rank and any(isinstance(rank, int | float) and rank > MOST_RANK for rank in ranks):
        raise AdapterError(
            f"{path.name} in {str(path.parent)!r} says {key} {value!r}, at most {MOST_RANK:,} can "
            "be loaded; mend it, or save the adapter again"
        )
    if key == "layer_replication" and _n_replicated(value) > MOST_REPLICATED:
        raise AdapterError(
            f"{path.name} in {str(path.parent)!r} repeats {_n_replicated(value):,} layers "
            f"({key}), at most {MOST_REPLICATED:,} can be made; merge the adapter and save the "
            "whole model"
        )
    if any(isinstance(text, str) and _NESTED.search(text) for text in (key, value)):
        raise AdapterError(
            f"{path.name} in {str(path.parent)!r} holds a pattern with a repeated group ({key} "
            f"{value!r}), which may never end; list the names of the modules"
        )


def _n_replicated(ranges: Any) -> int:
    """Return how many layers ranges of layers hold together; what is no range is left to peft."""
    n_layers = 0
    for layers in ranges if isinstance(ranges, list) else ():
        match layers:
            case [int(start), int(end)]:
                n_layers += max(0, end - start)
    return n_layers


def _check_size(path: Path, key: str, value: Any) -> None:
    """Check that a size in a configuration is one that models have."""
    if key in ("id2label", "label2id") and isinstance(value, dict):
        key, value = f"entries of {key}", len(value)
        most = MOST_LABELS
    elif isinstance(value, bool) or not isinstance(value, int | float):
        return
    elif _LABELS.search(key):
        most = MOST_LABELS
    elif _LAYERS.search(key):
        most = MOST_LAYERS
    elif _SIZES.search(key):
        most = MOST_SIZE
    else:
        return
    if value > most:
        raise AdapterError(
            f"{path.name} in {str(path.parent)!r} says {key} {value:,}, at most {most:,} can be "
            "loaded; mend it, or save the model again"
        )
