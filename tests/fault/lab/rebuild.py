"""I6: what a service keeps from events is what it would be if it heard them all again, from the first, once."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from infra.home import SERVICE_NAMES
from infra.parts import SERVICES
from infra.postgres import EmbeddedPostgres
from infra.system import with_environment
from shared.db import Database
from shared.events import Audience, Envelope
from shared.messaging.inbox import deliver
from tests.fault.lab.snapshot import Row, Snapshot, taken

EMPTY = "_empty"
AGAIN = "_again"
BATCH = 100

# Of each projection, what must come out the same; what only says when or in which turn it was heard is left out.
KEPT: dict[str, dict[str, tuple[str, ...]]] = {
    "registry": {"access_entry": ("uscc", "at", "bank", "who", "purpose", "field_names", "consent", "service")},
    "audits": {
        "enterprise_copy": ("uscc", "name", "division", "industry", "status", "deregistered_on", "version"),
        "expert_copy": ("id", "name", "employer_uscc", "advised"),
        "institution_copy": ("uscc", "id", "name", "division"),
        "consent_copy": ("id", "uscc", "bank", "purpose", "scope", "valid_to", "revoked"),
    },
    "credit": {
        "enterprise_copy": ("uscc", "name", "division", "version"),
        "credit_input": ("uscc", "kind", "effect", "why", "occurred_on", "source_event"),
    },
    "incentives": {
        "enterprise_copy": ("uscc", "name", "division", "industry", "status", "deregistered_on", "version"),
        "consent_copy": ("id", "uscc", "bank", "purpose", "scope", "valid_to", "revoked"),
        "fact": ("uscc", "code", "value", "valid_from", "valid_to"),
        "standing": ("uscc", "programme", "outcome"),
    },
    "notifications": {
        "enterprise_copy": ("uscc", "division", "version"),
        "consent_copy": ("id", "uscc", "bank", "scope", "valid_to", "revoked"),
        "event_log": ("event_id", "type", "subject", "uscc", "division", "audience", "tariff", "bank", "body"),
    },
}


def keep_empty(postgres: EmbeddedPostgres) -> None:
    """A copy of every database as it is before anything is told; nobody may be connected."""
    with psycopg.connect(postgres.admin_url(), autocommit=True) as admin:
        for name in SERVICE_NAMES:
            _copy(admin, name, name + EMPTY)


def _copy(admin: psycopg.Connection[Any], source: str, target: str) -> None:
    statement = "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY"
    admin.execute(sql.SQL(statement).format(sql.Identifier(target), sql.Identifier(source)))


def rebuilt(postgres: EmbeddedPostgres, events: Sequence[Envelope], environment: dict[str, str]) -> Snapshot:
    """Every service as it is after hearing these events once, in the order in which they were told, from nothing."""
    with with_environment(environment), psycopg.connect(postgres.admin_url(), autocommit=True) as admin:
        for service in SERVICES:
            name = service.name + AGAIN
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            _copy(admin, service.name + EMPTY, name)
            database = Database(postgres.admin_url(name))
            mine = sorted((e for e in events if service.handlers.steps(e)), key=lambda e: e.time)
            for start in range(0, len(mine), BATCH):
                deliver(mine[start : start + BATCH], service.handlers, database)
            database.dispose()
    return taken(postgres, suffix=AGAIN)


def converged(now: Snapshot, again: Snapshot) -> list[str]:
    """Where the two differ."""
    found = []
    for service, tables in KEPT.items():
        for table, columns in tables.items():
            here, there = (Counter(_plain(row, columns) for row in _rows(s, service, table)) for s in (now, again))
            found += [f"{service}.{table}: only in the running one: {row}" for row in (here - there)]
            found += [f"{service}.{table}: only in the rebuilt one: {row}" for row in (there - here)]
    return found


def _rows(snapshot: Snapshot, service: str, table: str) -> list[Row]:
    if table != "standing":
        return snapshot.rows(service, table)
    decisions = {row["id"]: row for row in snapshot.rows("incentives", "decision")}
    rows = snapshot.rows("incentives", "standing_decision")
    return [row | {"outcome": decisions.get(row["decision"], {}).get("outcome")} for row in rows]


def _plain(row: Row, columns: Sequence[str]) -> str:
    if row.get("audience") == Audience.CONSENT:
        # A consent may be given before anybody knows the firm: its place is what was known then, and shows it to nobody.
        columns = [column for column in columns if column != "division"]
    said = {c: bytes(row[c]).decode() if isinstance(row[c], bytes | memoryview) else row[c] for c in columns}
    return json.dumps(said, ensure_ascii=False, sort_keys=True, default=str)
