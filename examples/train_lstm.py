"""Train a small LSTM on one table of texts and labels, and audit it on another.

Both have the columns text and label: python train_lstm.py train.csv held_out.csv --epochs 3
"""

import re
from collections import Counter
from itertools import groupby
from pathlib import Path

import pandas as pd
import torch
import typer
from torch import nn

import explain
import reports
from explain.adapters import TorchClassifier

PAD, UNKNOWN, HIDDEN_SHARE, BATCH = 0, 1, 0.1, 32
TOKEN = re.compile(r"<unk>|\w+|[^\w\s]")


class Lstm(nn.Module):
    """Reads a text both ways; the largest state of each unit goes to the head."""

    def __init__(self, n_words: int, n_labels: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_words, 64, padding_idx=PAD)
        self.lstm = nn.LSTM(64, 64, batch_first=True, bidirectional=True)
        self.head = nn.Sequential(nn.Dropout(0.4), nn.Linear(128, n_labels))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the scores of texts of one length, shape (n_texts, n_labels)."""
        states, _ = self.lstm(self.embedding(ids))
        return self.head(states.amax(dim=1))


def main(train: Path, held_out: Path, out: Path = Path("audit"), epochs: int = 3) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)  # threads that wait for each other slow down a model so small
    table = pd.read_csv(train)
    counts = Counter(m[0].lower() for text in table["text"] for m in TOKEN.finditer(text))
    words = sorted(word for word, n in counts.items() if n > 1)
    vocabulary = {"<pad>": PAD, "<unk>": UNKNOWN, **{w: i for i, w in enumerate(words, 2)}}

    def tokenize(text: str) -> list[tuple[int, int, int]]:
        found = TOKEN.finditer(text)
        return [(vocabulary.get(m[0].lower(), UNKNOWN), m.start(), m.end()) for m in found]

    labels = sorted(table["label"].unique())
    rows = [[number for number, _, _ in tokenize(text)] or [PAD] for text in table["text"]]
    answers = torch.tensor([labels.index(label) for label in table["label"]])
    module = Lstm(len(vocabulary), len(labels))
    optimizer = torch.optim.Adam(module.parameters(), lr=2e-3)
    for epoch in range(epochs):
        for batch in batches(rows):
            ids = torch.tensor([rows[i] for i in batch])
            ids[torch.rand(ids.shape) < HIDDEN_SHARE] = UNKNOWN  # teaches what a hidden word is
            loss = nn.functional.cross_entropy(module(ids), answers[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch + 1}: loss {loss.item():.2f} on the last batch")
    model = TorchClassifier(module, tokenize, module.embedding, labels, mask_token="<unk>")
    record = explain.audit(model, held_out, label="label", instances=12)
    print(reports.write_html(record, out / "audit.html"))


def batches(rows: list[list[int]]) -> list[list[int]]:
    """Return batches of texts of one length, in random order: no padding, here or later."""
    shuffled = sorted(torch.randperm(len(rows)).tolist(), key=lambda i: len(rows[i]))
    equal = [list(group) for _, group in groupby(shuffled, key=lambda i: len(rows[i]))]
    found = [group[i : i + BATCH] for group in equal for i in range(0, len(group), BATCH)]
    return [found[i] for i in torch.randperm(len(found)).tolist()]


if __name__ == "__main__":
    typer.run(main)
