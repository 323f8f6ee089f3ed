"""How a command ends: by the exit code of its work, whatever its streams and signals do."""

import errno
import inspect
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from io import BufferedWriter, FileIO, TextIOWrapper
from types import FrameType
from typing import Annotated, Any

import typer

from explain.errors import (
    AdapterError,
    DataError,
    ExplainError,
    RecordError,
    SegmentationError,
    SpentError,
)
from explain.record import AuditRecord, LogEntry
from explain.text.plain_marks import MarkedStream, is_plain
from explain.text.redaction import message, redacted

__all__ = ["FAILED", "StageLines", "exit_by_verdict", "run", "spare_output", "with_debug"]

FAILED, USAGE, UNUSABLE, SPENT, UNEXPECTED = 1, 2, 3, 4, 70
"""Exit codes: a gating criterion, or a check of a model, failed, and nothing else; usage,
configuration, or a file or stream that cannot be read or written; model or data that could not be
used; what a run may cost is spent; an error that nobody foresaw, EX_SOFTWARE of sysexits.h."""

SIGNAL_CODE = 128
"""A run that a signal ends exits with this and the number of the signal, as shells report it."""

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
"""Signals that end a run in an orderly way; Windows lacks the last."""

STAGES = {
    "load": "model and table loaded",
    "predict": "rows scored",
    "repeats": "model asked again",
    "trust": "explanations tested",
}
"""What has been done when a stage ends; other stages are methods and checks, by their names."""

Debug = Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")]


class Stream(MarkedStream):
    """A standard stream that never ends a run: why it could not is kept as `write_error`."""

    write_error: OSError | ValueError | None = None

    def write(self, text: str, /) -> int:
        """Write a text, or keep why that failed."""
        with self._keep_error():
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Send what was written, or keep why that failed."""
        with self._keep_error():
            super().flush()

    def close(self) -> None:
        """Do no more than flush: neither a model nor the end of this object closes the stream."""
        self.flush()

    @contextmanager
    def _keep_error(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            self.write_error = self.write_error or error
            # What is still in the buffer would fail once more when the interpreter ends.
            with suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), self.fileno())

    @property
    def trouble(self) -> str | None:
        """Why output was lost; None where it was not, or where its reader wanted no more of it."""
        self.flush()
        reader_left = isinstance(self.write_error, BrokenPipeError)
        if self.write_error is None or reader_left:
            return None
        return getattr(self.write_error, "strerror", None) or str(self.write_error)


class StageLines:
    """A line on standard error for each stage of an audit, where there is no terminal for a bar."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self, entry: LogEntry) -> None:
        """Print the line of a stage that has ended."""
        if entry.seconds is None or sys.stderr.isatty():
            return
        minutes, seconds = divmod(round(time.monotonic() - self._start), 60)
        stage = STAGES.get(entry.event, entry.event.replace("_", " "))
        print(f"explain: {minutes}:{seconds:02} {stage} ({entry.seconds:.1f} s)", file=sys.stderr)


class CommandEnded(Exception):
    """Carries whatever ended a command past typer, which makes 1 of broken pipes and of EOFError.

    Attributes
    ----------
    error : BaseException
        What the command raised.
    debug : bool
        Whether its traceback was asked for.
    """

    def __init__(self, error: BaseException, debug: bool) -> None:
        super().__init__(error)
        self.error = error
        self.debug = debug


class StoppedBySignal(KeyboardInterrupt):
    """A signal asked the run to end. Nothing that catches `Exception` or `SystemExit` catches it.

    Attributes
    ----------
    signal : signal.Signals
        Which one.
    """

    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number)
        super().__init__(self.signal.name)


def exit_by_verdict(record: AuditRecord) -> None:
    """Exit with 1 where an audit fails, and say by which findings."""
    for finding in record.refused_findings:
        print(f"explain: {finding.severity} finding {finding.id}", file=sys.stderr)
    for id_ in record.gates.without(record.findings):
        print(f"explain: the accepted finding {id_} no longer occurs", file=sys.stderr)
    if record.fails:
        raise typer.Exit(FAILED)


