"""What a printer gets: all that must be on paper, whole, on few pages."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import reports
from explain.errors import ConfigurationError
from tests.helpers.paper import missing_of, paper_of
from tests.helpers.records import attribution, audit_record, hostile_record, run_log

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, ViewportSize

    from explain.record import AuditRecord

A4_INSIDE_MARGINS: "ViewportSize" = {"width": 688, "height": 1001}
"""CSS pixels of A4 within the margins of the style sheet, 14 and 16 mm."""

CUT_TEXTS = """() => {
  const cut = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.data.trim() || node.parentElement.closest("script, style, title, desc, .sr, .skip")) {
      continue;
    }
    const range = document.createRange();
    range.selectNodeContents(node);
    if ([...range.getClientRects()].some((box) => box.right > innerWidth + 1)) cut.push(node.data);
  }
  return cut;
}"""


def _many_methods() -> "AuditRecord":
    """Return an audit with an instance that seven methods explain."""
    record = audit_record()
    instance = record.instances[0]
    (text,) = instance.parts
    explained = tuple(
        attribution(text, method=f"another_method_{number}", errors=(0.125,) * 12)
        for number in range(7)
    )
    changed = instance.model_copy(update={"attributions": explained, "agreements": ()})
    return record.model_copy(update={"instances": (changed,)})


RECORDS = {"audit": audit_record(), "hostile": hostile_record(), "many methods": _many_methods()}


def _on_paper(browser: "Browser", path: Path) -> "Page":
    page = browser.new_page(viewport=A4_INSIDE_MARGINS)
    page.emulate_media(media="print")
    page.goto(path.as_uri())
    return page


@pytest.mark.parametrize("form", ["short", "full"])
@pytest.mark.parametrize("name", RECORDS)
def test_no_text_is_cut_at_the_right_edge_of_the_paper(
    name: str, form: reports.PrintedForm, browser: "Browser", tmp_path: Path
) -> None:
    page = _on_paper(
        browser, reports.write_html(RECORDS[name], tmp_path / "audit.html", run_log(), form)
    )
    assert page.evaluate(CUT_TEXTS) == []
    page.close()


def test_the_short_form_has_every_finding_criterion_limit_and_the_signature(
    browser: "Browser", tmp_path: Path
) -> None:
    record = audit_record()
    page = _on_paper(browser, reports.write_html(record, tmp_path / "audit.html"))
    printed = page.locator("body").inner_text()
    page.close()
    for finding in record.findings:
        assert finding.claim in printed
        assert finding.suggestion in printed
    for criterion in record.criteria:
        assert criterion.title in printed
        assert criterion.reason in printed
    for skipped in record.skipped:
        assert skipped.reason in printed
    for section in record.sections:
        assert (section.skipped or section.summary) in printed
    for figure in (figure for section in record.sections for figure in section.figures):
        assert figure.title in printed
    assert "Signature" in printed
    assert "a valueless kiddie" not in printed
    assert "Kendall" not in printed


def test_the_full_form_has_the_instances_the_tables_and_the_glossary_too(
    browser: "Browser", tmp_path: Path
) -> None:
    record = audit_record()
    page = _on_paper(browser, reports.write_html(record, tmp_path / "audit.html", (), "full"))
    printed = page.locator("body").inner_text()
    page.close()
    for said in ("a valueless kiddie", "Confident errors", "Kendall", "model.safetensors"):
        assert said in printed


def test_what_must_be_on_paper_is_within_its_margins_on_few_sheets(
    browser: "Browser", tmp_path: Path
) -> None:
    record = audit_record()
    paper = paper_of(browser, reports.write_html(record, tmp_path / "audit.html"))
    assert missing_of(record, paper) == []
    assert paper.beyond == ""
    assert paper.sheets <= 5


def test_what_is_not_on_paper_or_reaches_into_its_margin_is_seen(
    browser: "Browser", tmp_path: Path
) -> None:
    record = audit_record()
    path = reports.write_html(record, tmp_path / "audit.html")
    page = path.read_text(encoding="utf-8")
    claim = record.findings[0].claim
    path.write_text(page.replace(claim.split()[-1], ""), "utf-8")
    assert missing_of(record, paper_of(browser, path)) == [claim]
    path.write_text(page.replace("<style>", "<style> "), "utf-8")  # Of another hash: not applied.
    assert paper_of(browser, path).beyond != ""


def test_no_other_printed_form_is_taken() -> None:
    other: Any = "long"
    with pytest.raises(ConfigurationError, match="printed short or full, not 'long'"):
        reports.render_html(audit_record(), (), other)
