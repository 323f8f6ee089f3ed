"""Fixtures that several test modules share."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.helpers.documentation import README, READMES
from tests.helpers.recording_page import SCREEN, RecordingPage
from tests.helpers.search import choose_search

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

    from explain.adapters.transformers import TransformersClassifier

GOLDEN = Path(__file__).parent / "golden"
SHARED = Path(os.environ.get("EXPLAIN_SHARED", Path(__file__).parents[2] / "shared"))
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")

choose_search()  # Before the tests are imported: they take their settings from it.


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that accepts what golden files hold now."""
    parser.addoption("--update-golden", action="store_true", help="rewrite what tests compare with")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Return a check that a text equals a golden file, or, with --update-golden, becomes it."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.write_bytes(text.encode())
        assert text == path.read_bytes().decode(), (
            f"{name} has changed; see tests/golden/README.md if it should have"
        )

    return check


@pytest.fixture
def readme(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Return a check that the README shows an output, or, with --update-golden, make it so."""

    def check(before: str, output: str) -> None:
        _, found, rest = README.read_text(encoding="utf-8").partition(before)
        assert found, f"the README does not show {before!r}"
        shown, fence, _ = rest.partition("```")
        if request.config.getoption("--update-golden"):
            for page in READMES:
                text = page.read_text(encoding="utf-8")
                page.write_text(text.replace(f"\n{shown}{fence}", f"\n{output}{fence}"), "utf-8")
        else:
            assert output == shown, "the README shows another output; run `make golden`"

    return check


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """Return a headless Chromium; without one the tests are skipped, but fail in CI."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not Path(CHROMIUM).exists():
        message = f"no Chromium at {CHROMIUM}; set CHROMIUM to its path"
        if "CI" in os.environ:
            pytest.fail(message)
        pytest.skip(message)
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser: "Browser") -> Iterator["BrowserContext"]:
    context = browser.new_context(viewport=SCREEN)
    yield context
    context.close()


@pytest.fixture
def recording_page(context: "BrowserContext") -> RecordingPage:
    return RecordingPage(context.new_page())


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real models and data; fail in CI where it is missing, skip elsewhere."""
    if not (SHARED / "models").is_dir():
        message = f"real models and data are missing: expected them in {SHARED}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return SHARED


@pytest.fixture(scope="session")
def sst2(shared: Path) -> "TransformersClassifier":
    from explain.adapters.transformers import TransformersClassifier

    return TransformersClassifier.from_folder(shared / "models/sst2-minilm")


@pytest.fixture(scope="session")
def nli(shared: Path) -> "TransformersClassifier":
    from explain.adapters.transformers import TransformersClassifier

    return TransformersClassifier.from_folder(shared / "models/nli-minilm")


@pytest.fixture(autouse=True, scope="session")
def _offline() -> Iterator[None]:
    """Fail any test that would reach for a model hub."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield
