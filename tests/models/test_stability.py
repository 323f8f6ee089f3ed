"""The same text gets the same answer, or the report says so."""

from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch

import explain
from explain.adapters import FunctionClassifier
from explain.checks import make_check
from explain.record import Section
from tests.helpers.plain_strings import composed_strings
from tests.helpers.tiny import ARCHITECTURES

ROWS = [{"text": f"text {'x' * (i % 17)} number {i}"} for i in range(100)]


def lengths(texts: Sequence[str]) -> Any:
    return np.array([[len(text) % 7 - 3.0, 0.2] for text in texts])


def section(function: Any, rows: Any = ROWS, seed: int = 0, **options: Any) -> Section:
    model = function
    if not hasattr(function, "predict"):
        model = FunctionClassifier(function, ["neg", "pos"], output="scores")
    check = make_check("stability", **options)
    record = explain.audit(model, rows, instances=0, methods=[], checks=[check], seed=seed)
    found = next(s for s in record.sections if s.id == "stability")
    assert composed_strings(found) == set()
    return found


def values(found: Section) -> dict[str, float | None]:
    return {measure.name: measure.value for measure in found.measures}


def test_a_model_that_is_a_function_of_its_text_is_stable() -> None:
    found = section(lengths)
    assert found.findings == ()
    assert set(values(found).values()) == {0.0}
    assert {m.n for m in found.measures} == {64}
    ((what, reason),) = found.tables[-1].rows
    assert (what, "not a torch module" in str(reason)) == ("other dtype", True)


@pytest.mark.parametrize("seed", range(5))
def test_a_random_model_is_found_by_the_same_text_again(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = section(lambda texts: lengths(texts) + rng.normal(0, 1e-3, (len(texts), 2)), seed=seed)
    (finding,) = found.findings
    assert "very same texts" in finding.claim
    assert finding.severity == "major"
    assert values(found)["flip rate, same text again"] == 0
    assert values(found)["largest change of a probability, same text again"] == pytest.approx(
        1e-3, rel=0.9
    )


def test_a_random_model_that_flips_is_critical() -> None:
    rng = np.random.default_rng(0)
    (finding,) = section(lambda texts: rng.normal(size=(len(texts), 2))).findings
    assert finding.severity == "critical"
    assert finding.measure is not None
    assert (finding.measure.value or 0) > 0.5


@pytest.mark.parametrize("change", [1e-7, 4e-7])
def test_rounding_is_no_finding(change: float) -> None:
    turns = count()
    found = section(lambda texts: lengths(texts) * (1 + change * (next(turns) % 2)))
    assert found.findings == ()


def test_a_text_that_is_answered_by_its_company_is_found() -> None:
    def by_batch(texts: Sequence[str]) -> Any:
        return lengths(texts) + np.array([0.0, 0.01 * max(map(len, texts)) + len(texts)])

    (finding,) = section(by_batch).findings
    assert "very same texts" not in finding.claim
    assert "padding" in finding.suggestion

    def by_place(texts: Sequence[str]) -> Any:
        return lengths(texts) + np.arange(len(texts))[:, None] * [0.0, 0.1] * (len(texts) > 2)

    found = section(by_place)
    changed = values(found)
    assert changed["largest change of a probability, same text again"] == 0
    assert (changed["largest change of a probability, another order"] or 0) > 0.01


def test_a_transformer_is_run_in_another_dtype_and_stays_as_it_was() -> None:
    model = ARCHITECTURES[0].classifier()
    found = section(model, ROWS[:20], texts=10)
    changed = values(found)
    assert 0 < (changed["largest change of a probability, other dtype"] or 0) < 0.05
    assert found.findings == ()
    assert model.model.dtype == torch.float32


def test_the_number_of_texts_and_of_repeats_can_be_chosen() -> None:
    calls: list[int] = []

    def recording_model(texts: Sequence[str]) -> Any:
        calls.append(len(texts))
        return lengths(texts)

    section(recording_model, texts=7, repeats=4)
    assert calls == [100, *[7] * 5, *[1] * 7, 7, *[2] * 7]


def test_a_model_that_fails_later_is_not_measured() -> None:
    turns = count()

    def fails(texts: Sequence[str]) -> Any:
        return lengths(texts) * (np.nan if next(turns) else 1.0)

    assert "64 of 64 texts that this check asked for got no answer" in str(section(fails).skipped)


def test_a_text_that_fails_alone_is_left_out_and_counted() -> None:
    lost = set[str]()

    def fails(texts: Sequence[str]) -> Any:
        if len(texts) == 1 and texts[0].endswith(("number 7", "number 50", "number 93")):
            lost.update(texts)
            raise ConnectionError("503")
        return lengths(texts)

    said = section(fails)
    assert lost
    (table,) = [table for table in said.tables if table.title == "Texts without an answer"]
    assert table.rows == (("function raised ConnectionError: 503", len(lost)),)
    (alone,) = [m for m in said.measures if m.name == "flip rate, one text at a time"]
    assert alone.n == 64 - len(lost)


def test_a_regression_moves_its_value() -> None:
    rng = np.random.default_rng(0)
    model = FunctionClassifier(
        lambda texts: lengths(texts)[:, :1] + rng.normal(0, 0.1, (len(texts), 1)),
        ["score"],
        task="regression",
        output="scores",
    )
    found = section(model)
    assert "The value changed by up to" in found.findings[0].claim
    assert "largest change of the value, same text again" in values(found)
