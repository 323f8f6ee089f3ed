"""A pytest plugin that changes one line of a module while it is imported.

``MUTANT="module|before|after" python -m pytest -p tests.helpers.mutate ...``
"""

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import NamedTuple

__all__ = ["VARIABLE", "Mutation"]

VARIABLE = "MUTANT"
"""Environment variable that holds the mutation, as `Mutation.text` writes it."""


class Mutation(NamedTuple):
    """A snippet of a module's source and what stands there instead."""

    module: str
    before: str
    after: str

    @property
    def text(self) -> str:
        """The mutation as one line."""
        return "|".join(self)

    def mutated(self, source: str) -> str:
        """Return the source with the snippet changed.

        Raises
        ------
        ValueError
            If the snippet is not there exactly once.
        """
        if (times := source.count(self.before)) != 1:
            raise ValueError(
                f"{self.module} holds {self.before!r} {times} times, expected once; "
                "change the mutation along with the code"
            )
        return source.replace(self.before, self.after)


class _Loader(SourceFileLoader):
    """Compiles the mutated source; cached bytecode is neither read nor written."""

    def __init__(self, mutation: Mutation, path: str) -> None:
        super().__init__(mutation.module, path)
        self.mutation = mutation

    def get_code(self, fullname: str) -> CodeType:
        source = self.mutation.mutated(self.get_data(self.path).decode())
        return compile(source, self.path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    def __init__(self, mutation: Mutation) -> None:
        self.mutation = mutation

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of the module that is mutated, and of no other."""
        if fullname != self.mutation.module:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(self.mutation, spec.origin)
        return spec


if VARIABLE in os.environ:
    _mutation = Mutation(*os.environ[VARIABLE].split("|"))
    if _mutation.module in sys.modules:
        raise RuntimeError(f"{_mutation.module} was imported before it could be mutated")
    sys.meta_path.insert(0, _Finder(_mutation))
