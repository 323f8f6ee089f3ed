"""A model that fails is audited as far as it answers; what it lost is counted with the reason."""

import itertools
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

import explain
from explain.adapters import TextClassifier
from explain.attribution.methods.occlusion import Occlusion
from explain.checks import AuditContext
from explain.engine import Engine
from explain.engine.liveness import PATIENCE
from explain.errors import ConfigurationError, PredictionError
from explain.record import AuditRecord, LogEntry, Section

REASON = "503 Service Unavailable"
ROWS = [
    {
        "text": f"a {'good' if i % 2 else 'bad'} film number {i}, Anna said",
        "label": "pos" if i % 2 else "neg",
    }
    for i in range(60)
]
KNOWN_TEXTS = {row["text"] for row in ROWS}
AT_CALLS = (1, 2, 3, 5, 8, 12, 20, 40, 80, 150, 250, 400)


def probabilities(texts: Sequence[str]) -> NDArray[np.float64]:
    scores = [1.5 * t.count("good") - 1.5 * t.count("bad") + 0.05 * (len(t) % 7) for t in texts]
    p = 1 / (1 + np.exp(-np.array(scores)))
    return np.column_stack([1 - p, p])


def run_audit(function: Callable[[list[str]], Any], **options: Any) -> AuditRecord:
    model = explain.wrap(function, labels=["neg", "pos"])
    return explain.audit(model, ROWS, label="label", **{"instances": 0, **options})


@pytest.mark.parametrize("last", AT_CALLS)
def test_an_endpoint_that_dies_is_given_up_and_what_is_done_is_kept(last: int) -> None:
    calls = itertools.count(1)

    def dies(texts: list[str]) -> NDArray[np.float64]:
        if next(calls) > last:
            raise ConnectionError(REASON)
        return probabilities(texts)

    record = run_audit(dies, instances=2, methods=["occlusion"])
    assert next(calls) - 1 <= last + 100
    assert record.scored_rows == len(record.predictions) == len(ROWS)
    assert not any(REASON in finding.claim for finding in record.findings)
    if last < 20:
        lost = [s.skipped for s in record.sections if s.skipped and REASON in s.skipped]
        assert lost
        assert any("given up" in reason for reason in lost)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 1.0])
def test_texts_of_checks_that_get_no_answer_are_counted_with_the_reason(share: float) -> None:
    lost = set()

    def fails(texts: list[str]) -> NDArray[np.float64]:
        for text in texts:
            if text not in KNOWN_TEXTS and zlib.crc32(text.encode()) % 1000 < share * 1000:
                lost.add(text)
                raise ConnectionError(REASON)
        return probabilities(texts)

    record = run_audit(fails, checks=["robustness"])
    section = record.sections[0]
    if share >= 0.1:
        assert section.skipped is not None
        assert REASON in section.skipped or "given up" in section.skipped
        assert (section.measures, section.findings, section.tables) == ((), (), ())
    elif share:
        (table,) = [t for t in section.tables if t.title == "Texts without an answer"]
        assert table.rows == ((f"fails raised ConnectionError: {REASON}", len(lost)),)
        assert f"{len(lost)} of " in section.summary
    else:
        assert "no answer" not in section.summary


def test_a_text_that_alone_fails_ends_nothing() -> None:
    def fails(texts: list[str]) -> NDArray[np.float64]:
        if any(len(text) > 40 for text in texts):
            raise ValueError("too long")
        return probabilities(texts)

    engine = Engine(explain.wrap(fails, labels=["neg", "pos"]))
    answers = engine.score([*("a" * n for n in range(1, 41)), *("b" * n for n in range(41, 400))])
    assert [isinstance(answer, PredictionError) for answer in answers] == [False] * 40 + [
        True
    ] * 359
    assert engine.pulse.given_up is None
    assert isinstance(engine.score(["fine"])[0], np.ndarray)


def test_a_model_that_never_answers_is_given_up_in_time() -> None:
    engine = Engine(explain.wrap(lambda texts: 1 / 0, labels=["neg", "pos"]))
    answers = engine.score([f"text {i}" for i in range(5_000)])
    assert engine.calls == PATIENCE
    assert all("ZeroDivisionError" in str(answer) for answer in answers)


