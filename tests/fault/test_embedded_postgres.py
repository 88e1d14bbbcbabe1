"""`make run` has no supervisor for its PostgreSQL but itself: when that dies, the instance comes back."""

import os
import signal
from collections.abc import Iterator

import pytest

from infra.client import until
from tests.instances import Instance, running_instance


@pytest.fixture
def instance() -> Iterator[Instance]:
    with running_instance() as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGQUIT], ids=["SIGKILL", "SIGQUIT"])
def test_an_instance_outlives_its_postgres(instance: Instance, by: signal.Signals) -> None:
    province = instance.callers["provincial_ecology"]
    body = {"kind": "mandatory", "year": 2026, "document_no": "示例", "title": "示例"}
    made = province.post("/audits/v1/lists", body)
    pidfile = instance.home / "postgres" / "data" / "postmaster.pid"
    first = pidfile.read_text().split()[0]
    os.kill(int(first), by)
    until(lambda: pidfile.exists() and pidfile.read_text().split()[:1] not in ([], [first]), 60, "another PostgreSQL")
    instance.wait_ready()
    assert province.get(f"/audits/v1/lists/{made['id']}")["state"] == "draft"
    assert province.post("/audits/v1/lists", body)["id"] != made["id"], "and it takes writes"
