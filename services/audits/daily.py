"""What audits does once per legal day."""

from datetime import date

from sqlmodel import Session

from services.audits.actions import obligations
from services.audits.actions.status import refresh_statuses


def daily(tx: Session, today: date) -> None:
    """Settle days that a calendar had left open, then let what has passed lapse, and ask for next year's disclosures."""
    settled = obligations.settle_provisional(tx, today)
    tx.flush()
    lapsed = obligations.lapse_overdue(tx, today)
    tx.flush()
    opened = obligations.open_next_annuals(tx, lapsed)
    changed = {obligation.uscc for obligation in (*settled, *lapsed, *opened)}
    if changed:
        refresh_statuses(tx, [*changed], today)
