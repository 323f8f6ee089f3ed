"""Packages that only some kinds of model need."""

from importlib import import_module
from types import ModuleType

from explain.errors import AdapterError

__all__ = ["import_extra"]


def import_extra(package: str, extra: str) -> ModuleType:
    """Return a package that comes with an extra of this one.

    Raises
    ------
    AdapterError
        If it is not installed.
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise AdapterError(
            f'this kind of model needs the package {package}; pip install "explain-audit[{extra}]"'
        ) from error
