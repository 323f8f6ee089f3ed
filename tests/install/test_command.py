"""A command ends with the exit code of its work, whatever streams, signals and models do.

The codes are those that the README states: 0 done, 1 a gate failed and nothing else, 2 usage or
what cannot be read or written, 3 model or data, 4 a budget that is spent, 70 unexpected, 128 + n
signal n.
"""

import os
import pickle
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import explain
from tests.helpers.command import STAGE_LINE, complaints, run_forked
from tests.helpers.failing_models import DOES, ROWS, First, Reduced, misbehaving, train_pipeline

if sys.platform == "win32":
    pytest.skip("streams and signals of POSIX", allow_module_level=True)

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
EXPLAIN = f"{sys.executable} -m explain.cli"

GATE = (
    '[[criteria]]\nmetric = "performance.accuracy"\nat_least = {}\n'
    'gating = true\nrationale = "a test"\n'
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of models, tables, configurations and one audit, for all cases."""
    folder = tmp_path_factory.mktemp("cases")
    model = train_pipeline()
    rows = frozenset(text for text, _ in ROWS)
    models = {
        "sound": model,
        "exits-in-checks": misbehaving(model, First(DOES["exits"], rows)),
        **{name: misbehaving(model, First(does)) for name, does in DOES.items()},
        **{f"{name}-loaded": Reduced(does) for name, does in DOES.items()},
    }
    for name, one in models.items():
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(one))
    (folder / "cut.pkl").write_bytes(pickle.dumps(model)[:-20])
    (folder / "rows.csv").write_text("text,label\n" + "".join(f"{t},{y}\n" for t, y in ROWS))
    (folder / "deep.json").write_text("[" * 5_000 + "]" * 5_000)
    (folder / "deep.toml").write_text("a = " + "[" * 5_000 + "]" * 5_000)
    (folder / "deep-table.toml").write_text("[" + ".".join("a" * 5_000) + "]")
    (folder / "passes.toml").write_text(GATE.format("0.5"))
    (folder / "fails.toml").write_text(GATE.format("0.5").replace("at_least", "at_most"))
    (folder / "a folder").mkdir()
    assert run(folder, f"{AUDIT} --out old").returncode == 0
    return folder


AUDIT = "audit sound.pkl rows.csv --allow-pickle --label label --explain 0 --check performance"
TEXT = "text sound.pkl 'a good film' --allow-pickle --method occlusion"
PASSES, FAILS = (f"{AUDIT} --config {name}.toml --out {name}" for name in ("passes", "fails"))
FREEZE = "audit x.pkl rows.csv --config passes.toml --criteria-only"


def run(folder: Path, arguments: str, shell: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command as a shell does; `shell` holds redirections, or variables before them.

    Without these it is a fork of this process, which takes a tenth of the time.
    """
    if not shell:
        return run_forked(*shlex.split(arguments), cwd=folder)
    variables = " ".join(word for word in shell.split() if "=" in word)
    streams = " ".join(word for word in shell.split() if "=" not in word)
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {variables} {EXPLAIN} {arguments} {streams}"],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=100,
        check=False,
    )


def with_model(name: str, command: str = AUDIT) -> str:
    return command.replace("sound.pkl", f"{name}.pkl")


FULL, CLOSED, PIPE, NONE = ">/dev/full", ">&-", "| head -0", ">&- 2>&- <&-"
ASCII, CP1252 = "PYTHONUTF8=0 PYTHONIOENCODING=ascii", "PYTHONUTF8=0 PYTHONIOENCODING=cp1252"

STREAMS = [
    (PASSES, FULL, 0, "done, but cannot write to standard output: No space left"),
    (PASSES, PIPE, 0, ""),
    (FAILS, "", 1, ""),
    (FAILS, FULL, 1, "No space left"),
    (FAILS, CLOSED, 1, "Bad file descriptor"),
    (FAILS, PIPE, 1, ""),
    (FAILS, "2>/dev/full", 1, ""),
    (FAILS, f"{NONE} {ASCII}", 1, ""),
    (TEXT, ASCII, 0, ""),
    (TEXT.replace("film", "电影🙂"), CP1252, 0, ""),
    (TEXT, PIPE, 0, ""),
    (TEXT, FULL, 2, "explain: cannot write to standard output: No space left"),
    (TEXT + " --json", CLOSED, 2, "Bad file descriptor"),
    (TEXT, "1</dev/null", 2, "Bad file descriptor"),
    ("render old/audit.json --out page.html", FULL, 0, "No space left"),
    ("render old/audit.json --out page.html", f"{PIPE} {ASCII}", 0, ""),
    ("--help", FULL, 2, "No space left"),
    ("audit --help", f"{PIPE} {ASCII}", 0, ""),
    (f"{FREEZE} --out frozen", FULL, 0, "No space left"),
    ("nonsense", "2>/dev/full", 2, ""),
    ("nonsense", NONE, 2, ""),
]

