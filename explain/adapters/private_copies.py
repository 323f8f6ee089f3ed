"""What belongs to the user is used through private copies: live modules and tokenizers.

A user may train or call a model, in other threads too, while it is explained. Hooks, modes and the
settings of a tokenizer are state of the object that holds them, so ours never are.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy, deepcopy
from operator import is_
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode

from explain.adapters.failures import INTERRUPTS, failure, first_line
from explain.adapters.pattern_time import is_too_long
from explain.errors import AdapterError, ExplainError, PredictionError

if TYPE_CHECKING:
    from transformers import BatchEncoding, PreTrainedTokenizerBase

__all__ = ["PrivateModule", "PrivateTokenizer"]

M = TypeVar("M", bound=torch.nn.Module)

HOOKS = (
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
)
"""Where a layer keeps its forward hooks, by ids that no two hooks share."""

OF_TORCH = frozenset(vars(torch.nn.Module()))
"""What every layer has, its mode included."""

PLAIN = (bool, int, float, str, type(None))


class PrivateModule(Generic[M]):
    """Copies of a live module in evaluation mode, one for each thread, that share its weights.

    Parameters and buffers are those of the module itself, whether they are trained in place,
    loaded, moved, or replaced. So are its forward hooks and the plain settings of its layers
    (numbers, strings, and lists of them). Its modes are not: each copy is in evaluation mode, and
    what is hooked to a copy happens in one thread only. All else is as it was at first.

    Parameters
    ----------
    module : torch.nn.Module
        The module, of which nothing is changed.
    name : str
        What it is called in errors.

    Attributes
    ----------
    template : torch.nn.Module
        What the copies are made of. It is never run, and may be changed before the first is.

    Raises
    ------
    AdapterError
        If the module cannot be copied so.
    """

    def __init__(self, module: M, name: str) -> None:
        self.original = module
        self._name = name
        self._layers = [*module.modules()]
        self._sublayers = [(*layer._modules.values(),) for layer in self._layers]
        self.template = _copy_module(module, name)
        self._threads = threading.local()

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_threads"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _threads=threading.local())

    def copy_of_thread(self) -> M:
        """Return the copy of this thread."""
        if not hasattr(self._threads, "copy"):
            module = _copy_module(self.template, self._name)
            self._threads.layers = [*module.modules()]
            self._threads.states = [_LayerState(layer) for layer in self.template.modules()]
            self._threads.copy = module
            self.follow()
        copy_of_module: M = self._threads.copy
        return copy_of_module

    def follow(self) -> M:
        """Return the copy of this thread with the hooks and settings that the module has now.

        Raises
        ------
        PredictionError
            If layers of the module were replaced.
        """
        module = self.copy_of_thread()
        states: list[_LayerState] = self._threads.states
        pairs = zip(self._layers, self._threads.layers, strict=True)
        for number, (original, layer_copy) in enumerate(pairs):
            if layer_copy.training:
                layer_copy.training = False
            if not states[number].is_unchanged(original):
                state = _LayerState(original)
                if [*map(id, state.layers)] != [*map(id, self._sublayers[number])]:
                    raise PredictionError(
                        f"layers of {self._name} were replaced after it was wrapped; wrap it again"
                    )
                _update_copy(layer_copy, original, states[number], state)
                states[number] = state
        return module

    @contextmanager
    def check_isolation(self) -> Iterator[None]:
        """Check that what is run in this block runs no layer of the module itself.

        Raises
        ------
        AdapterError
            If it does: then the copy is not one.
        """
        original_ids, thread = {*map(id, self._layers)}, threading.get_ident()
        strayed: list[torch.nn.Module] = []

        def note(layer: torch.nn.Module, _: object) -> None:
            if threading.get_ident() == thread and id(layer) in original_ids:
                strayed.append(layer)

        handle = register_module_forward_pre_hook(note)
        try:
            yield
        except ExplainError:
            # That a layer strayed is why.
            if not strayed:
                raise
        finally:
            handle.remove()
        if strayed:
            raise AdapterError(
                f"{self._name} calls a {type(strayed[0]).__name__} that is not copied with it, as "
                "a function set as its forward or hook holds it; make that a method of a class, "
                "or wrap a function that calls the model"
            )


class PrivateTokenizer:
    """A copy of a fast tokenizer, for one call at a time.

    A fast tokenizer keeps truncation and padding of the last call, and a call beside it reads them.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
        The tokenizer, of which nothing is changed.
    name : str
        What its model is called in errors.

    Raises
    ------
    AdapterError
        If it cannot be copied.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", name: str) -> None:
        self.original = tokenizer
        self._name = name
        self._n_tokens = len(tokenizer)
        self._lock = threading.Lock()
        self._too_slow: str | None = None
        try:
            self._copy = deepcopy(tokenizer)
        except Exception as error:
            raise AdapterError(
                f"the tokenizer of {name} cannot be copied ({first_line(error)}), and its settings "
                "would be shared with other calls of it; wrap a function that calls the model"
            ) from error

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())

    def __deepcopy__(self, memo: dict[int, Any]) -> "PrivateTokenizer":
        return self

    def __call__(self, *sides: Sequence[str] | str, **options: Any) -> "BatchEncoding":
        """Return what the tokenizer says, cut on the side that it cuts now.

        Raises
        ------
        PredictionError
            If tokens were added to it, it raises what is no `Exception`, or it has taken far too
            long before.
        """
        if len(self.original) != self._n_tokens:
            raise PredictionError(
                f"the tokenizer of {self._name} has {len(self.original)} tokens, and had "
                f"{self._n_tokens} when it was wrapped; wrap it again"
            )
        if self._too_slow is not None:
            raise PredictionError(self._too_slow)
        with self._lock:
            started = time.monotonic()
            if self._copy.truncation_side != self.original.truncation_side:
                self._copy.truncation_side = self.original.truncation_side
            try:
                encoded: BatchEncoding = self._copy(*sides, **options)
            except (Exception, *INTERRUPTS):
                raise
            except BaseException as error:
                raise failure(f"the tokenizer of {self._name}", error) from error
            finally:
                self._note_time(sides, time.monotonic() - started)
        return encoded

    def _note_time(self, sides: Sequence[Sequence[str] | str], seconds: float) -> None:
        """Have all further calls fail where one took far too long: nothing can stop one."""
        n_characters = sum(len(text) for side in sides for text in side)
        if is_too_long(n_characters, seconds):
            self._too_slow = (
                f"the tokenizer of {self._name} took {seconds:,.0f} seconds for {n_characters:,} "
                "characters, and is asked nothing more; pass the one that it was trained with"
            )


