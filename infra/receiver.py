"""A webhook receiver that a person or a test can look into: keeps what came, answers as it is told."""

import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """One POST as it came."""

    at: float
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that breaks off is no failure of ours; anything else is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@dataclass
class Receiver:
    """Listens on a free port; confirms verification challenges, and keeps everything else in order of arrival."""

    answer: Callable[[Received], int] = lambda received: 204
    received: list[Received] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    def start(self) -> "Receiver":
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, content = receiver.take(Received(time.monotonic(), headers, body))
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                return

        self._server = _Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    @property
    def url(self) -> str:
        assert self._server is not None, "not started"
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def take(self, received: Received) -> tuple[int, bytes]:
        try:
            document = received.json
        except ValueError:
            document = {}
        if document.get("type") == "subscription.verify":
            return 200, json.dumps({"challenge": document["challenge"]}).encode()
        self.received.append(received)
        return self.answer(received), b""

    def of(self, event_type: str, subject: str | None = None) -> list[Received]:
        """What came of a type (and of a subject), in order."""
        return [
            r for r in self.received if r.json["type"] == event_type and (subject is None or r.json["subject"] == subject)
        ]

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
