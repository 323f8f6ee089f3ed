"""What each metric says of a method: a number, what random values reach, and whether it is flagged.

A metric is flagged where its 95 % interval does not tell it from that of random values; a median is
held to a bar. Where few explanations were looked at nothing is flagged, and that is said.
"""

from collections.abc import Sequence

import numpy as np

from explain.intervals import bootstrap, mean, proportion
from explain.metrics.agreement import chance_taus
from explain.metrics.faithfulness import Faithfulness
from explain.metrics.grades import FEWEST_COMPARED, Reading, Verdict, faithfulness_verdict
from explain.metrics.infidelity import Infidelity
from explain.metrics.plausibility import Plausibility
from explain.metrics.sensitivity import Sensitivity
from explain.metrics.stability import Stability
from explain.record import Agreement, Measure, Unit
from explain.wording import percent

__all__ = [
    "agreement_reading",
    "faithfulness_readings",
    "infidelity_reading",
    "plausibility_readings",
    "randomisation_reading",
    "sensitivity_reading",
    "stability_readings",
]

LEAST_TAU = 0.5
MOST_RESEMBLANCE = 0.2

FEWEST_SAMPLED = 5
"""Texts below which a median, or a gain over random values, rests on two or three of them."""

CHANCE = 0.05
"""Share of unrelated rankings that lie beyond the upper end of chance."""

CHANCE_MEDIANS = 2_000
"""Medians over texts that are drawn for the null of parameter randomisation."""

NULL = "random"
"""The method that is no witness for another."""


def faithfulness_readings(found: Sequence[Faithfulness], unit: Unit) -> list[Reading]:
    """Return comprehensiveness and sufficiency, each minus that of random rankings.

    Parameters
    ----------
    found : sequence of Faithfulness
        That of each explanation of a method.
    unit : {"log_odds", "coefficient"}
        Unit of the target.
    """
    gained = mean(
        "comprehensiveness minus random", [float(f.comprehensiveness.mean()) for f in found], unit
    )
    kept = mean("sufficiency minus random", [float(f.sufficiency.mean()) for f in found], unit)
    against = "above 0: the mean of 20 random rankings"
    return [
        Reading(
            gained.name,
            gained if found else None,
            against,
            faithfulness_verdict(gained if found else None, "its rankings", fatal=True),
        ),
        _gain_reading(
            kept.name,
            kept if found else None,
            against,
            kept,
            FEWEST_COMPARED,
            "Keeping the top features of its rankings preserves the prediction no better than "
            "keeping random ones",
        ),
    ]


def infidelity_reading(found: Sequence[Infidelity]) -> Reading:
    """Return infidelity against that of the same values at random features."""
    name = "infidelity"
    gain = mean(name, [float(i.random.mean()) - i.own for i in found], "proportion")
    return _gain_reading(
        name,
        mean(name, [i.own for i in found], "proportion"),
        mean("infidelity of random values", [float(i.random.mean()) for i in found], "proportion"),
        gain,
        FEWEST_COMPARED,
        "Its values foretell what removing features does no better than the same values at random "
        "features",
    )


def sensitivity_reading(method: str, found: Sequence[Sensitivity] | str) -> Reading:
    """Return max-sensitivity against that of permuted values, or why there is none."""
    name = "max-sensitivity"
    if isinstance(found, str):
        return _unmeasured(name, f"Max-sensitivity is not defined for {method}: {found}.")
    return _gain_reading(
        name,
        mean(name, [s.own for s in found], "coefficient"),
        mean("max-sensitivity of random values", [s.random for s in found], "coefficient"),
        mean(name, [s.random - s.own for s in found], "coefficient"),
        FEWEST_SAMPLED,
        "When the input moves a little, its values move as much as random ones",
    )


def stability_readings(found: Stability, seed: int) -> list[Reading]:
    """Return the rank correlation and the shared top features of several runs."""
    name = f"stability over {found.varied}: median tau-b"
    shared = f"stability over {found.varied}: top features shared"
    if len(found.taus) < FEWEST_SAMPLED:
        return [_too_few(name, "Stability", len(found.taus), FEWEST_SAMPLED)]
    tau = _median(name, found.taus, seed)
    verdict = Verdict(
        "stability",
        _value(tau) < LEAST_TAU,
        f"Over other {found.varied} the median rank correlation of its values is "
        f"{tau.value:.2f}; at least {LEAST_TAU} is wanted.",
    )
    return [
        Reading(name, tau, f"at least {LEAST_TAU}; 0 by chance", verdict),
        Reading(shared, mean(shared, found.overlaps, "proportion"), "1: the same ones", None),
    ]


