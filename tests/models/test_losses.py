"""Whatever a model loses, and whoever asked for it, is counted with the reason."""

import itertools
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from typer.testing import CliRunner

import explain
from explain import cli
from explain.adapters import TorchClassifier
from explain.engine import Engine, Outcome
from explain.engine.games import AttributionRequest, make_target
from explain.engine.liveness import PATIENCE
from explain.errors import PredictionError
from explain.record import AuditRecord, Finding, LogEntry, Section
from explain.text.spans import Segmentation
from explain.text.words import words

REASON = "503 Service Unavailable"
MESSAGE = f"fails raised ConnectionError: {REASON}"
ROWS = [
    {
        "text": f"a {'good' if i % 2 else 'bad'} film number {i}, Anna said",
        "label": "pos" if i % 2 else "neg",
    }
    for i in range(40)
]
KNOWN_TEXTS = {row["text"] for row in ROWS}


def right(texts: Sequence[str]) -> NDArray[np.float64]:
    scores = np.array([1.5 * t.count("good") - 1.5 * t.count("bad") for t in texts])
    p = 1 / (1 + np.exp(-scores))
    return np.column_stack([1 - p, p])


def run_audit(function: Callable[[list[str]], Any], **options: Any) -> AuditRecord:
    model = explain.wrap(function, labels=["neg", "pos"])
    return explain.audit(model, ROWS, label="label", **{"instances": 0, "methods": [], **options})


def section_of(record: AuditRecord, name: str) -> Section | None:
    return next((section for section in record.sections if section.id == name), None)


def count_in_table(section: Section | None, title: str) -> int:
    """Return how many texts a table of reasons counts."""
    tables = section.tables if section else ()
    rows = [row for table in tables if table.title == title for row in table.rows]
    assert all(row[0] == MESSAGE for row in rows)
    return sum(int(str(row[1])) for row in rows)


def is_drawn(text: str, share: float) -> bool:
    return zlib.crc32(text.encode()) % 1000 < share * 1000


WHERE: dict[str, Callable[[str, int], bool]] = {
    "rows": lambda text, call: text in KNOWN_TEXTS,
    "checks": lambda text, call: text not in KNOWN_TEXTS,
    "both from call 2 on": lambda text, call: call > 1,
    "both": lambda text, call: True,
}


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 1.0])
def test_every_lost_text_is_counted_and_no_finding_is_only_the_failures(
    where: str, share: float
) -> None:
    calls = itertools.count(1)
    lost: set[str] = set()
    answered: set[str] = set()

    def fails(texts: list[str]) -> NDArray[np.float64]:
        call = next(calls)
        bad = [t for t in texts if WHERE[where](t, call) and is_drawn(t, share)]
        if len(texts) == 1:
            lost.update(bad)
        if bad:
            raise ConnectionError(REASON)
        answered.update(texts)
        return right(texts)

    if share == 1.0 and where in ("rows", "both"):
        with pytest.raises(PredictionError, match=REASON):
            run_audit(fails)
        return
    record = run_audit(fails, checks=["performance", "robustness"])
    # A row that was answered is asked for again when the model seems to be dead.
    rows = (lost - answered) & KNOWN_TEXTS
    assert count_in_table(section_of(record, "unanswered"), "Why there was no answer") == len(rows)
    assert len(record.skipped) == len(rows)
    assert record.rows - record.scored_rows == len(rows)
    robustness = section_of(record, "robustness")
    assert robustness is not None
    if robustness.skipped is None:
        assert count_in_table(robustness, "Texts without an answer") == len(lost - KNOWN_TEXTS)
    else:
        assert REASON in robustness.skipped or "given up" in robustness.skipped
        assert (robustness.measures, robustness.findings) == ((), ())
    assert names(f for f in record.findings if "no answer" not in f.claim) <= names(
        sound().findings
    )


def names(findings: Iterable[Finding]) -> set[str]:
    return {finding.measure.name for finding in findings if finding.measure}


@cache
def sound() -> AuditRecord:
    """Return the audit of the model that fails on nothing."""
    return run_audit(right, checks=["performance", "robustness"])


