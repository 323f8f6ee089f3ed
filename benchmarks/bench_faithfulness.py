"""Comprehensiveness and sufficiency of every method, minus those of random rankings.

Usage: python bench_faithfulness.py [SENTENCES]. The features of a text are ranked by value. With
the first k of them removed (comprehensiveness) or alone kept (sufficiency), the log-odds of the
target fall by so much; the mean over k of 1, 5, 10, 20 and 50 % (DeYoung et al. 2020). Short texts
make random rankings look good, so their mean is subtracted, text by text.
"""

import sys
from math import ceil

import numpy as np
from explain.checks.intervals import mean
from numpy.typing import NDArray
from shared import SHARED, machine, sentences, served

from explain.adapters.transformers import TransformersClassifier
from explain.attribution import Setting, ask
from explain.engine import Engine
from explain.explainers import METHODS
from explain.games import MaskedTextGame, Plan

SENTENCES = 200
SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)
RANDOM_RANKINGS = 20


def falls(places: NDArray[np.int64]) -> Plan[NDArray[np.float64]]:
    """Return comprehensiveness and sufficiency of rankings, shape (2, n_rankings).

    `places` holds the place of each feature in each ranking, shape (n_rankings, n_features).
    """
    n_rankings, n_features = places.shape
    firsts = np.vstack([places < ceil(share * n_features) for share in SHARES])
    full, *values = yield np.vstack([np.ones((1, n_features), bool), ~firsts, firsts])
    return (full - np.reshape(values, (2, len(SHARES), n_rankings))).mean(axis=1)


def places(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the place of each feature in the order of falling values, 0 for the first."""
    return (-values).argsort(axis=-1, kind="stable").argsort(axis=-1)


def main(n_sentences: int = SENTENCES) -> None:
    model = TransformersClassifier.from_folder(SHARED / "models/sst2-minilm")
    texts = sentences(n_sentences)
    found = {method: served(model, method, texts) for method in METHODS}
    methods = [method for method, attributions in found.items() if attributions is not None]
    engine, setting = Engine(model), Setting.of(model)
    questions = ask(engine, texts, setting)
    rng = np.random.default_rng(0)
    rankings = [
        places(
            np.vstack(
                [
                    *(found[method][number].values for method in methods),
                    rng.standard_normal((RANDOM_RANKINGS, len(question.segmentation))),
                ]
            )
        )
        for number, question in enumerate(questions)
    ]
    outcomes = engine.run(
        (MaskedTextGame(q.segmentation, setting.masker, q.target) for q in questions),
        map(falls, rankings),
    )
    measured = np.array([outcome.unwrap() for outcome in outcomes])
    n_methods = len(methods)
    above = measured[..., :n_methods] - measured[..., n_methods:].mean(axis=-1, keepdims=True)
    print(machine())
    print(f"{n_sentences} texts; log-odds minus the mean of {RANDOM_RANKINGS} random rankings")
    print(f"{'':22}{'comprehensiveness (high)':>28}{'sufficiency (low)':>28}")
    for number, method in enumerate(methods):
        cells = [mean("AOPC", above[:, kind, number].tolist(), "log_odds") for kind in (0, 1)]
        print(
            f"{method:22}"
            + "".join(f"{f'{c.value:.2f} [{c.lower:.2f}, {c.upper:.2f}]':>28}" for c in cells)
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
