"""What credit answers: the grade that held on a day, as it was known at an instant."""

from datetime import date, datetime
from typing import Any

from sqlmodel import Session, col, select

from services.credit.actions import get_enterprise
from services.credit.models import CreditInput, CreditRecord
from services.credit.rules import grade_on
from shared.auth import Caller


def grade_document(tx: Session, me: Caller, uscc: str, as_of: date, known_at: datetime) -> dict[str, Any]:
    """The grade is public; inputs are for the enterprise and the authorities of its place."""
    enterprise = get_enterprise(tx, uscc)
    record = grade_on(known_records(tx, uscc, known_at), as_of)
    document: dict[str, Any] = {
        "uscc": uscc,
        "regime": record.regime if record else None,
        "grade": record.grade if record else None,
        "norm": record.norm if record else None,
        "level": record.level if record else None,
        "evaluation_year": record.evaluation_year if record else None,
        "published_on": record.published_on.isoformat() if record else None,
        "document_no": record.document_no if record else None,
        "as_of": as_of.isoformat(),
    }
    if me.covers(enterprise.division) or (me.role == "enterprise" and me.uscc == uscc):
        document["inputs"] = [input_out(found) for found in known_inputs(tx, uscc, as_of, known_at)]
    return document


def known_records(tx: Session, uscc: str, known_at: datetime) -> list[CreditRecord]:
    """Each publication (year, level, day) once: the newest record of it that was known at an instant."""
    mine = select(CreditRecord).where(CreditRecord.uscc == uscc, col(CreditRecord.recorded_at) <= known_at)
    ordered = tx.exec(mine.order_by(col(CreditRecord.recorded_at), col(CreditRecord.id)))
    return list({record.publication: record for record in ordered}.values())


def known_inputs(tx: Session, uscc: str, as_of: date, known_at: datetime) -> list[CreditInput]:
    mine = select(CreditInput).where(
        CreditInput.uscc == uscc, col(CreditInput.recorded_at) <= known_at, col(CreditInput.occurred_on) <= as_of
    )
    return list(tx.exec(mine.order_by(col(CreditInput.recorded_at), col(CreditInput.id)).limit(500)))


def input_out(found: CreditInput) -> dict[str, Any]:
    return {
        "id": str(found.id),
        "kind": found.kind,
        "points": None,
        "effect": found.effect,
        "why": found.why,
        "basis": found.basis,
        "occurred_on": found.occurred_on.isoformat(),
        "source_event": str(found.source_event),
    }
