"""Evaluation: can these explanations be believed? Metrics, controls, grades."""
