"""F15, F19: far more callers at once than are taken in, and thousands who come, break off or never answer."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from infra.client import Caller, until
from infra.postgres import EmbeddedPostgres
from infra.receiver import Receiver
from shared.app import MAX_IN_FLIGHT
from shared.http import AT_WORK
from tests.fault.lab.bounds import CONNECTIONS, resident
from tests.fault.polite import may_be_repeated
from tests.instances import Instance, running_instance
from tests.lists import Firm, firm

pytestmark = pytest.mark.slow

CALLERS = max(MAX_IN_FLIGHT + 300, 10 * AT_WORK)
RECEIVERS = 10
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
FEW = 3  # a connection that is being opened or closed while we count
MORE_MEMORY = 64 * 1024 * 1024


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    with running_instance(CLEANPROD_RETRY_SECONDS="0.05") as running:
        yield running


def asked(instance: Instance, database: str, statement: str) -> list[tuple[Any, ...]]:
    url = EmbeddedPostgres(instance.home / "postgres").admin_url(database)
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        return connection.execute(statement.encode()).fetchall()


def registration(one: Firm) -> dict[str, str]:
    return {"uscc": one.uscc, "name": one.name, "division": one.division, "industry": "3360"}


async def sent(
    instance: Instance, method: str, path: str, token: str, body: bytes = b"", key: str = ""
) -> httpx.Response:
    """One request on a connection of its own, by bare sockets: the client must not be the slow one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", instance.port)
    try:
        await _ask(writer, method, path, token, body, key)
        head, _, content = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    first, *fields = head.decode().split("\r\n")
    return httpx.Response(int(first.split()[1]), headers=[tuple(f.split(": ", 1)) for f in fields], content=content)


async def _ask(writer: asyncio.StreamWriter, method: str, path: str, token: str, body: bytes, key: str) -> None:
    lines = [
        f"{method} {path} HTTP/1.1", "Host: here", "Connection: close", f"Authorization: Bearer {token}",
        "Content-Type: application/json", f"Content-Length: {len(body)}", *([f"Idempotency-Key: {key}"] if key else []),
    ]  # fmt: skip
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    await writer.drain()


async def at_once(instance: Instance, token: str, firms: list[Firm]) -> list[httpx.Response]:
    """Every firm by a caller of its own, all of them together."""
    path = "/registry/v1/enterprises"
    return await asyncio.gather(
        *(sent(instance, "POST", path, token, json.dumps(registration(f)).encode(), f.uscc) for f in firms)
    )


def wave(instance: Instance, office: Caller, first: int) -> Counter[int]:
    """One wave of callers; who was accepted had one effect, who was refused had none."""
    firms = [firm(n) for n in range(first, first + CALLERS)]
    answers = asyncio.run(at_once(instance, office.token(), firms))
    for answer in answers:
        if answer.status_code != 201:
            may_be_repeated(answer)
    accepted = sorted(one.uscc for one, answer in zip(firms, answers, strict=True) if answer.status_code == 201)
    mine = ", ".join(f"'{one.uscc}'" for one in firms)
    there = f"SELECT uscc FROM enterprise WHERE version = 1 AND uscc IN ({mine}) ORDER BY 1"
    told = f"SELECT envelope->>'subject' FROM outbox WHERE envelope->>'subject' IN ({mine}) ORDER BY 1"
    assert [uscc for (uscc,) in asked(instance, "registry", there)] == accepted
    assert [uscc for (uscc,) in asked(instance, "registry", told)] == accepted
    return Counter(answer.status_code for answer in answers)


def caught_up(instance: Instance) -> bool:
    ready = httpx.get(f"{instance.base}/readyz", timeout=30, trust_env=False).json()
    return not asked(instance, "registry", "SELECT 1 FROM outbox WHERE published_at IS NULL") and not any(
        found["lag"] for found in ready["services"].values()
    )


