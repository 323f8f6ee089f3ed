"""``explain letter``: one explained row as a page for the person concerned."""

from pathlib import Path
from typing import Annotated

import typer

from explain.command import spare_output, with_debug
from explain.command_options import Language
from explain.commands.verify import Run
from explain.record.own_reports import require_own_reports

__all__ = ["letter"]


@with_debug
def letter(
    run: Run,
    row: Annotated[int, typer.Option(help="An explained row of the table, from 1.")],
    out: Annotated[Path, typer.Option(help="File to write, .html.")],
    contact: Annotated[
        str | None, typer.Option(help="Whom to ask; by default the owner of the system.")
    ] = None,
    decision_name: Annotated[
        str | None,
        typer.Option(help="What the decision is called; by default as the audit.toml says."),
    ] = None,
    language: Language = "en",
) -> None:
    """Write a letter for the person whose text it is: what was decided, and by which words.

    It names only words whose side the errors allow to tell, and only a change that the model has
    confirmed. It is one page of paper, and says what is not known.
    """
    require_own_reports()
    from explain.auditing.archive import read_record
    from reports.letter import write_letter

    record = read_record(run / "audit.json")
    page = write_letter(record, row, out, contact, decision_name, language)
    with spare_output():
        print(page)
