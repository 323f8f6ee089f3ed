"""The rendered files change only when somebody means them to."""

import base64
import hashlib
import json
import re
from collections.abc import Callable

import reports
from tests.helpers.pages import unpacked
from tests.helpers.records import audit_record, run_log

Golden = Callable[[str, str], None]


def bare(page: str) -> str:
    """Return a page with the names of its style sheet and script in their place, and its data."""
    for tag, name in (("style", "report.css"), ("script", "report.js")):
        ((inlined,),) = (re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL),)
        digest = base64.b64encode(hashlib.sha256(inlined.encode()).digest()).decode()
        for own, stand_in in ((inlined, name), (f"sha256-{digest}", f"sha256 of {name}")):
            assert page.count(own) == 1, name
            page = page.replace(own, stand_in)
    return re.sub(r'(?<=octet-stream">)[^<]+', lambda data: in_lines(data.group()), page)


def in_lines(data: str) -> str:
    """Return what the script unpacks, in lines: another zlib packs it in other bytes."""
    return json.dumps(unpacked(data), indent=0)


def test_audit_page_is_the_golden_one(golden: Golden) -> None:
    golden("audit.html", bare(reports.render_html(audit_record(), run_log())))


def test_attribution_page_is_the_golden_one(golden: Golden) -> None:
    attribution = audit_record().instances[0].attributions[0]
    golden("attribution.html", bare(reports.render_html(attribution)))


def test_markdown_summary_is_the_golden_one(golden: Golden) -> None:
    golden("audit.md", reports.render_markdown(audit_record()))


def test_equal_records_give_equal_pages() -> None:
    assert reports.render_html(audit_record()) == reports.render_html(audit_record())
