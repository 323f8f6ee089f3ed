"""The parts, each alone: no torch at import, no trained model; `make quick` runs them."""
