"""Harm to people is found where it is, the harmed group is named, and a clean model has none."""

from collections.abc import Mapping
from functools import cache

import numpy as np
import pytest

import explain
from explain.adapters import TextClassifier
from explain.checks.base.decisions import difference
from explain.record import Finding
from explain.statistics.intervals import clustered_proportion, proportion
from explain.testing.messages import LABELS, posterior_of
from explain.testing.planted import Planted, planted
from tests.helpers.search import seeds

HARMED: Mapping[str, str] = {
    "group_accuracy": "group = B",
    "group_false_positives": "group = B",
    "intersectional_harm": "group = B, age = old",
    "group_of_names": "Black people",
}
"""Whom the first finding must name; no finding may name anybody else as harmed."""


@cache
def findings_of(name: str, seed: int) -> tuple[Finding, ...]:
    """Return what the check of fairness finds in a planted case."""
    case = planted(name, seed)
    return fairness_of(case.classifier, case, seed)


def fairness_of(classifier: TextClassifier, case: Planted, seed: int) -> tuple[Finding, ...]:
    record = explain.audit(
        classifier,
        case.rows,
        instances=0,
        methods=[],
        checks=["fairness"],
        seed=seed,
        **case.options,
    )
    return record.findings


@pytest.mark.parametrize("name", HARMED)
def test_harm_is_found_first_and_the_harmed_group_named_in_19_of_20_tables(name: str) -> None:
    missed = []
    for seed in seeds(20, 2):
        findings = findings_of(name, seed)
        about_groups = [f for f in findings if f.code != "fairness.swap"]
        named = [HARMED[name] in f.subject for f in about_groups]
        if (
            not about_groups
            or findings[0].code not in planted(name, seed).codes
            or not all(named[:1])
        ):
            missed.append((seed, [finding.id for finding in findings]))
    assert len(missed) <= 0.05 * len(seeds(20, 2)), missed


@pytest.mark.parametrize("name", HARMED)
def test_nobody_else_is_said_to_be_harmed(name: str) -> None:
    findings = [f for seed in seeds(20, 2) for f in findings_of(name, seed)]
    about = [f for f in findings if f.code not in {"fairness.swap", "fairness.impact_ratio"}]
    wrong = [f.id for f in about if HARMED[name] not in f.subject]
    # The names of the messages are of both kinds, and one of them is on the list.
    wrong = [name_of for name_of in wrong if name != "group_of_names" or "group" not in name_of]
    assert len(wrong) <= 0.05 * len(seeds(20, 2)), wrong


def test_a_clean_model_is_not_said_to_harm_anybody() -> None:
    found = []
    for seed in seeds(100, 3):
        case = planted("intersectional_harm", seed, 200)
        clean = explain.wrap(posterior_of, labels=LABELS, output="scores")
        found += [(seed, finding.claim) for finding in fairness_of(clean, case, seed)]
    assert len(found) <= 0.05 * len(seeds(100, 3)), found


@pytest.mark.parametrize("n", [50, 200, 1000])
@pytest.mark.parametrize(("p", "q"), [(0.3, 0.1), (0.15, 0.15)])
def test_the_interval_of_a_gap_between_a_group_and_the_rest_covers(
    n: int, p: float, q: float
) -> None:
    rng = np.random.default_rng(n)
    inside = []
    for _ in range(4000):
        members = int(rng.binomial(n, 0.3))
        share = proportion("", int(rng.binomial(members, p)), members)
        rest = proportion("", int(rng.binomial(n - members, q)), n - members)
        gap = difference(share, rest, "gap")
        inside.append((gap.lower or 0) <= p - q <= (gap.upper or 0))
    assert 0.93 <= np.mean(inside) <= 0.97


@pytest.mark.parametrize("spread", [0.5, 2.0, 20.0])
def test_the_interval_of_a_gap_between_groups_of_names_covers(spread: float) -> None:
    """Each name has a share of its own, drawn around that of its group."""
    rng = np.random.default_rng(int(spread))
    inside = []
    for _ in range(3000):
        shares = []
        for mean, names in ((0.3, 16), (0.2, 48)):
            own = rng.beta(spread * mean, spread * (1 - mean), names)
            hits = rng.random((names, 10)) < own[:, None]
            shares.append(clustered_proportion("", hits.ravel(), np.repeat(np.arange(names), 10)))
        gap = difference(shares[0], shares[1], "gap")
        inside.append((gap.lower or 0) <= 0.1 <= (gap.upper or 0))
    assert 0.93 <= np.mean(inside) <= 0.97
