"""One measure per path, each giving its seconds per item beside a register of the given size."""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import date
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

from services.incentives import rules
from services.incentives.actions.copies import find_enterprise
from services.incentives.actions.decisions import redecide
from services.incentives.actions.tiers import NewList, publish
from shared.auth import Caller, TokenSigner
from shared.clock import utc_now
from shared.codes.uscc import ALPHABET
from shared.events.registry import EnterpriseChanged
from shared.imports.tables import ImportFile
from shared.jobs import Job, enqueue, run_one
from shared.messaging.inbox import Settler
from shared.messaging.outbox import emit, relay
from shared.spreadsheets import read_table, write_rows
from tests.bench import deliveries
from tests.bench.growth.register import ONE_IN, Firm, firm, lay
from tests.bench.measure import Figure
from tests.bench.stage import Lab, program
from tests.data.firms import firms
from tests.data.make_register import HEADERS, row_of

SIZES, LARGE = (1_000, 10_000, 100_000), (1_000, 10_000, 100_000, 1_000_000)
LEVEL = 1.5
TODAY = date(2026, 11, 20)
SCOPES = frozenset({"audits:status:read", "notifications:events:read"})
_FRESH = iter(first + second for first in "GHJK" for second in ALPHABET)  # every import brings firms of its own
_UNDECIDED = count(0)
Measure = Callable[[Lab, int], float]


def figures(lab: Lab, sizes: tuple[int, ...]) -> list[Figure]:
    """Seconds per item at each size beside the smallest; a first pass warms up and is not counted."""
    found: dict[str, list[float]] = {}
    laid = 0
    with program("tests.bench.sink") as sink:
        deliveries.subscribe(lab, f"{sink}/hook")
        for size in sizes:
            lay(laid, size)
            laid = size
            for name, measure in MEASURES.items():
                if not found.get(name):
                    measure(lab, size)
                found.setdefault(name, []).append(min(measure(lab, size) for _ in range(3)))
    return [
        Figure(f"growth: {name}, {size:,} enterprises beside {sizes[0]:,}", at * 1e6, times[0] * 1e6, "µs", LEVEL, at_most=True)
        for name, times in found.items()
        for size, at in zip(sizes[1:], times[1:], strict=True)
    ]


def read_status(lab: Lab, size: int) -> float:
    paths = [f"/audits/v1/enterprises/{_any(size).uscc}/status" for _ in range(1_000)]
    return _asked(lab, paths)


def read_feed(lab: Lab, size: int) -> float:
    """Pages of a hundred events, from anywhere in the log."""
    return _asked(lab, ["/notifications/v1/events?limit=100"] * 30) / 100


def import_rows(lab: Lab, size: int, rows: int = 1_000) -> float:
    registry = next(s for s in lab.system.services if s.name == "registry")
    context = lab.system.contexts["registry"]
    content = _workbook(next(_FRESH), rows)
    with context.db.begin() as tx:
        file = ImportFile(
            kind="enterprises", owner="bench", jurisdiction="43", role="provincial_ecology", filename="a.xlsx",
            content=content, dry_run=False, on_error="abort", marks=read_table(content, "a.xlsx").marks,
        )  # fmt: skip
        tx.add(file)
        tx.flush()
        enqueue(tx, Job(kind="import", owner="bench", parameters={"import": str(file.id)}))
    began = time.perf_counter()
    assert run_one(registry.jobs, context.db, context.clock)
    spent = time.perf_counter() - began
    while relay(context.db, lab.system.bus):
        continue
    return spent / rows


def consume_events(lab: Lab, size: int, events: int = 500) -> float:
    """Emitted, relayed, settled by audits."""
    registry, audits = lab.system.contexts["registry"], next(s for s in lab.system.services if s.name == "audits")
    bus, topics = lab.system.bus, ["registry.events"]
    assert not hasattr(bus, "close"), "the embedded bus"
    settler = Settler(audits.handlers, lab.system.contexts["audits"].db)
    bus.join("growth", topics)
    while bus.poll("growth", topics, lambda records: None):
        continue
    began = time.perf_counter()
    with registry.db.begin() as tx:
        for _ in range(events):
            emit(tx, _changed(_any(size)))
    while relay(registry.db, bus):
        continue
    while bus.poll("growth", topics, settler.settle):
        continue
    return (time.perf_counter() - began) / events


def decide_firms(lab: Lab, size: int, number: int = 25) -> float:
    """All programmes of a smelter that was never decided, decided and kept."""
    db = lab.system.contexts["incentives"].db
    smelters = [firm((size // ONE_IN - 1 - next(_UNDECIDED) % (SIZES[0] // ONE_IN)) * ONE_IN) for _ in range(number)]
    began = time.perf_counter()
    for smelter in smelters:
        with db.begin() as tx:
            enterprise = find_enterprise(tx, smelter.uscc)
            assert enterprise is not None, "it was laid"
            redecide(tx, enterprise, rules.programmes(), TODAY)
    return (time.perf_counter() - began) / len(smelters)


def publish_tiers(lab: Lab, size: int) -> float:
    """The list of a month, per smelter."""
    given = NewList("2026-07", "湘工信示例", "PROSPECTIVE", date(2026, 7, 1), "bench")
    began = time.perf_counter()
    with lab.system.contexts["incentives"].db.begin() as tx:
        publish(tx, given)
    return (time.perf_counter() - began) / (size // ONE_IN)


def deliver(lab: Lab, size: int) -> float:
    return 1 / deliveries.sent(lab, [deliveries.accepted(_any(size).uscc) for _ in range(500)])


MEASURES: dict[str, Measure] = {
    "status read": read_status,
    "feed, an event": read_feed,
    "import, a row": import_rows,
    "event relayed and consumed": consume_events,
    "firm decided": decide_firms,
    "tier list, a smelter": publish_tiers,
    "webhook delivered": deliver,
}


def _any(size: int) -> Firm:
    return firm(random.randrange(size))


def _changed(found: Firm) -> EnterpriseChanged:
    return EnterpriseChanged(
        uscc=found.uscc, name=found.name, division=found.division, industry=found.industry, status="active",
        version=int(utc_now().timestamp() * 1e6) % 2**31,
    )  # fmt: skip


def _workbook(series: str, count: int) -> bytes:
    target = BytesIO()
    write_rows(target, HEADERS, map(row_of, firms(count, series=series)), sheet="企业")
    return target.getvalue()


def _asked(lab: Lab, paths: list[str]) -> float:
    """Seconds per GET, asked of the application itself one after another."""
    caller = Caller("bench", "bank", "示例银行", "", "91430000MX0000000A", SCOPES)
    secrets = Path(lab.environment["CLEANPROD_SECRETS"])
    token = TokenSigner.from_file(secrets / "token_key.pem", lab.system.settings.issuer).issue(caller, time.time())
    return asyncio.run(_ask(lab, paths, f"Bearer {token}".encode()))


async def _ask(lab: Lab, paths: list[str], authorization: bytes) -> float:
    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        assert message.get("status", 200) == 200, message

    began = time.perf_counter()
    for target in paths:
        path, _, query = target.partition("?")
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http", "path": path,
            "raw_path": path.encode(), "query_string": query.encode(), "root_path": "", "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80), "headers": [(b"authorization", authorization), (b"x-request-id", uuid4().hex.encode())],
        }  # fmt: skip
        await lab.system.edge(scope, receive, send)
    return (time.perf_counter() - began) / len(paths)
