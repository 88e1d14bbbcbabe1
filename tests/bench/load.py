"""A small keep-alive client: python -m tests.bench.load URL SECONDS CONNECTIONS [TOKEN] prints requests per second.

The paths are read from standard input, one a line, and asked for in turn; anything but 200 ends it.
"""

import asyncio
import sys
import time
from itertools import cycle
from typing import cast
from urllib.parse import urlsplit

import uvloop


class Connection(asyncio.Protocol):
    """Asks, reads one answer of a known length, asks again."""

    def __init__(self, requests: "cycle[bytes]", until: float) -> None:
        self._requests, self._until = requests, until
        self._held, self.answered = b"", 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's own is one without saying so
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        held = self._held + data
        end = held.find(b"\r\n\r\n")
        if end < 0 or len(held) < end + 4 + self._length(held[:end]):
            self._held = held
            return
        if not held.startswith(b"HTTP/1.1 200"):
            self.done.set_exception(RuntimeError(held[:500].decode("utf-8", "replace")))
            return
        self._held = b""
        self.answered += 1
        assert self._transport is not None
        if time.perf_counter() < self._until:
            self._transport.write(next(self._requests))
        elif not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("closed by the server"))

    @staticmethod
    def _length(head: bytes) -> int:
        lower = head.lower()
        at = lower.index(b"content-length:") + 15
        stop = lower.find(b"\r\n", at)
        return int(lower[at : stop if stop >= 0 else None])


async def main(url: str, seconds: float, connections: int, token: str) -> float:
    parts = urlsplit(url)
    extra = f"Authorization: Bearer {token}\r\n" if token else ""
    paths = [line.strip() for line in sys.stdin if line.strip()]
    asked = [f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n{extra}\r\n".encode() for path in paths]
    requests = cycle(asked)
    loop, began = asyncio.get_running_loop(), time.perf_counter()
    made = [
        (await loop.create_connection(lambda: Connection(requests, began + seconds), parts.hostname, parts.port))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(connection.done for connection in made))
    return sum(connection.answered for connection in made) / (time.perf_counter() - began)


if __name__ == "__main__":
    given = [*sys.argv[1:], ""]
    print(uvloop.run(main(given[0], float(given[1]), int(given[2]), given[3])))
