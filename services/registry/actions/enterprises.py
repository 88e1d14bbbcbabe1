"""Enterprises: register, change, and what a published list makes known."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from services.registry.models import ALLOWED, Enterprise, EnterpriseVersion
from services.registry.models.enterprises import STATE
from services.registry.rules.enterprises import (
    OWN_CONTACT,
    cleaned,
    field_faults,
    is_others,
    periods,
    rewritten,
    sees_all,
)
from shared.auth import Caller
from shared.clock import local_time, utc_now
from shared.messaging.outbox import emit
from shared.problems import (
    Conflict,
    Fault,
    Forbidden,
    MoveNotAllowed,
    NotFound,
    PreconditionMissing,
    Text,
    Unprocessable,
)

_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:uscc, 1))")
NEWCOMERS = 4310
_ONE_OF_MANY = sa.text("SELECT pg_advisory_xact_lock_shared(:newcomers)")
_ALONE = sa.text("SELECT pg_advisory_xact_lock(:newcomers)")


def lock_uscc(tx: Session, uscc: str) -> None:
    """One at a time for what may not have a row yet."""
    tx.execute(_LOCK, {"uscc": uscc})


def lock_newcomer(tx: Session, uscc: str) -> None:
    """Before an enterprise is added: nobody else adds it, and no import that may add it is running."""
    tx.execute(_ONE_OF_MANY, {"newcomers": NEWCOMERS})
    lock_uscc(tx, uscc)


def lock_newcomers(tx: Session) -> None:
    """Before an import adds many: nobody else adds any until it has committed."""
    tx.execute(_ALONE, {"newcomers": NEWCOMERS})


def register(tx: Session, me: Caller, given: Mapping[str, Any], today: date) -> Enterprise:
    """Put an enterprise in the register, or complete one that a list made `pending`; 403 outside the caller's place."""
    fields = cleaned(given)
    if not me.covers(fields["division"]) and not field_faults({"division": fields["division"]}):
        raise Forbidden()
    refuse(field_faults(fields))
    lock_newcomer(tx, fields["uscc"])
    existing = tx.get(Enterprise, fields["uscc"], with_for_update=True)
    if existing is None:
        return _added(tx, Enterprise(**fields, valid_from=today, recorded_at=utc_now()), me.client_id)
    if existing.status != "pending" or not (me.covers(existing.division) or not existing.division):
        text = Text("该企业已登记。", "This enterprise is already registered.")
        seen = sees_all(me, existing.uscc, existing.division)
        raise Conflict("already_exists", text, resource=document_of(existing, full=seen))
    since = Since(max(today, existing.valid_from), me.client_id)
    return _written(tx, existing, fields | {"status": "active"}, since)


def document_of(row: Enterprise | EnterpriseVersion, *, full: bool) -> dict[str, Any]:
    """What a reader gets of an enterprise; `full` adds what is not public."""
    clocks = {"valid_from": row.valid_from.isoformat(), "recorded_at": local_time(row.recorded_at).isoformat()}
    return row.document(row.uscc, full=full) | clocks | {"version": row.version}


def make_pending(tx: Session, uscc: str, said: Mapping[str, Any], since: date) -> None:
    """An enterprise that a published list names first is `pending` until an authority completes it."""
    lock_newcomer(tx, uscc)
    if tx.get(Enterprise, uscc) is None:
        pending = Enterprise(uscc=uscc, **said, status="pending", valid_from=since, recorded_at=utc_now())
        _added(tx, pending, "")


def _added(tx: Session, enterprise: Enterprise, client: str) -> Enterprise:
    tx.add(enterprise)
    tx.add(version_of(enterprise, enterprise.valid_from, client))
    emit(tx, enterprise.registered())
    return enterprise


def version_of(enterprise: Enterprise, valid_from: date, client: str) -> EnterpriseVersion:
    """The row that keeps what an enterprise's current version says from a day on."""
    return EnterpriseVersion(
        **{name: getattr(enterprise, name) for name in STATE},
        uscc=enterprise.uscc,
        version=enterprise.version,
        valid_from=valid_from,
        recorded_at=enterprise.recorded_at,
        recorded_by=client,
    )


@dataclass(frozen=True)
class Since:
    """From which day a change holds, and who says so."""

    day: date
    client: str


