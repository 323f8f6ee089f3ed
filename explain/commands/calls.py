"""What calls of an endpoint would cost, and ``explain calls``: what the log of them holds."""

import gzip
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Annotated

import typer

from explain.command import with_debug
from explain.errors import ConfigurationError
from explain.record.files import require_place
from explain.text.redaction import redacted

__all__ = ["DryRun", "Probe", "calls_app", "print_estimate"]

calls_app = typer.Typer(
    name="calls",
    help="Show what was sent to an endpoint, and what came back.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Calls = Annotated[
    Path, typer.Argument(metavar="CALLS_OR_RUN", help="A calls.sqlite, or the folder of an audit.")
]


DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Say what an endpoint would be asked, and what that costs; send none."
    ),
]
Probe = Annotated[
    bool, typer.Option("--probe", help="With --dry-run: time three calls, which are paid.")
]


@calls_app.command()
@with_debug
def export(
    calls: Calls,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write, .jsonl or .jsonl.gz; by default standard output."),
    ] = None,
) -> None:
    """Write every attempt as a line of JSON: request, answer, time, tokens, and how it ended.

    The lines hold the texts of the table, unless the log was kept with log_texts=hash; only you can
    read the file.
    """
    from explain.adapters.remote import exported_calls

    lines = exported_calls(calls)
    if out is None:
        for line in lines:
            print(line)
        return
    with _private(out) as file:
        for line in lines:
            file.write(line + "\n")


@calls_app.command()
@with_debug
def stats(
    calls: Calls,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Sum up calls, tokens, cost and seconds, and say which models answered."""
    from explain.adapters.remote import call_stats

    sums = call_stats(calls)
    if as_json:
        single = ("seconds", "sizes", "tokens_of_answers")
        print(json.dumps({k: v for k, v in asdict(sums).items() if k not in single}))
        return
    for line in sums.lines():
        print(redacted(line))


def print_estimate(
    model: str,
    data: Path,
    out: Path,
    config: Path | None,
    plan_options: Mapping[str, object],
    probe: bool,
) -> None:
    """Print what an audit of an endpoint would cost.

    Parameters
    ----------
    model, data, out, config, plan_options
        As ``explain audit`` takes them.
    probe : bool
        Whether three texts are sent to measure time and tokens.
    """
    from explain.adapters import is_address

    if not is_address(model):
        raise ConfigurationError(
            "--dry-run is for an address; a model that runs here costs nothing"
        )
    from explain.adapters.remote import CALLS
    from explain.auditing.dry_run import estimate_cost

    calls = out / CALLS
    estimate = estimate_cost(model, data, config=config, calls=calls, probe=probe, **plan_options)
    for line in estimate.lines():
        print(redacted(line))


@contextmanager
def _private(path: Path) -> Iterator[IO[str]]:
    """Give a text file that only its owner can read, packed if its name says so.

    An old file of that name stays until the new one is whole.
    """
    require_place(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, 0o600)

    try:
        with open(temporary, "xb", opener=opener) as raw:
            if path.suffix == ".gz":
                with gzip.open(raw, "wt", encoding="utf-8") as packed:
                    yield packed
            else:
                with open(raw.fileno(), "w", encoding="utf-8", closefd=False) as plain:
                    yield plain
            raw.flush()
            os.fsync(raw.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
