"""Answers per second of an endpoint that takes 20 ms for each, against a bare loop of httpx2.

The bare loop sends the same requests from 16 tasks that share one client, and decodes the answers.
Ours also keeps a log of every call on disk, counts what is spent, finds out how much the server
takes at once, and checks what it reads. The server runs in a process of its own.
"""

import asyncio
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx2
from shared import interleaved, machine, with_processor_time

import explain
from explain.adapters import TextClassifier

ROUNDS = 5
TEXTS = 2048
AT_ONCE_BY_ENGINE = 1024
CONCURRENCY = 16
LATENCY = 0.02
QUESTION = {
    "question": "What is the sentiment of this review?",
    "options": ["negative", "positive"],
    "model": "bench",
}
ANSWER = json.dumps(
    {
        "model": "bench",
        "answers": {
            "question": {
                "type": "choice",
                "choice": "bad",
                "confidence": 0.56,
                "probabilities": {"negative": 0.7804063390508754, "positive": 0.21959366094912464},
            }
        },
        "usage": {"input_tokens": 83, "output_tokens": 0},
    }
).encode()
REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(ANSWER),
    ANSWER,
)
numbers = itertools.count()


class Answers(asyncio.Protocol):
    """One connection, on which every request is answered after a while.

    A protocol and not a server of a framework: what the server takes of a processor, a client on
    the same machine lacks.
    """

    def __init__(self) -> None:
        self.came = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.came += data
        head, ends, body = self.came.partition(b"\r\n\r\n")
        if ends and len(body) >= int(head.lower().partition(b"content-length:")[2].split()[0]):
            self.came.clear()
            asyncio.get_running_loop().call_later(LATENCY, self.transport.write, REPLY)


async def serve() -> None:
    """Answer every request, and print the port first."""
    server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def texts() -> list[str]:
    """Return texts that nobody has asked for before."""
    return [f"a stunning and lyrical work , number {next(numbers)}" for _ in range(TEXTS)]


def bare(url: str) -> Callable[[], None]:
    """Return the loop that does nothing but send and decode."""
    asked: dict[str, object] = {"question": {"type": "choice", "instructions": "What is it?"}}
    bodies = [json.dumps({"state": text, "questions": asked}).encode() for text in texts()]

    async def lane(session: httpx2.AsyncClient, left: list[bytes]) -> None:
        while left:
            reply = await session.post(
                url, content=left.pop(), headers={"Content-Type": "application/json"}
            )
            assert json.loads(reply.content)["answers"]

    async def run() -> None:
        async with httpx2.AsyncClient(timeout=60) as session:
            await asyncio.gather(*(lane(session, bodies) for _ in range(CONCURRENCY)))

    return partial(asyncio.run, run())


def ours(url: str, folder: Path) -> Callable[[], None]:
    """Return the same by an endpoint, whose log is new."""
    calls = folder / f"{next(numbers)}.sqlite"
    model: TextClassifier = explain.load(
        url, kind="systemone", concurrency=CONCURRENCY, calls=calls, **QUESTION
    )
    asked = texts()

    def run() -> None:
        for start in range(0, TEXTS, AT_ONCE_BY_ENGINE):
            model.predict(asked[start : start + AT_ONCE_BY_ENGINE])

    return run


def main() -> None:
    server = subprocess.Popen(
        [sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    processor: dict[str, list[float]] = {"bare httpx2": [], "ours": []}
    try:
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1/systemone"
        with tempfile.TemporaryDirectory() as folder:
            seconds = interleaved(
                {
                    "bare httpx2": with_processor_time(
                        partial(bare, url), processor["bare httpx2"]
                    ),
                    "ours": with_processor_time(
                        partial(ours, url, Path(folder)), processor["ours"]
                    ),
                },
                ROUNDS,
            )
    finally:
        server.kill()
        server.wait()
    print(machine())
    print(f"{TEXTS} texts, {LATENCY * 1000:g} ms each, {CONCURRENCY} at once: ", end="")
    print(f"at most {CONCURRENCY / LATENCY:g} answers / s")
    for name, taken in seconds.items():
        each = 1000 * statistics.median(processor[name]) / TEXTS
        print(f"{name:<12} {TEXTS / taken:7.0f} answers / s, {each:.2f} ms of a processor for each")
    print(f"ratio        {seconds['bare httpx2'] / seconds['ours']:7.0%}")


if __name__ == "__main__":
    asyncio.run(serve()) if sys.argv[1:] == ["serve"] else main()
