"""What belongs to the user is used through private copies: live modules and tokenizers.

A user may train or call a model, in other threads too, while it is explained. Hooks, modes and the
settings of a tokenizer are state of the object that holds them, so ours never are.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy, deepcopy
from operator import is_
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode

from explain.adapters.failures import INTERRUPTS, failure, first_line
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
        self._below = [(*layer._modules.values(),) for layer in self._layers]
        self.template = _copied(module, name)
        self._threads = threading.local()

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_threads"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _threads=threading.local())

    def here(self) -> M:
        """Return the copy of this thread."""
        if not hasattr(self._threads, "copy"):
            mine = _copied(self.template, self._name)
            self._threads.layers = [*mine.modules()]
            self._threads.seen = [_Look(layer) for layer in self.template.modules()]
            self._threads.copy = mine
            self.follow()
        found: M = self._threads.copy
        return found

    def follow(self) -> M:
        """Return the copy of this thread with the hooks and settings that the module has now.

        Raises
        ------
        PredictionError
            If layers of the module were replaced.
        """
        mine = self.here()
        seen: list[_Look] = self._threads.seen
        pairs = zip(self._layers, self._threads.layers, strict=True)
        for number, (theirs, ours) in enumerate(pairs):
            if ours.training:
                ours.training = False
            if not seen[number].holds(theirs):
                now = _Look(theirs)
                if [*map(id, now.layers)] != [*map(id, self._below[number])]:
                    raise PredictionError(
                        f"layers of {self._name} were replaced after it was wrapped; wrap it again"
                    )
                _give(ours, theirs, seen[number], now)
                seen[number] = now
        return mine

    @contextmanager
    def probed(self) -> Iterator[None]:
        """Check that what is run in this block runs no layer of the module itself.

        Raises
        ------
        AdapterError
            If it does: then the copy is not one.
        """
        own, thread = {*map(id, self._layers)}, threading.get_ident()
        strayed: list[torch.nn.Module] = []

        def note(layer: torch.nn.Module, _: object) -> None:
            if threading.get_ident() == thread and id(layer) in own:
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
            If tokens were added to it, or it raises what is no `Exception`.
        """
        if len(self.original) != self._n_tokens:
            raise PredictionError(
                f"the tokenizer of {self._name} has {len(self.original)} tokens, and had "
                f"{self._n_tokens} when it was wrapped; wrap it again"
            )
        with self._lock:
            if self._copy.truncation_side != self.original.truncation_side:
                self._copy.truncation_side = self.original.truncation_side
            try:
                encoded: BatchEncoding = self._copy(*sides, **options)
            except (Exception, *INTERRUPTS):
                raise
            except BaseException as error:
                raise failure(f"the tokenizer of {self._name}", error) from error
        return encoded


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


def _copied(module: M, name: str) -> M:
    """Return a copy of a module in evaluation mode that shares its tensors and hooks.

    Its layers are their own, their tables of parameters and buffers are not: what is put into one
    of them is in all copies. ``Module.eval`` is not called, as LoRA layers merge their weights
    there.
    """
    shared: dict[int, Any] = {}
    for layer in module.modules():
        own = vars(layer)
        hooks = [hook for kind in HOOKS for hook in own[kind].values()]
        for thing in (own["_parameters"], own["_buffers"], *own["_parameters"].values(), *hooks):
            shared[id(thing)] = thing
    try:
        with _SharedTensors():
            twin = deepcopy(module, shared)
    except Exception as error:
        raise AdapterError(
            f"{name} cannot be copied ({first_line(error)}), and its own layers are not touched; "
            "wrap a function that calls the model"
        ) from error
    layers, copies = [*module.modules()], [*twin.modules()]
    for theirs, ours in zip(layers, copies, strict=True):
        if theirs._parameters and ours._parameters is not theirs._parameters:
            raise AdapterError(
                f"a copy of {name} does not share the weights of its {type(theirs).__name__}, so "
                "it would not see them change; wrap a function that calls the model"
            )
        ours.training = False
    return twin


class _Look:
    """What a layer held when it was looked at: its layers, forward hooks and plain settings."""

    def __init__(self, layer: torch.nn.Module) -> None:
        own = vars(layer)
        self._size = len(own)
        # Listed first: another thread may add to it.
        self._keys = [key for key in [*own] if key not in OF_TORCH]
        self._held = _held(own, self._keys)
        self.layers = (*own["_modules"].values(),)
        self.hooks = (*own["_forward_pre_hooks"], *own["_forward_hooks"])
        self.settings = {
            key: copy(value)
            for key, value in zip(self._keys, self._held, strict=False)
            if _is_plain(value)
        }
        self._lists = {k: v for k, v in self.settings.items() if isinstance(v, list | set)}

    def holds(self, layer: torch.nn.Module) -> bool:
        """Tell whether the layer is as it was."""
        own = vars(layer)
        held = _held(own, self._keys)
        if len(own) != self._size or len(held) != len(self._held):
            return False
        if not all(map(is_, held, self._held)):
            return False
        return all(own[key] == value for key, value in self._lists.items())


def _held(own: dict[str, Any], keys: Sequence[str]) -> tuple[object, ...]:
    """Return what may change of a layer, to be compared by identity: this runs before each call."""
    hooks = (*own["_forward_pre_hooks"], *own["_forward_hooks"])
    return (*map(own.get, keys), *own["_modules"].values(), *hooks)


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple | set):
        return all(isinstance(item, PLAIN) for item in value)
    return isinstance(value, PLAIN)


def _give(ours: torch.nn.Module, theirs: torch.nn.Module, before: _Look, now: _Look) -> None:
    """Give a copied layer the hooks and settings that its original has now."""
    for kind in HOOKS:
        own, new = vars(ours)[kind], vars(theirs)[kind]
        for key in set(before.hooks) - set(new):
            own.pop(key, None)
        own.update(new)
    for key, value in now.settings.items():
        if key not in before.settings or before.settings[key] != value:
            vars(ours)[key] = copy(value)
