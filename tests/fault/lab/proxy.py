"""A TCP proxy that misbehaves as it is told: slow, narrow, deaf in one direction, resetting, slicing."""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
UP, DOWN = "up", "down"  # from the client to the server, and back
CHUNK = 65536
RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Weather:
    """What happens to bytes on their way; the default is a clear day."""

    latency: float = 0.0  # seconds, added to every piece
    rate: float = 0.0  # bytes a second; 0 is as fast as it goes
    slice: int = 0  # bytes in a piece; 0 leaves the pieces as they come
    blackholes: frozenset[str] = frozenset()  # the directions in which bytes vanish, connections stay open
    reset_after: int = -1  # bytes (both directions together) after which a connection is reset
    refuse: bool = False  # new connections are reset at once


CLEAR = Weather()


@dataclass(eq=False)
class _Pair:
    """The two ends of one connection, and how many bytes have passed."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    passed: int = 0

    def reset(self) -> None:
        """RST instead of FIN: what was on the way is lost, and the peer is told so."""
        _reset(self.client)
        _reset(self.server)


def _reset(end: asyncio.StreamWriter) -> None:
    found: socket.socket | None = end.get_extra_info("socket")
    if found is not None and found.family != socket.AF_UNIX and found.fileno() >= 0:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    end.transport.abort()


@dataclass(eq=False)
class Proxy:
    """One link: listens on a port of 127.0.0.1, forwards to `target` (a port, or the path of a Unix socket)."""

    name: str
    target: int | Path
    port: int = 0
    weather: Weather = CLEAR
    _pairs: set[_Pair] = field(default_factory=set)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def connections(self) -> int:
        return len(self._pairs)

    async def listen(self) -> None:
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]

    async def change(self, weather: Weather) -> None:
        """Other weather from the next piece on; what waits in a blackhole stays lost."""
        self.weather = weather
        self._changed.set()
        self._changed = asyncio.Event()

    async def reset_all(self) -> int:
        """Reset every open connection now; how many there were."""
        pairs = list(self._pairs)
        for pair in pairs:
            pair.reset()
        return len(pairs)

    async def half_close(self) -> int:
        """Tell every client that its server will say no more, while its own words still pass."""
        pairs = list(self._pairs)
        for pair in pairs:
            if pair.client.can_write_eof() and not pair.client.is_closing():
                pair.client.write_eof()
        return len(pairs)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.weather.refuse:
                raise ConnectionRefusedError
            if isinstance(self.target, Path):
                upstream, onward = await asyncio.open_unix_connection(str(self.target))
            else:
                upstream, onward = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            return _reset(writer)
        pair = _Pair(writer, onward)
        self._pairs.add(pair)
        try:
            await asyncio.gather(self._pump(pair, reader, onward, UP), self._pump(pair, upstream, writer, DOWN))
        except asyncio.CancelledError:
            pair.reset()  # the network ends; asyncio would complain of a cancelled connection
        finally:
            self._pairs.discard(pair)
            for end in (writer, onward):
                end.close()
        return None

    async def _pump(self, pair: _Pair, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str) -> None:
        try:
            while piece := await reader.read(CHUNK):
                if way in self.weather.blackholes:
                    continue
                await self._forward(pair, writer, piece)
            if writer.can_write_eof() and not writer.is_closing():
                writer.write_eof()
        except (OSError, RuntimeError):
            pair.reset()

    async def _forward(self, pair: _Pair, writer: asyncio.StreamWriter, piece: bytes) -> None:
        size = self.weather.slice or len(piece)
        for start in range(0, len(piece), size):
            part = piece[start : start + size]
            pause = self.weather.latency + (len(part) / self.weather.rate if self.weather.rate else 0.0)
            if pause:
                await self._wait(pause)
            limit = self.weather.reset_after
            if limit >= 0 and pair.passed + len(part) > limit:
                writer.write(part[: max(0, limit - pair.passed)])
                raise ConnectionResetError
            pair.passed += len(part)
            writer.write(part)
            await writer.drain()

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return


class Network:
    """The proxies of a lab, in an event loop and a thread of their own; its methods may be called from anywhere."""

    def __init__(self) -> None:
        self.links: dict[str, Proxy] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._thread.start()

    def link(self, name: str, target: int | Path, port: int = 0) -> Proxy:
        """A new link to a target; its port is there when this returns."""
        proxy = self._do(_made(name, target, port))
        self._do(proxy.listen())
        self.links[name] = proxy
        return proxy

    def set(self, name: str, **weather: Any) -> None:
        """Change some of a link's weather."""
        link = self.links[name]
        self._do(link.change(replace(link.weather, **weather)))

    def clear(self, *names: str) -> None:
        """A clear day on these links, on all if none is named. A connection that lost bytes is reset: it is no use."""
        for name in names or tuple(self.links):
            link = self.links[name]
            torn = bool(link.weather.blackholes)
            self._do(link.change(CLEAR))
            if torn:
                self._do(link.reset_all())

    def reset(self, name: str) -> int:
        return self._do(self.links[name].reset_all())

    def half_close(self, name: str) -> int:
        return self._do(self.links[name].half_close())

    def close(self) -> None:
        """Reset what is open and end the loop."""
        self._do(_end_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(20)


async def _end_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _made(name: str, target: int | Path, port: int) -> Proxy:
    return Proxy(name, target, port)
