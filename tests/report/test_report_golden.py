"""The rendered files change only when somebody means them to."""

import base64
import hashlib
from collections.abc import Callable

import reports
from reports.environment import templates_folder
from tests.helpers.records import audit_record, run_log

Golden = Callable[[str, str], None]


def bare(page: str) -> str:
    """Return a page with the names of its style sheet and script in their place."""
    for name in ("report.css", "report.js"):
        inlined = (templates_folder() / name).read_text(encoding="utf-8").rstrip("\n")
        digest = base64.b64encode(hashlib.sha256(inlined.encode()).digest()).decode()
        for own, stand_in in ((inlined, name), (f"sha256-{digest}", f"sha256 of {name}")):
            assert page.count(own) == 1, name
            page = page.replace(own, stand_in)
    return page


def test_audit_page_is_the_golden_one(golden: Golden) -> None:
    golden("audit.html", bare(reports.render_html(audit_record(), run_log())))


def test_attribution_page_is_the_golden_one(golden: Golden) -> None:
    attribution = audit_record().instances[0].attributions[0]
    golden("attribution.html", bare(reports.render_html(attribution)))


def test_markdown_summary_is_the_golden_one(golden: Golden) -> None:
    golden("audit.md", reports.render_markdown(audit_record()))


def test_equal_records_give_equal_pages() -> None:
    assert reports.render_html(audit_record()) == reports.render_html(audit_record())
