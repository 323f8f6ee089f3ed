"""Servers of every wire format over one local model, as an ASGI application, and their faults.

Each fake states the version and date of what it copies. `Server.calls` counts what was answered,
as a provider would bill it.
"""

import asyncio
import json
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import httpx2
import numpy as np
import pytest
from numpy.typing import NDArray

from explain.adapters.remote import canaries, opening
from explain.adapters.remote.pace import Pace

__all__ = [
    "FORMATS",
    "LABELS",
    "QUESTIONS",
    "Fault",
    "SampledAnswers",
    "Server",
    "logits_of_words",
    "no_wait",
    "often_tested",
]

LABELS = ("negative", "positive")

Json: TypeAlias = Any
Logits: TypeAlias = Callable[[Any], NDArray[np.float64]]
"""Takes a text or a pair."""
Message: TypeAlias = MutableMapping[str, Any]

WEIGHTS = {
    "good": 1.4, "stunning": 1.9, "lyrical": 0.8, "work": 0.1, "bad": -1.7, "dull": -1.1,
    "awful": -2.3, "not": -0.6,
}  # fmt: skip


def logits_of_words(text: str | tuple[str, str]) -> NDArray[np.float64]:
    """Return logits that are sums over words, with one pair of words that counts together."""
    words = (text if isinstance(text, str) else " ".join(text)).lower().split()
    total = sum(WEIGHTS.get(word, 0.03 * len(word)) for word in words)
    total += 0.9 * ("not" in words and "good" in words)
    return np.array([-0.4 * total, 0.6 * total + 0.2])


def probabilities(logits: NDArray[np.float64]) -> list[float]:
    shifted = np.exp(logits - logits.max())
    return [float(p) for p in shifted / shifted.sum()]


def one_or_pair(parts: Json) -> Any:
    """Return a text, or the two of a list or an object as a pair."""
    if isinstance(parts, str):
        return parts
    texts = tuple(parts.values()) if isinstance(parts, dict) else tuple(parts)
    return texts[0] if len(texts) == 1 else texts


async def no_wait(seconds: float) -> None:
    """Let others run, and wait for nothing."""
    await asyncio.sleep(0)


