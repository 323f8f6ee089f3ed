"""Runs of pytest on mutants that share what takes long to import: each is a fork of one process.

``python -m tests.helpers.forks`` reads JSON: a list of pairs of a mutation, or null, and tests.
It prints a list of pairs of the exit code and the output.
"""

import json
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from importlib import import_module

import pytest

from tests.helpers.mutate import VARIABLE

SLOW_IMPORTS = (
    "torch", "transformers.models.bert.modeling_bert", "sklearn.linear_model", "captum.attr",
    "accelerate", "hypothesis", "pydantic", "sympy",
)  # fmt: skip
"""Nothing of explain: it must be imported after it was mutated."""

OPTIONS = ("-q", "-x", "-p", "no:cacheprovider", "-p", "tests.helpers.mutate")


def outcome(mutation: str | None, tests: Sequence[str]) -> tuple[int, str]:
    """Return the exit code and the output of the tests on a mutant, or on the code as it is."""
    with tempfile.TemporaryFile("w+") as output:
        child = os.fork()
        if child == 0:
            code: int = pytest.ExitCode.INTERNAL_ERROR
            try:
                os.dup2(output.fileno(), 1)
                os.dup2(output.fileno(), 2)
                del sys.modules["tests.helpers.mutate"]
                if mutation is not None:
                    os.environ[VARIABLE] = mutation
                code = pytest.main([*OPTIONS, *tests])
            except Exception:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        _, status = os.waitpid(child, 0)
        output.seek(0)
        return os.waitstatus_to_exitcode(status), output.read()


if __name__ == "__main__":
    # Plugins may have been imported with the rest, too late for pytest to rewrite them.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for name in SLOW_IMPORTS:
        import_module(name)
    print(json.dumps([outcome(*run) for run in json.load(sys.stdin)]))
