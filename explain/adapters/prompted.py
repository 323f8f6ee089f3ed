"""Causal language models that classify by what they would say next."""

from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import torch
from pydantic import JsonValue
from transformers import AutoModelForCausalLM

from explain.adapters.base import TextClassifier
from explain.adapters.batching import score_in_batches
from explain.adapters.continuations import CACHED_BUDGETS, KIND, Continuations, SharedStart
from explain.adapters.extras import import_extra
from explain.adapters.failures import failure
from explain.adapters.loading import load_model, load_tokenizer, on_device, refuse_random
from explain.adapters.origin import UNKNOWN, Origin
from explain.adapters.pretrained import PretrainedClassifier
from explain.adapters.question import QuestionVariant
from explain.adapters.safety import LoadedFiles, check_folder, weight_files
from explain.adapters.scores import Scores, check_scores
from explain.adapters.token_spans import with_marks
from explain.errors import AdapterError, CapabilityError, ConfigurationError, PredictionError
from explain.text.spans import Span, Text, parts_of

if TYPE_CHECKING:
    from transformers import BatchEncoding, PreTrainedModel, PreTrainedTokenizerBase
from explain.adapters.prompts import (
    Prompts,
    TokenRow,
    Verbalizer,
    Word,
    check_other_label,
    check_verbalizer,
    parsed_template,
    shorter_views,
    spans_in_text,
    word_readings,
)

__all__ = ["PromptedClassifier", "Verbalizer"]


