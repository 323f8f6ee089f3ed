"""``explain review``: what people add to an audit."""

from pathlib import Path
from typing import Annotated

import typer

from explain.command import spare_output, with_debug
from explain.command_options import Language
from explain.commands.verify import Run
from explain.errors import DataError
from explain.record import SignOffVerdict
from explain.record.own_reports import require_own_reports

__all__ = ["app"]

app = typer.Typer(name="review", help="Import reviews of predictions, and sign an audit.")


@app.command("import")
@with_debug
def import_(
    run: Run,
    reviews: Annotated[list[Path], typer.Argument(help="Files that the page of the audit saved.")],
    language: Language = "en",
) -> None:
    """Merge reviews into an audit, and write its report with them: reviewed.html.

    What a reviewer said last of an instance counts. Lines of another report or text are refused and
    named, and the exit code is 3 then; the others are merged. The page of the audit stays without
    reviews, so that no reviewer sees what another one says.
    """
    require_own_reports()
    from explain.review import import_reviews
    from reports.languages import speaking
    from reports.verification import imported_line

    imported = import_reviews(run, reviews, language)
    reviewers = {line.reviewer for line in imported.lines}
    with spare_output(), speaking(language):
        print(imported_line(len(imported.lines), len(reviewers)))
        print(imported.page)
    if imported.refused:
        first, n = imported.refused[0], len(imported.refused)
        raise DataError(
            f"{n} {'line is' if n == 1 else 'lines are'} refused, and the others are merged; the "
            f"first, line {first.line} of {first.file!r}: {first.reason}"
        )


@app.command()
@with_debug
def sign(
    run: Run,
    name: Annotated[str, typer.Option(help="Who signs.")],
    role: Annotated[str, typer.Option(help="As what they sign.")],
    verdict: Annotated[SignOffVerdict, typer.Option(help="What they make of the audit.")],
    key: Annotated[
        Path,
        typer.Option(help="Their SSH key: the private one, or the public one of an agent's."),
    ],
    conditions: Annotated[
        list[str] | None,
        typer.Option(help="What the verdict depends on; repeat for several."),
    ] = None,
) -> None:
    """Sign an audit with an SSH key, which never leaves its place.

    The sign-off names the manifest by its hash, and so every file of the folder. It and its
    signature are written beside the audit; `explain verify` checks both.
    """
    from explain.review import sign as sign_audit

    path = sign_audit(
        run, name=name, role=role, verdict=verdict, conditions=tuple(conditions or ()), key=key
    )
    with spare_output():
        print(path)