def check_change(me: Caller, enterprise: Enterprise, given: Mapping[str, Any], today: date) -> dict[str, Any]:
    """The change as the register writes it; 403 for what the caller may not say, 422 for what the rules refuse."""
    fields = cleaned(given)
    if me.role == "enterprise" and not fields.keys() <= OWN_CONTACT:
        raise Forbidden(fields=sorted(fields.keys() - OWN_CONTACT))
    faults = field_faults(fields)
    if not faults and "division" in fields and not me.covers(fields["division"]):
        raise Forbidden()
    refuse([*faults, *_day_faults(enterprise, fields, today)])
    return fields


def _day_faults(enterprise: Enterprise, fields: Mapping[str, Any], today: date) -> list[Fault]:
    text = Text("日期不得晚于今天。", "The day is not after today.")
    days = {name: fields[name] for name in ("valid_from", "deregistered_on") if fields.get(name)}
    faults = [Fault(f"/{name}", "date_out_of_order", text) for name, day in days.items() if day > today]
    ends = fields.get("status", enterprise.status) == "deregistered"
    if fields.get("deregistered_on") and not ends:
        only = Text("仅注销时填写注销日期。", "Only a deregistration has this day.")
        faults.append(Fault("/deregistered_on", "not_deregistered", only))
    return faults


def change(tx: Session, me: Caller, enterprise: Enterprise, given: Mapping[str, Any], today: date) -> Enterprise:
    """Apply a checked change from its day on (`valid_from`, else the day of deregistration, else today)."""
    fields = {name: value for name, value in given.items() if name != "valid_from"}
    target = fields.get("status", enterprise.status)
    if target != enterprise.status and target not in ALLOWED[enterprise.status]:
        raise MoveNotAllowed(enterprise.status, ALLOWED[enterprise.status])
    _require_whole(enterprise, fields, target)
    if "valid_from" not in given and all(getattr(enterprise, name) == value for name, value in fields.items()):
        return enterprise
    first = _first_day(tx, enterprise.uscc)
    ended = fields.get("deregistered_on")
    day = given.get("valid_from") or (max(ended, first) if ended else max(today, first))
    if day < first:
        text = Text(f"不得早于首次登记之日 {first}。", f"The register begins on {first}.")
        refuse([Fault("/valid_from", "date_out_of_order", text)])
    return _written(tx, enterprise, fields, Since(day, me.client_id))


def _require_whole(enterprise: Enterprise, fields: Mapping[str, Any], target: str) -> None:
    """`active` needs a place and a trade; `deregistered` needs its day."""
    needed = {"active": ("division", "industry"), "deregistered": ("deregistered_on",)}.get(target, ())
    text = Text("缺少此项。", "This is missing.")
    missing = [name for name in needed if not fields.get(name, getattr(enterprise, name))]
    if missing and target != enterprise.status:
        raise PreconditionMissing([Fault(f"/{name}", "required", text) for name in missing])
    if "deregistered_on" in missing:
        refuse([Fault("/deregistered_on", "required", text)])


def _first_day(tx: Session, uscc: str) -> date:
    first = sa.select(sa.func.min(EnterpriseVersion.valid_from)).where(col(EnterpriseVersion.uscc) == uscc)
    found: date = tx.execute(first).scalar_one()
    return found


def _written(tx: Session, enterprise: Enterprise, fields: Mapping[str, Any], since: Since) -> Enterprise:
    """A new version: one row for its day, and one for every later period that it reaches."""
    mine = select(EnterpriseVersion).where(EnterpriseVersion.uscc == enterprise.uscc)
    reached = rewritten(periods(tx.exec(mine)), since.day)
    enterprise.version, enterprise.recorded_at = enterprise.version + 1, utc_now()
    for day, ground in reached:
        for name in STATE:
            setattr(enterprise, name, fields.get(name, getattr(ground, name)))
        tx.add(version_of(enterprise, day, since.client))
    enterprise.valid_from = reached[-1][0]
    emit(tx, enterprise.changed())
    return enterprise


def refuse(faults: list[Fault]) -> None:
    """422 with every fault, under the first one's code."""
    if faults:
        raise Unprocessable(faults[0].code, faults[0].text, faults=faults)


def get_enterprise(tx: Session, me: Caller, uscc: str, *, lock: bool = False) -> Enterprise:
    """The enterprise where it is the caller's business; 404 for another place's, another firm, or none."""
    enterprise = find_enterprise(tx, uscc, lock=lock)
    if is_others(me, uscc, enterprise.division):
        raise NotFound()
    return enterprise


def find_enterprise(tx: Session, uscc: str, *, lock: bool = False) -> Enterprise:
    """The enterprise of a code, whoever asks: that it exists is public."""
    enterprise = tx.get(Enterprise, uscc, with_for_update=lock) if uscc.isalnum() else None
    if enterprise is None:
        raise NotFound()
    return enterprise
