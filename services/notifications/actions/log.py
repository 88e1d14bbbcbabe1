"""Appending to the event log, keeping copies of what others own, forgetting what is old."""

from datetime import date, datetime, time, timedelta
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col

from services.notifications.actions.matching import match_event
from services.notifications.models import (
    OPEN,
    Attempt,
    ConsentCopy,
    Delivery,
    EnterpriseCopy,
    EventLog,
    Lane,
    LogHead,
)
from services.notifications.rules import TARIFF
from shared.clock import SHANGHAI
from shared.db import driver, notify
from shared.events import CATALOGUE, Audience, Envelope

KEEP_DAYS = 90
EVENTS, DELIVERIES = "events", "deliveries"


# The row of the head stays locked until the transaction ends, so numbers commit in order.
_APPEND = """
    WITH head AS (
        INSERT INTO log_head (id, seq) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET seq = log_head.seq + 1 RETURNING seq
    )
    INSERT INTO event_log (
        seq, event_id, type, subject, uscc, division, audience, consent_scope, tariff, bank, traceparent, body
    )
    SELECT seq, %(event_id)s, %(type)s, %(subject)s, %(uscc)s::text, coalesce(
        nullif(%(division)s::text, ''), (SELECT division FROM enterprise_copy WHERE uscc = %(uscc)s::text), ''
    ), %(audience)s, %(consent_scope)s, %(tariff)s, %(bank)s, %(traceparent)s, %(body)s
    FROM head RETURNING seq
"""


def append_event(tx: Session, envelope: Envelope, today: date) -> None:
    """Give an outward event the next number, and owe it to every active subscription that asks for it."""
    kind = CATALOGUE[envelope.type]
    if kind.audience is Audience.INTERNAL:
        return
    data, uscc = envelope.data, envelope.data.get("uscc")
    values = {
        "event_id": envelope.id,
        "type": envelope.type,
        "subject": envelope.subject,
        "uscc": uscc,
        "division": data.get("division"),
        "audience": kind.audience.value,
        "consent_scope": kind.consent_scope,
        "tariff": str(data.get("programme", "")).startswith(TARIFF),
        "bank": data.get("bank"),
        "traceparent": envelope.traceparent,
        "body": envelope.cloud_event(),
    }
    (seq,) = driver(tx).execute(_APPEND, values).fetchone() or (0,)
    if match_event(tx, seq, today):
        notify(tx, DELIVERIES)
    notify(tx, EVENTS)


def keep_enterprise(tx: Session, uscc: str, division: str, version: int) -> None:
    """Keep where an enterprise is; an older version changes nothing."""
    row = insert(EnterpriseCopy).values(uscc=uscc, division=division, version=version)
    newer = row.on_conflict_do_update(
        index_elements=[col(EnterpriseCopy.uscc)],
        set_={"division": division, "version": version},
        where=col(EnterpriseCopy.version) < version,
    )
    tx.execute(newer)


def keep_consent(tx: Session, consent: ConsentCopy) -> None:
    """Keep a consent; one that was revoked stays revoked."""
    values = consent.model_dump()
    row = insert(ConsentCopy).values(**values)
    either = sa.or_(col(ConsentCopy.revoked), row.excluded.revoked)
    tx.execute(row.on_conflict_do_update(index_elements=[col(ConsentCopy.id)], set_=values | {"revoked": either}))


def forget_old(tx: Session, today: date) -> None:
    """The daily job: events of more than ninety days ago go, with their deliveries and attempts."""
    limit = datetime.combine(today - timedelta(days=KEEP_DAYS), time.min, SHANGHAI)
    old = sa.select(sa.func.max(col(EventLog.seq))).where(col(EventLog.recorded_at) < limit)
    last = tx.execute(old).scalar_one()
    if last is None:
        return
    gone = sa.select(col(Delivery.id)).where(col(Delivery.seq) <= last)
    tx.execute(sa.delete(Attempt).where(col(Attempt.delivery_id).in_(gone)))
    tx.execute(sa.delete(Delivery).where(col(Delivery.seq) <= last))
    tx.execute(sa.delete(EventLog).where(col(EventLog.seq) <= last))
    tx.execute(sa.delete(Lane).where(~_still_open()))


def begin_new_history(tx: Session) -> None:
    """After a restore: numbers are given anew, so cursors from the lost future are refused instead of skipping."""
    tx.execute(sa.update(LogHead).values(epoch=uuid4()))


def _still_open() -> sa.ColumnElement[bool]:
    rest = sa.select(sa.literal(1)).where(
        col(Delivery.subscription_id) == col(Lane.subscription_id),
        col(Delivery.subject) == col(Lane.subject),
        col(Delivery.state).in_(OPEN),
    )
    return rest.correlate(Lane).exists()