@contextmanager
def often_tested(texts: int) -> Iterator[None]:
    """Ask for the first texts again every so many texts: short runs show what long ones do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "Pace", partial(Pace, sleep=no_wait))
        patch.setattr(canaries, "TEXTS_BETWEEN", texts)
        yield


# ── Formats ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Format:
    """A fake: what it copies, and what it answers.

    Attributes
    ----------
    copies : str
        Version and date of the server.
    answer : callable
        Takes the body and a model, returns the body of the answer.
    texts : callable
        Takes the body, returns the texts it asks for.
    """

    copies: str
    answer: Callable[[Json, Logits], Json]
    texts: Callable[[Json], list[str]]


def systemone(body: Json, model: Logits) -> Json:
    answers = {}
    [text] = FORMATS["systemone"].texts(body)
    for name, question in body["questions"].items():
        p = probabilities(model(text))
        if question["type"] == "noul":
            answers[name] = {"type": "noul", "noul": p[1]}
            continue
        options = [*question["criteria"]]
        p += [0.0] * (len(options) - len(p))
        answers[name] = {
            "type": "choice",
            "choice": options[int(np.argmax(p))],
            "confidence": (max(p) - 1 / len(p)) / (1 - 1 / len(p)),
            "probabilities": dict(zip(options, p, strict=True)),
        }
    usage = {"input_tokens": len(str(text).split()) + 60, "output_tokens": 0}
    return {"model": "jev-1.13.0", "answers": answers, "usage": usage}


def decisions(body: Json, model: Logits) -> Json:
    [question] = body["questions"]
    values = [choice["value"] for choice in question["choices"]]
    if "refuse" in body["input"]:
        answer: Json = {"type": "refusal", "name": question["name"]}
    else:
        p = probabilities(model(body["input"]))
        answer = {
            "type": "choice", "name": question["name"], "choice": values[int(np.argmax(p))],
            "confidence": max(p),
            "probabilities": [
                {"value": v, "probability": q} for v, q in zip(values, p, strict=True)
            ],
        }  # fmt: skip
    usage = {"input_tokens": 83, "output_tokens": 0, "total_tokens": 83}
    return {"model": body["model"], "answers": [answer], "usage": usage}


def sglang_decisions(body: Json, model: Logits) -> Json:
    assert set(body) <= {"input", "questions", "temperature", "prompt_format_version"}
    [question] = body["questions"]
    p = probabilities(model(body["input"]))
    names = [option["name"] for option in question["options"]]
    answer = {
        "type": "choice", "choice": names[int(np.argmax(p))], "label_mass": 0.8,
        "probabilities": {name: 0.8 * q for name, q in zip(names, p, strict=True)},
    }  # fmt: skip
    return {
        "object": "decisions", "model": "sg", "prompt_format_version": 1,
        "answers": {question["id"]: answer},
    }  # fmt: skip


def google_decisions(body: Json, model: Logits) -> Json:
    if "refuse" in body["input"]:
        return {"promptFeedback": {"blockReason": "SAFETY"}}
    [(name, question)] = body["questions"].items()
    p = probabilities(model(body["input"]))
    answer = {
        "type": "choice",
        "choice": [*question["criteria"]][int(np.argmax(p))],
        "confidence": max(p),
        "probabilities": dict(zip(question["criteria"], p, strict=True)),
    }
    return {"model": body["model"], "answers": {name: answer}}


VOCABULARY = ("Negative", "Positive", "The", "This", "I", "It", "A", "Yes", "No", "Sure")


def token_log_probabilities(text: str, model: Logits) -> dict[str, float]:
    """Return the log-probability of each of ten tokens: the two labels have most of the mass."""
    others = [math.sin(len(text) * (place + 1)) - 1.5 for place in range(len(VOCABULARY) - 2)]
    everything = np.array([*model(text), *others])
    logged = everything - np.log(np.exp(everything).sum())
    return dict(zip(VOCABULARY, map(float, logged), strict=True))


def chat(body: Json, model: Logits) -> Json:
    text = user_text(body)
    logged = token_log_probabilities(text, model)
    ranked = sorted(logged.items(), key=lambda pair: pair[1], reverse=True)

    def entry(token: str, value: float) -> Json:
        return {"token": token, "logprob": value, "bytes": [*token.encode()]}

    if "logprob_token_ids" in body:
        best = [
            {"token": f"token_id:{i}", "logprob": logged[VOCABULARY[i]], "bytes": [116, 111]}
            for i in body["logprob_token_ids"]
        ]
    else:
        best = [entry(*pair) for pair in ranked[: body["top_logprobs"]]]
    position = {**entry(*ranked[0]), "top_logprobs": best}
    choice = {
        "index": 0, "finish_reason": "length", "logprobs": {"content": [position]},
        "message": {"role": "assistant", "content": ranked[0][0]},
    }  # fmt: skip
    return {
        "object": "chat.completion", "model": body["model"], "choices": [choice],
        "usage": {"prompt_tokens": 40, "completion_tokens": 1},
    }  # fmt: skip


@dataclass
class SampledAnswers:
    """Answers of a chat model without log-probabilities, each drawn anew.

    Of a text with "refuse" half of the answers refuse; one answer in ten has a full stop.
    """

    seed: int = 0

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)

    def __call__(self, body: Json, model: Logits) -> Json:
        assert body["temperature"] > 0
        text = user_text(body)
        p = probabilities(model(text))
        choices = []
        for index in range(body.get("n", 1)):
            word = ("Negative", " positive")[int(self._rng.random() < p[1])]
            said: Json = {"role": "assistant", "content": word + "." * (self._rng.random() < 0.1)}
            if "refuse" in text and self._rng.random() < 0.5:
                said = {"role": "assistant", "content": None, "refusal": "I cannot."}
            choices.append({"index": index, "finish_reason": "stop", "message": said})
        return {
            "object": "chat.completion", "model": body["model"], "choices": choices,
            "usage": {"prompt_tokens": 40, "completion_tokens": 2 * len(choices)},
        }  # fmt: skip


def user_text(body: Json) -> str:
    content: str = body["messages"][-1]["content"]
    return content.removeprefix("Review: ")


def completions(body: Json, model: Logits) -> Json:
    choices = []
    for index, prompt in enumerate(body["prompt"]):
        before, word = prompt.rsplit("Sentiment:", 1)
        text = before.removeprefix("Review: ").strip()
        start = len(prompt) - len(word)
        logged = token_log_probabilities(text, model)[word.strip().title()]
        half = start + len(word) // 2
        choices.append(
            {
                "index": index, "text": prompt, "finish_reason": "length",
                "logprobs": {
                    "text_offset": [0, 4, start, half, len(prompt)],
                    "token_logprobs": [None, -3.0, 0.25 * logged, 0.75 * logged, -1.0],
                    "tokens": [prompt[:4], prompt[4:start], prompt[start:half], prompt[half:], "."],
                },
            }
        )  # fmt: skip
    return {"object": "text_completion", "model": body["model"], "choices": choices[::-1]}


def tei(body: Json, model: Logits) -> Json:
    assert body["raw_scores"]
    assert not body["truncate"]
    rows = []
    for text in FORMATS["tei"].texts(body):
        named = zip(LABELS, model(text), strict=True)
        row: Json = [{"label": label, "score": float(score)} for label, score in named]
        rows.append(sorted(row, key=lambda entry: entry["score"], reverse=True))
    return rows


def vllm_classify(body: Json, model: Logits) -> Json:
    data = []
    for index, text in enumerate(body["input"]):
        logits = [float(z) for z in model(text)]
        label = LABELS[int(np.argmax(logits))]
        data.append({"index": index, "label": label, "probs": logits, "num_classes": 2})
    usage = {"prompt_tokens": sum(len(text.split()) + 2 for text in body["input"])}
    return {"object": "list", "model": "sst2", "data": data[::-1], "usage": usage}


def huggingface(body: Json, model: Logits) -> Json:
    assert body["parameters"]["function_to_apply"] == "none"
    [row] = tei({"inputs": [[body["inputs"]]], "raw_scores": True, "truncate": False}, model)
    return row[: body["parameters"]["top_k"]]


def inference_v2(body: Json, model: Logits) -> Json:
    [tensor] = body["inputs"]
    logits = np.array([model(text) for text in tensor["data"]])
    output = {
        "name": "logits", "shape": [*logits.shape], "datatype": "FP32",
        "data": [float(z) for z in logits.ravel()],
    }  # fmt: skip
    return {"model_name": "sst2", "model_version": "v1", "id": "a1", "outputs": [output]}


def moderation(body: Json, model: Logits) -> Json:
    rows = [1 / (1 + np.exp(-model(text))) for text in body["input"]]
    results = [
        {"flagged": False, "category_scores": dict(zip(LABELS, map(float, row), strict=True))}
        for row in rows
    ]
    return {"id": "modr-1", "model": "omni-moderation-2026", "results": results}


def own_json(body: Json, model: Logits) -> Json:
    named = zip(LABELS, model(body["instances"][0]["content"]), strict=True)
    return {"out": [{"name": label, "logit": float(score)} for label, score in named][::-1]}


FORMATS: Mapping[str, Format] = {
    "systemone": Format(
        "typesafe-sdk 0.7.5, 2026-11", systemone, lambda b: [one_or_pair(b["state"])]
    ),
    "decisions": Format("openai 3.57.0, 2026-11", decisions, lambda b: [b["input"]]),
    "sglang-decisions": Format("SGLang 0.5.23, 2026-11", sglang_decisions, lambda b: [b["input"]]),
    "google-decisions": Format(
        "google-genai 3.6.1, 2026-11", google_decisions, lambda b: [b["input"]]
    ),
    "chat": Format("openai 3.57.0 and vLLM 0.32.0, 2026-11", chat, lambda b: [user_text(b)]),
    "sampled": Format(
        "openai 3.57.0, 2026-11, without logprobs", SampledAnswers(), lambda b: [user_text(b)]
    ),
    "completions": Format("vLLM 0.32.0, 2026-11", completions, lambda b: b["prompt"][:1]),
    "tei": Format("TEI 1.9.3, 2026-07-24", tei, lambda b: [*map(one_or_pair, b["inputs"])]),
    "vllm-classify": Format("vLLM 0.32.0, 2026-11", vllm_classify, lambda b: b["input"]),
    "huggingface": Format("huggingface_hub 2.4.0, 2026-11", huggingface, lambda b: [b["inputs"]]),
    "inference-v2": Format(
        "mlserver 1.7.1, 2026-11", inference_v2, lambda b: b["inputs"][0]["data"]
    ),
    "moderation": Format("openai 3.57.0, 2026-11", moderation, lambda b: b["input"]),
    "json": Format("a server of one's own", own_json, lambda b: [b["instances"][0]["content"]]),
}

ASKED = "What is the sentiment of this review?"
CHOICE = {"question": ASKED, "options": LABELS}
WORDS = {"negative": "Negative", "positive": ["Positive"]}
QUESTIONS: Mapping[str, Mapping[str, Any]] = {
    "systemone": {**CHOICE, "model": "jev-latest"},
    "decisions": {**CHOICE, "model": "gpt-6-luna"},
    "sglang-decisions": CHOICE,
    "google-decisions": {**CHOICE, "model": "models/small"},
    "chat": {"template": "Review: {text}", "model": "small", "verbalizer": WORDS},
    "sampled": {"template": "Review: {text}", "model": "small", "verbalizer": WORDS},
    "completions": {
        "template": "Review: {text}\nSentiment:", "model": "small",
        "verbalizer": {"negative": " negative", "positive": " positive"},
    },
    "tei": {},
    "vllm-classify": {"labels": LABELS, "model": "sst2"},
    "huggingface": {},
    "inference-v2": {"labels": LABELS, "channel": "logits"},
    "moderation": {},
    "json": {
        "body": {"instances": [{"content": "{text}"}]}, "score_path": "out.*.logit",
        "label_path": "out.*.name", "channel": "logits", "labels": LABELS,
    },
}  # fmt: skip
"""What a user says of each kind."""


# ── The server ────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Reply:
    """What a server sends."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, content: Json, status: int = 200, **headers: str) -> "Reply":
        """Return JSON as a reply; underscores in names of headers are hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(
            status, json.dumps(content).encode(), {"content-type": "application/json", **named}
        )


Fault: TypeAlias = Callable[["Server", list[str], Reply], Reply]
"""Takes the server, the texts asked for, and the good reply; returns what is sent in its place."""


class Server:
    """One endpoint.

    Parameters
    ----------
    kind : str
        Its format.
    model : callable
        Logits of a text.
    fault : callable, optional
        What it does to good replies.

    Attributes
    ----------
    requests : int
        Requests that came in.
    paid : Counter of str
        How often each text was answered well.
    headers : list of dict
        Those of each request.
    """

    def __init__(
        self, kind: str, model: Logits = logits_of_words, fault: Fault | None = None
    ) -> None:
        self.kind = kind
        self.model = model
        self.fault = fault
        self.requests = self.at_once = self.most_at_once = 0
        self.paid: Counter[str] = Counter()
        self.headers: list[dict[str, str]] = []
        self.delay: Callable[[], Awaitable[None]] | None = None

    @property
    def transport(self) -> httpx2.ASGITransport:
        """The server without a network."""
        return httpx2.ASGITransport(app=self)

    def reply(self, body: Json) -> Reply:
        """Return what is sent for a request."""
        form = FORMATS[self.kind]
        texts = form.texts(body)
        self.requests += 1
        reply = Reply.of(form.answer(body, self.model))
        if self.fault is not None:
            reply = self.fault(self, texts, reply)
        if reply.status == 200:
            self.paid.update(texts)
        return reply

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer one request, as ASGI has it."""
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.headers.append({k.decode(): v.decode() for k, v in scope["headers"]})
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        if self.delay is not None:
            await self.delay()
        reply = self.reply(json.loads(body))
        self.at_once -= 1
        headers = [(k.encode(), v.encode()) for k, v in reply.headers.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})


def in_turn(faults: Sequence[Fault | None]) -> Fault:
    """Return a fault that is another one at each request, and none after the last."""

    def fault(server: Server, texts: list[str], reply: Reply) -> Reply:
        place = server.requests - 1
        own = faults[place] if place < len(faults) else None
        return reply if own is None else own(server, texts, reply)

    return fault
