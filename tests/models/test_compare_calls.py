"""Logs of one endpoint at two dates: a drift is told from noise, with the number of texts."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
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
from explain.auditing.archive import write_audit
from explain.commands.compare import compared_runs
from explain.comparison import compare_calls
from explain.comparison.call_changes import SIZE, PairedAnswers, call_changes
from explain.comparison.drift import NOWHERE
from explain.comparison.outcomes import adjusted, verdict_of
from explain.errors import ConfigurationError, DataError
from explain.record import Comparison
from reports.comparison import comparison_lines, comparison_page, write_comparison
from tests.helpers.comparisons import noisy_answers
from tests.helpers.endpoint import LABELS, QUESTIONS, Server, logits_of_words, no_wait

URL = "http://endpoint.test/x"
TEXTS = [f"text {n} is good and {'not ' * (n % 3)}{'dull ' * (n % 4)}" for n in range(30)]


@pytest.fixture(scope="module", autouse=True)
def _no_waiting() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "Pace", partial(Pace, sleep=no_wait))
        yield


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the log of the model as it is."""
    return log_of(tmp_path_factory.mktemp("plain") / "calls.sqlite")


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the log of the model with log-odds that have moved by a half."""
    return log_of(tmp_path_factory.mktemp("moved") / "calls.sqlite", shift=0.5)


def drifting(shift: float, noise: float, seed: int) -> Callable[[Any], NDArray[np.float64]]:
    """Return a model whose log-odds are moved by a shift and by noise."""
    rng = np.random.default_rng(seed)

    def logits(text: Any) -> NDArray[np.float64]:
        moved = shift + noise * rng.normal()
        return np.asarray(logits_of_words(text) + np.array([-moved / 2, moved / 2]))

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
    plain: Path, moved: Path
) -> None:
    comparison = compare_calls(plain, moved)
    assert (comparison.subject, comparison.verdict) == ("calls", "different")
    # The text that an endpoint is asked first is one of those in both.
    assert (comparison.rows, comparison.first_rows_only, comparison.second_rows_only) == (31, 0, 0)
    assert "answers to the same 31 texts changed by more than its own noise" in comparison.answer
    (change,) = (each for each in comparison.changes if each.id == "calls.shift[positive]")
    logits = np.array([logits_of_words(text) for text in [*TEXTS, opening.FIRST_TEXT]])
    odds = logits[:, 1] - logits[:, 0]
    gaps = 1 / (1 + np.exp(-odds - 0.5)) - 1 / (1 + np.exp(-odds))
    assert change.difference is not None
    assert change.difference.value == pytest.approx(gaps.mean(), abs=1e-9)
    assert (change.difference.lower, change.difference.upper) == pytest.approx(
        stats.t.interval(0.95, 30, gaps.mean(), stats.sem(gaps))
    )
    flipped = int(((odds > 0) != (odds + 0.5 > 0)).sum())
    assert comparison.sections[0].measures[0].value == pytest.approx(flipped / 31)


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
    later = log_of(tmp_path / "c.sqlite", shift=1.5, seed=3, **options)
    assert compare_calls(first, later).verdict == "different"


@pytest.mark.parametrize("kind", ["tei", "chat", "json", "moderation"])
def test_the_log_says_what_was_asked_so_that_its_answers_can_be_read(
    kind: str, tmp_path: Path
) -> None:
    logs = [
        log_of(tmp_path / f"{name}.sqlite", shift=shift, kind=kind, repeats=0, log_texts="hash")
        for name, shift in (("a", 0.0), ("b", 0.6))
    ]
    comparison = compare_calls(logs[0], logs[1])
    assert comparison.rows == 31
    assert comparison.verdict == "different"
    assert comparison.first.name == "endpoint.test/x"
    assert comparison.first.audited_on is not None


def test_a_log_compared_with_itself_is_said_to_be_that(plain: Path) -> None:
    comparison = compare_calls(plain, plain)
    assert comparison.verdict == "no difference"
    assert "Both logs hold the same answers" in comparison.answer


def test_texts_of_one_log_alone_are_counted_and_none_in_common_is_refused(
    plain: Path, tmp_path: Path
) -> None:
    comparison = compare_calls(plain, log_of(tmp_path / "b.sqlite", texts=TEXTS[:20]))
    assert (comparison.rows, comparison.first_rows_only, comparison.second_rows_only) == (21, 10, 0)
    other = log_of(tmp_path / "c.sqlite", question="Is this review good?")
    with pytest.raises(DataError, match="no text in common, of 31 and 31"):
        compare_calls(plain, other)
    with pytest.raises(ConfigurationError, match="different kinds, systemone and tei"):
        compare_calls(plain, log_of(tmp_path / "d.sqlite", kind="tei"))


def test_a_log_that_does_not_say_what_was_asked_is_read_with_the_question(
    plain: Path, tmp_path: Path
) -> None:
    logs = [Path(shutil.copy(plain, tmp_path / f"{name}.sqlite")) for name in "ab"]
    for log in logs:
        with sqlite3.connect(log) as base:
            base.execute("DROP TABLE questions")
    with pytest.raises(ConfigurationError, match="first log of calls does not say what was asked"):
        compare_calls(logs[0], logs[1])
    endpoint = Endpoint(NOWHERE, kind="systemone", **QUESTIONS["systemone"])
    assert compare_calls(logs[0], logs[1], endpoint).rows == 31


def test_another_name_of_the_model_is_a_fact(plain: Path, tmp_path: Path) -> None:
    other = Path(shutil.copy(plain, tmp_path / "calls.sqlite"))
    with sqlite3.connect(other) as base:
        base.execute("UPDATE calls SET model = 'jev-2'")
    comparison = compare_calls(plain, other)
    assert comparison.verdict == "different"
    assert "The answers name another model." in comparison.answer


def test_the_page_is_of_logs_and_not_of_audits(plain: Path, moved: Path, tmp_path: Path) -> None:
    comparison = compare_calls(plain, moved)
    page = comparison_page(comparison)
    assert "answers at two dates compared" in page
    assert "31 texts in both" in page
    assert "31 texts in both" in next(iter(comparison_lines(comparison)))
    write_comparison(comparison, tmp_path / "diff.json")
    assert Comparison.from_json((tmp_path / "diff.json").read_bytes()) == comparison


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the folders of two audits of an endpoint whose log-odds have moved meanwhile."""
    root = tmp_path_factory.mktemp("audits")
    rows = [{"text": text, "label": LABELS[n % 2]} for n, text in enumerate(TEXTS)]
    for name, shift in (("a", 0.0), ("b", 0.5)):
        server = Server("systemone", drifting(shift, 0.0, 0))
        record = explain.audit(
            URL, rows, label="label", instances=0, methods=[], checks=["performance"],
            kind="systemone", endpoint={
                **QUESTIONS["systemone"], "transport": server.transport,
                "calls": root / name / "calls.sqlite",
            },
        )  # fmt: skip
        write_audit(record, [], root / name)
    return [root / "a", root / "b"]


