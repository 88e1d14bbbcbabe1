"""What became of deliveries, for the owner of their subscription."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Path, Query, Request, Response
from pydantic import BaseModel

from services.notifications.actions import subscriptions as actions
from services.notifications.models import Attempt, Delivery, Progress
from services.notifications.queries.deliveries import attempts_of, deliveries_of, get_delivery
from services.notifications.routes.subscriptions import READ, WRITE, AttemptOut, Mine, visible
from shared.clock import local_time
from shared.http import Ctx, Tx, guarded, service_router
from shared.paging import After, Limit, filters_of, page, position

router = service_router("notifications")
PLACE = "/subscriptions/{subscription_id}/deliveries"


class DeliveryOut(BaseModel):
    """One event owed to the subscription; `next_at` while it is open."""

    id: UUID
    event_id: UUID
    subject: str
    state: Progress
    attempts: int
    next_at: datetime | None
    first_at: datetime | None
    done_at: datetime | None
    last_status: int | None
    error_code: str | None


class DeliveriesOut(BaseModel):
    """A page of deliveries."""

    items: list[DeliveryOut]
    next: str | None


class AttemptsOut(BaseModel):
    """All attempts of a delivery, the first one first."""

    items: list[AttemptOut]
    next: None = None


def visible_delivery(mine: Mine, delivery_id: Annotated[UUID, Path()], ctx: Ctx) -> Delivery:
    """A delivery of the caller's own subscription; else 404."""
    with ctx.db.read() as tx:
        return get_delivery(tx, mine.id, delivery_id)


Seen = Annotated[Delivery, Depends(visible_delivery)]


@router.get(PLACE, response_model=DeliveriesOut, dependencies=guarded(visible, scope=READ))
def list_deliveries(
    request: Request,
    response: Response,
    mine: Mine,
    tx: Tx,
    state: Annotated[Progress | None, Query()] = None,
    limit: Limit = 100,
    after: After = None,
) -> Any:
    """The deliveries of a subscription, the newest first."""
    place = position(after, filters_of(request), 1)
    rows = deliveries_of(tx, mine.id, state, int(place[0]) if place else None, limit)
    return page(request, response, rows, limit, lambda d: (d.seq,), _out)


@router.get(PLACE + "/{delivery_id}", response_model=DeliveryOut, dependencies=guarded(visible_delivery, scope=READ))
def read_delivery(seen: Seen) -> Any:
    """One delivery."""
    return _out(seen)


@router.get(
    PLACE + "/{delivery_id}/attempts",
    response_model=AttemptsOut,
    dependencies=guarded(visible_delivery, scope=READ),
)
def list_attempts(seen: Seen, tx: Tx) -> Any:
    """Every attempt of a delivery."""
    return {"items": [_attempt_out(attempt) for attempt in attempts_of(tx, seen.id)]}


@router.post(
    PLACE + "/{delivery_id}/retry", response_model=DeliveryOut, dependencies=guarded(visible_delivery, scope=WRITE)
)
def retry_delivery(seen: Seen, tx: Tx) -> Any:
    """Owe a dead delivery again."""
    return _out(actions.retry(tx, get_delivery(tx, seen.subscription_id, seen.id, lock=True)))


def _out(found: Delivery) -> dict[str, Any]:
    is_open = found.state in (Progress.READY, Progress.RETRY_WAIT)
    return {
        "id": str(found.id),
        "event_id": str(found.event_id),
        "subject": found.subject,
        "state": found.state.value,
        "attempts": found.attempts,
        "next_at": _shown(found.next_at if is_open else None),
        "first_at": _shown(found.first_at),
        "done_at": _shown(found.done_at),
        "last_status": found.last_status,
        "error_code": found.error_code,
    }


def _attempt_out(found: Attempt) -> dict[str, Any]:
    return {
        "n": found.n,
        "started_at": _shown(found.started_at),
        "duration_ms": found.duration_ms,
        "http_status": found.http_status,
        "error_code": found.error_code,
    }


def _shown(instant: datetime | None) -> datetime | None:
    return local_time(instant) if instant is not None else None
