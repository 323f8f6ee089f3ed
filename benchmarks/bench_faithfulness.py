"""Comprehensiveness and sufficiency of every method, minus those of random rankings.

Usage: python bench_faithfulness.py [SENTENCES]. As `explain.evaluation.faithfulness` has it: the
log-odds of the target after erasure, with the mean of random rankings subtracted text by text,
because short texts make random rankings look good. More is better in both columns.
"""

import sys

from shared import SHARED, machine, sentences, served

from explain.adapters.transformers import TransformersClassifier
from explain.attribution import AttributionSettings
from explain.attribution.methods import METHODS
from explain.engine import Engine
from explain.errors import ExplainError
from explain.evaluation.faithfulness import RANDOM_RANKINGS, Faithfulness, faithfulness
from explain.statistics.intervals import mean

SENTENCES = 200


def require_result(result: Faithfulness | ExplainError) -> Faithfulness:
    if isinstance(result, ExplainError):
        raise result
    return result


def main(n_sentences: int = SENTENCES) -> None:
    model = TransformersClassifier.from_folder(SHARED / "models/sst2-minilm")
    texts = sentences(n_sentences)
    engine, masker = Engine(model), AttributionSettings.of(model).masker
    print(machine())
    print(f"{n_sentences} texts; log-odds beyond the mean of {RANDOM_RANKINGS} random rankings")
    print(f"{'':22}{'comprehensiveness':>24}{'sufficiency':>24}")
    for method in METHODS:
        attributions = served(model, method, texts)
        if attributions is None:
            continue
        found = [*map(require_result, faithfulness(engine, attributions, masker, seed=0))]
        cells = [
            mean("AOPC", [float(values.mean()) for values in column], "log_odds")
            for column in zip(*((f.comprehensiveness, f.sufficiency) for f in found), strict=True)
        ]
        print(
            f"{method:22}"
            + "".join(f"{f'{c.value:.2f} [{c.lower:.2f}, {c.upper:.2f}]':>24}" for c in cells),
            flush=True,
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
