"""Classifiers behind endpoints: one file per wire format, client, log, budget."""

from explain.adapters.remote.answers import requests_per_text, tokens_written
from explain.adapters.remote.call_log import CALLS, LoggedQuestion
from explain.adapters.remote.call_reports import CallStats, call_stats, exported_calls
from explain.adapters.remote.canaries import canary_calls
from explain.adapters.remote.classifier import RemoteClassifier
from explain.adapters.remote.kinds import KINDS
from explain.adapters.remote.logged_scores import LoggedAnswers, logged_answers, logged_questions
from explain.adapters.remote.observations import (
    EndpointObservations,
    ReadingLimit,
    reading_limit,
)
from explain.adapters.remote.opening import Endpoint, EndpointOptions, open_endpoint
from explain.adapters.remote.pace import START
from explain.adapters.remote.stand_in import StandIn

__all__ = [
    "CALLS",
    "KINDS",
    "START",
    "CallStats",
    "Endpoint",
    "EndpointObservations",
    "EndpointOptions",
    "LoggedAnswers",
    "LoggedQuestion",
    "ReadingLimit",
    "RemoteClassifier",
    "StandIn",
    "call_stats",
    "canary_calls",
    "exported_calls",
    "logged_answers",
    "logged_questions",
    "open_endpoint",
    "reading_limit",
    "requests_per_text",
    "tokens_written",
]
