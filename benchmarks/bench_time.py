"""Seconds and forward passes per text: shap, lime and captum as documented, against ours.

Usage: python bench_time.py [SENTENCES] [ROUNDS]. All run on one and the same model, in turn.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import shap
import torch
from captum.attr import LayerIntegratedGradients
from lime.lime_text import LimeTextExplainer
from scipy.special import softmax
from shared import SHARED, interleaved, machine, sentences
from transformers import pipeline

import explain
from explain.adapters.transformers import TransformersClassifier
from explain.attribution import AttributionSettings, attribute_batch, make_requests
from explain.attribution.methods import Explainer, make_explainer
from explain.engine import Engine

ROUNDS = 5
SENTENCES = 32
LIME_SHARE = 4
"""LimeTextExplainer takes about twenty seconds a text, so every fourth sentence is explained."""

LIME = make_explainer("lime", tolerance=0.04)
"""At 4 % it is as near to LIME's limit as 5,000 draws are (`bench_games.py`)."""

STEPS = 50
"""captum's default."""


class Forwards:
    """Counts the rows that a module is given."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.rows = 0
        module.register_forward_pre_hook(self._count, with_kwargs=True)

    def _count(self, _: torch.nn.Module, args: tuple, kwargs: dict) -> None:
        self.rows += len(args[0] if args else kwargs["input_ids"])

    @contextmanager
    def count_calls(self) -> Iterator[list[int]]:
        """Give a list that holds, at the end, the rows of the block."""
        before, found = self.rows, []
        yield found
        found.append(self.rows - before)


def shap_package(model: TransformersClassifier, texts: Sequence[str]) -> None:
    # In transformers 5 return_all_scores gives the top label only.
    scores = pipeline(
        "text-classification", model=model.model, tokenizer=model.tokenizer, top_k=None
    )
    shap.Explainer(scores)(list(texts), silent=True)


def lime_package(model: TransformersClassifier, texts: Sequence[str]) -> None:
    def probabilities(masked: Sequence[str]) -> np.ndarray:
        return softmax(model.predict(list(masked)), axis=1)

    for text in texts:
        LimeTextExplainer(class_names=model.labels).explain_instance(text, probabilities)


def captum_package(model: TransformersClassifier, texts: Sequence[str]) -> None:
    def score(ids: torch.Tensor, attention: torch.Tensor, label: int) -> torch.Tensor:
        return model.model(input_ids=ids, attention_mask=attention).logits[:, label]

    method = LayerIntegratedGradients(score, model.model.get_input_embeddings())
    for text in texts:
        inputs = model.tokenizer(text, truncation=True, padding=False, return_tensors="pt")
        ids, attention = inputs["input_ids"], inputs["attention_mask"]
        baseline = torch.full_like(ids, model.tokenizer.mask_token_id)
        baseline[0, 0], baseline[0, -1] = ids[0, 0], ids[0, -1]
        with torch.inference_mode():
            label = int(model.model(**inputs).logits.argmax())
        method.attribute(ids, baseline, additional_forward_args=(attention, label), n_steps=STEPS)


def lime_after_shap(
    model: TransformersClassifier, texts: Sequence[str], tolerance: float
) -> Callable[[], object]:
    """Pay for SHAP at a tolerance, and return what asks the same engine for LIME."""
    engine, setting = Engine(model), AttributionSettings.of(model)
    questions = make_requests(engine, texts, setting)
    attribute_batch(engine, questions, make_explainer("shap", tolerance=tolerance), setting)
    return partial(attribute_batch, engine, questions, LIME, setting)


def main(n_sentences: int = SENTENCES, rounds: int = ROUNDS) -> None:
    model = TransformersClassifier.from_folder(SHARED / "models/sst2-minilm")
    texts = sentences(n_sentences)
    few = texts[::LIME_SHARE]
    gaps: list[float] = []

    def run_method(
        method: str | Explainer, texts_to_explain: Sequence[str] = texts, **options: object
    ) -> tuple[Callable[[], Callable[[], object]], int]:
        work = partial(explain.attribute, model, texts_to_explain, method=method, **options)
        return lambda: work, len(texts_to_explain)

    def by_gradients() -> None:
        found = explain.attribute(model, texts, method="integrated_gradients")
        gaps.append(max(float(a.diagnostics["relative_gap"]) for a in found))

    contestants: dict[str, tuple[Callable[[], Callable[[], object]], int]] = {
        "shap.Explainer(pipeline)": (lambda: partial(shap_package, model, texts), len(texts)),
        "ours, shap, 48 evaluations": run_method("shap", budget=48),
        "ours, shap, 64 evaluations": run_method("shap", budget=64),
        "ours, shap, tolerance 5 %": run_method("shap"),
        "LimeTextExplainer, 5,000 samples": (lambda: partial(lime_package, model, few), len(few)),
        "ours, lime, tolerance 4 %": run_method(LIME, few),
        "ours, lime, tolerance 2 %": run_method("lime", few, tolerance=0.02),
        **{
            f"ours, lime, shap at {percent} % is paid": (
                partial(lime_after_shap, model, few, percent / 100),
                len(few),
            )
            for percent in (5, 2, 1)
        },
        f"captum, {STEPS} steps, one by one": (
            lambda: partial(captum_package, model, texts),
            len(texts),
        ),
        "ours, integrated_gradients": (lambda: by_gradients, len(texts)),
    }
    forwards = Forwards(model.model)
    rows: dict[str, int] = {}
    for name, (prepare, _) in contestants.items():
        work = prepare()
        with forwards.count_calls() as found:
            work()
        rows[name] = found[0]
    seconds = interleaved({name: prepare for name, (prepare, _) in contestants.items()}, rounds)
    print(machine())
    print(f"medians of {rounds} rounds; a forward pass is one row of a batch")
    print(f"{'':34}{'texts':>6}{'s/text':>10}{'passes/text':>13}{'ratio':>8}")
    for name, (_, n) in contestants.items():
        taken = seconds[name] / n
        if not name.startswith("ours"):
            reference = taken
        print(f"{name:34}{n:6}{taken:10.3f}{rows[name] / n:13.1f}{reference / taken:8.1f}")
    print(f"largest gap of ours, integrated_gradients: {max(gaps):.2%}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
