"""What all methods of gradients share: the vectors of texts, and captum between two of them."""

import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from explain.adapters import Encoding, GradientClassifier, TextClassifier
from explain.adapters.failures import halve_on_failure, is_out_of_memory
from explain.attribution.methods.base import Estimate, overlap, sum_onto_features
from explain.engine import Outcome
from explain.engine.games import AttributionRequest, target_values
from explain.engine.liveness import Pulse
from explain.engine.progress import Progress
from explain.errors import CapabilityError, PredictionError
from explain.text.spans import text_of

if TYPE_CHECKING:
    import torch

__all__ = [
    "Baseline",
    "GradientExplainer",
    "Paths",
    "Points",
    "TokenValues",
    "quiet_captum",
    "with_hook",
]

Baseline: TypeAlias = Literal["auto", "mask", "pad", "mean", "zero"]
"""Vector that stands in for each token of a feature; ``auto`` is mask, or else pad."""

Points: TypeAlias = Sequence[tuple[int, float]]
"""Points (row, t) of the paths of a batch: t = 0 is the baseline, 1 the text."""

TokenValues: TypeAlias = tuple[NDArray[np.float64], ...]
"""One value per token of a text, for each embedding layer."""

SIMILAR = 1.25
"""Ratio of the characters of the longest and the shortest text of a batch."""

ROWS_OF_MEAN = 4096
"""Vectors that are averaged at once."""

_WARNINGS = threading.Lock()

Item = TypeVar("Item")
Result = TypeVar("Result")


class GradientExplainer(ABC):
    """A method that follows gradients from the scores back to the vectors of the tokens.

    Tokens outside of the features stay as they are; the values of the tokens of a feature are
    summed by their place in the text, over all embedding layers.
    """

    __slots__ = ()

    name: ClassVar[str]
    title: ClassVar[str]
    efficient: ClassVar[bool]
    signed: ClassVar[bool] = True
    is_null: ClassVar[bool] = False
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def removal(self, model: TextClassifier) -> str:
        """Return the baseline.

        Raises
        ------
        CapabilityError
            If the model has no gradients, or no such token.
        """
        baseline = self._resolve_baseline(with_gradients(model))
        token = " token" if baseline in ("mask", "pad") else ""
        return f"embedding of the {baseline}{token}" if token else f"{baseline} embedding"

    def explain(
        self,
        model: TextClassifier,
        requests: Sequence[AttributionRequest],
        progress: Progress,
    ) -> list[Outcome[Estimate]]:
        """Return the estimate of each request.

        Raises
        ------
        CapabilityError
            If the model has no gradients, or no such baseline.
        """
        differentiable = with_gradients(model)
        baseline = self._resolve_baseline(differentiable)

        def estimate(batch: Sequence[AttributionRequest]) -> list[Outcome[Estimate]]:
            return [*self.estimates(Paths(differentiable, batch, baseline))]

        # Its own, as what answers here says nothing of scores, and the other way round.
        pulse = Pulse()
        work = partial(pulse.call, estimate, name=model.name)
        outcomes: dict[int, Outcome[Estimate]] = {}
        for group in _groups(requests, differentiable.token_budget):
            results = halve_on_failure(work, [requests[i] for i in group], model.name)
            for number, result in zip(group, results, strict=True):
                outcomes[number] = (
                    Outcome(result, 0) if isinstance(result, PredictionError) else result
                )
            progress.show(len(outcomes), len(requests))
        return [outcomes[number] for number in range(len(requests))]

    @property
    @abstractmethod
    def start(self) -> Baseline:
        """What each token of a feature is compared with."""

    @abstractmethod
    def estimates(self, paths: "Paths") -> Iterable[Outcome[Estimate]]:
        """Return the estimate of each row of a batch, with the number of gradients it took."""

    def _resolve_baseline(self, model: GradientClassifier) -> Baseline:
        baseline = self.start
        if baseline == "auto":
            baseline = "pad" if model.mask_token is None else "mask"
        # A model that has no such token, or whose gradients mislead, refuses here.
        model.baseline_id(baseline if baseline in ("mask", "pad") else "pad")
        return baseline