def test_two_audits_of_an_endpoint_are_compared_with_their_logs(folders: list[Path]) -> None:
    comparison = compared_runs(folders[0], folders[1], None, None)
    assert comparison.subject == "audits"
    assert "its answers to the same 31 texts changed" in comparison.answer
    assert {change.kind for change in comparison.changes} >= {"rows", "call"}
    assert comparison.sections[-1].id == "calls"
    with pytest.raises(ConfigurationError, match="an audit and a log of calls"):
        compared_runs(folders[0], folders[1] / "calls.sqlite", None, None)
    with pytest.raises(ConfigurationError, match="a log of calls has no labels"):
        compared_runs(folders[0] / "calls.sqlite", folders[1] / "calls.sqlite", 0.02, None)


@pytest.mark.parametrize(("shift", "least", "most"), [(0.0, 0, 1), (0.5, 19, 20)])
def test_drift_is_found_in_19_of_20_seeds_and_noise_is_taken_for_it_in_one_at_most(
    shift: float, least: int, most: int
) -> None:
    """Sixty texts with noise of sd .5, 16 of them asked three times."""
    rng = np.random.default_rng
    verdicts = [
        verdict_of(adjusted([*call_changes(noisy_answers(rng(s), 60, shift))])) for s in range(20)
    ]
    assert least <= verdicts.count("different") <= most
