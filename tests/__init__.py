"""Tests of explain-audit."""
