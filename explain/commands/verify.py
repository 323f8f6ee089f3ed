"""``explain verify``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from explain.command import FAILED, with_debug
from explain.command_options import TerminalLanguage
from explain.record.own_reports import require_own_reports
from explain.text.plain_marks import drawing

__all__ = ["verify"]

Run = Annotated[Path, typer.Argument(help="The folder that `explain audit` wrote.")]
AllowedSigners = Annotated[
    Path | None,
    typer.Option(
        help="Whose keys count, as ssh-keygen reads them. One of them must have signed then."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")]


@with_debug
def verify(
    run: Run,
    allowed_signers: AllowedSigners = None,
    language: TerminalLanguage = "en",
    as_json: AsJson = False,
) -> None:
    """Check every file of an audit, its reviews, and its signatures.

    Exit codes: 0 all is as it was left and signed, 1 something is not, 2 it cannot be checked.
    Without --allowed-signers, whose key has signed is not checked. Without a signature, somebody
    who changes a file can change the manifest with it: the hash of the manifest, which is printed,
    has to be known from elsewhere.
    """
    require_own_reports()
    from explain.review import verify as verify_folder
    from reports.languages import speaking
    from reports.quoted import quoted_in
    from reports.verification import verification_lines

    verification = verify_folder(run, allowed_signers)
    if as_json:
        print(verification.to_json())
    else:
        with speaking(language), drawing(sys.stdout, *quoted_in(verification)):
            print("\n".join(verification_lines(verification)))
    if not verification.ok:
        raise typer.Exit(FAILED)
