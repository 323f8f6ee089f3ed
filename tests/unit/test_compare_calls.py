"""Logs of one endpoint at two dates: a drift is told from noise, with the number of texts."""

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

import explain
from explain.adapters.remote import Endpoint, opening
from explain.adapters.remote.pace import Pace
from explain.comparison import compare_calls
from explain.comparison.call_changes import SIZE, PairedAnswers, call_changes
from explain.comparison.drift import NOWHERE
from explain.comparison.outcomes import adjusted, verdict_of
from explain.errors import ConfigurationError, DataError
from explain.record import Comparison
from reports.comparison import comparison_lines, comparison_page, write_comparison
from tests.helpers.endpoint import QUESTIONS, Server, logits_of_words, no_wait

URL = "http://endpoint.test/x"
TEXTS = [f"text {n} is good and {'not ' * (n % 3)}{'dull ' * (n % 4)}" for n in range(60)]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "Pace", partial(Pace, sleep=no_wait))


def drifting(shift: float, noise: float, seed: int) -> Callable[[Any], NDArray[np.float64]]:
    """Return a model whose log-odds are moved by a shift and by noise."""
    rng = np.random.default_rng(seed)

    def logits(text: Any) -> NDArray[np.float64]:
        moved = shift + noise * rng.normal()
        return logits_of_words(text) + np.array([-moved / 2, moved / 2])

    return logits


def log_of(
    path: Path,
    shift: float = 0.0,
    noise: float = 0.0,
    *,
    seed: int = 0,
    kind: str = "systemone",
    texts: list[str] = TEXTS,
    repeats: int = 2,
    **options: Any,
) -> Path:
    """Write the log of a run that asks all texts once and some of them again."""
    server = Server(kind, drifting(shift, noise, seed))
    stated = {**QUESTIONS[kind], **options}
    model = explain.load(URL, kind=kind, calls=path, transport=server.transport, **stated)
    assert hasattr(model, "predict_each")
    model.predict(texts)
    for _ in range(repeats):
        model.predict_each(texts[:12], fresh=True)
    return path


def test_a_shift_of_known_size_is_found_with_its_interval_and_the_number_of_texts(
    tmp_path: Path,
) -> None:
    first, second = log_of(tmp_path / "a.sqlite"), log_of(tmp_path / "b.sqlite", shift=0.5)
    comparison = compare_calls(first, second)
    assert (comparison.subject, comparison.verdict) == ("calls", "different")
    # The text that an endpoint is asked first is one of those in both.
    assert (comparison.rows, comparison.first_rows_only, comparison.second_rows_only) == (61, 0, 0)
    assert "answers to the same 61 texts changed by more than its own noise" in comparison.answer
    (moved,) = (each for each in comparison.changes if each.id == "calls.shift[positive]")
    logits = np.array([logits_of_words(text) for text in [*TEXTS, opening.FIRST_TEXT]])
    odds = logits[:, 1] - logits[:, 0]
    gaps = 1 / (1 + np.exp(-odds - 0.5)) - 1 / (1 + np.exp(-odds))
    assert moved.difference is not None
    assert moved.difference.value == pytest.approx(gaps.mean(), abs=1e-9)
    assert (moved.difference.lower, moved.difference.upper) == pytest.approx(
        stats.t.interval(0.95, 60, gaps.mean(), stats.sem(gaps))
    )
    flipped = int(((odds > 0) != (odds + 0.5 > 0)).sum())
    assert comparison.sections[0].measures[0].value == pytest.approx(flipped / 61)


def test_an_endpoint_that_is_only_noisy_shows_no_drift(tmp_path: Path) -> None:
    first = log_of(tmp_path / "a.sqlite", noise=0.8, seed=1)
    comparison = compare_calls(first, log_of(tmp_path / "b.sqlite", noise=0.8, seed=2))
    assert comparison.verdict == "no difference"
    assert "do not differ by more than its own noise" in comparison.answer
    flips, by_noise = comparison.sections[0].measures
    assert flips.value
    assert by_noise.n == 12 * 2
    assert by_noise.value


