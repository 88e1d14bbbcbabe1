"""What the product says of itself: alive, ready, and its metrics."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
import structlog
from fastapi import Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared import metrics
from shared.messaging.outbox import pending
from shared.messaging.tables import DeadLetter
from shared.service import Context, Service
from shared.status import overdue_days

log = structlog.get_logger("health")


@dataclass
class Health:
    """What /readyz asks beside the databases: the bus, and whether start-up has finished."""

    bus_check: Callable[[], None] | None = None
    lag: Callable[[Service], int] | None = None
    ready: bool = True
    notes: dict[str, Any] = field(default_factory=dict)


async def livez() -> dict[str, str]:
    return {"status": "alive"}


def readyz(request: Request) -> Response:
    state, health = request.app.state, request.app.state.health
    checks = {s.name: _check(s, state.contexts[s.name], health) for s in state.services}
    ready = health.ready and all(check["ready"] for check in checks.values())
    body = {"status": "ready" if ready else "starting", "services": checks} | health.notes
    return Response(json.dumps(body), 200 if ready else 503, media_type="application/json")


def _check(service: Service, context: Context, health: Health) -> dict[str, Any]:
    from shared.migrations import at_head

    found: dict[str, Any] = {}
    probes: dict[str, Callable[[], object]] = {
        "database": lambda: _ping(context),
        "migrations": lambda: at_head(service, context.db),
        "bus": health.bus_check or (lambda: None),
    }
    for name, probe in probes.items():
        try:
            found[name] = "ok" if probe() is not False else "behind"
        except Exception as error:
            found[name] = type(error).__name__
    found["ready"] = found["database"] == "ok" and found["migrations"] == "ok"
    if health.lag is not None and found["bus"] == "ok":
        found["lag"] = _lag(health, service)
    return found


def _lag(health: Health, service: Service) -> int | None:
    """How far the service is behind; None where the bus does not say."""
    if health.lag is None:
        return None
    try:
        return health.lag(service)
    except Exception as error:
        log.warning("health.lag_unknown", service=service.name, error=repr(error)[:500])
        return None


def _ping(context: Context) -> None:
    with context.db.read() as tx:
        tx.execute(sa.text("SELECT 1"))


def metrics_page(request: Request) -> Response:
    for service in request.app.state.services:
        waiting, oldest, letters = _waiting(request.app.state.contexts[service.name])
        metrics.OUTBOX_PENDING.labels(service.name).set(waiting)
        metrics.OUTBOX_OLDEST.labels(service.name).set(oldest)
        metrics.DEAD_LETTERS_NOW.labels(service.name).set(letters)
        metrics.DAILY_OVERDUE.labels(service.name).set(overdue_days(request.app.state.contexts[service.name]))
        if request.app.state.health.lag is not None:
            lag = _lag(request.app.state.health, service)
            metrics.CONSUMER_LAG.labels(service.name).set(math.nan if lag is None else lag)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _waiting(context: Context) -> tuple[float, float, float]:
    """What waits in the outbox, since when, and what is set aside; not numbers where the database is away."""
    try:
        waiting, oldest = pending(context.db)
        with context.db.read() as tx:
            letters = tx.execute(sa.select(sa.func.count()).select_from(DeadLetter)).scalar_one()
    except sa.exc.SQLAlchemyError:
        return math.nan, math.nan, math.nan
    return waiting, oldest, letters
