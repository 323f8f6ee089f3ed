"""Integrated gradients (Sundararajan, Taly and Yan 2017) over the embedding layers."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from explain.adapters import Encoding, GradientClassifier, TextClassifier
from explain.adapters.base import halve_on_failure, is_out_of_memory
from explain.engine import Outcome
from explain.errors import CapabilityError, PredictionError
from explain.explainers.base import Budget, Estimate, overlap, sum_onto_features
from explain.games import Question, target_values
from explain.progress import Progress
from explain.spans import text_of

if TYPE_CHECKING:
    import torch

__all__ = ["IntegratedGradients"]

FIRST_STEPS = 16
"""Steps tried first; a quarter of the SST-2 sentences converge there, most of the rest at 32."""


@dataclass(frozen=True, slots=True)
class IntegratedGradients:
    """The gradient along the straight path from a baseline, times input minus baseline.

    captum's ``LayerIntegratedGradients`` with Gauss-Legendre steps, many texts in a batch. The
    steps double until the values sum to F(x) - F(baseline) within `tolerance`. Tokens outside of
    the features (special tokens, white space, what lies between) stay as they are; the values of
    the tokens of a feature are summed by their place in the text.

    Parameters
    ----------
    baseline : {"auto", "mask", "pad"}
        Token that the path starts from; ``auto`` is the mask token, or else the padding token.
    tolerance : float
        Largest completeness gap, relative to |F(x) - F(baseline)|.
    budget : int
        Gradients that may be taken for a text; 16 + 32 + ... + 512 by default. Where they do not
        suffice, the attribution says that it did not converge.
    """

    name: ClassVar[str] = "integrated_gradients"
    efficient: ClassVar[bool] = True

    baseline: Literal["auto", "mask", "pad"] = "auto"
    tolerance: Annotated[float, Field(gt=0)] = 0.01
    budget: Budget = 1008

    def removal(self, model: TextClassifier) -> str:
        """Return the baseline token.

        Raises
        ------
        CapabilityError
            If the model has no gradients, or no such token.
        """
        differentiable = _with_gradients(model)
        baseline = self._resolve(differentiable)
        differentiable.baseline_id(baseline)
        return f"embedding of the {baseline} token"

    def explain(
        self,
        model: TextClassifier,
        questions: Sequence[Question],
        progress: Progress,
    ) -> list[Outcome[Estimate]]:
        """Return the estimate of each question.

        Raises
        ------
        CapabilityError
            If the model has no gradients, or no such baseline.
        """
        differentiable = _with_gradients(model)
        baseline_id = differentiable.baseline_id(self._resolve(differentiable))
        outcomes: dict[int, Outcome[Estimate]] = {}
        for group in _groups(questions, differentiable.token_budget):
            batch = [questions[number] for number in group]
            answers = self._explain_batch(differentiable, batch, baseline_id)
            outcomes.update(zip(group, answers, strict=True))
            progress.show(len(outcomes), len(questions))
        return [outcomes[number] for number in range(len(questions))]

    def _resolve(self, model: GradientClassifier) -> str:
        if self.baseline != "auto":
            return self.baseline
        return "pad" if model.mask_token is None else "mask"

    def _explain_batch(
        self, model: GradientClassifier, questions: Sequence[Question], baseline_id: int
    ) -> list[Outcome[Estimate]]:
        def integrate(batch: Sequence[Question]) -> list[Outcome[Estimate]]:
            paths = _Paths(model, batch, baseline_id)
            return [Outcome(*answer) for answer in self._integrate(paths, batch)]

        return [
            Outcome(answer, 0) if isinstance(answer, PredictionError) else answer
            for answer in halve_on_failure(integrate, questions, model.name)
        ]

    def _integrate(
        self, paths: "_Paths", questions: Sequence[Question]
    ) -> Iterator[tuple[Estimate, int]]:
        """Yield each estimate with the number of gradients it took."""
        total = paths.full - paths.empty
        values: dict[int, NDArray[np.float64]] = {}
        steps_of = dict.fromkeys(range(len(questions)), 0)
        spent = dict.fromkeys(range(len(questions)), 0)
        open_rows = list(range(len(questions)))
        steps = min(FIRST_STEPS, self.budget)
        while open_rows:
            for row, found in zip(open_rows, paths.integrate(open_rows, steps), strict=True):
                values[row] = found
                steps_of[row] = steps
                spent[row] += steps
            open_rows = [
                row
                for row in open_rows
                if _gap(values[row], total[row]) > self.tolerance
                and spent[row] + 2 * steps <= self.budget
            ]
            steps *= 2
        for row in range(len(questions)):
            gap = _gap(values[row], total[row])
            yield (
                Estimate(
                    values[row],
                    empty_value=float(paths.empty[row]),
                    full_value=float(paths.full[row]),
                    diagnostics={
                        "steps": steps_of[row],
                        "converged": bool(gap <= self.tolerance),
                        "relative_gap": gap,
                    },
                ),
                spent[row],
            )


class _Paths:
    """The straight paths from the baseline to each text of a batch."""

    def __init__(
        self,
        model: GradientClassifier,
        questions: Sequence[Question],
        baseline_id: int,
    ) -> None:
        import torch

        self.model = model
        self.encoding: Encoding = model.encode(
            [text_of(question.segmentation.parts) for question in questions]
        )
        ids = self.encoding.inputs["input_ids"]
        features = torch.zeros_like(ids, dtype=torch.bool)
        for row, question in enumerate(questions):
            for column, token in enumerate(self.encoding.spans[0][row]):
                features[row, column] = token is not None and any(
                    overlap(token, span) for span in question.segmentation.spans
                )
        self.baseline = torch.where(features, torch.full_like(ids, baseline_id), ids)
        self.segmentations = [question.segmentation for question in questions]
        self.targets = [question.target for question in questions]
        self.full = self._values(ids)
        self.empty = self._start_values()
        if not np.isfinite(self.full - self.empty).all():
            raise PredictionError(f"{model.name} returned NaN or infinite scores")

    def integrate(self, rows: Sequence[int], steps: int) -> list[NDArray[np.float64]]:
        """Return the integral of each row with `steps` steps, one value per feature."""
        width = self.encoding.inputs["input_ids"].shape[1]
        batch_size = max(len(rows), self.model.token_budget // width)
        while True:
            try:
                return self._captum(rows, steps, batch_size)
            except RuntimeError as error:
                if not is_out_of_memory(error) or batch_size <= len(rows):
                    raise
                batch_size = max(len(rows), batch_size // 2)

    def _captum(
        self, rows: Sequence[int], steps: int, batch_size: int
    ) -> list[NDArray[np.float64]]:
        import torch
        from captum.attr import LayerIntegratedGradients

        layers = list(self.model.embeddings)
        chosen = torch.tensor(rows)
        inputs = {key: value[chosen] for key, value in self.encoding.inputs.items()}
        others = [key for key in inputs if key != "input_ids"]
        scale = self.targets[0].scale

        def forward(ids: torch.Tensor, index: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
            scores = self.model.differentiable_scores(
                {"input_ids": ids, **dict(zip(others, rest, strict=True))}
            )
            return _target_tensor(scores, index, scale)

        with warnings.catch_warnings():
            # captum warns of several layers, of which none may depend on another; none does.
            warnings.filterwarnings("ignore", "Multiple layers provided")
            attributed = LayerIntegratedGradients(
                forward, layers if len(layers) > 1 else layers[0]
            ).attribute(
                inputs["input_ids"],
                baselines=self.baseline[chosen],
                additional_forward_args=(
                    torch.tensor([self.targets[row].index for row in rows]),
                    *(inputs[key] for key in others),
                ),
                n_steps=steps,
                method="gausslegendre",
                internal_batch_size=batch_size,
            )
        per_layer = attributed if isinstance(attributed, list) else [attributed]
        tokens = [layer.detach().double().sum(dim=-1).cpu().numpy() for layer in per_layer]
        return [
            np.sum(
                [
                    sum_onto_features(spans[row], values[number], self.segmentations[row])
                    for spans, values in zip(self.encoding.spans, tokens, strict=True)
                ],
                axis=0,
            )
            for number, row in enumerate(rows)
        ]

    def _start_values(self) -> NDArray[np.float64]:
        """Return the values at the start of the path: the text with the embeddings of the baseline.

        Not the values of the baseline's ids: a model may also look at ids for positions, or for
        where the text ends.
        """
        import torch

        embedded: dict[torch.nn.Module, torch.Tensor] = {}

        def keep(layer: torch.nn.Module, _: object, output: torch.Tensor) -> None:
            embedded[layer] = output

        def replace(layer: torch.nn.Module, _: object, output: torch.Tensor) -> torch.Tensor:
            return embedded[layer]

        with _hooked(self.model.embeddings, keep):
            self._values(self.baseline)
        with _hooked(self.model.embeddings, replace):
            return self._values(self.encoding.inputs["input_ids"])

    def _values(self, ids: "torch.Tensor") -> NDArray[np.float64]:
        import torch

        with torch.inference_mode():
            scores = self.model.differentiable_scores({**self.encoding.inputs, "input_ids": ids})
        rows = scores.double().cpu().numpy()
        return np.array(
            [target_values(rows[i : i + 1], target)[0] for i, target in enumerate(self.targets)]
        )


@contextmanager
def _hooked(layers: "Sequence[torch.nn.Module]", hook: Callable[..., object]) -> Iterator[None]:
    """Keep a forward hook on each layer for a while."""
    handles = [layer.register_forward_hook(hook) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _target_tensor(scores: "torch.Tensor", index: "torch.Tensor", scale: str) -> "torch.Tensor":
    """Return the target's value of each row, differentiable; the same as `target_values`."""
    import torch

    column = index.to(scores.device)[:, None]
    own = scores.gather(1, column)[:, 0]
    if scale != "log_odds":
        return own
    others = scores.scatter(1, column, float("-inf"))
    return own - torch.logsumexp(others, dim=1)


def _with_gradients(model: TextClassifier) -> GradientClassifier:
    if not isinstance(model, GradientClassifier):
        raise CapabilityError(
            f"{model.name} gives scores but no gradients; use shap, lime or occlusion, "
            "or pass a transformers model"
        )
    return model


def _groups(questions: Sequence[Question], token_budget: int) -> Iterator[list[int]]:
    """Yield batches of questions of similar length whose characters stay within the budget."""
    sizes = [sum(map(len, question.segmentation.parts)) for question in questions]
    group: list[int] = []
    for number in sorted(range(len(questions)), key=lambda i: (sizes[i], i)):
        if group and (len(group) + 1) * sizes[number] > token_budget:
            yield group
            group = []
        group.append(number)
    if group:
        yield group


def _gap(values: NDArray[np.float64], total: float) -> float:
    """Return the completeness gap relative to |F(x) - F(baseline)|."""
    gap = abs(float(values.sum()) - total)
    return gap / max(abs(total), float(np.finfo(np.float32).eps))
