"""Explain and audit text classifiers, with attributions that state their own error.

>>> import explain
>>> model = explain.load("path/to/a/model")                       # doctest: +SKIP
>>> explain.attribute(model, "a stunning , lyrical work")         # doctest: +SKIP

Public names are loaded on first use: importing the package costs no torch.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from explain.adapters import load, wrap
    from explain.attribution import attribute
    from explain.attribution.counterfactuals import counterfactual
    from explain.attribution.interaction import interactions
    from explain.auditing.run import audit
    from explain.record import Attribution, AuditRecord, Counterfactual, Interactions

# Read by onnxruntime and huggingface_hub when they are imported; transformers asks the latter.
for _telemetry in ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
    os.environ.setdefault(_telemetry, "1")

__all__ = [
    "Attribution",
    "AuditRecord",
    "Counterfactual",
    "Interactions",
    "__version__",
    "attribute",
    "audit",
    "counterfactual",
    "interactions",
    "load",
    "wrap",
]

__version__ = "0.2.0"

_HOMES = {
    "Attribution": "explain.record",
    "AuditRecord": "explain.record",
    "Counterfactual": "explain.record",
    "Interactions": "explain.record",
    "attribute": "explain.attribution",
    "audit": "explain.auditing.run",
    "counterfactual": "explain.attribution.counterfactuals",
    "interactions": "explain.attribution.interaction",
    "load": "explain.adapters",
    "wrap": "explain.adapters",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'explain' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
