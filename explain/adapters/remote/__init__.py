"""Classifiers behind endpoints: one file per wire format, client, log, budget."""

from explain.adapters.remote.call_log import CALLS
from explain.adapters.remote.classifier import RemoteClassifier
from explain.adapters.remote.kinds import KINDS
from explain.adapters.remote.opening import EndpointOptions, open_endpoint

__all__ = ["CALLS", "KINDS", "EndpointOptions", "RemoteClassifier", "open_endpoint"]
