"""What became of deliveries, for the owner of their subscription."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from services.notifications.models import Attempt, Delivery, Progress, State, Subscription
from shared.auth import Caller
from shared.problems import NotFound


def get_subscription(tx: Session, me: Caller, subscription_id: UUID) -> Subscription:
    """The caller's own subscription; anybody else's does not exist for it."""
    found = tx.get(Subscription, subscription_id)
    if found is None or found.client_id != me.client_id or found.state is State.DELETED:
        raise NotFound()
    return found


def subscriptions_of(tx: Session, me: Caller, after: Sequence[str] | None, limit: int) -> list[Subscription]:
    """The caller's subscriptions, the oldest first; one more than `limit` where there are more."""
    mine = select(Subscription).where(Subscription.client_id == me.client_id, Subscription.state != State.DELETED)
    if after is not None:
        place = sa.tuple_(col(Subscription.made_at), col(Subscription.id))
        mine = mine.where(place > sa.tuple_(sa.cast(after[0], sa.DateTime(timezone=True)), sa.cast(after[1], sa.Uuid)))
    return list(tx.exec(mine.order_by(col(Subscription.made_at), col(Subscription.id)).limit(limit + 1)))


def deliveries_of(
    tx: Session, subscription_id: UUID, state: Progress | None, before: int | None, limit: int
) -> list[Delivery]:
    """A subscription's deliveries, the newest first; one more than `limit` where there are more."""
    found = select(Delivery).where(Delivery.subscription_id == subscription_id)
    if state is not None:
        found = found.where(Delivery.state == state)
    if before is not None:
        found = found.where(Delivery.seq < before)
    return list(tx.exec(found.order_by(col(Delivery.seq).desc()).limit(limit + 1)))


def get_delivery(tx: Session, subscription_id: UUID, delivery_id: UUID, *, lock: bool = False) -> Delivery:
    found = tx.get(Delivery, delivery_id, with_for_update=lock or None)
    if found is None or found.subscription_id != subscription_id:
        raise NotFound()
    return found


def attempts_of(tx: Session, delivery_id: UUID) -> list[Attempt]:
    return list(tx.exec(select(Attempt).where(Attempt.delivery_id == delivery_id).order_by(col(Attempt.n)).limit(500)))
