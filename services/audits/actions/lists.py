"""Annual lists: making one, publishing it, and what its publication starts for every entry."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from services.audits import law, rules
from services.audits.actions.copies import know_listed
from services.audits.actions.obligations import fulfil, open_planned
from services.audits.actions.status import refresh_statuses
from services.audits.actions.steps import Step, note
from services.audits.models import (
    AuditRound,
    EntryState,
    ListEntry,
    ListState,
    MandatoryList,
    RoundState,
    RoundStep,
    Track,
)
from services.audits.models.rounds import ENDED
from services.audits.rules import PlannedObligation
from shared.auth import Caller
from shared.crashpoints import crash_point
from shared.events.audits import RoundMoved
from shared.messaging.outbox import emit
from shared.problems import Conflict, Fault, NotFound, Text, Unprocessable

LISTED_STEP = "list"
# States of a round whose report is not in yet; the others have met REPORT when a list names the enterprise.
BEFORE_REPORT = {
    RoundState.LISTED,
    RoundState.STARTED,
    RoundState.PRE_AUDIT,
    RoundState.AUDITING,
    RoundState.MEASURES_GENERATED,
    RoundState.MEASURES_DETERMINED,
}


@dataclass(frozen=True)
class NewList:
    """A list as its maker announces it."""

    kind: str
    year: int
    document_no: str
    title: str


@dataclass(frozen=True)
class Publication:
    """What publishing one list has in hand: the list, the plan of duties, who publishes."""

    listed: MandatoryList
    plan: Sequence[PlannedObligation]
    me: Caller
    on: date


def create_list(tx: Session, me: Caller, given: NewList) -> MandatoryList:
    """A draft, empty until a file is imported into it."""
    made = MandatoryList(
        kind=given.kind, year=given.year, document_no=given.document_no, title=given.title, made_by=me.client_id
    )
    tx.add(made)
    tx.flush()
    return made


def get_list(tx: Session, list_id: UUID, *, lock: bool = False) -> MandatoryList:
    """A list; NotFound when there is none."""
    found = tx.get(MandatoryList, list_id, with_for_update=lock, populate_existing=lock)
    if found is None:
        raise NotFound()
    return found


def require_draft(listed: MandatoryList) -> None:
    """409 `list_published`: what is published is not imported into."""
    if listed.state is not ListState.DRAFT:
        text = Text("名单已公布，不能再导入。", "The list is published; nothing can be imported into it.")
        raise Conflict("list_published", text, state=str(listed.state), allowed=listed.allowed())


def publish_list(tx: Session, me: Caller, listed: MandatoryList, on: date, today: date) -> MandatoryList:
    """Publish a draft: a round and its dated duties for every entry, all in this transaction."""
    entries = list(tx.exec(select(ListEntry).where(ListEntry.list_id == listed.id).order_by(col(ListEntry.position))))
    published = listed.publish(on, len(entries))
    _check_day(on, today)
    if not entries:
        text = Text("名单没有条目。", "The list has no entries.")
        raise Unprocessable("list_empty", text, faults=[Fault("", "list_empty", text)])
    publication = Publication(listed, rules.obligations_for_publication(on), me, on)
    usccs = [entry.uscc for entry in entries]
    lock_openings(tx, usccs)
    know_listed(tx, entries)
    emit(tx, published)
    running = _open_rounds(tx, usccs)
    opened = {entry.uscc: _new_round(publication, entry) for entry in entries if entry.uscc not in running}
    tx.add_all(opened.values())
    tx.flush()
    for index, entry in enumerate(entries):
        with tx.no_autoflush:
            if round := opened.get(entry.uscc):
                _oblige(tx, publication, entry, round)
            else:
                _meet_running(tx, publication, entry, running[entry.uscc])
        if index == len(entries) // 2:
            tx.flush()
            crash_point("publish.in_progress")
    refresh_statuses(tx, usccs, on)
    return listed


def _check_day(on: date, today: date) -> None:
    if law.regimes()[0].effective_from <= on <= today:
        return
    text = Text("公布日期不得晚于今天。", "The day of publication is not after today.")
    raise Unprocessable("date_out_of_order", text, faults=[Fault("/published_on", "date_out_of_order", text)])


def lock_openings(tx: Session, usccs: Sequence[str]) -> None:
    """Until this transaction ends nobody else opens a round for these enterprises."""
    lock = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(u, 3)) FROM unnest(CAST(:usccs AS text[])) AS u")
    tx.execute(lock, {"usccs": sorted(set(usccs))})


def _open_rounds(tx: Session, usccs: Sequence[str]) -> dict[str, AuditRound]:
    running = select(AuditRound).where(col(AuditRound.uscc).in_(usccs), col(AuditRound.state).not_in(ENDED))
    found = tx.exec(running.order_by(col(AuditRound.id)).with_for_update())
    return {round.uscc: round for round in found}


def _oblige(tx: Session, publication: Publication, entry: ListEntry, round: AuditRound, previous: str = "") -> None:
    """The entry's round takes up its duties; `previous` is the state of a round that was running before the list."""
    _announce(tx, publication, entry, round)
    emit(tx, _moved(round, previous, publication.on))
    _note(tx, publication, round, previous, {"kept": False} | _cited(publication, entry))
    for plan in publication.plan:
        open_planned(tx, round, plan, publication.on)


