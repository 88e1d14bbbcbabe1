"""Decide, keep the decision with its grounds, and say when an outcome has changed."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from services.incentives import rules
from services.incentives.actions.copies import find_enterprise
from services.incentives.actions.facts import known_facts
from services.incentives.assembly import evaluated, turns
from services.incentives.engine import Decision, decide
from services.incentives.models import EnterpriseCopy, StandingDecision, StoredDecision
from shared.clock import utc_now
from shared.events.incentives import DecisionChanged
from shared.messaging.outbox import emit

DUE_AT_ONCE = 5_000


@dataclass(frozen=True)
class Question:
    """A day, and the instant whose knowledge answers."""

    as_of: date
    known_at: datetime


def decide_touched(tx: Session, uscc: str, prefix: str, today: date) -> None:
    """Decide again, unasked, what a fact is named in; an enterprise nobody registered yet waits for that."""
    enterprise = find_enterprise(tx, uscc)
    if enterprise is not None:
        touched = rules.touched_by(prefix)
        wanted = {p for p in touched if rules.affected(p, enterprise.industry)}
        if len(wanted) < len(touched):
            wanted |= {row.programme for row in _standing(tx, uscc)} & set(touched)
        redecide(tx, enterprise, sorted(wanted), today)


def redecide(tx: Session, enterprise: EnterpriseCopy, programmes: Iterable[str], today: date) -> None:
    """Decide programmes for today; a new decision is kept only if it says something else or on other grounds."""
    wanted = list(programmes)
    if not wanted:
        return
    lock(tx, enterprise.uscc)
    asked = Question(today, utc_now())
    known = known_facts(tx, enterprise.uscc, asked.known_at)
    facts, days = evaluated(known, today, today.year), turns(known)
    before = _standing_decisions(tx, enterprise.uscc)
    made = [decide(rules.rule_sets().rule_set_on(programme, today), facts, today) for programme in wanted]
    for decision in made:
        _stand(tx, enterprise, before.get(decision.rule_set.programme), (decision, asked, days))
    tx.flush()


Standing = tuple[StandingDecision, StoredDecision]


def _stand(
    tx: Session, enterprise: EnterpriseCopy, before: Standing | None, made: tuple[Decision, Question, list[date]]
) -> None:
    """Let a decision that says something new stand in the place of the old; note when to look again in any case."""
    decision, asked, days = made
    row, old = before or (None, None)
    fresh = stored(enterprise.uscc, decision, asked)
    if old is None or old.content_hash != fresh.content_hash:
        fresh.supersedes = old.id if old is not None else None
        tx.add(fresh)
        if old is None or old.outcome != fresh.outcome or amounts_of(old) != decision.amounts:
            emit(tx, changed(fresh, old, enterprise.division))
        if row is None:
            row = StandingDecision(
                uscc=fresh.uscc, programme=fresh.programme, decision=fresh.id, checked_on=asked.as_of
            )
            tx.add(row)
        row.decision = fresh.id
    assert row is not None, "what says the same as before has stood before"
    row.checked_on, row.next_check = decision.as_of, rules.next_check(decision, days)


def changed(fresh: StoredDecision, old: StoredDecision | None, division: str) -> DecisionChanged:
    """The event of an outcome (or amounts) other than before; the first one has no `previous`."""
    return DecisionChanged(
        uscc=fresh.uscc,
        programme=fresh.programme,
        outcome=fresh.outcome,
        previous=old.outcome if old is not None else None,
        decision=fresh.id,
        valid_from=fresh.valid_from,
        division=division,
    )


def amounts_of(decision: StoredDecision) -> object:
    return result_of(decision)["amounts"]


def result_of(decision: StoredDecision) -> dict[str, object]:
    """The stored result, read; a damaged one reads as nothing."""
    try:
        document = json.loads(decision.result)
    except ValueError:
        document = None
    return document if isinstance(document, dict) else {}


def stored(uscc: str, decision: Decision, asked: Question, *, on_demand: bool = False) -> StoredDecision:
    """The row of a decision; it holds from the day it was made for."""
    return StoredDecision(
        uscc=uscc,
        programme=decision.rule_set.programme,
        as_of=asked.as_of,
        known_at=asked.known_at,
        rule_set=decision.rule_set.id,
        rule_set_version=decision.rule_set.version,
        rule_set_hash=decision.rule_set.hash,
        facts=decision.facts,
        facts_hash=decision.facts_hash,
        outcome=decision.outcome,
        result=decision.canonical(),
        result_hash=decision.result_hash,
        content_hash=rules.content_hash(decision),
        valid_from=asked.as_of,
        recorded_at=utc_now(),
        on_demand=on_demand,
    )


def _standing(tx: Session, uscc: str) -> Sequence[StandingDecision]:
    mine = select(StandingDecision).where(StandingDecision.uscc == uscc)
    return tx.exec(mine.execution_options(populate_existing=True)).all()


def standing(tx: Session, enterprise: EnterpriseCopy, programmes: Sequence[str], today: date) -> list[StoredDecision]:
    """The decisions that hold today, made now where there is none yet, where the days since may have changed one, or
    where another version of the rules is in force."""
    found = _standing_decisions(tx, enterprise.uscc)
    stale = [p for p in programmes if p not in found or _stale(*found[p], today)]
    if stale:
        redecide(tx, enterprise, stale, today)
        found = _standing_decisions(tx, enterprise.uscc)
    return [found[programme][1] for programme in programmes]


def _standing_decisions(tx: Session, uscc: str) -> dict[str, Standing]:
    both = select(StandingDecision, StoredDecision).join(
        StoredDecision, col(StoredDecision.id) == col(StandingDecision.decision)
    )
    mine = both.where(StandingDecision.uscc == uscc).execution_options(populate_existing=True)
    return {row.programme: (row, decision) for row, decision in tx.exec(mine)}


def _stale(row: StandingDecision, decision: StoredDecision, today: date) -> bool:
    if row.next_check is not None and row.next_check <= today:
        return True
    return decision.rule_set_hash != rules.rule_sets().rule_set_on(row.programme, today).hash


def answer(tx: Session, uscc: str, programmes: Sequence[str], asked: Question) -> list[StoredDecision]:
    """The decisions of another day or instant: those that were made on the same grounds, else made and kept now."""
    known = known_facts(tx, uscc, asked.known_at)
    facts = evaluated(known, asked.as_of, asked.as_of.year)
    made = [decide(rules.rule_sets().rule_set_on(p, asked.as_of), facts, asked.as_of) for p in programmes]
    found = [find_same(tx, uscc, decision) for decision in made]
    if None in found:
        lock(tx, uscc)  # a twin of this question waits here, and then finds what was kept
        for position, decision in enumerate(made):
            found[position] = find_same(tx, uscc, decision) or _kept(tx, uscc, decision, asked)
    return [decision for decision in found if decision is not None]


def _kept(tx: Session, uscc: str, decision: Decision, asked: Question) -> StoredDecision:
    row = stored(uscc, decision, asked, on_demand=True)
    tx.add(row)
    tx.flush()
    return row


def find_same(tx: Session, uscc: str, decision: Decision) -> StoredDecision | None:
    """A kept decision that says the same on the same grounds and was already made for that day or an earlier one."""
    same = select(StoredDecision).where(
        StoredDecision.uscc == uscc,
        StoredDecision.programme == decision.rule_set.programme,
        StoredDecision.content_hash == rules.content_hash(decision),
        col(StoredDecision.as_of) <= decision.as_of,
    )
    newest = same.order_by(col(StoredDecision.as_of).desc(), col(StoredDecision.recorded_at), col(StoredDecision.id))
    return tx.exec(newest.limit(1)).first()


def find_decision(tx: Session, decision_id: UUID) -> StoredDecision | None:
    return tx.get(StoredDecision, decision_id)


def lock(tx: Session, uscc: str) -> None:
    """One writer of an enterprise's decisions at a time, until this transaction ends."""
    tx.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:uscc, 43))"), {"uscc": uscc})


def decide_due(tx: Session, today: date) -> int:
    """Decide again what time alone may have changed by today; how many were looked at, at most `DUE_AT_ONCE`."""
    due = select(StandingDecision.uscc, StandingDecision.programme).where(col(StandingDecision.next_check) <= today)
    rows = tx.exec(due.order_by(col(StandingDecision.uscc), col(StandingDecision.programme)).limit(DUE_AT_ONCE)).all()
    by_firm: dict[str, list[str]] = {}
    for uscc, programme in rows:
        by_firm.setdefault(uscc, []).append(programme)
    for uscc, programmes in by_firm.items():
        enterprise = find_enterprise(tx, uscc)
        assert enterprise is not None, "only a known enterprise has decisions"
        redecide(tx, enterprise, programmes, today)
    return len(rows)