class Paths:
    """The straight paths from the baseline to each text of a batch, in the space of the vectors.

    Attributes
    ----------
    requests : sequence of AttributionRequest
        One per row.
    full, empty : array, shape (n_rows,)
        Value of each text, and of its baseline.
    still : list of bool
        Whether text and baseline of a row are one point, so that there is nothing to explain.
    inputs, starts : tuple of Tensor
        The vectors of the texts and of their baselines, for each embedding layer.
    """

    def __init__(
        self, model: GradientClassifier, requests: Sequence[AttributionRequest], baseline: Baseline
    ) -> None:
        import torch

        self.model = model
        self.requests = requests
        self.encoding: Encoding = model.encode(
            [text_of(request.segmentation.parts) for request in requests]
        )
        self._index = torch.tensor([request.target.index for request in requests])
        rows = range(len(requests))
        vectors_of: dict[torch.nn.Module, torch.Tensor] = {}

        def keep(layer: torch.nn.Module, _: object, vectors: torch.Tensor) -> None:
            vectors_of[layer] = vectors

        with torch.no_grad(), with_hook(model.embeddings, keep):
            scores = model.differentiable_scores(self.encoding.inputs)
            self.full = self._target_values(scores, rows)
        self.inputs = tuple(vectors_of[layer] for layer in model.embeddings)
        self.starts = tuple(
            torch.where(self._in_features(spans, vectors), _start(model, layer, baseline), vectors)
            for layer, vectors, spans in zip(
                model.embeddings, self.inputs, self.encoding.spans, strict=True
            )
        )
        self.still = [
            all(torch.equal(a[row], b[row]) for a, b in zip(self.starts, self.inputs, strict=True))
            for row in rows
        ]
        # A value rounds differently in another batch; at the same point it is the same.
        self.empty = np.where(self.still, self.full, self.values([(row, 0.0) for row in rows]))
        if not np.isfinite(self.full - self.empty).all():
            raise PredictionError(f"{model.name} returned NaN or infinite scores")

    def at(self, points: Points) -> "tuple[torch.Tensor, ...]":
        """Return the vectors of some points, for each embedding layer."""
        import torch

        rows = [row for row, _ in points]
        return tuple(
            torch.lerp(
                start[rows],
                end[rows],
                torch.tensor([t for _, t in points]).to(end)[:, None, None],
            )
            for start, end in zip(self.starts, self.inputs, strict=True)
        )

    def values(self, points: Points) -> NDArray[np.float64]:
        """Return F at each point, shape (n_points,)."""
        import torch

        def work(batch: Points) -> list[float]:
            rows = [row for row, _ in batch]
            with torch.no_grad():
                scores = self._scores((*self.at(batch), torch.tensor(rows)))
            return [*map(float, self._target_values(scores, rows))]

        return np.array(self.in_batches(points, work))

    def forward(self, *arguments: "torch.Tensor") -> "torch.Tensor":
        """Return F of given vectors, differentiable: what captum calls.

        The arguments are the vectors for each embedding layer, then the row of each.
        """
        index = self._index[arguments[-1]]
        return _target_tensor(self._scores(arguments), index, self.requests[0].target.scale)

    def in_batches(
        self,
        items: Sequence[Item],
        work: Callable[[Sequence[Item]], Sequence[Result]],
        texts_of_item: int = 1,
    ) -> list[Result]:
        """Return the results of `work`, given as many items at once as fit into the memory."""
        width = max(vectors.shape[1] for vectors in self.inputs)
        size = max(1, self.model.token_budget // (width * texts_of_item))
        results: list[Result] = []
        while len(results) < len(items):
            try:
                results += work(items[len(results) : len(results) + size])
            except RuntimeError as error:
                if not is_out_of_memory(error) or size == 1:
                    raise
                size = max(1, size // 2)
        return results

    def products(
        self, rows: Sequence[int], gradients: "Sequence[torch.Tensor]"
    ) -> list[TokenValues]:
        """Return (text - baseline) times gradient of each token, in float64."""
        pairs = zip(self.starts, self.inputs, gradients, strict=True)
        return per_row(
            [((end[rows].double() - start[rows].double()) * g).sum(-1) for start, end, g in pairs]
        )

    def onto_features(self, row: int, tokens: TokenValues) -> NDArray[np.float64]:
        """Return the sum of the values of the tokens of each feature, shape (n_features,)."""
        segmentation = self.requests[row].segmentation
        summed = np.zeros(len(segmentation))
        for spans, values in zip(self.encoding.spans, tokens, strict=True):
            summed += sum_onto_features(spans[row], values, segmentation)
        return summed

    def _scores(self, arguments: "tuple[torch.Tensor, ...]") -> "torch.Tensor":
        """Return the scores of given vectors of given rows."""
        import torch

        *vectors, rows = arguments
        vectors_of = dict(zip(self.model.embeddings, vectors, strict=True))

        def replace(layer: torch.nn.Module, _: object, __: torch.Tensor) -> torch.Tensor:
            return vectors_of[layer]

        # Ids stay those of the text: a model may also look at them for positions, or for its end.
        inputs = {key: value[rows] for key, value in self.encoding.inputs.items()}
        with with_hook(self.model.embeddings, replace):
            return self.model.differentiable_scores(inputs)

    def _target_values(self, scores: "torch.Tensor", rows: Iterable[int]) -> NDArray[np.float64]:
        table = scores.detach().double().cpu().numpy()
        return np.array(
            [
                target_values(table[i : i + 1], self.requests[row].target)[0]
                for i, row in enumerate(rows)
            ]
        )

    def _in_features(self, spans: Sequence[Sequence[Any]], like: "torch.Tensor") -> "torch.Tensor":
        """Return which tokens belong to a feature, shape (n_rows, n_tokens, 1)."""
        import torch

        inside = [
            [
                token is not None and any(overlap(token, s) for s in request.segmentation.spans)
                for token in row
            ]
            for row, request in zip(spans, self.requests, strict=True)
        ]
        mask = torch.tensor(inside, device=like.device)
        # Longformer pads the ids that it is given to a multiple of its window.
        wider = like.shape[1] - mask.shape[1]
        return torch.nn.functional.pad(mask, (0, wider))[..., None]


def per_row(layers: "Sequence[torch.Tensor]") -> list[TokenValues]:
    """Return values of shape (n_rows, n_tokens) for each layer as those of each row."""
    arrays = [layer.detach().double().cpu().numpy() for layer in layers]
    return list(zip(*arrays, strict=True))


@contextmanager
def quiet_captum() -> Iterator[None]:
    """Keep captum from warning of the hooks that it sets on activations.

    Filters of warnings belong to the process: two threads would put back those of each other.
    """
    with _WARNINGS, warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"(?s).*Setting forward, backward hooks")
        yield


def with_gradients(model: TextClassifier) -> GradientClassifier:
    """Return the model.

    Raises
    ------
    CapabilityError
        If it has no gradients.
    """
    if not isinstance(model, GradientClassifier):
        raise CapabilityError(
            f"{model.name} gives scores but no gradients; use shap, lime or occlusion, "
            "or pass a transformers model"
        )
    return model


def _start(
    model: GradientClassifier, layer: "torch.nn.Module", baseline: Baseline
) -> "torch.Tensor":
    """Return the vector of the baseline of a layer, shape (n_dimensions,)."""
    import torch

    weight = next(layer.parameters())

    def vectors(ids: Iterable[int]) -> torch.Tensor:
        vectors_of_ids: torch.Tensor = layer(torch.tensor([[*ids]], device=weight.device))[0]
        return vectors_of_ids

    with torch.no_grad():
        if baseline in ("mask", "pad"):
            return vectors([model.baseline_id(baseline)])[0]
        if baseline == "zero":
            return torch.zeros_like(vectors([0])[0])
        n = weight.shape[0]
        parts = [
            vectors(range(first, min(n, first + ROWS_OF_MEAN))).double().sum(dim=0)
            for first in range(0, n, ROWS_OF_MEAN)
        ]
        return (torch.stack(parts).sum(dim=0) / n).to(weight.dtype)


@contextmanager
def with_hook(layers: "Iterable[torch.nn.Module]", hook: Callable[..., object]) -> Iterator[None]:
    """Keep a forward hook on each layer for a while, for what this thread runs."""
    thread = threading.get_ident()

    def hook_of_thread(*arguments: Any) -> object:
        return hook(*arguments) if threading.get_ident() == thread else None

    handles = [layer.register_forward_hook(hook_of_thread) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _target_tensor(scores: "torch.Tensor", index: "torch.Tensor", scale: str) -> "torch.Tensor":
    """Return the target's value of each row, differentiable; the same as `target_values`."""
    import torch

    column = index.to(scores.device)[:, None]
    target_scores = scores.gather(1, column)[:, 0]
    if scale != "log_odds":
        return target_scores
    other_scores = scores.scatter(1, column, float("-inf"))
    return target_scores - torch.logsumexp(other_scores, dim=1)


def _groups(requests: Sequence[AttributionRequest], token_budget: int) -> Iterator[list[int]]:
    """Yield batches of requests of similar length whose characters stay within the budget.

    All are padded to the longest of their batch, which costs as much as its own tokens.
    """
    sizes = [sum(map(len, request.segmentation.parts)) for request in requests]
    group: list[int] = []
    for number in sorted(range(len(requests)), key=lambda i: (sizes[i], i)):
        if group and (
            (len(group) + 1) * sizes[number] > token_budget
            or sizes[number] > SIMILAR * sizes[group[0]]
        ):
            yield group
            group = []
        group.append(number)
    if group:
        yield group