def test_a_model_that_ends_the_program_has_failed() -> None:
    def leaves(texts: list[str]) -> NDArray[np.float64]:
        if any("Anna" not in text for text in texts):
            sys.exit(0)
        return probabilities(texts)

    record = run_audit(leaves, checks=["fairness", "performance"])
    done = {s.id: s.skipped is None for s in record.sections}
    assert (done["fairness"], done["performance"]) == (False, True)
    with pytest.raises(PredictionError, match="SystemExit"):
        run_audit(lambda texts: sys.exit(0))


class Panic(BaseException):
    """What a Rust extension raises: it is no Exception."""


def test_a_model_that_panics_has_failed_and_an_interrupt_goes_through() -> None:
    def fails_with(error: BaseException) -> TextClassifier:
        def predict(texts: list[str]) -> NDArray[np.float64]:
            raise error

        return explain.wrap(predict, labels=["no", "yes"])

    with pytest.raises(PredictionError, match="Panic: index out of range"):
        explain.attribute(fails_with(Panic("index out of range")), "a text")
    with pytest.raises(KeyboardInterrupt):
        explain.attribute(fails_with(KeyboardInterrupt()), "a text")


@dataclass(frozen=True, slots=True)
class Broken:
    """A check with a bug."""

    wrong_use: bool = False
    id: ClassVar[str] = "broken"
    title: ClassVar[str] = "Broken"
    metrics: ClassVar[tuple[str, ...]] = ()

    def run(self, context: AuditContext) -> Section:
        """Raise."""
        raise (ConfigurationError if self.wrong_use else ZeroDivisionError)("of its own")


def test_what_a_check_raises_is_a_reason_and_its_traceback_goes_to_the_log() -> None:
    log: list[LogEntry] = []
    record = run_audit(probabilities, checks=[Broken(), "performance"], log=log.append)
    broken, performance = record.sections[:2]
    assert broken.skipped == "the check failed with ZeroDivisionError: of its own"
    assert performance.measures
    (entry,) = [entry for entry in log if entry.event == "failed"]
    assert entry.detail["stage"] == "broken"
    assert "in run\n" in str(entry.detail["traceback"])


@pytest.mark.parametrize("kind", [ZeroDivisionError, Panic])
def test_a_method_with_a_bug_is_not_measured_and_the_others_are_kept(
    kind: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Occlusion, *args: Any, **options: Any) -> Any:
        raise kind("of its own")

    monkeypatch.setattr(Occlusion, "plan", broken)
    log: list[LogEntry] = []
    record = run_audit(
        probabilities, instances=2, methods=["occlusion", "lime"], checks=[], log=log.append
    )
    (lost,) = [section for section in record.sections if section.id == "method-occlusion"]
    assert lost.skipped == f"the method failed with {kind.__name__}: of its own"
    explained = [a.method for instance in record.instances for a in instance.attributions]
    assert explained == ["lime", "lime"]
    assert [e.detail["stage"] for e in log if e.event == "failed"] == ["occlusion"]


@pytest.mark.parametrize("kind", [ZeroDivisionError, Panic])
def test_a_grading_with_a_bug_is_not_measured_and_the_explanations_are_kept(
    kind: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **options: Any) -> Any:
        raise kind("of its own")

    monkeypatch.setattr("explain.auditing.run.evaluate_explanations", broken)
    record = run_audit(probabilities, instances=2, methods=["occlusion"], checks=[])
    (lost,) = [section for section in record.sections if section.id == "trust"]
    assert lost.skipped == f"the grading failed with {kind.__name__}: of its own"
    assert sum(len(instance.attributions) for instance in record.instances) == 2


def test_a_check_that_is_asked_for_what_it_cannot_do_still_ends_the_audit() -> None:
    with pytest.raises(ConfigurationError, match="of its own"):
        run_audit(probabilities, checks=[Broken(wrong_use=True)])


@pytest.mark.parametrize("given", ["noon", "1e30", "nan", "inf", "-1e30"])
def test_a_day_that_is_no_time_is_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", given)
    with pytest.raises(ConfigurationError, match="SOURCE_DATE_EPOCH"):
        run_audit(probabilities, checks=[])
