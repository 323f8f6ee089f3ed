"""``explain compare``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from explain.command import FAILED, spare_output, with_debug
from explain.commands.render import Language
from explain.errors import ConfigurationError
from explain.record.own_reports import require_own_reports

__all__ = ["compare"]


@with_debug
def compare(
    run_a: Annotated[Path, typer.Argument(help="Folder of the first audit.")],
    run_b: Annotated[Path, typer.Argument(help="Folder of the second one.")],
    out: Annotated[
        Path | None, typer.Option(help="File to write: .html, .md or .json; none by default.")
    ] = None,
    fail_on_regression: Annotated[
        str | None,
        typer.Option(
            metavar="frozen|MARGIN",
            help="Exit with 1 unless the accuracy is shown to fall by less than the margin that an "
            "audit has frozen, or than this share of the rows: 0.02 for two points.",
        ),
    ] = None,
    language: Language = "en",
) -> None:
    """Compare two audits of the same rows: two models, or one model at two dates.

    Only what differs beyond chance counts as better, worse, new or gone. The margin of
    --fail-on-regression is frozen by an audit whose plan has a margin under [compare]; another one
    is refused then. Without a frozen one a number is taken, and the report says that it was stated
    when the results were known.

    Exit codes: 0; 1 if --fail-on-regression is not met: the whole 95 % interval of the difference
    must lie above minus the margin, and with few rows it can lie on both sides; 2 if the margin or
    the models do not fit; 3 if an audit cannot be read, or no row is in both.
    """
    require_own_reports()
    from explain.auditing.archive import read_record
    from explain.comparison import compare as compare_records
    from reports.comparison import comparison_lines, write_comparison

    first, second = (read_record(run / "audit.json") for run in (run_a, run_b))
    comparison = compare_records(first, second, _margin(fail_on_regression))
    if out is not None:
        write_comparison(comparison, out, language)
    with spare_output():
        print("\n".join(comparison_lines(comparison)))
    regression = comparison.non_inferiority
    if fail_on_regression is not None and regression is not None and not regression.is_shown:
        raise typer.Exit(FAILED)


def _margin(margin: str | None) -> float | Literal["frozen"] | None:
    """Return the margin as it was stated."""
    if margin is None:
        return None
    if margin == "frozen":
        return "frozen"
    try:
        return float(margin)
    except ValueError as error:
        raise ConfigurationError(
            f"--fail-on-regression {margin!r} is neither a share such as 0.02 nor the word frozen"
        ) from error
