"""From the commit of an acceptance to the webhook received, at a steady rate, beside the sum of the bare hops."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import date
from uuid import uuid4

import httpx

from infra.client import until
from shared.db import Database
from shared.events.audits import AcceptanceRecorded
from shared.messaging.outbox import emit
from shared.tracing import caused_by
from tests.bench.measure import Figure, Scale, quantile
from tests.bench.stage import ROOT, Stage, program
from tests.data.firms import Firm

PER_SECOND, BLOCKS = 20, 3
ACCEPTANCE, DECISION = "audits.acceptance.recorded.v1", "incentives.decision.changed.v1"
TODAY = date(2026, 3, 2)


def figures(stage: Stage, known: Sequence[Firm], scale: Scale, kafka: str = "") -> list[Figure]:
    count = scale.of(100, 40)
    os.environ["DATABASE_URL"] = stage.floor_url
    hops: list[float] = []
    direct: list[float] = []
    decided: list[float] = []
    with program("tests.bench.sink") as sink:
        _subscribe(stage, f"{sink}/hook")
        _emit(stage, known, 20, sink)  # the first ones find cold connections
        for _ in range(BLOCKS):
            hops += _hops(sink, count, kafka)
            acceptances, decisions = _emit(stage, known, count, sink)
            direct += acceptances
            decided += decisions
    bus = "Kafka" if kafka else "embedded"
    figures = _pair(f"{bus}: acceptance → webhook", direct, hops, 3)
    if decided:
        figures += _pair(f"{bus}: acceptance → decision → webhook (two events)", decided, [2 * hop for hop in hops], 3)
    return figures


def _pair(name: str, ours: list[float], hops: list[float], target: float) -> list[Figure]:
    middle = Figure(f"{name}, p50", quantile(ours, 0.5) * 1000, quantile(hops, 0.5) * 1000, "ms")
    far = Figure(f"{name}, p99", quantile(ours, 0.99) * 1000, quantile(hops, 0.99) * 1000, "ms", target, at_most=True)
    return [middle, far]


def _subscribe(stage: Stage, url: str) -> None:
    office = stage.callers["provincial_ecology"]
    made = office.post("/notifications/v1/subscriptions", {"url": url, "types": [ACCEPTANCE, DECISION]})
    office.post(f"/notifications/v1/subscriptions/{made['id']}/verify")


def _emit(stage: Stage, known: Sequence[Firm], count: int, sink: str) -> tuple[list[float], list[float]]:
    """Seconds until the acceptance arrived, and until the first decision that it changed, as the audits service tells it."""
    httpx.delete(sink, trust_env=False)
    db, begun = Database(stage.url("audits"), pool=1), {}
    for number in range(count):
        started = time.monotonic()
        mark, firm = uuid4().hex, random.choice(known)
        with caused_by(mark, "", None), db.begin() as tx:
            event = _acceptance(firm, "accepted" if number % 2 else "accept_failed")
            tx.connection()
            begun[mark] = time.monotonic()
            emit(tx, event)
        time.sleep(max(0.0, 1 / PER_SECOND - (time.monotonic() - started)))
    db.dispose()
    until(lambda: len(_arrived(sink, ACCEPTANCE)) == count, what="the webhooks")
    last = -1
    while last != (last := len(_arrived(sink, DECISION))):
        time.sleep(0.5)  # how many decisions change is for the rules to say: wait until no more come
    return tuple([at - begun[mark] for mark, at in _arrived(sink, kind).items()] for kind in (ACCEPTANCE, DECISION))  # type: ignore[return-value]


def _arrived(sink: str, kind: str) -> dict[str, float]:
    """When the first event of a type came, by what caused it."""
    found: dict[str, float] = {}
    for _, type_, mark, at in httpx.get(sink, trust_env=False).json():
        if type_ == kind:
            found.setdefault(mark, at)
    return found


def _acceptance(firm: Firm, result: str) -> AcceptanceRecorded:
    return AcceptanceRecorded(
        uscc=firm.uscc,
        round=uuid4(),
        result=result,
        level="II" if result == "accepted" else None,
        accepted_on=TODAY,
        valid_until=date(2031, 3, 2) if result == "accepted" else None,
        document_no="湘环验〔2026〕1号",
        track="mandatory",
        division=firm.division,
    )


def _hops(sink: str, count: int, kafka: str) -> list[float]:
    command = [sys.executable, "-m", "tests.bench.floors.hops", sink, str(count), str(PER_SECOND)]
    done = subprocess.run(
        [*command, kafka] if kafka else command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=120
    )
    return [float(seconds) for seconds in json.loads(done.stdout)][5:]
