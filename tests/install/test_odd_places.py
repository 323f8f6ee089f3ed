"""Pipes, devices, sockets, loops of links and folders, where a command expects a plain file."""

import os
import shutil
import stat
import sys
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from explain.auditing.archive import write_audit
from explain.record.files import plain_bytes
from tests.helpers.command import fork, run_forked
from tests.helpers.comparisons import audit_of
from tests.helpers.records import run_log
from tests.helpers.reviews import instances

if sys.platform == "win32":
    pytest.skip("pipes and forks of POSIX", allow_module_level=True)

ODD = ("fifo", "loop", "folder", "", "file/below", "a\nb", "x" * 300)

INPUTS = {
    "render": ("render {} --out o.html", 3),
    "judge": ("judge {} --config plan.toml", 3),
    "plan": ("judge run/audit.json --config {}", 2),
    "import": ("review import run {}", 3),
    "calls": ("calls stats {}", 2),
    "compare": ("compare run {}", 3),
    "signers": ("verify run --allowed-signers {}", 2),
    "missing signers": ("verify run --allowed-signers nowhere", 2),
}

OUTPUTS = {
    "sarif": "export run --to sarif --out {}",
    "xlsx": "export run --to xlsx --out {}",
    "render": "render run/audit.json --out {}.html",
    "compare": "compare run run --out {}.html",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("made")
    truth = np.arange(40) % 2
    write_audit(audit_of(truth, truth, instances=instances(5)), run_log(), made / "run")
    (made / "plan.toml").write_text("[gates]\n")
    (made / "file").write_text("x")
    for ending in ("", ".html"):
        os.mkfifo(made / f"fifo{ending}")
        (made / f"folder{ending}").mkdir()
        os.symlink("/proc/self/fd/1", made / f"stream{ending}")
    os.symlink("loop", made / "loop")
    return made


@pytest.mark.parametrize("odd", ODD, ids=[odd[:9] for odd in ODD])
@pytest.mark.parametrize("name", INPUTS)
def test_what_is_no_plain_file_is_refused_in_a_line(name: str, odd: str, made: Path) -> None:
    command, code = INPUTS[name]
    done = run_forked(*(part.replace("{}", odd) for part in command.split()), cwd=made)
    assert done.stderr.startswith("explain: ")
    assert done.stderr.count("\n") == 1
    assert done.returncode in ((2, 3) if name in ("compare", "calls") else (code, 2))


PIPED = {
    "render": ("render /dev/fd/9 --out {}/o.html", "run/audit.json"),
    "stdin": ("render /dev/stdin --out {}/o.html", "run/audit.json"),
    "judge": ("judge /proc/self/fd/9 --config plan.toml --out {}/o.json", "run/audit.json"),
    "plan": ("judge run/audit.json --config /dev/fd/9", "plan.toml"),
}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs the descriptors of Linux")
@pytest.mark.parametrize("is_named", [False, True])
@pytest.mark.parametrize("name", PIPED)
def test_a_pipe_that_the_shell_opened_is_read_to_its_end(
    name: str, is_named: bool, made: Path, tmp_path: Path
) -> None:
    """As of ``<(...)``; of a named one the writer may have ended, and no second one comes."""
    command, source = PIPED[name]
    content = (made / source).read_bytes()
    if is_named:
        os.mkfifo(tmp_path / "pipe")
        reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
        writing = os.open(tmp_path / "pipe", os.O_WRONLY)
        os.set_blocking(reading, True)
    else:
        reading, writing = os.pipe()

    def write() -> None:
        with open(writing, "wb") as stream:
            stream.write(content)

    thread = Thread(target=write)

    def first() -> None:
        os.close(writing)
        os.dup2(reading, 0 if name == "stdin" else 9)

    forked = fork(*command.format(tmp_path).split(), cwd=made, first=first)
    thread.start()
    done = forked.wait()
    thread.join()
    os.close(reading)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs the descriptors of Linux")
def test_a_report_of_a_pipe_needs_the_name_of_a_file(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    done = run_forked("render", f"/proc/{os.getpid()}/fd/{reading}", cwd=tmp_path)
    os.close(reading)
    os.close(writing)
    assert done.returncode == 2
    assert done.stderr.endswith("stand beside; pass --out report.html\n")
    assert done.stderr.count("\n") == 1


def test_a_pipe_without_end_is_read_up_to_the_limit() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"x" * 11)
    with pytest.raises(OSError, match="more than 10 bytes"):
        plain_bytes(Path(f"/dev/fd/{reading}"), 10)
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("odd", ["fifo", "folder", "stream"])
@pytest.mark.parametrize("name", OUTPUTS)
def test_no_pipe_folder_or_stream_is_replaced_by_a_file(
    name: str, odd: str, made: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(made / "run", folder / "run")
    place = folder / OUTPUTS[name].rpartition(" ")[2].replace("{}", odd)
    if odd == "fifo":
        os.mkfifo(place)
    elif odd == "folder":
        place.mkdir()
    else:
        place.symlink_to("/proc/self/fd/1")
    before = stat.S_IFMT(place.lstat().st_mode)
    arguments = [part.replace("{}", odd) for part in OUTPUTS[name].split()]
    done = run_forked(*arguments, cwd=folder)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert stat.S_IFMT(place.lstat().st_mode) == before
    assert {path.name for path in folder.iterdir()} == {"run", place.name}
