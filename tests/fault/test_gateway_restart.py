"""F21: the gateway is reloaded, killed and started again, and the services behind it go away, while callers go on."""

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from infra.client import until
from infra.parts import SERVICES
from infra.ports import free_port
from shared.codes import make_uscc
from tests.contract.test_topology import tool
from tests.gateway import Gateway
from tests.instances import Instance, running_instance

CALLERS, EACH = 4, 12


@pytest.fixture
def instance() -> Iterator[Instance]:
    with running_instance() as running:
        yield running


@pytest.fixture
def gateway(instance: Instance, tmp_path: Path) -> Iterator[Gateway]:
    ports = {name: [str(instance.port)] for name in (*(service.name for service in SERVICES), "documents")}
    made = Gateway(tool("nginx"), tmp_path, free_port(), ports, {"rate=200r/s": "rate=100000r/s"})
    made.start()
    yield made
    made.stop()


class Caller(threading.Thread):
    """Registers firms through the gateway; asks again, with the same key, until there is an answer of the product's own."""

    def __init__(self, gateway: Gateway, token: str, first: int) -> None:
        super().__init__(daemon=True)
        self._base, self._token, self._first = gateway.base, token, first
        self.done: list[str] = []
        self.strange: list[str] = []
        self.interrupted = 0

    def run(self) -> None:
        for number in range(self._first, self._first + EACH):
            self._register(make_uscc(number, series="MB"))

    def _register(self, uscc: str) -> None:
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": uuid4().hex}
        body = {"uscc": uscc, "name": f"示例{uscc}", "division": "430102", "industry": "2611"}
        while True:
            try:
                answer = httpx.post(
                    f"{self._base}/registry/v1/enterprises", json=body, headers=headers, timeout=10, trust_env=False
                )
            except httpx.TransportError:
                self.interrupted += 1
                continue
            if answer.status_code == 201:
                self.done.append(uscc)
                return
            if answer.status_code not in (502, 503, 504) or "problem+json" not in answer.headers.get("content-type", ""):
                self.strange.append(f"{answer.status_code} {answer.text[:200]}")
                return
            self.interrupted += 1


def test_callers_end_well_whatever_happens_to_the_gateway(instance: Instance, gateway: Gateway) -> None:
    office = instance.callers["provincial_ecology"]
    callers = [Caller(gateway, office.token(), 700_000 + number * EACH) for number in range(CALLERS)]
    for caller in callers:
        caller.start()
    for disturb in (gateway.reload, gateway.kill, instance.kill):
        so_far = sum(len(caller.done) for caller in callers)
        until(lambda seen=so_far: sum(len(c.done) for c in callers) > seen, 30, "an answer")  # type: ignore[misc]
        disturb()
        gateway.start()
        if instance.process is not None and instance.process.poll() is not None:
            instance.start()
    for caller in callers:
        caller.join(60)
    assert [caller.strange for caller in callers] == [[]] * CALLERS
    known = {firm["uscc"] for firm in _all(instance)}
    assert {uscc for caller in callers for uscc in caller.done} <= known
    assert sum(len(caller.done) for caller in callers) == CALLERS * EACH
    assert sum(caller.interrupted for caller in callers) > 0, "something was in their way"


def _all(instance: Instance) -> list[dict[str, str]]:
    office, found, path = instance.callers["provincial_ecology"], [], "/registry/v1/enterprises?limit=500"
    while path:
        answer = office.request("GET", path)
        found += answer.json()["items"]
        path = answer.links.get("next", {}).get("url", "")
    return found


def test_nginx_accepts_the_file_that_the_gateway_runs_with(gateway: Gateway) -> None:
    done = subprocess.run([*gateway.command, "-t"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
