"""The command ``explain``."""

import json
import sys
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any

import typer

from explain.errors import (
    AdapterError,
    ConfigurationError,
    DataError,
    ExplainError,
    RecordError,
    SegmentationError,
)
from explain.record import AuditRecord, LogEntry, SystemIdentity
from explain.rendering import require_own_reports

__all__ = ["app", "main"]

FAILED, USAGE, UNUSABLE = 1, 2, 3
"""Exit codes: a check failed; usage or configuration; model or data that could not be used."""

app = typer.Typer(
    name="explain",
    help="Explain and audit text classifiers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Out = Annotated[Path, typer.Option(help="Folder for the audit.")]
Seed = Annotated[int, typer.Option(help="Same seed, same audit.")]
Methods = Annotated[str, typer.Option(help="Attribution methods, separated by commas.")]
Unit = Annotated[str, typer.Option(help="Feature: word, token, sentence, or auto (long texts).")]
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
Count = Annotated[int, typer.Option("--explain", min=0, help="How many predictions to explain.")]

DEMO_NOTICE = (
    "This model was made for this demo and is flawed on purpose: a signature leaks the label, "
    "some names are treated differently, 3 % of the labels are wrong, and it is over-confident. "
    "An audit must find these faults."
)


@app.command()
def demo(out: Out = Path("audit"), instances: Count = 30, seed: Seed = 0) -> None:
    """Audit the small model that comes with the package. It is flawed on purpose."""
    system = SystemIdentity(
        name="support-router (demo)",
        version="1",
        purpose="Routes customer messages to the team that answers them.",
        decision_affected="Which team reads a message first, and whether it is held for review.",
        out_of_scope="Anything real: model and messages are made up.",
        owner="explain-audit",
        notice=DEMO_NOTICE,
    )
    with as_file(files("explain") / "demo") as folder:
        _audit(
            folder / "model",
            folder / "messages.csv",
            out,
            label="label",
            instances=instances,
            seed=seed,
            system=system,
        )


@app.command()
def audit(
    model: Annotated[str, typer.Argument(help="Folder or file of a saved model, or a hub id.")],
    data: Annotated[Path, typer.Argument(help="Table: .csv, .tsv, .jsonl, .json or .parquet.")],
    text: Annotated[str, typer.Option(help="Column of the text.")] = "text",
    text_pair: Annotated[str | None, typer.Option(help="Column of the second text.")] = None,
    label: Annotated[str | None, typer.Option(help="Column of the given label.")] = None,
    rationale: Annotated[
        str | None, typer.Option(help="Column of the places that people marked as the reason.")
    ] = None,
    methods: Methods = "shap,lime,integrated_gradients",
    instances: Count = 50,
    unit: Unit = "word",
    seed: Seed = 0,
    out: Out = Path("audit"),
    model_option: Options = None,
    trust: Trust = None,
    allow_pickle: AllowPickle = False,
) -> None:
    """Audit a model on a table of texts, and write the report to a folder."""
    _audit(
        model,
        data,
        out,
        text=text,
        text_pair=text_pair,
        label=label,
        rationale=rationale,
        methods=[name.strip() for name in methods.split(",")],
        instances=instances,
        unit=unit,
        seed=seed,
        model_options=_model_options(model_option, trust, allow_pickle),
    )


@app.command()
def text(
    model: Annotated[str, typer.Argument(help="Folder or file of a saved model, or a hub id.")],
    text: Annotated[str, typer.Argument(help="The text to explain.")],
    text_pair: Annotated[str | None, typer.Option(help="The second text of a pair.")] = None,
    method: Annotated[str, typer.Option(help="Attribution method.")] = "shap",
    target: Annotated[str | None, typer.Option(help="Label; by default the predicted one.")] = None,
    unit: Unit = "word",
    tolerance: Annotated[
        float | None,
        typer.Option(
            help="Stop when the largest standard error is below this share of the values."
        ),
    ] = None,
    budget: Annotated[
        int | None, typer.Option(help="Most evaluations (texts scored, or gradients taken).")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Stop after so many seconds; results then vary by machine.")
    ] = None,
    seed: Seed = 0,
    model_option: Options = None,
    trust: Trust = None,
    allow_pickle: AllowPickle = False,
    html: Annotated[Path | None, typer.Option(help="Write a page as well.")] = None,
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
        load(model, **_model_options(model_option, trust, allow_pickle)),
        text if text_pair is None else (text, text_pair),
        method=method,
        target=target,
        unit=unit,
        seed=seed,
        **{name: limit for name, limit in limits.items() if limit is not None},
    )
    if html is not None:
        reports.write_html(attribution, html)
    if as_json:
        typer.echo(attribution.to_json())
    else:
        from rich.console import Console

        from reports.terminal import print_attribution

        print_attribution(attribution, Console())


@app.command()
def check_model(
    model: Annotated[str, typer.Argument(help="Folder or file of a saved model, or a hub id.")],
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

    classifier = load(model, **_model_options(model_option, trust, allow_pickle))
    conformance = check_classifier(classifier, PAIRS if pairs else None)
    if as_json:
        typer.echo(conformance.to_json())
    else:
        from rich.console import Console

        from reports.terminal import print_conformance

        print_conformance(conformance, Console())
    if not conformance.ok:
        raise typer.Exit(FAILED)


@app.command()
def render(
    record: Annotated[Path, typer.Argument(help="The audit.json of an audit.")],
    out: Annotated[Path | None, typer.Option(help="HTML file; by default beside it.")] = None,
) -> None:
    """Render the record of an audit as HTML again."""
    require_own_reports()
    import reports
    from explain.archive import read_log, read_record

    target = out or record.with_suffix(".html")
    typer.echo(reports.write_html(read_record(record), target, read_log(record.parent)))


def main() -> None:
    """Run the command; an error of the tool is one line and an exit code."""
    try:
        app()
    except ExplainError as error:
        _complain(str(error))
        sys.exit(_exit_code(error))
    except OSError as error:
        _complain(f"cannot read or write: {error}")
        sys.exit(USAGE)


def _audit(model: str | Path, data: Path, out: Path, **options: object) -> None:
    from explain.archive import write_audit
    from explain.auditing import audit

    log: list[LogEntry] = []
    record: AuditRecord = audit(model, data, log=log.append, **options)  # type: ignore[arg-type]
    page = write_audit(record, log, out)
    typer.echo(
        f"{len(record.instances):,} of {record.rows:,} rows scored, "
        f"{sum(bool(i.attributions) for i in record.instances):,} explained, "
        f"{len(record.skipped):,} skipped\n{page}"
    )


def _model_options(
    given: list[str] | None, trust: list[str] | None, allow_pickle: bool
) -> dict[str, Any]:
    """Return the options of `explain.load` that were given; a value is JSON or else text."""
    options: dict[str, Any] = {}
    for option in given or ():
        name, equals, value = option.partition("=")
        if not equals:
            raise ConfigurationError(f"--model-option {option!r} is no NAME=VALUE")
        try:
            options[name] = json.loads(value)
        except ValueError:
            options[name] = value
    if trust:
        options["trusted"] = trust
    if allow_pickle:
        options["allow_pickle"] = True
    return options


def _complain(message: str) -> None:
    """Print one line; what a terminal would act on is shown escaped."""
    line = " ".join(message.split())
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    print(f"explain: {shown}", file=sys.stderr)


def _exit_code(error: ExplainError) -> int:
    unusable = (AdapterError, DataError, RecordError, SegmentationError)
    return UNUSABLE if isinstance(error, unusable) else USAGE


if __name__ == "__main__":
    main()
