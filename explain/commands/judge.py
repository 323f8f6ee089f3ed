"""``explain judge``: other criteria for an audit that was made before."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from explain.command import exit_by_verdict, spare_output, with_debug
from explain.command_options import Language
from explain.errors import ConfigurationError
from explain.record.own_reports import require_own_reports
from explain.text.plain_marks import drawing

__all__ = ["judge"]


@with_debug
def judge(
    record: Annotated[Path, typer.Argument(help="The audit.json of an audit.")],
    config: Annotated[
        Path, typer.Option(help="An audit.toml with other [[criteria]] and [gates].")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Write the audit with its new verdicts: .json, .html, .md.")
    ] = None,
    language: Language = "en",
) -> None:
    """Judge an audit by other criteria, from what it has measured; nothing is run.

    The report says that these criteria were set after the run. Exit codes: 0, or 1 if a gating
    criterion or a finding fails the audit.
    """
    require_own_reports()
    from rich.console import Console

    import reports
    from explain.auditing.archive import read_run
    from explain.auditing.gates import gates_of, judge_again
    from explain.auditing.plan import AuditPlan
    from explain.auditing.provenance import today
    from reports.languages import speaking
    from reports.quoted import quoted_of_audit
    from reports.terminal import print_audit

    plan = AuditPlan.read(config)
    audited, log = read_run(record)
    if plan.regression_margin not in (None, audited.regression_margin):
        raise ConfigurationError(
            f"{config} states the margin {plan.regression_margin:g} for comparisons, and one that "
            "is set after the run proves nothing; leave it out"
        )
    judged = judge_again(audited, plan.criteria, gates_of(plan), today())
    if out is not None:
        reports.write_report(judged, out, log, language=language)
    words = quoted_of_audit(judged)
    with spare_output(), speaking(language), drawing(sys.stdout, *words):
        print_audit(judged, Console())
    exit_by_verdict(judged)