class PromptedClassifier(PretrainedClassifier):
    r"""A causal language model that continues a prompt with one of some words.

    The score of a label is log P(word | prompt), the sum over the tokens of the word, and the
    logsumexp over its words; the log-odds of a target are those among the labels. All tokens of
    a prompt are read, those of the user's text alone are tokens of this classifier.

    The prompt is tokenized as one string, so a token may reach from the template into the text;
    its span is the part in the text. The tokens of a word are found once, as what it adds to the
    tokens of a prompt (never tokenized alone: SentencePiece would put a space before it), and a
    word that changes the tokens before it is refused. A text that is too long is cut, never the
    template or the words.

    What all prompts of a call begin with is read once, and so is each prompt, however many words
    may follow it: see `Continuations`. A model that gives other scores then reads each prompt whole
    for every word beginning, a word without its last token, that is not the beginning of another.

    Parameters
    ----------
    model : PreTrainedModel
        A causal language model, see `PretrainedClassifier`.
    tokenizer : PreTrainedTokenizerBase
        Its tokenizer, a fast one.
    template : str
        The prompt, with ``{text}`` and, for pairs, ``{text_pair}``, each once.
    verbalizer : mapping of str to str or sequence of str
        The words of each label, mostly with a space in front: ``{"bad": [" bad", " awful"]}``.
    length_normalised : bool
        Whether the log-likelihood of a word is divided by the number of its tokens.
    other_label : str, optional
        Name of one more label: that the model goes on with none of the words.
    origin
        As for `PretrainedClassifier`.

    Raises
    ------
    AdapterError
        If the model is no causal one, or does not fit its tokenizer.
    ConfigurationError
        If the template has not the fields, leaves no room for a text, the verbalizer is no
        mapping of labels to words, a word has no tokens, changes those of the prompt, or
        stands for two labels, or the further label is one already or cannot be counted.

    Examples
    --------
    >>> PromptedClassifier(
    ...     model, tokenizer,
    ...     template="Review: {text}\nSentiment:",
    ...     verbalizer={"negative": [" bad", " awful"], "positive": " good"},
    ... )  # doctest: +SKIP
    """

    def __init__(
        self,
        model: "PreTrainedModel",
        tokenizer: "PreTrainedTokenizerBase",
        *,
        template: str,
        verbalizer: Verbalizer,
        length_normalised: bool = False,
        other_label: str | None = None,
        origin: Origin = UNKNOWN,
    ) -> None:
        check_verbalizer(verbalizer)
        check_other_label(other_label, [*verbalizer], length_normalised=length_normalised)
        super().__init__(
            model,
            tokenizer,
            [*verbalizer] if other_label is None else [*verbalizer, other_label],
            task="single_label",
            # What follows never reaches back: positions count from the first token.
            pad_side="right",
            origin=origin,
        )
        self.template, self.other_label = template, other_label
        self.verbalizer = {
            label: [words] if isinstance(words, str) else list(words)
            for label, words in verbalizer.items()
        }
        self.length_normalised = length_normalised
        self._literals, self._fields = parsed_template(template)
        readings = word_readings(self._words())
        longest = max(len(word) for words in readings.values() for _, word in words)
        self.max_length -= longest
        empty = self._empty_prompt(longest)
        self._continuations = Continuations(
            self._private,
            readings,
            len(self.verbalizer),
            length_normalised=length_normalised,
            with_other=other_label is not None,
            pad=self._pad,
        )
        with self._private.check_isolation(), torch.inference_mode():
            self._continuations.check_causal(empty, self.name)
            self._continuations.try_sharing(self._example(empty))

    @classmethod
    def from_folder(
        cls,
        folder: str | Path,
        *,
        template: str,
        verbalizer: Verbalizer,
        length_normalised: bool = False,
        other_label: str | None = None,
        gguf_file: str | None = None,
        origin: Origin = UNKNOWN,
        dtype: str | None = None,
        device: str | None = None,
    ) -> Self:
        """Return the classifier made of the language model in a folder.

        Only safetensors or GGUF weights are read, nothing is downloaded, no code is run.

        Parameters
        ----------
        folder : str or Path
            The folder.
        gguf_file : str, optional
            A GGUF file in it, which holds weights, configuration and tokenizer; it is read with
            the package ``gguf`` and expanded to full precision.
        template, verbalizer, length_normalised, other_label, origin
            As for the class; its source is by default the folder, its name that of the folder.
        dtype : {"float32", "float16", "bfloat16"}, optional
            Type of the weights; by default what ``config.json`` says.
        device : str, optional
            Such as ``cpu`` or ``cuda:0``; by default ``cpu``.

        Raises
        ------
        AdapterError
            If the folder is missing or incomplete, or no causal language model.
        ConfigurationError
            If an option is unknown or contradicts the model.
        UnsafeModelError
            If loading it would run code.
        """
        path = Path(folder)
        options = {}
        if gguf_file is None:
            check_folder(path)
            weights = weight_files(path)
        else:
            check_folder(path, weights=".gguf", config=None)
            if gguf_file not in (file.name for file in path.glob("*.gguf")):
                raise AdapterError(f"{str(path)!r} holds no {gguf_file!r}; pass one of its *.gguf")
            import_extra("gguf", "gguf")
            options, weights = {"gguf_file": gguf_file}, [path / gguf_file]
        loaded = LoadedFiles.of(path, weights)
        # The progress bar of GGUF files listens to no setting.
        with redirect_stderr(StringIO()):
            model, missing = load_model(AutoModelForCausalLM, path, KIND, dtype=dtype, **options)
        refuse_random(missing, path, KIND)
        tokenizer = load_tokenizer(path, **options)
        return cls(
            on_device(model, device),
            tokenizer,
            template=template,
            verbalizer=verbalizer,
            length_normalised=length_normalised,
            other_label=other_label,
            origin=origin.in_folder(path, loaded.unchanged()),
        )

    @property
    def has_question(self) -> bool:
        """A question is all that it is asked."""
        return True

    def asked_as(self, variant: QuestionVariant) -> TextClassifier:
        """Return the classifier that asks in another way; see `QuestionClassifier.asked_as`."""
        if (variant.order, variant.names, variant.extra_option) != (None, None, None):
            raise CapabilityError("the options stand in a text of your own")
        before = f"{variant.instruction}\n" if variant.instruction else ""
        return PromptedClassifier(
            self.model,
            self.tokenizer,
            template=before + self.template,
            verbalizer=self.verbalizer,
            length_normalised=self.length_normalised,
            other_label=self.other_label,
            origin=Origin(self.name),
        )

    @property
    def passes(self) -> int:
        """How often the model reads each text."""
        return 1 if self._continuations.shares else len(self._continuations.readings)

    def differentiable_scores(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the scores of an encoded batch, with gradients."""
        self._check_differentiable()
        return self._continuations.scores_of(lambda beginning: inputs)

    def _check_differentiable(self) -> None:
        super()._check_differentiable()
        if list(self._continuations.readings) != [()]:
            raise CapabilityError(
                f"{self.name} has words of several tokens, which gradients do not follow; use "
                "shap, lime or occlusion, or words of a single token"
            )

    def _facts(self) -> dict[str, JsonValue]:
        further = {} if self.other_label is None else {"none of the words": self.other_label}
        return {
            **super()._facts(),
            **further,
            "template": self.template,
            "verbalizer": {label: list[JsonValue](w) for label, w in self.verbalizer.items()},
            "score of a word": "log-likelihood"
            + (" by number of tokens" if self.length_normalised else ""),
            "passes per text": self.passes,
            "what prompts share": "read once" if self._continuations.shares else "read each time",
        }

    def _scores(self, encoded: Mapping[str, Any]) -> Scores:
        rows: list[list[int]] = encoded["input_ids"]
        with torch.inference_mode():
            try:
                start = self._continuations.start_of(rows, self.token_budget)
            except Exception as error:
                raise failure(self.name, error) from error

            def score(batch: list[int]) -> Scores:
                chosen = [rows[i] for i in batch]
                most = CACHED_BUDGETS * self.token_budget // max(map(len, chosen))
                parts = range(0, len(chosen), max(1, most))
                return np.vstack(
                    [self._score_rows(chosen[part : part + max(1, most)], start) for part in parts]
                )

            return score_in_batches(self, [row[len(start.ids) :] for row in rows], score)

    def _score_batch(self, encoded: Mapping[str, Any]) -> Scores:
        with torch.inference_mode():
            return self._score_rows(encoded["input_ids"], SharedStart())

    def _score_rows(self, rows: list[list[int]], start: SharedStart) -> Scores:
        scores = self._continuations.scores(rows, start)
        return check_scores(scores.double().cpu().numpy(), len(scores), self.labels, self.name)

    def _empty_prompt(self, longest: int) -> list[int]:
        """Return the tokens of the prompt of an empty text, which leave room for a text."""
        ((empty, _),) = self._encode_prompts([self._fill_template([""] * len(self._fields))[0]])
        if len(empty) >= self.max_length:
            raise ConfigurationError(
                f"the template has {len(empty)} tokens and the longest word {longest}, of "
                f"{self.max_length + longest} that {self.name} reads: no room for a text; "
                "shorten the template"
            )
        return empty

    def _example(self, empty: list[int]) -> list[int]:
        """Return a prompt of four tokens or more."""
        ((prompt, _),) = self._encode_prompts([self._fill_template(["a a"] * len(self._fields))[0]])
        return (prompt + 3 * empty)[: self.max_length] if len(prompt) < 4 else prompt

    def _words(self) -> list[list[Word]]:
        """Return the tokens of the words of each label, as they continue a prompt."""
        prompt, _ = self._fill_template(["a"] * len(self._fields))
        owner: dict[Word, str] = {}
        words_of_labels = []
        for label, words in self.verbalizer.items():
            if not words:
                raise ConfigurationError(f"the label {label!r} has no words; give it one")
            before, *continuations = (
                ids for ids, _ in self._encode_prompts([prompt, *(prompt + w for w in words)])
            )
            for word, ids in zip(words, continuations, strict=True):
                tokens = tuple(ids[len(before) :])
                if ids[: len(before)] != before:
                    raise ConfigurationError(
                        f"the word {word!r} changes the tokens at the end of the template; move "
                        "the space from the template's end to the start of the word"
                    )
                if not tokens:
                    raise ConfigurationError(f"the word {word!r} of {label!r} gives no tokens")
                if tokens in owner:
                    raise ConfigurationError(
                        f"the word {word!r} stands for {owner[tokens]!r} and {label!r}; "
                        "give each label words of its own, each once"
                    )
                owner[tokens] = label
            words_of_labels.append([tokens for tokens, name in owner.items() if name == label])
        return words_of_labels

    def _fill_template(self, parts: Sequence[str]) -> tuple[str, list[Span]]:
        """Return the prompt of a text, and where each part of it stands there."""
        prompt, places = self._literals[0], []
        for part, literal in zip(self._fields, self._literals[1:], strict=True):
            places.append(Span(part, len(prompt), len(prompt) + len(parts[part])))
            prompt += parts[part] + literal
        return prompt, places

    def _encode_prompts(
        self, prompts: Sequence[str]
    ) -> list[tuple[list[int], list[tuple[int, int]]]]:
        """Return ids and offsets of prompts, without special tokens that would end them."""
        rows = []
        encoded = cast("BatchEncoding", super()._tokenize(prompts, truncation=False))
        for encoding in encoded.encodings or ():
            text_positions = [i for i, part in enumerate(encoding.sequence_ids) if part is not None]
            end = text_positions[-1] + 1 if text_positions else 0
            rows.append(
                (encoding.ids[:end] or [self._start_id], encoding.offsets[:end] or [(0, 0)])
            )
        return rows

    def _token_rows(
        self, views: Sequence[Sequence[Span]], texts: Sequence[Sequence[str]]
    ) -> list[TokenRow]:
        """Return ids and spans of the prompts of what is in view of each text."""
        prompts = [
            self._fill_template(
                [part[view.start : view.end] for part, view in zip(*pair, strict=True)]
            )
            for pair in zip(texts, views, strict=True)
        ]
        return [
            (ids, [spans_in_text(offset, places, view) for offset in offsets])
            for (ids, offsets), (_, places), view in zip(
                self._encode_prompts([prompt for prompt, _ in prompts]), prompts, views, strict=True
            )
        ]

    def _tokenize(
        self, texts: Sequence[Text], *, truncation: bool = True, **options: Any
    ) -> MutableMapping[str, Any]:
        parts = [parts_of(text) for text in texts]
        if wrong := [text for text in parts if len(text) != len(self._fields)]:
            raise PredictionError(
                f"{self.name} was given a text of {len(wrong[0])} parts, its template asks for "
                f"{len(self._fields)}; pass {'pairs' if len(self._fields) == 2 else 'single texts'}"
            )
        views = [[Span(i, 0, len(part)) for i, part in enumerate(text)] for text in parts]
        rows = self._token_rows(views, parts)
        while truncation and (
            long := [i for i, (ids, _) in enumerate(rows) if len(ids) > self.max_length]
        ):
            for i in long:
                views[i] = shorter_views(
                    views[i], rows[i], self.max_length, self.tokenizer.truncation_side
                )
            new_rows = self._token_rows([views[i] for i in long], [parts[i] for i in long])
            for i, row in zip(long, new_rows, strict=True):
                rows[i] = row
        return Prompts(rows)

    def _spans(
        self, encoded: Mapping[str, Any], texts: Sequence[Text]
    ) -> list[tuple[Span | None, ...]]:
        rows = cast(Prompts, encoded).spans
        return [with_marks(row, parts_of(text)) for row, text in zip(rows, texts, strict=True)]
