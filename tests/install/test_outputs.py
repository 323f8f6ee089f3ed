"""Every command that writes: on a full disk, killed, beside another one, of folders that are none.

Commands are forks of this process, so that each takes a tenth of a second.
"""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

import explain
from explain.auditing.archive import write_audit
from explain.record.files import hash_file
from explain.review import verify
from explain.text.plain_marks import plain
from reports.exports import ExportFormat
from tests.helpers.command import fork, run_forked
from tests.helpers.comparisons import audit_of
from tests.helpers.endpoint import QUESTIONS, Server
from tests.helpers.records import audit_record, run_log
from tests.helpers.reviews import instances, review

if sys.platform == "win32" or shutil.which("ssh-keygen") is None:
    pytest.skip("forks of POSIX, and ssh-keygen", allow_module_level=True)

TRUTH = np.arange(40) % 2
SIGN = "review sign good --name Ana --role r --verdict accepted --key key"

TOGETHER = {
    "import": "review import good bo.jsonl",
    "sign": SIGN,
    "csv": "export good --to csv --out out-csv",
    "mlflow": "export good --to mlflow --out out-mlflow",
}
"""What writes several files, by name."""

OUTPUTS = {
    **TOGETHER,
    "letter": "letter explained --row 1 --out letter.html",
    "calls": "calls export logged --out calls.jsonl.gz",
    **{f"compare {e}": f"compare good other --out diff.{e}" for e in ("html", "md", "json")},
    **{f"render {e}": f"render good/audit.json --out page.{e}" for e in ("html", "md", "json")},
    **{
        f"judge {e}": f"judge good/audit.json --config plan.toml --out judged.{e}"
        for e in ("html", "json")
    },
    **{
        to: f"export good --to {to} --out out-{to}"
        for to in get_args(ExportFormat)
        if to not in TOGETHER
    },
}
BY_DAY = (*TOGETHER, "letter", "compare html", "calls")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of audits, reviews, a key and a plan; tests work on copies."""
    made = tmp_path_factory.mktemp("made")
    write_audit(audit_of(TRUTH, TRUTH, instances=instances(5)), run_log(), made / "good")
    write_audit(audit_of(TRUTH, TRUTH), run_log(), made / "other")
    write_audit(audit_record(), run_log(), made / "explained")
    report = hash_file(made / "good/audit.json", made).sha256
    for name in ("Ana", "Bo"):
        lines = [review(each, reviewer=name, report=report).to_json() for each in instances(5)]
        (made / f"{name.lower()}.jsonl").write_text("\n".join(lines))
    (made / "plan.toml").write_text(
        '[[criteria]]\nmetric = "performance.accuracy"\nat_least = 0.5\nrationale = "a test"\n'
    )
    subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", made / "key"], check=True)
    (made / "empty").mkdir()
    (made / "file").write_text("x")
    server = Server("systemone")
    explain.load(
        "https://endpoint.test",
        kind="systemone",
        transport=server.transport,
        calls=made / "logged/calls.sqlite",
        **QUESTIONS["systemone"],
    ).predict(["good", "bad"])
    record = json.loads((made / "good/audit.json").read_text())
    for name, content in BROKEN.items():
        shutil.copytree(made / "good", made / name)
        (made / name / "audit.json").write_bytes(content)
    shutil.copytree(made / "good", made / "schema")
    (made / "schema/audit.json").write_text(json.dumps(record | {"schema_version": 1}))
    return made


BROKEN = {"cut": b'{"a": ', "list": b"[1, 2]", "deep": b"[" * 100_000, "binary": b"\xff\0"}


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


def files(folder: Path) -> dict[str, bytes | None]:
    """Return what lies in a folder, by path; None for a folder.

    What SQLite keeps beside a log that is read is no output.
    """
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if not path.name.endswith(("-shm", "-wal"))
    }


def from_call(number: int, name: str, does: Callable[[], object]) -> Callable[[], None]:
    """Return what has a function of `os` do something else from a call of some number on."""

    def patch() -> None:
        work, left = getattr(os, name), number

        def patched(*args: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                does()
            return work(*args, **options)

        setattr(os, name, patched)

    return patch


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    "earlier", [True, pytest.param(False, marks=pytest.mark.nightly)], ids=["old", "new"]
)
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in BY_DAY else pytest.mark.nightly) for n in OUTPUTS]
)
def test_on_a_full_disk_nothing_changes(name: str, earlier: bool, folder: Path) -> None:
    """At each write: one line, the code of what cannot be written, and all files as before."""
    if earlier:
        assert run_forked(*OUTPUTS[name].split(), cwd=folder).returncode == 0
    before, done = files(folder), None
    for number in range(20):
        full_from_here = from_call(number, "fsync", full)
        done = run_forked(*OUTPUTS[name].split(), cwd=folder, first=full_from_here)
        if done.returncode == 0:
            break
        assert (done.returncode, done.stderr) == (
            2, "explain: cannot read or write: [Errno 28] No space left on device\n",
        )  # fmt: skip
        assert files(folder) == before, number
    assert number > 0
    assert done is not None
    assert done.returncode == 0


@pytest.mark.parametrize("name", TOGETHER)
def test_a_command_killed_between_two_files_is_finished_by_the_next(
    name: str, folder: Path
) -> None:
    assert run_forked("review", "import", "good", "ana.jsonl", cwd=folder).returncode == 0
    arguments = OUTPUTS[name].split()
    for number in range(10):
        code = run_forked(*arguments, cwd=folder, first=_kill_at_move(number)).returncode
        if name in ("import", "sign"):
            found = verify(folder / "good")
            assert found.ok, (number, found.problems)
            assert len(found.signatures) in (0, name == "sign")
        if code == 0:
            break
        assert code == 9
        again = run_forked(*arguments, cwd=folder)
        assert (again.returncode, again.stderr) == (0, "")
        assert not [path for path in files(folder) if "/.whole" in path or "/.staged" in path]
    assert number > 1


def _kill_at_move(number: int) -> Callable[[], None]:
    def patch() -> None:
        for name in ("rename", "replace"):
            from_call(number, name, lambda: os._exit(9))()

    return patch


INTERLEAVINGS = [
    pytest.param(writer, other, number, marks=pytest.mark.nightly if number else ())
    for writer in ("import", "sign")
    for other in ("import", "sign", "csv", "audit", "ana")
    for number in (0, 2)
]
"""Who writes, who comes in between, and after how many moves."""


@pytest.mark.parametrize(("writer", "other", "number"), INTERLEAVINGS)
def test_of_two_commands_at_once_one_waits_for_the_other_or_is_refused(
    writer: str, other: str, number: int, folder: Path
) -> None:
    commands = {**OUTPUTS, "audit": "audit nothing nothing --out good"}
    commands["ana"] = "review import good ana.jsonl"
    stopped, goes_on = (os.pipe() for _ in range(2))

    def stop() -> None:
        os.write(stopped[1], b"x")
        os.read(goes_on[0], 1)

    def patch() -> None:
        from_call(number, "fsync", once(stop))()

    first = fork(*commands[writer].split(), cwd=folder, first=patch)
    os.read(stopped[0], 1)
    second = run_forked(*commands[other].split(), cwd=folder)
    os.write(goes_on[1], b"x")
    done = first.wait()
    for end in (*stopped, *goes_on):
        os.close(end)
    assert (done.returncode, done.stderr) == (0, "")
    if other == "csv":
        assert (second.returncode, second.stderr) == (0, "")
    else:
        assert second.returncode == 2
        assert second.stderr.startswith("explain: another run writes to 'good'; wait for its end")
    assert verify(folder / "good").ok
    assert verify(folder / "good").signatures or writer != "sign"


def once(does: Callable[[], object]) -> Callable[[], None]:
    """Return a function that does something when it is called first."""
    calls: Iterator[bool] = iter([True])

    def call() -> None:
        if next(calls, False):
            does()

    return call


def of(run: str) -> dict[str, tuple[str, int]]:
    """Return commands on a folder that holds no readable audit, and their exit codes."""
    is_folder, has_manifest = (
        run not in ("nowhere", "file"),
        run not in ("nowhere", "file", "empty"),
    )
    changed = 3 if has_manifest else 2
    return {
        **{f"export {to}": (f"export {run} --to {to} --out o", 3) for to in get_args(ExportFormat)},
        "compare": (f"compare {run} good", 2 if run == "file" else 3),
        "compare second": (f"compare good {run} --out o.md", 2 if run == "file" else 3),
        "render": (f"render {run}/audit.json --out o.html", 3),
        "letter": (f"letter {run} --row 1 --out o.html", 3),
        "judge": (f"judge {run}/audit.json --config plan.toml --out o.json", 3),
        "import": (f"review import {run} ana.jsonl", changed),
        "sign": (SIGN.replace("good", run), changed),
        "verify": (f"verify {run}", 1 if is_folder else 2),
        "calls export": (f"calls export {run} --out o.jsonl", 2),
        "calls stats": (f"calls stats {run}", 2),
    }


RUNS = ("nowhere", "empty", "file", "schema", *BROKEN)

UNREADABLE = [
    pytest.param(run, name, marks=() if place % len(RUNS) == at else pytest.mark.nightly)
    for at, run in enumerate(RUNS)
    for place, name in enumerate(of(run))
]


@pytest.mark.parametrize(("run", "name"), UNREADABLE)
def test_what_is_no_audit_is_one_line_and_the_exit_code_that_is_documented(
    run: str, name: str, folder: Path
) -> None:
    command, code = of(run)[name]
    before = files(folder)
    done = run_forked(*command.split(), cwd=folder)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    if code != 1:
        assert done.stderr.startswith("explain: ")
        assert done.stderr.count("\n") == 1
    assert files(folder) == before


CHINESE = "compare good other --language zh"
SAYS_IT_ALL = ("verify good", "calls stats logged", "calls export logged")
"""What is said is all that these do."""

COMMANDS = (*(OUTPUTS[name] for name in BY_DAY if name != "calls"), CHINESE, *SAYS_IT_ALL)


@pytest.mark.parametrize("command", COMMANDS)
def test_output_that_is_lost_is_said_and_undoes_no_work(command: str, folder: Path) -> None:
    done = run_forked(*command.split(), cwd=folder, first=lambda: None)
    with open("/dev/full", "w") as full_device:
        lost = run_forked(
            *command.split(), cwd=folder, first=lambda: os.dup2(full_device.fileno(), 1)
        )
    assert done.returncode == 0
    assert lost.returncode == (2 if command in SAYS_IT_ALL else 0)
    assert "cannot write to standard output: No space left" in lost.stderr
    assert lost.stderr.count("\n") == 1
    reader, writer = os.pipe()
    os.close(reader)
    unread = run_forked(*command.split(), cwd=folder, first=lambda: os.dup2(writer, 1))
    os.close(writer)
    assert (unread.returncode, unread.stderr) == (0, "")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize("command", [CHINESE, "verify good", OUTPUTS["letter"]])
def test_what_a_stream_has_no_letters_for_is_written_as_escapes(
    command: str, encoding: str, folder: Path
) -> None:
    wide = run_forked(*command.split(), cwd=folder).stdout
    done = run_forked(*command.split(), cwd=folder, encoding=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    drawn = wide if command == OUTPUTS["letter"] else plain(wide)
    assert done.stdout == drawn.encode(encoding, "backslashreplace").decode(encoding)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("output", BY_DAY)
def test_a_signal_before_the_first_file_is_whole_changes_nothing(
    output: str, name: str, folder: Path
) -> None:
    number, before = signal.Signals[name], files(folder)
    stopped = from_call(0, "fsync", once(lambda: os.kill(os.getpid(), number)))
    done = run_forked(*OUTPUTS[output].split(), cwd=folder, first=stopped)
    assert done.returncode == 128 + number
    assert done.stderr == f"explain: stopped by {name}; no file is half written\n"
    assert files(folder) == before


def test_a_sign_off_holds_no_key(folder: Path) -> None:
    key = "sk-abc123DEF456ghi789"
    who = ("--name", "Ana", "--role", key, "--verdict", "accepted_with_conditions", "--key", "key")
    done = run_forked("review", "sign", "good", *who, "--conditions", f"not {key}", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert verify(folder / "good").ok
    said = run_forked("verify", "good", cwd=folder).stdout
    assert "condition: not [secret removed]" in said
    assert not [name for name, content in files(folder).items() if content and b"DEF456" in content]
