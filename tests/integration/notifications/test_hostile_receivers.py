"""F16: endpoints that hold every connection open hold up nobody but themselves."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlmodel import col, func, select

from infra.system import System
from services.notifications.dispatcher import dispatch
from services.notifications.models import Attempt, Subscription
from services.notifications.models.subscriptions import State
from services.notifications.signing import new_secret
from services.notifications.windows import FIRST, MOST, Window
from shared.codes import make_uscc
from tests.conftest import As
from tests.integration.notifications.receivers import Receiver, accepted, happen, subscribed

HOSTILE, FIRMS = 80, 8


class Holder:
    """Takes connections and never ends an answer; `drip` is what it says at once of one."""

    def __init__(self, drip: bytes) -> None:
        self.held: list[socket.socket] = []
        self._drip, self._listening = drip, socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/"
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        while True:
            try:
                taken, _ = self._listening.accept()
            except OSError:
                return
            taken.sendall(self._drip)
            self.held.append(taken)

    def close(self) -> None:
        self._listening.close()
        for taken in self.held:
            taken.close()


@contextmanager
def holding(drip: bytes) -> Iterator[Holder]:
    holder = Holder(drip)
    try:
        yield holder
    finally:
        holder.close()


@pytest.mark.parametrize("drip", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\nx"], ids=["silent", "dripping"])
def test_endpoints_that_never_end_delay_no_other_one(system: System, as_role: As, receiver: Receiver, drip: bytes) -> None:
    context = system.contexts["notifications"]
    with holding(drip) as holder:
        with context.db.begin() as tx:
            for number in range(HOSTILE):
                found = Subscription(
                    client_id=f"hostile-{number}", role="provincial_ecology", jurisdiction="43", uscc="", url=holder.url,
                    types=["audits.*"], state=State.ACTIVE, secret=b"", matched_seq=0,
                )  # fmt: skip
                found.secret = context.sealer.seal(new_secret().encode(), str(found.id))
                tx.add(found)
        subscribed(as_role("subscriber"), receiver)
        events = happen(system, *[accepted(make_uscc(n, series="MB")) for n in range(FIRMS)])
        stop = threading.Event()
        loop = threading.Thread(target=dispatch, args=(context, stop))
        loop.start()
        try:
            receiver.wait_for(FIRMS, 30)
            with context.db.read() as tx:
                unanswered = tx.exec(select(func.count()).where(col(Attempt.http_status).is_(None))).one()
        finally:
            holder.close()
            stop.set()
            loop.join(30)
        assert {post.id for post in receiver.posts} == {str(event.id) for event in events}
        assert holder.held and unanswered == 0, "nobody had to wait for a time-out of theirs"


def test_an_endpoint_is_trusted_with_more_as_it_answers_and_with_one_post_when_it_does_not() -> None:
    window = Window()
    assert (window.size, window.lanes_allowed) == (FIRST, FIRST * 4)
    for _ in range(100):
        window.succeeded()
    assert window.size == MOST
    window.unanswered()
    assert (window.size, window.lanes_allowed) == (1, 1)
    window.succeeded()
    assert window.size == FIRST
