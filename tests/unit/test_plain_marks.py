"""Marks on terminals that have only ASCII."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from explain.text.plain_marks import MARKS, is_plain, plain


def test_every_mark_has_an_ascii_form_and_letters_stay() -> None:
    assert plain("".join(MARKS)).isascii()
    assert plain("naïve 名字 שלום") == "naïve 名字 שלום"


@pytest.mark.parametrize(
    ("encoding", "environment", "expected"),
    [
        ("utf-8", {}, False),
        ("utf-8", {"LANG": "de_DE.UTF-8"}, False),
        ("utf-8", {"LANG": "C.UTF-8"}, False),
        ("utf-8", {"LANG": "C"}, True),
        ("utf-8", {"LANG": "C", "LC_CTYPE": "C.UTF-8"}, True),
        ("utf-8", {"LANG": "C", "LC_CTYPE": "en_US.UTF-8"}, False),
        ("utf-8", {"LANG": "en_US.UTF-8", "LC_ALL": "POSIX"}, True),
        ("ascii", {"LANG": "en_US.UTF-8"}, True),
        ("cp1252", {}, True),
    ],
)
def test_a_terminal_is_plain_by_its_encoding_or_by_a_locale_that_was_set(
    encoding: str, environment: dict[str, str], expected: bool
) -> None:
    assert is_plain(encoding, environment) is expected


@pytest.mark.parametrize("setting", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}])
def test_a_command_prints_ascii_and_no_escape_on_such_a_terminal(
    setting: dict[str, str], tmp_path: Path
) -> None:
    known = {name: value for name, value in os.environ.items() if not name.startswith("LC_")}
    done = subprocess.run(
        [sys.executable, "-m", "explain.cli", "verify", str(tmp_path)],
        env={**known, **setting}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.stdout.isascii()
    assert done.stdout.startswith(b"x 1 problem")
    assert b"\\u" not in done.stdout
