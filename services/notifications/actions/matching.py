"""Matching: which events are owed to which subscriptions."""

from datetime import date
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col

from services.notifications.models import Delivery, EventLog, Lane, LogHead, Progress, State, Subscription
from services.notifications.rules import owner_of_subscription, visible, wanted_by_subscription
from shared.db import Fixed, driver


def lock_head(tx: Session) -> int:
    """The last number of the log; until this transaction ends nothing can be appended."""
    tx.execute(insert(LogHead).values(id=1).on_conflict_do_nothing())
    return int(tx.execute(sa.select(col(LogHead.seq)).with_for_update()).scalar_one())


def match_event(tx: Session, seq: int, today: date) -> int:
    """Owe one event, just appended, to the active subscriptions that want it; returns to how many lanes."""
    values = {"seq": seq, "today": today}
    (lanes,) = _owing_event().run(driver(tx), **values).fetchone() or (0,)
    return int(lanes)


def catch_up(tx: Session, subscription: Subscription, today: date) -> None:
    """Owe everything since the subscription was last matched, and wake what waits. The head must be locked."""
    values = {"subscription": subscription.id, "since": subscription.matched_seq, "today": today}
    tx.execute(_owing_since(), values)
    idle = sa.update(Lane).where(col(Lane.subscription_id) == subscription.id, col(Lane.lease_token).is_(None))
    tx.execute(idle.values(due_at=sa.func.now()))


@cache
def _owing_event() -> Fixed:
    this = col(EventLog.seq) == sa.bindparam("seq", type_=sa.BigInteger)
    return Fixed.of(_owing(sa.and_(this, col(Subscription.state) == State.ACTIVE)))


@cache
def _owing_since() -> sa.Select[int]:
    since = col(EventLog.seq) > sa.bindparam("since", type_=sa.BigInteger)
    return _owing(sa.and_(since, col(Subscription.id) == sa.bindparam("subscription", type_=sa.Uuid)))


def _owing(which: sa.ColumnElement[bool]) -> sa.Select[int]:
    """Makes deliveries and lanes; built once, because it is run for every event."""
    now = sa.func.now()
    owed = sa.select(
        sa.func.gen_random_uuid(),
        col(Subscription.id),
        col(EventLog.seq),
        col(EventLog.event_id),
        col(EventLog.subject),
        sa.literal(Progress.READY.value),
        sa.literal(0),
        now,
    ).where(which, wanted_by_subscription(), visible(owner_of_subscription()))
    columns = ["id", "subscription_id", "seq", "event_id", "subject", "state", "attempts", "next_at"]
    deliveries: Any = insert(Delivery).from_select(columns, owed, include_defaults=False).on_conflict_do_nothing()
    made = deliveries.returning(col(Delivery.subscription_id), col(Delivery.subject)).cte("made")
    subjects = sa.select(made.c.subscription_id, made.c.subject, now).distinct()
    lanes: Any = insert(Lane).from_select(
        ["subscription_id", "subject", "due_at"], subjects.order_by(made.c.subscription_id, made.c.subject)
    )
    # The update changes nothing: it locks the row, so that a dispatcher that is giving the lane back sees the
    # delivery above, or waits for it. Without it the delivery could be left without a lane.
    kept = lanes.on_conflict_do_update(
        index_elements=[col(Lane.subscription_id), col(Lane.subject)], set_={"due_at": col(Lane.due_at)}
    )
    return sa.select(sa.func.count()).select_from(kept.returning(col(Lane.subject)).cte("kept"))