def randomisation_reading(found: Sequence[tuple[float, int]] | str, seed: int) -> Reading:
    """Return how much explanations resemble those of a randomised model.

    The bar is .2 (Adebayo et al. 2018 ask for "low"), or the 95th percentile of what unrelated
    rankings of so few features give, if that is more.

    Parameters
    ----------
    found : sequence of (float, int) or str
        For each text the rank correlation and its number of features, or why there is none.
    seed : int
        Seed of the interval.
    """
    name = "parameter randomisation: median |tau-b|"
    if isinstance(found, str):
        return _unmeasured(name, f"Parameter randomisation was not measured: {found}.")
    if len(found) < FEWEST_SAMPLED:
        return _too_few(name, "Parameter randomisation", len(found), FEWEST_SAMPLED)
    tau = _median(name, [abs(tau) for tau, _ in found], seed)
    bar = max(MOST_RESEMBLANCE, _chance_median([n for _, n in found]))
    verdict = Verdict(
        "parameter randomisation",
        _value(tau) > bar,
        f"The median rank correlation of its values with those for a model of random parameters "
        f"is {tau.value:.2f}; at most {bar:.2f} is wanted.",
    )
    return Reading(name, tau, f"at most {bar:.2f}", verdict)


def agreement_reading(method: str, agreements: Sequence[Agreement]) -> Reading:
    """Return how often a method agrees beyond chance with the one that it agrees with most.

    Texts of so few features that no agreement is beyond chance do not count.

    Parameters
    ----------
    method : str
        The method.
    agreements : sequence of Agreement
        Those of all pairs of methods on all predictions.
    """
    name = "agreement with another method beyond chance"
    beyond: dict[str, list[bool]] = {}
    for agreement in agreements:
        others = [other for other in agreement.methods if other not in (method, NULL)]
        upper = agreement.null_upper
        if method in agreement.methods and others and upper is not None and upper < 1:
            beyond.setdefault(others[0], []).append((agreement.tau or 0.0) > upper)
    if not beyond:
        return _unmeasured(name, "Whether another method agrees with it was not measured.")
    other, known = max(beyond.items(), key=lambda item: float(np.mean(item[1])))
    share = proportion(f"agreement with {other} beyond chance", sum(known), len(known))
    if len(known) < FEWEST_COMPARED:
        return _too_few(name, "Agreement", len(known), FEWEST_COMPARED)
    verdict = Verdict(
        "agreement",
        share.lower is not None and share.lower <= CHANCE,
        f"No other method orders the features as it does more often than by chance: {other} does "
        f"so most, on {sum(known)} of {len(known)} predictions.",
    )
    return Reading(share.name, share, f"{percent(CHANCE)} by chance", verdict)


def plausibility_readings(found: Plausibility) -> list[Reading]:
    """Return how well values find human rationales; nothing follows for the grade."""
    return [
        Reading(
            name,
            mean(name, own, "proportion"),
            mean(f"{name} of random values", chance, "proportion"),
            None,
        )
        for name, own, chance in (
            ("plausibility: AUPRC", found.auprc, found.chance_auprc),
            ("plausibility: token F1", found.f1, found.chance_f1),
        )
        if own
    ]


def _gain_reading(
    name: str,
    measure: Measure | None,
    against: Measure | str,
    gain: Measure,
    fewest: int,
    sentence: str,
) -> Reading:
    """Return a reading that is flagged where the gain over random values may be zero."""
    if measure is None or gain.lower is None or gain.n < fewest:
        return _too_few(name, name.capitalize(), gain.n, fewest)
    said = f"{sentence}: the 95 % interval of the gain begins at {gain.lower:+.2f}, not above 0."
    return Reading(name, measure, against, Verdict(name, gain.lower <= 0, said))


def _too_few(name: str, subject: str, n: int, fewest: int) -> Reading:
    return _unmeasured(
        name,
        f"{subject} was not measured: of the explanations that were looked at {n} can be compared, "
        f"{fewest} are needed.",
    )


def _unmeasured(name: str, sentence: str) -> Reading:
    return Reading(name, None, None, Verdict(name, None, sentence.replace("..", ".")))


def _median(name: str, values: Sequence[float], seed: int) -> Measure:
    array = np.array(values)
    return bootstrap(
        name, lambda rows: np.median(array[rows], axis=-1), len(array), seed, "coefficient"
    )


def _value(measure: Measure) -> float:
    return float("nan") if measure.value is None else measure.value


def _chance_median(n_features: Sequence[int]) -> float:
    """Return the 95th percentile of the median |tau| of unrelated rankings of so many features."""
    rng = np.random.default_rng(list(n_features))
    drawn = [np.abs(rng.choice(chance_taus(n), CHANCE_MEDIANS)) for n in n_features]
    return float(np.quantile(np.median(drawn, axis=0), 1 - CHANCE))
