"""Commands around the folder of an audit; `explain.cli` puts them together."""
