"""Every alert fires and every panel has data: a real Prometheus scrapes an instance in trouble, its patience cut."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
import yaml

from infra.client import Caller, until
from infra.fiction import Firm
from infra.grafana import make as grafana
from infra.ports import free_port
from infra.postgres import EmbeddedPostgres
from infra.receiver import Receiver
from shared.codes import make_uscc
from tests.contract.test_topology import tool
from tests.instances import Instance, running_instance
from tests.topology import ROOT

RULES = ROOT / "infra" / "prometheus" / "alerts.yml"
ALERTS = sorted(rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"])
QUIET = "sum by (service) (rate(outbox_relay_failures_total[5m]))"  # the embedded bus waits; it does not refuse
FIRM = Firm(make_uscc(777, division="430200", series="MB"), "示例预警有限公司", "430202", "3212")


def test_every_alert_fires_when_its_trouble_is_there(tmp_path: Path) -> None:
    prometheus = tool("nginx").replace("sbin/nginx", "bin/prometheus")
    with running_instance(CLEANPROD_RETRY_SECONDS="600") as instance, ExitStack() as stack:
        base = stack.enter_context(watching(prometheus, tmp_path, instance.port))
        until(lambda: _series(base, "up == 1"), 30, "the first scrape")
        trouble(instance, stack)
        office = instance.callers["provincial_ecology"]
        try:
            until(lambda: fails(office) and not set(ALERTS) - _fired(base), 90, "all alerts to fire")
        except TimeoutError as error:
            error.add_note(f"never fired: {set(ALERTS) - _fired(base)}")
            raise
        blank = {expression for expression in grafana.expressions() if not _series(base, expression)}
        assert blank <= {QUIET}, "every panel has something to show of these minutes"


@contextmanager
def watching(prometheus: str, folder: Path, port: int) -> Iterator[str]:
    """Prometheus with the product's own rules, `for` taken away, scraping every second; one target is nobody."""
    rules = re.sub(r"for: \S+", "for: 0s", RULES.read_text())
    (folder / "alerts.yml").write_text(rules)
    targets = [{"job_name": "api", "static_configs": [{"targets": [f"127.0.0.1:{port}", f"127.0.0.1:{free_port()}"]}]}]
    timing = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    settings = {"global": timing, "rule_files": ["alerts.yml"], "scrape_configs": targets}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    mine = free_port()
    command = [
        prometheus, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{mine}",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{mine}"
    finally:
        process.terminate()
        process.wait(20)


def trouble(instance: Instance, stack: ExitStack) -> None:
    """Everything that the alerts are for, at once."""
    deliveries_are_late(instance, stack)
    held = stack.enter_context(_admin(instance, "credit"))
    held.execute("BEGIN; LOCK TABLE in_hand IN ACCESS EXCLUSIVE MODE")  # credit's consumer cannot begin a batch
    bus = stack.enter_context(_admin(instance, "bus"))
    junk = "INSERT INTO log (topic, key, value) SELECT 'registry.events', 'x', '{}' FROM generate_series(1, 1200)"
    bus.execute(junk)  # the others set it aside
    bus.execute("SELECT pg_notify('log.registry.events', '')")
    bus.execute("BEGIN; LOCK TABLE log IN EXCLUSIVE MODE")  # no relay gets an event to the bus
    with _admin(instance, "registry") as registry:
        old = "INSERT INTO outbox (envelope, written_at) VALUES (%s, now() - interval '1 hour')"
        registry.execute(old, [json.dumps({"id": str(uuid4()), "topic": "registry.events"})])
        registry.execute("UPDATE daily_run SET day = '2020-01-01'")
        registry.execute("ALTER TABLE enterprise_version RENAME TO gone; ALTER TABLE enterprise RENAME TO gone_too")


def fails(office: Caller) -> bool:
    """One more request that ends in a 5xx: a rate needs more than one look."""
    return office.request("GET", "/registry/v1/enterprises").status_code >= 500


def deliveries_are_late(instance: Instance, stack: ExitStack) -> None:
    """One delivery arrives an hour after its event; another one is due and cannot be taken."""
    receiver = stack.enter_context(_receiver())
    office, path = instance.callers["provincial_ecology"], "/notifications/v1/subscriptions"
    made = office.post(path, {"url": receiver.url, "types": ["credit.*"]})
    office.post(f"{path}/{made['id']}/verify")
    office.post(f"{path}/{made['id']}/pause")
    body = {"uscc": FIRM.uscc, "name": FIRM.name, "division": FIRM.division, "industry": FIRM.industry}
    office.post("/registry/v1/enterprises", body)
    until(lambda: office.request("GET", f"/credit/v1/enterprises/{FIRM.uscc}").status_code == 200, what="credit")
    record = {"uscc": FIRM.uscc, "evaluation_year": 2024, "grade": "蓝牌", "level": "province"}
    office.post("/credit/v1/records", record | {"published_on": "2025-06-05", "document_no": "示例"})
    held = stack.enter_context(_admin(instance, "notifications"))
    until(lambda: held.execute("UPDATE event_log SET recorded_at = now() - interval '1 hour' RETURNING 1").fetchone())
    office.post(f"{path}/{made['id']}/enable")
    until(lambda: receiver.received, what="the delivery that is an hour late")
    lane = "INSERT INTO lane (subscription_id, subject, due_at) VALUES (%s, 'held', now() - interval '1 hour')"
    held.execute("BEGIN")
    held.execute(lane, [made["id"]])
    held.execute("COMMIT; BEGIN")
    held.execute("SELECT 1 FROM lane WHERE subject = 'held' FOR UPDATE")


@contextmanager
def _receiver() -> Iterator[Receiver]:
    started = Receiver().start()
    try:
        yield started
    finally:
        started.stop()


@contextmanager
def _admin(instance: Instance, database: str) -> Iterator[psycopg.Connection[Any]]:
    url = EmbeddedPostgres(instance.home / "postgres").admin_url(database)
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        yield connection


def _series(base: str, query: str) -> list[Any]:
    try:
        answer = httpx.get(f"{base}/api/v1/query", params={"query": query}, timeout=5, trust_env=False)
    except httpx.HTTPError:
        return []
    found: list[Any] = answer.json()["data"]["result"] if answer.status_code == 200 else []
    return found


def _fired(base: str) -> set[str]:
    """The alerts that fire now or did in the last minutes."""
    return {series["metric"]["alertname"] for series in _series(base, 'max_over_time(ALERTS{alertstate="firing"}[5m])')}


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_its_page(alert: str) -> None:
    page = (ROOT / "infra" / "runbooks" / f"{alert}.md").read_text()
    assert page.startswith(f"# {alert}") and len(page.splitlines()) < 60
