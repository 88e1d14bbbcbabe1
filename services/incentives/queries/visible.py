"""Who may see which decisions of which enterprise: one place for the row rules."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlmodel import Session, col, select

from services.incentives import rules
from services.incentives.actions.copies import get_enterprise
from services.incentives.actions.decisions import find_decision
from services.incentives.models import ConsentCopy, EnterpriseCopy, StoredDecision
from shared.auth import Caller
from shared.problems import NotFound


@dataclass(frozen=True)
class Sight:
    """An enterprise, the programmes of it that a caller may see, and the consent that this rests on."""

    enterprise: EnterpriseCopy
    programmes: tuple[str, ...]
    consent: ConsentCopy | None = None


def sight_of(tx: Session, me: Caller, uscc: str, today: date) -> Sight:
    """Authorities of the place, auditors and the firm: all; a bank with consent: no prices; a utility: only prices.

    Anybody else gets `NotFound`, the same as for a firm that does not exist.
    """
    enterprise, everything = get_enterprise(tx, uscc), rules.programmes()
    if me.covers(enterprise.division) or (me.role == "enterprise" and me.uscc == uscc):
        return Sight(enterprise, everything)
    if me.role == "utility":
        return Sight(enterprise, tuple(p for p in everything if rules.is_tariff(p)))
    consent = find_consent(tx, uscc, me.uscc, today) if me.role == "bank" else None
    if consent is None:
        raise NotFound()
    return Sight(enterprise, tuple(p for p in everything if not rules.is_tariff(p)), consent)


def find_consent(tx: Session, uscc: str, bank: str, today: date) -> ConsentCopy | None:
    """The active consent that covers decisions and lasts longest."""
    active = select(ConsentCopy).where(
        ConsentCopy.uscc == uscc,
        ConsentCopy.bank == bank,
        col(ConsentCopy.revoked).is_(False),
        col(ConsentCopy.valid_to) >= today,
        col(ConsentCopy.scope).contains(["decisions"]),
    )
    return tx.exec(active.order_by(col(ConsentCopy.valid_to).desc(), col(ConsentCopy.id)).limit(1)).first()


def visible_decision(tx: Session, me: Caller, decision_id: str, today: date) -> tuple[StoredDecision, Sight]:
    """A decision of a programme that the caller may see, else `NotFound`."""
    try:
        decision = find_decision(tx, UUID(decision_id))
    except ValueError:
        decision = None
    if decision is None:
        raise NotFound()
    sight = sight_of(tx, me, decision.uscc, today)
    if decision.programme not in sight.programmes:
        raise NotFound()
    return decision, sight
