"""Marks on terminals that have only ASCII."""

import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest

from explain.text.plain_marks import MARKS, MarkedStream, drawing, is_plain, plain


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


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("utf-8", "{“–”}|ok >= –|… “a – b”"),
        ("ascii", r"{\u201c\u2013\u201d}|ok >= \u2013|\u2026 \u201ca \u2013 b\u201d"),
    ],
)
def test_only_what_is_drawn_is_written_in_ascii_and_words_of_users_stay(
    encoding: str, expected: str
) -> None:
    content = BytesIO()
    stream = MarkedStream(content, encoding, "backslashreplace", write_through=True)
    stream.is_plain = True
    stream.write("{“–”}|")
    with drawing(stream, "a – b"):
        stream.write("✓ ≥ –|")
    stream.write("… “a – b”")
    assert content.getvalue().decode(encoding) == expected


def test_a_path_is_printed_as_it_is_in_the_locale_c(tmp_path: Path) -> None:
    """An error names the file that it is about; the reader may want to copy it."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("LC_")}
    done = subprocess.run(
        [sys.executable, "-m", "explain.cli", "render", "a – b.json"],
        env={**known, "LC_ALL": "C"}, cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    assert "a – b.json" in done.stderr.decode()
