"""What the tests of notifications share: real receivers on 127.0.0.1, and events as the bus would bring them."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID, uuid4

from infra.system import System
from services.notifications.dispatcher import send_due
from services.notifications.handlers import handlers
from shared.events import Envelope, Event
from shared.events.audits import AcceptanceRecorded, RoundStarted
from shared.messaging.inbox import deliver
from tests.conftest import Api, shown

FIRM, OTHER = "91430200MA4QA0029A", "91430600MA4QA0037R"
BANK = "91430100MA4QA00108"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass(frozen=True)
class Post:
    """A request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.body)  # type: ignore[no-any-return]


@dataclass
class Receiver:
    """Answers with what `answer` says (200 unless told); echoes challenges; keeps everything but challenges."""

    url: str
    answer: Callable[[Post], int] = lambda _: 200
    posts: list[Post] = field(default_factory=list)
    challenges: list[Post] = field(default_factory=list)
    connections: int = 0
    echo: bool = True

    @property
    def ids(self) -> list[str]:
        return [post.id for post in self.posts]

    def wait_for(self, count: int, seconds: float = 10.0) -> list[Post]:
        """The posts, as soon as there are so many."""
        end = time.monotonic() + seconds
        while len(self.posts) < count:
            assert time.monotonic() < end, f"{len(self.posts)} of {count} posts"
            time.sleep(0.002)
        return self.posts


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    receiver = Receiver("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            receiver.connections += 1
            super().setup()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            post = Post(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            if post.document.get("type") == "subscription.verify":
                receiver.challenges.append(post)
                return self._reply(200, body if receiver.echo else b"ok")
            status = receiver.answer(post)
            receiver.posts.append(post)
            return self._reply(status, b"ok")

        def _reply(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


def wrapped(event: Event) -> Envelope:
    return Envelope(
        id=uuid4(),
        type=event.type,
        source=event.type.split(".")[0],
        subject=event.subject,
        time=datetime.now(UTC),
        correlation_id="test",
        traceparent=TRACE,
        data=event.model_dump(mode="json"),
    )


def happen(system: System, *events: Event) -> list[Envelope]:
    """The events reach notifications, in this order, in one transaction."""
    envelopes = [wrapped(event) for event in events]
    deliver(envelopes, handlers, system.contexts["notifications"].db)
    return envelopes


def ids(envelopes: list[Envelope]) -> list[str]:
    return [str(envelope.id) for envelope in envelopes]


def accepted(uscc: str = FIRM, division: str = "430202") -> AcceptanceRecorded:
    """A public event."""
    return AcceptanceRecorded(
        uscc=uscc,
        round=UUID(int=1),
        result="accepted",
        level="II",
        accepted_on=date(2026, 11, 2),
        valid_until=date(2031, 11, 2),
        document_no="株环示例〔2026〕7号",
        division=division,
    )


def started(uscc: str = FIRM, division: str = "430202") -> RoundStarted:
    """An event for the parties."""
    return RoundStarted(uscc=uscc, round=UUID(int=1), track="mandatory", started_on=date(2026, 3, 2), division=division)


def subscribed(api: Api, receiver: Receiver, *, verify: bool = True, **body: Any) -> dict[str, Any]:
    """A subscription (to everything unless told), verified unless told."""
    given = {"url": receiver.url, "types": ["*"]} | body
    answer = api.post("/notifications/v1/subscriptions", given)
    assert answer.status_code == 201, shown(answer)
    made: dict[str, Any] = answer.json()
    if verify:
        verified = api.post(f"{place(made)}/verify")
        assert verified.status_code == 200 and verified.json()["state"] == "active", shown(verified)
    return made


def place(subscription: dict[str, Any]) -> str:
    return f"/notifications/v1/subscriptions/{subscription['id']}"


def send(system: System, now: datetime | None = None) -> int:
    return send_due(system.contexts["notifications"], now)


def deliveries(api: Api, subscription: dict[str, Any], **query: str) -> list[dict[str, Any]]:
    """The deliveries of a subscription, the oldest first."""
    answer = api.get(f"{place(subscription)}/deliveries", params=query)
    assert answer.status_code == 200, shown(answer)
    items: list[dict[str, Any]] = answer.json()["items"]
    return items[::-1]


def feed(api: Api, **query: Any) -> dict[str, Any]:
    answer = api.get("/notifications/v1/events", params=query)
    assert answer.status_code == 200, shown(answer)
    page: dict[str, Any] = answer.json()
    return page


def feed_ids(api: Api, **query: Any) -> list[str]:
    return [event["id"] for event in feed(api, **query)["events"]]
