"""Oracles: slow restatements, and the upstream packages called by hand."""
