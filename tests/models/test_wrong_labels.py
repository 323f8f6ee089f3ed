"""Wrong labels of any direction are estimated with their interval, and right ones are left alone.

The truth is that of the simulation: labels are drawn from known probabilities, and then some are
exchanged at a known rate. Coverage is in `tests/statistical/test_label_noise.py`.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize, stats
from scipy.special import log_softmax

from explain.checks.data.label_noise import label_noise
from explain.checks.data.noise_model import MOST_PAIRED, fit_noise_model
from explain.testing.messages import LABELS
from explain.testing.planted import planted
from tests.helpers.search import examples

Table = tuple[NDArray[np.float64], NDArray[np.int64]]


def drawn(seed: int, n: int, n_labels: int, rates: dict[tuple[int, int], float]) -> Table:
    """Return log-probabilities, and labels that are drawn from them and exchanged at some rates."""
    rng = np.random.default_rng(seed)
    log_probs = log_softmax(2.5 * rng.normal(size=(n, n_labels)), axis=1)
    chances = np.cumsum(np.exp(log_probs), axis=1)
    labels = (rng.random(n)[:, None] > chances[:, :-1]).sum(axis=1)
    moved, chance = labels.copy(), rng.random(n)
    for true in range(n_labels):
        below = 0.0
        for (label, other), rate in rates.items():
            if label == true:
                moved[(labels == true) & (chance >= below) & (chance < below + rate)] = other
                below += rate
    return log_probs, moved


Function = Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]]


def assert_slopes(function: Function, x: NDArray[np.float64]) -> None:
    def value(x: NDArray[np.float64]) -> float:
        return function(x)[0]

    by_differences = optimize.approx_fprime(x, value, 1e-6)
    np.testing.assert_allclose(function(x)[1], by_differences, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("n_labels", [2, 3, MOST_PAIRED + 1])
def test_slopes_are_those_of_small_differences(n_labels: int) -> None:
    model = fit_noise_model(*drawn(0, 60, n_labels, {(1, 0): 0.2}))
    rng = np.random.default_rng(1)
    n_settings = 1 + model.likelihood.n_offsets
    for _ in range(3):
        rates = rng.uniform(0.05, 0.4, len(model.best) - n_settings)
        x = np.concatenate([rng.normal(0, 0.3, n_settings), rates])
        mask = rng.random(len(rates)) < 0.5
        assert_slopes(model.likelihood.loss, x)
        assert_slopes(partial(model.likelihood.wrong, is_counted=mask), x)


@pytest.mark.parametrize(("seed", "n_labels"), [(0, 2), (1, 2), (2, 3)])
def test_the_ends_are_the_extremes_of_all_parameters_that_are_not_refused(
    seed: int, n_labels: int
) -> None:
    """By another algorithm: sequential quadratic programming."""
    model = fit_noise_model(*drawn(seed, 400, n_labels, {(1, 0): 0.2}))
    likelihood = model.likelihood
    n_rates = len(likelihood.rates.start)
    mask = np.ones(n_rates, dtype=np.bool_)
    allowed = -model.log_likelihood + stats.chi2.ppf(0.95, 1) / 2

    def extreme(sign: int) -> float:
        def signed(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            share, slopes = likelihood.wrong(x, mask)
            return sign * 400 * share, sign * 400 * slopes

        limit = optimize.NonlinearConstraint(
            lambda x: np.array([likelihood.loss(x)[0]]),
            -np.inf,
            allowed,
            jac=lambda x: likelihood.loss(x)[1][None],
        )
        bounds = likelihood.bounds(mask)
        end = optimize.minimize(
            signed, model.best, jac=True, bounds=bounds, constraints=[limit], method="SLSQP"
        )
        return float(sign * end.fun / 400)

    ends = (extreme(1), extreme(-1))
    assert model.interval(0.95) == pytest.approx(ends, abs=2e-3)


@example(seed=66, shift=1)
@examples(10)
@given(seed=st.integers(0, 1000), shift=st.integers(1, 2))
def test_the_order_of_the_labels_does_not_matter(seed: int, shift: int) -> None:
    log_probs, labels = drawn(seed, 200, 3, {(2, 0): 0.2})
    one = fit_noise_model(log_probs, labels)
    other = fit_noise_model(np.roll(log_probs, shift, axis=1), (labels + shift) % 3)
    # The first label has no offset, which is all that the order changes: little for the interval.
    lower, upper = one.interval(0.95)
    assert other.wrong() == pytest.approx(one.wrong(), abs=max(0.01, 0.2 * (upper - lower)))


@examples(10)
@given(seed=st.integers(0, 1000))
def test_the_rows_that_are_probably_wrong_add_up_to_the_estimate(seed: int) -> None:
    log_probs, labels = drawn(seed, 500, 3, {(2, 0): 0.3})
    model = fit_noise_model(log_probs, labels)
    is_right = model.truth[np.arange(500), labels]
    assert model.truth.sum(axis=1) == pytest.approx(1)
    assert (1 - is_right).mean() == pytest.approx(model.wrong(), abs=0.01)
    parts = [model.wrong(pair) for pair in model.pairs]
    assert sum(parts) == pytest.approx(model.wrong())


@pytest.mark.parametrize("n_labels", [2, 3])
@pytest.mark.parametrize("temperature", [1.0, 0.4, 2.5])
def test_one_sided_errors_are_found_in_their_direction(n_labels: int, temperature: float) -> None:
    log_probs, labels = drawn(3, 1_000, n_labels, {(1, 0): 0.2})
    model = fit_noise_model(temperature * log_probs, labels)
    share = 0.2 * float(np.exp(log_probs[:, 1]).mean())
    lower, upper = model.interval(0.95)
    assert 0.01 < lower < share < upper < 2 * share
    assert model.p_value() < 1e-4
    assert model.interval(0.95, (1, 0))[0] > 0.01
    assert model.interval(0.95, (0, 1))[0] == 0
    assert max(model.pairs, key=model.wrong) == (1, 0)


def test_two_labels_that_are_exchanged_are_told_from_the_third() -> None:
    log_probs, labels = drawn(4, 1_500, 3, {(0, 1): 0.15, (1, 0): 0.15})
    model = fit_noise_model(log_probs, labels)
    first, second, *rest = sorted(model.pairs, key=model.wrong, reverse=True)
    assert {first, second} == {(0, 1), (1, 0)}
    assert all(model.interval(0.95, pair)[0] == 0 for pair in rest)
    lower, upper = model.interval(0.95)
    assert lower < 0.15 * float(np.exp(log_probs[:, :2]).sum(axis=1).mean()) < upper


@pytest.mark.parametrize("n_labels", [2, 3, MOST_PAIRED + 1])
@pytest.mark.parametrize("scale", [0.2, 1.0])
@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_hard_texts_and_a_wrong_temperature_are_not_wrong_labels(
    n_labels: int, scale: float, temperature: float
) -> None:
    log_probs = scale * drawn(5, 800, n_labels, {})[0]
    rng = np.random.default_rng(6)
    chances = np.cumsum(np.exp(log_softmax(log_probs, axis=1)), axis=1)
    labels = (rng.random(800)[:, None] > chances[:, :-1]).sum(axis=1)
    model = fit_noise_model(temperature * log_probs, labels)
    assert model.interval(0.95)[0] == 0
    assert model.p_value() > 0.01


def test_many_labels_share_one_rate() -> None:
    n_labels = MOST_PAIRED + 4
    every = {
        (i, j): 0.1 / (n_labels - 1) for i in range(n_labels) for j in range(n_labels) if i != j
    }
    model = fit_noise_model(*drawn(7, 1_500, n_labels, every))
    lower, upper = model.interval(0.95)
    assert lower < 0.1 < upper
    assert lower > 0.03
    assert model.pairs == []


def test_what_a_model_has_learnt_with_its_errors_cannot_be_told() -> None:
    """Trained on 20 % one-sided errors, a perfect model says .8 where the true label is sure."""
    log_probs, labels = drawn(8, 1_000, 2, {(1, 0): 0.2})
    probabilities = np.exp(log_probs)
    repeated = np.stack([1 - 0.8 * probabilities[:, 1], 0.8 * probabilities[:, 1]], axis=1)
    lower, upper = fit_noise_model(np.log(repeated), labels).interval(0.95)
    assert lower == 0
    assert upper > 0.02


# ── With the baseline model ───────────────────────────────────────────────────────────────────────


def messages(seed: int, name: str = "clean") -> tuple[list[tuple[str, ...]], Table]:
    case = planted(name, seed)
    texts = [row["text"] for row in case.rows]
    labels = np.array([LABELS.index(row["label"]) for row in case.rows])
    scores: NDArray[np.float64] = np.asarray(case.classifier.predict(texts))
    return [(text,) for text in texts], (log_softmax(scores, axis=1), labels)


def test_a_model_that_exchanges_labels_does_not_make_them_wrong() -> None:
    texts, (log_probs, labels) = messages(0, "label_swap")
    noise = label_noise(texts, labels, log_probs, np.random.default_rng(0))
    assert not noise.by_model
    assert noise.measure("m").lower == 0


def test_right_labels_that_a_shortcut_overrides_are_not_doubted() -> None:
    texts, (log_probs, labels) = messages(0, "shortcut_token")
    noise = label_noise(texts, labels, log_probs, np.random.default_rng(0))
    assert fit_noise_model(log_probs, labels).p_value() < 0.0025
    assert not noise.by_model
    assert noise.fit.p_value() > 0.0025


def test_a_baseline_model_that_can_tell_nothing_refutes_nothing() -> None:
    log_probs, labels = drawn(9, 600, 2, {(1, 0): 0.3})
    texts = [(" ".join(np.random.default_rng(i).choice(list("abcdefgh"), 6)),) for i in range(600)]
    noise = label_noise(texts, labels, log_probs, np.random.default_rng(0))
    assert noise.by_model
    assert noise.fit.p_value() < 0.0025


def test_a_surer_prior_from_other_rows_tells_errors_in_both_directions_apart() -> None:
    """Alone, a group whose labels are wrong both ways looks like a model that is too sure."""
    others = fit_noise_model(*drawn(10, 1_000, 2, {}))
    log_probs, labels = drawn(11, 250, 2, {(0, 1): 0.2, (1, 0): 0.2})
    alone, beside = fit_noise_model(log_probs, labels), fit_noise_model(log_probs, labels, others)
    assert beside.interval(0.95)[0] > 0.05
    assert beside.p_value() < alone.p_value()
    assert beside.interval(0.95)[0] < 0.2 < beside.interval(0.95)[1]


def test_labels_that_are_not_used_do_not_change_the_answer() -> None:
    texts, (log_probs, labels) = messages(1)
    labels = np.where((labels == 2) & (np.arange(len(labels)) % 4 == 0), 0, labels)
    wider = np.insert(log_probs, 1, -40.0, axis=1)
    noise, with_unused = (
        label_noise(texts, y, p, np.random.default_rng(0))
        for y, p in ((labels, log_probs), (np.where(labels > 0, labels + 1, 0), wider))
    )
    assert with_unused.measure("m").value == pytest.approx(noise.measure("m").value)
    assert noise.pairs()[0][:2] == (2, 0)
    assert with_unused.pairs()[0][:2] == (3, 0)
