"""Whatever changes in the folder of an audit is named, and only good signatures count."""

import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from explain.auditing.archive import write_audit
from explain.errors import ConfigurationError, ExplainError, RecordError
from explain.record import SignOff
from explain.record.files import hash_file
from explain.review import sign, verify
from explain.review.ssh_keygen import is_as_written
from tests.helpers.records import audit_record, run_log

EDITS = 200

SIGNED = partial(sign, name="Ana", role="r", verdict="accepted", key=Path(__file__))

needs_ssh_keygen = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the keys of Ana and of a stranger, and who is allowed to sign."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ana", "stranger"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name]
        subprocess.run(command, check=True)
    public = (folder / "ana.pub").read_text()
    (folder / "allowed").write_text(f'ana@example.org namespaces="explain-audit" {public}')
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of an audit that nobody has signed."""
    table = pd.DataFrame({"id": ["a"], "row": [1], "score.x": np.zeros(1)})
    write_audit(audit_record().with_predictions(table), run_log(), tmp_path / "run")
    return tmp_path / "run"


def sign_as(keys: Path, folder: Path, name: str = "Ana Ruiz", key: str = "ana") -> Path:
    return sign(folder, name=name, role="model risk", verdict="accepted", key=keys / key)


def problems(folder: Path, allowed: Path | None = None) -> dict[str, str]:
    return {each.file: str(each.problem) for each in verify(folder, allowed).problems}


def test_an_audit_as_it_was_written_has_no_problem(folder: Path) -> None:
    found = verify(folder)
    assert found.ok
    assert found.files == len(list(folder.iterdir())) - 1
    assert found.manifest_sha256 == hash_file(folder / "manifest.json", folder).sha256
    assert not found.signatures


@needs_ssh_keygen
def test_every_edit_of_one_byte_is_named(folder: Path, keys: Path) -> None:
    sign_as(keys, folder)
    files = sorted(folder.iterdir())
    assert len(files) == 9
    draw = random.Random(0)
    for number in range(EDITS):
        path = files[number % len(files)]
        before = path.read_bytes()
        place, change = draw.randrange(len(before)), draw.randrange(1, 256)
        path.write_bytes(before[:place] + bytes([before[place] ^ change]) + before[place + 1 :])
        named = problems(folder, keys / "allowed")
        assert path.name.removesuffix(".sig") in named, (path.name, place, change)
        path.write_bytes(before)
    assert verify(folder, keys / "allowed").ok


@needs_ssh_keygen
@pytest.mark.parametrize("name", ["manifest.json", "signoff-ana-ruiz.json.sig"])
def test_no_byte_can_change_in_what_is_read_leniently(name: str, folder: Path, keys: Path) -> None:
    """White space of JSON and of base64 means nothing to who reads it."""
    sign_as(keys, folder)
    path = folder / name
    before = path.read_bytes()
    for place in [place for place, byte in enumerate(before) if byte in b" \n=" or place % 40 == 0]:
        for byte in b" \t\n":
            path.write_bytes(before[:place] + bytes([byte]) + before[place + 1 :])
            assert verify(folder).ok == (path.read_bytes() == before), (place, byte)


@pytest.mark.parametrize(
    "name", ["audit.json", "audit.html", "criteria.json", "predictions.parquet", "run.jsonl"]
)
def test_a_file_that_is_gone_is_named(name: str, folder: Path) -> None:
    (folder / name).unlink()
    assert problems(folder) == {name: "is missing"}


def test_a_folder_without_a_manifest_says_so(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    assert problems(folder) == {"manifest.json": "is missing"}


@pytest.mark.parametrize("name", ["audit2.html", ".hidden", "shards/0.json", "signoff-x.json.sig"])
def test_a_file_that_was_added_is_named(name: str, folder: Path) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("")
    assert problems(folder) == {name: "was added: the manifest does not list it"}


@pytest.mark.parametrize("kind", ["link", "folder", "fifo"])
def test_what_is_no_plain_file_is_named_and_not_opened(kind: str, folder: Path) -> None:
    path = folder / "run.jsonl"
    path.rename(folder.parent / "moved")
    if kind == "link":
        path.symlink_to(folder.parent / "moved")
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    assert problems(folder)["run.jsonl"] == "is a link, a folder or a device: it was replaced"


def test_a_manifest_reaches_no_file_outside_of_its_folder(folder: Path) -> None:
    (folder.parent / "secret").write_text("")
    path = folder / "manifest.json"
    hashes = json.loads(path.read_text())
    hashes["../secret"] = hash_file(folder.parent / "secret", folder.parent).sha256
    path.write_text(json.dumps(hashes, indent=1, sort_keys=True) + "\n")
    assert problems(folder) == {"../secret": "is not the name of a file in the folder"}


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1}', "[" * 100_000, "\ud83d"])
def test_a_manifest_that_is_none_is_named(content: str, folder: Path) -> None:
    (folder / "manifest.json").write_bytes(content.encode(errors="surrogatepass"))
    assert list(problems(folder)) == ["manifest.json"]


def test_the_log_of_an_endpoint_is_said_to_be_unprotected(folder: Path) -> None:
    (folder / "calls.sqlite").write_bytes(b"calls")
    found = verify(folder)
    assert (found.ok, found.unprotected) == (True, ("calls.sqlite",))


@needs_ssh_keygen
def test_a_signature_says_who_stands_for_the_audit(folder: Path, keys: Path) -> None:
    path = sign(
        folder,
        name="Ana Ruiz",
        role="model risk",
        verdict="accepted_with_conditions",
        conditions=("English only", "again after a year"),
        key=keys / "ana",
    )
    (signature,) = verify(folder, keys / "allowed").signatures
    assert signature.principal == "ana@example.org"
    assert signature.sign_off == SignOff.from_json(path.read_bytes())
    assert signature.sign_off.conditions == ("English only", "again after a year")
    (signature,) = verify(folder).signatures
    assert signature.principal is None


@needs_ssh_keygen
def test_ssh_keygen_alone_can_check_a_signature(folder: Path, keys: Path) -> None:
    path = sign_as(keys, folder)
    command = ["ssh-keygen", "-Y", "verify", "-n", "explain-audit", "-I", "ana@example.org"]
    command += ["-f", str(keys / "allowed"), "-s", f"{path}.sig"]
    done = subprocess.run(command, input=path.read_bytes(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@needs_ssh_keygen
def test_several_people_sign_and_one_signs_again(folder: Path, keys: Path) -> None:
    sign_as(keys, folder)
    sign_as(keys, folder, "Bo", "stranger")
    sign_as(keys, folder)
    assert [each.sign_off.name for each in verify(folder).signatures] == ["Ana Ruiz", "Bo"]


@needs_ssh_keygen
def test_a_foreign_signature_does_not_count(folder: Path, keys: Path) -> None:
    sign_as(keys, folder, key="stranger")
    named = problems(folder, keys / "allowed")
    assert "no allowed signer" in named["signoff-ana-ruiz.json"]
    assert named["manifest.json"] == "is signed by no allowed signer"


@needs_ssh_keygen
def test_a_signature_for_another_purpose_does_not_count(folder: Path, keys: Path) -> None:
    path = sign_as(keys, folder)
    (folder / f"{path.name}.sig").unlink()
    command = ["ssh-keygen", "-q", "-Y", "sign", "-n", "git", "-f", str(keys / "ana"), str(path)]
    subprocess.run(command, check=True, capture_output=True)
    assert "does not fit its signature" in problems(folder)[path.name]


@needs_ssh_keygen
def test_the_signature_of_somebody_elses_sign_off_does_not_count(folder: Path, keys: Path) -> None:
    ana, bo = sign_as(keys, folder), sign_as(keys, folder, "Bo", "stranger")
    (folder / f"{ana.name}.sig").write_bytes((folder / f"{bo.name}.sig").read_bytes())
    assert "does not fit its signature" in problems(folder)[ana.name]


@needs_ssh_keygen
def test_a_signature_of_an_older_manifest_is_named_with_its_signer(
    folder: Path, keys: Path
) -> None:
    path = sign_as(keys, folder)
    record = audit_record()
    newer = record.model_copy(update={"rows": record.rows + 1})
    table = pd.DataFrame({"id": ["a"], "row": [1], "score.x": np.zeros(1)})
    write_audit(newer.with_predictions(table), run_log(), folder)
    for allowed in (None, keys / "allowed"):
        said = problems(folder, allowed)[path.name]
        assert said.startswith("is of an older manifest: Ana Ruiz signed on ")
    sign_as(keys, folder)
    assert verify(folder, keys / "allowed").ok


@needs_ssh_keygen
def test_a_signature_that_was_removed_is_missed(folder: Path, keys: Path) -> None:
    path = sign_as(keys, folder)
    (folder / f"{path.name}.sig").unlink()
    assert problems(folder) == {f"{path.name}.sig": "is missing"}
    path.unlink()
    assert problems(folder) == {}
    assert problems(folder, keys / "allowed") == {"manifest.json": "is signed by no allowed signer"}


@needs_ssh_keygen
def test_nobody_signs_what_was_changed(folder: Path, keys: Path) -> None:
    (folder / "audit.html").write_text("all is well")
    with pytest.raises(RecordError, match=r"audit\.html was changed"):
        sign_as(keys, folder)


@needs_ssh_keygen
def test_one_cannot_sign_in_place_of_somebody_else(folder: Path, keys: Path) -> None:
    sign_as(keys, folder)
    with pytest.raises(ConfigurationError, match="somebody else"):
        sign_as(keys, folder, "ana-ruiz", "stranger")


@pytest.mark.parametrize(
    ("signed", "says"),
    [
        (partial(SIGNED, name="!"), "no letter"),
        (partial(SIGNED, name="a" * 500), "cannot be signed"),
        (partial(SIGNED, role="two\nlines"), "cannot be signed"),
        (partial(SIGNED, verdict="accepted_with_conditions"), "needs one at least"),
        (partial(SIGNED, conditions=("English only",)), "accepted_with_conditions"),
        (partial(SIGNED, key=Path("no such key")), "ssh-keygen -t ed25519"),
    ],
)
def test_what_cannot_be_signed_is_said_in_a_line(
    signed: Callable[[Path], Path], says: str, folder: Path
) -> None:
    before = sorted(folder.iterdir())
    with pytest.raises(ExplainError, match=says) as error:
        signed(folder)
    assert "\n" not in str(error.value)
    assert sorted(folder.iterdir()) == before


def test_a_folder_without_an_audit_cannot_be_signed(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="explain audit"):
        SIGNED(tmp_path)


@needs_ssh_keygen
def test_what_ssh_keygen_says_of_a_bad_key_is_passed_on(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="it said: "):
        sign(folder, name="Ana", role="r", verdict="accepted", key=folder / "audit.json")
    assert verify(folder).ok


def test_without_ssh_keygen_one_is_told_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigurationError, match="install OpenSSH"):
        sign(folder, name="Ana", role="r", verdict="accepted", key=folder / "audit.json")
    assert verify(folder).ok


def test_a_signature_in_another_layout_is_not_as_written() -> None:
    assert not is_as_written(b"-----BEGIN SSH SIGNATURE-----\nAA=A\n-----END SSH SIGNATURE-----\n")
    assert not is_as_written(b"")
