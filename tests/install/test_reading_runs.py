"""What is read of a folder is of one run, whatever another run does to it meanwhile."""

import errno
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from explain.auditing.archive import read_record, read_run, write_audit
from explain.errors import ConfigurationError, ExplainError, RecordError
from explain.record import PREDICTIONS, AuditRecord, run_folders
from explain.record.files import hash_file
from explain.record.run_folders import REVIEWS, claimed
from explain.review import import_reviews, verify
from explain.review.manifest import is_file
from tests.helpers.command import fork, run_forked
from tests.helpers.comparisons import audit_of
from tests.helpers.records import attribution, audit_record, run_log
from tests.helpers.reviews import instances, review

if sys.platform == "win32":
    pytest.skip("locks and forks of POSIX", allow_module_level=True)

RIGHT, WRONG = np.arange(40) % 2, 1 - np.arange(40) % 2


def audit(answers: NDArray[np.int64], rows: int) -> AuditRecord:
    """Return an audit that is told from another one by its rows."""
    first, *others = instances(5)
    explained = {"attributions": (attribution(*first.parts, label="positive"),)}
    shown = [first.model_copy(update=explained), *others]
    record = audit_of(RIGHT, answers, instances=shown)
    return record.model_copy(update={"rows": rows}).with_predictions(record.predictions)


OLD, NEW = audit(RIGHT, 40), audit(WRONG, 41)
BARE = AuditRecord.from_json(NEW.to_json())
"""The new audit without the predictions of all rows."""

COMMANDS = {
    "csv": "export run --to csv --out out",
    "sarif": "export run --to sarif --out out.sarif",
    "render": "render run/audit.json --out out.md",
    "compare": "compare run other --out out.json",
    "letter": "letter run --row 1 --out out.html",
    "judge": "judge run/audit.json --config plan.toml --out out.json",
    "verify": "verify run",
}


def is_of_one_run(record: AuditRecord) -> bool:
    """Tell whether the predictions of a record are those of its run."""
    answers = {40: OLD, 41: NEW}[record.rows].predictions["predicted"]
    return list(record.predictions["predicted"]) == list(answers)


def reviewed(folder: Path) -> None:
    """Have somebody review the audit of a folder."""
    report = hash_file(folder / "audit.json", folder).sha256
    lines = [review(each, report=report).to_json() for each in instances(5)]
    (folder.parent / "ana.jsonl").write_text("\n".join(lines))
    import_reviews(folder, [folder.parent / "ana.jsonl"])


