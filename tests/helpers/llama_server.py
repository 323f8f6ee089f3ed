"""The server of llama.cpp, in a process of its own. See `tests.helpers.real_servers`."""

import sys
import time

import xllamacpp

__all__ = ["CONTEXT", "main"]

CONTEXT = 512
"""Tokens that the model reads."""


def main(model: str) -> None:
    """Serve a GGUF file, and print the address once it is ready."""
    options = xllamacpp.CommonParams()
    options.model.path = model
    options.port = 0
    options.n_ctx = CONTEXT
    options.n_parallel = 1
    # Two threads that wait for each other on a busy machine cost more than one.
    options.cpuparams.n_threads = options.cpuparams_batch.n_threads = 1
    options.warmup = options.ui = False
    server = xllamacpp.Server(options)
    print(server.listening_address, flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main(*sys.argv[1:])
