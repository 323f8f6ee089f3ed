"""What each metric says of a method: a number, what random values reach, and whether it is flagged.

A metric is flagged, or passes, where its whole 95 % interval says so: that it is better than random
values, or beyond a bar. Where it does not, that is said, and why.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from scipy.stats import binom

from explain.attribution.methods import title_of
from explain.evaluation.agreement import chance_taus
from explain.evaluation.faithfulness import Faithfulness
from explain.evaluation.flags import (
    FEWEST_COMPARED,
    FEWEST_FOR_MEDIAN,
    LEAST_SPREAD,
    Answer,
    Flag,
    MetricResult,
    at_least,
    at_most,
    better_than_random,
)
from explain.evaluation.grades import faithfulness_flag
from explain.evaluation.infidelity import Infidelity
from explain.evaluation.sensitivity import Sensitivity
from explain.evaluation.stability import Stability
from explain.record import Agreement, Measure, NotMeasured, Sentence, Unit, without_full_stop
from explain.statistics.bootstrap import CONFIDENCE
from explain.statistics.intervals import NOT_NEGATIVE, SHARES, mean, proportion

__all__ = [
    "agreement_result",
    "dispute_result",
    "disputes",
    "faithfulness_results",
    "infidelity_result",
    "randomisation_result",
    "sensitivity_result",
    "stability_results",
]

LEAST_TAU = 0.5
MOST_RESEMBLANCE = 0.2

CHANCE, MOST_BY_CHANCE = 0.05, 0.25
"""Share of unrelated rankings that lie beyond the upper end of chance, and what is no more than it:
8 of 32 explanations, of which the interval begins above .13."""

NEGLIGIBLE = 0.1
"""Gain over random values that is none, relative to what those reach."""

MOST_DISPUTED = 0.25
"""Share of predictions to whose top features two methods may give opposite signs."""

CHANCE_MEDIANS = 2_000
"""Medians over texts that are drawn for the null of parameter randomisation."""


def faithfulness_results(faithfulness: Sequence[Faithfulness], unit: Unit) -> list[MetricResult]:
    """Return comprehensiveness and sufficiency, each minus that of random rankings.

    Parameters
    ----------
    faithfulness : sequence of Faithfulness
        That of each explanation of a method.
    unit : {"log_odds", "coefficient"}
        Unit of the target.
    """
    gained = mean(
        "comprehensiveness minus random",
        [float(f.comprehensiveness.mean()) for f in faithfulness],
        unit,
    )
    kept = mean(
        "sufficiency minus random", [float(f.sufficiency.mean()) for f in faithfulness], unit
    )
    against = "above 0: the mean of random rankings"
    spreads = (
        [float(getattr(f, kind).std()) for f in faithfulness] or [0.0]
        for kind in ("comprehensiveness", "sufficiency")
    )
    of_gained, of_kept = (float(np.mean(spread)) for spread in spreads)
    return [
        MetricResult(
            gained.name,
            gained if faithfulness else None,
            against,
            faithfulness_flag(
                gained if faithfulness else None, of_gained, "its rankings", fatal=True
            ),
        ),
        _gain_result(
            kept.name,
            "Sufficiency",
            kept if faithfulness else None,
            against,
            kept,
            LEAST_SPREAD * of_kept,
            "Keeping the top features of its rankings preserves the prediction no better than "
            "keeping random ones",
        ),
    ]


def infidelity_result(infidelities: Sequence[Infidelity]) -> MetricResult:
    """Return infidelity against that of the same values at random features."""
    name = "infidelity"
    gain = mean(name, [float(i.random.mean()) - i.observed for i in infidelities], "proportion")
    random = mean(
        "infidelity of random values", [float(i.random.mean()) for i in infidelities], "proportion"
    )
    return _gain_result(
        name,
        "Infidelity",
        mean(name, [i.observed for i in infidelities], "proportion", within=NOT_NEGATIVE)
        if infidelities
        else None,
        random,
        gain,
        NEGLIGIBLE * _value(random),
        "Its values predict the effect of removing features no better than the same values at "
        "random features",
    )


def sensitivity_result(
    method: str, sensitivities: Sequence[Sensitivity] | NotMeasured
) -> MetricResult:
    """Return max-sensitivity against that of permuted values, or why there is none."""
    name = "max-sensitivity"
    if isinstance(sensitivities, NotMeasured):
        return _unmeasured(
            name,
            Sentence(
                "Max-sensitivity is not defined for {method}: {reason}.",
                method=title_of(method),
                reason=without_full_stop(sensitivities.reason),
            ),
        )
    random = mean(
        "max-sensitivity of random values", [s.random for s in sensitivities], "coefficient"
    )
    return _gain_result(
        name,
        "Max-sensitivity",
        mean(name, [s.observed for s in sensitivities], "coefficient", within=NOT_NEGATIVE)
        if sensitivities
        else None,
        random,
        mean(name, [s.random - s.observed for s in sensitivities], "coefficient"),
        NEGLIGIBLE * _value(random),
        "When the input moves a little, its values move as much as random ones",
    )


def stability_results(stability: Stability) -> list[MetricResult]:
    """Return the rank correlation and the shared top features of several runs."""
    name = Sentence("stability over {varied}: median tau-b", varied=stability.varied)
    shared = Sentence("stability over {varied}: top features shared", varied=stability.varied)
    if not stability.taus:
        return [_unmeasured(name, "Stability was not measured: no explanation can be compared.")]
    tau = _median(name, stability.taus)
    flag = Flag(
        "stability",
        at_least(tau, LEAST_TAU),
        Sentence(
            "With other {varied} the median rank correlation of its values is {tau:.2f}; at least "
            "{limit} is required.",
            varied=stability.varied,
            tau=tau.value,
            limit=LEAST_TAU,
        ),
        fewest=FEWEST_FOR_MEDIAN,
    )
    bar = Sentence("at least {limit}; 0 by chance", limit=LEAST_TAU)
    return [
        MetricResult(name, tau, bar, flag),
        MetricResult(
            shared,
            mean(shared, stability.overlaps, "proportion", within=SHARES),
            "1: the same ones",
            None,
        ),
    ]


def randomisation_result(resemblances: Sequence[tuple[float, int]] | NotMeasured) -> MetricResult:
    """Return how much explanations resemble those of a randomised model.

    The bar is .2 (Adebayo et al. 2018 ask for "low"), or the 95th percentile of what unrelated
    rankings of so few features give, if that is more. It passes where the whole interval is below
    .5, from which on two rankings count as the same.

    Parameters
    ----------
    resemblances : sequence of (float, int) or NotMeasured
        For each text the rank correlation and its number of features, or why there is none.
    """
    name = "parameter randomisation: median |tau-b|"
    if isinstance(resemblances, NotMeasured):
        reason = without_full_stop(resemblances.reason)
        said = Sentence("Parameter randomisation was not measured: {reason}.", reason=reason)
        return _unmeasured(name, said)
    if not resemblances:
        sentence = "Parameter randomisation was not measured: no explanation can be compared."
        return _unmeasured(name, sentence)
    tau = _median(name, [abs(tau) for tau, _ in resemblances])
    bar = max(MOST_RESEMBLANCE, _chance_median([n for _, n in resemblances]))
    flag = Flag(
        "parameter randomisation",
        at_most(tau, bar, max(bar, LEAST_TAU)),
        Sentence(
            "The median rank correlation of its values with those for a model with random "
            "parameters is {tau:.2f}; at most {limit:.2f} is allowed.",
            tau=tau.value,
            limit=bar,
        ),
        fewest=FEWEST_FOR_MEDIAN,
    )
    return MetricResult(name, tau, Sentence("at most {limit:.2f}", limit=bar), flag)


def agreement_result(method: str, agreements: Sequence[Agreement]) -> MetricResult:
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
        upper = agreement.null_upper
        if method not in agreement.methods or upper is None or upper >= 1:
            continue
        (other,) = (name for name in agreement.methods if name != method)
        if other != agreement.null:
            beyond.setdefault(other, []).append((agreement.tau or 0.0) > upper)
    if not beyond:
        return _unmeasured(name, "Whether another method agrees with it was not measured.")
    other, known = max(beyond.items(), key=lambda item: float(np.mean(item[1])))
    title = Sentence("agreement with {method} beyond chance", method=title_of(other))
    share = proportion(title, sum(known), len(known))
    flag = Flag(
        "agreement",
        _beyond_chance(share),
        Sentence(
            "No other method orders the features as it does more often than by chance. {method} "
            "does so most often, on {hits} of {n} {n:prediction|predictions}.",
            method=title_of(other),
            hits=sum(known),
            n=len(known),
        ),
    )
    bar = Sentence("{chance:percent} by chance", chance=CHANCE)
    return MetricResult(share.name, share, bar, flag)


def _beyond_chance(share: Measure) -> Answer:
    return "passed" if (share.lower or 0.0) > CHANCE else at_least(share, MOST_BY_CHANCE, 1.0)


def disputes(agreements: Sequence[Agreement]) -> dict[tuple[str, str], Measure]:
    """Return for each pair of methods with signs on how many predictions they dispute the top.

    Parameters
    ----------
    agreements : sequence of Agreement
        Those of all pairs of methods on all predictions.
    """
    found: dict[tuple[str, str], list[bool]] = {}
    for agreement in agreements:
        if agreement.disputed is not None:
            found.setdefault(agreement.methods, []).append(bool(agreement.disputed))
    return {
        pair: proportion(
            Sentence(
                "opposite signs of a top feature: {first} and {second}",
                first=title_of(pair[0]),
                second=title_of(pair[1]),
            ),
            sum(known),
            len(known),
        )
        for pair, known in found.items()
    }


def dispute_result(
    method: str, disputed: Mapping[tuple[str, str], Measure], distrusted: Collection[str]
) -> MetricResult:
    """Return how often another method gives opposite signs to the top features.

    That of the method that does so most counts; one of grade D is no witness.

    Parameters
    ----------
    method : str
        The method.
    disputed : mapping of (str, str) to Measure
        For each pair of methods the share, see `disputes`.
    distrusted : collection of str
        Methods that have grade D without it.
    """
    name = "opposite signs of a top feature"
    shares = {
        other: share
        for pair, share in disputed.items()
        for other in pair
        if method in pair and other != method and other not in distrusted
    }
    if not shares:
        return _unmeasured(name, "Whether another method gives opposite signs was not measured.")
    other, share = max(shares.items(), key=lambda item: item[1].lower or 0.0)
    sentence = Sentence(
        "{method} and this method give a top feature opposite signs on {share.value:percent} of "
        "{share.n} predictions; at most {limit:percent} is allowed.",
        method=title_of(other),
        share=share,
        limit=MOST_DISPUTED,
    )
    return MetricResult(
        Sentence("opposite signs of a top feature, with {method}", method=title_of(other)),
        share,
        Sentence("at most {limit}", limit=MOST_DISPUTED),
        Flag("opposite signs", at_most(share, MOST_DISPUTED), sentence),
    )


def _gain_result(
    name: str,
    metric: str,
    measure: Measure | None,
    against: Measure | str,
    gain: Measure,
    negligible: float,
    sentence: str,
) -> MetricResult:
    """Return a result that is flagged where the gain over random values is next to none."""
    if measure is None or gain.value is None:
        said = Sentence("{metric} was not measured: no explanation can be compared.", metric=metric)
        return _unmeasured(name, said)
    answer = better_than_random(gain, negligible)
    if answer == "flagged":
        said = Sentence("{what}: the gain is {gain:+.2f}.", what=sentence, gain=gain)
    else:
        said = Sentence(
            "In {metric}, the gain over random values is {gain:+.2f}, measured on {gain.n} "
            "{gain.n:explanation|explanations}.",
            metric=metric,
            gain=gain,
        )
    flag = Flag(name, answer, said, fewest=FEWEST_COMPARED)
    return MetricResult(name, measure, against, flag)


def _unmeasured(name: str, sentence: str) -> MetricResult:
    return MetricResult(name, None, None, Flag(name, "not measured", sentence))


def _median(name: str, values: Sequence[float]) -> Measure:
    """Return the median with the interval between two of the values (Conover 1999).

    Each of n values is below the median with probability a half, so the k-th smallest and the k-th
    largest hold it between them with a probability that needs no shape; from six values on it can
    be .95.
    """
    n = len(values)
    ordered = np.sort(values)
    k = int(binom.ppf((1 - CONFIDENCE) / 2, n, 0.5))
    return Measure(
        name=name,
        value=float(np.median(ordered)),
        lower=float(ordered[k - 1]) if k else None,
        upper=float(ordered[n - k]) if k else None,
        n=n,
        method="order statistics" if k else None,
        unit="coefficient",
    )


def _value(measure: Measure) -> float:
    return float("nan") if measure.value is None else measure.value


def _chance_median(n_features: Sequence[int]) -> float:
    """Return the 95th percentile of the median |tau| of unrelated rankings of so many features."""
    rng = np.random.default_rng(list(n_features))
    drawn = [np.abs(rng.choice(chance_taus(n), CHANCE_MEDIANS)) for n in n_features]
    return float(np.quantile(np.median(drawn, axis=0), 1 - CHANCE))
