"""Publish a frozen version of a month's tier list from what is known of every smelter."""

from calendar import monthrange
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlmodel import Session, col, select

from services.incentives import rules
from services.incentives.actions.facts import known_of
from services.incentives.assembly import evaluated, value_on
from services.incentives.engine import Decision, decide
from services.incentives.models import (
    ENTERPRISE,
    EnterpriseCopy,
    TierEntry,
    TierFile,
    TierList,
    TierUnresolved,
    Told,
)
from services.incentives.tierfiles import CSV, CSV_ZH, Writer, head_of
from shared.clock import utc_now
from shared.crashpoints import crash_point
from shared.messaging.outbox import emit

BATCH = 1_000


@dataclass(frozen=True)
class NewList:
    """What the publishing office says of a version."""

    period: str
    document_no: str
    settlement_mode: str
    effective_from: date
    published_by: str


@dataclass(frozen=True)
class Edition:
    """What the rows of one version have in common."""

    id: UUID
    version: int
    given: NewList
    known_at: datetime
    before: dict[str, UUID]

    @property
    def price_year(self) -> int:
        return int(self.given.period[:4])

    @property
    def day(self) -> date:
        """The last day of the period: accounts and rules as they are then."""
        year, month = self.price_year, int(self.given.period[5:])
        return date(year, month, monthrange(year, month)[1])


def publish(tx: Session, given: NewList) -> TierList:
    """Freeze the next version: a row for every smelter whose price rises, a note for every one that is undecided."""
    tx.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:period, 44))"), {"period": given.period})
    latest = latest_version(tx, given.period)
    edition = Edition(uuid4(), latest.version + 1 if latest else 1, given, utc_now(), _accounts_of(tx, latest))
    list_ = TierList(
        id=edition.id, version=edition.version, published_at=edition.known_at, rows=0, control_totals={}, digests={},
        sizes={}, **vars(given),
    )  # fmt: skip
    writer = Writer()
    for format_ in (CSV, CSV_ZH):
        tx.add(TierFile(list_id=edition.id, format=format_, part=0, content=head_of(format_)))
    _fill(tx, edition, writer)
    list_.rows, list_.control_totals = writer.totals.rows, writer.totals.as_json()
    list_.digests, list_.sizes = writer.digests, writer.sizes
    tx.add(list_)
    tx.flush()
    crash_point("publish.in_progress")
    emit(tx, list_.published())
    return list_


def latest_version(tx: Session, period: str) -> TierList | None:
    mine = select(TierList).where(TierList.period == period).order_by(col(TierList.version).desc())
    return tx.exec(mine.limit(1)).first()


def _accounts_of(tx: Session, list_: TierList | None) -> dict[str, UUID]:
    """The rows of a version by account: what the next one's rows supersede."""
    if list_ is None:
        return {}
    return dict(tx.exec(select(TierEntry.account_no, TierEntry.id).where(TierEntry.list_id == list_.id)).all())


def _fill(tx: Session, edition: Edition, writer: Writer) -> None:
    shared, parts = _shared_accounts(tx, edition), Counter({CSV: 1})
    for firms in _smelters(tx):
        known = known_of(tx, [firm.uscc for firm in firms], edition.known_at, _codes())
        entries, undecided = [], []
        for firm in firms:
            found = _entry(edition, firm, known[firm.uscc], shared)
            if isinstance(found, TierEntry):
                found.position = writer.totals.rows
                writer.add(found)
                entries.append(found)
            elif found is not None:
                undecided.append(found)
        _insert(tx, TierEntry, entries)
        _insert(tx, TierUnresolved, undecided)
        _keep_pieces(tx, edition, writer.pieces(), parts)
    _keep_pieces(tx, edition, writer.pieces(1), parts)


def _insert(tx: Session, table: type[TierEntry] | type[TierUnresolved], rows: Sequence[Any]) -> None:
    if rows:
        names = list(table.model_fields)
        tx.execute(sa.insert(table), [{name: getattr(row, name) for name in names} for row in rows])


def _keep_pieces(tx: Session, edition: Edition, pieces: Iterator[tuple[str, bytes]], parts: Counter[str]) -> None:
    for format_, content in pieces:
        tx.execute(sa.insert(TierFile).values(list_id=edition.id, format=format_, part=parts[format_], content=content))
        parts[format_] += 1


def _smelters(tx: Session) -> Iterator[Sequence[EnterpriseCopy]]:
    """The enterprises in force of the industries concerned, by USCC, a batch at a time."""
    last = ""
    industries = rules.tier_policy().industries
    while True:
        batch = select(EnterpriseCopy).where(
            col(EnterpriseCopy.industry).in_(industries),
            col(EnterpriseCopy.uscc) > last,
            col(EnterpriseCopy.status) != "deregistered",
        )
        firms = tx.exec(batch.order_by(col(EnterpriseCopy.uscc)).limit(BATCH)).all()
        if not firms:
            return
        last = firms[-1].uscc
        yield firms


def _codes() -> list[str]:
    return [*rules.sources()["registry"], ENTERPRISE]


def _shared_accounts(tx: Session, edition: Edition) -> set[str]:
    """Accounts that more than one smelter names: whom to charge is not known."""
    policy, seen = rules.tier_policy(), Counter[str]()
    for firms in _smelters(tx):
        known = known_of(tx, [firm.uscc for firm in firms], edition.known_at, [policy.account_fact])
        seen.update(a for facts in known.values() if (a := value_on(facts, policy.account_fact, edition.day)))
    return {account for account, count in seen.items() if count > 1}


def _entry(
    edition: Edition, firm: EnterpriseCopy, known: Sequence[Told], shared: set[str]
) -> TierEntry | TierUnresolved | None:
    """A row, a note of what is missing, or nothing where no price rises."""
    policy = rules.tier_policy()
    facts = evaluated(known, edition.day, edition.price_year)
    decision = decide(rules.rule_sets().rule_set_on(policy.programme, edition.day), facts, edition.day)
    account = value_on(known, policy.account_fact, edition.day)
    missing = list(decision.missing)
    if decision.outcome in ("surcharge", "manual_review"):
        if not account:
            missing.append({"fact": policy.account_fact, "code": "FACT_MISSING"})
        elif account in shared:
            missing.append({"fact": policy.account_fact, "code": "ACCOUNT_SHARED"})
    if missing or decision.outcome == "manual_review":
        return TierUnresolved(
            list_id=edition.id, uscc=firm.uscc, name=firm.name, division=firm.division, missing=missing
        )
    if decision.outcome != "surcharge" or not account:
        return None
    return _row(edition, firm, account, decision)


def _row(edition: Edition, firm: EnterpriseCopy, account: str, decision: Decision) -> TierEntry:
    amounts, facts = decision.amounts, decision.facts
    assert amounts is not None, "a surcharge has its amounts"
    return TierEntry(
        id=uuid4(),
        list_id=edition.id,
        position=0,
        list_version=edition.version,
        account_no=account,
        uscc=firm.uscc,
        name=firm.name,
        division=firm.division,
        instrument=decision.rule_set.programme,
        price_year=edition.price_year,
        data_year=facts["data_year"],
        metric_value=Decimal(facts["al_kwh_per_t"]),
        threshold=Decimal(amounts["threshold"]),
        rate_yuan_per_kwh=Decimal(amounts["rate_yuan_per_kwh"]),
        effective_from=edition.given.effective_from,
        effective_to=None,
        supersedes=edition.before.get(account),
        legal_basis=decision.reasons[0]["clause"],
        facts=facts,
        rule_set_hash=decision.rule_set.hash,
        result_hash=decision.result_hash,
    )
