"""The rendered files change only when somebody means them to."""

from collections.abc import Callable

import reports
from tests.helpers.records import audit_record, run_log

Golden = Callable[[str, str], None]


def test_audit_page_is_the_golden_one(golden: Golden) -> None:
    golden("audit.html", reports.render_html(audit_record(), run_log()))


def test_attribution_page_is_the_golden_one(golden: Golden) -> None:
    attribution = audit_record().instances[0].attributions[0]
    golden("attribution.html", reports.render_html(attribution))


def test_markdown_summary_is_the_golden_one(golden: Golden) -> None:
    golden("audit.md", reports.render_markdown(audit_record()))


def test_equal_records_give_equal_pages() -> None:
    assert reports.render_html(audit_record()) == reports.render_html(audit_record())