def _meet_running(tx: Session, publication: Publication, entry: ListEntry, round: AuditRound) -> None:
    """An open mandatory round is kept without new duties; an open voluntary one becomes mandatory from this day."""
    previous = str(round.state)
    if round.track is Track.MANDATORY:
        _announce(tx, publication, entry, round)
        _note(tx, publication, round, previous, {"kept": True} | _cited(publication, entry))
        return
    _relabel(round, entry, publication)
    _oblige(tx, publication, entry, round, previous)
    _count_what_is_done(tx, round, publication.on)


def _announce(tx: Session, publication: Publication, entry: ListEntry, round: AuditRound) -> None:
    status = law.legal_basis_status(entry.categories, publication.on)
    emit(tx, entry.publish(publication.listed, round.id, status))


def _new_round(publication: Publication, entry: ListEntry) -> AuditRound:
    return AuditRound(
        uscc=entry.uscc,
        name=entry.name,
        division=entry.division,
        industry=entry.industry,
        track=Track.MANDATORY,
        state=RoundState.LISTED,
        categories=entry.categories,
        list_entry_id=entry.id,
        published_on=publication.on,
        latest_on=publication.on,
    )


def _relabel(round: AuditRound, entry: ListEntry, publication: Publication) -> None:
    """A running voluntary round becomes the mandatory one; its finished phases stay."""
    round.track, round.categories, round.list_entry_id = Track.MANDATORY, entry.categories, entry.id
    round.published_on = publication.on
    round.version += 1


def _count_what_is_done(tx: Session, round: AuditRound, on: date) -> None:
    """What a voluntary round had reached counts as met on the day of publication."""
    tx.flush()
    reached = round.resumes_to if round.state is RoundState.SUSPENDED and round.resumes_to else round.state
    if reached is not RoundState.LISTED:
        fulfil(tx, round, "START", on)
    if reached not in BEFORE_REPORT:
        fulfil(tx, round, "REPORT", on)


def _moved(round: AuditRound, previous: str, on: date) -> RoundMoved:
    return RoundMoved(
        uscc=round.uscc,
        round=round.id,
        track=round.track,
        state=round.state,
        previous=previous,
        division=round.division,
        moved_on=on,
    )


def _cited(publication: Publication, entry: ListEntry) -> dict[str, object]:
    listed = publication.listed
    basis = law.act_basis("LIST_PUBLICATION", publication.on)
    return {"list": str(listed.id), "document_no": listed.document_no, "entry": str(entry.id), "legal_basis": basis}


def _note(tx: Session, publication: Publication, round: AuditRound, previous: str, content: dict[str, object]) -> None:
    """A line in the round's history: its first one, which needs no look at others, or one more."""
    if previous:
        step = Step(tx, publication.me, round, LISTED_STEP, publication.on)
        note(step, previous, publication.on, content)
        return
    line = RoundStep(
        round_id=round.id,
        number=1,
        move=LISTED_STEP,
        from_state=previous,
        to_state=round.state,
        done_on=publication.on,
        actor=publication.me.client_id,
        role=publication.me.role,
        content=content,
    )
    tx.add(line)


def entries_answered_by(tx: Session, round_id: UUID) -> list[ListEntry]:
    """The published entries that one round answers."""
    mine = select(ListEntry).where(ListEntry.round_id == round_id, ListEntry.state == EntryState.PUBLISHED)
    return list(tx.exec(mine))
