"""The life of a subscription: made, verified, changed, paused, enabled, disabled, deleted."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col

from services.notifications.actions.log import DELIVERIES
from services.notifications.actions.matching import catch_up, lock_head
from services.notifications.models import OPEN, Delivery, Lane, Progress, State, Subscription
from services.notifications.signing import new_secret
from shared.auth import Caller
from shared.clock import utc_now
from shared.db import notify
from shared.messaging.outbox import emit
from shared.problems import MoveNotAllowed, NotFound
from shared.sealing import Sealer

OVERLAP = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a subscriber asks for: where to, which types, and of whom."""

    url: str
    types: list[str]
    only_usccs: list[str] | None = None
    only_division: str | None = None


def subscribe(tx: Session, me: Caller, wish: Wish, sealer: Sealer) -> tuple[Subscription, str]:
    """A pending subscription and its secret, shown this once; from now on it is owed what it asks for."""
    secret = new_secret()
    made = Subscription(
        client_id=me.client_id,
        role=me.role,
        jurisdiction=me.jurisdiction,
        uscc=me.uscc,
        secret=b"",
        matched_seq=lock_head(tx),
        **vars(wish),
    )
    made.secret = sealer.seal(secret.encode(), str(made.id))
    tx.add(made)
    tx.flush()
    return made, secret


def get_for_change(tx: Session, subscription_id: UUID) -> Subscription:
    """The subscription, locked against other changes but not against being owed events."""
    found = tx.get(Subscription, subscription_id, with_for_update={"key_share": True}, populate_existing=True)
    if found is None or found.state is State.DELETED:
        raise NotFound()
    return found


def activate(tx: Session, found: Subscription, move: str, today: date) -> Subscription:
    """`verify` or `enable`: it becomes active with everything that it is owed since it was last matched."""
    found.move(move)
    found.resumed_at = utc_now()
    lock_head(tx)
    tx.flush()
    catch_up(tx, found, today)
    notify(tx, DELIVERIES)
    return found


def pause(tx: Session, found: Subscription) -> Subscription:
    found.move("pause")
    found.matched_seq = lock_head(tx)
    return found


def change(tx: Session, me: Caller, found: Subscription, wish: Wish) -> Subscription:
    """Change what it asks for; another url has to be verified again, and what is owed waits until then."""
    if wish.url != found.url:
        if found.state is State.ACTIVE:
            found.matched_seq = lock_head(tx)
        found.state = State.PENDING
    found.url, found.types = wish.url, wish.types
    found.only_usccs, found.only_division = wish.only_usccs, wish.only_division
    found.role, found.jurisdiction, found.uscc = me.role, me.jurisdiction, me.uscc
    found.version += 1
    return found


def rotate_secret(found: Subscription, sealer: Sealer) -> str:
    """A new secret, shown this once; the old one signs beside it for 24 hours."""
    secret = new_secret()
    found.old_secret, found.old_until = found.secret, utc_now() + OVERLAP
    found.secret = sealer.seal(secret.encode(), str(found.id))
    found.version += 1
    return secret


class Sealed(Protocol):
    """What holds a subscription's secrets: the row, or what a dispatcher has read of it."""

    @property
    def id(self) -> UUID: ...
    @property
    def secret(self) -> bytes: ...
    @property
    def old_secret(self) -> bytes | None: ...
    @property
    def old_until(self) -> datetime | None: ...


def secrets_of(found: Sealed, sealer: Sealer) -> list[str]:
    """The secrets that sign now, the newest first."""
    sealed = [found.secret]
    if found.old_secret is not None and found.old_until is not None and found.old_until > utc_now():
        sealed.append(found.old_secret)
    return [sealer.open(secret, str(found.id)).decode() for secret in sealed]


def disable(tx: Session, subscription_id: UUID, reason: str) -> None:
    """Stop sending to a receiver that is gone; nothing when it is not active any more."""
    found = tx.get(Subscription, subscription_id, with_for_update={"key_share": True}, populate_existing=True)
    if found is not None and found.state is State.ACTIVE:
        found.matched_seq = lock_head(tx)
        emit(tx, found.disable(reason))


def unsubscribe(tx: Session, found: Subscription) -> None:
    """Nothing more is sent, its secrets are gone; the rows go with the events that they are about."""
    found.state, found.secret, found.old_secret = State.DELETED, b"", None
    found.version += 1
    tx.flush()
    lock_head(tx)
    mine = sa.update(Delivery).where(col(Delivery.subscription_id) == found.id, col(Delivery.state).in_(OPEN))
    tx.execute(mine.values(state=Progress.SKIPPED, error_code="subscription_deleted", done_at=utc_now()))
    tx.execute(sa.delete(Lane).where(col(Lane.subscription_id) == found.id))


def retry(tx: Session, delivery: Delivery) -> Delivery:
    """Owe a dead delivery again, ahead of what waits behind it."""
    if delivery.state is not Progress.DEAD:
        raise MoveNotAllowed(delivery.state.value, [])
    now = tx.execute(sa.select(sa.func.now())).scalar_one()
    delivery.state, delivery.first_at, delivery.done_at, delivery.next_at = Progress.READY, None, None, now
    tx.flush()
    lane = insert(Lane).values(
        subscription_id=delivery.subscription_id, subject=delivery.subject, due_at=delivery.next_at
    )
    due = sa.case((col(Lane.lease_token).is_(None), delivery.next_at), else_=col(Lane.due_at))
    key = [col(Lane.subscription_id), col(Lane.subject)]
    tx.execute(lane.on_conflict_do_update(index_elements=key, set_={"due_at": due}))
    notify(tx, DELIVERIES)
    return delivery