FILES = [
    (AUDIT.replace("rows.csv", "deep.json"), 3, "deep"),
    (AUDIT.replace("rows.csv", "'a folder'"), 3, "a folder"),
    (with_model("cut"), 3, "cannot be loaded"),
    (AUDIT.replace("--allow-pickle", ""), 3, "is a pickle"),
    (f"{AUDIT} --config deep.toml", 2, "nested too deep"),
    (f"{AUDIT} --config deep-table.toml", 2, "deep-table.toml"),
    (f"{AUDIT} --model-option x={'[' * 5_000}{']' * 5_000}", 2, "nested too deep"),
    (f"{AUDIT} --model-option labels={'[' * 500}{']' * 500}", 2, "labels"),
    ("render missing.json", 3, "missing.json"),
    ("render 'a folder'", 3, "a folder"),
    ("render rows.csv", 3, "not a record"),
    ("render old/audit.json --out /dev/full/page.html", 2, "cannot read or write"),
]

MODELS = [
    (with_model("exits"), 3, "raised SystemExit: 0"),
    (with_model("raises"), 3, "raised RuntimeError: of its own"),
    (with_model("eof"), 3, "raised EOFError"),
    (with_model("quits"), 3, "raised Quit: at once"),
    (with_model("exits", TEXT), 3, "raised SystemExit: 0"),
    (with_model("exits", "check-model sound.pkl --allow-pickle"), 1, ""),
    (with_model("talks", FAILS), 1, ""),
    (with_model("closes", TEXT), 0, ""),
    (with_model("closes-descriptors", FAILS), 1, ""),
    (with_model("exits-loaded"), 3, "cannot be loaded: SystemExit: 0"),
    (with_model("pipe-loaded"), 3, "cannot be loaded: BrokenPipeError"),
    (with_model("quits-loaded"), 70, "unexpected error: Quit: at once; run again with --debug"),
]

CASES = [*STREAMS, *((command, "", code, says) for command, code, says in (*FILES, *MODELS))]


def test_without_a_terminal_each_stage_has_a_line_with_the_time_that_it_took(folder: Path) -> None:
    done = run(folder, f"{with_model('sound')} --explain 1 --methods occlusion --out lines")
    assert done.returncode == 0, done.stderr
    stages = [match[1] for match in map(STAGE_LINE.match, done.stderr.splitlines()) if match]
    assert len(stages) == len(done.stderr.splitlines())
    assert stages[:4] == [
        "model and table loaded", "rows scored", "model asked again", "occlusion",
    ]  # fmt: skip


def test_quiet_prints_the_path_of_the_report_and_nothing_else(folder: Path) -> None:
    done = run(folder, f"{with_model('sound')} --explain 0 -q --out quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "quiet/audit.html\n", "")


def test_the_version_is_that_of_the_package(folder: Path) -> None:
    done = run(folder, "--version")
    assert (done.returncode, done.stdout) == (0, f"explain-audit {explain.__version__}\n")


@pytest.mark.parametrize(
    ("command", "shell", "code", "says"),
    CASES,
    ids=[f"{c.split()[0]} {i}" for i, (c, *_) in enumerate(CASES)],
)
def test_the_exit_code_is_that_of_the_work(
    folder: Path, command: str, shell: str, code: int, says: str
) -> None:
    done = run(folder, command, shell)
    assert done.returncode == code, (command[:200], shell, done.stderr)
    assert "Traceback" not in done.stdout + done.stderr
    assert says in done.stderr
    if says:
        (complaint,) = complaints(done.stderr)
        assert complaint.startswith("explain: ")


def test_debug_shows_where_an_unexpected_error_comes_from(folder: Path) -> None:
    done = run(folder, with_model("quits-loaded") + " --debug")
    assert done.returncode == 70
    assert "in quit_at_once" in done.stderr
    assert done.stderr.splitlines()[-1] == "explain: unexpected error: Quit: at once"


def test_a_model_that_ends_the_program_in_checks_loses_only_those(folder: Path) -> None:
    command = f"{with_model('exits-in-checks')} --check robustness --config passes.toml --out lost"
    done = run(folder, command)
    assert done.returncode == 0, done.stderr
    assert "40 of 40 rows scored" in done.stdout
    assert "SystemExit" in (folder / "lost/audit.json").read_text()


@contextmanager
def asleep(folder: Path, ignored: str = "") -> Iterator[subprocess.Popen[str]]:
    """Run an audit into the old folder until its model sleeps; signals may be ignored."""
    (folder / "asleep").unlink(missing_ok=True)
    command = f"trap '' {ignored}; exec" if ignored else "exec"
    process = subprocess.Popen(
        ["bash", "-c", f"{command} {EXPLAIN} {with_model('sleeps')} --out old"],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not (folder / "asleep").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_a_run_in_one_line_and_the_old_audit_stays(folder: Path, name: str) -> None:
    number = signal.Signals[name]
    before = {path.name: path.read_bytes() for path in (folder / "old").iterdir()}
    with asleep(folder) as process:
        process.send_signal(number)
        _, complaint = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert complaints(complaint) == [f"explain: stopped by {name}; no file is half written"]
    assert {path.name: path.read_bytes() for path in (folder / "old").iterdir()} == before


def test_a_signal_that_is_ignored_stays_so(folder: Path) -> None:
    with asleep(folder, ignored="HUP") as process:
        process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
