"""Tell that a bank has read what needs the enterprise's consent."""

from sqlmodel import Session

from services.incentives.models import ConsentCopy
from shared.auth import Caller
from shared.clock import utc_now
from shared.events.incentives import RestrictedFactRead
from shared.messaging.outbox import emit


def note(tx: Session, me: Caller, consent: ConsentCopy | None, fields: list[str]) -> None:
    """A read under a consent is told with its fields; any other read, or one that showed nothing, is not."""
    if consent is None or not fields:
        return
    emit(
        tx,
        RestrictedFactRead(
            uscc=consent.uscc,
            bank=me.uscc,
            bank_name=me.name,
            purpose=consent.purpose,
            consent=consent.id,
            fields=fields,
            service="incentives",
            read_at=utc_now(),
        ),
    )
