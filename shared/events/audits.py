"""What audits says: lists, rounds, evaluations, acceptances, obligations."""

from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from shared.events import Audience, Event, internal


class ListPublished(Event, type="audits.list.published.v1", subject="list", audience=Audience.PUBLIC):
    """The year's list of enterprises that must audit is published; its day starts the legal terms."""

    list: UUID
    year: int
    document_no: str
    published_on: date
    entries: int


class ListEntryPublished(Event, type="audits.list_entry.published.v1", subject="uscc", audience=Audience.PUBLIC):
    """An enterprise is on a published list."""

    uscc: str
    name: str
    division: str
    categories: list[str] = Field(examples=[["EXCESS_EMISSION", "TOXIC"]])
    published_on: date
    document_no: str
    industry: str = internal("")
    round: UUID | None = internal(None)


class ListEntryWithdrawn(Event, type="audits.list_entry.withdrawn.v1", subject="uscc", audience=Audience.PUBLIC):
    """An entry was withdrawn from a published list; the round is cancelled, its open obligations are waived."""

    uscc: str
    name: str
    division: str
    categories: list[str]
    published_on: date
    document_no: str
    reason: str
    round: UUID | None = internal(None)


class RoundMoved(Event, type="audits.round.moved.v1", subject="uscc"):
    """A round has entered a state, by whatever move; what other services follow."""

    uscc: str
    round: UUID
    track: str
    state: str
    previous: str
    division: str
    moved_on: date


class RoundStarted(Event, type="audits.round.started.v1", subject="uscc", audience=Audience.PARTIES):
    """The audit has started (清洁生产审核办法 第十二条)."""

    uscc: str
    round: UUID
    track: str
    started_on: date
    division: str = internal("")


class PhaseCompleted(Event, type="audits.round.phase_completed.v1", subject="uscc", audience=Audience.PARTIES):
    """One of the seven phases is complete."""

    uscc: str
    round: UUID
    phase: str = Field(examples=["P2_PRE_AUDIT"])
    completed_on: date
    division: str = internal("")


class ReportSubmitted(Event, type="audits.round.report_submitted.v1", subject="uscc", audience=Audience.PARTIES):
    """The audit report is submitted; lateness is a matter of the REPORT obligation."""

    uscc: str
    round: UUID
    submitted_on: date
    division: str = internal("")


class EvaluationRecorded(Event, type="audits.evaluation.recorded.v1", subject="uscc", audience=Audience.PARTIES):
    """The evaluation is decided. The band is told, the score never."""

    uscc: str
    round: UUID
    band: str = Field(examples=["direct_pass"])
    decided_on: date
    division: str = internal("")


class AcceptanceRecorded(Event, type="audits.acceptance.recorded.v1", subject="uscc", audience=Audience.PUBLIC):
    """The acceptance is decided: accepted, or accept_failed."""

    uscc: str
    round: UUID
    result: str = Field(examples=["accepted"])
    level: str | None = None
    accepted_on: date
    valid_until: date | None = None
    document_no: str
    track: str = internal("")
    division: str = internal("")
    fraud: bool = internal(False)


class ObligationCreated(Event, type="audits.obligation.created.v1", subject="uscc", audience=Audience.PARTIES):
    """A dated duty has arisen."""

    uscc: str
    round: UUID
    code: str = Field(examples=["REPORT"])
    due_on: date | None
    division: str = internal("")


class ObligationDone(Event, type="audits.obligation.done.v1", subject="uscc", audience=Audience.PARTIES):
    """A dated duty was met, in time or late."""

    uscc: str
    round: UUID
    code: str
    due_on: date | None
    done_on: date
    late: bool
    division: str = internal("")


class ObligationOverdue(Event, type="audits.obligation.overdue.v1", subject="uscc", audience=Audience.PARTIES):
    """A dated duty was not met by its day."""

    uscc: str
    round: UUID
    code: str
    due_on: date
    track: str = internal("")
    division: str = internal("")


class ObligationWaived(Event, type="audits.obligation.waived.v1", subject="uscc"):
    """A dated duty fell away with its list entry."""

    uscc: str
    round: UUID
    code: str


class RestrictedFactRead(Event, type="audits.restricted_fact.read.v1", subject="uscc"):
    """A bank has read restricted audit facts under a consent; becomes an entry of the enterprise's access ledger."""

    uscc: str
    bank: str
    bank_name: str
    purpose: str
    consent: UUID
    fields: list[str]
    service: str
    read_at: datetime
