"""A page in a browser, with everything that it did on its own."""

from pathlib import Path
from typing import TYPE_CHECKING

import reports
from tests.helpers.records import run_log

if TYPE_CHECKING:
    from playwright.sync_api import Dialog, Page, ViewportSize

    from explain.record import AuditRecord

SCREEN: "ViewportSize" = {"width": 1280, "height": 800}
"""The screen on which all that must be known is seen at once."""


class RecordingPage:
    """A page of a browser, with everything it did on its own."""

    def __init__(self, page: "Page") -> None:
        self.page = page
        self.events: list[str] = []
        page.on("console", lambda message: self.events.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.events.append(f"error: {error}"))
        page.on("dialog", self._dismiss)
        page.on("request", lambda request: self.events.append(f"request: {request.url}"))

    def _dismiss(self, dialog: "Dialog") -> None:
        self.events.append("dialog")
        dialog.dismiss()

    def open(self, record: "AuditRecord", folder: Path) -> "Page":
        """Write the page of `record`, and open it."""
        return self.goto(reports.write_html(record, folder / "audit.html", run_log()))

    def goto(self, path: Path) -> "Page":
        """Open a page on disk, and forget that request."""
        self.page.goto(path.as_uri())
        assert self.events.pop(0) == f"request: {path.as_uri()}"
        return self.page
