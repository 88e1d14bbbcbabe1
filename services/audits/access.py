"""Who may see a round."""

from uuid import UUID

from services.audits.models import AuditRound
from shared.auth import Caller
from shared.http import Me, Tx
from shared.problems import NotFound


def may_see(me: Caller, round: AuditRound) -> bool:
    """Authorities and auditors of its place, the enterprise itself, its service institution."""
    own = me.role == "enterprise" and me.uscc == round.uscc
    serving = me.role == "institution" and bool(me.uscc) and me.uscc == round.institution
    return me.covers(round.division) or own or serving


def visible_round(round_id: UUID, tx: Tx, me: Me) -> AuditRound:
    """The round of the path; NotFound where it is missing or not the caller's to see."""
    found = tx.get(AuditRound, round_id)
    if found is None or not may_see(me, found):
        raise NotFound()
    return found
