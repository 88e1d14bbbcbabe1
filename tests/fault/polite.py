"""Callers in this process who repeat a refused request with its key, and what must be true of what they did."""

import threading
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import httpx
import sqlalchemy as sa

from infra.client import until
from infra.system import System
from tests.conftest import Api
from tests.integration.messaging.effects import Running
from tests.lists import Firm, firm

COPIES = ("audits", "credit", "incentives")


class Polite:
    """Registers firms, several at once; every answer is counted, and every refusal must be one that may be repeated."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.answers: Counter[int] = Counter()
        self._lock = threading.Lock()

    def registers_all(self, firms: Iterable[Firm], at_once: int = 8) -> None:
        with ThreadPoolExecutor(at_once) as pool:
            for _ in pool.map(self.registers, firms):
                pass

    def registers(self, firm: Firm) -> None:
        until(lambda: self.asks(firm).status_code == 201, 60, "a firm to be registered")

    def asks(self, firm: Firm) -> httpx.Response:
        """One attempt, with the key of that firm."""
        body = {"uscc": firm.uscc, "name": firm.name, "division": firm.division, "industry": "3360"}
        answer = self._api.post("/registry/v1/enterprises", body, headers={"Idempotency-Key": firm.uscc})
        with self._lock:
            self.answers[answer.status_code] += 1
        if answer.status_code != 201:
            may_be_repeated(answer)
        return answer


class Load:
    """Firms registered one after another by several callers, until the test has seen enough."""

    def __init__(self, polite: Polite) -> None:
        self.firms: list[Firm] = []
        self._numbers, self._polite, self.enough = count(1), polite, threading.Event()
        self._callers = [Running(self._register) for _ in range(6)]

    def _register(self, stop: threading.Event) -> None:
        while not self.enough.is_set():
            self.firms.append(one := firm(next(self._numbers)))
            self._polite.registers(one)

    def __enter__(self) -> "Load":
        for caller in self._callers:
            caller.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.enough.set()
        for caller in self._callers:
            caller.join(60)
            assert caller.failure is None, repr(caller.failure)


def may_be_repeated(answer: httpx.Response) -> None:
    """A 429 or 503 problem that says when to come again."""
    assert answer.status_code in (429, 503), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0 and answer.json()["code"] == "overloaded"


def asked(system: System, service: str, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    with system.contexts[service].db.read() as tx:
        return [tuple(row) for row in tx.execute(sa.text(statement), values)]


def letters(system: System) -> dict[str, list[tuple[Any, ...]]]:
    """What is set aside, by service; services with nothing are not named."""
    found = {s.name: asked(system, s.name, "SELECT subject, reason FROM dead_letter") for s in system.services}
    return {name: rows for name, rows in found.items() if rows}


def nothing_lost_or_doubled(system: System, firms: Iterable[Firm]) -> None:
    """Every firm is registered once, told once and known once to everybody; nothing is set aside."""
    once = sorted((firm.uscc, 1) for firm in firms)
    assert letters(system) == {}
    assert asked(system, "registry", "SELECT uscc, version FROM enterprise ORDER BY 1") == once
    assert asked(system, "registry", "SELECT uscc, count(*) FROM enterprise_version GROUP BY 1 ORDER BY 1") == once
    told = "SELECT envelope->>'subject', count(*) FROM outbox GROUP BY 1 ORDER BY 1"
    assert asked(system, "registry", told) == once
    for service in COPIES:
        assert asked(system, service, "SELECT uscc, version FROM enterprise_copy ORDER BY 1") == once, service
