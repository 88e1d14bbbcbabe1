"""What credit does: publish a record, record an input, keep a copy of an enterprise."""

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from services.credit.models import CreditInput, CreditRecord, EnterpriseCopy
from services.credit.rules import input_rule, regime_of
from shared.auth import Caller
from shared.messaging.outbox import emit
from shared.problems import Fault, Forbidden, NotFound, Text, Unprocessable
from shared.tracing import causation_id


@dataclass(frozen=True)
class NewRecord:
    """A grade as a publication states it."""

    uscc: str
    evaluation_year: int
    grade: str
    level: str
    published_on: date
    document_no: str


def publish_record(tx: Session, me: Caller, given: NewRecord, today: date) -> CreditRecord:
    """Record a published grade; refuses a grade that its year's regime does not know, and a day to come."""
    enterprise = get_enterprise(tx, given.uscc)
    if not me.covers(enterprise.division):
        raise NotFound()
    if given.level == "province" and not me.role.startswith("provincial"):
        raise Forbidden()
    faults = faults_of(given, today)
    if faults:
        raise Unprocessable(faults[0].code, faults[0].text, faults=faults)
    tx.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:uscc, 1))"), {"uscc": given.uscc})
    record = record_of(given, me.client_id)
    tx.add(record)
    emit(tx, record.published(enterprise.division))
    return record


def record_of(given: NewRecord, client: str) -> CreditRecord:
    regime = regime_of(given.evaluation_year)
    assert regime is not None, "checked by faults_of"
    return CreditRecord(
        uscc=given.uscc,
        regime=regime.id,
        evaluation_year=given.evaluation_year,
        grade=given.grade,
        norm=regime.grades[given.grade],
        level=given.level,
        published_on=given.published_on,
        document_no=given.document_no,
        recorded_by=client,
    )


def faults_of(given: NewRecord, today: date) -> list[Fault]:
    """What is wrong with a record by its own data and its year's regime."""
    regime, faults = regime_of(given.evaluation_year), []
    if regime is None:
        text = Text("该评价年度没有已知的评价制度。", "No regime is known for this evaluation year.")
        faults.append(Fault("/evaluation_year", "regime_unknown", text))
    elif given.grade not in regime.grades:
        known = "、".join(regime.grades)
        text = Text(
            f"{given.evaluation_year} 年度的制度没有该等级，可用：{known}。",
            f"The regime of {given.evaluation_year} does not know this grade; it knows {known}.",
        )
        faults.append(Fault("/grade", "grade_unknown", text, clause=regime.document))
    if given.published_on > today or given.published_on.year < given.evaluation_year:
        text = Text(
            "发布日期不得晚于今天，也不得早于评价年度。",
            "The day of publication is not after today and not before the evaluation year.",
        )
        faults.append(Fault("/published_on", "date_out_of_order", text))
    return faults


def record_input(tx: Session, kind: str, uscc: str, occurred_on: date) -> None:
    """Keep what audits told beside the record; its effect is `none` while no published standard gives it one."""
    event, rule = causation_id.get(), input_rule(kind)
    assert event is not None, "an input is made from an event"
    found = CreditInput(
        uscc=uscc,
        kind=kind,
        effect=rule["effect"],
        why=rule["why"],
        basis=rule["basis"],
        occurred_on=occurred_on,
        source_event=event,
    )
    tx.add(found)
    enterprise = tx.get(EnterpriseCopy, uscc)
    emit(tx, found.created(enterprise.division if enterprise else ""))


def keep_enterprise(tx: Session, uscc: str, name: str, division: str, version: int) -> None:
    """Keep the newest version of an enterprise; an older one that comes late changes nothing."""
    statement = insert(EnterpriseCopy).values(uscc=uscc, name=name, division=division, version=version)
    newer = {"name": name, "division": division, "version": version}
    older = col(EnterpriseCopy.version) < version
    tx.execute(statement.on_conflict_do_update(index_elements=["uscc"], set_=newer, where=older))


def get_enterprise(tx: Session, uscc: str) -> EnterpriseCopy:
    enterprise = tx.exec(select(EnterpriseCopy).where(EnterpriseCopy.uscc == uscc)).first()
    if enterprise is None:
        raise NotFound()
    return enterprise
