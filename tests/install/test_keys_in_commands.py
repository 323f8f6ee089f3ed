"""No command around the folder of an audit gives out a key that somebody put into its way."""

import html
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import get_args
from urllib.parse import quote

import numpy as np
import pytest

from explain.auditing.archive import write_audit
from explain.record.files import hash_file
from explain.text.redaction import REPLACEMENT, redacted
from reports.exports import ExportFormat
from tests.helpers.command import run_forked
from tests.helpers.comparisons import audit_of
from tests.helpers.keys import KEY, encodings
from tests.helpers.records import attribution, run_log
from tests.helpers.reviews import instances, review

if sys.platform == "win32" or shutil.which("ssh-keygen") is None:
    pytest.skip("forks of POSIX, and ssh-keygen", allow_module_level=True)

FORMS = ("plain", "percent", "base64 after 0")

ACCEPTED = ("--role", "r", "--verdict", "accepted")

COMMANDS: dict[str, tuple[str, ...]] = {
    "letter": ("letter", "run", "--row", "1", "--contact", "{}", "--decision-name", "of {}"),
    "letter zh": ("letter", "run", "--row", "1", "--contact", "{}", "--language", "zh"),
    "letter of no row": ("letter", "run {}", "--row", "1"),
    "compare": ("compare", "run", "other"),
    "compare lines": ("compare", "run", "other", "--fail-on-regression", "{}"),
    "compare zh": ("compare", "run", "other", "--language", "zh"),
    "compare with none": ("compare", "run", "{}"),
    "import": ("review", "import", "run", "ana.jsonl"),
    "import none": ("review", "import", "run", "{}"),
    "import bad": ("review", "import", "run", "bad.jsonl"),
    "sign": (
        *("review", "sign", "run", "--name", "Ana", "--role", "{}", "--key", "key"),
        *("--verdict", "accepted_with_conditions", "--conditions", "not {}"),
    ),
    "sign as": ("review", "sign", "run", "--name", "{}", "--key", "key", *ACCEPTED),
    "sign with": ("review", "sign", "run", "--name", "a", "--key", "{}", *ACCEPTED),
    "verify": ("verify", "full"),
    "verify json": ("verify", "full", "--json"),
    "verify none": ("verify", "{}"),
    "verify signers": ("verify", "run", "--allowed-signers", "{}"),
    "judge": ("judge", "run/audit.json", "--config", "plan.toml"),
    "judge none": ("judge", "run/audit.json", "--config", "{}"),
    "render": ("render", "run/audit.json"),
    "render none": ("render", "{}"),
    "calls": ("calls", "stats", "{}"),
    "debug": ("verify", "{}", "--debug"),
    **{f"export {to}": ("export", "run", "--to", to) for to in get_args(ExportFormat)},
}

ENDINGS = {"letter": ".html", "letter zh": ".html", "compare": ".html", "compare zh": ".html"}
ENDINGS |= {"render": ".md", "judge": ".html"}


@pytest.fixture(scope="module", params=FORMS)
def form(request: pytest.FixtureRequest) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SERVICE_API_KEY", KEY)
        yield encodings(KEY)[request.param]


@pytest.fixture(scope="module")
def made(form: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder whose plan, reviews, record and names of files hold a key."""
    made = tmp_path_factory.mktemp("made")
    first, *others = instances(5)
    told = {"attributions": (attribution(*first.parts, label="positive"),)}
    truth = np.arange(40) % 2
    record = audit_of(truth, truth, instances=[first.model_copy(update=told), *others])
    for name in ("run", "other", "full"):
        write_audit(record, run_log(), made / name)
    for place in ("x", "signoff-x.json", "signoff-x.json.sig"):
        (made / "full" / f"{quote(form, safe='')}{place}").write_text("")
    report = hash_file(made / "run/audit.json", made).sha256
    lines = [review(each, report=report, reviewer=f"A {form}") for each in instances(3)]
    noted = [line.model_copy(update={"note": f"see {form}"}) for line in lines]
    (made / "ana.jsonl").write_text("\n".join(line.to_json() for line in noted))
    bad = [line.model_copy(update={"instance": form, "label": form}) for line in noted]
    (made / "bad.jsonl").write_text("\n".join([*(line.to_json() for line in bad), form]))
    criterion = {"metric": "performance.accuracy", "at_least": 0.5, "rationale": f"as {form}"}
    stated = "\n".join(f"{name} = {json.dumps(value)}" for name, value in criterion.items())
    (made / "plan.toml").write_text(f"[[criteria]]\n{stated}\n")
    subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", made / "key"], check=True)
    return made


def contents(path: Path) -> Iterator[str]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name).decode() for name in archive.namelist())
    else:
        yield path.read_bytes().decode("utf-8", "replace")


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_gives_out_a_key(name: str, form: str, made: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made, tmp_path / "copy"))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    arguments = [part.replace("{}", form) for part in COMMANDS[name]]
    if name in ENDINGS or name.startswith("export"):
        arguments += ["--out", f"out{ENDINGS.get(name, '')}"]
    done = run_forked(*arguments, cwd=folder)
    assert done.returncode in (0, 1, 2, 3), done.stderr
    written = [
        text
        for path in folder.rglob("*")
        if path.is_file() and before.get(path) != path.read_bytes()
        for text in (*contents(path), path.name)
    ]
    bad = {form, html.escape(form), *encodings(KEY).values(), form[3:15], form[-12:]}
    for text in (done.stdout, done.stderr, *written):
        assert not [each for each in bad if each in text], text[:300]
    assert not written or done.returncode in (0, 3)


def test_reviews_letters_and_conditions_say_that_a_key_was_there(
    made: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(made, tmp_path / "copy"))
    for name in ("import", "letter"):
        arguments = [part.replace("{}", KEY) for part in COMMANDS[name]]
        out = ["--out", "out.html"] if name in ENDINGS else []
        assert run_forked(*arguments, *out, cwd=folder).returncode == 0
    for name in ("run/reviews.jsonl", "run/reviewed.html", "out.html"):
        assert REPLACEMENT in (folder / name).read_text(encoding="utf-8"), name


def test_a_key_that_is_no_text_is_taken_out_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment holds bytes; what is no UTF-8 stands for itself there."""
    monkeypatch.setitem(os.environb, b"OTHER_API_KEY", b"q7\xff\xfe/tW9vkXk2")
    key = os.environ["OTHER_API_KEY"]
    monkeypatch.setenv("SHELL_TOKEN", "a" + chr(0xDCFF) * 20)
    for text in (key, quote(os.fsencode(key), safe="")):
        assert redacted(f"at {text} now") == f"at {REPLACEMENT} now"
