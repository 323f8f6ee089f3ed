"""Any function of texts as a classifier."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

from explain.adapters.base import description_of
from explain.adapters.failures import INTERRUPTS, failure
from explain.adapters.labels import Labels, check_labels
from explain.adapters.scores import Scores, check_scores, log_odds_scores
from explain.errors import ConfigurationError
from explain.record import ModelDescription, Task
from explain.text.spans import Text

__all__ = ["FunctionClassifier", "Output"]

Output: TypeAlias = Literal["probabilities", "scores"]
"""What a function returns: probabilities, or scores on the natural-log scale such as logits."""

MOST_DECIMALS = 12
"""Beyond that float64 tells less than rounding does."""


class FunctionClassifier:
    """A classifier from a function that takes a list of texts.

    Parameters
    ----------
    function : callable
        Takes a list of texts (or of pairs) and returns an (n_texts, n_labels) array.
    labels : sequence of str, mapping of int to str or mapping of str to int
        Names of the columns, as `explain.wrap` takes them.
    name : str
        What the model is called in reports.
    output : {"probabilities", "scores"}
        What `function` returns. Scores are on the natural-log scale: logits, or log p.
    task : {"single_label", "multi_label", "regression"}
        How the columns relate to each other.
    decimals : int, optional
        Decimals that the probabilities are rounded to, as an endpoint may do. Log-odds are then
        capped at half a step from 0 and 1, and errors state what rounding hides.

    Raises
    ------
    AdapterError
        If there are too few labels for the task, or one appears twice.
    ConfigurationError
        If the order of `labels` is not known, or there are no probabilities to be rounded.
    """

    def __init__(
        self,
        function: Callable[[list[Any]], Any],
        labels: Labels,
        *,
        name: str = "function",
        output: Output = "probabilities",
        task: Task = "single_label",
        decimals: int | None = None,
    ) -> None:
        if decimals is not None and (output == "scores" or task == "regression"):
            raise ConfigurationError(
                f"decimals={decimals} are of probabilities, and {name} returns scores; "
                "leave decimals out"
            )
        if decimals is not None and not 1 <= decimals <= MOST_DECIMALS:
            raise ConfigurationError(f"decimals={decimals}; pass 1 to {MOST_DECIMALS}")
        self.function = function
        self.labels = check_labels(labels, task)
        self.name = name
        self.output = output
        self.task = task
        self.decimals = decimals

    @property
    def shows_probabilities(self) -> bool:
        """Whether its scores come from probabilities."""
        return self.output == "probabilities"

    def predict(self, texts: Sequence[Text]) -> Scores:
        """Return the scores of `texts`, shape (n_texts, n_labels), natural-log scale.

        Raises
        ------
        PredictionError
            If the function raises, or its answer is no array of that shape, or no probabilities.
        """
        try:
            output = self.function(list(texts))
        except INTERRUPTS:
            raise
        except BaseException as error:
            raise failure(self.name, error) from error
        values = check_scores(output, len(texts), self.labels, self.name)
        if self.output == "scores":
            return values
        return log_odds_scores(values, self.task, self.name, self.decimals)

    def describe(self) -> ModelDescription:
        """Return what is known of the model."""
        rounding = {} if self.decimals is None else {"decimals": self.decimals}
        return description_of(self, {"output": self.output, **rounding})
