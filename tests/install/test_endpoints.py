"""The command on an address does what it does on a folder, resumes, repeats itself, and stops."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from explain.adapters.remote.call_log import read_log
from tests.helpers.command import run
from tests.helpers.endpoint import FORMATS, LABELS, WEIGHTS, Reply, Server, logits_of_words
from tests.helpers.keys import encodings
from tests.helpers.wire import Wire, head, serving
from tests.helpers.words import FILLERS

SENT_KEY = 'q7/Zr+"tW9 vXk2mP5'
"""A key of characters that a header can hold."""

OPTIONS = [
    "--kind", "systemone", "--model-option", "question=What is it?", "--model-option",
    f"options={json.dumps(LABELS)}", "--label", "label", "--check", "performance", "--explain", 2,
    "--methods", "shap",
]  # fmt: skip


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = [*WEIGHTS, *FILLERS]
    texts = [" ".join(words[(i * 7 + k * 5) % len(words)] for k in range(5)) for i in range(60)]
    labels = [LABELS[int(logits_of_words(text)[1] > logits_of_words(text)[0])] for text in texts]
    path = tmp_path_factory.mktemp("endpoint") / "data.csv"
    pd.DataFrame({"text": texts, "label": labels}).to_csv(path, index=False)
    return path


@pytest.fixture
def server() -> Server:
    return Server("systemone")


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    async def script(wire: Wire, writer: asyncio.StreamWriter) -> None:
        reply = server.reply(wire.bodies[-1])
        length = f"Content-Length: {len(reply.body)}"
        # Said, since a request on a connection that closed unsaid is paid and never arrives.
        writer.write(head(f"{reply.status} X", length, "Connection: close") + reply.body)

    with serving(script) as wire:
        yield wire


def test_an_address_is_audited_resumed_and_replayed(
    table: Path, server: Server, wire: Wire, tmp_path: Path
) -> None:
    first = run("audit", wire.url, table, *OPTIONS, "--out", "first", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    record = (tmp_path / "first" / "audit.json").read_bytes()
    facts = json.loads(record)["provenance"]["model"]["facts"]
    assert facts["kind"] == "systemone"
    assert facts["request"]["state"] == "{text}"
    assert facts["model that answered"] == "jev-1.13.0"
    asked = server.requests
    assert 100 < asked < 3_000
    assert (
        max(
            (server.paid - server.paid.__class__(dict.fromkeys(server.paid, 5))).values(), default=0
        )
        == 0
    )

    again = run("audit", wire.url, table, *OPTIONS, "--out", "first", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "first" / "audit.json").read_bytes() == record
    replayed = run(
        "audit", wire.url, table, *OPTIONS, "--replay", "first", "--out", "second", cwd=tmp_path
    )
    assert replayed.returncode == 0, replayed.stderr
    assert (tmp_path / "second" / "audit.json").read_bytes() == record
    assert not (tmp_path / "second" / "calls.sqlite").exists()
    assert server.requests == asked
    base = sqlite3.connect(tmp_path / "first" / "calls.sqlite")
    [[logged, answered]] = base.execute("SELECT count(*), sum(outcome = 'answered') FROM calls")
    base.close()
    assert answered == asked == logged


def test_a_budget_that_is_spent_leaves_a_report_of_what_was_done(
    table: Path, server: Server, wire: Wire, tmp_path: Path
) -> None:
    config = tmp_path / "audit.toml"
    config.write_text(
        "[data]\nlabel = 'label'\n[explain]\ninstances = 2\nmethods = ['shap']\n[checks]\n"
        "run = ['performance']\n[endpoint]\nkind = 'systemone'\nquestion = 'What is it?'\n"
        f"options = {json.dumps(LABELS)}\nmax_calls = 70\n"
    )
    done = run("audit", wire.url, table, "--config", config, "--out", "out", cwd=tmp_path)
    assert done.returncode == 4, done.stderr
    assert done.stderr.splitlines()[-1].startswith("explain: the budget of 70 calls is spent")
    assert server.requests == 70
    measured = json.loads((tmp_path / "out" / "audit.json").read_bytes())
    performance = next(s for s in measured["sections"] if s["id"] == "performance")
    assert performance["measures"]

    config.write_text(config.read_text().replace("max_calls = 70", "max_calls = 20"))
    early = run("audit", wire.url, table, "--config", config, "--out", "other", cwd=tmp_path)
    assert (early.returncode, server.requests) == (4, 90)


def test_an_endpoint_that_refuses_in_the_middle_leaves_a_report_and_a_reason(
    table: Path, server: Server, wire: Wire, tmp_path: Path
) -> None:
    server.fault = lambda own, texts, reply: (
        reply if own.requests < 80 else type(reply).of({"error": "no"}, 401)
    )
    done = run("audit", wire.url, table, *OPTIONS, "--out", "out", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "refuses the key or the account (401)" in done.stderr.splitlines()[-1]
    assert (tmp_path / "out" / "audit.html").is_file()
    assert FORMATS["systemone"].copies


def test_a_dry_run_costs_nothing_and_the_log_of_a_run_is_shown(
    table: Path, server: Server, wire: Wire, tmp_path: Path
) -> None:
    dry = run("audit", wire.url, table, *OPTIONS, "--out", "out", "--dry-run", cwd=tmp_path)
    assert dry.returncode == 0, dry.stderr
    assert server.requests == 0
    assert "What leaves this machine" in dry.stdout
    probed = run(
        "audit", wire.url, table, *OPTIONS, "--out", "out", "--dry-run", "--probe", cwd=tmp_path
    )
    assert probed.returncode == 0, probed.stderr
    assert server.requests == 3
    assert "(from 3 calls)" in probed.stdout

    stats = run("calls", "stats", "out", cwd=tmp_path)
    assert stats.stdout.startswith("calls     3 (answered 3)")
    exported = run("calls", "export", "out", "--out", "calls.jsonl", cwd=tmp_path)
    assert exported.returncode == 0, exported.stderr
    lines = (tmp_path / "calls.jsonl").read_text().splitlines()
    assert [json.loads(line)["outcome"] for line in lines] == ["answered"] * 3
    assert (tmp_path / "calls.jsonl").stat().st_mode & 0o077 == 0
    local = run("audit", "folder", table, "--dry-run", cwd=tmp_path)
    assert local.returncode == 2


@pytest.mark.parametrize("form", ["plain", "percent", "base64 after 0"])
def test_a_key_that_the_server_sends_back_is_in_no_output(
    form: str, table: Path, server: Server, wire: Wire, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """As the name of the model in good answers, and in the message of a bad one."""
    monkeypatch.setenv("ENDPOINT_TEST_KEY", SENT_KEY)
    echo = encodings(SENT_KEY)[form]

    def echoing(own: Server, texts: list[str], reply: Reply) -> Reply:
        if own.requests >= 60:
            return Reply.of({"error": {"message": f"what is {echo}"}}, 400)
        answer = {**json.loads(reply.body), "model": f"of {echo}", "system_fingerprint": echo}
        return Reply.of(answer)

    server.fault = echoing
    options = ["--model-option", "key_env=ENDPOINT_TEST_KEY"]
    question = ["--model-option", "kind=systemone", *OPTIONS[2:6]]
    commands = [
        run("text", wire.url, "a good text", *question, *options, cwd=tmp_path),
        run("audit", wire.url, table, *OPTIONS, *options, "--out", "out", cwd=tmp_path),
    ]
    assert commands[0].returncode == 0, commands[0].stderr
    assert (tmp_path / "out" / "audit.html").is_file(), commands[1].stderr
    assert server.requests > 60
    outputs: list[bytes] = [
        part.encode() for done in commands for part in (done.stdout, done.stderr)
    ]
    outputs += [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    log = read_log(tmp_path / "out")
    outputs += [
        answer
        for (answer,) in log.execute("SELECT unpacked(answer) FROM calls WHERE answer IS NOT NULL")
    ]
    for written_form in encodings(SENT_KEY).values():
        assert not any(written_form.encode() in output for output in outputs)
    assert f"Bearer {SENT_KEY}" in wire.heads[-1]