@pytest.mark.parametrize("last", [1, 2, 3, 4, 6, 9, 14, 20, 40, 70, 100, 140])
def test_a_command_whose_model_dies_ends_in_time_and_says_what_it_did_not_measure(
    last: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = itertools.count(1)

    def dies(texts: list[str]) -> NDArray[np.float64]:
        if next(calls) > last:
            raise ConnectionError(REASON)
        return right(texts)

    model = explain.wrap(dies, labels=["neg", "pos"])
    monkeypatch.setattr("explain.auditing.run.load", lambda path, **options: model)
    table = tmp_path / "rows.csv"
    table.write_text("text,label\n" + "".join(f'"{r["text"]}",{r["label"]}\n' for r in ROWS))
    options = "--label label --explain 1 --methods occlusion --check stability --check robustness"
    arguments = ["audit", "model", str(table), "--out", str(tmp_path / "out"), *options.split()]
    result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 0, result.output
    assert next(calls) - 1 <= last + 100
    record = AuditRecord.from_json((tmp_path / "out" / "audit.json").read_text())
    lost = [section.id for section in record.sections if section.skipped]
    if next(calls) > last + 2:
        assert lost
    page = (tmp_path / "out" / "audit.html").read_text()
    assert all(section.skipped[:40] in page for section in record.sections if section.skipped)


def failing_where(
    is_bad: Callable[[list[str], str], bool],
) -> tuple[Callable[[list[str]], NDArray[np.float64]], Callable[[LogEntry], None], set[str]]:
    """Return a model that fails on texts by the stages that are done, who tells it, and its losses.

    A text is lost where it fails alone.
    """
    done: list[str] = []
    lost: set[str] = set()

    def fails(texts: list[str]) -> NDArray[np.float64]:
        bad = [text for text in texts if is_bad(done, text)]
        if len(texts) == 1:
            lost.update(bad)
        if bad:
            raise ConnectionError(REASON)
        return right(texts)

    def follow(entry: LogEntry) -> None:
        done.append(entry.event)

    return fails, follow, lost


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5])
def test_texts_that_the_grading_loses_are_counted(share: float) -> None:
    """The model fails only once everything is explained."""
    fails, follow, lost = failing_where(
        lambda done, text: "occlusion" in done and is_drawn(text, share)
    )
    record = run_audit(fails, instances=4, methods=["occlusion"], checks=[], log=follow)
    trust = section_of(record, "trust")
    assert trust is not None
    graded = [a.grade is not None for i in record.instances for a in i.attributions]
    assert len(graded) == 4
    if share == 0.5:
        assert trust.skipped is not None
        assert REASON in trust.skipped
        assert not any(graded)
        assert record.trust == ()
    else:
        assert trust.skipped is None
        assert bool(lost) == bool(share)
        assert count_in_table(trust, "Texts without an answer") == len(lost)
        assert all(graded)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5])
def test_texts_that_are_lost_while_rows_are_explained_are_counted(share: float) -> None:
    """What is explained stays, however many are lost: an explanation is complete or missing."""
    fails, follow, lost = failing_where(
        lambda done, text: (
            "repeats" in done
            and "counterfactuals" not in done
            and text not in KNOWN_TEXTS
            and is_drawn(text, share)
        )
    )
    record = run_audit(fails, instances=8, methods=["lime", "occlusion"], checks=[], log=follow)
    explaining = section_of(record, "explaining")
    assert (explaining is not None) == bool(lost) == bool(share)
    assert count_in_table(explaining, "Texts without an answer") == len(lost)
    explained = sum(len(instance.attributions) for instance in record.instances)
    missing = [each for each in record.skipped if each.stage in ("lime", "occlusion")]
    assert explained + len(missing) == 16


@pytest.mark.parametrize("share", [0.2, 1.0])
def test_texts_that_are_lost_when_asked_again_are_counted(share: float) -> None:
    seen: set[str] = set()

    def fails(texts: list[str]) -> NDArray[np.float64]:
        if any(text in seen and is_drawn(text, share) for text in texts):
            raise ConnectionError(REASON)
        seen.update(texts)
        return right(texts)

    record = run_audit(fails, instances=4, methods=["occlusion"], checks=[])
    again = section_of(record, "repeats")
    assert again is not None
    assert again.skipped is not None
    assert REASON in again.skipped


class Dying(torch.nn.Module):
    """The mean of the vectors of words, which raises from a call on.

    Attributes
    ----------
    calls : int
        Calls so far, those of copies among them.
    last : int
        The last that is answered.
    """

    calls = 0
    last = 0

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = torch.nn.Embedding(50, 4)
        self.head = torch.nn.Linear(4, 2)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the scores of each text."""
        Dying.calls += 1
        if Dying.calls > Dying.last:
            raise RuntimeError(REASON)
        scores: torch.Tensor = self.head(self.embedding(ids).mean(1))
        return scores


def tokenize(text: str) -> list[tuple[int, int, int]]:
    return [(zlib.crc32(m[0].encode()) % 49 + 1, *m.span()) for m in re.finditer(r"\w+", text)]


def module() -> TorchClassifier:
    torch_module = Dying()
    return TorchClassifier(torch_module, tokenize, torch_module.embedding, ["neg", "pos"])


@pytest.mark.parametrize("last", [2, 4, 8, 16, 24, 32, 48, 64, 80, 100, 150, 200])
def test_a_module_that_dies_is_given_up_whatever_looks_into_it(
    last: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dying, "calls", 0)
    monkeypatch.setattr(Dying, "last", last)
    record = explain.audit(
        module(),
        ROWS,
        label="label",
        instances=12,
        methods=["gradient_x_input", "occlusion"],
        checks=["stability"],
    )
    assert Dying.calls <= last + 100
    reasons = [s.skipped for s in record.sections if s.skipped]
    reasons += [skipped.reason for skipped in record.skipped]
    if Dying.calls > last + 1:
        assert any(REASON in reason for reason in reasons)


def test_a_method_that_fails_where_the_model_answers_gives_nothing_up() -> None:
    engine = Engine(explain.wrap(right, labels=["neg", "pos"]))
    (scores,) = engine.score(["a good film"])
    assert isinstance(scores, np.ndarray)
    segmentation = Segmentation(("a good film",), words(("a good film",)))
    question = AttributionRequest(
        segmentation, make_target(engine.classifier, scores, None), scores
    )

    def fails(_: object, questions: Sequence[AttributionRequest], __: object) -> list[Outcome[int]]:
        return [Outcome(PredictionError("no gradient"), 0) for _ in questions]

    for _ in range(PATIENCE):
        engine.open(fails, [question])
    assert engine.pulse.given_up is None
    engine.pulse.count_failures([PredictionError(REASON)] * 2)
    assert engine.pulse.reason_to_wait() is None
