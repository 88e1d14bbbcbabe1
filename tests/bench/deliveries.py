"""Webhook deliveries per second of one dispatcher, whole: claimed, signed, posted, recorded."""

import os
import subprocess
import sys
import time
from datetime import date
from uuid import uuid4

import sqlalchemy as sa
from sqlmodel import Session

from services.notifications.actions.log import append_event
from services.notifications.dispatcher import send_due
from services.notifications.models import Subscription
from services.notifications.models.subscriptions import State
from services.notifications.signing import new_secret
from shared.clock import utc_now
from shared.events import Envelope
from shared.events.audits import AcceptanceRecorded
from tests.bench.measure import Figure, Scale, in_turns
from tests.bench.stage import ROOT, Lab, program
from tests.data.firms import firms

FIRMS, AT_ONCE = 50, 64
TODAY = date(2026, 11, 20)


def figures(lab: Lab, scale: Scale) -> list[Figure]:
    """One subscription: 50 firms are 50 lanes, each in order."""
    count, rounds = scale.of(5_000, 1_500), scale.of(3, 1)
    envelopes = [accepted(firm.uscc) for _ in range(count // FIRMS) for firm in firms(FIRMS)]
    bodies = [envelope.cloud_event() for envelope in envelopes]
    os.environ["DATABASE_URL"] = lab.floor_url
    with program("tests.bench.sink") as sink:
        subscribe(lab, f"{sink}/hook")
        sent(lab, envelopes[:FIRMS])  # a dispatcher runs for weeks: its first statements are not what is measured
        send = lambda: sent(lab, envelopes)  # noqa: E731
        bare, ours, naive = in_turns(
            rounds,
            lambda: _floor("bare_post", bodies, f"{sink}/hook", str(AT_ONCE)),
            send,
            lambda: _floor("naive_loop", bodies[: count // 10], f"{sink}/hook"),
        )
    return [
        Figure("webhook deliveries beside a bare aiohttp loop", ours, bare, "/s", 0.6),
        Figure("webhook deliveries beside claim one, post, commit", ours, naive, "/s", 10),
    ]


def accepted(uscc: str) -> Envelope:
    event = AcceptanceRecorded(
        uscc=uscc, round=uuid4(), result="accepted", level="II", accepted_on=TODAY, document_no="湘环验〔2026〕1号"
    )
    return Envelope(
        id=uuid4(),
        type=event.type,
        source="audits",
        subject=uscc,
        time=utc_now(),
        correlation_id=uuid4().hex,
        traceparent="",
        causation_id=None,
        data=event.model_dump(mode="json"),
    )


def subscribe(lab: Lab, url: str) -> None:
    context = lab.system.contexts["notifications"]
    made = Subscription(
        client_id="bench", role="provincial_ecology", jurisdiction="43", uscc="", url=url, types=["audits.*"],
        state=State.ACTIVE, secret=b"", matched_seq=0,
    )  # fmt: skip
    made.secret = context.sealer.seal(new_secret().encode(), str(made.id))
    with context.db.begin() as tx:
        tx.add(made)


def sent(lab: Lab, envelopes: list[Envelope]) -> float:
    context = lab.system.contexts["notifications"]
    with context.db.begin() as tx:
        for envelope in envelopes:
            append_event(tx, envelope.model_copy(update={"id": uuid4()}), TODAY)
        _analyse(tx)
    began = time.perf_counter()
    attempts = send_due(context)
    spent = time.perf_counter() - began
    assert attempts == len(envelopes), f"{attempts} attempts for {len(envelopes)} deliveries"
    return attempts / spent


def _analyse(tx: Session) -> None:
    """What autovacuum would have done by itself on a table that has long been there."""
    tx.execute(sa.text("ANALYZE event_log, delivery, lane"))


def _floor(name: str, bodies: list[bytes], *arguments: str) -> float:
    command = [sys.executable, "-m", f"tests.bench.floors.{name}", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, input=b"\n".join(bodies), stdout=subprocess.PIPE, check=True, timeout=120
    )
    return float(done.stdout)
