"""Metrics: how good an explanation is."""
