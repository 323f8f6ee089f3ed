"""The pictures of the documentation show the pages as they are now."""

import hashlib
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
from PIL import Image

import reports
from explain.comparison import compare
from reports.comparison import comparison_page
from reports.letter import letter_page
from tests.helpers.comparisons import audit_of
from tests.helpers.counterfactuals import counterfactual, decisive
from tests.helpers.documentation import ROOT
from tests.helpers.records import audit_record, run_log

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDER = ROOT / "docs/pictures"

SOURCES = FOLDER / "pictures.sha256"
"""What the pictures were made of: pixels differ between machines, the pages do not."""

MOST_BYTES = 150_000

COLOURS = 128
"""Of a picture: they are few on a page, and three quarters of the bytes go."""


def audit_html() -> str:
    return reports.render_html(audit_record(), run_log())


def chinese_html() -> str:
    return reports.render_html(audit_record(), run_log(), language="zh")


def letter_html() -> str:
    record = audit_record()
    row = record.instances[0]
    spans = row.attributions[0].spans
    change = counterfactual(decisive(1, n_equal=1), parts=row.parts, spans=spans)
    row = row.model_copy(update={"counterfactuals": (change,)})
    return letter_page(record.model_copy(update={"instances": (row,)}), 1)


def comparison_html() -> str:
    truth = np.arange(400) % 2
    worse = np.where(np.arange(400) < 40, 1 - truth, truth)
    return comparison_page(compare(audit_of(truth, truth), audit_of(truth, worse)))


def screen(page: "Page") -> bytes:
    return page.screenshot()


def instance(page: "Page") -> bytes:
    page.locator("#tools").wait_for()
    return page.locator("article.instance").first.screenshot()


def review(page: "Page") -> bytes:
    page.locator("#tools").wait_for()
    page.keyboard.press("r")
    page.get_by_label("Your name").fill("Ada")
    page.keyboard.press("Enter")
    return page.screenshot(clip={"x": 0, "y": 0, "width": 1110, "height": 640})


def paper(page: "Page") -> bytes:
    """Return the first sheet of what a printer gets."""
    pdfium: Any = pytest.importorskip("pypdfium2")
    sheet = BytesIO()
    pdfium.PdfDocument(page.pdf(prefer_css_page_size=True))[0].render(scale=1.5).to_pil().save(
        sheet, "png"
    )
    return sheet.getvalue()


@dataclass(frozen=True)
class Picture:
    """One picture: of which page, and of what on it."""

    name: str
    html: Callable[[], str]
    take: Callable[["Page"], bytes] = screen
    scheme: Literal["light", "dark"] = "light"
    height: int = 1070


PICTURES = (
    Picture("first-screen", audit_html),
    Picture("instance", audit_html, instance),
    Picture("review", audit_html, review),
    Picture("comparison", comparison_html, height=820),
    Picture("dark", audit_html, scheme="dark"),
    Picture("print", audit_html, paper),
    Picture("letter", letter_html, paper),
    Picture("chinese", chinese_html),
)


def digests() -> str:
    """Return the SHA-256 of each page and of its picture, as `sha256sum` writes them."""
    contents = [
        (name, data)
        for picture in PICTURES
        for name, data in (
            (f"{picture.name}.html", picture.html().encode()),
            (f"{picture.name}.png", (FOLDER / f"{picture.name}.png").read_bytes()),
        )
    ]
    return "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in contents)


def test_the_golden_pictures_are_of_the_pages(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if request.config.getoption("--update-golden"):
        browser = request.getfixturevalue("browser")
        fonts = subprocess.run(["fc-list", ":lang=zh"], capture_output=True, check=True)
        assert fonts.stdout, "the Chinese page needs a Chinese font, such as fonts-wqy-microhei"
        FOLDER.mkdir(exist_ok=True)
        for picture in PICTURES:
            path = tmp_path / f"{picture.name}.html"
            path.write_text(picture.html(), encoding="utf-8")
            page = browser.new_page(
                viewport={"width": 1110, "height": picture.height}, color_scheme=picture.scheme
            )
            page.goto(path.as_uri())
            with Image.open(BytesIO(picture.take(page))) as image:
                few = image.convert("RGB").quantize(COLOURS)
            few.save(FOLDER / f"{picture.name}.png", optimize=True)
            page.close()
        SOURCES.write_text(digests(), encoding="utf-8")
    assert SOURCES.read_text(encoding="utf-8") == digests(), (
        "the pictures in docs/pictures do not show these pages; run `make golden`, and look at them"
    )


def test_pictures_are_small_and_each_is_shown_somewhere() -> None:
    files = {path.name for path in FOLDER.glob("*.png")}
    assert files == {f"{picture.name}.png" for picture in PICTURES}
    assert all((FOLDER / name).stat().st_size < MOST_BYTES for name in files)
    pages = [*ROOT.glob("README*.md"), *(ROOT / "docs").glob("*.md")]
    text = "".join(path.read_text(encoding="utf-8") for path in pages)
    assert not [name for name in files if f"pictures/{name}" not in text]
