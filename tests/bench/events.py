"""Events per second through the outbox, the bus and an inbox: one relay and one consumer that keeps copies."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from uuid import uuid4

from shared.events.registry import EnterpriseRegistered
from shared.messaging.inbox import Settler
from shared.messaging.kafka import KafkaBus
from shared.messaging.outbox import emit, relay
from shared.messaging.postgres import PostgresBus
from tests.bench.measure import Figure, Scale
from tests.bench.stage import ROOT, Lab
from tests.data.firms import firms


def figures(lab: Lab, scale: Scale, bus: PostgresBus | KafkaBus, name: str, kafka: str = "") -> list[Figure]:
    """`kafka` is the broker beside which bare kafka-python gives the floor; without one there is none."""
    count = scale.of(5_000, 1_000)
    bare_sent, bare_read = _bare(kafka, count) if kafka else (None, None)
    bus.prepare()
    _emit(lab, count)
    db, began = lab.system.contexts["registry"].db, time.perf_counter()
    while relay(db, bus):
        continue
    relayed = count / (time.perf_counter() - began)
    return [
        Figure(f"{name}: events relayed", relayed, bare_sent, "/s"),
        Figure(f"{name}: events consumed by audits", _consume(lab, bus, count), bare_read, "/s"),
    ]


def _bare(kafka: str, count: int) -> tuple[float, float]:
    command = [sys.executable, "-m", "tests.bench.floors.bare_kafka", kafka, str(count)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=120)
    sent, read = json.loads(done.stdout)
    return sent, read


def _emit(lab: Lab, count: int) -> None:
    with lab.system.contexts["registry"].db.begin() as tx:
        for firm in firms(count):
            emit(
                tx,
                EnterpriseRegistered(
                    uscc=firm.uscc, name=firm.name, division=firm.division, industry=firm.industry, status="active", version=1
                ),
            )


def _consume(lab: Lab, bus: PostgresBus | KafkaBus, count: int) -> float:
    service = next(s for s in lab.system.services if s.name == "audits")
    stop, settled, times = threading.Event(), 0, []
    settler = Settler(service.handlers, lab.system.contexts["audits"].db, stop)

    def settle(records: Sequence[bytes]) -> None:
        nonlocal settled
        times.append(time.perf_counter())
        settler.settle(records)
        settled += len(records)
        times.append(time.perf_counter())
        if settled >= count:
            stop.set()

    # A group of its own: on the same records, whatever bus had them before.
    bus.consume(f"bench-{uuid4().hex}", ["registry.events"], settle, stop)
    return settled / (times[-1] - times[0])
