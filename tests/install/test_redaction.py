"""No key leaves with an audit, and no text of the user is changed."""

import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import explain
import reports
from explain.adapters import FunctionClassifier
from explain.auditing.archive import write_audit
from explain.comparison import compare
from explain.errors import ExplainError, PredictionError
from explain.record import AuditRecord, LogEntry, SystemIdentity
from explain.testing import check_classifier
from explain.text import redaction
from explain.text.redaction import LONGEST_MESSAGE, REPLACEMENT, message, redacted, register_secret
from reports.comparison import comparison_page
from reports.exports import ExportFormat, write_export
from tests.helpers.keys import KEY, encodings
from tests.helpers.pages import Page, paragraphs
from tests.helpers.search import examples

SHAPES = (
    "sk-abc123DEF456ghi789",
    "sk-proj-Ab3_dEf-6hIjKlMnOp",
    "hf_AbCdEfGhIjKlMnOpQrStUv",
    "ghp_0123456789abcdefABCDEF0123456789abcd",
    "github_pat_11ABCDEFG0abcdefgh",
    "glpat-Abc123Def456Ghi789",
    "xoxb-123456789012-AbCdEfGh",
    "AKIAIOSFODNN7EXAMPLE",
    "AIzaSyA1234567890abcdefghijk",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA1\n-----END RSA PRIVATE KEY-----",
)

CONTEXTS = (
    "Authorization: Bearer {}",
    "{{'Authorization': 'Bearer {}'}}",
    "https://host/v1?api_key={}&x=1",
    "Incorrect API key provided: {}. You can find your key at ...",
    "api_key={!r}",
    '{{"password": "{}"}}',
    "({})",
)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_API_KEY", KEY)


@pytest.mark.parametrize("encoding", encodings(KEY))
def test_a_key_of_the_environment_is_removed_in_every_encoding(encoding: str) -> None:
    written = encodings(KEY)[encoding]
    left = redacted(f"before {written} after")
    assert REPLACEMENT in left
    assert left.startswith("before ")
    assert left.endswith(" after")
    rest = left.replace(REPLACEMENT, "").removeprefix("before ").removesuffix(" after")
    assert not any(character.isalnum() for character in rest.replace("key", ""))


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("key", SHAPES, ids=[key[:6] for key in SHAPES])
def test_a_key_is_removed_by_its_shape(key: str, context: str) -> None:
    left = redacted(context.format(key))
    assert not any(key[at : at + 6] in left for at in range(8, len(key) - 6))
    assert redacted(left) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("postgresql://me:hunter2@host/db", f"postgresql://{REPLACEMENT}@host/db"),
        ("https://t0ken@host/v1", f"https://{REPLACEMENT}@host/v1"),
        ("Authorization: Token abc", f"Authorization: {REPLACEMENT}"),
        ("x-api-key: 12345", f"x-api-key: {REPLACEMENT}"),
        ("password='hunter2'", f"password='{REPLACEMENT}'"),
    ],
)
def test_what_follows_the_name_of_a_key_is_removed(text: str, left: str) -> None:
    assert redacted(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "The bearer of good news has a basic understanding of the task-force.",
        "risk-averse, skin-deep, ask-me-anything-you-like",
        "mask_token=[MASK], pad_token=<pad>, max_tokens=512",
        "I forgot my password! The secret: patience.",
        "see https://example.org/a@b and me@example.org",
        "sha256 " + "0123456789abcdef" * 4,
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redacted(text) == text


def test_values_that_are_words_are_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"DB_PASSWORD": "password", "A_TOKEN": "", "B_KEY": "12345"}.items():
        monkeypatch.setenv(name, value)
    assert redacted("password 12345") == "password 12345"


def test_what_an_adapter_registers_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_registered_secrets", set())
    register_secret("kept in a vault 7")
    assert redacted("401: kept in a vault 7") == f"401: {REPLACEMENT}"


@examples(50)
@given(
    st.text(min_size=8, max_size=40).filter(lambda key: not key.isalpha() and key == key.strip()),
    st.text(max_size=30),
    st.sampled_from(sorted(encodings("k"))),
)
def test_any_key_is_removed(key: str, around: str, encoding: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redaction, "_registered_secrets", {key})
        left = redacted(around + encodings(key)[encoding] + around)
    assert key not in left.replace(REPLACEMENT, "")


@examples(25)
@given(st.integers(0, 2_000), st.integers(0, 2_000))
def test_a_message_is_cut_after_its_keys_are_out(before: int, after: int) -> None:
    cut = message("a " * before + KEY + " b" * after)
    assert len(cut) <= LONGEST_MESSAGE
    assert not any(KEY[at : at + 3] in cut for at in range(len(KEY) - 2))