@pytest.mark.parametrize("number", range(6))
def test_a_run_that_ends_between_two_files_is_read_whole(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_audit(OLD, run_log(), tmp_path)
    read, left = Path.read_bytes, number

    def read_and_end(path: Path) -> bytes:
        nonlocal left
        left -= 1
        if left == -1:
            write_audit(NEW, run_log(), tmp_path)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", read_and_end)
    record, _ = read_run(tmp_path / "audit.json")
    assert is_of_one_run(record)
    assert record == (NEW if left < 0 else OLD)


def stopped_at_move(number: int, stopped: int, goes_on: int) -> Callable[[], None]:
    """Return what has a process wait before a move of some number."""

    def patch() -> None:
        left = number
        for name in ("rename", "replace"):
            work = getattr(os, name)

            def move(*places: object, work: Callable[..., None] = work) -> None:
                nonlocal left
                left -= 1
                if left == -1:
                    os.write(stopped, b"x")
                    os.read(goes_on, 1)
                work(*places)

            setattr(os, name, move)

    return patch


@pytest.mark.parametrize("number", range(5))
def test_beside_a_run_that_moves_its_files_a_reader_reads_one_run_or_says_so(
    number: int, tmp_path: Path
) -> None:
    """The writer imports reviews: it moves three files, and the manifest last."""
    for name in ("run", "other"):
        write_audit(OLD, run_log(), tmp_path / name)
    (tmp_path / "plan.toml").write_text("[gates]\n")
    reviewed(tmp_path / "run")
    (stopped, is_stopped), (go, goes_on) = os.pipe(), os.pipe()
    first = stopped_at_move(number, is_stopped, go)
    writer = fork("review", "import", "run", "ana.jsonl", cwd=tmp_path, first=first)
    os.read(stopped, 1)
    said = {n: run_forked(*c.split(), cwd=tmp_path) for n, c in COMMANDS.items()}
    os.write(goes_on, b"x")
    assert writer.wait().returncode == 0
    for name, done in said.items():
        assert done.returncode in (0, 2), (name, done.stderr)
        if done.returncode == 2:
            assert done.stderr.startswith("explain: another run writes to 'run'"), name
            assert done.stderr.count("\n") == 1
    assert {done.returncode for done in said.values()} == {0 if number == 0 else 2}
    for descriptor in (stopped, is_stopped, go, goes_on):
        os.close(descriptor)


@pytest.mark.parametrize("name", ["criteria.json", f".criteria.json.{'0f' * 8}"])
def test_what_does_not_fit_beside_a_run_is_said_to_be_beside_one(name: str, tmp_path: Path) -> None:
    write_audit(OLD, run_log(), tmp_path)
    with claimed(tmp_path):
        assert verify(tmp_path).ok
        (tmp_path / name).write_text("{}")
        with pytest.raises(
            ConfigurationError, match=r"another run writes .* and \.?criteria.* added"
        ):
            verify(tmp_path)
    assert [problem.file for problem in verify(tmp_path).problems] == [name]


def test_beside_its_first_run_a_folder_has_no_manifest_yet(tmp_path: Path) -> None:
    with claimed(tmp_path):
        with pytest.raises(ConfigurationError, match=r"another run .* manifest\.json is missing"):
            verify(tmp_path)
        (tmp_path / "audit.json").write_text("{}")
        assert [problem.file for problem in verify(tmp_path).problems] == ["manifest.json"]


@pytest.mark.parametrize(
    "name", ["audit.json", "run.jsonl", "manifest.json", "criteria.json", "notes.txt", REVIEWS]
)
def test_no_run_that_goes_on_excuses_a_changed_file(name: str, tmp_path: Path) -> None:
    write_audit(audit_record(), run_log(), tmp_path)
    assert verify(tmp_path).ok
    with claimed(tmp_path):
        (tmp_path / name).write_text("{}")
        (tmp_path / f".criteria.json.{'0f' * 8}").write_text("{}")
        assert name in {problem.file for problem in verify(tmp_path).problems}


def test_a_file_of_others_that_keeps_growing_is_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_audit(OLD, run_log(), tmp_path)
    read = Path.read_bytes

    def read_and_log(path: Path) -> bytes:
        with (tmp_path / "server.log").open("a") as log:
            log.write("asked\n")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", read_and_log)
    assert read_run(tmp_path / "audit.json")[0] == OLD
    assert read_record(tmp_path / "audit.json") == OLD
    assert [problem.file for problem in verify(tmp_path).problems] == ["server.log"]


def test_a_person_who_signs_meanwhile_is_no_half_signature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_audit(OLD, run_log(), tmp_path)
    (tmp_path / "signoff-ana.json").write_text("{}")
    calls = iter([True])

    def look_and_sign(path: Path) -> bool:
        is_there = is_file(path)
        if path.name == "signoff-ana.json.sig" and next(calls, False):
            path.write_text("signed")
        return is_there

    monkeypatch.setattr("explain.review.verification.is_file", look_and_sign)
    (problem,) = verify(tmp_path).problems
    assert str(problem.problem).startswith("does not fit its signature")


@pytest.mark.parametrize("content", ["{", "{}\n", "[" * 100_000, "\n"])
def test_a_foreign_log_beside_a_record_does_not_keep_it_from_being_read(
    content: str, tmp_path: Path
) -> None:
    write_audit(OLD, run_log(), tmp_path)
    (tmp_path / "run.jsonl").write_text(content)
    assert read_record(tmp_path / "audit.json") == OLD
    with pytest.raises(RecordError, match=r"run\.jsonl' is not the log .*; move it elsewhere"):
        read_run(tmp_path / "audit.json")


def test_files_that_a_run_keeps_aside_are_no_part_of_the_audit(tmp_path: Path) -> None:
    write_audit(OLD, run_log(), tmp_path)
    with claimed(tmp_path):
        (tmp_path / ".staged-0123").mkdir()
        (tmp_path / ".staged-0123/audit.json").write_text("{")
        assert verify(tmp_path).ok
        assert is_of_one_run(read_record(tmp_path / "audit.json"))


def test_half_moved_files_in_a_folder_that_cannot_be_written_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_audit(OLD, run_log(), tmp_path)
    (tmp_path / ".whole").mkdir()

    def fail(folder: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(run_folders, "_made_folders", fail)
    for read in (lambda: read_record(tmp_path / "audit.json"), lambda: verify(tmp_path)):
        with pytest.raises(ConfigurationError, match=r"Read-only file system; make the folder"):
            read()


def test_what_runs_go_on_changing_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_audit(OLD, run_log(), tmp_path)
    read, rows = Path.read_bytes, iter(range(10_000))

    def read_and_end(path: Path) -> bytes:
        content = read(path)
        if path.name == "audit.json":
            write_audit(OLD.model_copy(update={"rows": next(rows)}), run_log(), tmp_path)
        return content

    monkeypatch.setattr(Path, "read_bytes", read_and_end)
    with pytest.raises(ExplainError, match="other runs keep moving files"):
        read_record(tmp_path / "audit.json")


def test_files_that_only_the_old_audit_had_go_with_it_and_reviews_stay(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_audit(OLD, run_log(), run)
    reviewed(run)
    (run / "notes.txt").write_text("mine")
    work = (run / REVIEWS).read_bytes()
    write_audit(BARE, run_log(), run)
    names = {path.name for path in run.iterdir()}
    assert not names & {PREDICTIONS, "reviewed.json", "reviewed.html"}
    assert (run / REVIEWS).read_bytes() == work
    said = {problem.file: str(problem.problem) for problem in verify(run).problems}
    assert said.keys() == {REVIEWS, "notes.txt"}
    assert said[REVIEWS].endswith("move it elsewhere")
    assert not read_record(run / "audit.json").has_predictions


def test_reviews_of_the_old_audit_are_moved_away_and_new_ones_come(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_audit(OLD, run_log(), run)
    reviewed(run)
    write_audit(NEW, run_log(), run)
    with pytest.raises(RecordError, match=r"reviews\.jsonl was added: .*; move it elsewhere"):
        reviewed(run)
    (run / REVIEWS).rename(tmp_path / "before.jsonl")
    reviewed(run)
    assert verify(run).ok


def test_a_file_of_the_old_audit_that_somebody_changed_stays(tmp_path: Path) -> None:
    write_audit(OLD, run_log(), tmp_path)
    (tmp_path / PREDICTIONS).write_bytes(b"mine")
    write_audit(BARE, run_log(), tmp_path)
    assert (tmp_path / PREDICTIONS).read_bytes() == b"mine"


@pytest.mark.parametrize("number", range(8))
def test_a_run_killed_at_a_move_removes_them_when_it_is_finished(
    number: int, tmp_path: Path
) -> None:
    """Reviews are exported after the audit was replaced: never those of the old one."""
    write_audit(OLD, run_log(), tmp_path / "run")
    reviewed(tmp_path / "run")
    pid = os.fork()
    if not pid:
        left = number
        for name in ("rename", "replace", "unlink"):
            work = getattr(os, name)

            def move(*places: object, work: Callable[..., None] = work, **options: object) -> None:
                nonlocal left
                left -= 1
                if left == -1:
                    os._exit(9)
                work(*places, **options)

            setattr(os, name, move)
        write_audit(BARE, run_log(), tmp_path / "run")
        os._exit(0)
    os.waitpid(pid, 0)
    record = read_record(tmp_path / "run/audit.json")
    is_new = record.rows == 41
    assert record.has_predictions != is_new
    assert (tmp_path / "run/reviewed.json").exists() != is_new
    problems = {problem.file for problem in verify(tmp_path / "run").problems}
    assert problems == ({REVIEWS} if is_new else set())
    shutil.rmtree(tmp_path / "run")