class _SharedTensors(TorchFunctionMode):
    """Let a copy of an object hold the very tensors that the object holds."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func is torch.Tensor.__deepcopy__:
            return args[0]
        return func(*args, **(kwargs or {}))


def _copy_module(module: M, name: str) -> M:
    """Return a copy of a module in evaluation mode that shares its tensors and hooks.

    Its layers are their own, their tables of parameters and buffers are not: what is put into one
    of them is in all copies. ``Module.eval`` is not called, as LoRA layers merge their weights
    there.
    """
    shared: dict[int, Any] = {}
    for layer in module.modules():
        attributes = vars(layer)
        hooks = [hook for kind in HOOKS for hook in attributes[kind].values()]
        for thing in (
            attributes["_parameters"],
            attributes["_buffers"],
            *attributes["_parameters"].values(),
            *hooks,
        ):
            shared[id(thing)] = thing
    try:
        with _SharedTensors():
            module_copy = deepcopy(module, shared)
    except Exception as error:
        raise AdapterError(
            f"{name} cannot be copied ({first_line(error)}), and its own layers are not touched; "
            "wrap a function that calls the model"
        ) from error
    layers, copies = [*module.modules()], [*module_copy.modules()]
    for original, layer_copy in zip(layers, copies, strict=True):
        if original._parameters and layer_copy._parameters is not original._parameters:
            raise AdapterError(
                f"a copy of {name} does not share the weights of its {type(original).__name__}, so "
                "it would not see them change; wrap a function that calls the model"
            )
        layer_copy.training = False
    return module_copy


class _LayerState:
    """What a layer held when it was looked at: its layers, forward hooks and plain settings."""

    def __init__(self, layer: torch.nn.Module) -> None:
        attributes = vars(layer)
        self._size = len(attributes)
        # Listed first: another thread may add to it.
        self._keys = [key for key in [*attributes] if key not in OF_TORCH]
        self._objects = _objects_of(attributes, self._keys)
        self.layers = (*attributes["_modules"].values(),)
        self.hooks = (*attributes["_forward_pre_hooks"], *attributes["_forward_hooks"])
        self.settings = {
            key: copy(value)
            for key, value in zip(self._keys, self._objects, strict=False)
            if _is_plain(value)
        }
        self._lists = {k: v for k, v in self.settings.items() if isinstance(v, list | set)}

    def is_unchanged(self, layer: torch.nn.Module) -> bool:
        """Tell whether the layer is as it was."""
        attributes = vars(layer)
        objects = _objects_of(attributes, self._keys)
        if len(attributes) != self._size or len(objects) != len(self._objects):
            return False
        if not all(map(is_, objects, self._objects)):
            return False
        return all(attributes[key] == value for key, value in self._lists.items())


def _objects_of(attributes: dict[str, Any], keys: Sequence[str]) -> tuple[object, ...]:
    """Return what may change of a layer, to be compared by identity: this runs before each call."""
    hooks = (*attributes["_forward_pre_hooks"], *attributes["_forward_hooks"])
    return (*map(attributes.get, keys), *attributes["_modules"].values(), *hooks)


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple | set):
        return all(isinstance(item, PLAIN) for item in value)
    return isinstance(value, PLAIN)


def _update_copy(
    layer_copy: torch.nn.Module, original: torch.nn.Module, before: _LayerState, after: _LayerState
) -> None:
    """Give a copied layer the hooks and settings that its original has now."""
    for kind in HOOKS:
        hooks_of_copy, hooks_of_original = vars(layer_copy)[kind], vars(original)[kind]
        for key in set(before.hooks) - set(hooks_of_original):
            hooks_of_copy.pop(key, None)
        hooks_of_copy.update(hooks_of_original)
    for key, value in after.settings.items():
        if key not in before.settings or before.settings[key] != value:
            vars(layer_copy)[key] = copy(value)
