"""Calls the product without a socket, byte for byte as a client would put it on the wire."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

Headers = Sequence[tuple[str, str]]


@dataclass
class Answer:
    """What came back: the status, the headers in order, the body."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip()


class InProcess(httpx.BaseTransport):
    """An ASGI application on an event loop of its own; an event stream is left after its first bytes."""

    def __init__(self, app: Any) -> None:
        self._app, self._loop = app, asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def call(self, method: str, target: bytes, headers: Headers, body: bytes = b"") -> Answer:
        """`target` is the path and query as they stand in the request line."""
        raw_path, _, query = target.partition(b"?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": _unquoted(raw_path),
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in headers],
            "server": ("127.0.0.1", 8000),
            "client": ("127.0.0.1", 50000),
        }
        return asyncio.run_coroutine_threadsafe(self._exchange(scope, body), self._loop).result(60)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        headers = [(k, v) for k, v in request.headers.multi_items()]
        answer = self.call(request.method, request.url.raw_path, headers, request.read())
        return httpx.Response(answer.status, headers=answer.headers, content=answer.body)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _exchange(self, scope: dict[str, Any], body: bytes) -> Answer:
        answer, gone, sent = Answer(), asyncio.Event(), False

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if not sent:
                sent = True
                return {"type": "http.request", "body": body, "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in message["headers"]}
                if answer.media_type == "text/event-stream":
                    gone.set()
            answer.body += message.get("body", b"")

        await self._app(scope, receive, send)
        return answer


def _unquoted(path: bytes) -> str:
    """As an HTTP server decodes a path."""
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(path).decode("utf-8", "replace")