def with_debug(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that has ``--debug`` and raises nothing but typer's exit and `CommandEnded`.

    That includes `SystemExit`: code that comes with a model may not choose how a run ends.
    """

    @wraps(command)
    def wrapper(*args: Any, debug: bool = False, **options: Any) -> None:
        try:
            command(*args, **options)
        except typer.Exit:
            raise
        except BaseException as error:
            raise CommandEnded(error, debug) from error

    signature = inspect.signature(command)
    option = inspect.Parameter(
        "debug", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Debug
    )
    parameters = [*signature.parameters.values(), option]
    wrapper.__dict__["__signature__"] = signature.replace(parameters=parameters)
    return wrapper


def run(app: typer.Typer) -> int:
    """Run an app with the arguments of the process, and return its exit code.

    An error is one line. Output that cannot be written is an error only where nothing else went
    wrong.
    """
    _fill_descriptors()
    sys.stdout = output = _stream(sys.stdout)
    sys.stderr = _stream(sys.stderr)
    with _signals():
        code = _code(app)
    if output.trouble and code == 0:
        _complain(f"cannot write to standard output: {output.trouble}")
        return USAGE
    return code


@contextmanager
def spare_output() -> Iterator[None]:
    """Print what is also in a file: if it cannot be printed, that is said and fails nothing."""
    yield
    stream = sys.stdout
    if isinstance(stream, Stream) and stream.trouble:
        _complain(f"done, but cannot write to standard output: {stream.trouble}")
        stream.write_error = None


def _code(app: typer.Typer) -> int:
    try:
        app()
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 0
    except CommandEnded as ended:
        return _report(ended.error, ended.debug)
    except BaseException as error:
        return _report(error, debug=False)
    return 0


def _report(error: BaseException, debug: bool) -> int:
    """Say in one line what ended a run, and return the exit code for it."""
    if debug:
        for line in "".join(traceback.format_exception(error)).splitlines():
            print(_escape_control(redacted(line)), file=sys.stderr)
    if isinstance(error, ExplainError):
        _complain(str(error))
        if isinstance(error, SpentError):
            return SPENT
        unusable = (AdapterError, DataError, RecordError, SegmentationError)
        return UNUSABLE if isinstance(error, unusable) else USAGE
    if isinstance(error, KeyboardInterrupt):
        number = error.signal if isinstance(error, StoppedBySignal) else signal.SIGINT
        _complain(f"stopped by {number.name}; no file is half written")
        return SIGNAL_CODE + number
    if isinstance(error, OSError):
        _complain(f"cannot read or write: {error}")
        return USAGE
    problem = message(f"{type(error).__name__}: {error}".removesuffix(": "))
    hint = "" if debug else "; run again with --debug to see where"
    _complain(f"unexpected error: {problem}{hint}")
    return UNEXPECTED


def _complain(text: str) -> None:
    """Print one line without keys."""
    print(f"explain: {_escape_control(' '.join(redacted(text).split()))}", file=sys.stderr)


def _escape_control(line: str) -> str:
    """Return a line in which what a terminal would act on is escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


def _fill_descriptors() -> None:
    """Open standard streams that were closed: the next file would get their number.

    What C code prints would go into that file.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _stream(stream: object) -> Stream:
    """Return a stream in place of a standard one, which may have been closed before the run.

    A pipe may be ASCII or cp1252: what it cannot carry is written as an escape.
    """
    if isinstance(stream, TextIOWrapper):
        stream.flush()
        own = Stream(
            stream.buffer,
            encoding=stream.encoding,
            errors="backslashreplace",
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        own.is_plain = is_plain(stream.encoding, os.environ)
        return own
    nowhere = Stream(BufferedWriter(FileIO(os.devnull, "w")), "utf-8", "backslashreplace")
    nowhere.write_error = OSError(errno.EBADF, os.strerror(errno.EBADF))
    return nowhere


@contextmanager
def _signals() -> Iterator[None]:
    """Have signals raise `StoppedBySignal` once, unless they are ignored, as by nohup."""
    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    handled_signals = [
        number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN
    ]

    def forget() -> None:
        for number in handled_signals:
            signal.signal(number, signal.SIG_DFL)

    def stop(number: int, frame: FrameType | None) -> None:
        forget()
        raise StoppedBySignal(number)

    for number in handled_signals:
        signal.signal(number, stop)
    try:
        yield
    finally:
        forget()