def test_more_callers_than_are_taken_in_are_refused_and_never_half_served(instance: Instance) -> None:
    office = instance.callers["provincial_ecology"]
    assert instance.process is not None
    answers = wave(instance, office, 1)
    assert answers[201] >= AT_WORK and answers[503] > 0 and answers.total() == CALLERS, answers
    before = resident(instance.process.pid)
    answers = wave(instance, office, CALLERS + 1)
    assert answers[201] >= AT_WORK and answers[503] > 0, answers
    assert resident(instance.process.pid) - before < MORE_MEMORY
    assert office.request("POST", "/registry/v1/enterprises", json=registration(firm(9_001))).status_code == 201
    until(lambda: caught_up(instance), 60, "the accepted ones to arrive everywhere")
    count = "SELECT count(*) FROM "
    assert asked(instance, "credit", count + "enterprise_copy") == asked(instance, "registry", count + "enterprise")
    for service in ("audits", "credit", "incentives", "notifications"):
        assert asked(instance, service, "SELECT 1 FROM dead_letter") == []


def held(instance: Instance) -> tuple[int, int, int]:
    """What the process has open beside its database sessions, which pools bound; its threads; its sessions."""
    assert instance.process is not None
    place = Path(f"/proc/{instance.process.pid}")
    [(sessions,)] = asked(instance, "postgres", SESSIONS)
    return len(list((place / "fd").iterdir())) - sessions, len(list((place / "task").iterdir())), sessions


def gone(office: Caller, count: int) -> None:
    """Subscriptions whose receiver was there once, and is no more."""
    receiver, path = Receiver().start(), "/notifications/v1/subscriptions"
    for _ in range(count):
        made = office.post(path, {"url": receiver.url, "types": ["credit.*"]})
        office.post(f"{path}/{made['id']}/verify")
    receiver.stop()


async def comes(instance: Instance, token: str) -> None:
    """A thousand requests on connections of their own, and streams that break off after their first bytes."""

    async def listen() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", instance.port)
        await _ask(writer, "GET", "/notifications/v1/events/stream", token, b"", "")
        assert b"200" in await reader.readuntil(b"\r\n")
        writer.transport.abort()

    paths = ("/registry/v1/enterprises?limit=1", "/livez", "/nowhere", "/audits/v1/lists/1")
    for _ in range(10):
        answers = await asyncio.gather(*(sent(instance, "GET", path, token) for path in paths * 25))
        assert {answer.status_code for answer in answers} <= {200, 404, 422}
        await asyncio.gather(*(listen() for _ in range(20)))


def come_and_go(instance: Instance, office: Caller, one: Firm) -> None:
    """The above, and an event for receivers that are gone."""
    asyncio.run(comes(instance, office.token()))
    office.post("/registry/v1/enterprises", registration(one))
    until(lambda: office.request("GET", f"/credit/v1/enterprises/{one.uscc}").status_code == 200, what="credit")
    record = {"uscc": one.uscc, "evaluation_year": 2024, "grade": "蓝牌", "level": "province"}
    office.post("/credit/v1/records", record | {"published_on": "2025-06-05", "document_no": "示例"})
    tried = f"SELECT 1 FROM delivery WHERE subject = '{one.uscc}' AND attempts > 1"
    until(lambda: len(asked(instance, "notifications", tried)) == RECEIVERS, 60, "every receiver to be tried again")


def test_who_comes_and_goes_leaves_nothing_behind(instance: Instance) -> None:
    office = instance.callers["provincial_ecology"]
    gone(office, RECEIVERS)
    come_and_go(instance, office, firm(9_101))
    files, threads, _ = held(instance)
    come_and_go(instance, office, firm(9_102))
    until(lambda: held(instance)[0] <= files + FEW, 30, f"files {files}, threads {threads}, now {held(instance)}")
    assert held(instance)[1] <= threads + FEW
    [(sessions,)] = asked(instance, "postgres", SESSIONS)
    assert sessions < CONNECTIONS
