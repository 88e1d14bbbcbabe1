"""Reading the audit status: what a caller may see of it, as of a day, as known at an instant."""

from dataclasses import dataclass
from datetime import date, datetime
from json.encoder import encode_basestring
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from services.audits.actions.copies import active_consent
from services.audits.actions.status import AuditFacts, members, public_part, restricted_part
from services.audits.models import AuditStatus, ConsentCopy, EnterpriseCopy
from shared.auth import Caller
from shared.clock import local_time, utc_now
from shared.events.audits import RestrictedFactRead
from shared.messaging.outbox import emit
from shared.problems import NotFound

NEVER_PUBLIC = members(public_part(AuditFacts()))
NEVER_RESTRICTED = members(restricted_part(AuditFacts()))
RESTRICTED_FIELDS = ["stage", "obligations", "overdue"]


@dataclass(frozen=True)
class StatusVersion:
    """An enterprise with a stored version of its status; the parts are None where it was never audited."""

    uscc: str
    name: str
    division: str
    recorded_at: datetime
    public: bytes | None
    restricted: bytes | None


@dataclass(frozen=True)
class Clocks:
    """The day that is asked about, and what was known by when (None: all that is known now)."""

    today: date
    as_of: date | None = None
    known_at: datetime | None = None


def status_document(tx: Session, me: Caller, uscc: str, clocks: Clocks) -> bytes:
    """The answer to one caller; a bank's restricted read is told in this transaction. NotFound for an unknown code."""
    version = find_version(tx, uscc, clocks)
    if me.role != "bank":
        return document(version, clocks, restricted=sees_restricted(me, version))
    consent = active_consent(tx, uscc, me.uscc, clocks.today)
    if consent is None:
        return document(version, clocks, consent_required=True)
    emit(tx, _read(me, consent))
    return document(version, clocks, restricted=True)


def _read(me: Caller, consent: ConsentCopy) -> RestrictedFactRead:
    return RestrictedFactRead(
        uscc=consent.uscc,
        bank=me.uscc,
        bank_name=me.name,
        purpose=consent.purpose,
        consent=consent.id,
        fields=RESTRICTED_FIELDS,
        service="audits",
        read_at=utc_now(),
    )


def find_version(tx: Session, uscc: str, clocks: Clocks) -> StatusVersion:
    """The newest version that was true by the day and recorded by the instant."""
    enterprise = tx.get(EnterpriseCopy, uscc)
    if enterprise is None:
        raise NotFound()
    mine = select(AuditStatus).where(AuditStatus.uscc == uscc)
    if clocks.as_of is not None:
        mine = mine.where(col(AuditStatus.valid_from) <= clocks.as_of)
    if clocks.known_at is not None:
        mine = mine.where(col(AuditStatus.recorded_at) <= clocks.known_at)
    found = tx.exec(mine.order_by(sa.desc(col(AuditStatus.id))).limit(1)).first()
    recorded_at = found.recorded_at if found else enterprise.known_since
    parts: tuple[Any, Any] = (found.public, found.restricted) if found else (None, None)
    return StatusVersion(uscc, enterprise.name, enterprise.division, recorded_at, *parts)


def sees_restricted(me: Caller, version: StatusVersion) -> bool:
    """Authorities and auditors of the place, and the enterprise itself; a bank needs a consent besides."""
    return me.covers(version.division) or (me.role == "enterprise" and me.uscc == version.uscc)


def document(
    version: StatusVersion, clocks: Clocks, *, restricted: bool = False, consent_required: bool = False
) -> bytes:
    """The bytes of the answer; the same facts give the same bytes on the same day, so that a reader's ETag holds.

    `known_at` is the instant asked for, else since when this version is known: a running clock would change every answer.
    """
    known_at = local_time(clocks.known_at or version.recorded_at)
    parts = [
        b'{"uscc":"%s","name":' % version.uscc.encode(),
        encode_basestring(version.name).encode(),
        b",",
        version.public or NEVER_PUBLIC,
        b',"as_of":"%s","known_at":"%s"'
        % ((clocks.as_of or clocks.today).isoformat().encode(), known_at.isoformat().encode()),
    ]
    if restricted:
        parts += [b",", version.restricted or NEVER_RESTRICTED]
    if consent_required:
        parts.append(b',"consent_required":true')
    parts.append(b"}")
    return b"".join(parts)
