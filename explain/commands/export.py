"""``explain export``."""

from pathlib import Path
from typing import Annotated

import typer

from explain.command import spare_output, with_debug
from explain.command_options import Language
from explain.commands.verify import Run
from explain.record.own_reports import require_own_reports
from explain.record.run_folders import read_steadily
from reports.exports import ExportFormat

__all__ = ["export"]


@with_debug
def export(
    run: Run,
    to: Annotated[ExportFormat, typer.Option(help="Format.")],
    out: Annotated[Path, typer.Option(help="File to write; of csv and mlflow a folder.")],
    language: Language = "en",
) -> None:
    """Write an audit in the format of another tool, with its reviews if there are any.

    coverage-table, ll144 and dsa help to find evidence for laws and standards. They are no
    statement of compliance, and say NOT EVIDENCED where this audit measured nothing.
    What other programs read (csv, junit, sarif, mlflow) is in English whatever --language says.
    """
    require_own_reports()
    from explain.auditing.archive import read_record
    from reports.exports import write_export

    reviewed = run / "reviewed.json"
    record = read_steadily(
        run, lambda: read_record(reviewed if reviewed.is_file() else run / "audit.json")
    )
    write_export(record, to, out, language)
    with spare_output():
        print(out)
