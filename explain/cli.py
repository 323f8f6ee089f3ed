"""The command ``explain``."""

import sys
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from explain import __version__
from explain.command import (
    FAILED,
    StageLines,
    exit_by_verdict,
    run,
    spare_output,
    with_debug,
)
from explain.command_options import Language, model_options_of, with_plan_options
from explain.commands import review
from explain.commands.calls import DryRun, Probe, calls_app, print_estimate
from explain.commands.compare import compare
from explain.commands.export import export
from explain.commands.judge import judge
from explain.commands.letter import letter
from explain.commands.render import Form, render
from explain.commands.verify import verify
from explain.errors import ConfigurationError, EndpointError, SpentError
from explain.record import LogEntry, SystemIdentity
from explain.record.own_reports import require_own_reports
from explain.text.plain_marks import drawing

__all__ = ["app", "main"]

app = typer.Typer(
    name="explain",
    help="Explain and audit text classifiers.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

app.command()(verify)
app.command()(compare)
app.command()(export)
app.command()(letter)
app.add_typer(review.app)
app.command()(render)
app.command()(judge)
app.add_typer(calls_app)

MODEL_HELP = "Folder or file of a saved model, a hub id, or the address of an endpoint."
UNIT_HELP = "Feature: word (the default), token, sentence, or auto (long texts)."

Out = Annotated[Path, typer.Option(help="Folder for the audit.")]
Seed = Annotated[int, typer.Option(help="Same seed, same audit.")]
Unit = Annotated[str, typer.Option(help=UNIT_HELP)]
Tolerance = Annotated[
    float | None,
    typer.Option(help="Stop when the largest standard error is below this share of the values."),
]
Budget = Annotated[
    int | None,
    typer.Option(help="Most evaluations of a text (texts scored, or gradients taken)."),
]
Options = Annotated[
    list[str] | None,
    typer.Option(
        "--model-option",
        metavar="NAME=VALUE",
        help="Option of explain.load, such as long_text=windows or task=multi_label; repeat.",
    ),
]
Trust = Annotated[
    list[str] | None, typer.Option("--trust", help="A type in a .skops file; repeat for more.")
]
AllowPickle = Annotated[
    bool, typer.Option("--allow-pickle", help="Load a pickle, which can run any code.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print the path of the report, and nothing else.")
]
Count = typer.Option("--explain", min=0, help="How many predictions to explain.")

DEMO = {
    "purpose": "Routes customer messages to the team that answers them.",
    "decision_affected": "Which team reads a message first, and whether it is held for review.",
    "out_of_scope": "Anything real: model and messages are made up.",
    "notice": "This model was made for this demo and is flawed on purpose: a signature leaks the "
    "label, some names are treated differently, 3 % of the labels are wrong, and it is "
    "over-confident. An audit must find these faults.",
}
"""What the plan of the demo says about its system; reports translate it."""


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(f"explain-audit {__version__}")
        raise typer.Exit


@app.callback()
def explain(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    """Explain and audit text classifiers."""


@app.command()
@with_debug
def demo(
    out: Out = Path("audit"),
    instances: Annotated[int, Count] = 30,
    seed: Seed = 0,
    language: Language = "en",
    quiet: Quiet = False,
) -> None:
    """Audit the small model that comes with the package. It is flawed on purpose."""
    require_own_reports()
    system = SystemIdentity(
        name="support-router (demo)", version="1", owner="explain-audit", **DEMO
    )
    with as_file(files("explain") / "demo") as folder:
        _audit(
            folder / "model",
            folder / "messages.csv",
            out,
            None,
            {"label": "label", "instances": instances, "seed": seed, "system": system},
            quiet,
            language=language,
        )


@app.command()
@with_debug
@with_plan_options
def audit(
    model: Annotated[str, typer.Argument(help=MODEL_HELP)],
    data: Annotated[Path, typer.Argument(help="Table: .csv, .tsv, .jsonl, .json or .parquet.")],
    config: Annotated[
        Path | None, typer.Option(help="An audit.toml; other options win over what it says.")
    ] = None,
    out: Out = Path("audit"),
    criteria_only: Annotated[
        bool,
        typer.Option("--criteria-only", help="Freeze the criteria in the folder, and run nothing."),
    ] = False,
    dry_run: DryRun = False,
    probe: Probe = False,
    model_option: Options = None,
    trust: Trust = None,
    allow_pickle: AllowPickle = False,
    report: Form = "short",
    language: Language = "en",
    quiet: Quiet = False,
    **plan_options: Any,
) -> None:
    """Audit a model on a table of texts, and write the report to a folder.

    The criteria of --config are frozen in criteria.json of the folder before anything is
    scored; a folder never answers to other criteria than those. --criteria-only does nothing else,
    and prints their sha256.

    Exit codes: 0 done, and nothing fails it (an inconclusive criterion is said, and does not); 1 a
    gating criterion failed, or a finding that --fail-on names stands, and nothing else; 2 usage or
    configuration, or a file that cannot be read or written; 3 model or data cannot be used, or an
    endpoint ended before the audit did; 4 what it may cost is spent (the report of what was
    measured is written); 70 an unexpected error, whose traceback --debug shows; 128 + n stopped by
    signal n, such as 130 for Ctrl+C.
    """
    if criteria_only:
        _freeze(out, config, plan_options)
        return
    options = model_options_of(model_option, trust, allow_pickle)
    if dry_run:
        print_estimate(model, data, out, config, {**plan_options, "model_options": options}, probe)
        return
    plan_options["model_options"] = options
    _audit(model, data, out, config, plan_options, quiet, report, language)


@app.command()
@with_debug
def text(
    model: Annotated[str, typer.Argument(help=MODEL_HELP)],
    text: Annotated[str, typer.Argument(help="The text to explain.")],
    text_pair: Annotated[str | None, typer.Option(help="The second text of a pair.")] = None,
    method: Annotated[str, typer.Option(help="Attribution method.")] = "shap",
    target: Annotated[str | None, typer.Option(help="Label; by default the predicted one.")] = None,
    unit: Unit = "word",
    tolerance: Tolerance = None,
    budget: Budget = None,
    seconds: Annotated[
        float | None, typer.Option(help="Stop after so many seconds; results then vary by machine.")
    ] = None,
    seed: Seed = 0,
    model_option: Options = None,
    trust: Trust = None,
    allow_pickle: AllowPickle = False,
    html: Annotated[Path | None, typer.Option(help="Write a page as well.")] = None,
    language: Language = "en",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the record, not a picture.")
    ] = False,
) -> None:
    """Explain one prediction in the terminal.

    --tolerance, --budget and --seconds are options of the method; it refuses those it cannot keep.
    """
    require_own_reports()
    import reports
    from explain.adapters import load
    from explain.attribution import attribute

    limits: dict[str, Any] = {"tolerance": tolerance, "budget": budget, "seconds": seconds}
    attribution = attribute(
        load(model, **model_options_of(model_option, trust, allow_pickle)),
        text if text_pair is None else (text, text_pair),
        method=method,
        target=target,
        unit=unit,
        seed=seed,
        **{name: limit for name, limit in limits.items() if limit is not None},
    )
    if html is not None:
        reports.write_html(attribution, html, language=language)
    if as_json:
        print(attribution.to_json())
    else:
        from rich.console import Console

        from reports.languages import speaking
        from reports.quoted import quoted_in
        from reports.terminal import print_attribution

        with speaking(language), drawing(sys.stdout, *quoted_in(attribution)):
            print_attribution(attribution, Console())


@app.command()
@with_debug
def check_model(
    model: Annotated[str, typer.Argument(help=MODEL_HELP)],
    pairs: Annotated[bool, typer.Option("--pairs", help="The model reads pairs of texts.")] = False,
    model_option: Options = None,
    trust: Trust = None,
    allow_pickle: AllowPickle = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the record, not a table.")] = False,
) -> None:
    """Check that a model can be explained; exit with 1 if a check fails."""
    require_own_reports()
    from explain.adapters import load
    from explain.testing import PAIRS, check_classifier

    classifier = load(model, **model_options_of(model_option, trust, allow_pickle))
    conformance = check_classifier(classifier, PAIRS if pairs else None)
    if as_json:
        print(conformance.to_json())
    else:
        from rich.console import Console

        from reports.quoted import quoted_in
        from reports.terminal import print_conformance

        with drawing(sys.stdout, *quoted_in(conformance)):
            print_conformance(conformance, Console())
    if not conformance.ok:
        raise typer.Exit(FAILED)


def main() -> None:
    """Run the command; an error of the tool is one line and an exit code."""
    sys.exit(run(app))


def _freeze(out: Path, config: Path | None, plan_options: Mapping[str, object]) -> None:
    from explain.auditing.archive import bind_criteria
    from explain.auditing.resolve import resolve

    plan = resolve(config, plan_options).plan
    frozen = bind_criteria(out, plan.criteria, plan.regression_margin)
    if frozen is None:
        raise ConfigurationError(
            "there are no criteria to freeze; pass a --config with [[criteria]], or a margin in "
            "[compare]"
        )
    stated = frozen.regression_margin
    margin = "" if stated is None else f", and a margin of {100 * stated:g} % for comparisons,"
    with spare_output():
        print(
            f"{len(frozen.criteria)} criteria{margin} frozen on {frozen.frozen_on} in {out}\n"
            f"{frozen.sha256}"
        )


def _audit(
    model: str | Path,
    data: Path,
    out: Path,
    config: Path | None,
    plan_options: Mapping[str, object],
    quiet: bool,
    report: Literal["short", "full"] = "short",
    language: Literal["en", "zh"] = "en",
) -> None:
    require_own_reports()
    from rich.console import Console

    from explain.adapters import is_address
    from explain.auditing.archive import bind_criteria, write_into
    from explain.auditing.resolve import resolve
    from explain.auditing.run import ENDPOINT_ENDED, audit
    from explain.engine.progress import QUIET
    from explain.record.run_folders import claimed
    from reports.languages import speaking
    from reports.quoted import quoted_of_audit
    from reports.terminal import print_audit

    QUIET.set(quiet)
    plan = resolve(config, plan_options).plan
    if is_address(model) and plan.replay is None and "calls" not in plan.load_options:
        from explain.adapters.remote import CALLS

        plan = plan.override(endpoint={**plan.endpoint, "calls": out / CALLS})
    log: list[LogEntry] = []
    stage_lines = StageLines()

    def note(entry: LogEntry) -> None:
        log.append(entry)
        if not quiet:
            stage_lines(entry)

    with claimed(out) as folder:
        frozen = bind_criteria(out, plan.criteria, plan.regression_margin)
        record = audit(model, data, config=plan, criteria=frozen, log=note)
        page = write_into(folder, record, log, report, language)
    with spare_output(), speaking(language):
        if not quiet:
            with drawing(sys.stdout, *quoted_of_audit(record)):
                print_audit(record, Console())
        print(page)
    for entry in log:
        if entry.event == ENDPOINT_ENDED:
            raise (SpentError if entry.detail["spent"] else EndpointError)(entry.detail["reason"])
    exit_by_verdict(record)


if __name__ == "__main__":
    main()
