"""Data: tables in, rows with labels, files whole or not at all."""
