"""An audit folder holds one whole audit, whatever happens while the next one is written."""

import errno
import hashlib
import json
import multiprocessing
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import reports
from explain.auditing.archive import read_log, read_record, write_audit
from explain.errors import ConfigurationError
from explain.record import AuditRecord
from explain.record.files import write_whole
from explain.record.run_folders import claimed
from tests.helpers.records import audit_record, run_log

OLD = audit_record().model_copy(update={"criteria": ()})
NEW = OLD.model_copy(update={"rows": OLD.rows + 1})

POINTS = range(20)
"""Writes at which a disk is full, and moves at which a process is killed; there are fewer."""


def fits(folder: Path) -> bool:
    """Tell whether the manifest of a folder is there and fits its files."""
    path = folder / "manifest.json"
    if not path.is_file():
        return False
    manifest = json.loads(path.read_text())
    assert set(manifest) >= {"audit.html", "audit.json", "attributions.jsonl", "run.jsonl"}
    return all(
        (folder / name).is_file()
        and hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha256
        for name, sha256 in manifest.items()
    )


def whole(folder: Path) -> AuditRecord:
    """Return the record of a folder, all of whose files are of the same audit."""
    record = read_record(folder / "audit.json")
    assert fits(folder)
    assert (folder / "audit.html").read_text() == reports.render_html(record, read_log(folder))
    return record


class Stops:
    """A function that does its work until a call of some number, and fails from there on."""

    def __init__(self, work: Callable[..., Any], number: int, error: BaseException) -> None:
        self.work, self.left, self.error = work, number, error

    def __call__(self, *args: Any, **options: Any) -> Any:
        # A full disk can still be read.
        self.left -= "rb" not in (*args, *options.values())
        if self.left < 0:
            raise self.error
        return self.work(*args, **options)


@contextmanager
def failing(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, number: int, error: BaseException
) -> Iterator[Stops]:
    with monkeypatch.context() as patch:
        stops = Stops(getattr(owner, name), number, error)
        patch.setattr(owner, name, lambda *args, **options: stops(*args, **options))
        yield stops


@pytest.mark.parametrize("number", POINTS)
@pytest.mark.parametrize("call", ["fsync", "mkdir", "open"])
def test_a_full_disk_leaves_the_old_audit_as_it_was(
    number: int, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_audit(OLD, run_log(), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    owner: object = Path if call == "open" else os
    full = OSError(errno.ENOSPC, "No space left on device")
    with failing(monkeypatch, owner, call, number, full) as stops, suppress(OSError):
        write_audit(NEW, run_log(), tmp_path)
    if stops.left < 0:
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    else:
        assert whole(tmp_path) == NEW


@pytest.mark.parametrize("number", POINTS)
def test_a_first_audit_on_a_full_disk_leaves_nothing(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with failing(monkeypatch, os, "fsync", number, full) as stops, suppress(OSError):
        write_audit(OLD, run_log(), tmp_path / "a/b")
    assert (tmp_path / "a").exists() == (stops.left >= 0)


class Killed(BaseException):
    """Stands for the end of a process, after which none of its handlers run."""


def killed_at(number: int, folder: Path) -> None:
    """Write an audit, and end the process before the move of some number."""
    left = number

    def before(work: Callable[..., None]) -> Callable[..., None]:
        def move(*args: Any, **options: Any) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                os._exit(9)
            work(*args, **options)

        return move

    for name in ("replace", "rename", "fsync"):
        setattr(os, name, before(getattr(os, name)))
    write_audit(NEW, run_log(), folder)
    os._exit(0)


@pytest.mark.parametrize("number", POINTS)
def test_a_killed_run_leaves_the_old_audit_or_the_new_one(number: int, tmp_path: Path) -> None:
    write_audit(OLD, run_log(), tmp_path)
    process = multiprocessing.get_context("fork").Process(target=killed_at, args=(number, tmp_path))
    process.start()
    process.join()
    as_left = fits(tmp_path) and AuditRecord.from_json((tmp_path / "audit.json").read_bytes())
    record = whole(tmp_path)
    assert record in (OLD, NEW)
    assert as_left in (False, OLD, NEW)
    assert process.exitcode == 9 or record == NEW
    write_audit(OLD, run_log(), tmp_path)
    assert whole(tmp_path) == OLD
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_second_run_in_a_folder_is_refused_at_once(tmp_path: Path) -> None:
    with claimed(tmp_path / "out"):
        with pytest.raises(ConfigurationError, match="another run writes to"):
            write_audit(NEW, run_log(), tmp_path / "out")
        assert not (tmp_path / "out/audit.json").exists()
    write_audit(OLD, run_log(), tmp_path / "out")
    assert whole(tmp_path / "out") == OLD


def test_many_runs_at_once_leave_one_whole_audit(tmp_path: Path) -> None:
    records = [OLD.model_copy(update={"rows": n}) for n in range(20)]
    refused = []

    def write(record: AuditRecord) -> None:
        try:
            write_audit(record, run_log(), tmp_path)
        except ConfigurationError:
            refused.append(record)

    threads = [threading.Thread(target=write, args=(record,)) for record in records]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert whole(tmp_path) in records
    assert len(refused) < len(records)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o027, 0o077])
def test_files_have_the_permissions_that_the_umask_leaves(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        write_audit(audit_record(), run_log(), tmp_path / "out")
        reports.write_html(OLD, tmp_path / "page.html")
    finally:
        os.umask(before)
    for path in (*(tmp_path / "out").iterdir(), tmp_path / "page.html"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask, path.name


@pytest.mark.parametrize("place", ["file", "file/below", "full"])
def test_a_place_that_cannot_be_written_is_found_before_the_run(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    if place == "full":
        monkeypatch.setattr(os, "fsync", Stops(os.fsync, 0, OSError(errno.ENOSPC, "full")))
    with pytest.raises(OSError, match=r"exists|directory|full"), claimed(tmp_path / place):
        pytest.fail("the run began")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_command_tries_its_folder_before_it_loads_anything(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with claimed(tmp_path / "taken"):
        for out, says in (("file/below", "Not a directory"), ("taken", "another run writes to")):
            done = subprocess.run(
                [sys.executable, "-m", "explain.cli", "audit", "no model", "no rows", "--out", out],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )
            assert (done.returncode, done.stderr.count("\n")) == (2, 1)
            assert says in done.stderr


def test_a_failed_write_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "page").write_text("old")
    with failing(monkeypatch, os, "replace", 0, Killed()), pytest.raises(Killed):
        write_whole(tmp_path / "page", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["page"]
    assert (tmp_path / "page").read_text() == "old"


def test_the_page_is_written_beside_and_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = reports.write_html(OLD, tmp_path / "page.html").read_bytes()
    with failing(monkeypatch, os, "fsync", 0, OSError(errno.ENOSPC, "full")), suppress(OSError):
        reports.write_html(NEW, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_bytes() == page
