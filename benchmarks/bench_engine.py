"""Evaluations per second of `attribute(method="shap")` against the model alone.

The model alone scores the very same masked texts: tokenized at once, sorted by length, packed into
batches of the best size found, padded by hand.
"""

from functools import partial

import torch
from shared import SHARED, interleaved, machine, sentences

import explain
from explain.adapters.transformers import TransformersClassifier
from explain.text.spans import Text

ROUNDS = 7
SENTENCES = 32
TOKEN_BUDGETS = (1024, 1536, 2048)


class Recorder:
    """A classifier that notes the texts it is given."""

    def __init__(self, model: TransformersClassifier) -> None:
        self.model = model
        self.recorded_texts: list[Text] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.model, name)

    def predict(self, texts: list[Text]) -> object:
        self.recorded_texts += texts
        return self.model.predict(texts)


def model_alone(model: TransformersClassifier, texts: list[Text], budget: int) -> None:
    ids = model.tokenizer(texts, truncation=True, padding=False)["input_ids"]
    ids.sort(key=len)
    start = 0
    with torch.inference_mode():
        while start < len(ids):
            end = start + 1
            while end < len(ids) and (end + 1 - start) * len(ids[end]) <= budget:
                end += 1
            width = len(ids[end - 1])
            padded = torch.tensor([row + [0] * (width - len(row)) for row in ids[start:end]])
            lengths = torch.tensor([len(row) for row in ids[start:end]])
            mask = (torch.arange(width) < lengths[:, None]).long()
            model.model(input_ids=padded, attention_mask=mask)
            start = end


def main() -> None:
    model = TransformersClassifier.from_folder(SHARED / "models/sst2-minilm")
    texts = sentences(SENTENCES)
    recorder = Recorder(model)
    explain.attribute(recorder, texts, method="shap")
    masked = recorder.recorded_texts
    contestants = {"ours": partial(explain.attribute, model, texts, method="shap")}
    for budget in TOKEN_BUDGETS:
        contestants[f"alone, {budget} tokens"] = partial(model_alone, model, masked, budget)
    seconds = interleaved({name: lambda w=work: w for name, work in contestants.items()}, ROUNDS)
    best = min(taken for name, taken in seconds.items() if name != "ours")
    print(machine())
    print(f"{len(masked):,} evaluations over {SENTENCES} sentences, medians of {ROUNDS}")
    for name, taken in seconds.items():
        print(f"{name:20} {len(masked) / taken:8.1f} evaluations/s")
    print(f"ratio to the best    {best / seconds['ours']:8.1%}")


if __name__ == "__main__":
    main()
