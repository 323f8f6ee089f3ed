"""``explain render``: an audit again, in another format."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from explain.command import spare_output, with_debug
from explain.command_options import Language
from explain.errors import ConfigurationError
from explain.record.own_reports import require_own_reports

__all__ = ["Form", "render"]

Form = Annotated[
    Literal["short", "full"],
    typer.Option(
        help="What a printer gets of the HTML: a summary with all findings, or all of it."
    ),
]


@with_debug
def render(
    record: Annotated[Path, typer.Argument(help="The audit.json of an audit.")],
    out: Annotated[
        Path | None,
        typer.Option(help="File to write, .html, .md or .json; by default HTML beside it."),
    ] = None,
    report: Form = "short",
    language: Language = "en",
) -> None:
    """Render the record of an audit again, in the format that the name of the file says."""
    require_own_reports()
    import reports
    from explain.auditing.archive import read_run

    if out is None and record.exists() and not (record.is_file() or record.is_dir()):
        raise ConfigurationError(
            f"{str(record)!r} is no file that the report could stand beside; pass --out report.html"
        )
    audited, log = read_run(record)
    page = reports.write_report(audited, out or record.with_suffix(".html"), log, report, language)
    with spare_output():
        print(page)
