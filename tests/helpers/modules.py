"""Small PyTorch modules of one's own, and the classifiers they make."""

import re
from typing import Any

import torch
from torch import Tensor, nn

from explain.adapters import TorchClassifier

WORDS = ("<pad>", "<unk>", "a", "good", "bad", "film", "really", ",", ".", "!", "payment", "failed")

LABELS = {
    "single_label": ["no", "maybe", "yes"],
    "multi_label": ["x", "y", "z"],
    "regression": ["stars"],
}


def tokenize(text: str) -> list[tuple[int, int, int]]:
    """Return the word ids of a text with their places."""
    return [
        (WORDS.index(m[0]) if m[0] in WORDS else 1, *m.span())
        for m in re.finditer(r"<unk>|\w+|[^\w\s]", text)
    ]


class Recurrent(nn.Module):
    """A bidirectional recurrent network that knows of no padding."""

    def __init__(self, kind: type[nn.LSTM] | type[nn.GRU], n_labels: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), 8)
        self.rnn = kind(8, 6, batch_first=True, bidirectional=True, dropout=0.5, num_layers=2)
        self.head = nn.Linear(12, n_labels)

    def forward(self, ids: Tensor) -> Tensor:
        states, _ = self.rnn(self.embedding(ids))
        scores: Tensor = self.head(torch.cat([states[:, -1, :6], states[:, 0, 6:]], dim=1))
        return scores


class Convolutional(nn.Module):
    """A convolution over three words and the maximum over the text."""

    def __init__(self, n_labels: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), 8)
        self.convolution = nn.Conv1d(8, 12, kernel_size=3)
        self.head = nn.Linear(12, n_labels)

    def forward(self, ids: Tensor) -> Tensor:
        seen = torch.tanh(self.convolution(self.embedding(ids).transpose(1, 2)))
        scores: Tensor = self.head(seen.amax(dim=2))
        return scores


def lstm(task: str = "single_label", **options: Any) -> TorchClassifier:
    return wrap_module(Recurrent(nn.LSTM, len(LABELS[task])), task, **options)


def wrap_module(module: Any, task: Any = "single_label", **options: Any) -> TorchClassifier:
    """Return a module with weights large enough to tell words apart."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(0.7 * torch.randn(weight.shape, generator=generator))
    options = {"mask_token": "<unk>", **options}
    module.eval()
    return TorchClassifier(module, tokenize, module.embedding, LABELS[task], task=task, **options)


class Perceptron(nn.Module):
    """The sum of words through activations that are modules of their own, or one that is shared."""

    def __init__(self, *, shared: bool, functional: bool = False) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), 8)
        self.first, self.second = nn.Linear(8, 6), nn.Linear(6, 6)
        self.head = nn.Linear(6, 3)
        self.one = nn.Tanh()
        self.other: Any = self.one if shared else torch.sin if functional else nn.ReLU()

    def forward(self, ids: Tensor) -> Tensor:
        seen = self.one(self.first(self.embedding(ids).sum(dim=1)))
        scores: Tensor = self.head(self.other(self.second(seen)))
        return scores
