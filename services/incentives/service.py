"""The parts of the incentives service."""

from datetime import date

from sqlmodel import Session

from services.incentives.actions.decisions import DUE_AT_ONCE, decide_due
from services.incentives.handlers import handlers
from services.incentives.models import metadata
from services.incentives.routes import router
from shared.jobs import Job, JobKind, Work, enqueue
from shared.service import Service


def decide_what_time_changes(tx: Session, today: date) -> None:
    """Decide again what ends or begins by today; more than fits into one transaction goes on as a job."""
    if decide_due(tx, today) == DUE_AT_ONCE:
        enqueue(tx, Job(kind="decide_due", owner="incentives"))


def go_on_deciding(work: Work) -> dict[str, int]:
    """The rest of the day's due decisions, a batch for each job."""
    decided = decide_due(work.tx, work.today)
    if decided == DUE_AT_ONCE:
        enqueue(work.tx, Job(kind="decide_due", owner="incentives"))
    return {"decided": decided}


service = Service(
    "incentives",
    router,
    handlers,
    metadata,
    daily=decide_what_time_changes,
    jobs=(JobKind("decide_due", go_on_deciding),),
    append_only=("fact", "decision", "tier_list", "tier_entry", "tier_unresolved", "tier_file"),
)
