"""`make run` has no supervisor for its PostgreSQL but itself: when that dies, the instance comes back."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.client import until
from tests.instances import Instance


@pytest.fixture
def instance() -> Iterator[Instance]:
    folder = Path(tempfile.mkdtemp(prefix="cleanprod-postgres-"))
    started = Instance(folder)
    try:
        yield started.start()
    finally:
        started.stop()
        shutil.rmtree(folder, ignore_errors=True)


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
