"""A prompted classifier, slowly: whole sequences, one text and one word at a time."""

import math

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase


def log_likelihood(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompt: str, word: str
) -> tuple[float, int]:
    """Return log P(word | prompt), and of how many tokens the word is."""
    read = _ids(tokenizer, prompt)
    whole = _ids(tokenizer, prompt + word)
    assert whole[: len(read)] == read
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([whole])).logits[0].double()
    log_p = logits.log_softmax(dim=-1)
    places = range(len(read), len(whole))
    return sum(float(log_p[i - 1, whole[i]]) for i in places), len(places)


def label_scores(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompt: str,
    verbalizer: dict[str, list[str]],
    length_normalised: bool,
) -> list[float]:
    """Return the score of each label: log of the sum of the likelihoods of its words."""
    scores = []
    for words in verbalizer.values():
        total = 0.0
        for word in words:
            value, n_tokens = log_likelihood(model, tokenizer, prompt, word)
            total += math.exp(value / n_tokens if length_normalised else value)
        scores.append(math.log(total))
    return scores


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Return the ids of a text with the token that starts it, without those that end it."""
    plain: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    whole: list[int] = tokenizer(text)["input_ids"]
    start = [tokenizer.bos_token_id] if whole[0] == tokenizer.bos_token_id else []
    return [*start, *plain]
