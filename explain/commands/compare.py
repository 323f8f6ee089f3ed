"""``explain compare``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from explain.command import FAILED, spare_output, with_debug
from explain.command_options import Language
from explain.errors import ConfigurationError, ExplainError
from explain.record.own_reports import require_own_reports
from explain.text.plain_marks import drawing

if TYPE_CHECKING:
    from explain.adapters.remote import Endpoint
    from explain.record import AuditRecord, Comparison

__all__ = ["compare", "compared_runs"]

AUDIT, CALLS = "audit.json", "calls.sqlite"
"""Names in the folder of an audit."""


@with_debug
def compare(
    run_a: Annotated[
        Path, typer.Argument(help="Folder of the first audit, or a calls.sqlite of an endpoint.")
    ],
    run_b: Annotated[Path, typer.Argument(help="The second one.")],
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
    config: Annotated[
        Path | None,
        typer.Option(
            help="An audit.toml with the [endpoint] of logs that do not say what was asked."
        ),
    ] = None,
    language: Language = "en",
) -> None:
    """Compare two audits of the same rows: two models, or one model at two dates.

    Two logs of calls tell whether an endpoint answers the same texts otherwise than before, by more
    than its own noise. Of two audits of an endpoint that have such logs, both are compared.

    Only what differs beyond chance counts as better, worse, new or gone. The margin of
    --fail-on-regression is frozen by an audit whose plan has a margin under [compare]; another one
    is refused then. Without a frozen one a number is taken, and the report says that it was stated
    when the results were known.

    Exit codes: 0; 1 if --fail-on-regression is not met: the whole 95 % interval of the difference
    must lie above minus the margin, and with few rows it can lie on both sides; 2 if the margin or
    the models do not fit; 3 if an audit cannot be read, or no row is in both.
    """
    require_own_reports()
    from reports.comparison import comparison_lines, write_comparison
    from reports.languages import speaking
    from reports.quoted import quoted_of_comparison

    comparison = compared_runs(run_a, run_b, _margin(fail_on_regression), config)
    if out is not None:
        write_comparison(comparison, out, language)
    words = quoted_of_comparison(comparison)
    with spare_output(), speaking(language), drawing(sys.stdout, *words):
        print("\n".join(comparison_lines(comparison)))
        if out is not None:
            print(out)
    regression = comparison.non_inferiority
    if fail_on_regression is not None and regression is not None and not regression.is_shown:
        raise typer.Exit(FAILED)


def compared_runs(
    run_a: Path, run_b: Path, margin: float | Literal["frozen"] | None, config: Path | None
) -> "Comparison":
    """Return the comparison of two audits, or of two logs of calls."""
    from explain.auditing.archive import read_record
    from explain.comparison import compare as compare_records
    from explain.comparison import drift_between
    from explain.comparison.drift import no_drift_section

    endpoint = _endpoint(config)
    audits = [run if run.name == AUDIT else run / AUDIT for run in (run_a, run_b)]
    are_logs = [_is_log(run) for run in (run_a, run_b)]
    if not any(are_logs):
        first, second = map(read_record, audits)
        if not _have_logs(run_a, run_b, first, second):
            return compare_records(first, second, margin)
        try:
            drift = drift_between(run_a, run_b, endpoint)
        except ExplainError as error:
            compared = compare_records(first, second, margin)
            section = no_drift_section(str(error))
            return compared.model_copy(update={"sections": (*compared.sections, section)})
        return compare_records(first, second, margin, drift)
    if not all(are_logs):
        raise ConfigurationError(
            f"{run_a} and {run_b} are an audit and a log of calls; compare two of one kind"
        )
    if margin is not None:
        raise ConfigurationError(
            "--fail-on-regression is about accuracy, and a log of calls has no labels; compare the "
            "folders of two audits"
        )
    from explain.comparison import compare_calls

    return compare_calls(run_a, run_b, endpoint)


def _is_log(run: Path) -> bool:
    """Tell whether a run is a log of calls, or a folder that has one and no audit."""
    if run.is_file():
        return run.name != AUDIT
    return not (run / AUDIT).is_file() and (run / CALLS).is_file()


def _have_logs(run_a: Path, run_b: Path, first: "AuditRecord", second: "AuditRecord") -> bool:
    """Tell whether two audits are of one endpoint, and have the logs of its calls."""
    addresses = {record.provenance.model.facts.get("endpoint") for record in (first, second)}
    are_of_one = len(addresses) == 1 and None not in addresses
    return are_of_one and all((run / CALLS).is_file() for run in (run_a, run_b))


def _endpoint(config: Path | None) -> "Endpoint | None":
    if config is None:
        return None
    from explain.adapters.remote import Endpoint
    from explain.auditing.plan import AuditPlan
    from explain.comparison.drift import NOWHERE

    plan = AuditPlan.read(config)
    if plan.kind is None:
        raise ConfigurationError(f"{config} has no kind under [endpoint]; write what was asked")
    return Endpoint(NOWHERE, kind=plan.kind, **plan.endpoint)


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
