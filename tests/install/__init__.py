"""The package as people get it: the command, the distribution, the examples."""