@pytest.mark.parametrize(
    "text",
    ["a", "sk-", "://a", "eyJa.", "password", "-----BEGIN A-----", "Bearer ", "%7", "secret= "],
)
def test_a_message_of_a_megabyte_takes_seconds(text: str) -> None:
    started = time.monotonic()
    message(text * (1_000_000 // len(text)))
    assert time.monotonic() - started < 20


# ── Everything that leaves ────────────────────────────────────────────────────────────────────────

ROWS = [
    {"text": f"{word} {number}", "label": label, "owner": KEY if number == 3 else "me"}
    for number in range(8)
    for word, label in (("good", "pos"), ("bad", "neg"))
]
TEXT = "my key is sk-abc123DEF456ghi789 , bad"


def failing(form: str) -> Callable[[Sequence[str]], list[list[float]]]:
    """Return a model whose errors hold a key, for some texts that checks and methods make."""

    def score(texts: Sequence[str]) -> list[list[float]]:
        if any("good" in text and "7" in text for text in texts):
            raise RuntimeError(f"401 for {form}\n" + "x" * 100_000 + form)
        return [[text.count("bad") + 0.1, float(text.count("good"))] for text in texts]

    return score


def leaves(form: str, folder: Path) -> Iterator[str]:
    """Yield everything that an audit of a model with a key in its errors gives out."""
    model = FunctionClassifier(failing(form), ["neg", "pos"], name=f"at {form}", output="scores")
    log: list[LogEntry] = []
    record = explain.audit(
        model,
        [*ROWS, {"text": TEXT, "label": "neg", "owner": "me"}],
        label="label",
        id="owner",
        instances=20,
        methods=["occlusion"],
        checks=["performance", "data"],
        system=SystemIdentity(name="system", notice=f"reached by {form}", owner=form),
        criteria=[
            {"metric": "performance.accuracy", "at_least": 0.5, "rationale": f"agreed in {form}"},
        ],
        log=log.append,
    )
    write_audit(record, log, folder)
    for path in folder.iterdir():
        yield path.read_bytes().decode("latin-1" if path.suffix == ".parquet" else "utf-8")
    yield pd.read_parquet(folder / "predictions.parquet").to_csv()
    yield reports.render_markdown(record)
    yield reports.notebook_html(record)
    attribution = explain.attribute(model, TEXT, method="occlusion")
    yield attribution.to_json()
    yield reports.render_html(attribution)
    yield explain.interactions(model, "bad good").to_json()
    yield explain.counterfactual(model, "bad good").to_json()
    yield comparison_page(compare(record, record))
    for to in get_args(ExportFormat):
        write_export(record, to, folder / "exports" / to)
    for path in (folder / "exports").rglob("*"):
        yield from contents_of(path) if path.is_file() else ()
    yield check_classifier(model, ["good", "bad", "good 7"]).to_json()
    with pytest.raises(ExplainError) as error:
        explain.attribute(model, "good 7", method="occlusion")
    yield str(error.value)


def contents_of(path: Path) -> Iterator[str]:
    """Yield the text of a file, or of all files in an archive such as a workbook."""
    if not zipfile.is_zipfile(path):
        yield path.read_text(encoding="utf-8")
        return
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            yield archive.read(name).decode()


@pytest.mark.parametrize("encoding", ["plain", "percent", "base64 after 0", "json", "repr"])
def test_no_output_holds_a_key(encoding: str, tmp_path: Path) -> None:
    form = encodings(KEY)[encoding]
    bad = {form, KEY, *encodings(KEY).values(), json.dumps(form)[1:-1], form[3:15], form[-12:]}
    outputs = list(leaves(form, tmp_path))
    assert not [text for text in outputs for each in bad if each in text]
    assert any(REPLACEMENT in text for text in outputs)
    record = AuditRecord.from_json((tmp_path / "audit.json").read_bytes())
    assert max(len(skipped.reason) for skipped in record.skipped) <= LONGEST_MESSAGE + 50
    (section,) = [section for section in record.sections if section.id == "removed-secrets"]
    assert "The explained texts are unchanged" in section.summary
    assert section.title in (tmp_path / "audit.html").read_text()


def test_texts_that_are_explained_stay_as_they_are(tmp_path: Path) -> None:
    list(leaves(KEY, tmp_path))
    record = AuditRecord.from_json((tmp_path / "audit.json").read_bytes())
    assert TEXT in [part for instance in record.instances for part in instance.parts]
    assert TEXT in paragraphs(Page((tmp_path / "audit.html").read_text()))


def test_an_audit_without_keys_says_nothing_of_keys() -> None:
    model = FunctionClassifier(failing(""), ["neg", "pos"], name="at", output="scores")
    record = explain.audit(model, ROWS[:6], methods=["random"], checks=["data"])
    assert "removed-secrets" not in [section.id for section in record.sections]
    assert REPLACEMENT not in record.to_json()


@pytest.mark.parametrize(
    ("option", "removed"),
    [("api_key", True), ("hf_token", True), ("password", True), ("dtype", False)],
)
def test_settings_that_are_keys_by_name_are_removed(option: str, removed: bool) -> None:
    entry = LogEntry(
        at=datetime.now(UTC),
        event="load",
        detail={"model_options": {option: "float32", "verbalizer": {"secret": "word"}}},
    )
    cleaned, strings = redaction.redacted_record(entry)
    assert (cleaned != entry) == removed == bool(strings)
    assert "word" in cleaned.to_json()


def test_an_error_of_a_users_own_adapter_is_cut_and_holds_no_key() -> None:
    class UserError:
        name, labels, task = "own", ("neg", "pos"), "single_label"
        mask_token, special_tokens, own_labels = None, (), None

        def predict(self, texts: Sequence[Any]) -> Any:
            raise PredictionError(KEY + "x" * 1_000)

    with pytest.raises(PredictionError) as error:
        explain.attribute(UserError(), "good", method="occlusion")
    assert KEY not in str(error.value)
    assert len(str(error.value)) <= LONGEST_MESSAGE


@pytest.mark.parametrize("kind", ["", "tei", "none"])
def test_the_command_prints_no_key(kind: str, tmp_path: Path) -> None:
    address, option = f"https://u:{KEY}@host/m", f"kind={kind}"
    done = subprocess.run(
        [sys.executable, "-m", "explain.cli", "text", address, "a text", "--model-option", option],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert KEY not in done.stdout + done.stderr
    says = {"": "needs kind=", "tei": "is no URL", "none": "there is no kind 'none'"}
    assert says[kind] in done.stderr
