"""Wire formats, one file each, and which is known by what name."""

from collections.abc import Callable, Mapping

from explain.adapters.remote.kinds.base import (
    Channel,
    Json,
    Kind,
    LostText,
    NamesLabels,
    Reading,
    UnreadableAnswer,
    text_or_pair,
)
from explain.adapters.remote.kinds.chat import Chat
from explain.adapters.remote.kinds.completions import Completions
from explain.adapters.remote.kinds.decisions import Decisions
from explain.adapters.remote.kinds.google_decisions import GoogleDecisions
from explain.adapters.remote.kinds.huggingface import HuggingFace
from explain.adapters.remote.kinds.inference_v2 import InferenceV2
from explain.adapters.remote.kinds.moderation import Moderation
from explain.adapters.remote.kinds.sampled import SampledChat
from explain.adapters.remote.kinds.sglang_decisions import SglangDecisions
from explain.adapters.remote.kinds.systemone import SystemOne
from explain.adapters.remote.kinds.tei import Tei
from explain.adapters.remote.kinds.template import JsonTemplate
from explain.adapters.remote.kinds.vllm_classify import VllmClassify

__all__ = [
    "KINDS",
    "Channel",
    "Json",
    "Kind",
    "LostText",
    "NamesLabels",
    "Reading",
    "UnreadableAnswer",
    "text_or_pair",
]

KINDS: Mapping[str, Callable[..., Kind]] = {
    "systemone": SystemOne,
    "decisions": Decisions,
    "sglang-decisions": SglangDecisions,
    "google-decisions": GoogleDecisions,
    "chat": Chat,
    "sampled": SampledChat,
    "completions": Completions,
    "tei": Tei,
    "vllm-classify": VllmClassify,
    "huggingface": HuggingFace,
    "inference-v2": InferenceV2,
    "moderation": Moderation,
    "json": JsonTemplate,
}
"""Each wire format by the name that a user gives it."""