def test_answers_that_move_both_ways_are_found_where_texts_were_asked_again() -> None:
    """Half of the texts up, half down: only the spread on one day tells that from noise."""
    rng = np.random.default_rng(0)
    truth, move = rng.normal(0, 1, 16), np.tile([1.0, -1.0], 8)

    def answers(odds: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        noisy = odds[:, None] + 0.2 * rng.normal(size=(16, 3))
        return [np.stack([-row / 2, row / 2], axis=1) for row in noisy]

    labels = ("negative", "positive")
    pairs = PairedAnswers("single_label", labels, answers(truth), answers(truth + move), ([], []))
    changes = {change.id: change for change in adjusted([*call_changes(pairs)])}
    assert changes[SIZE].outcome == "changed"
    assert changes["calls.shift[positive]"].outcome == "unresolved"


def test_without_repeats_noise_and_drift_are_told_apart_by_direction_alone(tmp_path: Path) -> None:
    options: dict[str, Any] = {"noise": 0.8, "repeats": 0}
    first = log_of(tmp_path / "a.sqlite", seed=1, **options)
    comparison = compare_calls(first, log_of(tmp_path / "b.sqlite", seed=2, **options))
    assert comparison.verdict == "no difference"
    assert "Fewer than five texts were asked twice" in comparison.sections[0].summary
    moved = compare_calls(first, log_of(tmp_path / "c.sqlite", shift=1.5, seed=3, **options))
    assert moved.verdict == "different"


@pytest.mark.parametrize("kind", ["tei", "vllm-classify", "chat", "json", "moderation"])
def test_the_log_says_what_was_asked_so_that_its_answers_can_be_read(
    kind: str, tmp_path: Path
) -> None:
    logs = [
        log_of(tmp_path / f"{name}.sqlite", shift=shift, kind=kind, log_texts="hash")
        for name, shift in (("a", 0.0), ("b", 0.6))
    ]
    comparison = compare_calls(*logs)
    assert comparison.rows == 61
    assert comparison.verdict == "different"
    assert comparison.first.name == "endpoint.test/x"
    assert comparison.first.audited_on is not None


def test_a_log_compared_with_itself_is_said_to_be_that(tmp_path: Path) -> None:
    log = log_of(tmp_path / "a.sqlite")
    comparison = compare_calls(log, log)
    assert comparison.verdict == "no difference"
    assert "Both logs hold the same answers" in comparison.answer


def test_texts_of_one_log_alone_are_counted_and_none_in_common_is_refused(tmp_path: Path) -> None:
    whole = log_of(tmp_path / "a.sqlite")
    comparison = compare_calls(whole, log_of(tmp_path / "b.sqlite", texts=TEXTS[:20]))
    assert (comparison.rows, comparison.first_rows_only, comparison.second_rows_only) == (21, 40, 0)
    other = log_of(tmp_path / "c.sqlite", question="Is this review good?")
    with pytest.raises(DataError, match="no text in common, of 61 and 61"):
        compare_calls(whole, other)
    with pytest.raises(ConfigurationError, match="different kinds, systemone and tei"):
        compare_calls(whole, log_of(tmp_path / "d.sqlite", kind="tei"))


def test_a_log_that_does_not_say_what_was_asked_is_read_with_the_question(tmp_path: Path) -> None:
    logs = [log_of(tmp_path / f"{name}.sqlite", noise=0.1) for name in "ab"]
    for log in logs:
        with sqlite3.connect(log) as base:
            base.execute("DROP TABLE questions")
    with pytest.raises(ConfigurationError, match="first log of calls does not say what was asked"):
        compare_calls(*logs)
    endpoint = Endpoint(NOWHERE, kind="systemone", **QUESTIONS["systemone"])
    assert compare_calls(*logs, endpoint).rows == 61


def test_another_name_of_the_model_is_a_fact(tmp_path: Path) -> None:
    logs = [log_of(tmp_path / f"{name}.sqlite") for name in "ab"]
    with sqlite3.connect(logs[1]) as base:
        base.execute("UPDATE calls SET model = 'jev-2'")
    comparison = compare_calls(*logs)
    assert comparison.verdict == "different"
    assert "The answers name another model." in comparison.answer


def test_the_page_is_of_logs_and_not_of_audits(tmp_path: Path) -> None:
    first, second = log_of(tmp_path / "a.sqlite"), log_of(tmp_path / "b.sqlite", shift=0.5)
    comparison = compare_calls(first, second)
    page = comparison_page(comparison)
    assert "answers at two dates compared" in page
    assert "61 texts in both" in page
    assert "61 texts in both" in next(iter(comparison_lines(comparison)))
    write_comparison(comparison, tmp_path / "diff.json")
    assert Comparison.from_json((tmp_path / "diff.json").read_bytes()) == comparison


@pytest.mark.parametrize(("shift", "least", "most"), [(0.0, 0, 1), (0.5, 19, 20)])
def test_drift_is_found_in_19_of_20_seeds_and_noise_is_taken_for_it_in_one_at_most(
    shift: float, least: int, most: int
) -> None:
    """Sixty texts with noise of sd .5, twelve of them asked three times."""
    verdicts = [verdict_of(adjusted([*call_changes(noisy_pairs(shift, s))])) for s in range(20)]
    assert least <= verdicts.count("different") <= most


def noisy_pairs(shift: float, seed: int, noise: float = 0.5) -> PairedAnswers:
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 2, 60)

    def answers(odds: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        rows = [
            value + noise * rng.normal(size=3 if place < 12 else 1)
            for place, value in enumerate(odds)
        ]
        return [np.stack([-row / 2, row / 2], axis=1) for row in rows]

    labels = ("negative", "positive")
    return PairedAnswers("single_label", labels, answers(truth), answers(truth + shift), ([], []))
