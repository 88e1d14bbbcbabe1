"""What a worker process shows of itself: its metrics over HTTP, for Prometheus and for a health check."""

import math
from datetime import date
from functools import partial

import sqlalchemy as sa
from prometheus_client import start_http_server

from shared import metrics
from shared.service import Context


def expose(service: str, context: Context) -> None:
    """Serve `/metrics` on the status port; without one (port 0) nothing is served."""
    metrics.DAILY_OVERDUE.labels(service).set_function(partial(overdue_days, context))
    if context.settings.status_port:
        start_http_server(context.settings.status_port, addr=context.settings.host)


def overdue_days(context: Context) -> float:
    """Legal days since the daily job last ran: 0 when it ran today; not a number where the database is away."""
    try:
        with context.db.read() as tx:
            last = tx.execute(sa.text("SELECT max(day) FROM daily_run")).scalar_one()
    except sa.exc.SQLAlchemyError:
        return math.nan
    return float((context.clock.today() - date.fromisoformat(str(last))).days) if last else 0.0
